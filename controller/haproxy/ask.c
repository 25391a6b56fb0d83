/* See ask.h. */
#include "haproxy/ask.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"

#define CHUNK	    16384
#define MAX_COMMAND 256 /* fits into any socket's buffer */

struct ask {
	struct event *event;
	int fd;
	char *path;
	struct buf reply;
	ask_done_fn on_done;
	void *ctx;
};

static int connect_to(const char *path, struct err *err);
static bool send_command(int fd, const char *command);
static void on_readable(evutil_socket_t fd, short what, void *arg);

struct ask *ask_start(struct event_base *base, const struct ask_question *question,
	ask_done_fn on_done, void *ctx, struct err *err)
{
	struct timeval silence = {.tv_sec = question->silence_ms / 1000,
		.tv_usec = question->silence_ms % 1000 * 1000};
	int fd = connect_to(question->path, err);

	if (fd < 0) {
		return NULL;
	}
	if (!send_command(fd, question->command)) {
		err_set(err, ERR_RETRY, "socket %s: %s", question->path, strerror(errno));
		close(fd);
		return NULL;
	}
	struct ask *ask = xcalloc(1, sizeof(*ask));
	ask->fd = fd;
	ask->path = xstrdup(question->path);
	buf_init(&ask->reply, ASK_MAX_REPLY);
	ask->on_done = on_done;
	ask->ctx = ctx;
	/* The time-out of a persistent event starts over with each byte. */
	ask->event = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, ask);
	if (ask->event == NULL || event_add(ask->event, &silence) != 0) {
		err_set(err, ERR_RETRY, "socket %s: no event for it", question->path);
		ask_cancel(ask);
		return NULL;
	}
	return ask;
}

void ask_cancel(struct ask *ask)
{
	if (ask == NULL) {
		return;
	}
	if (ask->event != NULL) {
		event_free(ask->event);
	}
	close(ask->fd);
	buf_fini(&ask->reply);
	free(ask->path);
	free(ask);
}

bool ask_is_path(const char *path, struct err *err)
{
	size_t max_len = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;

	return strlen(path) <= max_len ||
	       err_set(err, ERR_INPUT,
		       "socket %s: the path is longer than %zu characters; choose a shorter one",
		       path, max_len);
}

static int connect_to(const char *path, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!ask_is_path(path, err)) {
		return -1;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		return fd;
	}
	if (errno == EACCES || errno == EPERM) {
		err_set(err, ERR_DENIED,
			"socket %s: %s; run the controller and HAProxy as the same user", path,
			strerror(errno));
	} else {
		err_set(err, ERR_RETRY, "socket %s: %s", path, strerror(errno));
	}
	if (fd >= 0) {
		close(fd);
	}
	return -1;
}

static bool send_command(int fd, const char *command)
{
	char line[MAX_COMMAND];
	size_t len = strlen(command);

	assert(len + 1 < sizeof(line));
	memcpy(line, command, len);
	line[len] = '\n';
	return send(fd, line, len + 1, MSG_NOSIGNAL) == (ssize_t)len + 1 &&
	       shutdown(fd, SHUT_WR) == 0;
}

/* Hands over the answer, or `problem` when there is none. */
static void finish(struct ask *ask, const char *problem)
{
	struct err err = {0};
	ask_done_fn on_done = ask->on_done;
	void *ctx = ask->ctx;
	CLEANUP(free_ptr) char *text = buf_take(&ask->reply);

	if (problem != NULL) {
		err_set(&err, ERR_RETRY, "socket %s: %s", ask->path, problem);
	}
	ask_cancel(ask);
	on_done(ctx, problem == NULL ? text : NULL, &err);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ask *ask = arg;
	char chunk[CHUNK];

	if (what & EV_TIMEOUT) {
		finish(ask, "no answer in time");
		return;
	}
	ssize_t n = read(fd, chunk, sizeof(chunk));
	if (n > 0) {
		buf_append(&ask->reply, chunk, (size_t)n);
		if (!buf_is_ok(&ask->reply)) {
			finish(ask, "the answer is too long");
		}
	} else if (n == 0) {
		finish(ask, NULL);
	} else if (errno != EAGAIN && errno != EINTR) {
		finish(ask, strerror(errno));
	}
}
