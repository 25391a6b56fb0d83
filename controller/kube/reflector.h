/*
 * Keeps one kind in the store equal to what the API server has: list (paged), then watch from
 * there, for ever.
 *
 *   list ──complete──> watch ──closed──> watch again from the last resourceVersion (no list)
 *    ^                   │
 *    └──── 410 Gone ─────┘  as HTTP status or as an ERROR event; the store keeps everything until
 * the new list is complete
 *
 * Contract with the server:
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
 * resourceVersion is opaque: it is kept and sent back, never read as a number. Failures wait as
 * base/backoff says, or as long as Retry-After demands; reflect_state.h has the whole table. At
 * most one list runs at a time in the whole program.
 *
 * An object outside the namespace or the label selector is not taken, whatever the server sends.
 * An object that can't be read is logged and leaves its last good version in the store, in a list
 * as in a watch.
 */
#ifndef HG_KUBE_REFLECTOR_H
#define HG_KUBE_REFLECTOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "kube/client.h"
#include "kube/object.h"
#include "store/store.h"

/* A list page is quick; a watch has a bookmark about once a minute, so it may be silent for longer
 * than that. */
#define LIST_IDLE_SECONDS  30
#define WATCH_IDLE_SECONDS 90

struct reflector;

/* What to list and watch. The texts are copied. */
struct reflector_target {
	enum kube_kind kind;
	const char *namespace;	    /* NULL or "" = all */
	const char *field_selector; /* "metadata.name=x", or NULL */
	const char *label_selector; /* or NULL; selector_parse() takes it */
};

/*
 * The server refused our credentials (401) or permissions (403) and nothing has ever been listed.
 * Called at each such answer; `text` names verb, resource and remedy. The reflector goes on trying;
 * it must not be freed from here.
 */
typedef void (*reflector_denied_fn)(
	void *ctx, const struct reflector_target *target, long status, const char *text);

/* Is this object wanted? Asked before an object is taken; one that is not is treated as deleted. It
 * must not free the reflector. */
typedef bool (*reflector_need_fn)(void *ctx, const char *namespace, const char *name);

/* Client and store are borrowed and must outlive the reflector. Never NULL. */
struct reflector *reflector_new(struct event_base *base, struct kube_client *client,
	struct store *store, const struct reflector_target *target) MUST_USE;
void reflector_on_denied(struct reflector *reflector, reflector_denied_fn denied, void *ctx);

/* Before the start; without it every object of the target is wanted. */
void reflector_set_need(struct reflector *reflector, reflector_need_fn need, void *ctx);

/* What a reflector that keeps nothing tells. */
enum reflector_news {
	REFLECTOR_BEGIN,   /* of a list */
	REFLECTOR_LISTED,  /* this object is in it */
	REFLECTOR_END,	   /* that was the whole list */
	REFLECTOR_CHANGED, /* an object is new or another */
	REFLECTOR_GONE,
};

/* `version` is the object's resourceVersion; texts are borrowed, "" for BEGIN and END. It must not
 * free the reflector. */
typedef void (*reflector_news_fn)(void *ctx, enum reflector_news news, const char *namespace,
	const char *name, const char *version);

/*
 * Before the start: the store is left alone, and what is there and what changes is told instead.
 * Only metadata is asked for, so that what the objects hold stays where it is
 * (https://kubernetes.io/docs/reference/using-api/api-concepts/#metadata-only-fetches).
 */
void reflector_set_news(struct reflector *reflector, reflector_news_fn news, void *ctx);

/* Other waits than base/backoff.h's for the API server, before the start: tests haven't the time.
 */
void reflector_set_backoff(struct reflector *reflector, uint32_t first_ms, uint32_t max_ms);

void reflector_start(struct reflector *reflector);
void reflector_free(struct reflector *reflector);

#endif
