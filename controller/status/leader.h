/* Takes part in the election of the one replica that writes: lease.h, with an API server, a clock
 * and timers. */
#ifndef HG_STATUS_LEADER_H
#define HG_STATUS_LEADER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "kube/client.h"

struct leader;

/* We have become the holder, or are it no longer. */
typedef void (*leader_change_fn)(void *ctx, bool is_leader);
typedef void (*leader_done_fn)(void *ctx);

struct leader_options {
	struct event_base *base;    /* borrowed, as is the client */
	struct kube_client *client; /* must outlive the leader */
	const char *namespace;	    /* of the Lease; both are copied */
	const char *name;
	const char *identity; /* of this process, and of no other; copied */
	unsigned duration_seconds;
	leader_change_fn on_change;
	void *ctx;
};

/* Starts at once. Never NULL. */
struct leader *leader_new(const struct leader_options *options) MUST_USE;
void leader_free(struct leader *leader);

/* To be asked before each write: a process that stood still has lost the Lease without having been
 * told. */
bool leader_is_held(const struct leader *leader) MUST_USE;

/*
 * Takes part no longer, and gives the Lease back if we hold it; on_change is called first then.
 * `done` is called when the server has answered, or hasn't within LEADER_RELEASE_MS; at once when
 * there is nothing to give back.
 */
#define LEADER_RELEASE_MS 2000
void leader_release(struct leader *leader, leader_done_fn done, void *ctx);

#endif
