/*
 * Secrets by need: of the Secrets that a list and a watch bring, only those that somebody refers to
 * are kept; what they hold of others is dropped while it is read. One that comes to be needed later
 * is fetched by a request of its own, one at a time, tried again with backoff until it is answered.
 *
 * Called by run.c, which starts the reflectors of the kind and asks secrets_wants() for them.
 */
#ifndef HG_KUBE_SECRETS_H
#define HG_KUBE_SECRETS_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "kube/client.h"
#include "store/store.h"

struct secrets;

/* `client` and `store` are borrowed and outlive it. */
struct secrets *secrets_new(
	struct event_base *base, struct kube_client *client, struct store *store) MUST_USE;
void secrets_free(struct secrets *secrets);

/* Somebody refers to it from now on, or nobody does any more. */
void secrets_need(struct secrets *secrets, const char *namespace, const char *name, bool is_needed);

/* The list comes now: what is needed will be in it. Until then nothing is fetched. */
void secrets_start(struct secrets *secrets);

/*
 * For reflector_on_filter(): is it needed? Also takes note that the watch has news of it, newer
 * than an answer that is still under way, which is ignored then.
 */
bool secrets_wants(void *ctx, const char *namespace, const char *name);

#endif
