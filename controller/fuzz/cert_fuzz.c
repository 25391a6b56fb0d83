/*
 * Any bytes as tls.crt and tls.key, with a line feed and a NUL between them: what is taken must be
 * taken again and come out the same, and obey the limits that HAProxy's side counts on.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "cert/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
	size_t crt_len = nul ? (size_t)(nul - text) : size;
	const char *key = nul ? nul + 1 : text;
	size_t key_len = nul ? size - crt_len - 1 : size;
	struct cert cert = {0};
	struct cert again = {0};
	struct err err = {0};

	if (!cert_read(text, crt_len, key, key_len, &cert, &err)) {
		assert(err.kind == ERR_INPUT && err.text[0] != '\0');
		return 0;
	}
	size_t len = strlen(cert.pem);
	assert(len <= CERT_MAX_PEM && strstr(cert.pem, "\n\n") == NULL);
	bool is_ok = cert_read(cert.pem, len, cert.pem, len, &again, &err);
	assert(is_ok);
	assert(strcmp(cert.pem, again.pem) == 0 && strcmp(cert.digest, again.digest) == 0);
	cert_fini(&cert);
	cert_fini(&again);
	return 0;
}
