/*
 * Notices the end of a process, child or not, and sends it signals that can't reach another one
 * that was given its number.
 *
 * Uses pidfd_open(2) (Linux 5.3), whose descriptor the event loop can wait for; where that is
 * forbidden or missing, looks twice a second.
 */
#ifndef HG_HAPROXY_PIDWATCH_H
#define HG_HAPROXY_PIDWATCH_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"

struct pidwatch;

/* `text` says how it ended as far as that is known ("exit status 1", "signal 9", "ended"). The
 * object has been freed by then. */
typedef void (*pidwatch_fn)(void *ctx, const char *text);

/* NULL = there is no such process. on_end is called once from the event loop. A child is reaped. */
struct pidwatch *pidwatch_start(
	struct event_base *base, pid_t pid, pidwatch_fn on_end, void *ctx) MUST_USE;

/* Does nothing when the process has ended. */
void pidwatch_signal(const struct pidwatch *watch, int signal);

/* Stops watching; the process goes on. NULL is fine. */
void pidwatch_free(struct pidwatch *watch);

#endif
