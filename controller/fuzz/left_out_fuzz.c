/*
 * A file of settings, any bytes: what leaves a port out is a file that HAProxy can read, or none;
 * and the port is not in it.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/left_out.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint16_t port = 5432;
	CLEANUP(free_ptr) char *content = xcalloc(1, size + 1);
	struct buf buf = BUF_INIT(0);

	if (size > 0) {
		memcpy(content, data, size);
	}
	if (left_out_encode(&buf, content, &port, 1)) {
		char *text = buf_take(&buf);
		size_t n_lines = 0;

		assert(strncmp(text, ".if streq(", 10) == 0);
		assert(strstr(text, "\tsetenv HEADGATE_TCP_PORT_1 '5432'\n") == NULL);
		for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL; n_lines++) {
			assert(n_lines < 4 || strncmp(line, "\tsetenv HEADGATE_", 17) == 0 ||
				strcmp(line, ".endif") == 0 || rest == NULL);
		}
		free(text);
	} else {
		assert(buf.len == 0);
	}
	buf_fini(&buf);
	return 0;
}
