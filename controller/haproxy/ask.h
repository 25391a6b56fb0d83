/*
 * One question and its answer on a connection of their own: for the master's socket, and for
 * finding out who listens on the runtime socket. The lasting connection that changes things is
 * haproxy/cli.
 *
 * The connection is half-closed after the question, as the master keeps it open otherwise (HAProxy
 * management guide, section 9.4).
 */
#ifndef HG_HAPROXY_ASK_H
#define HG_HAPROXY_ASK_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/* Longer answers are failures. */
#define ASK_MAX_REPLY (1024 * 1024)

struct ask;

struct ask_question {
	const char *path;    /* of the socket */
	const char *command; /* short, without line feed */
	unsigned silence_ms; /* no byte for so long = given up */
};

/* `text`: everything up to the end of the connection; NULL = lost, too late or too long, and `err`
 * (ERR_RETRY) says which. */
typedef void (*ask_done_fn)(void *ctx, const char *text, const struct err *err);

/*
 * Never waits. The question is copied. NULL: ERR_RETRY when nobody listens, ERR_DENIED when the
 * socket may not be used, ERR_INPUT when the path is too long. on_done is called once from the
 * event loop, never from here; the object has been freed by then.
 */
struct ask *ask_start(struct event_base *base, const struct ask_question *question,
	ask_done_fn on_done, void *ctx, struct err *err) MUST_USE;

/* Does it fit into a socket's address? ERR_INPUT when not. */
bool ask_is_path(const char *path, struct err *err) MUST_USE;

/* Stops without calling on_done. NULL is fine. */
void ask_cancel(struct ask *ask);

#endif
