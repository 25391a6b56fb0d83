/* Errors: kinds, context in front, and texts that are too long. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/err.h"

static void test_set_and_wrap(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(err.kind, ERR_NONE);
	assert_false(err_set(&err, ERR_RETRY, "connection to %s refused", "10.0.0.1"));
	assert_int_equal(err.kind, ERR_RETRY);
	assert_string_equal(err.text, "connection to 10.0.0.1 refused");
	assert_false(err_wrap(&err, "list %s", "services"));
	assert_int_equal(err.kind, ERR_RETRY);
	assert_string_equal(err.text, "list services: connection to 10.0.0.1 refused");
	assert_false(err_set(&err, ERR_INPUT, "%s", ""));
	assert_string_equal(err.text, "");
	assert_int_equal(err.kind, ERR_INPUT);
}

static void test_hostile_text(void **state)
{
	struct err err = {0};

	(void)state;
	assert_false(err_set(&err, ERR_PROTO, "answer '%s'", "%s%n%d"));
	assert_false(err_wrap(&err, "%s", "%x"));
	assert_string_equal(err.text, "%x: answer '%s%n%d'");
}

static void test_long_text(void **state)
{
	char text[2 * ERR_TEXT_SIZE];
	struct err err = {0};

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, ERR_GONE, "%s", text);
	assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
	err_wrap(&err, "context");
	assert_int_equal(strlen(err.text), ERR_TEXT_SIZE - 1);
	assert_memory_equal(err.text, "context: aaa", 12);
	text[ERR_TEXT_SIZE - 3] = '\0';
	for (int i = 0; i < 4; i++) {
		text[ERR_TEXT_SIZE - 3 + i] = '\0';
		err_set(&err, ERR_GONE, "inner");
		err_wrap(&err, "%s", text);
		assert_in_range(strlen(err.text), ERR_TEXT_SIZE - 3, ERR_TEXT_SIZE - 1);
		assert_int_equal(err.kind, ERR_GONE);
		text[ERR_TEXT_SIZE - 3 + i] = 'a';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_and_wrap),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
