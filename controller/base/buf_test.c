/* Growable strings: growth, the limit with its sticky failure, taking out and handing over. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void test_empty(void **state)
{
	struct buf buf = {0};

	(void)state;
	assert_string_equal(buf_str(&buf), "");
	assert_true(buf_is_ok(&buf));
	buf_consume(&buf, 0);
	buf_clear(&buf);
	buf_append(&buf, NULL, 0);
	assert_string_equal(buf_str(&buf), "");
	buf_fini(&buf);
	buf_fini(&buf);

	char *text = buf_take(&buf);
	assert_string_equal(text, "");
	free(text);
}

static void test_appends(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	buf_append(&buf, "a\0b", 3);
	buf_append_str(&buf, "cd");
	buf_append_char(&buf, 'e');
	buf_printf(&buf, "%d%s", 12, "");
	assert_int_equal(buf.len, 8);
	assert_memory_equal(buf.data, "a\0bcde12", 9);
	buf_consume(&buf, 3);
	assert_string_equal(buf_str(&buf), "cde12");
	buf_consume(&buf, 5);
	assert_string_equal(buf_str(&buf), "");
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
}

/* Byte by byte over every size at which memory grows: the content and its NUL are always there. */
static void test_growth(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	for (size_t i = 0; i < 5000; i++) {
		buf_append_char(&buf, (char)('a' + i % 26));
		assert_int_equal(buf.len, i + 1);
		assert_int_equal(strlen(buf_str(&buf)), i + 1);
	}
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(buf.data[i], 'a' + (int)(i % 26));
	}
	buf_fini(&buf);
}

static void test_printf_growth(void **state)
{
	struct buf buf = BUF_INIT(0);
	size_t expected = 0;

	(void)state;
	for (int i = 0; i < 300; i++) {
		buf_printf(&buf, "%*s|", i, "x");
		expected += (size_t)(i > 1 ? i : 1) + 1;
		assert_int_equal(buf.len, expected);
		assert_int_equal(buf.data[buf.len - 1], '|');
		assert_int_equal(buf.data[buf.len], '\0');
	}
	buf_fini(&buf);
}

static void test_limit(void **state)
{
	struct buf buf = BUF_INIT(4);

	(void)state;
	buf_append_str(&buf, "abcd");
	assert_true(buf_is_ok(&buf));
	buf_append(&buf, "", 0);
	assert_true(buf_is_ok(&buf));
	buf_append_char(&buf, 'e');
	assert_false(buf_is_ok(&buf));
	assert_string_equal(buf_str(&buf), "abcd");

	buf_consume(&buf, 4);
	buf_append_char(&buf, 'x');
	assert_false(buf_is_ok(&buf));
	assert_string_equal(buf_str(&buf), "");

	buf_clear(&buf);
	assert_true(buf_is_ok(&buf));
	buf_printf(&buf, "%s", "12345");
	assert_false(buf_is_ok(&buf));
	assert_string_equal(buf_str(&buf), "");
	buf_clear(&buf);
	buf_append(&buf, "x", SIZE_MAX);
	assert_false(buf_is_ok(&buf));
	assert_int_equal(buf.len, 0);
	buf_fini(&buf);
}

static void test_take(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 8);
	buf_append_str(&buf, "one");
	char *one = buf_take(&buf);
	assert_string_equal(one, "one");
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf_str(&buf), "");
	buf_append_str(&buf, "two two");
	assert_string_equal(buf_str(&buf), "two two");
	buf_append_str(&buf, "  ");
	assert_false(buf_is_ok(&buf));
	free(one);
	buf_fini(&buf);
}

static bool has_byte(const struct buf *buf, size_t from, char c)
{
	return from < buf->size && memchr(buf->data + from, c, buf->size - from) != NULL;
}

static void test_secret(void **state)
{
	struct buf buf = BUF_INIT(0);

	(void)state;
	buf_append_str(&buf, "open ");
	memset(buf.data + buf.len, 0, buf.size - buf.len);
	buf.is_secret = true;
	for (int i = 0; i < 40; i++) {
		buf_append_char(&buf, 's');
	}
	buf_consume(&buf, 25);
	assert_int_equal(buf.len, 20);
	assert_false(has_byte(&buf, buf.len, 's'));
	buf_clear(&buf);
	assert_false(has_byte(&buf, 0, 's'));
	assert_true(buf.is_secret);
	/* Grows more than once, through the copy. */
	for (int i = 0; i < 1000; i++) {
		buf_append_char(&buf, (char)('a' + i % 26));
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(buf.data[i], 'a' + i % 26);
	}
	buf_fini(&buf);
	assert_false(buf.is_secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_printf_growth),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
