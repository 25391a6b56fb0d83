/* A file of TLS ticket keys, any bytes: refused, or written again exactly as it was, and each of
 * its keys is one that HAProxy can be told. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "haproxy/encode.h"
#include "haproxy/tickets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = {.is_secret = true};
	struct ticket_keys keys;

	if (tickets_parse((const char *)data, size, &keys)) {
		tickets_format(&text, &keys);
		assert(text.len == size && memcmp(buf_str(&text), data, size) == 0);
		for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
			buf_clear(&text);
			assert(encode_cli_ticket_key(&text, "/file", keys.keys[i]));
			assert(strpbrk(buf_str(&text), "\n\r;\\<") == NULL);
		}
	}
	buf_fini(&text);
	return 0;
}
