/*
 * Says on the objects what is wrong with them, as Events: event.h says what, queue.h when.
 *
 * Of each Ingress every diagnostic is said once, as long as it lasts. An object waits for
 * REPORTER_DELAY_MS before it is looked at: an Ingress that comes a moment before its Service is
 * nothing to speak of. The queue holds objects, not texts, and what is said is what is true when it
 * is said. When the queue is full, the object is not said anything about, and counted: its
 * diagnostics are still in the log, in the metrics and in GET /ingresses/.
 */
#ifndef HG_STATUS_REPORTER_H
#define HG_STATUS_REPORTER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "kube/client.h"
#include "model/diag.h"
#include "store/store.h"

#define REPORTER_PER_SECOND  1
#define REPORTER_BURST	     50
#define REPORTER_MAX_RUNNING 2
#define REPORTER_MAX_OBJECTS 1000
#define REPORTER_DELAY_MS    2000

struct reporter;

struct reporter_options {
	struct event_base *base;    /* all are borrowed and must outlive the reporter, */
	struct kube_client *client; /* the identity too */
	const struct store *store;
	const struct model *model;
	const char *identity;
	bool (*may_write)(void *ctx); /* asked before each write, while it is active */
	void *ctx;
};

/* Never NULL. */
struct reporter *reporter_new(const struct reporter_options *options) MUST_USE;
void reporter_free(struct reporter *reporter);

/* As writer_set_active(). */
void reporter_set_active(struct reporter *reporter, bool is_active);

/* The diagnostics of an Ingress are these from now on. */
void reporter_tell(struct reporter *reporter, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags);

#endif
