/* See page.h. Called by model/pages.c and `headgate check`. */
#include "option/page.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"

#define MAX_SHOWN 60

const char *const page_statuses[PAGE_COUNT] = {"200", "400", "401", "403", "404", "405", "407",
	"408", "410", "425", "429", "500", "502", "503", "504"};

/* A page while it is read. */
struct page {
	const char *status;
	const char *rest; /* not read yet */
	struct buf head;  /* in HAProxy's form, without its empty line */
	unsigned n_headers;
	bool has_length;
	uint64_t length; /* that Content-Length says */
	char *reason;	 /* owned; NULL = nothing is wrong yet */
};

size_t page_find(const char *status)
{
	size_t i = 0;

	while (i < PAGE_COUNT && strcmp(page_statuses[i], status) != 0) {
		i++;
	}
	return i;
}

static bool PRINTF_LIKE(2, 3) refuse(struct page *page, const char *format, ...)
{
	struct buf text = BUF_INIT(0);
	va_list args;
	char line[400];

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* It is shown in logs. */
	for (const char *c = line; *c != '\0'; c++) {
		buf_append_char(&text, *c >= 0x20 && *c <= 0x7e ? *c : '?');
	}
	free(page->reason);
	page->reason = buf_take(&text);
	return false;
}

/* Takes the next line without its end; false = the text ends before the line does. */
static bool next_line(struct page *page, const char **ret_line, size_t *ret_len)
{
	const char *end = strchr(page->rest, '\n');

	if (end == NULL) {
		return false;
	}
	*ret_line = page->rest;
	*ret_len = (size_t)(end - page->rest);
	if (*ret_len > 0 && end[-1] == '\r') {
		--*ret_len;
	}
	page->rest = end + 1;
	return true;
}

static bool is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\t') {
			return false;
		}
	}
	return true;
}

/* "HTTP/1.1 503 Service Unavailable"; the reason may be missing. */
static bool read_status(struct page *page)
{
	static const size_t version_len = 9; /* with the blank */
	const char *line;
	size_t len;

	if (!next_line(page, &line, &len)) {
		return refuse(page,
			"has no line that ends: begin it with 'HTTP/1.1 %s' and a reason",
			page->status);
	}
	bool is_http =
		len >= version_len + 3 && (strncmp(line, "HTTP/1.1 ", version_len) == 0 ||
						  strncmp(line, "HTTP/1.0 ", version_len) == 0);
	bool is_status = is_http && strncmp(line + version_len, page->status, 3) == 0 &&
			 (len == version_len + 3 || line[version_len + 3] == ' ');
	if (!is_status || !is_printable(line, len)) {
		return refuse(page, "begins with '%.*s': begin it with 'HTTP/1.1 %s' and a reason",
			len < MAX_SHOWN ? (int)len : MAX_SHOWN, line, page->status);
	}
	buf_append(&page->head, line, len);
	buf_append_str(&page->head, "\r\n");
	return true;
}

static bool is_named(const char *line, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp(line, name, len) == 0;
}

static bool read_length(struct page *page, const char *value, size_t len)
{
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
		len--;
	}
	if (page->has_length || len == 0 || len > 9 || strspn(value, "0123456789") < len) {
		return refuse(page, "has a Content-Length that can't be used: leave it out");
	}
	page->has_length = true;
	for (size_t i = 0; i < len; i++) {
		page->length = page->length * 10 + (uint64_t)(value[i] - '0');
	}
	return true;
}

static bool read_header(struct page *page, const char *line, size_t len)
{
	static const char name_bytes[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
					 "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t name_len = strspn(line, name_bytes);

	if (name_len == 0 || name_len >= len || line[name_len] != ':' || !is_printable(line, len)) {
		return refuse(page,
			"has the header '%.*s': write a name, a colon and printable ASCII",
			len < MAX_SHOWN ? (int)len : MAX_SHOWN, line);
	}
	if (++page->n_headers > PAGE_MAX_HEADERS) {
		return refuse(page, "has more than %d headers: leave some out", PAGE_MAX_HEADERS);
	}
	if (is_named(line, name_len, "Transfer-Encoding") || is_named(line, name_len, "Trailer")) {
		return refuse(page, "has the header %.*s: leave it out, the body is sent as it is",
			(int)name_len, line);
	}
	const char *value = line + name_len + 1;
	const char *end = line + len;
	while (value < end && (*value == ' ' || *value == '\t')) {
		value++;
	}
	if (is_named(line, name_len, "Content-Length")) {
		return read_length(page, value, (size_t)(end - value));
	}
	buf_append(&page->head, line, name_len);
	buf_append_str(&page->head, ": ");
	buf_append(&page->head, value, (size_t)(end - value));
	buf_append_str(&page->head, "\r\n");
	return true;
}

/* Everything up to the empty line. */
static bool read_head(struct page *page)
{
	const char *line;
	size_t len = 0;

	if (!read_status(page)) {
		return false;
	}
	while (next_line(page, &line, &len)) {
		if (len == 0) {
			return true;
		}
		if (!read_header(page, line, len)) {
			return false;
		}
	}
	return refuse(page, "has no empty line behind its headers: put one there");
}

char *page_read(const char *status, const char *text, char **ret_reason)
{
	struct page page = {.status = status, .rest = text, .head = BUF_INIT(0)};
	char *whole = NULL;

	if (strlen(text) > PAGE_MAX_SIZE) {
		(void)refuse(&page, "is longer than %d bytes: shorten it", PAGE_MAX_SIZE);
	} else if (read_head(&page)) {
		size_t body_len = strlen(page.rest);
		if (page.has_length && page.length != body_len) {
			(void)refuse(&page,
				"has a Content-Length of %llu and a body of %zu bytes: leave it "
				"out",
				(unsigned long long)page.length, body_len);
		} else {
			whole = xasprintf("%sContent-Length: %zu\r\n\r\n%s", buf_str(&page.head),
				body_len, page.rest);
		}
	}
	buf_fini(&page.head);
	*ret_reason = page.reason;
	return whole;
}
