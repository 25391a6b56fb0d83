/* See draining.h. */
#include "draining.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "haproxy/ask.h"

/* What haproxy-cfg looks at: a server of no other use. */
#define COMMAND	  "set server headgate_ready/ready state maint"
#define AGAIN_MS  500 /* between two times that HAProxy is told */
#define ANSWER_MS 2000

struct draining {
	struct event_base *base;
	const struct flags *flags;
	void (*on_over)(void *ctx);
	void *ctx;
	struct event *over;
	struct event *again;
	struct ask *ask; /* NULL = HAProxy is not being told just now */
};

static void on_told(void *ctx, const char *text, const struct err *err)
{
	struct draining *draining = ctx;

	(void)text;
	(void)err;
	draining->ask = NULL;
}

/* Whatever is wrong with this attempt, there is another one. */
static void on_again(evutil_socket_t fd, short what, void *ctx)
{
	struct draining *draining = ctx;
	const struct ask_question question = {
		.path = flags_get(draining->flags, FLAG_RUNTIME_SOCKET),
		.command = COMMAND,
		.silence_ms = ANSWER_MS,
	};
	struct err err = {0};

	(void)fd;
	(void)what;
	if (draining->ask == NULL) {
		draining->ask = ask_start(draining->base, &question, on_told, draining, &err);
	}
}

static void on_delay_over(evutil_socket_t fd, short what, void *ctx)
{
	struct draining *draining = ctx;

	(void)fd;
	(void)what;
	log_line(LOG_INFO, "ending after the delay", NULL);
	draining->on_over(draining->ctx);
}

struct draining *draining_start(
	struct event_base *base, const struct flags *flags, void (*on_over)(void *ctx), void *ctx)
{
	struct draining *draining = xcalloc(1, sizeof(*draining));
	const struct timeval delay = {.tv_sec = flags->drain_delay_seconds};
	const struct timeval interval = {.tv_usec = AGAIN_MS * 1000};

	draining->base = base;
	draining->flags = flags;
	draining->on_over = on_over;
	draining->ctx = ctx;
	draining->over = evtimer_new(base, on_delay_over, draining);
	draining->again = event_new(base, -1, EV_PERSIST, on_again, draining);
	event_add(draining->over, &delay);
	event_add(draining->again, &interval);
	log_line(LOG_INFO, "serving on before the end", "seconds",
		log_num(flags->drain_delay_seconds), NULL);
	on_again(-1, 0, draining);
	return draining;
}

void draining_free(struct draining *draining)
{
	if (draining == NULL) {
		return;
	}
	ask_cancel(draining->ask);
	event_free(draining->over);
	event_free(draining->again);
	free(draining);
}
