/*
 * What is listed and watched when objects come from an API server: which kinds, in which
 * namespaces, and what comes later because somebody refers to it. Called by run.c; what becomes of
 * an object is the store's business.
 */
#ifndef HG_SOURCES_H
#define HG_SOURCES_H

#include <event2/event.h>

#include "base/attr.h"
#include "class_settings.h"
#include "flags.h"
#include "kube/client.h"
#include "kube/reflector.h"
#include "kube/secrets.h"
#include "store/store.h"

/* All of it is borrowed and outlives the sources. */
struct sources_options {
	struct event_base *base;
	struct kube_client *client;
	struct store *store;
	const struct flags *flags;
	struct secrets *secrets;
	struct class_settings *class_settings;
	reflector_denied_fn on_denied;
	void *ctx;
};

struct sources;

/* Lists and watches everything but Secrets. Never NULL. */
struct sources *sources_start(const struct sources_options *options) MUST_USE;
/* NULL is fine. */
void sources_free(struct sources *sources);

/*
 * Which Secrets are needed is known: the list of certificates comes now, and only what is needed is
 * kept of it. Once. The default certificate may be in a namespace of its own, which is watched
 * besides the others: that of the flag, and the one of which the model says that it is, which may
 * be NULL. Where that is not allowed (403), nobody waits for it.
 */
void sources_watch_certificates(struct sources *sources, const char *default_namespace);

/* Somebody refers to a Secret that may be no certificate: from now on it is heard of when one
 * changes. The first call does it. */
void sources_watch_others(struct sources *sources);

/* A class or a ConfigMap has changed: ConfigMaps that nobody refers to are forgotten and, where
 * `must_list`, all are listed anew. */
void sources_follow_classes(struct sources *sources, bool must_list);

#endif
