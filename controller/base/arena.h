/* Memory that is given back all at once: strings and arrays that live exactly as long as one plan
 * or one pass. */
#ifndef HG_BASE_ARENA_H
#define HG_BASE_ARENA_H

#include <stddef.h>

#include "base/attr.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* newest first */
	size_t used;		    /* bytes used of the newest chunk */
};

/* A zeroed struct arena is an empty arena. */
void arena_fini(struct arena *arena);

/* Zeroed memory, aligned for any type, valid until arena_fini(). */
void *arena_alloc(struct arena *arena, size_t size) MUST_USE;
char *arena_strdup(struct arena *arena, const char *text) MUST_USE;

#endif
