/* Component tests of certificates: a real HAProxy gets them, and says what it has. */
#include "running.h"
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/cli.h"
#include "haproxy/selfsigned.h"

struct fixture {
	struct running running;
	struct test test; /* connection, what was read back, results */
	char *pems[2];
};

static void on_lost(void *ctx, const char *text)
{
	(void)text;
	((struct test *)ctx)->n_lost++;
}

static char *make_pem(void)
{
	struct buf pem = {.is_secret = true};
	struct err err = {0};

	if (!selfsigned_make(&pem, &err)) {
		fail_msg("%s", err.text);
	}
	return buf_take(&pem);
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	f->test.base = f->running.base;
	f->test.map_dir = state_map_dir(f->running.state);
	f->test.cli = cli_new(f->running.base, on_lost, &f->test);
	for (size_t i = 0; i < ARRAY_LEN(f->pems); i++) {
		f->pems[i] = make_pem();
	}
	runtime_connect(&f->test, f->running.runtime_socket);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cli_free(f->test.cli);
	applied_free(f->test.applied);
	free(f->test.text);
	for (size_t i = 0; i < ARRAY_LEN(f->pems); i++) {
		free(f->pems[i]);
	}
	running_fini(&f->running);
	free(f);
	metrics_reset();
	return 0;
}

/* What we believe is what HAProxy has. */
static void assert_true_belief(struct fixture *f)
{
	CLEANUP(free_ptr) char *believed = runtime_dump(f->test.applied);

	runtime_read_back(&f->test);
	CLEANUP(free_ptr) char *seen = runtime_dump(f->test.applied);
	assert_string_equal(seen, believed);
}

static const char *ask(struct fixture *f, const char *format, const char *file)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/%s", state_map_dir(f->running.state), file);
	CLEANUP(free_ptr) char *command = xasprintf("%s %s", format, path);

	return runtime_ask(&f->test, command);
}

#define CERT(op, of, ...)                                                                          \
	{                                                                                          \
		.kind = PLAN_OP_CERT_##op, .certificate = (of), __VA_ARGS__                        \
	}

#define ADD(of, content, names)                                                                    \
	CERT(NEW, of), CERT(SET, of, .pem = (content)), CERT(COMMIT, of),                          \
		CERT(LIST, of, .hosts = (names))

static void test_starts_with_a_default(void **state)
{
	struct fixture *f = *state;
	const struct applied_certificate *have =
		applied_find_certificate(f->test.applied, MODEL_CERTIFICATE_DEFAULT);

	assert_true(f->test.caps.has_tls);
	assert_non_null(have);
	assert_int_equal(strlen(have->fingerprint), 40);
	assert_string_equal(have->hosts, APPLIED_DEFAULT_HOSTS);
	assert_non_null(
		strstr(ask(f, "show ssl cert", "certs/default.pem"), "CN=headgate.invalid"));
}

static void test_added_and_removed(void **state)
{
	struct fixture *f = *state;
	static const char hosts[] = "*.a.test a.test !x.a.test !y.a.test";
	struct plan_op add[] = {
		ADD("a_x_0", f->pems[0], hosts), ADD("a_y_1", f->pems[1], "b.test")};
	struct plan_op remove[] = {CERT(UNLIST, "a_x_0"), CERT(DEL, "a_x_0")};

	runtime_apply(&f->test, add, ARRAY_LEN(add));
	runtime_assert_result(&f->test, ARRAY_LEN(add), 0, 0, 0);
	assert_true_belief(f);
	assert_string_equal(applied_find_certificate(f->test.applied, "a_x_0")->hosts, hosts);
	runtime_apply(&f->test, remove, ARRAY_LEN(remove));
	runtime_assert_result(&f->test, ARRAY_LEN(remove), 0, 0, 0);
	assert_true_belief(f);
	assert_null(applied_find_certificate(f->test.applied, "a_x_0"));
	assert_non_null(applied_find_certificate(f->test.applied, "a_y_1"));
}

static void test_default_is_replaced(void **state)
{
	struct fixture *f = *state;
	char fingerprint[] = "0000000000000000000000000000000000000000";
	struct plan_op ops[] = {CERT(SET, MODEL_CERTIFICATE_DEFAULT, .pem = f->pems[0]),
		CERT(COMMIT, MODEL_CERTIFICATE_DEFAULT, .fingerprint = fingerprint)};
	CLEANUP(free_ptr)
	char *before = xstrdup(
		applied_find_certificate(f->test.applied, MODEL_CERTIFICATE_DEFAULT)->fingerprint);

	runtime_apply(&f->test, ops, ARRAY_LEN(ops));
	runtime_assert_result(&f->test, 2, 0, 0, 0);
	assert_string_equal(
		applied_find_certificate(f->test.applied, MODEL_CERTIFICATE_DEFAULT)->fingerprint,
		fingerprint);
	runtime_read_back(&f->test);
	assert_string_not_equal(
		applied_find_certificate(f->test.applied, MODEL_CERTIFICATE_DEFAULT)->fingerprint,
		before);
}

/* One that HAProxy refuses doesn't take the next one with it, and what it was to replace stays. */
static void test_refused(void **state)
{
	struct fixture *f = *state;
	const char *key = strstr(f->pems[1], "-----BEGIN PRIVATE KEY");
	CLEANUP(free_ptr)
	char *mixed = xasprintf("%.*s%s",
		(int)(strstr(f->pems[0], "-----BEGIN PRIVATE KEY") - f->pems[0]), f->pems[0], key);
	CLEANUP(free_ptr) char *no_key = xstrndup(f->pems[1], (size_t)(key - f->pems[1]));
	static const char garbage[] =
		"-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n";
	const char *const bad[] = {mixed, no_key, garbage, "show info\n", ""};
	struct plan_op old[] = {
		ADD("a_x_0", f->pems[0], "a.test"), ADD("a_z_0", f->pems[0], "z.test")};

	runtime_apply(&f->test, old, ARRAY_LEN(old));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CLEANUP(free_ptr) char *good = xasprintf("a_y_%zu", i);
		struct plan_op ops[] = {ADD("a_x_1", bad[i], "a.test *.a.test"),
			ADD(good, f->pems[1], "b.test"), CERT(UNLIST, "a_x_0"), CERT(DEL, "a_x_0")};

		runtime_apply(&f->test, ops, ARRAY_LEN(ops));
		assert_true(f->test.result.n_refused > 0);
		assert_int_equal(ops[7].result, PLAN_DONE);
		assert_int_equal(ops[8].result, PLAN_SKIPPED);
		assert_int_equal(ops[9].result, PLAN_SKIPPED);
		assert_true_belief(f);
		assert_non_null(applied_find_certificate(f->test.applied, "a_x_0")->hosts);
		/* Without a new store, as the next plan has it. */
		assert_null(applied_find_certificate(f->test.applied, "a_x_1")->hosts);
		struct plan_op again[] = {CERT(DEL, "a_x_1")};
		runtime_apply(&f->test, again, 1);
		runtime_assert_result(&f->test, 1, 0, 0, 0);
	}
}

/* Somebody died in the middle of a transaction. */
static void test_left_over_transaction(void **state)
{
	struct fixture *f = *state;
	struct plan_op begin[] = {CERT(NEW, "a_x_0"), CERT(SET, "a_x_0", .pem = f->pems[0])};
	struct plan_op ops[] = {ADD("a_y_0", f->pems[1], "b.test")};
	struct plan_op half[] = {CERT(SET, "a_x_0", .pem = f->pems[0]), CERT(COMMIT, "a_x_0"),
		CERT(LIST, "a_x_0", .hosts = "a.test")};

	runtime_apply(&f->test, begin, ARRAY_LEN(begin));
	runtime_assert_result(&f->test, 2, 0, 0, 0);
	runtime_apply(&f->test, ops, ARRAY_LEN(ops));
	assert_true(f->test.result.n_refused >= 2);
	assert_int_equal(ops[1].result, PLAN_REFUSED);
	runtime_read_back(&f->test);
	assert_null(applied_find_certificate(f->test.applied, "a_x_0")->hosts);
	assert_null(applied_find_certificate(f->test.applied, "a_y_0")->hosts);
	runtime_apply(&f->test, ops + 1, ARRAY_LEN(ops) - 1);
	runtime_assert_result(&f->test, 3, 0, 0, 0);
	runtime_apply(&f->test, half, ARRAY_LEN(half));
	runtime_assert_result(&f->test, 3, 0, 0, 0);
	assert_true_belief(f);
}

/* ---- not for clients ---- */

#define CA    "ca-00112233445566778899aabbccddeeff"
#define SHOWN "crt-00112233445566778899aabbccddeeff"
#define SAFE  "t_svc_web_443:tls:" CA ":" SHOWN

#define STORE(op, of, ...)                                                                         \
	{                                                                                          \
		.kind = PLAN_OP_##op, .certificate = (of), __VA_ARGS__                             \
	}

#define ADD_STORE(what, of, content)                                                               \
	STORE(what##_NEW, of), STORE(what##_SET, of, .pem = (content)), STORE(what##_COMMIT, of)

static void remove_stores(struct fixture *f, enum plan_result result)
{
	struct plan_op ops[] = {STORE(CA_DEL, CA), STORE(SHOWN_DEL, SHOWN)};

	runtime_apply(&f->test, ops, ARRAY_LEN(ops));
	assert_int_equal(ops[0].result, result);
	assert_int_equal(ops[1].result, result);
}

/* What servers have stays, whether we know of it or HAProxy says it. */
static void test_stores(void **state)
{
	struct fixture *f = *state;
	struct plan_op add[] = {ADD_STORE(CA, CA, f->pems[0]), ADD_STORE(SHOWN, SHOWN, f->pems[1])};
	struct plan_op use[] = {BACKEND(ADD, SAFE), BACKEND(PUBLISH, SAFE),
		SERVER_AT(ADD, SAFE, "pod", "192.0.2.1:443")};
	struct plan_op leave[] = {SERVER(DEL, SAFE, "pod")};

	runtime_apply(&f->test, add, ARRAY_LEN(add));
	runtime_assert_result(&f->test, ARRAY_LEN(add), 0, 0, 0);
	runtime_read_back(&f->test);
	assert_string_equal(applied_find_certificate(f->test.applied, CA)->hosts, "");
	assert_non_null(applied_find_certificate(f->test.applied, SHOWN));
	if (f->test.caps.can_add_backend) {
		runtime_apply(&f->test, use, ARRAY_LEN(use));
		runtime_assert_result(&f->test, ARRAY_LEN(use), 0, 0, 0);
		remove_stores(f, PLAN_BUSY);
		applied_remove_backend(f->test.applied, SAFE);
		remove_stores(f, PLAN_BUSY);
		runtime_read_back(&f->test);
		runtime_apply(&f->test, leave, ARRAY_LEN(leave));
		runtime_assert_result(&f->test, ARRAY_LEN(leave), 0, 0, 0);
	}
	remove_stores(f, PLAN_DONE);
	assert_true_belief(f);
}

/* What is no PEM goes no further than the encoder. It is told the
 * right one afterwards. */
static void test_refused_stores(void **state)
{
	struct fixture *f = *state;
	struct plan_op bad[] = {
		ADD_STORE(CA, CA, "show info\n"), ADD_STORE(SHOWN, SHOWN, "show info\n")};
	struct plan_op again[] = {STORE(CA_SET, CA, .pem = f->pems[0]), STORE(CA_COMMIT, CA),
		STORE(SHOWN_SET, SHOWN, .pem = f->pems[1]), STORE(SHOWN_COMMIT, SHOWN)};

	runtime_apply(&f->test, bad, ARRAY_LEN(bad));
	assert_int_equal(bad[1].result, PLAN_REFUSED);
	assert_int_equal(bad[2].result, PLAN_SKIPPED);
	assert_int_equal(bad[4].result, PLAN_REFUSED);
	assert_int_equal(bad[5].result, PLAN_SKIPPED);
	runtime_read_back(&f->test);
	assert_null(applied_find_certificate(f->test.applied, CA)->hosts);
	runtime_apply(&f->test, again, ARRAY_LEN(again));
	runtime_assert_result(&f->test, ARRAY_LEN(again), 0, 0, 0);
	remove_stores(f, PLAN_DONE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_starts_with_a_default),
		TEST(test_added_and_removed),
		TEST(test_default_is_replaced),
		TEST(test_refused),
		TEST(test_left_over_transaction),
		TEST(test_stores),
		TEST(test_refused_stores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
