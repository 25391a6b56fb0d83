/*
 * Users and what their passwords hash to, as a Secret has them. Pure.
 *
 *   data:
 *     joe: $2y$10$…                    a key a user
 *     auth: |                          or a file that htpasswd wrote
 *       joe:$2y$10$…
 *       ann:$apr1$…
 *
 * The key `auth` is such a file when there is a ':' in it: no hash has one. In a file, empty lines
 * and lines that begin with '#' are passed over, and what follows a second ':' too. Who is there
 * more than once has the hash of his own key, else the first one. What is wrong with one user
 * leaves the others alone.
 *
 * Limits: USERS_MAX users, whose names have 1 to USERS_MAX_NAME bytes, none of them a control
 * character or ':' (RFC 7617); hashes as in password.h.
 */
#ifndef HG_AUTH_USERS_H
#define HG_AUTH_USERS_H

#include <stddef.h>

#include "base/attr.h"

#define USERS_MAX      2000
#define USERS_MAX_NAME 255

/* A key of the Secret and its value; any bytes. */
struct users_pair {
	const char *key; /* NUL-terminated */
	const char *value;
	size_t value_len;
};

struct users {
	char *text; /* lines "name:hash\n", sorted, each name once; owned; NULL = there are none */
	size_t n;
	char *fault; /* what is wrong, and the remedy; owned; NULL = nothing. Names keys and lines,
			and never says what they hold */
};

/* Values may end in one line feed. Those that are empty are nobody's. The same pairs in another
 * order give the same text. */
void users_read(struct users *ret_users, const struct users_pair *pairs, size_t n);

/* Wipes. */
void users_fini(struct users *users);

/* A copy of the hash of this user, wiped and freed by the caller; NULL = no such user. */
char *users_find(const char *text, const char *name) MUST_USE;

/* A hash of the text, which costs what another one costs: for who isn't there. As users_find(). */
char *users_first(const char *text) MUST_USE;

#endif
