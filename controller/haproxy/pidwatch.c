/* See pidwatch.h. */
#include "haproxy/pidwatch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

#define POLL_MS	  500
#define TEXT_SIZE 64

struct pidwatch {
	struct event *event;
	pid_t pid;
	int fd; /* -1 = no pidfd: looking by a timer */
	pidwatch_fn on_end;
	void *ctx;
};

static bool is_ended(const struct pidwatch *watch, char *ret_text, size_t size);
static void on_event(evutil_socket_t fd, short what, void *arg);

struct pidwatch *pidwatch_start(struct event_base *base, pid_t pid, pidwatch_fn on_end, void *ctx)
{
	static const struct timeval interval = {.tv_usec = POLL_MS * 1000};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0 && (errno == ESRCH || errno == EINVAL)) {
		return NULL;
	}
	struct pidwatch *watch = xcalloc(1, sizeof(*watch));
	watch->pid = pid;
	watch->fd = fd;
	watch->on_end = on_end;
	watch->ctx = ctx;
	watch->event = event_new(base, fd, (fd >= 0 ? EV_READ : 0) | EV_PERSIST, on_event, watch);
	if (watch->event == NULL || event_add(watch->event, fd >= 0 ? NULL : &interval) != 0) {
		pidwatch_free(watch);
		return NULL;
	}
	return watch;
}

void pidwatch_signal(const struct pidwatch *watch, int signal)
{
	if (watch->fd >= 0) {
		syscall(SYS_pidfd_send_signal, watch->fd, signal, NULL, 0);
	} else {
		kill(watch->pid, signal);
	}
}

void pidwatch_free(struct pidwatch *watch)
{
	if (watch == NULL) {
		return;
	}
	if (watch->event != NULL) {
		event_free(watch->event);
	}
	if (watch->fd >= 0) {
		close(watch->fd);
	}
	free(watch);
}

/* A child is asked for by waiting, which also reaps it; the end of any other process is all that
 * can be known. */
static bool is_ended(const struct pidwatch *watch, char *ret_text, size_t size)
{
	int status = 0;
	pid_t pid = waitpid(watch->pid, &status, WNOHANG);

	if (pid == watch->pid) {
		bool is_exit = WIFEXITED(status);
		snprintf(ret_text, size, "%s %d", is_exit ? "exit status" : "signal",
			is_exit ? WEXITSTATUS(status) : WTERMSIG(status));
		return true;
	}
	if (pid == 0) {
		return false;
	}
	snprintf(ret_text, size, "ended");
	return watch->fd >= 0 || (kill(watch->pid, 0) != 0 && errno == ESRCH);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct pidwatch *watch = arg;
	char text[TEXT_SIZE];

	(void)fd;
	(void)what;
	if (!is_ended(watch, text, sizeof(text))) {
		return;
	}
	pidwatch_fn on_end = watch->on_end;
	void *ctx = watch->ctx;
	pidwatch_free(watch);
	on_end(ctx, text);
}
