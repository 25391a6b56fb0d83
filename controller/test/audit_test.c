/* Component tests of haproxy/audit: what a real HAProxy has, compared with what it confirmed, while
 * it is left alone, changed by us, and changed by hand. */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/audit.h"

#define N_ENTRIES 5000

struct found {
	struct test *test;
	struct audit *audit;
	struct buf said; /* a line a difference */
	size_t n_repairs;
	struct err err;
	struct audit_counts counts;
};

static void on_drift(void *ctx, const struct drift *drift)
{
	struct found *found = ctx;

	buf_printf(&found->said, "%s %s\n", drift_kind_names[drift->kind], drift->object);
}

static void on_repair(void *ctx, struct model_delta *delta)
{
	struct found *found = ctx;

	found->n_repairs += delta->n_entries + delta->n_backends + delta->n_certificates;
}

static void on_done(void *ctx, const struct audit_counts *counts, const struct err *err)
{
	struct found *found = ctx;

	found->audit = NULL;
	found->counts = *counts;
	if (err != NULL) {
		found->err = *err;
	}
	found->test->is_done = true;
}

/* No default certificate is wanted, so the model is not asked. */
static void start(struct found *found, struct test *test)
{
	*found = (struct found){.test = test};
	found->audit =
		audit_start(&(struct audit_target){test->cli, test->haproxy->socket,
				    test->haproxy->dir, test->applied, NULL, test->caps, test->pid},
			&(struct audit_callbacks){on_drift, on_repair, on_done, found});
}

static void end(struct found *found, const char *expected)
{
	while (found->audit != NULL) {
		runtime_wait(found->test);
	}
	assert_string_equal(found->err.text, "");
	assert_string_equal(buf_str(&found->said), expected);
	buf_fini(&found->said);
}

static void check(struct test *test, const char *expected)
{
	struct found found;

	start(&found, test);
	end(&found, expected);
}

static void test_nothing_differs(void **state)
{
	struct test *test = *state;
	struct found found;

	start(&found, test);
	end(&found, "");
	assert_int_equal(found.counts.n_backends, 2);
	assert_int_equal(found.counts.n_servers, 5);
	assert_int_equal(found.n_repairs, 0);
}

static void by_hand(struct test *test, const char *verb, const char *map, const char *rest)
{
	CLEANUP(free_ptr)
	char *command = xasprintf("%s map %s/%s %s", verb, test->haproxy->dir, map, rest);

	(void)runtime_ask(test, command);
}

static void test_by_hand(void **state)
{
	struct test *test = *state;
	struct plan_op ops[] = {
		{.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_EXACT, .key = "/a", .value = "a"},
		{.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_EXACT, .key = "/b", .value = "b"},
	};

	runtime_apply(test, ops, ARRAY_LEN(ops));
	by_hand(test, "del", "exact.map", "/a");
	by_hand(test, "set", "exact.map", "/b x");
	by_hand(test, "add", "exact.map", "/c c");
	by_hand(test, "add", "hosts.map", "x.test x");
	(void)runtime_ask(test, "disable server t_svc_file_80/s1");
	(void)runtime_ask(test, "disable server t_svc_file_80/s3");
	(void)runtime_ask(test, "del server t_svc_file_80/s3");
	(void)runtime_ask(test, "set server t_svc_old_80/s1 addr 10.9.9.9 port 81");
	(void)runtime_ask(test, "add server t_svc_old_80/s9 10.9.9.8:80");
	/* The order of backends is that of a table. */
	struct found found;
	start(&found, test);
	while (found.audit != NULL) {
		runtime_wait(test);
	}
	assert_string_equal(found.err.text, "");
	static const char *const lines[] = {"entry-foreign hosts.map x.test\n",
		"entry-value exact.map /b\n", "entry-foreign exact.map /c\n",
		"entry-missing exact.map /a\n", "server-state t_svc_file_80/s1\n",
		"server-missing t_svc_file_80/s3\n", "server-address t_svc_old_80/s1\n",
		"server-foreign t_svc_old_80/s9\n"};
	size_t len = 0;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (strstr(buf_str(&found.said), lines[i]) == NULL) {
			fail_msg("%snot there: %s", buf_str(&found.said), lines[i]);
		}
		len += strlen(lines[i]);
	}
	assert_int_equal(found.said.len, len);
	assert_int_equal(found.n_repairs, 6);
	buf_fini(&found.said);
	runtime_assert_applied(test);
	check(test, "");
}

/* From 3.0 on HAProxy changes an address when it has answered already. */
static void test_new_address(void **state)
{
	struct test *test = *state;
	char address[32];

	for (int i = 1; i <= 8; i++) {
		snprintf(address, sizeof(address), "10.1.1.%d:%d", i, 80 + i);
		struct plan_op op = {.kind = PLAN_OP_SERVER_ADDRESS,
			.backend = "t_svc_file_80",
			.server = "s1",
			.address = address};
		runtime_apply(test, &op, 1);
		runtime_assert_result(test, 1, 0, 0, 0);
		check(test, "");
	}
}

struct churn {
	struct found found;
	struct apply *apply;
	struct plan plan;
	struct plan_op ops[4];
	char keys[4][32];
	unsigned n_passes;
};

static void next_pass(struct churn *churn);

static void on_applied(void *ctx, const struct apply_result *result)
{
	struct churn *churn = ctx;

	assert_int_equal(result->n_refused, 0);
	churn->apply = NULL;
	churn->n_passes++;
	if (churn->found.audit != NULL) {
		audit_on_rest(churn->found.audit);
	}
	if (churn->found.audit != NULL) {
		next_pass(churn);
	} else {
		churn->found.test->is_done = true;
	}
}

/* Adds entries, changes and deletes those of the passes before. */
static void next_pass(struct churn *churn)
{
	struct test *test = churn->found.test;
	const struct apply_target target = {test->cli, test->haproxy->dir, test->applied};
	static const unsigned ages[] = {0, 1, 2, 3};

	churn->plan = (struct plan){.ops = churn->ops};
	for (unsigned i = 0; i < ARRAY_LEN(ages); i++) {
		struct plan_op *op = &churn->ops[churn->plan.n_ops];
		snprintf(churn->keys[i], sizeof(churn->keys[i]), "/churn/%u",
			churn->n_passes - ages[i]);
		*op = (struct plan_op){.kind = i == 0  ? PLAN_OP_MAP_ADD
					       : i < 3 ? PLAN_OP_MAP_SET
						       : PLAN_OP_MAP_DEL,
			.map = MODEL_MAP_EXACT,
			.key = churn->keys[i],
			.value = i < 3 ? churn->keys[i] : NULL};
		churn->plan.n_ops += churn->n_passes >= ages[i];
	}
	audit_on_pass(churn->found.audit, &churn->plan);
	churn->apply = apply_start(&target, &churn->plan, on_applied, churn);
}

/* Passes follow one another without a pause, and the map takes many reads. */
static void test_while_passes_run(void **state)
{
	struct test *test = *state;
	struct plan_op *ops = xcalloc(N_ENTRIES, sizeof(*ops));
	char(*keys)[32] = xcalloc(N_ENTRIES, sizeof(*keys));
	struct churn churn = {0};

	for (size_t i = 0; i < N_ENTRIES; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/some/path/of/a/host/%zu", i);
		ops[i] = (struct plan_op){.kind = PLAN_OP_MAP_ADD,
			.map = MODEL_MAP_EXACT,
			.key = keys[i],
			.value = keys[i]};
	}
	runtime_apply(test, ops, N_ENTRIES);
	runtime_assert_result(test, N_ENTRIES, 0, 0, 0);
	start(&churn.found, test);
	next_pass(&churn);
	while (churn.found.audit != NULL || churn.apply != NULL) {
		runtime_wait(test);
	}
	end(&churn.found, "");
	assert_true(churn.n_passes > 10);
	assert_true(churn.found.counts.n_entries >= N_ENTRIES);
	runtime_assert_applied(test);
	free(ops);
	free(keys);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, runtime_set_up, runtime_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_differs),
		TEST(test_by_hand),
		TEST(test_new_address),
		TEST(test_while_passes_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
