/*
 * What went wrong, under the name of what it went wrong with: bits on "before" or "before/after".
 * For haproxy/apply, which decides what the bits and the names mean.
 */
#ifndef HG_HAPROXY_MARKS_H
#define HG_HAPROXY_MARKS_H

#include "base/attr.h"
#include "base/table.h"

/* All zeros is an empty one. */
struct marks {
	struct table table; /* struct mark; owned */
};

void marks_fini(struct marks *marks);

/* Adds bits; `after` "" = no slash either. Texts are copied. */
void marks_put(struct marks *marks, const char *before, const char *after, unsigned bits);

/* 0 = none. */
unsigned marks_on(const struct marks *marks, const char *before, const char *after) MUST_USE;

static inline bool marks_are_empty(const struct marks *marks)
{
	return marks->table.n_items == 0;
}

#endif
