/* Tests of the file of settings in haproxy/state on a real directory. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "haproxy/state.h"
#include "haproxy/state_testing.h"

#define ONE "HEADGATE_A 1\n"
#define TWO "HEADGATE_A 2\n"

static char *content(const struct fixture *f, const char *suffix)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s%s", state_settings_file(f->state), suffix);
	FILE *file = fopen(path, "re");
	char *text = xcalloc(1, 8192);

	if (file != NULL) {
		assert_true(fread(text, 1, 8191, file) < 8191);
		fclose(file);
	}
	return text;
}

static void want(const struct fixture *f, const char *line)
{
	CLEANUP(free_ptr) char *text = content(f, "");
	CLEANUP(free_ptr) char *whole = xasprintf("\tsetenv %s\n", line);

	assert_non_null(strstr(text, "\nglobal\n"));
	if (strstr(text, whole) == NULL) {
		fail_msg("no %s in\n%s", line, text);
	}
}

static bool has_old(const struct fixture *f)
{
	CLEANUP(free_ptr) char *text = content(f, ".old");

	return text[0] != '\0';
}

static void settle(const struct fixture *f, const char *settings, const char *wanted)
{
	char digest[MODEL_DIGEST_SIZE];

	model_digest_settings(digest, settings);
	state_settle_settings(f->state, digest, wanted);
}

static void try(const struct fixture *f, const char *settings)
{
	struct err err = {0};

	assert_true(state_try_settings(f->state, settings, &err));
}

static void test_begins_with_the_standard(void **test)
{
	struct fixture *f;
	struct err err = {0};

	assert_int_equal(testing_open_state(test), 0);
	f = *test;
	want(f, "HEADGATE_TIMEOUT_CLIENT '60000ms'");
	assert_int_equal(unlink(state_settings_file(f->state)), 0);
	assert_true(state_check_settings(f->state, &err));
	want(f, "HEADGATE_TIMEOUT_CLIENT '60000ms'");
	testing_remove_state(f);
}

static void test_trial(void **test)
{
	struct fixture *f;

	assert_int_equal(testing_open_state(test), 0);
	f = *test;
	try(f, ONE);
	want(f, "HEADGATE_A '1'");
	assert_true(has_old(f));
	/* HAProxy has taken them. */
	settle(f, ONE, ONE);
	assert_false(has_old(f));
	/* Written anew though they are the same: a HAProxy that was started without some of its
	 * ports is to see that (left_out.h). */
	CLEANUP(free_ptr) char *before = content(f, "");
	try(f, ONE);
	CLEANUP(free_ptr) char *after = content(f, "");
	assert_string_not_equal(before, after);
	settle(f, ONE, ONE);
	assert_false(has_old(f));
	/* And the next it has not; those that it runs with stay, however often it is tried. */
	try(f, TWO);
	try(f, "HEADGATE_A 3\n");
	state_undo_settings(f->state);
	want(f, "HEADGATE_A '1'");
	assert_false(has_old(f));
	state_undo_settings(f->state);
	want(f, "HEADGATE_A '1'");
	testing_remove_state(f);
}

/* Another controller finds settings on trial, and HAProxy with those before. */
static void test_killed_in_between(void **test)
{
	struct fixture *f;
	struct err err = {0};

	assert_int_equal(testing_open_state(test), 0);
	f = *test;
	try(f, ONE);
	settle(f, ONE, ONE);
	try(f, TWO);
	state_close(f->state);
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	want(f, "HEADGATE_A '2'");
	settle(f, ONE, TWO);
	want(f, "HEADGATE_A '1'");
	assert_false(has_old(f));
	/* The file is lost, and HAProxy runs with what is wanted. */
	assert_int_equal(unlink(state_settings_file(f->state)), 0);
	assert_true(state_check_settings(f->state, &err));
	settle(f, ONE, ONE);
	want(f, "HEADGATE_A '1'");
	/* Nobody knows what it runs with. */
	state_settle_settings(f->state, "", TWO);
	state_settle_settings(f->state, "0123456789abcdef", TWO);
	want(f, "HEADGATE_A '1'");
	testing_remove_state(f);
}

static void test_refuses(void **test)
{
	static const char *const bad[] = {"HEADGATE_A it's\n", "HEADGATE_A a\tb\n", "PATH /tmp\n",
		"HEADGATE_A\n", "HEADGATE_a 1\n", "HEADGATE_A 1"};
	struct fixture *f;

	assert_int_equal(testing_open_state(test), 0);
	f = *test;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = {0};
		assert_false(state_try_settings(f->state, bad[i], &err));
		assert_int_equal(err.kind, ERR_INPUT);
		want(f, "HEADGATE_TIMEOUT_CLIENT '60000ms'");
	}
	testing_remove_state(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begins_with_the_standard),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_killed_in_between),
		cmocka_unit_test(test_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
