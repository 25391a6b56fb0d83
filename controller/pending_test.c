/* Keys that passes leave over: what is added, what a pass leaves, and that they never grow without
 * end. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "pending.h"

static struct model_delta delta_of(const char *key, const char *backend)
{
	struct model_delta delta = {0};

	if (key != NULL) {
		delta.entries = xcalloc(1, sizeof(*delta.entries));
		delta.entries[delta.n_entries++] =
			(struct model_delta_entry){MODEL_MAP_PREFIX, xstrdup(key)};
	}
	if (backend != NULL) {
		delta.backends = xcalloc(1, sizeof(*delta.backends));
		delta.backends[delta.n_backends++] = xstrdup(backend);
	}
	return delta;
}

static void take(struct pending *pending, const char *key, const char *backend)
{
	struct model_delta delta = delta_of(key, backend);

	pending_take(pending, &delta);
	assert_null(delta.entries);
	assert_null(delta.backends);
	assert_int_equal(delta.n_entries + delta.n_backends, 0);
}

static void test_take(void **state)
{
	struct pending pending = {0};

	(void)state;
	take(&pending, NULL, NULL);
	assert_int_equal(pending.delta.n_entries + pending.delta.n_backends, 0);
	take(&pending, "a", NULL);
	take(&pending, NULL, NULL);
	take(&pending, "b", "x");
	take(&pending, NULL, "y");
	assert_int_equal(pending.delta.n_entries, 2);
	assert_int_equal(pending.delta.n_backends, 2);
	assert_string_equal(pending.delta.entries[1].key, "b");
	assert_string_equal(pending.delta.backends[0], "x");
	assert_string_equal(pending.delta.backends[1], "y");
	pending_fini(&pending);
	pending_fini(&pending);
}

static void test_keep_busy(void **state)
{
	struct plan_op ops[] = {
		{.kind = PLAN_OP_SERVER_DEL, .result = PLAN_BUSY, .backend = "x"},
		{.kind = PLAN_OP_SERVER_DEL, .result = PLAN_DONE, .backend = "y"},
		{.kind = PLAN_OP_BACKEND_DEL, .result = PLAN_BUSY, .backend = "x"},
		{.kind = PLAN_OP_MAP_DEL, .result = PLAN_DONE, .key = "k"},
	};
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
	struct pending pending = {.is_everything = true};

	(void)state;
	take(&pending, "k", "y");
	(void)pending_keep_busy(&pending, &plan);
	assert_false(pending.is_everything);
	assert_int_equal(pending.delta.n_entries, 0);
	assert_in_range(pending.delta.n_backends, 1, 2);
	assert_string_equal(pending.delta.backends[0], "x");
	plan.n_ops = 0;
	(void)pending_keep_busy(&pending, &plan);
	assert_int_equal(pending.delta.n_backends, 0);
	pending_fini(&pending);
}

static void test_keep_half_way(void **state)
{
	char name[] = "a_b_0";
	struct plan_op ops[] = {
		{.kind = PLAN_OP_CERT_UNLIST, .result = PLAN_DONE, .certificate = "gone"},
		{.kind = PLAN_OP_CERT_DEL, .result = PLAN_DONE, .certificate = "gone"},
		{.kind = PLAN_OP_CERT_UNLIST, .result = PLAN_REFUSED, .certificate = "refused"},
		{.kind = PLAN_OP_CERT_UNLIST, .result = PLAN_DONE, .certificate = name},
	};
	struct plan plan = {.ops = ops, .n_ops = 2};
	struct pending pending = {0};

	(void)state;
	assert_false(pending_keep_busy(&pending, &plan));
	assert_int_equal(pending.delta.n_certificates, 0);
	plan.n_ops = ARRAY_LEN(ops);
	assert_true(pending_keep_busy(&pending, &plan));
	assert_int_equal(pending.delta.n_certificates, 1);
	assert_string_equal(pending.delta.certificates[0], name);
	pending_fini(&pending);
}

/* What waits for a reload is looked at again by every pass until then. */
static void test_keep_withheld(void **state)
{
	struct plan plan = {.reasons = 1u << PLAN_REASON_BACKEND_SET};
	struct pending pending = {0};

	(void)state;
	take(&pending, "k", "x");
	(void)pending_keep_busy(&pending, &plan);
	assert_int_equal(pending.delta.n_entries, 1);
	assert_int_equal(pending.delta.n_backends, 1);
	pending.is_everything = true;
	(void)pending_keep_busy(&pending, &plan);
	assert_true(pending.is_everything);
	plan.reasons = 0;
	(void)pending_keep_busy(&pending, &plan);
	assert_false(pending.is_everything);
	assert_int_equal(pending.delta.n_entries, 0);
	pending_fini(&pending);
}

static void test_limit(void **state)
{
	struct pending pending = {0};

	(void)state;
	for (size_t i = 0; i < PENDING_MAX_KEYS; i++) {
		take(&pending, "same key", NULL);
	}
	assert_int_equal(pending.delta.n_entries, PENDING_MAX_KEYS);
	assert_false(pending.is_everything);
	take(&pending, "one more", "x");
	assert_true(pending.is_everything);
	assert_int_equal(pending.delta.n_entries + pending.delta.n_backends, 0);
	pending_fini(&pending);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_keep_busy),
		cmocka_unit_test(test_keep_half_way),
		cmocka_unit_test(test_keep_withheld),
		cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
