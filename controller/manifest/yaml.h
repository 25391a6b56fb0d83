/*
 * YAML text to json-c values, as kubectl reads it: plain scalars are typed (manifest/scalar.h has
 * the rules and why), everything quoted is a string, anchors, aliases and merge keys (`<<`) work, a
 * key that is there twice is refused. Keys are texts as written, whatever they look like. JSON is
 * YAML's subset and goes the same way. Pure: no I/O.
 *
 * Limits: depth 64 and 1,000,000 values, both after aliases are expanded, so that nested aliases
 * can't blow up; text 64 MiB.
 */
#ifndef HG_MANIFEST_YAML_H
#define HG_MANIFEST_YAML_H

#include <json-c/json.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

#define YAML_MAX_DEPTH	64
#define YAML_MAX_VALUES 1000000
#define YAML_MAX_SIZE	((size_t)64 * 1024 * 1024)

/*
 * All documents of a text, in a new json-c array (caller: json_object_put); empty documents are
 * left out. Values that an alias repeats are shared, so the result is only to be read. NULL on
 * failure: `err` (ERR_INPUT) says "line N: reason".
 */
struct json_object *yaml_parse(const char *text, size_t len, struct err *err) MUST_USE;

/* The line on which a mapping or a list of yaml_parse() begins; 0 for everything else. */
size_t yaml_line(struct json_object *json) MUST_USE;

#endif
