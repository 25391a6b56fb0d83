/*
 * What a plain (unquoted) YAML scalar means: null, a boolean, a number or a text. Pure.
 *
 * The rules are kubectl's, so that a manifest says the same here and in a cluster. They are not
 * quite YAML 1.2's core schema: yes, no, on, off, y and n are booleans as in YAML 1.1 (so `host:
 * on` is refused here as the API server refuses it, and `ready: yes` works in both), 0o17, 017 and
 * 0b11 are numbers, and digits may be grouped with underscores. Dates are texts. Numbers that JSON
 * can't say (.inf, .nan, 1e999) are texts, which a field that wants a number then refuses by name.
 */
#ifndef HG_MANIFEST_SCALAR_H
#define HG_MANIFEST_SCALAR_H

#include <json-c/json.h>
#include <stddef.h>

enum scalar_type { SCALAR_TEXT, SCALAR_NULL, SCALAR_BOOL, SCALAR_INT, SCALAR_FLOAT };

/* The type of `text` (NUL-terminated, `len` bytes); *ret_value is a new value, NULL for null. */
enum scalar_type scalar_decode(const char *text, size_t len, struct json_object **ret_value);

#endif
