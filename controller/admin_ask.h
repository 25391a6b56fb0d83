/* Asks the admin port of the controller that runs on this machine, for commands that do. */
#ifndef HG_ADMIN_ASK_H
#define HG_ADMIN_ASK_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"

struct admin_question {
	const char *bind; /* of the form of --admin-bind; one that stands for all addresses is asked
			     at loopback */
	const char *path; /* "/readyz" */
	bool is_post;
};

/* The HTTP status, with the body appended to `answer`; 0 = no answer within ten seconds, or one
 * that doesn't fit: said on stderr why. */
long admin_ask(const struct admin_question *question, struct buf *answer) MUST_USE;

#endif
