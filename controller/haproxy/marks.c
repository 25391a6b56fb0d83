/* See marks.h. Names are put together only where there is a mark at all: nothing goes wrong
 * usually. */
#include "haproxy/marks.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

struct mark {
	unsigned bits;
	char name[];
};

struct mark_key {
	const char *before;
	size_t before_len;
	const char *after;
};

static bool mark_has_key(const void *item, const void *key)
{
	const char *name = ((const struct mark *)item)->name;
	const struct mark_key *wanted = key;

	if (strncmp(name, wanted->before, wanted->before_len) != 0) {
		return false;
	}
	name += wanted->before_len;
	if (wanted->after[0] == '\0') {
		return name[0] == '\0';
	}
	return name[0] == '/' && strcmp(name + 1, wanted->after) == 0;
}

static uint32_t mark_hash(const char *before, const char *after)
{
	return hash_more(hash_str(before), after, strlen(after));
}

static struct mark *find_mark(const struct marks *marks, const char *before, const char *after)
{
	struct mark_key key = {before, strlen(before), after};

	if (marks_are_empty(marks)) {
		return NULL;
	}
	return table_find(&marks->table, mark_hash(before, after), &key, mark_has_key);
}

unsigned marks_on(const struct marks *marks, const char *before, const char *after)
{
	const struct mark *mark = find_mark(marks, before, after);

	return mark ? mark->bits : 0;
}

void marks_put(struct marks *marks, const char *before, const char *after, unsigned bits)
{
	struct mark *mark = find_mark(marks, before, after);

	if (mark == NULL) {
		size_t before_len = strlen(before);
		size_t after_len = strlen(after);

		mark = xcalloc(1, sizeof(*mark) + before_len + after_len + 2);
		memcpy(mark->name, before, before_len);
		if (after_len > 0) {
			mark->name[before_len] = '/';
			memcpy(mark->name + before_len + 1, after, after_len);
		}
		table_insert(&marks->table, mark_hash(before, after), mark);
	}
	mark->bits |= bits;
}

void marks_fini(struct marks *marks)
{
	struct mark *mark;

	TABLE_FOREACH (&marks->table, mark) {
		free(mark);
	}
	table_fini(&marks->table);
}
