/*
 * An error page, any bytes: the first one chooses the status. What is taken is one response: lines
 * with CR LF, the status, a Content-Length that is that of the body, and it is taken again as it
 * is. What is refused is printable.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_page(const char *page, const char *status)
{
	const char *end = strstr(page, "\r\n\r\n");
	const char *length = strstr(page, "\r\nContent-Length: ");

	assert(end != NULL && length != NULL && length < end);
	assert(strtoull(length + strlen("\r\nContent-Length: "), NULL, 10) == strlen(end + 4));
	assert(strncmp(page, "HTTP/1.", 7) == 0 && strncmp(page + 9, status, 3) == 0);
	for (const char *c = page; c < end; c++) {
		assert((*c >= 0x20 && *c <= 0x7e) || *c == '\t' || (c[0] == '\r' && c[1] == '\n') ||
			(c[0] == '\n' && c[-1] == '\r'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_ptr) char *text = xcalloc(1, size + 1);
	char *reason = NULL;

	if (size > 0) {
		memcpy(text, data, size);
	}
	const char *status = page_statuses[(unsigned char)text[0] % PAGE_COUNT];
	CLEANUP(free_ptr) char *page = page_read(status, size > 0 ? text + 1 : text, &reason);
	assert((page == NULL) == (reason != NULL));
	if (page != NULL) {
		check_page(page, status);
		if (strlen(page) <= PAGE_MAX_SIZE) {
			CLEANUP(free_ptr) char *again = page_read(status, page, &reason);
			assert(again != NULL && strcmp(again, page) == 0);
		}
	}
	for (const char *c = reason ? reason : ""; *c != '\0'; c++) {
		assert(*c >= 0x20 && *c <= 0x7e);
	}
	free(reason);
	return 0;
}
