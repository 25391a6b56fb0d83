/*
 * A file of patterns, any bytes. What is taken is a list of networks that are read again as they
 * are, a line each. What is refused is printable.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_ptr) char *text = xcalloc(1, size + 1);
	char *reason = NULL;

	if (size > 0) {
		memcpy(text, data, size);
	}
	CLEANUP(free_ptr) char *addresses = option_read_patterns(text, &reason);
	assert((addresses == NULL) == (reason != NULL));
	for (const char *c = reason ? reason : ""; *c != '\0'; c++) {
		assert(*c >= 0x20 && *c <= 0x7e);
	}
	free(reason);
	if (addresses != NULL) {
		assert(strspn(addresses, "0123456789abcdef.:/ ") == strlen(addresses));
		CLEANUP(free_ptr) char *lines = xstrdup(addresses);
		for (char *c = lines; *c != '\0'; c++) {
			*c = *c == ' ' ? '\n' : *c;
		}
		CLEANUP(free_ptr) char *again = option_read_patterns(lines, &reason);
		assert(again != NULL && strcmp(again, addresses) == 0);
	}
	return 0;
}
