/* The parsers behind value.def, a family a file; private to value.c, value_http.c, value_net.c and
 * their tests. */
#ifndef HG_OPTION_VALUE_PRIV_H
#define HG_OPTION_VALUE_PRIV_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "option/option.h"

/*
 * `text` has no blanks at its ends, is not empty, and has printable ASCII and '\n' only.
 * Appends the canonical text to `value`; on failure appends the reason to `reason` (words that
 * stand behind "is '…'") and returns false; what is in `value` then is of no use.
 */
typedef bool (*value_parser_fn)(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason);

#define VALUE(type, parser, form)                                                                  \
	bool value_parse_##parser(const struct option_info *info, const char *text,                \
		struct buf *value, struct buf *reason);
#include "option/value.def"

/* Appends the reason and returns false. */
bool value_refuse(struct buf *reason, const char *format, ...) PRINTF_LIKE(2, 3);

/* Walks over the items of a list: false at its end. Blanks around items are not theirs, items
 * without anything are passed over. *cursor begins at the text. */
bool value_next_item(const char **cursor, char separator, const char **ret_item, size_t *ret_len);

/* RFC 9110 section 5.6.2: a name of a header, a cookie or a method. */
bool value_is_token(const char *text, size_t len) MUST_USE;

#endif
