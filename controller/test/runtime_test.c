/*
 * Component tests of haproxy/: cli, encode, reply, observe and apply against a real HAProxy, with
 * plans made by hand. What they do where backends can't be added at run time is asserted as well.
 */
#include <arpa/inet.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime.h"

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/apply.h"
#include "haproxy/encode.h"
#include "haproxy/observe.h"
#include "haproxy/reply.h"

static void test_observe_what_the_file_has(void **state)
{
	struct test *test = *state;
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);

	assert_string_equal(seen, "backend t_svc_file_80\n"
				  "  server s1 10.0.0.1:80\n"
				  "  server s2 10.0.0.2:80 maint\n"
				  "  server s3 [fd00::3]:80\n"
				  "  server s4 -:0\n"
				  "backend t_svc_old_80\n"
				  "  server s1 10.0.0.1:80\n");
	assert_true(test->pid > 0 && test->pid != test->haproxy->master);
	assert_true(test->caps.version[0] >= '2' && test->caps.version[0] <= '9');
	for (int i = 0; i < APPLIED_SHARDS; i++) {
		assert_true(test->applied->is_shard_unsaved[i]);
	}
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		assert_true(test->applied->is_map_unsaved[map]);
	}

	assert_string_equal(runtime_ask(test, "enable server t_svc_file_80/s2"), "");
	assert_string_equal(runtime_ask(test, "set server t_svc_file_80/s1 state drain"), "");
	runtime_observe(test);
	const struct applied_backend *backend =
		applied_find_backend(test->applied, "t_svc_file_80");
	assert_int_equal(applied_find_server(backend, "s1")->admin, APPLIED_DRAIN);
	assert_int_equal(applied_find_server(backend, "s2")->admin, APPLIED_READY);
}

static void test_observe_a_wrong_folder(void **state)
{
	struct test *test = *state;

	assert_non_null(observe_start(test->cli, "/nowhere", false, runtime_on_observed, test));
	runtime_wait(test);
	assert_int_equal(test->err.kind, ERR_PROTO);
	assert_non_null(strstr(test->err.text, "`show map /nowhere/hosts.map`"));
	assert_non_null(strstr(test->err.text, "Unknown map identifier"));

	test->err = (struct err){0};
	assert_non_null(observe_start(test->cli, "/no\nwhere", false, runtime_on_observed, test));
	runtime_wait(test);
	assert_int_equal(test->err.kind, ERR_INPUT);

	/* The connection is as good as before. */
	assert_true(cli_is_connected(test->cli));
	runtime_assert_applied(test);
}

static void test_servers_and_entries(void **state)
{
	struct test *test = *state;
	const char *b = "t_svc_file_80";
	struct plan_op ops[] = {
		SERVER_AT(ADD, b, "pod-1", "10.1.0.1:8080"),
		SERVER(ENABLE, b, "pod-1"),
		SERVER_AT(ADD, b, "pod-2", "[fd00::102:304]:8080"),
		SERVER_AT(ADDRESS, b, "s1", "10.0.0.9:81"),
		SERVER_AT(ADDRESS, b, "s3", "[fd00::9]:65535"),
		SERVER(ENABLE, b, "s2"),
		ENTRY(ADD, EXACT, "a.test/x", "t_svc_file_80"),
		ENTRY(ADD, PREFIX, "a.test/a;b\\c%[d]\"e'#{}$/", "t_svc_file_80"),
		ENTRY(ADD, HOSTS, "a.test", "a.test"),
		ENTRY(ADD, DEFAULTS, "*", "t_svc_file_80"),
	};
	struct plan_op more[] = {
		SERVER_AT(ADDRESS, b, "s1", "10.0.0.9:82"),
		SERVER_AT(ADDRESS, b, "s3", "10.0.0.10:65535"),
		SERVER(ENABLE, b, "pod-2"),
		ENTRY(SET, EXACT, "a.test/x", "t_svc_old_80"),
		ENTRY(DEL, HOSTS, "a.test", NULL),
		ENTRY(DEL, PREFIX, "a.test/a;b\\c%[d]\"e'#{}$/", NULL),
		SERVER(DISABLE, b, "pod-1"),
		SERVER(DEL, b, "pod-1"),
		SERVER(DISABLE, b, "s1"),
		SERVER(DEL, b, "s1"),
		SERVER(DRAIN, b, "pod-2"),
		SERVER(DRAIN, b, "s2"),
	};
	/* From draining back into use, and out of it. */
	struct plan_op drained[] = {
		SERVER(ENABLE, b, "pod-2"),
		SERVER(DISABLE, b, "s2"),
		SERVER(DEL, b, "s2"),
	};

	runtime_apply(test, ops, ARRAY_LEN(ops));
	runtime_assert_result(test, ARRAY_LEN(ops), 0, 0, 0);
	assert_int_equal(test->result.n_sent, ARRAY_LEN(ops));
	runtime_assert_applied(test);
	runtime_apply(test, more, ARRAY_LEN(more));
	runtime_assert_result(test, ARRAY_LEN(more), 0, 0, 0);
	runtime_assert_applied(test);
	CLEANUP(free_ptr) char *draining = runtime_dump(test->applied);
	assert_non_null(strstr(draining, "  server pod-2 [fd00::102:304]:8080 drain\n"
					 "  server s2 10.0.0.2:80 drain\n"));
	runtime_apply(test, drained, ARRAY_LEN(drained));
	runtime_assert_result(test, ARRAY_LEN(drained), 0, 0, 0);
	runtime_assert_applied(test);
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_string_equal(seen, "backend t_svc_file_80\n"
				  "  server pod-2 [fd00::102:304]:8080\n"
				  "  server s3 10.0.0.10:65535\n"
				  "  server s4 -:0\n"
				  "backend t_svc_old_80\n"
				  "  server s1 10.0.0.1:80\n"
				  "exact.map a.test/x t_svc_old_80\n"
				  "defaults.map * t_svc_file_80\n");
	assert_int_equal(metrics_get(METRIC_OPERATIONS, "server-address"), 4);
	assert_int_equal(metrics_get(METRIC_OPERATION_ERRORS, "server-address"), 0);
}

static void test_backends(void **state)
{
	struct test *test = *state;
	const char *b = "new_svc_x_80";
	struct plan_op ops[] = {
		BACKEND(ADD, b),
		BACKEND(PUBLISH, b),
		SERVER_AT(ADD, b, "pod-1", "10.1.0.1:8080"),
		SERVER(ENABLE, b, "pod-1"),
		ENTRY(ADD, EXACT, "a.test/x", b),
		ENTRY(ADD, HOSTS, "a.test", "a.test"),
	};
	struct plan_op back[] = {
		ENTRY(DEL, HOSTS, "a.test", NULL),
		ENTRY(DEL, EXACT, "a.test/x", NULL),
		SERVER(DISABLE, b, "pod-1"),
		SERVER(DEL, b, "pod-1"),
		BACKEND(UNPUBLISH, b),
		BACKEND(DEL, b),
	};
	CLEANUP(free_ptr) char *before = runtime_dump(test->applied);

	runtime_apply(test, ops, ARRAY_LEN(ops));
	if (!test->caps.can_add_backend) {
		/* What builds on the refusal is refused as well, and no request is led there. */
		runtime_assert_result(test, 0, 0, 4, ARRAY_LEN(ops) - 4);
		assert_int_equal(test->result.n_sent, 4);
		assert_int_equal(test->first_refused, PLAN_OP_BACKEND_ADD);
		runtime_assert_applied(test);
		return;
	}
	runtime_assert_result(test, ARRAY_LEN(ops), 0, 0, 0);
	runtime_assert_applied(test);
	assert_non_null(applied_find_backend(test->applied, b));
	runtime_apply(test, back, ARRAY_LEN(back));
	runtime_assert_result(test, ARRAY_LEN(back), 0, 0, 0);
	runtime_assert_applied(test);
	CLEANUP(free_ptr) char *after = runtime_dump(test->applied);
	assert_string_equal(after, before);
}

/* HAProxy 3.4 repeats what it has noted before it says that a backend is deleted, and leaves that
 * out when there is no room. */
static void test_cut_answer(void **state)
{
	enum { N = 80 };
	struct test *test = *state;
	const char *b = "new_svc_x_80";
	struct plan_op begin[] = {BACKEND(ADD, b), BACKEND(PUBLISH, b)};
	struct plan_op end[] = {BACKEND(UNPUBLISH, b)};
	struct plan_op last[] = {BACKEND(DEL, b)};

	if (!test->caps.can_add_backend) {
		return;
	}
	runtime_apply(test, begin, ARRAY_LEN(begin));
	for (int i = 0; i < N; i++) {
		CLEANUP(free_ptr)
		char *add = xasprintf("add server t_svc_file_80/x%d 10.0.0.9:80", i);
		assert_string_equal(runtime_ask(test, add), "New server registered.\n");
	}
	runtime_apply(test, end, ARRAY_LEN(end));
	for (int i = 0; i < N; i++) {
		CLEANUP(free_ptr) char *del = xasprintf("del server t_svc_file_80/x%d", i);
		assert_string_equal(runtime_ask(test, del), "Server deleted.\n");
	}
	runtime_apply(test, last, ARRAY_LEN(last));
	runtime_assert_result(test, 1, 0, 0, 0);
	runtime_assert_applied(test);
}

static void test_refused_server_keeps_the_old_backend(void **state)
{
	struct test *test = *state;
	const char *b = "t_svc_file_80";
	struct plan_op begin[] = {
		ENTRY(ADD, EXACT, "a.test/x", "t_svc_old_80"),
		ENTRY(ADD, HOSTS, "a.test", "a.test"),
	};
	struct plan_op ops[] = {
		/* It is there already, but `applied` is told that it is not. */
		SERVER_AT(ADD, b, "s1", "10.1.0.1:8080"),
		SERVER(ENABLE, b, "s1"),
		SERVER_AT(ADD, b, "pod-1", "10.1.0.1:8080"),
		SERVER(ENABLE, b, "pod-1"),
		ENTRY(SET, EXACT, "a.test/x", b),
		ENTRY(ADD, EXACT, "b.test/x", b),
		ENTRY(ADD, EXACT, "c.test/x", "t_svc_old_80"),
		ENTRY(ADD, HOSTS, "b.test", "b.test"),
		ENTRY(ADD, HOSTS, "c.test", "c.test"),
		SERVER(DISABLE, b, "s3"),
		SERVER(DEL, b, "s3"),
		SERVER(DISABLE, "t_svc_old_80", "s1"),
		SERVER(DEL, "t_svc_old_80", "s1"),
		BACKEND(UNPUBLISH, "t_svc_old_80"),
		BACKEND(DEL, "t_svc_old_80"),
	};

	runtime_apply(test, begin, ARRAY_LEN(begin));
	runtime_assert_result(test, ARRAY_LEN(begin), 0, 0, 0);
	applied_remove_server(test->applied, applied_find_backend(test->applied, b), "s1");
	runtime_apply(test, ops, ARRAY_LEN(ops));
	runtime_assert_result(test, 4, 0, 1, ARRAY_LEN(ops) - 5);
	assert_string_equal(test->text, "Already exists a server with the same name in backend.");
	static const size_t done[] = {2, 3, 6, 8};
	for (size_t i = 0; i < ARRAY_LEN(done); i++) {
		assert_int_equal(ops[done[i]].result, PLAN_DONE);
	}
	assert_int_equal(ops[0].result, PLAN_REFUSED);

	/* Requests stay where they were, and there is still somebody. */
	runtime_observe(test);
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_string_equal(seen, "backend t_svc_file_80\n"
				  "  server pod-1 10.1.0.1:8080\n"
				  "  server s1 10.0.0.1:80\n"
				  "  server s2 10.0.0.2:80 maint\n"
				  "  server s3 [fd00::3]:80\n"
				  "  server s4 -:0\n"
				  "backend t_svc_old_80\n"
				  "  server s1 10.0.0.1:80\n"
				  "hosts.map a.test a.test\n"
				  "hosts.map c.test c.test\n"
				  "exact.map a.test/x t_svc_old_80\n"
				  "exact.map c.test/x t_svc_old_80\n");
}

/* What is on its way when something it builds on is refused: HAProxy refuses it too. */
static void test_what_builds_on_a_refusal(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {
		SERVER_AT(ADD, "nope_svc_1", "s", "10.0.0.1:80"),
		SERVER(ENABLE, "nope_svc_1", "s"),
		SERVER(ENABLE, "t_svc_file_80", "nope"),
		SERVER(DISABLE, "t_svc_file_80", "gone"),
		SERVER(DEL, "t_svc_file_80", "gone"),
		BACKEND(ADD, "front"),
		BACKEND(PUBLISH, "front"),
		SERVER_AT(ADD, "front", "s", "10.0.0.1:80"),
		SERVER(ENABLE, "front", "s"),
		BACKEND(UNPUBLISH, "gone_svc_1"),
		BACKEND(DEL, "gone_svc_1"),
	};

	/* One group at a time, so that no mark keeps anything from being sent. */
	runtime_apply(test, ops, 3);
	runtime_assert_result(test, 0, 0, 3, 0);
	runtime_apply(test, &ops[3], 2);
	runtime_assert_result(test, 0, 0, 2, 0);
	runtime_apply(test, &ops[5], 4);
	runtime_assert_result(test, 0, 0, 4, 0);
	runtime_apply(test, &ops[9], 2);
	runtime_assert_result(test, 0, 0, 2, 0);
	runtime_assert_applied(test);
}

/* HAProxy has a backend that we don't believe in: what is added to it is not believed either, and
 * nothing leads there until it has been read back. */
static void test_backend_is_there_already(void **state)
{
	struct test *test = *state;
	const char *b = "t_svc_old_80";
	struct plan_op ops[] = {
		BACKEND(ADD, b),
		BACKEND(PUBLISH, b),
		SERVER_AT(ADD, b, "pod-1", "10.1.0.1:8080"),
		SERVER(ENABLE, b, "pod-1"),
		SERVER(ENABLE, b, "s1"),
		ENTRY(ADD, EXACT, "a.test/x", b),
		ENTRY(ADD, HOSTS, "a.test", "a.test"),
	};
	bool can_add = test->caps.can_add_backend;

	applied_remove_backend(test->applied, b);
	CLEANUP(free_ptr) char *before = runtime_dump(test->applied);
	runtime_apply(test, ops, ARRAY_LEN(ops));
	runtime_assert_result(test, can_add ? 4 : 3, 0, can_add ? 1 : 2, 2);
	assert_int_equal(test->first_refused, PLAN_OP_BACKEND_ADD);
	CLEANUP(free_ptr) char *after = runtime_dump(test->applied);
	assert_string_equal(after, before);

	runtime_observe(test);
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_string_equal(seen, "backend t_svc_file_80\n"
				  "  server s1 10.0.0.1:80\n"
				  "  server s2 10.0.0.2:80 maint\n"
				  "  server s3 [fd00::3]:80\n"
				  "  server s4 -:0\n"
				  "backend t_svc_old_80\n"
				  "  server pod-1 10.1.0.1:8080\n"
				  "  server s1 10.0.0.1:80\n");
}

static void test_unwritable_operation_is_refused(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {
		SERVER_AT(ADD, "t_svc_file_80", "bad\nname", "10.1.0.1:80"),
		SERVER(ENABLE, "t_svc_file_80", "bad\nname"),
		SERVER_AT(ADD, "t_svc_old_80", "s9", "10.1.0.1:80"),
		ENTRY(ADD, EXACT, "a.test/\ndisable server t_svc_old_80/s1", "t_svc_old_80"),
		ENTRY(ADD, EXACT, "a.test/ok", "t_svc_old_80"),
	};

	runtime_apply(test, ops, ARRAY_LEN(ops));
	runtime_assert_result(test, 2, 0, 2, 1);
	assert_int_equal(test->result.n_sent, 2);
	assert_int_equal(metrics_get(METRIC_OPERATION_ERRORS, "map-add"), 1);
	assert_non_null(strstr(test->text, "not sent"));
	runtime_assert_applied(test);
}

/* A listener that accepts and says nothing. */
static int listen_somewhere(char *address, size_t size)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
	snprintf(address, size, "127.0.0.1:%u", ntohs(in.sin_port));
	return fd;
}

/* A client whose request has reached the listener and waits for an answer there; returns its
 * socket. */
static int open_request(const struct haproxy *haproxy, int listener, int *ret_accepted)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\n";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/http.sock", haproxy->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	*ret_accepted = accept(listener, NULL, NULL);
	assert_true(*ret_accepted >= 0);
	assert_int_equal(recv(*ret_accepted, &byte, 1, MSG_PEEK), 1);
	return fd;
}

/* HAProxy takes a moment to see that the last request is gone. */
static void retry_until_done(struct test *test, struct plan_op *op)
{
	for (int i = 0; i < 5000; i++) {
		runtime_apply(test, op, 1);
		assert_int_equal(test->result.n_refused, 0);
		if (test->result.n_done == 1) {
			return;
		}
		usleep(1000);
	}
	fail_msg("%s stays busy", plan_ops[op->kind].name);
}

static void test_busy_server_and_backend(void **state)
{
	struct test *test = *state;
	char address[32];
	int listener = listen_somewhere(address, sizeof(address));
	const char *b = test->caps.can_add_backend ? "new_svc_x_80" : "t_svc_file_80";
	struct plan_op ops[] = {
		SERVER_AT(ADD, b, "pod-1", address),
		SERVER(ENABLE, b, "pod-1"),
		ENTRY(ADD, EXACT, "/x", b),
	};
	struct plan_op add[] = {BACKEND(ADD, b), BACKEND(PUBLISH, b)};
	struct plan_op only[] = {
		SERVER(DISABLE, b, "s1"), SERVER(DISABLE, b, "s3"), SERVER(DISABLE, b, "s4")};
	struct plan_op retire[] = {
		ENTRY(DEL, EXACT, "/x", NULL),
		SERVER(DISABLE, b, "pod-1"),
		SERVER(DEL, b, "pod-1"),
		BACKEND(UNPUBLISH, b),
		BACKEND(DEL, b),
	};
	size_t n_retire = test->caps.can_add_backend ? 5 : 3;

	if (test->caps.can_add_backend) {
		runtime_apply(test, add, ARRAY_LEN(add));
	} else {
		runtime_apply(test, only, ARRAY_LEN(only));
	}
	assert_int_equal(test->result.n_refused, 0);
	runtime_apply(test, ops, ARRAY_LEN(ops));
	runtime_assert_result(test, ARRAY_LEN(ops), 0, 0, 0);

	int accepted;
	int client = open_request(test->haproxy, listener, &accepted);
	runtime_apply(test, retire, n_retire);
	runtime_assert_result(test, n_retire == 5 ? 3 : 2, n_retire == 5 ? 2 : 1, 0, 0);
	assert_int_equal(test->result.n_sent, n_retire == 5 ? 4 : 3);
	assert_int_equal(retire[2].result, PLAN_BUSY);
	runtime_assert_applied(test);
	if (n_retire == 5) {
		/* HAProxy itself sees it the same way. */
		runtime_apply(test, &retire[4], 1);
		runtime_assert_result(test, 0, 1, 0, 0);
		assert_int_equal(test->result.n_sent, 1);
	}

	close(client);
	close(accepted);
	retry_until_done(test, &retire[2]);
	if (n_retire == 5) {
		retry_until_done(test, &retire[4]);
	}
	runtime_assert_applied(test);
	close(listener);
}

struct provoked {
	struct plan_op op;
	bool needs_backends;
	enum plan_result result;
	const char *text; /* of the refusal, on both sides of the support */
};

#define IN_FILE "t_svc_file_80"

static const struct provoked provoked[] = {
	{SERVER_AT(ADD, IN_FILE, "s9", "10.0.0.1:80"), false, PLAN_DONE, NULL},
	{SERVER_AT(ADD, IN_FILE, "s9", "10.0.0.1:80"), false, PLAN_REFUSED, "Already exists"},
	{SERVER_AT(ADD, "nope", "s9", "10.0.0.1:80"), false, PLAN_REFUSED, "No such backend."},
	{SERVER_AT(ADDRESS, IN_FILE, "s9", "10.0.0.2:80"), false, PLAN_DONE, NULL},
	{SERVER_AT(ADDRESS, IN_FILE, "s9", "10.0.0.2:81"), false, PLAN_DONE, NULL},
	{SERVER_AT(ADDRESS, IN_FILE, "s9", "10.0.0.2:81"), false, PLAN_DONE, NULL},
	{SERVER_AT(ADDRESS, IN_FILE, "s9", "[fd00::1]:82"), false, PLAN_DONE, NULL},
	{SERVER_AT(ADDRESS, IN_FILE, "nope", "10.0.0.2:81"), false, PLAN_REFUSED,
		"No such server."},
	{SERVER_AT(ADDRESS, "nope", "s9", "10.0.0.2:81"), false, PLAN_REFUSED, "No such backend."},
	{SERVER(ENABLE, IN_FILE, "s9"), false, PLAN_DONE, NULL},
	{SERVER(ENABLE, IN_FILE, "s9"), false, PLAN_DONE, NULL},
	{SERVER(ENABLE, IN_FILE, "nope"), false, PLAN_REFUSED, "No such server."},
	{SERVER(DEL, IN_FILE, "s9"), false, PLAN_REFUSED, "Only servers in maintenance"},
	{SERVER(DISABLE, IN_FILE, "s9"), false, PLAN_DONE, NULL},
	{SERVER(DISABLE, IN_FILE, "s9"), false, PLAN_DONE, NULL},
	{SERVER(DISABLE, IN_FILE, "nope"), false, PLAN_REFUSED, "No such server."},
	{SERVER(DEL, IN_FILE, "s9"), false, PLAN_DONE, NULL},
	{SERVER(DEL, IN_FILE, "s9"), false, PLAN_REFUSED, "No such server."},
	{ENTRY(SET, EXACT, "k", "v"), false, PLAN_REFUSED, "entry not found."},
	{ENTRY(DEL, EXACT, "k", NULL), false, PLAN_REFUSED, "Key not found."},
	{ENTRY(ADD, EXACT, "k", "v"), false, PLAN_DONE, NULL},
	{ENTRY(SET, EXACT, "k", "w"), false, PLAN_DONE, NULL},
	{ENTRY(DEL, EXACT, "k", NULL), false, PLAN_DONE, NULL},
	{BACKEND(ADD, "x_svc_1"), true, PLAN_DONE, NULL},
	{BACKEND(ADD, "x_svc_1"), true, PLAN_REFUSED, "name is already used"},
	{BACKEND(ADD, "front"), true, PLAN_REFUSED, "name is already used"},
	{BACKEND(PUBLISH, "x_svc_1"), true, PLAN_DONE, NULL},
	{BACKEND(PUBLISH, "x_svc_1"), true, PLAN_DONE, NULL},
	{BACKEND(PUBLISH, "nope"), true, PLAN_REFUSED, "No such backend."},
	{BACKEND(DEL, "x_svc_1"), true, PLAN_REFUSED, "must be unpublished"},
	{BACKEND(UNPUBLISH, "x_svc_1"), true, PLAN_DONE, NULL},
	{BACKEND(UNPUBLISH, "nope"), true, PLAN_REFUSED, "No such backend."},
	{SERVER_AT(ADD, "x_svc_1", "s", "10.0.0.1:80"), true, PLAN_DONE, NULL},
	{BACKEND(DEL, "x_svc_1"), true, PLAN_BUSY, NULL},
	{SERVER(DEL, "x_svc_1", "s"), true, PLAN_DONE, NULL},
	{BACKEND(DEL, "x_svc_1"), true, PLAN_DONE, NULL},
	{BACKEND(DEL, "x_svc_1"), true, PLAN_REFUSED, "No such backend."},
};

static void test_answers_are_classified(void **state)
{
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(provoked); i++) {
		const struct plan_op *op = &provoked[i].op;
		struct buf command = BUF_INIT(0);

		assert_true(encode_op(&command, op, test->haproxy->dir));
		runtime_ask(test, buf_str(&command));
		bool is_known = test->caps.can_add_backend || !provoked[i].needs_backends;
		enum plan_result expected = is_known ? provoked[i].result : PLAN_REFUSED;
		if (reply_classify(op->kind, NULL, test->text) != expected) {
			print_error("%s -> %s\n", buf_str(&command), test->text);
		}
		assert_int_equal(reply_classify(op->kind, NULL, test->text), expected);
		if (is_known && provoked[i].text != NULL) {
			assert_non_null(strstr(test->text, provoked[i].text));
		}
		buf_fini(&command);
	}
}

static bool is_stopped(const char *stat_path)
{
	char text[512] = "";
	FILE *file = fopen(stat_path, "re");

	if (file != NULL) {
		(void)!fread(text, 1, sizeof(text) - 1, file);
		fclose(file);
	}
	const char *name_end = strrchr(text, ')');
	return name_end == NULL || strncmp(name_end, ") T", 3) == 0;
}

/* Stands still when this returns: a signal takes a moment to reach every thread. */
static void stop_worker(const struct test *test)
{
	CLEANUP(free_ptr) char *pattern = xasprintf("/proc/%ld/task/*/stat", test->pid);
	size_t n_running = 1;

	assert_int_equal(kill((pid_t)test->pid, SIGSTOP), 0);
	while (n_running > 0) {
		glob_t threads;

		n_running = 0;
		assert_int_equal(glob(pattern, GLOB_NOSORT, NULL, &threads), 0);
		for (size_t i = 0; i < threads.gl_pathc; i++) {
			n_running += !is_stopped(threads.gl_pathv[i]);
		}
		globfree(&threads);
		usleep(1000);
	}
}

static void test_killed_in_the_middle(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {
		SERVER_AT(ADD, "t_svc_old_80", "s8", "10.1.0.1:80"),
		SERVER_AT(ADD, "t_svc_old_80", "s9", "10.1.0.1:80"),
		SERVER(ENABLE, "t_svc_old_80", "s9"),
		ENTRY(ADD, EXACT, "a.test/ok", "t_svc_old_80"),
	};
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
	const struct apply_target target = {test->cli, test->haproxy->dir, test->applied};

	/* A worker that stands still has the commands, and never answers. */
	stop_worker(test);
	assert_non_null(apply_start(&target, &plan, runtime_on_applied, test));
	event_base_loop(test->base, EVLOOP_ONCE);
	assert_int_equal(kill((pid_t)test->pid, SIGKILL), 0);
	runtime_wait(test);
	assert_true(test->result.is_lost);
	assert_int_equal(test->result.n_done, 0);
	assert_int_equal(test->result.n_refused, 0);
	assert_int_equal(ops[0].result, PLAN_LOST);
	assert_int_equal(ops[1].result, PLAN_LOST);
	assert_int_equal(ops[2].result, PLAN_PENDING); /* waits for the address */
	assert_int_equal(ops[3].result, PLAN_PENDING);
	assert_int_equal(test->n_lost, 1);
	assert_false(cli_is_connected(test->cli));

	/* A plan for a connection that is gone is lost as a whole, and nothing else happens. */
	runtime_apply(test, ops, ARRAY_LEN(ops));
	assert_true(test->result.is_lost);
	assert_int_equal(test->result.n_sent, 0);
}

/* What HAProxy comes to after we have given it up is there before the next connection is heard. */
static void test_slow_to_answer(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {
		SERVER_AT(ADD, "t_svc_old_80", "s8", "10.1.0.1:80"),
		SERVER_AT(ADD, "t_svc_old_80", "s9", "10.1.0.2:80"),
	};
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
	const struct apply_target target = {test->cli, test->haproxy->dir, test->applied};
	struct err err = {0};

	stop_worker(test);
	assert_non_null(apply_start(&target, &plan, runtime_on_applied, test));
	runtime_wait(test);
	assert_true(test->result.is_lost);
	assert_int_equal(test->n_lost, 1);
	assert_true(cli_connect(test->cli, test->haproxy->socket, &err));
	assert_int_equal(kill((pid_t)test->pid, SIGCONT), 0);
	runtime_observe(test);
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_non_null(strstr(seen, "  server s8 10.1.0.1:80 maint\n"
				     "  server s9 10.1.0.2:80 maint\n"));
}

static void test_lost_while_observing(void **state)
{
	struct test *test = *state;

	stop_worker(test);
	assert_non_null(
		observe_start(test->cli, test->haproxy->dir, false, runtime_on_observed, test));
	event_base_loop(test->base, EVLOOP_ONCE);
	assert_int_equal(kill((pid_t)test->pid, SIGKILL), 0);
	runtime_wait(test);
	assert_int_equal(test->err.kind, ERR_RETRY);
	assert_int_equal(test->n_lost, 1);
}

static void test_cancel(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {ENTRY(ADD, EXACT, "a.test/ok", "t_svc_old_80")};
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
	const struct apply_target target = {test->cli, test->haproxy->dir, test->applied};
	struct apply *apply = apply_start(&target, &plan, runtime_on_applied, test);

	/* Before anything was sent, and with the command on its way. */
	apply_cancel(apply);
	apply = apply_start(&target, &plan, runtime_on_applied, test);
	event_base_loop(test->base, EVLOOP_ONCE);
	apply_cancel(apply);
	struct observe *observe =
		observe_start(test->cli, test->haproxy->dir, false, runtime_on_observed, test);
	observe_cancel(observe);
	observe_cancel(NULL);
	apply_cancel(NULL);
	runtime_observe(test);
	assert_false(test->is_done);
	assert_string_equal(
		applied_find_entry(test->applied, MODEL_MAP_EXACT, "a.test/ok"), "t_svc_old_80");
}

/* More than the window holds: everything arrives, in order, and nothing waits for ever. */
static void test_many_operations(void **state)
{
	enum { N = 20000 };
	struct test *test = *state;
	struct plan_op *ops = xcalloc(N, sizeof(*ops));

	for (int i = 0; i < N; i++) {
		ops[i] = (struct plan_op)ENTRY(ADD, EXACT,
			xasprintf("host-%05d.a-rather-long-domain.test/with/a/long/path/%d", i, i),
			"t_svc_old_80");
	}
	runtime_apply(test, ops, N);
	runtime_assert_result(test, N, 0, 0, 0);
	runtime_assert_applied(test);
	assert_int_equal(test->applied->entries[MODEL_MAP_EXACT].n_items, N);
	for (int i = 0; i < N; i++) {
		free((char *)(uintptr_t)ops[i].key);
	}
	free(ops);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNTIME_TEST(test_observe_what_the_file_has),
		RUNTIME_TEST(test_observe_a_wrong_folder),
		RUNTIME_TEST(test_servers_and_entries),
		RUNTIME_TEST(test_backends),
		RUNTIME_TEST(test_cut_answer),
		RUNTIME_TEST(test_refused_server_keeps_the_old_backend),
		RUNTIME_TEST(test_what_builds_on_a_refusal),
		RUNTIME_TEST(test_backend_is_there_already),
		RUNTIME_TEST(test_unwritable_operation_is_refused),
		RUNTIME_TEST(test_busy_server_and_backend),
		RUNTIME_TEST(test_answers_are_classified),
		RUNTIME_TEST(test_killed_in_the_middle),
		RUNTIME_TEST(test_slow_to_answer),
		RUNTIME_TEST(test_lost_while_observing),
		RUNTIME_TEST(test_cancel),
		RUNTIME_TEST(test_many_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
