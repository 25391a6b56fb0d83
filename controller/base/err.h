/*
 * Why something outside the program did not work: a kind that decides what to do next, and a text
 * for a person.
 *
 * The object lives on the caller's stack, starts zeroed (`struct err err = {0};`), owns no memory,
 * and is filled only by the function that fails. Texts are lower case, name the object, and end
 * with the remedy where there is one.
 */
#ifndef HG_BASE_ERR_H
#define HG_BASE_ERR_H

#include <stdbool.h>

#include "base/attr.h"

enum err_kind {
	ERR_NONE = 0,
	ERR_RETRY,  /* may work later without anybody's help: refused connection, timeout */
	ERR_GONE,   /* the other side has forgotten what we refer to: start over */
	ERR_DENIED, /* credentials or permissions are missing: somebody must act */
	ERR_INPUT,  /* what we were given is wrong: somebody must act */
	ERR_PROTO,  /* the other side said something that we do not understand */
};

#define ERR_TEXT_SIZE 512

struct err {
	enum err_kind kind;
	char text[ERR_TEXT_SIZE]; /* cut short when longer */
};

/* Fills `err`; always returns false so that `return err_set(...)` reads well. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...) PRINTF_LIKE(3, 4);

/* Puts "context: " in front of the text; always returns false. */
bool err_wrap(struct err *err, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
