/*
 * Which ports of TCP services HAProxy can have. It takes all its ports or none: a reload with one
 * that somebody else has pauses all its listeners for two seconds and then fails, with whatever
 * else was to change. So a port that is new is tried before, in HAProxy's place; one that can't be
 * had is left out of the settings, which says so, and tried again now and then. Owned by reconcile.
 *
 * What HAProxy has is not tried: it was read back. Whatever the reason, a port that we can't have
 * counts as one that HAProxy can't have: both have one network and one user, and no right that the
 * other has not, where they are installed as docs/install.md says. A HAProxy that alone may have
 * ports below 1024 (a file capability of its program) goes without them, which is said; the other
 * way round, every such port would be a pause and a failure.
 */
#ifndef HG_PORTS_H
#define HG_PORTS_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "plan/applied.h"
#include "store/store.h"

struct ports;

struct ports_options {
	struct event_base *base;
	struct model *model; /* borrowed for the life of the object, as is the store */
	const struct store *store;
	bool has_ipv6;		 /* HAProxy listens on addresses of IPv6, too */
	void (*wake)(void *ctx); /* it is time to try again: call ports_follow() */
	void *ctx;
};

struct ports *ports_new(const struct ports_options *options) MUST_USE;
void ports_free(struct ports *ports);

/*
 * Tries the ports that the model asks for and HAProxy (`applied`, NULL = not known) has not: when
 * HAProxy is to be reloaded with other settings, when it is time, and when `is_asked`. True = the
 * model's settings, and what is wrong with them, are others now.
 */
bool ports_follow(struct ports *ports, const struct applied *applied, bool is_asked);

#endif
