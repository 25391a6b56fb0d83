/*
 * A connection to one API server: every list, watch and write of the program goes through it
 * (HTTP/2 where the server offers it, so they all share one TCP connection). libcurl's multi
 * interface, driven by the libevent loop.
 *
 * Credentials are looked at again whenever a request starts: a token file or CA that has been
 * replaced is used from then on. A peer that is gone without a word is noticed by the kernel within
 * 30 seconds (keepalive probes, and a limit on the time that sent data may stay unacknowledged);
 * one that is connected but says nothing, by `idle_seconds`. After such silence the next request
 * uses a new connection. No proxy is ever used, no redirect followed, no certificate left
 * unchecked.
 */
#ifndef HG_KUBE_CLIENT_H
#define HG_KUBE_CLIENT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "kube/comeback.h"
#include "kube/config.h"
#include "kube/turn.h"

struct kube_client;
struct kube_request;

/* Waits for a connection, TLS included. */
#define KUBE_CONNECT_TIMEOUT_MS 10000

/* How a request ended. */
struct kube_result {
	long status;		  /* HTTP status; 0 = there was no complete answer */
	long retry_after_seconds; /* Retry-After header; 0 = none */
	const char *error; /* why there was none, in words; borrowed for the call; NULL when status
			      is set */
};

/* The answer has begun, with status 200. Must not cancel the request. */
typedef void (*kube_answer_fn)(void *ctx);

/* Bytes of the body as they arrive; false = stop the request. Only called for status 200. */
typedef bool (*kube_data_fn)(void *ctx, const char *data, size_t len);

/*
 * The request is over, also after kube_data_fn said stop (status 0); the request is freed when this
 * returns. Never called from within kube_client_get().
 */
typedef void (*kube_done_fn)(void *ctx, const struct kube_result *result);

/* `config` is taken over, also on failure. Credential files are read once here, so that a mistake
 * is seen at start. */
struct kube_client *kube_client_new(
	struct event_base *base, struct kube_config *config, struct err *err) MUST_USE;

/* Requests still running end without a call of their functions. Not from within one of those
 * functions. */
void kube_client_free(struct kube_client *client);

/* What to ask for and who wants to hear of it. */
struct kube_get {
	const char *path_and_query; /* "/api/v1/services?limit=500", already encoded; copied */
	const char *accept;	    /* media types; a constant, not copied; NULL = JSON */
	unsigned idle_seconds;	  /* end it when no byte has arrived for so long (a dead peer); 0 =
				     never */
	kube_answer_fn on_answer; /* may be NULL */
	kube_data_fn on_data;
	kube_done_fn on_done;
	void *ctx;
};

/* GET <server><path_and_query>. May be called from any callback; never NULL. */
struct kube_request *kube_client_get(
	struct kube_client *client, const struct kube_get *get) MUST_USE;

enum kube_method { KUBE_GET, KUBE_POST, KUBE_PUT, KUBE_PATCH };

/* Of the body of an answer to kube_client_call(), the first bytes are kept; what follows is read
 * and dropped. An answer that goes on behind KUBE_CALL_READ_MAX_SIZE counts as none. */
#define KUBE_CALL_KEPT_MAX_SIZE (64u * 1024)
#define KUBE_CALL_READ_MAX_SIZE (8u * 1024 * 1024)

/*
 * The call is over: `body` is the beginning of the answer's body, of any status, NUL-terminated and
 * borrowed for the call; "" when there is none. Never called from within kube_client_call().
 */
typedef void (*kube_reply_fn)(void *ctx, const struct kube_result *result, const char *body);

/* One question or write with a short answer. A write of which nothing is heard (status 0) may have
 * been carried out. */
struct kube_call {
	enum kube_method method;
	const char *path_and_query; /* already encoded; copied */
	const char *content_type;   /* of `body`; copied */
	const char *body;	    /* copied; NULL = none */
	unsigned idle_seconds;	    /* as in struct kube_get */
	kube_reply_fn on_reply;
	void *ctx;
};

/* As kube_client_get(), with any method and any status. */
struct kube_request *kube_client_call(
	struct kube_client *client, const struct kube_call *call) MUST_USE;

/* Ends a request without calling its functions. May be called from any callback but the request's
 * own kube_done_fn or kube_reply_fn. What a write does at the server is not known then. */
void kube_request_cancel(struct kube_request *request);

/* Turns for what a server should be asked for once at a time: the lists. */
struct turn_queue *kube_client_list_turns(struct kube_client *client) MUST_USE;

/* How those that watch come back after an outage. */
struct comeback *kube_client_comeback(struct kube_client *client) MUST_USE;

#endif
