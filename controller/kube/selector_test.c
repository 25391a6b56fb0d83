/* Label selectors: what each form chooses, and what is none. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/alloc.h"
#include "kube/selector.h"

static const struct {
	const char *selector;
	const char *labels; /* JSON; NULL = the object has none */
	bool is_chosen;
} choices[] = {
	{"a", "{\"a\":\"\"}", true},
	{"a", "{\"b\":\"a\"}", false},
	{"a", NULL, false},
	{"a", "[]", false},
	{"a", "{\"a\":null}", false},
	{"!a", "{\"a\":\"\"}", false},
	{"!a", "{\"b\":\"1\"}", true},
	{"! a", NULL, true},
	{"a=1", "{\"a\":\"1\"}", true},
	{"a==1", "{\"a\":\"1\"}", true},
	{" a = 1 ", "{\"a\":\"1\"}", true},
	{"a=1", "{\"a\":\"11\"}", false},
	{"a=1", "{\"a\":1}", false},
	{"a=1", NULL, false},
	{"a=", "{\"a\":\"\"}", true},
	{"a=", "{\"a\":\"1\"}", false},
	{"a=,b", "{\"a\":\"\",\"b\":\"\"}", true},
	{"a!=1", "{\"a\":\"1\"}", false},
	{"a!=1", "{\"a\":\"2\"}", true},
	{"a!=1", NULL, true},
	{"a in (1,2)", "{\"a\":\"2\"}", true},
	{"a in (1,2)", "{\"a\":\"3\"}", false},
	{"a in(1)", "{\"a\":\"1\"}", true},
	{"a in ( 1 , 2 )", "{\"a\":\"1\"}", true},
	{"a in (,2)", "{\"a\":\"\"}", true},
	{"a in (1,2)", NULL, false},
	{"a notin (1,2)", "{\"a\":\"2\"}", false},
	{"a notin (1,2)", "{\"a\":\"3\"}", true},
	{"a notin (1,2)", NULL, true},
	{"in", "{\"in\":\"x\"}", true},
	{"in in (in)", "{\"in\":\"in\"}", true},
	{"notin=x", "{\"notin\":\"x\"}", true},
	{"a=1,b=2", "{\"a\":\"1\",\"b\":\"2\"}", true},
	{"a=1,b=2", "{\"a\":\"1\"}", false},
	{"a=1 , !b , c in (x,y) , d", "{\"a\":\"1\",\"c\":\"y\",\"d\":\"\"}", true},
	{"a=1,a=2", "{\"a\":\"1\"}", false},
	{"example.com/team=shop-1_a.B", "{\"example.com/team\":\"shop-1_a.B\"}", true},
};

static const char *const mistakes[] = {"", " ", ",", "a,", ",a", "a b", "=1", "a=1=2", "a=1 2",
	"a in", "a in 1", "a in ()x", "a in (1", "a in (1;2)", "a notin", "a not in (1)", "!",
	"!a=1", "a>1", "a<1", "a=b c", "-a", "a-", "a=-", "a=b/c", "a=\n", "a;b", "a=\"1\"", "a&b",
	"\xc3\xa9", "a in (1,2))", "((a))"};

static void test_choices(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		struct err err = {0};
		struct json_object *labels =
			choices[i].labels ? json_tokener_parse(choices[i].labels) : NULL;
		struct selector *selector = selector_parse(choices[i].selector, &err);
		if (selector == NULL) {
			fail_msg("%s", err.text);
		}
		if (selector_matches(selector, labels) != choices[i].is_chosen) {
			fail_msg("'%s' and %s", choices[i].selector, choices[i].labels);
		}
		selector_free(selector);
		json_object_put(labels);
	}
}

static void test_mistakes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		struct err err = {0};
		struct selector *selector = selector_parse(mistakes[i], &err);
		if (selector != NULL) {
			fail_msg("'%s' was taken", mistakes[i]);
		}
		assert_int_equal(err.kind, ERR_INPUT);
	}
}

static void test_limits(void **state)
{
	char text[SELECTOR_MAX_LEN + 2];
	struct err err = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	text[1] = '=';
	text[65] = '\0';
	struct selector *selector = selector_parse(text, &err); /* a value of 62 characters */
	assert_non_null(selector);
	selector_free(selector);
	text[64] = 'a';
	text[66] = '\0'; /* 64 */
	text[65] = 'a';
	assert_null(selector_parse(text, &err));
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_null(selector_parse(text, &err));
	selector_free(NULL);
}

static void test_message(void **state)
{
	struct err err = {0};

	(void)state;
	assert_null(selector_parse("a=1 2", &err));
	assert_string_equal(
		err.text, "'a=1 2' is not a label selector: ',' or the end must be at character 5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choices),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
