/*
 * When to do what: the one place that turns "something changed" into passes over store, model, plan
 * and HAProxy.
 *
 * One pass at a time; what changes meanwhile is taken up by the next. A pass needs three things:
 * every kind listed once, a connection to HAProxy, and `applied` that was read back over this
 * connection. Whatever casts doubt on `applied` - a lost connection, an answer that was not
 * expected, a reload - throws it away and reads everything back before the next pass.
 *
 *   DOWN --worker answers--> READING --read back--> IDLE <--> APPLYING
 *    ^                          ^                     |
 *    |                          +------- reload ------+
 *    +---- connection lost, from anywhere
 */
#ifndef HG_RECONCILE_H
#define HG_RECONCILE_H

#include <event2/event.h>
#include <stdbool.h>

#include "auditor.h"
#include "base/attr.h"
#include "haproxy/process.h"
#include "haproxy/state.h"
#include "listener.h"
#include "needs.h"
#include "model/model.h"
#include "store/store.h"

struct reconcile;

/* A ConfigMap or an IngressClass has changed. Called in a pass; it may change the store. */
typedef void (*reconcile_settings_fn)(void *ctx);

struct reconcile_options {
	struct event_base *base;
	struct store *store;
	struct model_options model;
	struct state *state;
	const char *runtime_socket; /* borrowed for the life of the object */
	bool is_self_check;
	bool has_ipv6;			   /* HAProxy listens on addresses of IPv6, too */
	unsigned audit_interval_seconds;   /* 0 = only when asked */
	reconcile_settings_fn on_settings; /* may be NULL */
	void *settings_ctx;
	struct listener listener; /* zeroed = none */
	struct needs needs;	  /* zeroed: all Secrets are there (manifests) */
};

struct reconcile *reconcile_new(const struct reconcile_options *options) MUST_USE;
void reconcile_free(struct reconcile *reconcile);

/* The HAProxy processes to reload and to look after; borrowed. Must be set before events arrive. */
void reconcile_set_process(struct reconcile *reconcile, struct process *process);

/* To be called for every event of the process. */
void reconcile_on_process(
	struct reconcile *reconcile, enum process_event event, long pid, const char *text);

/* Reads everything back and repairs what differs (SIGHUP). */
void reconcile_resync(struct reconcile *reconcile);

/* Audits HAProxy; borrowed for the life of `reconcile`. */
struct auditor *reconcile_auditor(struct reconcile *reconcile) MUST_USE;

/* No further passes; what is committed is saved. */
void reconcile_stop(struct reconcile *reconcile);

/* NULL = traffic may come; else what is missing. */
const char *reconcile_missing(const struct reconcile *reconcile) MUST_USE;

/* What is wanted now; borrowed for the life of `reconcile`. */
const struct model *reconcile_model(const struct reconcile *reconcile) MUST_USE;

/* Appends members of a JSON object: HAProxy, what is missing and what waits, the last pass and the
 * last reloads. */
void reconcile_write(const struct reconcile *reconcile, struct buf *json);

#endif
