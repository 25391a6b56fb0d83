/*
 * One reload through the master's socket, from the question to a certain outcome: HAProxy 3.0 and
 * later answer it; 2.6 drops the connection, and may even lose the question shortly after its
 * start, so that the outcome is read off `show proc`.
 */
#ifndef HG_HAPROXY_RELOAD_H
#define HG_HAPROXY_RELOAD_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"

/* No outcome for so long = failed. */
#define RELOAD_LIMIT_MS 10000

struct reload;

/* `text`: why it failed, or "". The object has been freed by then. */
typedef void (*reload_done_fn)(void *ctx, bool is_ok, const char *text);

/* on_done is called once from the event loop, never from here. */
struct reload *reload_start(struct event_base *base, const char *master_socket,
	reload_done_fn on_done, void *ctx) MUST_USE;

/* Stops waiting for the outcome, without calling on_done. NULL is fine. */
void reload_cancel(struct reload *reload);

#endif
