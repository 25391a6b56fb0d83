/*
 * The operator's HTTP server: /healthz (the loop runs), /readyz (traffic may come), /metrics
 * (Prometheus text format), /ingresses/NAMESPACE/NAME (what we make of one Ingress, as JSON),
 * /backends/NAME (which Ingresses lead to a backend of HAProxy, as JSON), /status (how everything
 * stands, as JSON), /audit (the result of the last audit of HAProxy, as JSON).
 *
 * Read-only, but for one thing: POST /audit starts an audit, and is taken from this machine only.
 */
#ifndef HG_ADMIN_ADMIN_H
#define HG_ADMIN_ADMIN_H

#include <event2/event.h>

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

struct admin;

/* NULL = ready, else what is missing, as a constant text. */
typedef const char *(*admin_ready_fn)(void *ctx);

/* Called before metrics are written, to bring gauges up to date. */
typedef void (*admin_refresh_fn)(void *ctx);

/* Appends what there is to say about one Ingress as one JSON object; false = it is not known, and
 * the object says so. */
typedef bool (*admin_ingress_fn)(
	void *ctx, const char *namespace, const char *name, struct buf *json);

/* The same about one backend, by HAProxy's name. */
typedef bool (*admin_backend_fn)(void *ctx, const char *name, struct buf *json);

/* Appends how everything stands as one JSON object. */
typedef void (*admin_status_fn)(void *ctx, struct buf *json);

/* Starts an audit and appends {"number":N}, or appends the result of the last one. */
typedef void (*admin_audit_fn)(void *ctx, bool is_start, struct buf *json);

/*
 * May who sends this header Authorization ("" = none) read the metrics? `answer` is called once,
 * with `request`, at once or later from the loop, but not after admin_close(): 200 and 202 are yes,
 * 401 is no, 503 is not known just now.
 */
typedef void (*admin_answer_fn)(void *request, int status);
typedef void (*admin_ask_fn)(
	void *ctx, const char *authorization, admin_answer_fn answer, void *request);

/* Requests that wait for that, at a time; more are answered 503. */
#define ADMIN_MAX_WAITING 32

struct admin_callbacks {
	admin_ready_fn ready;
	admin_refresh_fn refresh;
	admin_ingress_fn ingress;
	admin_backend_fn backend;
	admin_status_fn status;
	admin_audit_fn audit;
	admin_ask_fn ask;
	void *ctx;
};

/* `bind` is "ADDRESS:PORT", ":PORT" or "[IPv6]:PORT". ERR_INPUT: not of that form, or in use. When
 * the kernel has no file descriptor or memory for a connection, none is accepted until up to a
 * second later. */
struct admin *admin_open(struct event_base *base, const char *bind,
	const struct admin_callbacks *callbacks, struct err *err) MUST_USE;
void admin_close(struct admin *admin);

#endif
