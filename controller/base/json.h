/* Writing JSON: the one thing about it that can go wrong, texts. Reading is json-c's. */
#ifndef HG_BASE_JSON_H
#define HG_BASE_JSON_H

#include <stddef.h>

#include "base/buf.h"

/*
 * Appends `text` as a JSON string (RFC 8259 section 7), in quotes. Whatever the bytes are, the
 * result is one valid string of valid UTF-8: bytes that are none become U+FFFD. Its value has at
 * most `max_size` bytes of UTF-8; a longer text is cut between two characters and ends in "...".
 */
void json_append_text(struct buf *buf, const char *text, size_t max_size);

/* Appends "key":"value" to an object that is being written, with a comma where it is not the first
 * member; `key` is a word of ours. */
void json_append_member(struct buf *buf, const char *key, const char *value, size_t max_size);

/* No limit of its own. */
#define JSON_TEXT_WHOLE ((size_t)-1)

#endif
