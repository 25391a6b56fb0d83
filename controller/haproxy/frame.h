/*
 * Finds the ends of answers in the byte stream of a runtime socket in prompt mode: an answer is
 * everything up to "\n> ". Pure; used by cli.c, which owns the connection.
 *
 * A line that itself began with "> " could not be told from the prompt. No command that we send
 * answers with one: lines of `show map` begin with an address, names can't hold '>'.
 */
#ifndef HG_HAPROXY_FRAME_H
#define HG_HAPROXY_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"

enum frame_event {
	FRAME_MORE, /* all bytes are used up */
	FRAME_LINE, /* frame_text() is one line (only with by_lines) */
	FRAME_END,  /* the answer is complete; frame_text() is all of it, or "" with by_lines */
	FRAME_BAD,  /* longer than allowed, or a NUL byte: the stream is of no use any more */
};

struct frame {
	struct buf text;   /* the answer so far, or the line so far */
	size_t left;	   /* bytes that the whole answer may still have */
	unsigned n_prompt; /* bytes of the prompt that were seen, not yet in `text` */
	bool is_by_lines;
	bool is_reported; /* `text` was handed out: the next step starts a new line */
	bool has_mark;	  /* that new line begins with a '>' which was read already */
	bool is_ended;	  /* the prompt is read; the last line was reported before the end */
};

/* A zeroed struct frame is ready for frame_begin(). */
void frame_fini(struct frame *frame);

/* Starts an answer: `max` bytes a text (or a line), `max_total` bytes in all. */
void frame_begin(struct frame *frame, bool by_lines, size_t max, size_t max_total);

/* Reads bytes up to the next event; *ret_used tells how many. After FRAME_END comes frame_begin().
 */
enum frame_event frame_step(
	struct frame *frame, const char *data, size_t len, size_t *ret_used) MUST_USE;

/* Borrowed until the next call. */
const char *frame_text(const struct frame *frame);

#endif
