/*
 * The request pipeline of haproxy-cfg with a real HAProxy: which backend a request reaches,
 * whatever its host and path look like.
 *
 * Routes are written by haproxy/state as in production; each backend has one server, which answers
 * with the backend's name.
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
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "plan/applied.h"
#include "test/running.h"
#include "test/web.h"

struct route {
	enum model_map map;
	const char *key;
	const char *value;
};

/* Rules with hosts. */
static const struct route routes[] = {
	{MODEL_MAP_HOSTS, "a.test", "a.test"},
	{MODEL_MAP_HOSTS, "b.test", "b.test"},
	{MODEL_MAP_HOSTS, "localhost", "localhost"},
	{MODEL_MAP_HOSTS, "*.wild.test", "*.wild.test"},
	{MODEL_MAP_HOSTS, "shop.wild.test", "shop.wild.test"},
	{MODEL_MAP_PREFIX, "a.test/", "t_svc_root_80"},
	{MODEL_MAP_PREFIX, "a.test/api/", "t_svc_api_80"},
	{MODEL_MAP_PREFIX, "a.test/api/v1/", "t_svc_v1_80"},
	{MODEL_MAP_PREFIX, "a.test/both/", "t_svc_prefix_80"},
	{MODEL_MAP_EXACT, "a.test/both", "t_svc_exact_80"},
	{MODEL_MAP_EXACT, "a.test/exact", "t_svc_exact_80"},
	{MODEL_MAP_EXACT, "a.test/slash/", "t_svc_exact_80"},
	{MODEL_MAP_PREFIX, "a.test/gone/", MODEL_BACKEND_UNAVAILABLE},
	{MODEL_MAP_PREFIX, "a.test/idle/", "t_svc_idle_80"},
	{MODEL_MAP_PREFIX, "a.test/a%2fb/", "t_svc_v1_80"},
	{MODEL_MAP_PREFIX, "b.test/only/", "t_svc_only_80"},
	{MODEL_MAP_EXACT, "b.test/", "t_svc_exact_80"},
	{MODEL_MAP_PREFIX, "localhost/", "t_svc_local_80"},
	{MODEL_MAP_PREFIX, "*.wild.test/", "t_svc_wild_80"},
	{MODEL_MAP_PREFIX, "*.wild.test/w/", "t_svc_w_80"},
	{MODEL_MAP_EXACT, "*.wild.test/exact", "t_svc_exact_80"},
	{MODEL_MAP_PREFIX, "shop.wild.test/cart/", "t_svc_cart_80"},
};

/* Rules without a host, and the default. */
static const struct route open_routes[] = {
	{MODEL_MAP_HOSTS, "*", "*"},
	{MODEL_MAP_PREFIX, "*/any/", "t_svc_any_80"},
	{MODEL_MAP_EXACT, "*/one", "t_svc_one_80"},
	{MODEL_MAP_DEFAULTS, "*", "t_svc_default_80"},
};

static const char *const backends[] = {"t_svc_root_80", "t_svc_api_80", "t_svc_v1_80",
	"t_svc_prefix_80", "t_svc_exact_80", "t_svc_only_80", "t_svc_local_80", "t_svc_wild_80",
	"t_svc_w_80", "t_svc_cart_80", "t_svc_any_80", "t_svc_one_80", "t_svc_default_80"};

/* Newer versions refuse some hosts themselves. */
#define REFUSED "400 or 404"

struct request {
	const char *host; /* NULL = no Host header */
	const char *target;
	const char *expected; /* backend that answers, or status; REFUSED: 400 or 404 */
};

/* Asked with and without the open routes: what has a virtual host doesn't care, unless it has no
 * path there. */
static const struct request known[] = {
	{"a.test", "/", "t_svc_root_80"},
	{"a.test", "/x", "t_svc_root_80"},
	{"a.test", "/api", "t_svc_api_80"},
	{"a.test", "/api/", "t_svc_api_80"},
	{"a.test", "/api/x/y", "t_svc_api_80"},
	{"a.test", "/api/v1", "t_svc_v1_80"},
	{"a.test", "/api/v1/", "t_svc_v1_80"},
	{"a.test", "/api/v1/z", "t_svc_v1_80"},
	/* Elements, not characters. */
	{"a.test", "/apix", "t_svc_root_80"},
	{"a.test", "/api/v10", "t_svc_api_80"},
	{"a.test", "/API", "t_svc_root_80"},
	/* Exact before prefix, and only exactly. */
	{"a.test", "/both", "t_svc_exact_80"},
	{"a.test", "/both/", "t_svc_prefix_80"},
	{"a.test", "/exact", "t_svc_exact_80"},
	{"a.test", "/exact/", "t_svc_root_80"},
	{"a.test", "/exactly", "t_svc_root_80"},
	{"a.test", "/slash/", "t_svc_exact_80"},
	{"a.test", "/slash", "t_svc_root_80"},
	{"b.test", "/", "t_svc_exact_80"},
	{"b.test", "/only", "t_svc_only_80"},
	/* The query is not part of the path. */
	{"a.test", "/exact?x=/api", "t_svc_exact_80"},
	{"a.test", "/api?x", "t_svc_api_80"},
	{"a.test", "/?/api/v1", "t_svc_root_80"},
	/* The path is taken as it is written. */
	{"a.test", "//", "t_svc_root_80"},
	{"a.test", "//api", "t_svc_root_80"},
	{"a.test", "/api//v1", "t_svc_api_80"},
	{"a.test", "/api/../exact", "t_svc_api_80"},
	{"a.test", "/api/./v1", "t_svc_api_80"},
	{"a.test", "/api%2fv1", "t_svc_root_80"},
	{"a.test", "/a%2fb", "t_svc_v1_80"},
	{"a.test", "/a%2Fb", "t_svc_root_80"},
	{"a.test", "/%61pi", "t_svc_root_80"},
	{"a.test", "/%00", "t_svc_root_80"},
	{"a.test", "/api/;%0a\"'\\<>|{}^`%25[](),*$!~", "t_svc_api_80"},
	{"a.test", "/%[path]", "t_svc_root_80"},
	/* Ways to write a host. */
	{"A.TEST", "/exact", "t_svc_exact_80"},
	{"a.test:8080", "/exact", "t_svc_exact_80"},
	{"a.test:", "/exact", "t_svc_exact_80"},
	{"a.test.", "/exact", "t_svc_exact_80"},
	{"a.test.:80", "/exact", "t_svc_exact_80"},
	{"localhost", "/x", "t_svc_local_80"},
	/* The absolute form has to agree with the header. */
	{"a.test", "http://a.test/exact", "t_svc_exact_80"},
	{"a.test", "http://a.test/api/v1?x", "t_svc_v1_80"},
	{"a.test", "http://a.test", "t_svc_root_80"},
	/* One label for the star, and the exact name first. */
	{"x.wild.test", "/", "t_svc_wild_80"},
	{"X.Wild.Test:80", "/w/1", "t_svc_w_80"},
	{"x.wild.test", "/exact", "t_svc_exact_80"},
	{"shop.wild.test", "/cart", "t_svc_cart_80"},
	/* Rules whose Service isn't there, or has no pod. */
	{"a.test", "/gone", "503"},
	{"a.test", "/idle/x", "503"},
};

/* With the rules without a host and a default backend. */
static const struct request with_open[] = {
	{"c.test", "/any", "t_svc_any_80"},
	{"c.test", "/any/x", "t_svc_any_80"},
	{"c.test", "/one", "t_svc_one_80"},
	{"c.test", "/other", "t_svc_default_80"},
	{NULL, "/any", "t_svc_any_80"},
	{"", "/any", "t_svc_any_80"},
	{"127.0.0.1", "/any", "t_svc_any_80"},
	{"[::1]:8080", "/any", "t_svc_any_80"},
	{"[::1]", "/x", "t_svc_default_80"},
	{"single", "/any", "t_svc_any_80"},
	{"*", "/any", "t_svc_any_80"},
	{"*.wild.test", "/any", "t_svc_any_80"},
	{"*.wild.test", "/w", "t_svc_default_80"},
	{"a.b.wild.test", "/any", "t_svc_any_80"},
	{"wild.test", "/any", "t_svc_any_80"},
	{".wild.test", "/any", "t_svc_any_80"},
	/* A virtual host that has no such path has only the default left. */
	{"b.test", "/any", "t_svc_default_80"},
	{"b.test", "/one", "t_svc_default_80"},
	{"shop.wild.test", "/w", "t_svc_default_80"},
	{"shop.wild.test", "/any", "t_svc_default_80"},
};

static const struct request without_open[] = {
	{"c.test", "/", "404"},
	{"c.test", "/api", "404"},
	{NULL, "/api", "404"},
	{"", "/", "404"},
	{"*", "/", "404"},
	{"*.wild.test", "/w", "404"},
	{"*.WILD.test.", "/w", "404"},
	{"*x.wild.test", "/w", "404"},
	{".wild.test", "/w", "404"},
	{"a.b.wild.test", "/w", "404"},
	{"wild.test", "/w", "404"},
	{"xwild.test", "/w", "404"},
	{"[::1]", "/", "404"},
	{"a.test/api", "/", REFUSED},
	{"a.test,b.test", "/only", REFUSED},
	{"b.test,a.test", "/exact", REFUSED},
	{"b.test", "/any", "404"},
	{"shop.wild.test", "/", "404"},
	{"shop.wild.test", "/w", "404"},
};

struct fixture {
	struct running running;
	struct applied *applied;
	pid_t origin;
};

static void start_origin(struct fixture *f)
{
	char *addresses[ARRAY_LEN(backends)];

	f->origin = web_start(backends, ARRAY_LEN(backends), addresses);
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		struct applied_backend *backend = applied_add_backend(f->applied, backends[i]);
		applied_set_server(f->applied, backend, "pod-1", addresses[i], APPLIED_READY);
		free(addresses[i]);
	}
}

/* The name of the backend that answered, or the status. The caller frees it. */
static char *ask(const struct fixture *f, const char *host, const char *target)
{
	struct buf request = BUF_INIT(1 << 20);

	buf_printf(&request, "GET %s HTTP/1.%d\r\n", target, host == NULL ? 0 : 1);
	if (host != NULL) {
		buf_printf(&request, "Host: %s\r\n", host);
	}
	buf_append_str(&request, "Connection: close\r\n\r\n");
	CLEANUP(free_ptr) char *answer = web_exchange(f->running.http_socket, &request);
	buf_fini(&request);
	return web_judge(answer);
}

static bool is_expected(const char *expected, const char *got)
{
	bool is_refused = strcmp(got, "400") == 0 || strcmp(got, "404") == 0;

	return strcmp(expected, REFUSED) == 0 ? is_refused : strcmp(expected, got) == 0;
}

static void check(const struct fixture *f, const struct request *requests, size_t n_requests)
{
	int n_wrong = 0;

	for (size_t i = 0; i < n_requests; i++) {
		const struct request *r = &requests[i];
		CLEANUP(free_ptr) char *got = ask(f, r->host, r->target);

		if (!is_expected(r->expected, got)) {
			print_error("host %s, %s: expected %s, got %s\n",
				r->host ? r->host : "(none)", r->target, r->expected, got);
			n_wrong++;
		}
	}
	assert_int_equal(n_wrong, 0);
}

static void set_routes(struct fixture *f, const struct route *list, size_t n, bool is_on)
{
	for (size_t i = 0; i < n; i++) {
		if (is_on) {
			applied_set_entry(f->applied, list[i].map, list[i].key, list[i].value);
		} else {
			applied_remove_entry(f->applied, list[i].map, list[i].key);
		}
	}
}

static void save(struct fixture *f)
{
	struct err err = {0};

	if (!state_save(f->running.state, f->applied, &err)) {
		fail_msg("%s", err.text);
	}
}

static int set_up(void **test)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	f->applied = applied_new();
	start_origin(f);
	applied_add_backend(f->applied, "t_svc_idle_80");
	set_routes(f, routes, ARRAY_LEN(routes), true);
	save(f);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	*test = f;
	return 0;
}

static int tear_down(void **test)
{
	struct fixture *f = *test;

	kill(f->origin, SIGKILL);
	running_fini(&f->running);
	applied_free(f->applied);
	free(f);
	return 0;
}

static void reload(struct fixture *f)
{
	struct err err = {0};
	int n = f->running.n_events[PROCESS_RELOADED] + 1;

	if (!process_reload(f->running.process, &err)) {
		fail_msg("%s", err.text);
	}
	running_wait(&f->running, PROCESS_RELOADED, n);
}

static void test_hosts(void **test)
{
	struct fixture *f = *test;

	check(f, known, ARRAY_LEN(known));
	check(f, without_open, ARRAY_LEN(without_open));
}

static void test_rules_without_host_and_default(void **test)
{
	struct fixture *f = *test;

	set_routes(f, open_routes, ARRAY_LEN(open_routes), true);
	save(f);
	reload(f);
	check(f, known, ARRAY_LEN(known));
	check(f, with_open, ARRAY_LEN(with_open));
	set_routes(f, open_routes, ARRAY_LEN(open_routes), false);
	save(f);
	reload(f);
	check(f, without_open, ARRAY_LEN(without_open));
}

/* Up to what HAProxy takes as a request at all, a long path finds its prefix; beyond that it is
 * refused, and HAProxy goes on. */
static void test_long_paths(void **test)
{
	static const size_t lengths[] = {
		1000, 8000, 14000, 15000, 15300, 15360, 16000, 16384, 20000, 70000};
	struct fixture *f = *test;
	bool is_refused = false;
	size_t n_found = 0;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct buf target = BUF_INIT(1 << 20);
		buf_append_str(&target, "/api/v1/");
		while (target.len < lengths[i]) {
			buf_append_char(&target, target.len % 9 == 0 ? '/' : 'x');
		}
		CLEANUP(free_ptr) char *got = ask(f, "a.test", buf_str(&target));
		buf_fini(&target);
		bool is_found = strcmp(got, "t_svc_v1_80") == 0;
		if (!is_found && (strlen(got) != 3 || got[0] != '4')) {
			fail_msg("%zu bytes: %s", lengths[i], got);
		}
		assert_false(is_found && is_refused);
		is_refused = !is_found;
		n_found += is_found;
	}
	assert_true(n_found >= 4);
	assert_true(is_refused);
	check(f, known, 1);
	assert_true(running_is_alive(f->running.pid));
}

/* The target of OPTIONS * has no path, and a byte over 0x7f in a path is not a reason to stop. */
static void test_odd_targets(void **test)
{
	struct fixture *f = *test;
	static const char *const lines[] = {"OPTIONS * HTTP/1.1", "GET /api/\xc3\xa9\xff HTTP/1.1",
		"GET api HTTP/1.1", "CONNECT a.test:443 HTTP/1.1", "GET /\x01 HTTP/1.1",
		"G\x80T / HTTP/1.1"};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf request = BUF_INIT(4096);
		buf_printf(&request, "%s\r\nHost: a.test\r\nConnection: close\r\n\r\n", lines[i]);
		CLEANUP(free_ptr) char *answer = web_exchange(f->running.http_socket, &request);
		buf_fini(&request);
		bool is_answered = strncmp(answer, "HTTP/1.1 ", 9) == 0 || answer[0] == '\0';
		assert_true(is_answered);
	}
	check(f, known, 3);
	assert_true(running_is_alive(f->running.pid));
}

/* The pages for operators. */
static void test_stats(void **test)
{
	static const struct {
		const char *target;
		const char *content;
	} pages[] = {
		{"/", "t_svc_root_80"},
		{"/;csv", "t_svc_root_80,pod-1,"},
		{"/metrics", "haproxy_backend_status{proxy=\"t_svc_root_80\""},
		{"/healthz", "200 OK"},
		{"/readyz", "ok"},
	};
	struct fixture *f = *test;

	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		struct buf request = BUF_INIT(4096);
		buf_printf(&request, "GET %s HTTP/1.0\r\n\r\n", pages[i].target);
		CLEANUP(free_ptr) char *answer = web_exchange(f->running.stats_socket, &request);
		buf_fini(&request);
		assert_non_null(strstr(answer, " 200 "));
		assert_non_null(strstr(answer, pages[i].content));
	}
}

/* `haproxy -c` with every warning an error (-dW). */
static void test_configuration_has_no_warnings(void **test)
{
	struct fixture *f = *test;
	const struct process_options *options = &f->running.options;
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("HEADGATE_STATE_DIR", options->state_dir, 1);
		setenv("HEADGATE_RUN_DIR", options->run_dir, 1);
		setenv("HEADGATE_LUA_DIR", "lua", 1);
		unsetenv("HEADGATE_HTTP_BIND");
		unsetenv("HEADGATE_STATS_BIND");
		unsetenv("HEADGATE_HTTPS_BIND");
		execlp(options->haproxy, options->haproxy, "-dW", "-c", "-f", options->config_dir,
			"-f", options->backends_dir, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_configuration_has_no_warnings),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_rules_without_host_and_default),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_odd_targets),
		cmocka_unit_test(test_stats),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
