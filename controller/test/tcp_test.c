/*
 * TCP services with a real HAProxy: a port leads where tcp.map says, whatever the way of balancing;
 * what is for requests, is unknown or is missing gets no connection; ports come with a reload; a
 * port that somebody else has at the start is left out, and comes with the next settings.
 *
 * Routes, backends and settings are written by haproxy/state, as in production.
 */
#include "running.h"
#include "runtime.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/cli.h"
#include "model/globals.h"
#include "test/web.h"

#define N_PORTS 4

static const char *const pods[] = {"pod-0", "pod-1"};

/* What ports can lead to. */
static const char *const words[] = {":tcp", ":tcp:leastconn", ":tcp:first", ":tcp:random",
	":tcp:by-source", ":tcp:by-source:check:inter-500:maxconn-9"};

struct fixture {
	struct running running;
	struct test test;
	struct applied *routes;
	pid_t origin;
	char *addresses[ARRAY_LEN(pods)];
	uint16_t ports[N_PORTS];
	char keys[N_PORTS][8];
	bool is_stopped;
};

/* ---- ports ---- */

static int connect_to(uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Free ones, in ascending order. */
static void choose_ports(struct fixture *f)
{
	int fds[N_PORTS];

	for (size_t i = 0; i < N_PORTS; i++) {
		struct sockaddr_in address = {.sin_family = AF_INET};
		socklen_t size = sizeof(address);

		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(
			bind(fds[i], (const struct sockaddr *)&address, sizeof(address)), 0);
		assert_int_equal(getsockname(fds[i], (struct sockaddr *)&address, &size), 0);
		f->ports[i] = ntohs(address.sin_port);
		snprintf(f->keys[i], sizeof(f->keys[i]), "%u", f->ports[i]);
	}
	for (size_t i = 0; i < N_PORTS; i++) {
		close(fds[i]);
	}
}

/* Whose body comes back over a connection to this port; "refused": nobody listens; "closed". The
 * caller frees it. */
static char *ask(const struct fixture *f, size_t port)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
	struct buf answer = BUF_INIT(1 << 16);
	int fd = connect_to(f->ports[port]);
	char chunk[4096];
	ssize_t n;

	if (fd < 0) {
		return xstrdup("refused");
	}
	(void)!send(fd, request, strlen(request), MSG_NOSIGNAL);
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		buf_append(&answer, chunk, (size_t)n);
	}
	close(fd);
	char *text = answer.len > 0 ? web_judge(buf_str(&answer)) : xstrdup("closed");
	buf_fini(&answer);
	return text;
}

static void expect(const struct fixture *f, size_t port, const char *wanted)
{
	CLEANUP(free_ptr) char *got = ask(f, port);

	assert_string_equal(got, wanted);
}

/* ---- HAProxy ---- */

/* Listens on the first `n` ports, after the next start. */
static void write_settings(struct fixture *f, size_t n)
{
	struct tcp_service items[N_PORTS] = {{0}};
	const struct tcp_services tcp = {items, n, NULL};
	struct buf settings = BUF_INIT(0);
	struct err err = {0};

	for (size_t i = 0; i < n; i++) {
		items[i].port = f->ports[i];
	}
	globals_write(&settings, NULL, NULL, &tcp, false);
	if (!state_try_settings(f->running.state, buf_str(&settings), &err)) {
		fail_msg("%s", err.text);
	}
	buf_fini(&settings);
}

static char *name_of(size_t i)
{
	return xasprintf("t_svc_s%zu_80%s", i, words[i]);
}

static void write_state(struct fixture *f)
{
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		CLEANUP(free_ptr) char *name = name_of(i);
		applied_set_server(f->routes, applied_add_backend(f->routes, name), pods[i % 2],
			f->addresses[i % 2], APPLIED_READY);
	}
	applied_set_server(f->routes, applied_add_backend(f->routes, "t_svc_web_80"), pods[0],
		f->addresses[0], APPLIED_READY);
	applied_set_entry(f->routes, MODEL_MAP_TCP, f->keys[0], "t_svc_s0_80:tcp");
	applied_set_entry(f->routes, MODEL_MAP_TCP, f->keys[1], "t_svc_web_80");
	applied_set_entry(f->routes, MODEL_MAP_TCP, f->keys[2], MODEL_BACKEND_UNAVAILABLE);
	if (!state_save(f->running.state, f->routes, &err)) {
		fail_msg("%s", err.text);
	}
}

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	f->origin = web_start(pods, ARRAY_LEN(pods), f->addresses);
	f->routes = applied_new();
	choose_ports(f);
	write_state(f);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	f->test.base = f->running.base;
	f->test.map_dir = state_map_dir(f->running.state);
	f->test.cli = cli_new(f->running.base, on_lost, &f->test);
	runtime_connect(&f->test, f->running.runtime_socket);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cli_free(f->test.cli);
	applied_free(f->test.applied);
	applied_free(f->routes);
	free(f->test.text);
	kill(f->origin, SIGKILL);
	running_fini(&f->running);
	for (size_t i = 0; i < ARRAY_LEN(f->addresses); i++) {
		free(f->addresses[i]);
	}
	free(f);
	metrics_reset();
	return 0;
}

/* ---- tests ---- */

/* The map is there before anybody listens; a reload brings the ports. */
static void test_ports_come(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	struct plan_op before[] = {ENTRY(ADD, TCP, f->keys[3], "t_svc_s1_80:tcp:leastconn")};
	struct plan_op after[] = {ENTRY(DEL, TCP, f->keys[3], NULL)};

	for (size_t i = 0; i < N_PORTS; i++) {
		expect(f, i, "refused");
	}
	runtime_apply_all(&f->test, before, ARRAY_LEN(before));
	runtime_apply_all(&f->test, after, ARRAY_LEN(after));
	cli_disconnect(f->test.cli);
	applied_free(f->test.applied);
	f->test.applied = NULL;
	write_settings(f, N_PORTS);
	assert_true(process_reload(f->running.process, &err));
	running_wait(&f->running, PROCESS_RELOADED, 1);
	runtime_connect(&f->test, f->running.runtime_socket);
	expect(f, 0, pods[0]);
}

/* What serves requests, what isn't there, and no entry. */
static void test_closed(void **state)
{
	struct fixture *f = *state;
	struct plan_op unknown[] = {ENTRY(ADD, TCP, f->keys[3], "t_svc_gone_80:tcp")};
	struct plan_op gone[] = {ENTRY(DEL, TCP, f->keys[3], NULL)};

	for (size_t i = 1; i < N_PORTS; i++) {
		expect(f, i, "closed");
	}
	runtime_apply_all(&f->test, unknown, ARRAY_LEN(unknown));
	expect(f, 3, "closed");
	runtime_apply_all(&f->test, gone, ARRAY_LEN(gone));
}

/* Of each profile, from one to the other while HAProxy runs. */
static void test_profiles(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * ARRAY_LEN(words); i++) {
		CLEANUP(free_ptr) char *name = name_of(i % ARRAY_LEN(words));
		struct plan_op ops[] = {ENTRY(SET, TCP, f->keys[0], name)};

		runtime_apply_all(&f->test, ops, ARRAY_LEN(ops));
		expect(f, 0, pods[i % 2]);
	}
}

/* HAProxy 3.4 makes them, with servers, while it runs. */
static void test_at_run_time(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; f->test.caps.can_add_backend && i < ARRAY_LEN(words); i++) {
		CLEANUP(free_ptr) char *name = xasprintf("t_svc_new_80%s", words[i]);
		struct plan_op ops[] = {BACKEND(ADD, name), BACKEND(PUBLISH, name),
			SERVER_AT(ADD, name, "pod-1", f->addresses[1]),
			SERVER(ENABLE, name, "pod-1"), ENTRY(SET, TCP, f->keys[0], name)};

		runtime_apply_all(&f->test, ops, ARRAY_LEN(ops));
		expect(f, 0, pods[1]);
	}
}

/* Listens there, as somebody else. */
static int take_port(uint16_t port)
{
	const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	static const int on = 1; /* as all servers do: connections that have ended are no owners */
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void on_stopped(void *ctx)
{
	struct fixture *f = ctx;

	f->is_stopped = true;
	event_base_loopbreak(f->running.base);
}

static void stop(struct fixture *f)
{
	cli_disconnect(f->test.cli);
	process_stop(f->running.process, on_stopped, f);
	if (!f->is_stopped) {
		event_base_dispatch(f->running.base);
	}
	running_forget(&f->running);
}

/* Reads back what HAProxy has now. */
static void connect_again(struct fixture *f)
{
	cli_disconnect(f->test.cli);
	applied_free(f->test.applied);
	f->test.applied = NULL;
	runtime_connect(&f->test, f->running.runtime_socket);
}

static void reload(struct fixture *f, int n)
{
	struct err err = {0};

	cli_disconnect(f->test.cli);
	assert_true(process_reload(f->running.process, &err));
	running_wait(&f->running, PROCESS_RELOADED, n);
	connect_again(f);
}

/* HAProxy ends, and somebody else has a port when it is started again. */
static void test_port_is_taken(void **state)
{
	struct fixture *f = *state;
	CLEANUP(free_ptr) char *all = xstrdup(f->test.applied->settings);

	stop(f);
	int fd = take_port(f->ports[0]);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	connect_again(f);
	/* A reload for another reason changes nothing. */
	for (int i = 0; i < 2; i++) {
		assert_false(applied_has_port(f->test.applied, f->ports[0]));
		assert_string_not_equal(f->test.applied->settings, all);
		for (size_t k = 1; k < N_PORTS; k++) {
			assert_true(applied_has_port(f->test.applied, f->ports[k]));
			expect(f, k, "closed");
		}
		reload(f, i + 1);
	}
	close(fd);
	write_settings(f, N_PORTS);
	reload(f, 3);
	assert_true(applied_has_port(f->test.applied, f->ports[0]));
	assert_string_equal(f->test.applied->settings, all);
	expect(f, 0, pods[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports_come),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_at_run_time),
		cmocka_unit_test(test_port_is_taken),
	};

	return cmocka_run_group_tests_name("tcp", tests, set_up, tear_down);
}
