/* Any bytes give one JSON string of valid UTF-8, and never more of it than was asked for. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <string.h>

#include "base/attr.h"
#include "base/json.h"

static void check(const char *text, size_t max_size, const char *expected)
{
	struct buf buf = BUF_INIT(0);

	json_append_text(&buf, text, max_size);
	assert_string_equal(buf_str(&buf), expected);
	buf_fini(&buf);
}

static void test_texts(void **state)
{
	(void)state;
	check("", 10, "\"\"");
	check("plain", JSON_TEXT_WHOLE, "\"plain\"");
	check("a\"b\\c", 10, "\"a\\\"b\\\\c\"");
	check("a\nb\x01\x7f", 10, "\"a\\u000ab\\u0001\\u007f\"");
	check("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 20,
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
	/* No UTF-8: stray, cut short, overlong, a surrogate, beyond the last character. */
	check("a\xff", 10, "\"a\xef\xbf\xbd\"");
	check("a\xe2\x82", 10, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
	check("\xc0\xaf", 10, "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	check("\xed\xa0\x80", 20, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check("\xf4\x90\x80\x80", 20, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_cut(void **state)
{
	(void)state;
	check("12345678", 8, "\"12345678\"");
	check("123456789", 8, "\"12345...\"");
	check("1234\xe2\x82\xac\xe2\x82\xac", 9, "\"1234...\"");
	check("1234\xe2\x82\xac\xe2\x82\xac", 10, "\"1234\xe2\x82\xac\xe2\x82\xac\"");
	check("\xff\xff\xff\xff", 8, "\"\xef\xbf\xbd...\"");
}

/* All pairs and some longer runs of bytes, read back by somebody else. */
static void test_any_bytes(void **state)
{
	(void)state;
	for (unsigned i = 1; i < 65536; i++) {
		char text[] = {(char)(i >> 8), (char)i, 'x', (char)(i >> 4), '\0'};
		struct buf buf = BUF_INIT(0);
		const char *start = text[0] == '\0' ? text + 1 : text;
		if (i >> 8 != 0 && (i & 0xff) == 0) {
			continue;
		}
		json_append_text(&buf, start, 9);
		struct json_tokener *tokener = json_tokener_new();
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
		struct json_object *json =
			json_tokener_parse_ex(tokener, buf_str(&buf), (int)buf.len + 1);
		if (!json_object_is_type(json, json_type_string)) {
			fail_msg("%u: %s", i, buf_str(&buf));
		}
		assert_true(json_object_get_string_len(json) <= 9);
		json_object_put(json);
		json_tokener_free(tokener);
		buf_fini(&buf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
