/*
 * Log lines hold whatever a tenant wrote: no bytes may break a line, a pair or the JSON. Lines of
 * log_line() are read back from a pipe in the place of stderr.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/alloc.h"
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static void check_line(enum log_format format, const char *value, const char *expected)
{
	struct log_pair pairs[] = {{"msg", "m"}, {"v", value}};
	struct buf line = BUF_INIT(0);

	log_format_line(&line, format, pairs, ARRAY_LEN(pairs));
	assert_string_equal(buf_str(&line), expected);
	buf_fini(&line);
}

static void test_logfmt(void **state)
{
	static const struct {
		const char *value;
		const char *expected;
	} cases[] = {
		{"plain", "msg=m v=plain"},
		{"/a,b:c[0]", "msg=m v=/a,b:c[0]"},
		{"", "msg=m v=\"\""},
		{"two words", "msg=m v=\"two words\""},
		{"a=b", "msg=m v=\"a=b\""},
		{"q\"q", "msg=m v=\"q\\\"q\""},
		{"back\\slash", "msg=m v=\"back\\\\slash\""},
		{"x\nlevel=error msg=forged", "msg=m v=\"x\\nlevel=error msg=forged\""},
		{"\r\t\x01\x1b[31m\x7f", "msg=m v=\"\\u000d\\u0009\\u0001\\u001b[31m\\u007f\""},
		{"\xc3\xa9\xff", "msg=m v=\"\\u00c3\\u00a9\\u00ff\""},
		{"%n%s%d", "msg=m v=%n%s%d"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		check_line(LOG_FORMAT_LOGFMT, cases[i].value, cases[i].expected);
	}
}

/* Bytes become the characters of the same number: what json-c reads, in UTF-8, is the value again.
 */
static void check_json_text(const char *text, const unsigned char *value, size_t len)
{
	const unsigned char *out = (const unsigned char *)text;

	for (size_t i = 0; i < len; i++) {
		if (value[i] < 0x80) {
			assert_int_equal(*out++, value[i]);
		} else {
			assert_int_equal(*out++, 0xc0 | value[i] >> 6);
			assert_int_equal(*out++, 0x80 | (value[i] & 0x3f));
		}
	}
	assert_int_equal(*out, '\0');
}

static void check_json(const char *value, size_t len)
{
	struct log_pair pairs[] = {{"msg", "m"}, {"v", value}};
	struct buf line = BUF_INIT(0);
	struct json_object *text;

	log_format_line(&line, LOG_FORMAT_JSON, pairs, ARRAY_LEN(pairs));
	for (size_t i = 0; i < line.len; i++) {
		assert_in_range((unsigned char)line.data[i], 0x20, 0x7e);
	}
	struct json_object *json = json_tokener_parse(buf_str(&line));
	assert_non_null(json);
	assert_int_equal(json_object_object_length(json), 2);
	assert_true(json_object_object_get_ex(json, "v", &text));
	check_json_text(json_object_get_string(text), (const unsigned char *)value, len);
	json_object_put(json);
	buf_fini(&line);
}

static void test_json(void **state)
{
	char all[256];

	(void)state;
	for (int c = 1; c < 256; c++) {
		char one[] = {'a', (char)c, 'z', '\0'};
		check_json(one, 3);
		all[c - 1] = (char)c;
	}
	all[255] = '\0';
	check_json(all, 255);
	check_json("", 0);
	check_json("\",\"level\":\"error\"}\n{\"", strlen("\",\"level\":\"error\"}\n{\""));
	check_line(LOG_FORMAT_JSON, "x", "{\"msg\":\"m\",\"v\":\"x\"}");
}

static void check_long_value(enum log_format format, char c)
{
	char *value = xmalloc(LOG_MAX_VALUE_LEN + 2);
	struct log_pair pair = {"v", value};

	assert_non_null(value);
	for (size_t len = LOG_MAX_VALUE_LEN - 1; len <= LOG_MAX_VALUE_LEN + 1; len++) {
		struct buf line = BUF_INIT(0);
		memset(value, c, len);
		value[len] = '\0';
		log_format_line(&line, format, &pair, 1);
		bool is_cut = strstr(buf_str(&line), "...\"") != NULL;
		assert_int_equal(is_cut, len > LOG_MAX_VALUE_LEN);
		assert_true(line.len < LOG_MAX_VALUE_LEN * 6 + 20);
		buf_fini(&line);
	}
	free(value);
}

static void test_long_values(void **state)
{
	(void)state;
	check_long_value(LOG_FORMAT_LOGFMT, 'a');
	check_long_value(LOG_FORMAT_LOGFMT, '\n');
	check_long_value(LOG_FORMAT_JSON, 'a');
	check_long_value(LOG_FORMAT_JSON, '\x01');
}

/* ---- whole lines ---- */

struct capture {
	FILE *file;
	int saved_stderr;
	char text[65536];
};

static void capture_begin(struct capture *capture)
{
	capture->file = tmpfile();
	assert_non_null(capture->file);
	fflush(stderr);
	capture->saved_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(capture->file), STDERR_FILENO) >= 0);
}

static void capture_end(struct capture *capture)
{
	dup2(capture->saved_stderr, STDERR_FILENO);
	close(capture->saved_stderr);
	rewind(capture->file);
	size_t len = fread(capture->text, 1, sizeof(capture->text) - 1, capture->file);
	capture->text[len] = '\0';
	fclose(capture->file);
}

static int reset_log(void **state)
{
	(void)state;
	log_set_level(LOG_INFO);
	log_set_format(LOG_FORMAT_LOGFMT);
	return 0;
}

static void test_log_line(void **state)
{
	struct capture capture;
	unsigned year, month, day, hour, minute, second, milli;
	int n = 0;

	(void)state;
	capture_begin(&capture);
	log_line(LOG_DEBUG, "not shown", NULL);
	log_line(LOG_WARN, "two words", "key", "value", "none", (char *)NULL, NULL);
	capture_end(&capture);
	assert_int_equal(sscanf(capture.text, "time=%4u-%2u-%2uT%2u:%2u:%2u.%3uZ %n", &year, &month,
				 &day, &hour, &minute, &second, &milli, &n),
		7);
	assert_string_equal(capture.text + n, "level=warn msg=\"two words\" key=value none=\"\"\n");
}

static void test_log_line_json(void **state)
{
	struct capture capture;
	struct json_object *value;

	(void)state;
	log_set_format(LOG_FORMAT_JSON);
	capture_begin(&capture);
	log_line(LOG_ERROR, "m", "key", "a\nb", NULL);
	capture_end(&capture);
	assert_int_equal(capture.text[strlen(capture.text) - 1], '\n');
	struct json_object *json = json_tokener_parse(capture.text);
	assert_non_null(json);
	assert_true(json_object_object_get_ex(json, "level", &value));
	assert_string_equal(json_object_get_string(value), "error");
	assert_true(json_object_object_get_ex(json, "key", &value));
	assert_string_equal(json_object_get_string(value), "a\nb");
	assert_true(json_object_object_get_ex(json, "time", &value));
	json_object_put(json);
}

/* Values that are longer than any line should be: the line ends all the same, and the next one is
 * its own. */
static void test_log_line_stays_whole(void **state)
{
	struct capture capture;
	char *value = xmalloc(100001);

	(void)state;
	assert_non_null(value);
	memset(value, '\x01', 100000);
	value[100000] = '\0';
	capture_begin(&capture);
	log_line(LOG_INFO, "one", "a", value, "b", "end", NULL);
	log_line(LOG_INFO, "two", NULL);
	capture_end(&capture);
	char *second = strchr(capture.text, '\n');
	assert_non_null(second);
	assert_non_null(strstr(capture.text, "...\" b=end\n"));
	assert_non_null(strstr(second + 1, "level=info msg=two\n"));
	assert_int_equal(strncmp(second + 1, "time=", 5), 0);
	free(value);
}

static void test_too_many_pairs(void **state)
{
	struct log_pair pairs[100];
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		pairs[i] = (struct log_pair){"k", "v"};
	}
	capture_begin(&capture);
	log_pairs(LOG_INFO, "m", pairs, ARRAY_LEN(pairs));
	capture_end(&capture);
	assert_int_equal(capture.text[strlen(capture.text) - 1], '\n');
}

static void test_levels(void **state)
{
	enum log_level level = LOG_ERROR;

	(void)state;
	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_true(log_level_parse("warn", &level));
	assert_int_equal(level, LOG_WARN);
	assert_false(log_level_parse("WARN", &level));
	assert_false(log_level_parse("", &level));
	assert_false(log_level_parse("warning", &level));
	assert_int_equal(level, LOG_WARN);
	log_set_level(LOG_WARN);
	assert_false(log_is_on(LOG_INFO));
	assert_true(log_is_on(LOG_WARN));
	assert_true(log_is_on(LOG_ERROR));
}

static void test_limit(void **state)
{
	struct log_limit limit = {0};
	unsigned skipped = 99;

	(void)state;
	assert_true(log_limit_pass(&limit, 5000, 1000, &skipped));
	assert_int_equal(skipped, 0);
	skipped = 99;
	assert_false(log_limit_pass(&limit, 5000, 1000, &skipped));
	assert_false(log_limit_pass(&limit, 5999, 1000, &skipped));
	assert_int_equal(skipped, 99);
	assert_true(log_limit_pass(&limit, 6000, 1000, &skipped));
	assert_int_equal(skipped, 2);
	assert_false(log_limit_pass(&limit, 6999, 1000, &skipped));
}

static void test_numbers(void **state)
{
	const char *texts[15];

	(void)state;
	assert_string_equal(log_num(INT64_MIN), "-9223372036854775808");
	assert_string_equal(log_ms(0), "0.000");
	assert_string_equal(log_ms(1234567), "1234.567");
	assert_string_equal(log_ms(UINT64_MAX), "18446744073709551.615");
	for (int i = 0; i < 15; i++) {
		texts[i] = log_num(i);
	}
	const char *last = log_num(15);
	for (int i = 0; i < 15; i++) {
		assert_int_equal(strtol(texts[i], NULL, 10), i);
	}
	assert_string_equal(last, "15");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_long_values),
		cmocka_unit_test_setup(test_log_line, reset_log),
		cmocka_unit_test_setup(test_log_line_json, reset_log),
		cmocka_unit_test_setup(test_log_line_stays_whole, reset_log),
		cmocka_unit_test_setup(test_too_many_pairs, reset_log),
		cmocka_unit_test_setup(test_levels, reset_log),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
