/* See web.h. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "test/web.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void answer_one(int listener, const char *name)
{
	char request[65536];
	size_t len = 0;
	int fd = accept(listener, NULL, NULL);

	while (len < sizeof(request) - 1) {
		ssize_t n = read(fd, request + len, sizeof(request) - 1 - len);
		if (n <= 0) {
			break;
		}
		len += (size_t)n;
		request[len] = '\0';
		if (strstr(request, "\r\n\r\n") != NULL) {
			const char *body = strcmp(name, WEB_ECHO) == 0 ? request : name;
			dprintf(fd,
				"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
				"%zu\r\n\r\n%s",
				strlen(body), body);
			break;
		}
	}
	close(fd);
}

static void serve(const int *listeners, const char *const *names, size_t n)
{
	struct pollfd *polls = xcalloc(n, sizeof(*polls));

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < n; i++) {
		polls[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
	}
	while (poll(polls, n, -1) > 0) {
		for (size_t i = 0; i < n; i++) {
			if (polls[i].revents != 0) {
				answer_one(listeners[i], names[i]);
			}
		}
	}
	_exit(0);
}

pid_t web_start(const char *const *names, size_t n_names, char **ret_addresses)
{
	int *listeners = xcalloc(n_names, sizeof(*listeners));

	for (size_t i = 0; i < n_names; i++) {
		uint16_t port = 0;
		listeners[i] = listen_somewhere(&port);
		ret_addresses[i] = xasprintf("127.0.0.1:%u", port);
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		serve(listeners, names, n_names);
	}
	for (size_t i = 0; i < n_names; i++) {
		close(listeners[i]);
	}
	free(listeners);
	return pid;
}

static int connect_to(const char *path)
{
	static const struct timeval limit = {.tv_sec = 20};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

char *web_exchange(const char *socket_path, const struct buf *request)
{
	struct buf answer = BUF_INIT(1 << 20);
	int fd = connect_to(socket_path);
	char chunk[4096];
	ssize_t n;

	/* HAProxy may refuse a long request and close before it has read all of it: the answer
	 * counts, not what was sent. */
	assert_true(send(fd, request->data, request->len, MSG_NOSIGNAL) > 0);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		buf_append(&answer, chunk, (size_t)n);
	}
	close(fd);
	return buf_take(&answer);
}

char *web_judge(const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	unsigned status = 0;

	if (body == NULL || sscanf(answer, "HTTP/1.%*c %u", &status) != 1) {
		return xstrdup("no answer");
	}
	return status == 200 ? xstrdup(body + 4) : xasprintf("%u", status);
}
