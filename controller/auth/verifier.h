/*
 * Checks passwords in a thread of its own: one at a time, in the order in which they were asked
 * for. A check may take a quarter of a second of a processor (auth/password.h), for which the event
 * loop must not stand still.
 *
 * At most VERIFIER_MAX_QUEUE wait, and half as many of one policy, so that who guesses passwords
 * for one doesn't keep the users of the others out. Each waits less than five seconds then.
 *
 * The thread sees nothing but a hash and a password; everything else happens in the loop's thread.
 */
#ifndef HG_AUTH_VERIFIER_H
#define HG_AUTH_VERIFIER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

#define VERIFIER_MAX_QUEUE 16

struct verifier;

/* Called from the loop. Must not free the verifier. */
typedef void (*verifier_fn)(void *ctx, bool is_right);

struct verifier_question {
	const char *group; /* the policy; texts are copied, and the copies wiped */
	const char *hash;  /* one without fault */
	const char *password;
	verifier_fn on_checked;
	void *ctx;
};

/* NULL, with `err`, when there can be no thread. */
struct verifier *verifier_new(struct event_base *base, struct err *err) MUST_USE;

/* Waits for the check that is under way; nobody is called any more. NULL is fine. */
void verifier_free(struct verifier *verifier);

/* False = there are too many questions, this one is not taken. */
bool verifier_ask(struct verifier *verifier, const struct verifier_question *question) MUST_USE;

#endif
