/* The comparison of what HAProxy says with what it confirmed: what is drift, what explains a
 * difference, and that a verdict leaves `applied` as HAProxy is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "plan/drift.h"

#define SECRET "a_b_0123456789abcdef"

struct bench {
	struct model *model; /* wants nothing */
	struct applied *applied;
	struct drift_look look;
	struct buf said; /* a line a difference */
};

static const char *or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static void on_drift(void *ctx, const struct drift *drift)
{
	struct bench *bench = ctx;

	buf_printf(&bench->said, "%s %s: %s, %s\n", drift_kind_names[drift->kind], drift->object,
		or_dash(drift->expected), or_dash(drift->found));
}

static int setup(void **state)
{
	static const struct model_options options = {.ingress_class = "c", .controller_name = "x"};
	struct bench *bench = xcalloc(1, sizeof(*bench));
	struct applied *applied = applied_new();

	applied_set_entry(applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	applied_set_entry(applied, MODEL_MAP_HOSTS, "b.test", "b.test");
	applied_set_entry(applied, MODEL_MAP_PREFIX, "a.test/", "a_svc_web_80");
	struct applied_backend *backend = applied_add_backend(applied, "a_svc_web_80");
	applied_set_server(applied, backend, "p1", "10.0.0.1:80", APPLIED_READY);
	applied_set_server(applied, backend, "p2", "10.0.0.2:80", APPLIED_MAINT);
	applied_set_server(applied, backend, "p3", "10.0.0.3:80", APPLIED_DRAIN);
	applied_add_backend(applied, "a_svc_left_80");
	applied_set_certificate(applied, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS, "F1");
	applied_set_certificate(applied, SECRET, "a.test", NULL);
	applied_set_certificate(applied, "half", NULL, NULL);
	bench->model = model_new(&options);
	bench->applied = applied;
	drift_look_init(&bench->look, applied, bench->model, on_drift, bench);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	drift_look_fini(&bench->look);
	applied_free(bench->applied);
	model_free(bench->model);
	buf_fini(&bench->said);
	free(bench);
	return 0;
}

struct said {
	const char *key;
	const char *value;
};

static void see_map(
	struct bench *bench, enum model_map map, const struct said *entries, size_t n_entries)
{
	drift_begin_map(&bench->look, map);
	for (size_t i = 0; i < n_entries; i++) {
		drift_see_entry(&bench->look, map, entries[i].key, entries[i].value);
	}
	drift_end_map(&bench->look, map);
}

static void see_server(struct bench *bench, const char *backend, const char *server, const char *at,
	enum applied_admin admin)
{
	char name[32];
	char address[32];

	snprintf(name, sizeof(name), "%s", server);
	snprintf(address, sizeof(address), "%s", at);
	const struct applied_server found = {name, address, (uint8_t)admin, false};
	drift_see_server(&bench->look, backend, &found);
}

static void see_web(struct bench *bench)
{
	see_server(bench, "a_svc_web_80", "p1", "10.0.0.1:80", APPLIED_READY);
	see_server(bench, "a_svc_web_80", "p2", "10.0.0.2:80", APPLIED_MAINT);
	see_server(bench, "a_svc_web_80", "p3", "10.0.0.3:80", APPLIED_DRAIN);
	drift_end_backend(&bench->look, "a_svc_web_80", true);
}

static void see_certificates(struct bench *bench)
{
	drift_begin_certificates(&bench->look);
	drift_see_listed(&bench->look, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS);
	drift_see_listed(&bench->look, SECRET, "a.test");
	drift_see_certificate(&bench->look, SECRET);
	drift_see_certificate(&bench->look, "half");
	drift_see_certificate(&bench->look, MODEL_CERTIFICATE_DEFAULT);
	drift_see_default(&bench->look, "F1");
	drift_end_certificates(&bench->look);
}

/* Nothing was said, and nothing is different, since the last time. */
static void assert_same(struct bench *bench)
{
	assert_string_equal(buf_str(&bench->said), "");
	assert_int_equal(bench->look.n_different, 0);
	assert_int_equal(bench->look.repair.n_entries + bench->look.repair.n_backends +
				 bench->look.repair.n_certificates,
		0);
}

static char *dump(const struct bench *bench)
{
	struct buf text = BUF_INIT(0);

	applied_dump(bench->applied, &text);
	return buf_take(&text);
}

static const struct said hosts[] = {{"b.test", "b.test"}, {"a.test", "a.test"}};

/* What drains, what waits to be deleted, what is left behind and what is half made is as it should
 * be; again and again, more often than looks have numbers. */
static void test_nothing_differs(void **state)
{
	struct bench *bench = *state;
	CLEANUP(free_ptr) char *before = dump(bench);

	for (int i = 0; i < 600; i++) {
		bench->look.is_verdict = i % 2 == 1;
		see_map(bench, MODEL_MAP_HOSTS, hosts, 2);
		see_map(bench, MODEL_MAP_DEFAULTS, NULL, 0);
		see_web(bench);
		drift_end_backend(&bench->look, "a_svc_left_80", true);
		drift_end_backend(&bench->look, "gone_svc_x_80", false);
		see_certificates(bench);
		assert_same(bench);
		assert_false(drift_is_foreign(&bench->look, "a_svc_web_80"));
	}
	CLEANUP(free_ptr) char *after = dump(bench);
	assert_string_equal(after, before);
}

/* The first time is a question only. */
static void check(struct bench *bench, void (*see)(struct bench *), const char *expected)
{
	CLEANUP(free_ptr) char *before = dump(bench);

	see(bench);
	CLEANUP(free_ptr) char *between = dump(bench);
	assert_string_equal(between, before);
	assert_string_equal(buf_str(&bench->said), "");
	assert_true(bench->look.n_different > 0);
	bench->look.is_verdict = true;
	see(bench);
	assert_string_equal(buf_str(&bench->said), expected);
	/* It is what `applied` says now. */
	buf_clear(&bench->said);
	see(bench);
	assert_string_equal(buf_str(&bench->said), "");
}

static void see_other_hosts(struct bench *bench)
{
	static const struct said other[] = {
		{"b.test", "x"}, {"c.test", "c.test"}, {"c.test", "c.test"}};

	see_map(bench, MODEL_MAP_HOSTS, other, ARRAY_LEN(other));
}

static void test_entries(void **state)
{
	struct bench *bench = *state;

	check(bench, see_other_hosts,
		"entry-value hosts.map b.test: b.test, x\n"
		"entry-foreign hosts.map c.test: -, c.test\n"
		"entry-missing hosts.map a.test: a.test, -\n");
	assert_null(applied_find_entry(bench->applied, MODEL_MAP_HOSTS, "a.test"));
	assert_string_equal(applied_find_entry(bench->applied, MODEL_MAP_HOSTS, "b.test"), "x");
	assert_int_equal(bench->look.repair.n_entries, 3);
}

static void see_second_value(struct bench *bench)
{
	static const struct said twice[] = {
		{"a.test", "a.test"}, {"b.test", "b.test"}, {"a.test", "x"}};

	see_map(bench, MODEL_MAP_HOSTS, twice, ARRAY_LEN(twice));
}

/* A key that is there twice: set to what is wanted, both become right. */
static void test_second_value(void **state)
{
	struct bench *bench = *state;

	bench->look.is_verdict = true;
	see_second_value(bench);
	assert_string_equal(buf_str(&bench->said), "entry-value hosts.map a.test: a.test, x\n");
	assert_string_equal(applied_find_entry(bench->applied, MODEL_MAP_HOSTS, "a.test"), "x");
}

static void see_other_servers(struct bench *bench)
{
	see_server(bench, "a_svc_web_80", "p1", "10.0.0.9:80", APPLIED_READY);
	see_server(bench, "a_svc_web_80", "p3", "10.0.0.3:80", APPLIED_READY);
	see_server(bench, "a_svc_web_80", "p4", "10.0.0.4:80", APPLIED_READY);
	drift_end_backend(&bench->look, "a_svc_web_80", true);
}

static void test_servers(void **state)
{
	struct bench *bench = *state;

	check(bench, see_other_servers,
		"server-address a_svc_web_80/p1: 10.0.0.1:80 ready, 10.0.0.9:80 ready\n"
		"server-state a_svc_web_80/p3: 10.0.0.3:80 drain, 10.0.0.3:80 ready\n"
		"server-foreign a_svc_web_80/p4: -, 10.0.0.4:80 ready\n"
		"server-missing a_svc_web_80/p2: 10.0.0.2:80 maint, -\n");
	assert_int_equal(bench->look.repair.n_backends, 1);
}

static void see_other_backends(struct bench *bench)
{
	drift_end_backend(&bench->look, "a_svc_web_80", false);
	see_server(bench, "x_svc_y_80", "s1", "10.0.0.1:80", APPLIED_READY);
	see_server(bench, "x_svc_y_80", "s2", "10.0.0.2:80", APPLIED_MAINT);
	drift_end_backend(&bench->look, "x_svc_y_80", true);
	drift_end_backend(&bench->look, "x_svc_z_80", true);
}

static void test_backends(void **state)
{
	struct bench *bench = *state;

	assert_true(drift_is_foreign(&bench->look, "x_svc_y_80"));
	check(bench, see_other_backends,
		"backend-missing a_svc_web_80: a_svc_web_80, -\n"
		"backend-foreign x_svc_y_80: -, x_svc_y_80\n"
		"backend-foreign x_svc_z_80: -, x_svc_z_80\n");
	assert_null(applied_find_backend(bench->applied, "a_svc_web_80"));
	assert_int_equal(applied_find_backend(bench->applied, "x_svc_y_80")->n_servers, 2);
}

static void see_other_certificates(struct bench *bench)
{
	drift_begin_certificates(&bench->look);
	drift_see_listed(&bench->look, "foreign", "x.test");
	drift_see_certificate(&bench->look, SECRET);
	drift_see_certificate(&bench->look, "foreign");
	drift_see_certificate(&bench->look, "memory");
	drift_see_default(&bench->look, "F1");
	drift_end_certificates(&bench->look);
}

static void test_certificates(void **state)
{
	struct bench *bench = *state;

	/* The order of what is missing is that of a table. */
	applied_remove_certificate(bench->applied, "half");
	check(bench, see_other_certificates,
		"certificate-foreign foreign: -, x.test\n"
		"certificate-foreign memory: -, in memory, not listed\n"
		"certificate-missing " SECRET ": a.test, in memory, not listed\n");
	assert_null(applied_find_certificate(bench->applied, SECRET)->hosts);
	assert_string_equal(applied_find_certificate(bench->applied, "foreign")->hosts, "x.test");
	assert_int_equal(bench->look.repair.n_certificates, 3);
}

static void see_no_certificates(struct bench *bench)
{
	drift_begin_certificates(&bench->look);
	drift_see_listed(&bench->look, SECRET, "b.test");
	drift_see_certificate(&bench->look, SECRET);
	drift_see_default(&bench->look, "F1");
	drift_end_certificates(&bench->look);
}

static void test_certificate_hosts(void **state)
{
	check(*state, see_no_certificates,
		"certificate-hosts " SECRET ": a.test, b.test\n"
		"certificate-missing half: in memory, not listed, -\n");
}

/* Where no certain default is wanted, the one that is there is right. */
static void test_default_certificate(void **state)
{
	struct bench *bench = *state;

	drift_see_default(&bench->look, "F2");
	assert_same(bench);
	assert_string_equal(
		applied_find_certificate(bench->applied, MODEL_CERTIFICATE_DEFAULT)->fingerprint,
		"F2");
}

/* Whatever passes have touched explains itself. */
static void test_touched(void **state)
{
	struct bench *bench = *state;
	struct plan_op ops[] = {
		{.kind = PLAN_OP_MAP_DEL, .map = MODEL_MAP_HOSTS, .key = "a.test"},
		{.kind = PLAN_OP_MAP_SET, .map = MODEL_MAP_HOSTS, .key = "b.test", .value = "x"},
		{.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_HOSTS, .key = "c.test", .value = "x"},
		{.kind = PLAN_OP_SERVER_DEL, .backend = "a_svc_web_80", .server = "p2"},
		{.kind = PLAN_OP_BACKEND_ADD, .backend = "x_svc_y_80"},
		{.kind = PLAN_OP_BACKEND_ADD, .backend = "x_svc_z_80"},
		{.kind = PLAN_OP_CERT_NEW, .certificate = "foreign"},
		{.kind = PLAN_OP_CERT_NEW, .certificate = "memory"},
		{.kind = PLAN_OP_CERT_UNLIST, .certificate = SECRET},
		{.kind = PLAN_OP_CERT_DEL, .certificate = "half"},
		{.kind = PLAN_OP_CERT_COMMIT, .certificate = "default", .fingerprint = "F2"},
	};
	const struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};

	drift_touch(&bench->look, &plan);
	drift_touch(&bench->look, &plan);
	for (int i = 0; i < 2; i++) {
		bench->look.is_verdict = i == 1;
		see_other_hosts(bench);
		see_other_servers(bench);
		see_other_backends(bench);
		see_other_certificates(bench);
		drift_see_default(&bench->look, "F2");
		assert_same(bench);
	}
	/* A key of another map is another key. */
	see_map(bench, MODEL_MAP_EXACT, hosts, 1);
	assert_int_equal(bench->look.n_different, 1);
	bench->look.is_verdict = false;
	drift_forget_touched(&bench->look);
	see_other_hosts(bench);
	assert_true(bench->look.n_different > 1);
}

/* What a pass adds and takes away while the answer comes in. */
static void test_changes_between_lines(void **state)
{
	struct bench *bench = *state;

	bench->look.is_verdict = true;
	drift_begin_map(&bench->look, MODEL_MAP_HOSTS);
	drift_see_entry(&bench->look, MODEL_MAP_HOSTS, "a.test", "a.test");
	applied_remove_entry(bench->applied, MODEL_MAP_HOSTS, "b.test");
	applied_set_entry(bench->applied, MODEL_MAP_HOSTS, "c.test", "c.test");
	applied_remove_entry(bench->applied, MODEL_MAP_HOSTS, "a.test");
	assert_false(applied_has_unseen(bench->applied, MODEL_MAP_HOSTS));
	drift_end_map(&bench->look, MODEL_MAP_HOSTS);
	assert_same(bench);
}

static void test_too_much_touched(void **state)
{
	struct bench *bench = *state;
	size_t n = DRIFT_MAX_TOUCHED;
	struct plan plan = {.ops = xcalloc(n, sizeof(struct plan_op)), .n_ops = n};
	char(*keys)[16] = xcalloc(n, sizeof(*keys));

	for (size_t i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), "%zu", i);
		plan.ops[i] = (struct plan_op){.kind = PLAN_OP_MAP_DEL, .key = keys[i]};
	}
	drift_touch(&bench->look, &plan);
	bench->look.is_verdict = true;
	see_other_hosts(bench);
	assert_same(bench);
	drift_forget_touched(&bench->look);
	see_other_hosts(bench);
	assert_int_equal(bench->look.n_different, 3);
	free(plan.ops);
	free(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_differs),
		TEST(test_entries),
		TEST(test_second_value),
		TEST(test_servers),
		TEST(test_backends),
		TEST(test_certificates),
		TEST(test_certificate_hosts),
		TEST(test_default_certificate),
		TEST(test_touched),
		TEST(test_changes_between_lines),
		TEST(test_too_much_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
