/*
 * Variants with a real HAProxy: each profile is there; servers that are added at run time are
 * chosen as the words of their backend say; cookies; checks.
 *
 * Routes and backends are written by haproxy/state, as in production, so that HAProxy has the
 * backends on all versions; servers are added as a plan adds them.
 */
#include "running.h"
#include "runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/cli.h"
#include "model/variant.h"
#include "test/web.h"

#define PLAIN	"t_svc_web_80"
#define N_PODS	4
#define NOWHERE "127.0.0.1:1"

static const char *const pods[N_PODS + 1] = {"pod-0", "pod-1", "pod-2", "pod-3", WEB_ECHO};

static const char *const balances[] = {"", ":leastconn", ":first", ":random", ":by-uri"};
static const char *const cookies[] = {"", ":cookie-S"};
static const char *const checks[] = {"", ":check", ":get-_", ":head-_", ":options-_"};

/* Host of a request -> words of the backend that it reaches. */
static const struct route {
	const char *host;
	const char *words;
} routes[] = {
	{"plain.test", ""},
	{"leastconn.test", ":leastconn"},
	{"first.test", ":first"},
	{"random.test", ":random"},
	{"source.test", ":by-source"},
	{"uri.test", ":by-uri"},
	{"whole.test", ":by-uri-whole"},
	{"depth.test", ":by-uri-depth-2"},
	{"param.test", ":by-param-user.2eid"},
	{"header.test", ":by-header-x-User"},
	{"cookie.test", ":cookie-MY_.24app"},
	{"echo.test", ":leastconn:cookie-MY_.24app:maxconn-5"},
	{"check.test", ":get-_ext_healthz:inter-100"},
};

struct fixture {
	struct running running;
	struct test test;
	struct applied *routes;
	pid_t origin;
	char *addresses[N_PODS + 1];
};

/* ---- HAProxy ---- */

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("connection lost: %s", text);
}

/* As plan/plan.c does it. */
static void add_server(
	struct fixture *f, const char *backend, const char *server, const char *address)
{
	struct variant variant;
	struct plan_op ops[4];
	size_t n = 0;

	assert_true(variant_parse(backend, &variant));
	if (variant.parts[VARIANT_COOKIE] && f->test.caps.has_late_cookies) {
		ops[n++] = (struct plan_op)SERVER_AT(ADD, backend, server, "192.0.2.1:9");
		ops[n++] = (struct plan_op)SERVER_AT(ADDRESS, backend, server, address);
	} else {
		ops[n++] = (struct plan_op)SERVER_AT(ADD, backend, server, address);
	}
	if (variant.parts[VARIANT_CHECK] != VARIANT_UNCHECKED) {
		ops[n++] = (struct plan_op)SERVER(CHECK, backend, server);
	}
	ops[n++] = (struct plan_op)SERVER(ENABLE, backend, server);
	runtime_apply_all(&f->test, ops, n);
}

/* Every profile there is, and one backend for each route. */
static void write_state(struct fixture *f)
{
	struct err err = {0};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(balances); i++) {
		for (size_t j = 0; j < (i >= VARIANT_SOURCE ? 1 : ARRAY_LEN(cookies)); j++) {
			for (size_t k = 0; k < ARRAY_LEN(checks); k++) {
				CLEANUP(free_ptr)
				char *name = xasprintf("t_svc_s%zu_80%s%s%s", n++, balances[i],
					cookies[j], checks[k]);
				applied_set_server(f->routes, applied_add_backend(f->routes, name),
					"pod-0", f->addresses[0], APPLIED_READY);
			}
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		CLEANUP(free_ptr) char *name = xasprintf(PLAIN "%s", routes[i].words);
		CLEANUP(free_ptr) char *key = xasprintf("%s/", routes[i].host);

		applied_add_backend(f->routes, name);
		applied_set_entry(f->routes, MODEL_MAP_HOSTS, routes[i].host, routes[i].host);
		applied_set_entry(f->routes, MODEL_MAP_PREFIX, key, name);
	}
	if (!state_save(f->running.state, f->routes, &err)) {
		fail_msg("%s", err.text);
	}
}

static void add_servers(struct fixture *f)
{
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		CLEANUP(free_ptr) char *name = xasprintf(PLAIN "%s", routes[i].words);

		if (strcmp(routes[i].host, "echo.test") == 0) {
			add_server(f, name, WEB_ECHO, f->addresses[N_PODS]);
			continue;
		}
		for (size_t j = 0; j < N_PODS; j++) {
			add_server(f, name, pods[j], f->addresses[j]);
		}
	}
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	f->origin = web_start(pods, ARRAY_LEN(pods), f->addresses);
	f->routes = applied_new();
	write_state(f);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	f->test.base = f->running.base;
	f->test.map_dir = state_map_dir(f->running.state);
	f->test.cli = cli_new(f->running.base, on_lost, &f->test);
	runtime_connect(&f->test, f->running.runtime_socket);
	add_servers(f);
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

/* ---- requests ---- */

/* The whole answer. The caller frees it. */
static char *exchange(
	const struct fixture *f, const char *host, const char *target, const char *headers)
{
	struct buf request = BUF_INIT(1 << 16);

	buf_printf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", target,
		host, headers);
	char *answer = web_exchange(f->running.http_socket, &request);
	buf_fini(&request);
	return answer;
}

/* The number of the pod that answers. */
static size_t ask(
	const struct fixture *f, const char *host, const char *target, const char *headers)
{
	CLEANUP(free_ptr) char *answer = exchange(f, host, target, headers);
	CLEANUP(free_ptr) char *body = web_judge(answer);

	for (size_t i = 0; i < N_PODS; i++) {
		if (strcmp(body, pods[i]) == 0) {
			return i;
		}
	}
	fail_msg("%s%s: %s", host, target, body);
	return N_PODS;
}

/* How many pods answer `n` requests; "%zu" in target and headers is the number of the request. */
static size_t count_pods(const struct fixture *f, const char *host, const char *target_before,
	const char *header_before, size_t n)
{
	bool is_used[N_PODS] = {false};
	size_t n_used = 0;

	for (size_t i = 0; i < n; i++) {
		CLEANUP(free_ptr) char *target = xasprintf("%s%zu", target_before, i);
		CLEANUP(free_ptr)
		char *header = header_before ? xasprintf("%s%zu\r\n", header_before, i) : NULL;
		size_t pod = ask(f, host, target, header ? header : "");
		n_used += !is_used[pod];
		is_used[pod] = true;
	}
	return n_used;
}

static void test_profiles_at_run_time(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; f->test.caps.can_add_backend && i < ARRAY_LEN(routes); i++) {
		CLEANUP(free_ptr) char *name = xasprintf("t_svc_new_80%s", routes[i].words);
		struct plan_op ops[] = {BACKEND(ADD, name), BACKEND(PUBLISH, name)};
		struct plan_op end[] = {BACKEND(UNPUBLISH, name), BACKEND(DEL, name)};

		runtime_apply_all(&f->test, ops, ARRAY_LEN(ops));
		runtime_apply_all(&f->test, end, ARRAY_LEN(end));
	}
}

static void test_balance(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(count_pods(f, "plain.test", "/", NULL, 2 * N_PODS), N_PODS);
	assert_true(count_pods(f, "leastconn.test", "/", NULL, 60) > 1);
	assert_int_equal(count_pods(f, "first.test", "/", NULL, 8), 1);
	/* Of 60 requests, all to one of four: one in 4 to the power of 59. */
	assert_true(count_pods(f, "random.test", "/", NULL, 60) > 1);
	/* On a Unix socket clients have no address. */
	assert_int_equal(count_pods(f, "source.test", "/", NULL, 2 * N_PODS), N_PODS);
}

/* The same key, the same pod; other keys, others; no key, in turns. */
static void test_hash(void **state)
{
	static const struct {
		const char *host;
		const char *target;
		const char *header;
		size_t min, max; /* pods of 40 requests */
	} rows[] = {
		{"uri.test", "/a?x=", NULL, 1, 1},
		{"uri.test", "/a/", NULL, 2, N_PODS},
		{"whole.test", "/a?x=", NULL, 2, N_PODS},
		{"depth.test", "/a/b/", NULL, 1, 1},
		{"depth.test", "/a/b?x=", NULL, 1, 1},
		{"depth.test", "/a/", NULL, 2, N_PODS},
		{"param.test", "/?user.id=7&x=", NULL, 1, 1},
		{"param.test", "/?x&user.id=7&a.user.id=", NULL, 1, 1},
		{"param.test", "/?x&user.id=", NULL, 2, N_PODS},
		{"param.test", "/?userxid=7&x=", NULL, N_PODS, N_PODS},
		{"param.test", "/?user.id=&x=", NULL, N_PODS, N_PODS},
		{"param.test", "/", NULL, N_PODS, N_PODS},
		{"header.test", "/", "X-User: joe\r\nX: ", 1, 1},
		{"header.test", "/", "X-USER: joe\r\nY-X-User: ", 1, 1},
		{"header.test", "/", "x-user: ", 2, N_PODS},
		{"header.test", "/", "A-X-User: ", N_PODS, N_PODS},
		{"header.test", "/", "A: x-user: ", N_PODS, N_PODS},
		{"header.test", "/", NULL, N_PODS, N_PODS},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = count_pods(f, rows[i].host, rows[i].target, rows[i].header, 40);
		if (n < rows[i].min || n > rows[i].max) {
			fail_msg("row %zu (%s%s): %zu pods", i, rows[i].host, rows[i].target, n);
		}
	}
}

/* ---- cookies ---- */

/* "Cookie: NAME=VALUE\r\n" out of the answer; NULL = it sets none. The caller frees it. */
static char *take_cookie(const char *answer)
{
	static const char header[] = "set-cookie: ";
	const char *found = strcasestr(answer, header);

	if (found == NULL) {
		return NULL;
	}
	found += strlen(header);
	return xasprintf("Cookie: x=1; %.*s\r\n", (int)strcspn(found, ";\r\n"), found);
}

static void test_cookie(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2 * N_PODS; i++) {
		CLEANUP(free_ptr) char *first = exchange(f, "cookie.test", "/", "");
		CLEANUP(free_ptr) char *cookie = take_cookie(first);
		CLEANUP(free_ptr) char *name = web_judge(first);

		assert_non_null(cookie);
		assert_non_null(strstr(cookie, "; MY_$app="));
		for (int j = 0; j < 3; j++) {
			CLEANUP(free_ptr) char *again = exchange(f, "cookie.test", "/", cookie);
			CLEANUP(free_ptr) char *name_again = web_judge(again);

			assert_string_equal(name_again, name);
			assert_null(strcasestr(again, "set-cookie:"));
		}
	}
	assert_int_equal(count_pods(f, "cookie.test", "/", NULL, 2 * N_PODS), N_PODS);
}

/* The pod sees its own cookies and not the one that keeps the client. */
static void test_cookie_is_not_passed_on(void **state)
{
	static const struct {
		const char *before;
		const char *after;
		const char *seen; /* by the pod, or NULL */
		bool is_known;
	} rows[] = {
		{"", "", NULL, true},
		{"a=1; ", "; b=2", "a=1; b=2", true},
		{"a=x|y; ", "", "a=x|y", true},
		{"a=1;", ";b=2", "a=1; b=2", true},
		{"x", "", "xMY_$app=", false},
		{"a=1; x", "; b=2", "a=1; xMY_$app=", false},
	};
	struct fixture *f = *state;
	CLEANUP(free_ptr) char *first = exchange(f, "echo.test", "/", "");
	CLEANUP(free_ptr) char *cookie = take_cookie(first);
	assert_non_null(cookie);
	const char *pair = strstr(cookie, "MY_$app=");
	int len = (int)strcspn(pair, "\r");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr)
		char *header =
			xasprintf("Cookie: %s%.*s%s\r\n", rows[i].before, len, pair, rows[i].after);
		CLEANUP(free_ptr) char *answer = exchange(f, "echo.test", "/", header);
		const char *body = strstr(answer, "\r\n\r\n");
		const char *seen = strcasestr(body, "\r\ncookie: ");

		if ((seen != NULL) != (rows[i].seen != NULL) ||
			(seen && strncmp(seen + strlen("\r\ncookie: "), rows[i].seen,
					 strlen(rows[i].seen)) != 0)) {
			fail_msg("row %zu: %s", i, body);
		}
		CLEANUP(free_ptr) char *again = take_cookie(answer);
		assert_int_equal(again == NULL, rows[i].is_known);
	}
}

/* Clients stay where they are while pods come, and when theirs drains; new ones go elsewhere. */
static void test_cookie_through_changes(void **state)
{
	struct fixture *f = *state;
	const char *backend = PLAIN ":cookie-MY_.24app";
	char *sent[N_PODS] = {NULL};
	struct plan_op drain[] = {SERVER(DRAIN, backend, "pod-1")};
	struct plan_op back[] = {SERVER(ENABLE, backend, "pod-1")};

	for (size_t n = 0; n < N_PODS;) {
		CLEANUP(free_ptr) char *answer = exchange(f, "cookie.test", "/", "");
		CLEANUP(free_ptr) char *name = web_judge(answer);
		char **cookie = &sent[name[strlen(name) - 1] - '0'];

		n += *cookie == NULL;
		free(*cookie);
		*cookie = take_cookie(answer);
	}
	add_server(f, backend, "pod-9", NOWHERE);
	runtime_apply_all(&f->test, drain, ARRAY_LEN(drain));
	for (size_t i = 0; i < N_PODS; i++) {
		assert_int_equal(ask(f, "cookie.test", "/", sent[i]), i);
	}
	for (int i = 0; i < 3 * N_PODS; i++) {
		assert_int_not_equal(ask(f, "cookie.test", "/", ""), 1);
	}
	struct plan_op gone[] = {SERVER(DISABLE, backend, "pod-9"), SERVER(DEL, backend, "pod-9")};
	runtime_apply_all(&f->test, back, ARRAY_LEN(back));
	runtime_apply_all(&f->test, gone, ARRAY_LEN(gone));
	for (size_t i = 0; i < N_PODS; i++) {
		assert_int_equal(ask(f, "cookie.test", "/", sent[i]), i);
		free(sent[i]);
	}
}

/* ---- checks ---- */

/* Does HAProxy say of the server that it is up? Asked until it says so, or until the test is
 * ended. */
static void wait_for_state(struct fixture *f, const char *backend, const char *server, bool is_up)
{
	CLEANUP(free_ptr) char *command = xasprintf("show servers state %s", backend);
	CLEANUP(free_ptr) char *mark = xasprintf(" %s ", server);

	for (;;) {
		const char *line = strstr(runtime_ask(&f->test, command), mark);
		unsigned state = 99;

		assert_non_null(line);
		/* Behind the name: address, state. */
		assert_int_equal(sscanf(line + strlen(mark), "%*s %u", &state), 1);
		if ((state != 0) == is_up) {
			return;
		}
	}
}

static void test_check(void **state)
{
	struct fixture *f = *state;
	const char *backend = PLAIN ":get-_ext_healthz:inter-100";

	add_server(f, backend, "pod-9", NOWHERE);
	wait_for_state(f, backend, "pod-9", false);
	assert_int_equal(count_pods(f, "check.test", "/", NULL, 2 * N_PODS), N_PODS);
	struct plan_op ops[] = {SERVER_AT(ADDRESS, backend, "pod-9", f->addresses[0])};
	runtime_apply_all(&f->test, ops, ARRAY_LEN(ops));
	wait_for_state(f, backend, "pod-9", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles_at_run_time),
		cmocka_unit_test(test_balance),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_cookie),
		cmocka_unit_test(test_cookie_is_not_passed_on),
		cmocka_unit_test(test_cookie_through_changes),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("variants", tests, set_up, tear_down);
}
