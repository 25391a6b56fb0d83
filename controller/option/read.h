/*
 * From annotations and ConfigMap keys to a set of options, with a verdict for each key. Pure.
 *
 * A key is an option's own name under the prefix "headgate.dev/", or a key of a dialect under one
 * of its prefixes (haproxytech.def); in a ConfigMap both stand without a prefix. Annotations under
 * other prefixes are somebody else's and pass without a word; a key of a dialect without a prefix
 * is told of, and not read. Of several keys for one option the native
 * one goes first, then the dialect's prefixes in their order, then older names of the same.
 *
 * A value that can't be used is refused, and the others hold. When it is of an option about who may
 * come in, the set is closed: see struct option_set.
 */
#ifndef HG_OPTION_READ_H
#define HG_OPTION_READ_H

#include <stddef.h>

#include "base/attr.h"
#include "option/option.h"

enum option_verdict {
	OPTION_APPLIED,
	OPTION_IGNORED, /* nothing to do: it holds anyway, or another key goes before it */
	OPTION_REFUSED,
	OPTION_VERDICT_COUNT,
};

/* As they stand in metrics and in what commands print. */
extern const char *const option_verdict_names[OPTION_VERDICT_COUNT];

struct option_report {
	const char *key; /* as written */
	enum option_verdict verdict;
	enum option_id option; /* OPTION_COUNT = of none */
	const char *reason;    /* NULL when applied; else a text that stands behind the key and ends
				  with the remedy. It may    have any bytes of the value */
};

/* Borrowed for the call. */
typedef void (*option_report_fn)(void *ctx, const struct option_report *report);

struct option_pair {
	const char *key;
	const char *value; /* NULL = too long to be kept */
};

/* Who says it. */
struct option_source {
	enum option_scope scope;
	/*
	 * Of the object, where references without one lead; NULL = they stay as they are.
	 * Annotations may name nothing in another one: whoever can write an Ingress could use what
	 * he may not read. ConfigMaps are the operator's, and may.
	 */
	const char *namespace;
};

/* What one object says; NULL when that is nothing. The caller frees it with option_set_free().
 * `report` may be NULL; it is called once for each key of ours, in the order of the pairs. */
struct option_set *option_read(const struct option_source *source, const struct option_pair *pairs,
	size_t n, option_report_fn report, void *ctx) MUST_USE;

/* May an annotation with this key be ours? Others need not be kept. */
bool option_is_key(const char *key) MUST_USE;

/* A row of the dialect of haproxytech, for documentation and tests. */
enum dialect_what { DIALECT_SAME, DIALECT_ALIAS, DIALECT_BESIDE, DIALECT_NOTHING, DIALECT_REFUSED };

struct dialect_row {
	const char *key;
	enum dialect_what what;
	enum option_id option; /* of SAME and ALIAS */
	const char *reason;    /* of the others */
};

extern const struct dialect_row dialect_haproxytech[];
extern const size_t dialect_n_haproxytech;

#endif
