/* Which regular expressions may reach HAProxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/attr.h"
#include "option/regex.h"

static const struct {
	const char *pattern;
	unsigned n_groups;
	const char *fault; /* NULL = may be used */
} cases[] = {
	{"", 0, NULL},
	{"/foo/(.*)", 1, NULL},
	{"^/api/v[0-9]+/(.*)$", 1, NULL},
	{"^(?:a|b)/([^/]*)/(x{2,5})?$", 2, NULL},
	{"[]a]\\.\\d+[^]b][[:alpha:]]", 0, NULL},
	{"a*?b++", 0, NULL},
	{"(.+\\.)?example", 1, NULL},
	{"(ab){3}", 1, NULL},
	{"a.*b.*c.*d.*", 0, NULL},
	{"a.*b.*c.*d.*e.*", 0, "more than 4"},
	{"a{0,9}b{1,9}c{2,}d*e{3,4}", 0, "more than 4"},
	{"a{9}b{9}c{9}d{9}e{9}", 0, NULL},
	{"(a+)+", 0, "can take very long"},
	{"(a|aa)*", 0, "can take very long"},
	{"((a?){30}){30}", 0, "can take very long"},
	{"(a{1,30}){1,30}", 0, "can take very long"},
	{"(a)\\1", 0, "refers back"},
	{"(?=a)", 0, "begins with (?"},
	{"(?<name>a)", 0, "begins with (?"},
	{"(?i)a", 0, "begins with (?"},
	{"(*UTF)a", 0, "begins with (*"},
	{"(?R)", 0, "begins with (?"},
	{"\\Qa\\E", 0, "escape other than"},
	{"\\K", 0, "escape other than"},
	{"a\\", 0, "ends with a backslash"},
	{"(a", 0, "'(' without"},
	{"a)", 0, "')' without"},
	{"[a", 0, "'[' without"},
	{"[a\\", 0, "'[' without"},
	{"*a", 0, "repeats nothing"},
	{"a**", 0, "repeats nothing"},
	{"(|*)", 0, "repeats nothing"},
	{"^*", 0, "repeats nothing"},
	{"a{", 0, "begins no count"},
	{"a{x}", 0, "begins no count"},
	{"a{1", 0, "not like {2}"},
	{"a{1,256}", 0, "not like {2}"},
	{"a{-1}", 0, "begins no count"},
	{"((((((((()))))))))", 0, "too many layers"},
	{"()()()()()()()()()()", 0, "more than 9"},
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned n_groups = 99;
		const char *fault = regex_check(cases[i].pattern, &n_groups);
		if (cases[i].fault == NULL) {
			assert_null(fault);
			assert_int_equal(n_groups, cases[i].n_groups);
		} else {
			assert_non_null(fault);
			assert_non_null(strstr(fault, cases[i].fault));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
