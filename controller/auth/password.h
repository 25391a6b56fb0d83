/*
 * Passwords against what is stored of them: hashes in the forms that `htpasswd`, `mkpasswd` and
 * `openssl passwd` write.
 *
 *   $y$…            yescrypt, with at most 32 MiB of memory
 *   $2a$ $2b$ $2y$  bcrypt, with a cost of at most 12
 *   $6$ $5$         SHA-512, SHA-256, with at most 100,000 rounds
 *   $1$ $apr1$      MD5, a thousand rounds
 *   {SHA}           SHA-1, base64, without salt
 *
 * What a check costs is bounded by the limits: a quarter of a second of one processor at most.
 * Which is too long for an event loop: auth/verifier.h.
 *
 * Sources: crypt(5) of libxcrypt, whose crypt_r() does all but two; for $apr1$ and {SHA}
 * https://httpd.apache.org/docs/2.4/misc/password_encryptions.html.
 */
#ifndef HG_AUTH_PASSWORD_H
#define HG_AUTH_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

#define PASSWORD_MAX_HASH 200
/* What crypt_r() takes is 512 with the end. */
#define PASSWORD_MAX_LEN 511

/* NULL = a hash that can be checked; else what is wrong with it and what to store instead, in words
 * that stand behind "it": never a part of it. */
const char *password_fault(const char *hash, size_t len) MUST_USE;

/* Is it the password? `hash` has no fault. Takes time; from any thread. */
bool password_matches(const char *hash, const char *password) MUST_USE;

#endif
