/*
 * The operator's HTTP server: /healthz (the loop runs), /readyz (traffic may come), /metrics
 * (Prometheus text format). Read-only.
 */
#ifndef HG_ADMIN_ADMIN_H
#define HG_ADMIN_ADMIN_H

#include <event2/event.h>

#include "base/attr.h"
#include "base/err.h"

struct admin;

/* NULL = ready, else what is missing, as a constant text. */
typedef const char *(*admin_ready_fn)(void *ctx);

/* Called before metrics are written, to bring gauges up to date. */
typedef void (*admin_refresh_fn)(void *ctx);

struct admin_callbacks {
	admin_ready_fn ready;
	admin_refresh_fn refresh;
	void *ctx;
};

/* `bind` is "ADDRESS:PORT", ":PORT" or "[IPv6]:PORT". ERR_INPUT: not of that form, or in use. */
struct admin *admin_open(struct event_base *base, const char *bind,
	const struct admin_callbacks *callbacks, struct err *err) MUST_USE;
void admin_close(struct admin *admin);

#endif
