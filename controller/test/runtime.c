/* See runtime.h. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/cli.h"

/* The answers of HAProxy come in milliseconds; a test that waits so long has failed. */
#define TEST_LIMIT_SECONDS 20

static const char config[] = "defaults http_profile\n"
			     "	mode http\n"
			     "	balance leastconn\n"
			     "	timeout connect 1s\n"
			     "	timeout client 30s\n"
			     "	timeout server 30s\n"
			     "frontend front from http_profile\n"
			     "	bind unix@@DIR@/http.sock\n"
			     "	http-request set-var(txn.host) req.hdr(host),map(@DIR@/hosts.map)\n"
			     "	http-request set-var(txn.backend) path,map(@DIR@/exact.map)\n"
			     "	http-request set-var(txn.prefix) path,map_beg(@DIR@/prefix.map)\n"
			     "	http-request set-var(txn.default) str(*),map(@DIR@/defaults.map)\n"
			     "	http-request set-var(txn.external) str(-),map(@DIR@/external.map)\n"
			     "	http-request set-var(txn.redirect) path,map(@DIR@/redirect.map)\n"
			     "	http-request set-var(txn.policy) path,map(@DIR@/policy.map)\n"
			     "	http-request set-var(txn.auth) path,map(@DIR@/auth.map)\n"
			     "	http-request set-var(txn.canary) path,map(@DIR@/canary.map)\n"
			     "	http-request set-var(txn.pass) path,map(@DIR@/passthrough.map)\n"
			     "	http-request set-var(txn.tcp) path,map(@DIR@/tcp.map)\n"
			     "	http-request set-var(txn.list) path,map(@DIR@/networks.map)\n"
			     "	http-request set-var(txn.single) path,map(@DIR@/addresses.map)\n"
			     "	use_backend %[var(txn.backend)]\n"
			     "backend t_svc_file_80 from http_profile\n"
			     "	server s1 10.0.0.1:80\n"
			     "	server s2 10.0.0.2:80 disabled\n"
			     "	server s3 [fd00::3]:80\n"
			     "	server s4 unix@/nowhere\n"
			     "backend t_svc_old_80 from http_profile\n"
			     "	server s1 10.0.0.1:80\n"
			     "backend constant from http_profile\n"
			     "	server s1 10.0.0.1:80\n";

static void on_lost(void *ctx, const char *text)
{
	struct test *test = ctx;

	assert_non_null(text);
	test->n_lost++;
}

static void on_limit(evutil_socket_t fd, short what, void *ctx)
{
	(void)fd;
	(void)what;
	(void)ctx;
	fail_msg("no end within %d seconds", TEST_LIMIT_SECONDS);
}

void runtime_wait(struct test *test)
{
	struct timeval limit = {TEST_LIMIT_SECONDS, 0};
	struct event *event = evtimer_new(test->base, on_limit, NULL);

	evtimer_add(event, &limit);
	while (!test->is_done) {
		event_base_loop(test->base, EVLOOP_ONCE);
	}
	event_free(event);
	test->is_done = false;
}

void runtime_on_observed(void *ctx, struct observation *observation, const struct err *err)
{
	struct test *test = ctx;

	test->is_done = true;
	if (observation == NULL) {
		test->err = *err;
		return;
	}
	applied_free(test->applied);
	test->applied = observation->applied;
	observation->applied = NULL;
	test->caps = observation->caps;
	test->pid = observation->pid;
}

void runtime_observe(struct test *test)
{
	test->err = (struct err){0};
	assert_non_null(observe_start(test->cli, test->map_dir, false, runtime_on_observed, test));
	runtime_wait(test);
}

void runtime_read_back(struct test *test)
{
	runtime_observe(test);
	assert_string_equal(test->err.text, "");
}

void runtime_connect(struct test *test, const char *socket)
{
	struct err err = {0};

	if (!cli_connect(test->cli, socket, &err)) {
		fail_msg("%s", err.text);
	}
	runtime_read_back(test);
}

void runtime_on_applied(void *ctx, const struct apply_result *result)
{
	struct test *test = ctx;

	test->is_done = true;
	test->result = *result;
	free(test->text);
	test->text = result->first_text ? xstrdup(result->first_text) : NULL;
	test->first_refused = result->first_refused ? result->first_refused->kind : PLAN_OP_COUNT;
}

void runtime_apply(struct test *test, struct plan_op *ops, size_t n_ops)
{
	const struct apply_target target = {test->cli, test->map_dir, test->applied};
	struct plan plan = {.ops = ops, .n_ops = n_ops};

	assert_non_null(apply_start(&target, &plan, runtime_on_applied, test));
	runtime_wait(test);
}

void runtime_apply_all(struct test *test, struct plan_op *ops, size_t n_ops)
{
	runtime_apply(test, ops, n_ops);
	if (test->result.n_done != n_ops) {
		fail_msg("%zu of %zu done: %s", test->result.n_done, n_ops,
			test->text ? test->text : "");
	}
}

static void on_text(void *ctx, const char *text)
{
	struct test *test = ctx;

	assert_non_null(text);
	free(test->text);
	test->text = xstrdup(text);
	test->is_done = true;
}

const char *runtime_ask(struct test *test, const char *command)
{
	cli_send(test->cli, command, on_text, test);
	runtime_wait(test);
	return test->text;
}

int runtime_set_up(void **state)
{
	struct test *test = xcalloc(1, sizeof(*test));

	test->haproxy = haproxy_start(config);
	test->map_dir = test->haproxy->dir;
	test->base = event_base_new();
	test->cli = cli_new(test->base, on_lost, test);
	runtime_connect(test, test->haproxy->socket);
	*state = test;
	return 0;
}

int runtime_tear_down(void **state)
{
	struct test *test = *state;

	cli_free(test->cli);
	event_base_free(test->base);
	haproxy_stop(test->haproxy);
	applied_free(test->applied);
	free(test->text);
	free(test);
	metrics_reset();
	return 0;
}

char *runtime_dump(const struct applied *applied)
{
	struct buf buf = BUF_INIT(0);

	applied_dump(applied, &buf);
	return buf_take(&buf);
}

/* What we believe must be what HAProxy has. An address that was changed is seen a moment later
 * in 3.x: then it is read again. */
void runtime_assert_applied(struct test *test)
{
	CLEANUP(free_ptr) char *believed = runtime_dump(test->applied);

	for (int i = 0; i < 100; i++) {
		runtime_observe(test);
		assert_string_equal(test->err.text, "");
		CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
		if (strcmp(seen, believed) == 0) {
			return;
		}
		usleep(1000);
	}
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_string_equal(seen, believed);
}

void runtime_assert_result(
	const struct test *test, size_t n_done, size_t n_busy, size_t n_refused, size_t n_skipped)
{
	if (test->text != NULL && n_refused == 0) {
		print_error("%s: %s\n", plan_ops[test->first_refused].name, test->text);
	}
	assert_int_equal(test->result.n_done, n_done);
	assert_int_equal(test->result.n_busy, n_busy);
	assert_int_equal(test->result.n_refused, n_refused);
	assert_int_equal(test->result.n_skipped, n_skipped);
	assert_false(test->result.is_lost);
}
