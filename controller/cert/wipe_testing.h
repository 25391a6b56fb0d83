/*
 * For tests: functions in the place of those that wipe memory, which do the same and count what had
 * a given text in it. Include in the one file of a test.
 */
#ifndef HG_CERT_WIPE_TESTING_H
#define HG_CERT_WIPE_TESTING_H

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

/* A line out of the middle of a key; "" = nothing is counted. */
static char testing_wipe_text[65];
static unsigned testing_n_wiped; /* pieces of memory that had it */

/* Not inline: the compiler would know that such functions read nothing. */
__attribute__((noinline)) static void testing_wipe(void *ptr, size_t size)
{
	size_t len = strlen(testing_wipe_text);

	testing_n_wiped += len > 0 && memmem(ptr, size, testing_wipe_text, len) != NULL;
	for (volatile char *byte = ptr; size > 0; size--) {
		*byte++ = 0;
	}
}

/* The names are those of the C library, with and without its checks, and of OpenSSL. */
void __explicit_bzero_chk(void *ptr, size_t size, size_t object_size);
void __explicit_bzero_chk(void *ptr, size_t size, size_t object_size)
{
	(void)object_size;
	testing_wipe(ptr, size);
}

void explicit_bzero(void *ptr, size_t size)
{
	testing_wipe(ptr, size);
}

void OPENSSL_cleanse(void *ptr, size_t size)
{
	testing_wipe(ptr, size);
}

/* Counts from nothing, for this key: PEM, or the same in base64. */
static inline void testing_count_wipes(const char *key)
{
	const char *middle = key + strlen(key) / 2;

	snprintf(testing_wipe_text, sizeof(testing_wipe_text), "%.*s", (int)strcspn(middle, "\n"),
		middle);
	testing_n_wiped = 0;
}

#endif
