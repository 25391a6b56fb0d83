/*
 * The time between being told to end and ending: load balancers, proxies and nodes go on sending
 * requests until they have heard that this pod is going, so HAProxy goes on serving them. Meanwhile
 * whoever asks it whether it is ready is told no, and answers tell their clients to come back over
 * another connection (haproxy-cfg/50-stats.cfg and 30-http.cfg).
 *
 * Called by run.c and haproxy_command.c; which signal begins it is theirs to know.
 */
#ifndef HG_DRAINING_H
#define HG_DRAINING_H

#include <event2/event.h>

#include "base/attr.h"
#include "flags.h"

struct draining;

/*
 * Begins, says so in the log, and tells the HAProxy behind --runtime-socket again and again, as
 * reloads and restarts make it forget. on_over is called once from the event loop after
 * --drain-delay; draining_free() may be called from it. `flags` is borrowed.
 */
struct draining *draining_start(struct event_base *base, const struct flags *flags,
	void (*on_over)(void *ctx), void *ctx) MUST_USE;

/* Ends it without a call; HAProxy goes on saying no. NULL is fine. */
void draining_free(struct draining *draining);

#endif
