/*
 * See curl_loop.h. Called by kube/client.c. Knows nothing of Kubernetes, requests or credentials.
 *
 * libcurl says which sockets and which time it waits for (on_socket_wanted, on_timeout_wanted); the
 * event loop tells it when one of them is there (on_socket_ready, on_timeout), and each time
 * finished transfers are collected.
 */
#include "kube/curl_loop.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/alloc.h"

/*
 * With several transfers on one HTTP/2 connection, libcurl 7.8x can keep bytes of one transfer that
 * it has read while it served another, and wait for the socket to say that there is more. So now
 * and then every socket is looked at as if it had.
 */
#define NUDGE_SECONDS 1

/* A socket that libcurl waits for. */
struct watched {
	TAILQ_ENTRY(watched) next;
	struct event *event;
	curl_socket_t fd;
	bool is_nudged; /* in the round that is under way */
};

struct curl_loop {
	struct event_base *base; /* borrowed */
	CURLM *multi;
	struct event *timer;
	struct event *nudge;
	TAILQ_HEAD(watched_list, watched) sockets;
	curl_loop_done_fn on_done;
	void *ctx;
	bool is_inside; /* libcurl is at work: its callbacks may be on the stack */
};

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx);
static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx);
static void on_timeout(evutil_socket_t fd, short events, void *ctx);
static void on_nudge(evutil_socket_t fd, short events, void *ctx);

struct curl_loop *curl_loop_new(struct event_base *base, curl_loop_done_fn on_done, void *ctx)
{
	struct curl_loop *loop = xcalloc(1, sizeof(*loop));

	*loop = (struct curl_loop){.base = base, .on_done = on_done, .ctx = ctx};
	loop->multi = curl_multi_init();
	TAILQ_INIT(&loop->sockets);
	loop->timer = evtimer_new(base, on_timeout, loop);
	loop->nudge = event_new(base, -1, EV_PERSIST, on_nudge, loop);
	if (loop->multi == NULL || loop->timer == NULL || loop->nudge == NULL) {
		curl_loop_free(loop);
		return NULL;
	}
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket_wanted);
	curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
	curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
	curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	event_add(loop->nudge, &(struct timeval){.tv_sec = NUDGE_SECONDS});
	return loop;
}

void curl_loop_free(struct curl_loop *loop)
{
	if (loop == NULL) {
		return;
	}
	assert(!loop->is_inside);
	if (loop->multi != NULL) {
		/* Closing idle connections takes their sockets back through on_socket_wanted(). */
		curl_multi_cleanup(loop->multi);
	}
	if (loop->timer != NULL) {
		event_free(loop->timer);
	}
	if (loop->nudge != NULL) {
		event_free(loop->nudge);
	}
	free(loop);
}

bool curl_loop_add(struct curl_loop *loop, CURL *easy)
{
	assert(!loop->is_inside);
	return curl_multi_add_handle(loop->multi, easy) == CURLM_OK;
}

void curl_loop_remove(struct curl_loop *loop, CURL *easy)
{
	assert(!loop->is_inside);
	curl_multi_remove_handle(loop->multi, easy);
}

bool curl_loop_is_inside(const struct curl_loop *loop)
{
	return loop->is_inside;
}

static void collect_finished(struct curl_loop *loop)
{
	const CURLMsg *message;
	int n_left;

	while ((message = curl_multi_info_read(loop->multi, &n_left)) != NULL) {
		if (message->msg != CURLMSG_DONE) {
			continue;
		}
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result; /* the message dies with the removal */
		curl_multi_remove_handle(loop->multi, easy);
		loop->on_done(loop->ctx, easy, code);
	}
}

static void drive(struct curl_loop *loop, curl_socket_t fd, int what)
{
	int n_running;

	loop->is_inside = true;
	curl_multi_socket_action(loop->multi, fd, what, &n_running);
	loop->is_inside = false;
	collect_finished(loop);
}

static void on_socket_ready(evutil_socket_t fd, short events, void *ctx)
{
	int what = 0;

	what |= events & EV_READ ? CURL_CSELECT_IN : 0;
	what |= events & EV_WRITE ? CURL_CSELECT_OUT : 0;
	drive(ctx, fd, what);
}

static void on_timeout(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	drive(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static struct watched *next_to_nudge(struct curl_loop *loop)
{
	struct watched *watched = NULL;

	TAILQ_FOREACH (watched, &loop->sockets, next) {
		if (!watched->is_nudged) {
			return watched;
		}
	}
	return NULL;
}

/* Sockets come and go while they are driven, so the list is begun anew after each. */
static void on_nudge(evutil_socket_t fd, short events, void *ctx)
{
	struct curl_loop *loop = ctx;
	struct watched *watched = NULL;

	(void)fd;
	(void)events;
	TAILQ_FOREACH (watched, &loop->sockets, next) {
		watched->is_nudged = false;
	}
	while ((watched = next_to_nudge(loop)) != NULL) {
		watched->is_nudged = true;
		drive(loop, watched->fd, CURL_CSELECT_IN);
	}
}

static struct watched *watch(struct curl_loop *loop, curl_socket_t fd)
{
	struct watched *watched = xcalloc(1, sizeof(*watched));

	watched->fd = fd;
	watched->is_nudged = true; /* from the next round on */
	TAILQ_INSERT_TAIL(&loop->sockets, watched, next);
	curl_multi_assign(loop->multi, fd, watched);
	return watched;
}

static void unwatch(struct curl_loop *loop, struct watched *watched)
{
	curl_multi_assign(loop->multi, watched->fd, NULL);
	TAILQ_REMOVE(&loop->sockets, watched, next);
	free(watched);
}

static int on_socket_wanted(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
	struct curl_loop *loop = ctx;
	struct watched *watched = socket_ctx;
	short events = EV_PERSIST;

	(void)easy;
	if (watched == NULL) {
		watched = watch(loop, fd);
	} else if (watched->event != NULL) {
		event_free(watched->event);
		watched->event = NULL;
	}
	if (what == CURL_POLL_REMOVE) {
		unwatch(loop, watched);
		return 0;
	}
	events |= what & CURL_POLL_IN ? EV_READ : 0;
	events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
	watched->event = event_new(loop->base, fd, events, on_socket_ready, loop);
	if (watched->event == NULL || event_add(watched->event, NULL) != 0) {
		return -1;
	}
	return 0;
}

/* Never drives libcurl itself: it is libcurl that calls. */
static int on_timeout_wanted(CURLM *multi, long timeout_ms, void *ctx)
{
	struct curl_loop *loop = ctx;

	(void)multi;
	if (timeout_ms < 0) {
		return evtimer_del(loop->timer);
	}
	struct timeval wait = {
		.tv_sec = timeout_ms / 1000,
		.tv_usec = (suseconds_t)(timeout_ms % 1000 * 1000),
	};
	return evtimer_add(loop->timer, &wait);
}
