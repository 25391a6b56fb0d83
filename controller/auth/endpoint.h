/*
 * Where HAProxy asks whether a user may come in: a Unix socket beside the runtime socket, which
 * lua/users.lua of the same machine connects to. Not for anybody else: its mode is 600.
 *
 *   GET / HTTP/1.1
 *   X-Policy: shop/web              whose users
 *   X-Users: <name>                 which of them HAProxy knows ("auth-secret" of the record)
 *   Authorization: Basic …          as the client has sent it
 *
 *   200  yes
 *   202  yes, but these are not the users that HAProxy knows: don't remember it
 *   401  no
 *   503  not known just now: there is no such policy, or too much to do
 *
 * One request a connection. What was right is remembered for ENDPOINT_REMEMBER_SECONDS, by a
 * digest, for the many threads and restarts of HAProxy. A user who isn't there takes as long as one
 * who is.
 *
 * Limits: ENDPOINT_MAX_CONNECTIONS at a time, requests of ENDPOINT_MAX_REQUEST bytes, and
 * ENDPOINT_SECONDS for each. Buffers with passwords are wiped, and nothing of them is logged.
 *
 * Source: RFC 7617. User names and passwords are bytes, compared as they are: UTF-8, as clients are
 * told to send it.
 */
#ifndef HG_AUTH_ENDPOINT_H
#define HG_AUTH_ENDPOINT_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define ENDPOINT_SOCKET		  "users.sock"
#define ENDPOINT_MAX_CONNECTIONS  64
#define ENDPOINT_MAX_REQUEST	  8192
#define ENDPOINT_SECONDS	  10
#define ENDPOINT_REMEMBER_SECONDS 600
#define ENDPOINT_REMEMBER_MAX	  1024

struct endpoint;

enum endpoint_answer {
	ENDPOINT_YES = 200,
	ENDPOINT_YES_ONCE = 202,
	ENDPOINT_NO = 401,
	ENDPOINT_UNKNOWN = 503
};

/* Whom a policy lets in. Texts are borrowed for the time of the call that asks. */
struct endpoint_users {
	const char *text;    /* as auth/users.h has them */
	const char *version; /* of the text */
	const char *name;    /* what HAProxy calls it */
};

/* By the policy's id, any text; false = nobody, or not known. */
typedef bool (*endpoint_find_fn)(void *ctx, const char *policy, struct endpoint_users *ret_users);

/* Listens on `path`, in the place of what was there. NULL, with `err`, when that can't be. */
struct endpoint *endpoint_open(struct event_base *base, const char *path, endpoint_find_fn find,
	void *ctx, struct err *err) MUST_USE;

/* `status`: an enum endpoint_answer. */
typedef void (*endpoint_answer_fn)(void *ctx, int status);

/* The same question from inside of the program, where nothing is remembered of users' names. */
struct endpoint_question {
	const char *policy;	   /* texts are not needed any more when endpoint_ask() returns */
	const char *authorization; /* "" = none */
	endpoint_answer_fn on_answer; /* called once, from the loop or at once; not after
					 endpoint_close() */
	void *ctx;
};

void endpoint_ask(struct endpoint *endpoint, const struct endpoint_question *question);

/* Takes the socket away. NULL is fine. */
void endpoint_close(struct endpoint *endpoint);

#endif
