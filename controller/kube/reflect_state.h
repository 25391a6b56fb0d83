/*
 * What a reflector does next: the list/watch contract as a state machine without I/O, clock or log.
 *
 *   reflect_state_query()  what to ask for now
 *   reflect_state_page()   a page of the list is complete
 *   reflect_state_seen()   a watch event or bookmark has been taken in
 *   reflect_state_end()    the request is over: how long to wait, and with what to go on
 * (state->step)
 *
 * Source of the rules: https://kubernetes.io/docs/reference/using-api/api-concepts/ and client-go's
 * reflector.
 *
 *   outcome of a list        next
 *   a page, more to come     the next page at once
 *   the last page            a watch from the list's resourceVersion at once
 *   410 Gone                 page 1 again after the backoff; when it was page 1 that answered so,
 * without a resourceVersion 504, and 4xx about the   the same as 410: a server that was reset or
 * lags doesn't know our resourceVersion or page request itself anything else            the same
 * page again after the backoff
 *
 *   outcome of a watch       next
 *   closed                   a watch from the last resourceVersion at once; when it was short and
 * brought nothing new, after the backoff 410 Gone                 a list after the backoff anything
 * else            the same watch again after the backoff; after WATCH_MAX_REFUSED answers in a row
 * that are neither 200 nor a matter of credentials or load, a list
 *
 * A first 401 after something worked is tried again at once, as a token file may just have been
 * replaced. Retry-After makes a wait longer, never shorter.
 */
#ifndef HG_KUBE_REFLECT_STATE_H
#define HG_KUBE_REFLECT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/backoff.h"
#include "base/buf.h"

/* Objects a page. */
#define LIST_PAGE_SIZE 500

/* The server closes a watch after a random time in this range, so that all clients don't come back
 * at once. */
#define WATCH_MIN_SECONDS 300
#define WATCH_MAX_SECONDS 600

/* A watch that ends sooner and brought nothing new counts as a failure. */
#define WATCH_SHORT_MS 2000

#define WATCH_MAX_REFUSED 5

/* The longest Retry-After that is believed. */
#define RETRY_AFTER_MAX_SECONDS 600

/* Retry-After is a lower bound, and a timer counts from the time at which the event loop's turn
 * began: without something on top the next request can come a moment before it is allowed to. */
#define RETRY_AFTER_MARGIN_MS 100

/* resourceVersion and continue are opaque; longer ones are not theirs. */
#define VERSION_MAX_LEN	 256
#define CONTINUE_MAX_LEN 16384

enum reflect_step { REFLECT_LIST, REFLECT_WATCH };

enum reflect_end {
	REFLECT_OK,	/* the page is complete; the watch was closed in good order */
	REFLECT_GONE,	/* 410, as status or as event */
	REFLECT_FAILED, /* anything else; `status` says more */
};

struct reflect_outcome {
	enum reflect_end end;
	long status;		  /* HTTP status, or the code of an ERROR event; 0 = none */
	long retry_after_seconds; /* 0 = none */
};

struct reflect_state {
	enum reflect_step step;	 /* what the next request is */
	enum reflect_step asked; /* what the request under way is */
	struct backoff backoff;
	char *version;	    /* of the newest state that the store has; NULL = none */
	char *list_version; /* of page 1 of the list that is under way; NULL = page 1 comes next */
	char *continue_token; /* of its next page; NULL = none */
	uint64_t started_ms;  /* of the request under way */
	uint64_t random;
	unsigned n_refused;	 /* watches in a row */
	bool has_news;		 /* the watch under way moved `version` */
	bool must_list_newest;	 /* the next list carries no resourceVersion */
	bool has_listed;	 /* once at least */
	bool was_unanswered;	 /* the request before had no answer */
	bool has_retried_denied; /* a 401 was tried again at once, and nothing worked since */
};

/* Starts with a list. */
void reflect_state_init(struct reflect_state *state, uint64_t seed);
void reflect_state_fini(struct reflect_state *state);

/* Does the next request start a list from its first page? (The store's mark-and-sweep starts over.)
 */
bool reflect_state_is_first_page(const struct reflect_state *state) MUST_USE;

/* A request starts: appends its query, "limit=500&…", all values percent-encoded. */
void reflect_state_query(struct reflect_state *state, uint64_t now_ms, struct buf *query);

/*
 * A page has come, with its metadata.resourceVersion and metadata.continue (NULL or "" = the last
 * page): false = they can't be what a server sends. *ret_is_last tells whether the list is
 * complete; then the next step is a watch.
 */
bool reflect_state_page(struct reflect_state *state, const char *version,
	const char *continue_token, bool *ret_is_last) MUST_USE;

/* A watch event carried this resourceVersion; one that can't be is skipped. */
void reflect_state_seen(struct reflect_state *state, const char *version);

/* The request is over: the milliseconds until the next one is to start. After reflect_state_page()
 * for a page. */
uint32_t reflect_state_end(struct reflect_state *state, const struct reflect_outcome *outcome,
	uint64_t now_ms) MUST_USE;

/* Appends `key=value` to a query, with & before it if there is something before. */
void reflect_query_add(struct buf *query, const char *key, const char *value);

#endif
