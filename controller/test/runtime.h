/*
 * For component tests of haproxy/: a HAProxy with a small configuration, a connection to it, what
 * was read back from it, and calls that run the event loop until the answer is there. Failures end
 * the test.
 */
#ifndef HG_TEST_RUNTIME_H
#define HG_TEST_RUNTIME_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <event2/event.h>

#include "base/attr.h"
#include "base/err.h"
#include "haproxy.h"
#include "haproxy/apply.h"
#include "haproxy/observe.h"
#include "plan/applied.h"
#include "plan/plan.h"

struct test {
	struct haproxy *haproxy;
	struct event_base *base;
	struct cli *cli;
	const char *map_dir; /* where HAProxy's maps and certificates are; borrowed */
	struct applied *applied;
	struct caps caps;
	long pid;
	struct err err;
	struct apply_result result;
	enum plan_op_kind first_refused;
	char *text; /* of the last answer, or first_text of the last apply */
	unsigned n_lost;
	bool is_done;
};

/* For cmocka: *state is a struct test that is connected and has read everything back. */
int runtime_set_up(void **state);
int runtime_tear_down(void **state);

#define RUNTIME_TEST(name) cmocka_unit_test_setup_teardown(name, runtime_set_up, runtime_tear_down)

/* Until a callback below has set is_done. */
void runtime_wait(struct test *test);

/* Callbacks for observe_start() and apply_start(). */
void runtime_on_observed(void *ctx, struct observation *observation, const struct err *err);
void runtime_on_applied(void *ctx, const struct apply_result *result);

/* test->applied (or test->err), test->caps and test->pid are what HAProxy has now. */
void runtime_observe(struct test *test);

/* The same; it must be possible. */
void runtime_read_back(struct test *test);

/* Connects to this runtime socket, and reads everything back. */
void runtime_connect(struct test *test, const char *socket);

/* test->result is how it went; test->text HAProxy's words about the first refusal. */
void runtime_apply(struct test *test, struct plan_op *ops, size_t n_ops);

/* The same; each of them must be done. */
void runtime_apply_all(struct test *test, struct plan_op *ops, size_t n_ops);

/* The answer to one command. */
const char *runtime_ask(struct test *test, const char *command);

/* applied_dump() as a string that the caller frees. */
char *runtime_dump(const struct applied *applied) MUST_USE;

/* What test->applied says is what HAProxy has. */
void runtime_assert_applied(struct test *test);

void runtime_assert_result(
	const struct test *test, size_t n_done, size_t n_busy, size_t n_refused, size_t n_skipped);

/* Operations in short. */
#define BACKEND(op, name)                                                                          \
	{                                                                                          \
		.kind = PLAN_OP_BACKEND_##op, .backend = (name)                                    \
	}
#define SERVER(op, in, name)                                                                       \
	{                                                                                          \
		.kind = PLAN_OP_SERVER_##op, .backend = (in), .server = (name)                     \
	}
#define SERVER_AT(op, in, name, at)                                                                \
	{                                                                                          \
		.kind = PLAN_OP_SERVER_##op, .backend = (in), .server = (name), .address = (at)    \
	}
#define ENTRY(op, in, k, v)                                                                        \
	{                                                                                          \
		.kind = PLAN_OP_MAP_##op, .map = MODEL_MAP_##in, .key = (k), .value = (v)          \
	}

#endif
