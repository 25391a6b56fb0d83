/*
 * A growable byte string with a hard limit and a sticky failure.
 *
 * Appending past the limit sets the failure flag and keeps what was there; a caller appends freely
 * and asks once, at the end, with buf_is_ok(). The content is always followed by a NUL that is not
 * counted in `len`.
 *
 * A buffer that holds a secret is marked so (`is_secret`, by the caller, before the first byte of
 * it): from then on memory is wiped before it is given back or counts as empty.
 */
#ifndef HG_BASE_BUF_H
#define HG_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct buf {
	char *data;	 /* owned; NULL until the first append */
	size_t len;	 /* bytes used, without the closing NUL */
	size_t size;	 /* bytes allocated */
	size_t max;	 /* most bytes that may be used; 0 = BUF_DEFAULT_MAX */
	bool has_failed; /* an append did not fit */
	bool is_secret;	 /* what is let go of is wiped; kept by buf_clear(), not by buf_fini() */
};

/* For texts whose size is bounded by our own limits, not by a peer. */
#define BUF_DEFAULT_MAX ((size_t)1 << 30)

#define BUF_INIT(limit)                                                                            \
	{                                                                                          \
		.max = (limit)                                                                     \
	}

void buf_init(struct buf *buf, size_t max);
void buf_fini(struct buf *buf);

/* Empties for reuse; keeps the memory. */
void buf_clear(struct buf *buf);

void buf_append(struct buf *buf, const void *data, size_t len);
void buf_append_str(struct buf *buf, const char *text);
void buf_append_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(struct buf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Goes back to the first `len` bytes. */
void buf_truncate(struct buf *buf, size_t len);

/* Removes the first `len` bytes. */
void buf_consume(struct buf *buf, size_t len);

/* The content as a string, "" when empty; borrowed until the next change. */
const char *buf_str(const struct buf *buf);

/* Hands the content over: the caller frees it (and wipes it, if it is secret); the buffer is empty
 * afterwards. Never NULL. */
char *buf_take(struct buf *buf) MUST_USE;

static inline bool buf_is_ok(const struct buf *buf)
{
	return !buf->has_failed;
}

#endif
