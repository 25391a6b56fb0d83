/*
 * Users and passwords with a real HAProxy: what haproxy-cfg and lua/users.lua do with a record that
 * names users, with the endpoint of the controller in a process of its own, without it, and with
 * other users than before. The server sends back what came to it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "auth/endpoint.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "cert/cert_testing.h"
#include "plan/applied.h"
#include "test/running.h"
#include "test/web.h"

#define BACKEND	 "t_svc_echo_80"
#define SOURCE	 ",\"src-ip-header\":\"X-Client\"}"
#define USERS(n) "{\"auth-secret\":\"1:2:3:4:5:" n "\",\"auth-realm\":\"Our place\"" SOURCE

static const struct {
	const char *host;
	const char *record;
} routes[] = {
	{"a.test", "IB|" USERS("1")}, /* the endpoint knows them by this name */
	{"b.test", "IB|" USERS("2")}, /* and not by this one */
	{"secure.test", "ISB|" USERS("1")},
	{"other.test", "IB|" USERS("3")}, /* the endpoint knows nothing of its policy */
	{"bad.test", "IB|{}"},
};

struct row {
	const char *host;
	const char *credentials; /* NULL = none */
	const char *from;
	const char *status;
	const char *has; /* in the answer; NULL = any */
	int n_before;
};

static const struct row rows[] = {
	{"a.test", NULL, "192.0.2.1", "401",
		"www-authenticate: Basic realm=\"Our place\", charset=\"UTF-8\"\r\n", 3},
	{"a.test", "joe:secret", "192.0.2.1", "200", "authorization: Basic am9lOnNlY3JldA==\r\n",
		0},
	{"a.test", "joe:secret", "192.0.2.1", "200", NULL, 2},
	{"a.test", "j\xc3\xb6:a:b", "192.0.2.1", "200", NULL, 0},
	{"a.test", "joe:wrong", "192.0.2.1", "401", "www-authenticate: Basic realm", 0},
	{"a.test", "nobody:secret", "192.0.2.1", "401", NULL, 0},
	{"a.test", "", "192.0.2.1", "401", NULL, 0},
	{"a.test", ":", "192.0.2.1", "401", NULL, 0},
	/* Right for other users than HAProxy knows: not remembered, and right again. */
	{"b.test", "joe:secret", "192.0.2.1", "200", NULL, 1},
	/* Whoever was wrong too often is not asked, but for what is remembered. */
	{"a.test", "joe:wrong", "192.0.2.2", "429", "retry-after: 60\r\n", 11},
	{"a.test", "ann:", "192.0.2.2", "429", NULL, 0},
	{"a.test", "joe:secret", "192.0.2.2", "200", NULL, 0},
	{"a.test", NULL, "192.0.2.2", "401", NULL, 0},
	{"b.test", "ann:", "192.0.2.2", "200", NULL, 0},
	{"a.test", "ann:", "192.0.2.3", "200", NULL, 0},
	{"a.test", "joe:wrong", "2001:db8::1", "429", NULL, 11},
	{"a.test", "joe:other", "2001:db8::2", "429", NULL, 0},
	{"a.test", "joe:other", "2001:db8:0:1::2", "401", NULL, 0},
	/* First to HTTPS. */
	{"secure.test", NULL, "192.0.2.1", "308", NULL, 0},
	{"secure.test", "joe:wrong", "192.0.2.1", "308", NULL, 0},
	/* Not known: nobody comes in. */
	{"other.test", "joe:secret", "192.0.2.1", "503", "retry-after: 5\r\n", 0},
	{"other.test", NULL, "192.0.2.1", "401", NULL, 0},
	{"bad.test", "joe:secret", "192.0.2.1", "503", NULL, 0},
};

/* The endpoint has gone. */
static const struct row rows_without[] = {
	{"a.test", "joe:secret", "192.0.2.4", "200", NULL, 0},
	{"a.test", "joe:wrong", "192.0.2.4", "503", NULL, 0},
	{"a.test", "bob:unseen", "192.0.2.4", "503", NULL, 0},
	{"b.test", "joe:secret", "192.0.2.4", "503", NULL, 0},
	{"a.test", NULL, "192.0.2.4", "401", NULL, 0},
};

struct fixture {
	struct running running;
	struct applied *applied;
	pid_t origin;
	pid_t endpoint;
};

static struct fixture *fixture;

/* ---- the endpoint ---- */

static bool find_users(void *ctx, const char *policy, struct endpoint_users *ret_users)
{
	(void)ctx;
	/* {SHA} of secret, "" and a:b. */
	*ret_users = (struct endpoint_users){"ann:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\n"
					     "joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
					     "j\xc3\xb6:{SHA}3OptnM09ILoVSfbZtd3mB0IViII=\n",
		"v1", "1:2:3:4:5:1"};
	return strcmp(policy, "t/other.test") != 0;
}

static pid_t start_endpoint(const char *path)
{
	struct err err = {0};
	pid_t pid = fork();

	if (pid != 0) {
		while (access(path, F_OK) != 0) {
			usleep(1000);
		}
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct event_base *base = event_base_new();
	if (endpoint_open(base, path, find_users, NULL, &err) != NULL) {
		event_base_dispatch(base);
	}
	_exit(1);
}

/* ---- requests ---- */

static char *ask_raw(const char *host, const char *headers)
{
	struct buf request = BUF_INIT(0);

	buf_printf(&request, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", host,
		headers);
	char *answer = web_exchange(fixture->running.http_socket, &request);
	buf_fini(&request);
	return answer;
}

static char *ask(const struct row *row)
{
	CLEANUP(free_ptr) char *encoded = testing_base64(row->credentials ? row->credentials : "");
	CLEANUP(free_ptr)
	char *headers = xasprintf("X-Client: %s\r\n%s%s%s", row->from,
		row->credentials ? "Authorization: Basic " : "", encoded,
		row->credentials ? "\r\n" : "");

	return ask_raw(row->host, headers);
}

static bool has_status(const char *answer, const char *status)
{
	return strncmp(answer, "HTTP/1.", 7) == 0 && strncmp(answer + 9, status, 3) == 0;
}

static void check(const struct row *row)
{
	CLEANUP(free_ptr) char *answer = ask(row);

	for (int i = 0; i < row->n_before; i++) {
		free(answer);
		answer = ask(row);
	}
	if (!has_status(answer, row->status) ||
		(row->has != NULL && strcasestr(answer, row->has) == NULL)) {
		fail_msg("%s %s from %s: not %s, %s:\n%s", row->host,
			row->credentials ? row->credentials : "nobody", row->from, row->status,
			row->has ? row->has : "", answer);
	}
}

static void test_rows(void **test)
{
	(void)test;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check(&rows[i]);
	}
}

/* Headers that no browser sends. */
static void test_hostile(void **test)
{
	char big[8000];
	static const struct {
		const char *headers;
		const char *status;
	} hostile[] = {
		{"Authorization: Basic am9lOnNlY3JldA==\r\nAuthorization: Basic YTpi\r\n", "401"},
		{"Authorization: basic   am9lOnNlY3JldA==\r\n", "200"},
		{"Authorization: Bearer am9lOnNlY3JldA==\r\n", "401"},
		{"Authorization: Basic\r\n", "401"},
		{"Authorization: Basic %00\r\n", "401"},
		{"Authorization: Basic am9lOnNlY3JldA==, Basic YTpi\r\n", "401"},
		{"Authorization: Basic YTpi\r\nX-Policy: t/other\r\nX-Users: 1\r\n", "401"},
	};

	(void)test;
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		CLEANUP(free_ptr) char *answer = ask_raw("a.test", hostile[i].headers);
		if (!has_status(answer, hostile[i].status)) {
			fail_msg("%s: not %s:\n%s", hostile[i].headers, hostile[i].status, answer);
		}
	}
	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	CLEANUP(free_ptr) char *headers = xasprintf("Authorization: Basic %s\r\n", big);
	CLEANUP(free_ptr) char *answer = ask_raw("a.test", headers);
	assert_true(has_status(answer, "401"));
}

static void test_without(void **test)
{
	(void)test;
	kill(fixture->endpoint, SIGKILL);
	waitpid(fixture->endpoint, NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows_without); i++) {
		check(&rows_without[i]);
	}
}

static int set_up(void **test)
{
	static const char *const names[] = {WEB_ECHO};
	char *address = NULL;
	struct err err = {0};

	(void)test;
	fixture = xcalloc(1, sizeof(*fixture));
	running_init(&fixture->running);
	fixture->applied = applied_new();
	fixture->origin = web_start(names, 1, &address);
	applied_set_server(fixture->applied, applied_add_backend(fixture->applied, BACKEND),
		"pod-1", address, APPLIED_READY);
	free(address);
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		CLEANUP(free_ptr) char *key = xasprintf("%s/", routes[i].host);
		CLEANUP(free_ptr) char *policy = xasprintf("t/%s", routes[i].host);
		CLEANUP(free_ptr) char *value = xasprintf("%s|%s", BACKEND, policy);
		applied_set_entry(
			fixture->applied, MODEL_MAP_HOSTS, routes[i].host, routes[i].host);
		applied_set_entry(fixture->applied, MODEL_MAP_PREFIX, key, value);
		applied_set_entry(fixture->applied, MODEL_MAP_POLICY, policy, routes[i].record);
	}
	if (!state_save(fixture->running.state, fixture->applied, &err)) {
		fail_msg("%s", err.text);
	}
	running_start(&fixture->running, true);
	running_wait(&fixture->running, PROCESS_UP, 1);
	CLEANUP(free_ptr)
	char *path = xasprintf("%s/" ENDPOINT_SOCKET, fixture->running.run_dir);
	fixture->endpoint = start_endpoint(path);
	return 0;
}

static int tear_down(void **test)
{
	(void)test;
	kill(fixture->origin, SIGKILL);
	running_fini(&fixture->running);
	applied_free(fixture->applied);
	free(fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests_name("users", tests, set_up, tear_down);
}
