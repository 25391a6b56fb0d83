/*
 * What the controller writes to the API server: status of Ingresses and Events, by the one replica
 * that holds the Lease. Joins the parts of this folder; run.c makes it, reconcile.c's listener
 * feeds it.
 *
 * Nothing here touches traffic: a controller without the Lease, or without permission to write,
 * serves as any other. At the end of the program no status is cleared: another replica, or this one
 * started again, goes on serving.
 */
#ifndef HG_STATUS_STATUS_H
#define HG_STATUS_STATUS_H

#include <event2/event.h>

#include "base/attr.h"
#include "kube/client.h"
#include "model/diag.h"
#include "status/addresses.h"
#include "store/store.h"

struct status;

typedef void (*status_done_fn)(void *ctx);

struct status_options {
	struct event_base *base;    /* these four are borrowed and must outlive it */
	struct kube_client *client; /* as long as it writes */
	struct store *store;
	const struct model *model;
	const char *lease_namespace; /* texts are copied */
	const char *lease_name;
	unsigned lease_seconds;
	const char *service_namespace; /* of --publish-service; NULL = not given */
	const char *service_name;
	const char *addresses; /* of --publish-address, already checked; NULL = not given */
};

/* Never NULL. Starts at once. */
struct status *status_new(const struct status_options *options) MUST_USE;
void status_free(struct status *status);

/* After the model was brought up to date with these changes, and each time that it tells of
 * something. */
void status_on_changes(struct status *status, const struct store_changes *changes);
void status_on_let_go(struct status *status, const char *namespace, const char *name);
void status_on_diags(struct status *status, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags);

/* What is published; NULL = nothing is. Borrowed until the next turn of the loop. */
const struct addresses *status_published(const struct status *status) MUST_USE;

/* Writes nothing any more and gives the Lease back; see leader_release(). */
void status_stop(struct status *status, status_done_fn done, void *ctx);

#endif
