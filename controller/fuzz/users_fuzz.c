/*
 * A Secret's users, any bytes: up to the first NUL the name of a key, then its value. What is taken
 * is found again, each name once, and has no fault; what is said of it is one line.
 */
#include <assert.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "auth/password.h"
#include "auth/users.h"
#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const char *text, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);

	assert(colon != NULL && colon > line && colon - line <= USERS_MAX_NAME);
	CLEANUP(free_ptr) char *name = xstrndup(line, (size_t)(colon - line));
	CLEANUP(free_ptr) char *hash = users_find(text, name);
	assert(hash != NULL && strlen(hash) == len - strlen(name) - 1);
	assert(memcmp(hash, colon + 1, strlen(hash)) == 0);
	assert(password_fault(hash, strlen(hash)) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_ptr) char *text = xcalloc(1, size + 1);
	struct users users;
	size_t n = 0;

	if (size > 0) {
		memcpy(text, data, size);
	}
	size_t key_len = strlen(text);
	size_t skipped = key_len < size ? key_len + 1 : key_len;
	const struct users_pair pair = {text, text + skipped, size - skipped};
	users_read(&users, &pair, 1);
	assert(users.text != NULL || users.fault != NULL);
	for (const char *line = users.text; line != NULL && *line != '\0'; n++) {
		size_t len = strcspn(line, "\n");
		assert(line[len] == '\n');
		check_line(users.text, line, len);
		line += len + 1;
	}
	assert(n == users.n);
	users_fini(&users);
	return 0;
}
