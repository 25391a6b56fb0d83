/* See option.h. The table and sets of values; must not know how values are written (value.c) nor
 * what they mean to HAProxy. */
#include "option/option.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ROUTE  OPTION_SCOPES_ROUTE
#define ANYONE OPTION_SCOPES_ANYONE

const struct option_info option_table[OPTION_COUNT] = {
#define OPTION(id, name_, type_, min_, max_, words_, default_, scopes_, group_, apply_, text)      \
	[OPTION_##id] = {.name = (name_),                                                          \
		.words = (words_),                                                                 \
		.default_value = (default_),                                                       \
		.documentation = (text),                                                           \
		.min = (min_),                                                                     \
		.max = (max_),                                                                     \
		.type = OPTION_TYPE_##type_,                                                       \
		.apply = OPTION_APPLY_##apply_,                                                    \
		.scopes = (scopes_),                                                               \
		.group = (group_)},
#include "option/option.def"
};

const char *const option_forms[OPTION_TYPE_COUNT] = {
#define VALUE(type, parser, form) [OPTION_TYPE_##type] = (form),
#include "option/value.def"
};

void option_set_free(struct option_set *set)
{
	if (set == NULL) {
		return;
	}
	for (int i = 0; i < OPTION_COUNT; i++) {
		free(set->values[i]);
	}
	free(set);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool option_set_equals(const struct option_set *a, const struct option_set *b)
{
	static const struct option_set empty;

	a = a ? a : &empty;
	b = b ? b : &empty;
	for (int i = 0; i < OPTION_COUNT; i++) {
		if (!same_text(a->values[i], b->values[i])) {
			return false;
		}
	}
	return a->is_closed == b->is_closed;
}

bool option_set_is_empty(const struct option_set *set)
{
	return option_set_equals(set, NULL);
}

struct option_set *option_set_merge(const struct option_set *near, const struct option_set *far)
{
	const struct option_set *const sets[] = {near, far};

	if (option_set_is_empty(near) && option_set_is_empty(far)) {
		return NULL;
	}
	struct option_set *merged = xcalloc(1, sizeof(*merged));
	for (int i = 0; i < OPTION_COUNT; i++) {
		const char *value = option_first((enum option_id)i, sets, ARRAY_LEN(sets));
		merged->values[i] = value ? xstrdup(value) : NULL;
	}
	merged->is_closed = (near && near->is_closed) || (far && far->is_closed);
	return merged;
}

enum option_id option_find(const char *name)
{
	int i = 0;

	while (i < OPTION_COUNT && strcmp(option_table[i].name, name) != 0) {
		i++;
	}
	return (enum option_id)i;
}

const char *option_first(enum option_id option, const struct option_set *const *sets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (sets[i] != NULL && sets[i]->values[option] != NULL) {
			return sets[i]->values[option];
		}
	}
	return NULL;
}

bool option_is_access(enum option_id option)
{
	return strchr("ADBUd", option_table[option].group) != NULL &&
	       option_table[option].group != 0;
}
