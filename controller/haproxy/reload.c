/* See reload.h. */
#include "haproxy/reload.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "haproxy/ask.h"
#include "haproxy/master.h"

#define POLL_MS 50

/* 2.6 can't be reached for a moment when it starts or has just reloaded. */
#define REACH_LIMIT_MS 1000
#define RESEND_MS                                                                                  \
	1000 /* the master answers, and no reload was tried since: the question was lost */

/* A question that meets a master just about to replace itself is never answered; `reload` is
 * answered when it is over. */
#define STATUS_SILENCE_MS 500
#define RELOAD_SILENCE_MS 5000

enum step {
	STEP_BEFORE, /* asking what was there before */
	STEP_RELOAD, /* asking for the reload */
	STEP_WATCH,  /* asking what is there now */
};

struct reload {
	struct event_base *base;
	char *socket;
	struct event *timer;
	struct ask *ask; /* NULL = waiting for the timer */
	enum step step;
	struct master_status before;
	uint64_t end_ms;
	uint64_t reach_end_ms; /* until then the master may be out of reach */
	uint64_t sent_ms;      /* when the reload was asked for last */
	reload_done_fn on_done;
	void *ctx;
};

static void ask_next(struct reload *reload);
static void on_answer(void *arg, const char *text, const struct err *err);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void ask_later(struct reload *reload, unsigned delay_ms);

struct reload *reload_start(
	struct event_base *base, const char *master_socket, reload_done_fn on_done, void *ctx)
{
	struct reload *reload = xcalloc(1, sizeof(*reload));

	reload->base = base;
	reload->socket = xstrdup(master_socket);
	reload->end_ms = clock_now_ms() + RELOAD_LIMIT_MS;
	reload->reach_end_ms = clock_now_ms() + REACH_LIMIT_MS;
	reload->on_done = on_done;
	reload->ctx = ctx;
	reload->timer = evtimer_new(base, on_timer, reload);
	ask_later(reload, 0);
	return reload;
}

void reload_cancel(struct reload *reload)
{
	if (reload == NULL) {
		return;
	}
	ask_cancel(reload->ask);
	event_free(reload->timer);
	free(reload->socket);
	free(reload);
}

static void finish(struct reload *reload, bool is_ok, const char *text)
{
	reload_done_fn on_done = reload->on_done;
	void *ctx = reload->ctx;

	reload_cancel(reload);
	on_done(ctx, is_ok, text);
}

static void ask_later(struct reload *reload, unsigned delay_ms)
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};

	evtimer_add(reload->timer, &delay);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	ask_next(arg);
}

/* While the limit isn't reached, every failure to ask is answered by asking again: 2.6 drops
 * connections when it reloads. */
static void ask_next(struct reload *reload)
{
	struct err err = {0};
	uint64_t now_ms = clock_now_ms();

	if (now_ms >= reload->end_ms) {
		finish(reload, false, "no new worker, and no word why; HAProxy's log may say more");
		return;
	}
	bool is_reload = reload->step == STEP_RELOAD;
	struct ask_question question = {.path = reload->socket,
		.command = is_reload ? "reload" : "show proc",
		.silence_ms = is_reload ? RELOAD_SILENCE_MS : STATUS_SILENCE_MS};
	reload->ask = ask_start(reload->base, &question, on_answer, reload, &err);
	if (reload->ask == NULL && reload->step == STEP_BEFORE && now_ms >= reload->reach_end_ms) {
		/* Nothing has been asked for yet, so nothing is lost by giving up early. */
		err_wrap(&err, "HAProxy's master can't be reached (--master-socket)");
		finish(reload, false, err.text);
	} else if (reload->ask == NULL) {
		ask_later(reload, POLL_MS);
	} else if (is_reload) {
		reload->sent_ms = now_ms;
	}
}

static void on_answer_to_reload(struct reload *reload, const char *text)
{
	char alert[MASTER_TEXT_SIZE];

	enum master_outcome outcome = text == NULL ? MASTER_UNKNOWN : master_parse_reload(text);

	if (outcome == MASTER_REFUSED) {
		if (!master_find_alert(text, alert, sizeof(alert))) {
			snprintf(alert, sizeof(alert),
				"HAProxy gives no reason; its log may say more");
		}
		finish(reload, false, alert);
		return;
	}
	if (outcome == MASTER_BUSY) {
		reload->step = STEP_BEFORE;
		ask_later(reload, POLL_MS);
		return;
	}
	/*
	 * Success is looked at as well: a master that has just been started gives that answer when
	 * its first worker is ready, and hasn't reloaded anything.
	 */
	reload->step = STEP_WATCH;
	ask_later(reload, outcome == MASTER_RELOADED ? 0 : POLL_MS);
}

static void on_status(struct reload *reload, const struct master_status *now)
{
	const struct master_status *before = &reload->before;

	if (now->n_failed > before->n_failed) {
		finish(reload, false, "HAProxy refuses the new configuration; its log says why");
	} else if (now->n_reloads > before->n_reloads && now->worker_pid != 0 &&
		   now->worker_pid != before->worker_pid) {
		finish(reload, true, "");
	} else {
		bool is_lost = now->n_reloads == before->n_reloads &&
			       clock_now_ms() >= reload->sent_ms + RESEND_MS;
		reload->step = is_lost ? STEP_RELOAD : STEP_WATCH;
		ask_later(reload, POLL_MS);
	}
}

static void on_answer(void *arg, const char *text, const struct err *err)
{
	struct reload *reload = arg;
	struct master_status status;

	(void)err;
	reload->ask = NULL;
	if (reload->step == STEP_RELOAD) {
		on_answer_to_reload(reload, text);
	} else if (text == NULL || !master_parse_status(text, &status)) {
		ask_later(reload, POLL_MS);
	} else if (reload->step == STEP_BEFORE) {
		reload->before = status;
		reload->step = STEP_RELOAD;
		ask_later(reload, 0);
	} else {
		on_status(reload, &status);
	}
}
