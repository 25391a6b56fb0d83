/*
 * Options: what Headgate can do beyond routing, as data. Pure.
 *
 * One table (option.def) says for each option how its value is written, who may set it and what
 * setting it costs. Values are kept as canonical texts: two texts that mean the same become one, so
 * that equal sets of options are equal bytes wherever they came from. What a canonical text looks
 * like is said at its type in value.h.
 *
 * A set of options is what one object says. What holds for a route is the first of Service,
 * Ingress, class and controller that says something (option_first()); "" is something: it turns off
 * what stands behind.
 */
#ifndef HG_OPTION_OPTION_H
#define HG_OPTION_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

enum option_id {
#define OPTION(id, ...) OPTION_##id,
#include "option/option.def"
	OPTION_COUNT
};

enum option_type {
#define VALUE(type, parser, form) OPTION_TYPE_##type,
#include "option/value.def"
	OPTION_TYPE_COUNT
};

/* Who says it. */
enum option_scope {
	OPTION_SCOPE_CONTROLLER = 1, /* the ConfigMap of --configmap */
	OPTION_SCOPE_CLASS = 2,	     /* the ConfigMap of an IngressClass's parameters */
	OPTION_SCOPE_INGRESS = 4,    /* annotations */
	OPTION_SCOPE_SERVICE = 8,
};

#define OPTION_SCOPES_CONFIG (OPTION_SCOPE_CONTROLLER | OPTION_SCOPE_CLASS)
#define OPTION_SCOPES_ROUTE  (OPTION_SCOPES_CONFIG | OPTION_SCOPE_INGRESS)
#define OPTION_SCOPES_ANYONE (OPTION_SCOPES_ROUTE | OPTION_SCOPE_SERVICE)

enum option_apply {
	OPTION_APPLY_NONE,	 /* known, and not supported yet: refused with these words */
	OPTION_APPLY_MAP,	 /* an entry of a map, a certificate: live on every HAProxy */
	OPTION_APPLY_BACKEND,	 /* another backend: live from HAProxy 3.4 on, else a reload */
	OPTION_APPLY_RELOAD,	 /* the operator's: a reload */
	OPTION_APPLY_CONTROLLER, /* nothing in HAProxy */
};

struct option_info {
	const char *name;
	const char *words;
	const char *default_value; /* as a user would write it; "" = none */
	const char *documentation;
	int64_t min, max;
	enum option_type type;
	enum option_apply apply;
	uint8_t scopes; /* enum option_scope */
	char group;
};

extern const struct option_info option_table[OPTION_COUNT];

/* How values of a type are written, for documentation. */
extern const char *const option_forms[OPTION_TYPE_COUNT];

/* In the place of a reference that was refused, of the options that servers are made with: it names
 * nothing, and what stands behind it does not come into use. */
#define OPTION_REFUSED_REFERENCE "?"

/* What one object says. All zeros = nothing. */
struct option_set {
	char *values[OPTION_COUNT]; /* owned canonical texts; NULL = says nothing */
	/* A rule about who may come in can't be read: nobody may, until it can. */
	bool is_closed;
};

void option_set_free(struct option_set *set);
/* NULL is a set that says nothing. */
bool option_set_equals(const struct option_set *a, const struct option_set *b) MUST_USE;
bool option_set_is_empty(const struct option_set *set) MUST_USE;

/* A new set that says what `near` says, and what `far` says where that says nothing; closed when
 * one of them is. Either may be NULL; NULL when there is nothing to say. */
struct option_set *option_set_merge(
	const struct option_set *near, const struct option_set *far) MUST_USE;

/* The option that has this name; OPTION_COUNT = there is none. */
enum option_id option_find(const char *name) MUST_USE;

/* The value of the first set that says something, or NULL. Sets may be NULL. Borrowed from its set.
 */
const char *option_first(
	enum option_id option, const struct option_set *const *sets, size_t n) MUST_USE;

/* Does this option decide who may come in? A bad value closes the route then. */
bool option_is_access(enum option_id option) MUST_USE;

#endif
