/* Error pages: the form that HAProxy gets, and what is refused with which remedy. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "option/page.h"

static void test_form(void **state)
{
	static const struct {
		const char *status, *text, *form;
	} rows[] = {
		{"404", "HTTP/1.1 404 Not Found\nA: b\n\nbody\n",
			"HTTP/1.1 404 Not Found\r\nA: b\r\nContent-Length: 5\r\n\r\nbody\n"},
		{"503", "HTTP/1.0 503\r\n\r\n", "HTTP/1.0 503\r\nContent-Length: 0\r\n\r\n"},
		{"503", "HTTP/1.0 503 \nX:\n\n\r\n",
			"HTTP/1.0 503 \r\nX: \r\nContent-Length: 2\r\n\r\n\r\n"},
		{"200", "HTTP/1.1 200 OK\ncontent-length:\t3 \nB:  c \n\nabc",
			"HTTP/1.1 200 OK\r\nB: c \r\nContent-Length: 3\r\n\r\nabc"},
		{"429", "HTTP/1.1 429 Slow\nConnection: close\n\n\xc3\xa4",
			"HTTP/1.1 429 Slow\r\nConnection: close\r\nContent-Length: "
			"2\r\n\r\n\xc3\xa4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *reason = NULL;
		CLEANUP(free_ptr) char *page = page_read(rows[i].status, rows[i].text, &reason);
		assert_null(reason);
		assert_string_equal(page, rows[i].form);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{"", "has no line that ends"},
		{"HTTP/1.1 503 x", "has no line that ends"},
		{"<html>\n", "begins with '<html>': begin it with 'HTTP/1.1 503'"},
		{"HTTP/1.1 404 Not Found\n\n", "begins with 'HTTP/1.1 404 Not Found'"},
		{"HTTP/1.1 5031 x\n\n", "begins with"},
		{"HTTP/2.0 503 x\n\n", "begins with"},
		{"HTTP/1.1  503 x\n\n", "begins with"},
		{"HTTP/1.1 503 \xc3\xa4\n\n", "begins with 'HTTP/1.1 503 ?"
					      "?'"},
		{"HTTP/1.1 503 x\nA: b\n", "has no empty line"},
		{"HTTP/1.1 503 x\nA : b\n\n", "has the header 'A : b'"},
		{"HTTP/1.1 503 x\n A: b\n\n", "has the header ' A: b'"},
		{"HTTP/1.1 503 x\n: b\n\n", "has the header ': b'"},
		{"HTTP/1.1 503 x\nA\n\n", "has the header 'A'"},
		{"HTTP/1.1 503 x\nA: b\rc\n\n", "has the header 'A: b?c'"},
		{"HTTP/1.1 503 x\nA: b\x7f\n\n", "has the header"},
		{"HTTP/1.1 503 x\ntransfer-encoding: chunked\n\n",
			"has the header transfer-encoding"},
		{"HTTP/1.1 503 x\nContent-Length: 1\n\n",
			"has a Content-Length of 1 and a body of 0"},
		{"HTTP/1.1 503 x\nContent-Length: 0\nContent-Length: 0\n\n",
			"has a Content-Length that"},
		{"HTTP/1.1 503 x\nContent-Length: -1\n\n", "has a Content-Length that"},
		{"HTTP/1.1 503 x\nContent-Length:\n\n", "has a Content-Length that"},
		{"HTTP/1.1 503 x\nContent-Length: 9999999999\n\n", "has a Content-Length that"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *reason = NULL;
		assert_null(page_read("503", rows[i].text, &reason));
		assert_non_null(reason);
		if (strstr(reason, rows[i].reason) == NULL) {
			fail_msg("'%s' for '%s'", reason, rows[i].text);
		}
		free(reason);
	}
}

static void test_limits(void **state)
{
	static const char head[] = "HTTP/1.1 503 x\n\n";
	CLEANUP(free_ptr) char *text = xmalloc(PAGE_MAX_SIZE + 2);
	char *reason = NULL;

	(void)state;
	memset(text, 'x', PAGE_MAX_SIZE + 1);
	memcpy(text, head, strlen(head));
	text[PAGE_MAX_SIZE] = '\0';
	CLEANUP(free_ptr) char *page = page_read("503", text, &reason);
	assert_non_null(page);
	text[PAGE_MAX_SIZE] = 'x';
	text[PAGE_MAX_SIZE + 1] = '\0';
	assert_null(page_read("503", text, &reason));
	assert_non_null(strstr(reason, "is longer than 12000 bytes"));
	free(reason);
	struct buf many = BUF_INIT(0);
	buf_append_str(&many, "HTTP/1.1 503 x\n");
	for (int i = 0; i <= PAGE_MAX_HEADERS; i++) {
		buf_append_str(&many, "A: b\n");
	}
	buf_append_str(&many, "\n");
	assert_null(page_read("503", buf_str(&many), &reason));
	buf_fini(&many);
	assert_non_null(strstr(reason, "has more than 40 headers"));
	free(reason);
}

static void test_statuses(void **state)
{
	(void)state;
	assert_int_equal(page_find("200"), 0);
	assert_int_equal(page_find("504"), PAGE_COUNT - 1);
	assert_int_equal(page_find("418"), PAGE_COUNT);
	assert_int_equal(page_find(""), PAGE_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
