/* Which addresses are left where there is no IPv6. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "haproxy/bindable.h"

static void test_choose(void **state)
{
	static const struct {
		const char *binds;
		const char *chosen;
	} rows[] = {
		{":8080", ":8080"},
		{":8080,[::]:8080", ":8080"},
		{":::8080,:8080", ":8080"},
		{"192.0.2.1:80,[2001:db8::1]:80,192.0.2.2:80", "192.0.2.1:80,192.0.2.2:80"},
		{"[::]:8080", "[::]:8080"},
		{"none", "none"},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *without = bindable_choose(rows[i].binds, false);
		CLEANUP(free_ptr) char *with = bindable_choose(rows[i].binds, true);
		assert_string_equal(without, rows[i].chosen);
		assert_string_equal(with, rows[i].binds);
	}
	assert_null(bindable_choose(NULL, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_choose)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
