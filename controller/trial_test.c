/* Tests of trial.c: how often a constant configuration is tried, and what a HAProxy that goes on
 * with another version's may be asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dir_testing.h"
#include "plan/plan.h"
#include "trial.h"

#define CONFIGURATION (1u << PLAN_REASON_CONFIGURATION)
#define N_TRIES	      4

struct fixture {
	char directory[64];
	struct model_options options;
	struct model *model;
	struct trial trial;
	struct caps caps; /* as they are after what was done last */
};

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};

	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-trial.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->trial.state = state_open(f->directory, &err);
	assert_non_null(f->trial.state);
	f->model = model_new(&f->options);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	state_close(f->trial.state);
	model_free(f->model);
	testing_remove_dir(f->directory);
	free(f);
	return 0;
}

/* HAProxy is read back; false = its configuration is another version's. */
static void settle(struct fixture *f, bool is_ours)
{
	struct observation found = {
		.applied = applied_new(), .caps = {.awaits_configuration = !is_ours}};

	trial_settle(&f->trial, f->model, &found);
	f->caps = found.caps;
	applied_free(found.applied);
}

static void begin(struct fixture *f, uint32_t reasons)
{
	struct err err = {0};

	if (!trial_begin(&f->trial, f->model, reasons, &err)) {
		fail_msg("%s", err.text);
	}
}

static void fail_now(struct fixture *f)
{
	trial_fail(&f->trial, "no", &f->caps);
}

static void test_taken(void **state)
{
	struct fixture *f = *state;

	settle(f, false);
	assert_true(f->caps.awaits_configuration);
	assert_true(trial_expects_configuration(&f->trial));
	begin(f, CONFIGURATION);
	/* What the new worker lacks it will go on lacking. */
	assert_false(trial_expects_configuration(&f->trial));
	settle(f, true);
	assert_false(f->caps.awaits_configuration);
	assert_true(trial_expects_configuration(&f->trial));
}

/* One reload, and no second one for whatever happens, until somebody asks for it. */
static void test_same_files_again(void **state)
{
	struct fixture *f = *state;

	settle(f, false);
	begin(f, CONFIGURATION);
	settle(f, false);
	for (int i = 0; i < 3; i++) {
		assert_false(f->caps.awaits_configuration);
		assert_false(trial_expects_configuration(&f->trial));
		begin(f, 1u << PLAN_REASON_BACKEND_SET);
		settle(f, false);
	}
	trial_forget(&f->trial);
	assert_true(trial_expects_configuration(&f->trial));
	settle(f, false);
	assert_true(f->caps.awaits_configuration);
	begin(f, CONFIGURATION);
	settle(f, true);
	/* The next one is tried as well. */
	settle(f, false);
	assert_true(f->caps.awaits_configuration);
}

static void test_refused(void **state)
{
	struct fixture *f = *state;

	settle(f, false);
	for (int i = 0; i < N_TRIES; i++) {
		assert_true(f->caps.awaits_configuration);
		begin(f, CONFIGURATION);
		fail_now(f);
		/* The old worker may lack what it has lacked, while there is hope. */
		assert_int_equal(trial_expects_configuration(&f->trial), i < N_TRIES - 1);
		settle(f, false);
	}
	assert_false(f->caps.awaits_configuration);
}

/* Those of another version are others even when nobody has set any. */
static void test_settings_come_along(void **state)
{
	struct fixture *f = *state;
	struct err err = {0};
	CLEANUP(free_ptr) char *path = xasprintf("%s/settings.cfg.old", f->directory);

	assert_true(state_try_settings(f->trial.state, "HEADGATE_TIMEOUT_CLIENT 1ms\n", &err));
	assert_int_equal(remove(path), 0);
	begin(f, 1u << PLAN_REASON_BACKEND_SET);
	assert_int_not_equal(access(path, F_OK), 0);
	for (int i = 0; i < N_TRIES; i++) {
		begin(f, CONFIGURATION);
		/* Twice with them, then without: they may have been the reason. */
		assert_int_equal(access(path, F_OK) == 0, i < N_TRIES / 2);
		fail_now(f);
		assert_int_not_equal(access(path, F_OK), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_taken),
		TEST(test_same_files_again),
		TEST(test_refused),
		TEST(test_settings_come_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
