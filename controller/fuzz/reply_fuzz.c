/*
 * Answers to operations: any text has one of three results, and only a last line that is known is
 * good news. The first line of the input names the operation.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz/named.h"
#include "haproxy/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) {
		return 0;
	}
	const char *end = memchr(data, '\n', size);
	size_t name_len = end ? (size_t)(end - (const char *)data) : size;
	enum plan_op_kind kind = named_op((const char *)data, name_len);
	size_t skipped = end ? name_len + 1 : size;
	char *text = xstrndup((const char *)data + skipped, size - skipped);
	size_t len;
	const char *line = reply_last_line(text, &len);
	enum plan_result result = reply_classify(kind, NULL, text);

	assert(line >= text && line + len <= text + strlen(text));
	assert(memchr(line, '\n', len) == NULL);
	assert(strspn(line + len, "\n") == strlen(line + len));
	assert(result == PLAN_DONE || result == PLAN_BUSY || result == PLAN_REFUSED);

	/* What was said before does not count, and neither do empty lines behind it. */
	char *longer = xasprintf("Server deleted.\nNew server registered.\n%s\n\n", text);
	if (len > 0) {
		assert(reply_classify(kind, NULL, longer) == result);
	}
	/* Only these have answers of open length. */
	bool is_open = kind == PLAN_OP_SERVER_ADDRESS || kind == PLAN_OP_CERT_UNLIST;
	if (result != PLAN_REFUSED && !is_open) {
		char *more = xasprintf("%.*s.", (int)len, line);
		assert(reply_classify(kind, NULL, more) == PLAN_REFUSED);
		free(more);
	}
	free(longer);
	free(text);
	return 0;
}
