/* See json.h. */
#include "base/json.h"

#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ellipsis[] = "...";

/* Bytes of the character that begins here (RFC 3629 section 4); 0 = none does. The NUL at the end
 * is no continuation byte. */
static size_t character_size(const unsigned char *at)
{
	static const struct {
		unsigned char first, last;  /* of the first byte */
		unsigned char lower, upper; /* of the second */
		uint8_t size;
	} rows[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (at[0] < 0x80) {
		return 1;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (at[0] >= rows[i].first && at[0] <= rows[i].last) {
			bool is_whole = at[1] >= rows[i].lower && at[1] <= rows[i].upper;
			for (size_t n = 2; is_whole && n < rows[i].size; n++) {
				is_whole = (at[n] & 0xc0) == 0x80;
			}
			return is_whole ? rows[i].size : 0;
		}
	}
	return 0;
}

static size_t value_size(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t size = 0;

	while (*at != '\0') {
		size_t n = character_size(at);
		size += n > 0 ? n : sizeof(replacement) - 1;
		at += n > 0 ? n : 1;
	}
	return size;
}

static void append_character(struct buf *buf, const unsigned char *at, size_t size)
{
	if (size == 0) {
		buf_append_str(buf, replacement);
	} else if (*at == '"' || *at == '\\') {
		buf_printf(buf, "\\%c", *at);
	} else if (*at < 0x20 || *at == 0x7f) {
		buf_printf(buf, "\\u%04x", *at);
	} else {
		buf_append(buf, at, size);
	}
}

void json_append_text(struct buf *buf, const char *text, size_t max_size)
{
	const unsigned char *at = (const unsigned char *)text;
	bool is_cut = value_size(text) > max_size;
	size_t room = max_size;

	if (is_cut) {
		room = max_size > sizeof(ellipsis) - 1 ? max_size - (sizeof(ellipsis) - 1) : 0;
	}
	buf_append_char(buf, '"');
	while (*at != '\0') {
		size_t size = character_size(at);
		size_t written = size > 0 ? size : sizeof(replacement) - 1;
		if (written > room) {
			break;
		}
		append_character(buf, at, size);
		room -= written;
		at += size > 0 ? size : 1;
	}
	buf_append_str(buf, is_cut ? ellipsis : "");
	buf_append_char(buf, '"');
}

void json_append_member(struct buf *buf, const char *key, const char *value, size_t max_size)
{
	buf_printf(buf, "%s\"%s\":", buf->data[buf->len - 1] == '{' ? "" : ",", key);
	json_append_text(buf, value, max_size);
}
