/* See comeback.h. Called by kube/reflector.c; belongs to kube/client.c. Knows neither requests nor
 * the store. */
#include "kube/comeback.h"

#include <stddef.h>

static void on_timer(evutil_socket_t fd, short events, void *ctx);

bool comeback_init(struct comeback *comeback, struct event_base *base)
{
	*comeback = (struct comeback){0};
	TAILQ_INIT(&comeback->lost);
	comeback->timer = evtimer_new(base, on_timer, comeback);
	return comeback->timer != NULL;
}

void comeback_fini(struct comeback *comeback)
{
	if (comeback->timer != NULL) {
		event_free(comeback->timer);
	}
	*comeback = (struct comeback){0};
}

void comeback_on_hold(struct comeback *comeback, comeback_hold_fn hold, void *ctx)
{
	comeback->hold = hold;
	comeback->hold_ctx = ctx;
}

static void arm(struct comeback *comeback, unsigned wait_ms)
{
	struct timeval wait = {
		.tv_sec = (time_t)(wait_ms / 1000),
		.tv_usec = (suseconds_t)(wait_ms % 1000 * 1000),
	};

	evtimer_add(comeback->timer, &wait);
}

static void set_held(struct comeback *comeback, bool is_held)
{
	comeback->is_held = is_held;
	if (comeback->hold != NULL) {
		comeback->hold(comeback->hold_ctx, is_held);
	}
}

static void on_timer(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	set_held(ctx, false);
}

static void forget(struct comeback *comeback, struct comeback_member *member)
{
	member->is_lost = false;
	TAILQ_REMOVE(&comeback->lost, member, next);
	if (comeback->is_held && TAILQ_EMPTY(&comeback->lost)) {
		arm(comeback, COMEBACK_SETTLE_MS);
	}
}

void comeback_lose(struct comeback *comeback, struct comeback_member *member)
{
	if (member->is_lost) {
		return;
	}
	if (comeback->is_held && TAILQ_EMPTY(&comeback->lost)) {
		/* Accepted, and then told to begin anew. */
		arm(comeback, COMEBACK_LIMIT_MS);
	}
	member->is_lost = true;
	TAILQ_INSERT_TAIL(&comeback->lost, member, next);
}

void comeback_stir(struct comeback *comeback, struct comeback_member *member)
{
	struct comeback_member *other = NULL;
	bool is_alone = TAILQ_FIRST(&comeback->lost) == member && TAILQ_NEXT(member, next) == NULL;

	if (!member->is_lost || is_alone || comeback->is_held) {
		return;
	}
	set_held(comeback, true);
	arm(comeback, COMEBACK_LIMIT_MS);
	TAILQ_FOREACH (other, &comeback->lost, next) {
		if (other != member) {
			other->wake(other->ctx);
		}
	}
}

void comeback_answered(struct comeback *comeback, struct comeback_member *member)
{
	if (member->is_lost) {
		comeback_stir(comeback, member);
		forget(comeback, member);
	}
}

void comeback_leave(struct comeback *comeback, struct comeback_member *member)
{
	if (member->is_lost) {
		forget(comeback, member);
	}
}
