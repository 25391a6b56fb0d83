/*
 * Secrets by need: of the Secrets that a list and a watch bring, only those that somebody refers to
 * are kept; what they hold of others is dropped while it is read. One that comes to be needed later
 * is fetched by a request of its own, one at a time, tried again with backoff until it is answered.
 *
 * The list is one of certificates. Secrets of other types may be many and large, so they are
 * neither listed nor watched: a second watch brings their metadata only, and what is needed of them
 * is fetched when it is another version than the one that is known.
 *
 * Called by run.c, which starts the reflectors of the kind and asks secrets_wants() for them.
 */
#ifndef HG_KUBE_SECRETS_H
#define HG_KUBE_SECRETS_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "store/store.h"

struct secrets;

/* `client` and `store` are borrowed and outlive it. */
struct secrets *secrets_new(
	struct event_base *base, struct kube_client *client, struct store *store) MUST_USE;
void secrets_free(struct secrets *secrets);

/* The field selector of what the list of certificates leaves out. What Helm and older clusters have
 * many of is never what somebody refers to. */
#define SECRETS_OTHER_TYPES                                                                        \
	"type!=kubernetes.io/tls,type!=helm.sh/release.v1,"                                        \
	"type!=kubernetes.io/service-account-token"

/* What a Secret is needed for. */
enum secrets_need {
	SECRETS_NEED_NONE,
	SECRETS_NEED_LISTED, /* as the list and the watch bring it: it is of their type */
	SECRETS_NEED_ANY, /* of whatever type: always fetched, and again when secrets_on_news() has
			     heard that it changed */
};

/* Somebody refers to it, or nobody does any more. */
void secrets_need(
	struct secrets *secrets, const char *namespace, const char *name, enum secrets_need need);

/* Is one that is needed, of whatever type, not known yet? False also when that takes too long, or
 * fails, but for those that were needed at the start. The store is woken when it ends. */
bool secrets_are_waiting(void *ctx);

/* For reflector_set_news(): of all Secrets that the list and the watch don't bring. */
void secrets_on_news(void *ctx, enum reflector_news news, const char *namespace, const char *name,
	const char *version);

/* The list comes now: what is needed will be in it. Until then nothing is fetched. */
void secrets_start(struct secrets *secrets);

/*
 * For reflector_on_filter(): is it needed? Also takes note that the watch has news of it, newer
 * than an answer that is still under way, which is ignored then.
 */
bool secrets_wants(void *ctx, const char *namespace, const char *name);

#endif
