/*
 * New keys for TLS session tickets, again and again: into the file first, then into the running
 * HAProxy, so that one that is started reads what the other one was told. Owns the timer and the
 * commands; the keys are haproxy/tickets', the file is haproxy/state's.
 *
 * When is decided by the age of the file, not by ours: a restarted controller goes on where the one
 * before stopped. HAProxy is told all keys each time, the oldest first, after which it has exactly
 * these, whatever it had before; on the way there it never lacks one that it had and keeps.
 *
 * A failure (HAProxy away, a refusal, a full disk) is logged once with its remedy, counted, and
 * tried again from 1 s to 60 s; meanwhile HAProxy goes on with the keys that it has. The file is
 * never more than one key ahead of it.
 */
#ifndef HG_ROTATION_H
#define HG_ROTATION_H

#include <event2/event.h>

#include "base/attr.h"
#include "haproxy/cli.h"
#include "haproxy/state.h"
#include "plan/caps.h"

/* Bounds of the time between two rotations, in seconds. A ticket is good for an hour
 * (tune.ssl.lifetime in haproxy-cfg): keys that are rotated more often than that end it earlier.
 * More than a week is the longest that TLS 1.3 allows to a ticket (RFC 8446, section 4.6.1). */
#define ROTATION_MIN_SECONDS 10
#define ROTATION_MAX_SECONDS 604800

struct rotation;

/* Nothing happens before the first rotation_on_worker(). `state` is borrowed. */
struct rotation *rotation_new(
	struct event_base *base, struct state *state, unsigned period_seconds) MUST_USE;

/* Before the cli that it was given is freed, or disconnected in order. NULL is fine. */
void rotation_free(struct rotation *rotation);

/*
 * A worker of HAProxy, with this PID, has been read back over this connection, which is borrowed
 * until rotation_free(). To be called after each reading back. A worker that doesn't listen for TLS
 * is left alone.
 */
void rotation_on_worker(
	struct rotation *rotation, struct cli *cli, const struct caps *caps, long pid);

#endif
