/* See value.h: what all values have in common, and the simple types. Called by read.c. */
#include "option/value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value_priv.h"

static const value_parser_fn parsers[OPTION_TYPE_COUNT] = {
#define VALUE(type, parser, form) [OPTION_TYPE_##type] = value_parse_##parser,
#include "option/value.def"
};

bool value_refuse(struct buf *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(reason, format, args);
	va_end(args);
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Without blanks at the ends, with '\n' only at the ends of lines, and with blanks for tabs. */
static char *trim(const char *text)
{
	size_t len = strlen(text);
	struct buf copy = BUF_INIT(OPTION_MAX_VALUE);

	while (len > 0 && is_blank(text[len - 1])) {
		len--;
	}
	while (len > 0 && is_blank(*text)) {
		text++;
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\r' || text[i + 1] != '\n') {
			buf_append_char(&copy, text[i] == '\t' ? ' ' : text[i]);
		}
	}
	return buf_take(&copy);
}

static bool has_only_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if ((*text < ' ' || *text > '~') && *text != '\n') {
			return false;
		}
	}
	return true;
}

static bool can_be_empty(enum option_type type)
{
	return type != OPTION_TYPE_BOOL && type != OPTION_TYPE_INT && type != OPTION_TYPE_STATUS &&
	       type != OPTION_TYPE_DURATION && type != OPTION_TYPE_WORD;
}

static bool parse(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (strlen(text) > OPTION_MAX_VALUE) {
		return value_refuse(reason, "longer than %d bytes: shorten it", OPTION_MAX_VALUE);
	}
	CLEANUP(free_ptr) char *trimmed = trim(text);
	if (!has_only_printable(trimmed)) {
		return value_refuse(reason,
			"not printable ASCII: write other characters percent-encoded, or leave "
			"them out");
	}
	if (*trimmed == '\0') {
		return can_be_empty(info->type) ||
		       value_refuse(reason, "empty: write %s", option_forms[info->type]);
	}
	return parsers[info->type](info, trimmed, value, reason);
}

static char *parse_value(const struct option_info *info, const char *text, char **ret_reason)
{
	struct buf value = BUF_INIT(2 * OPTION_MAX_VALUE);
	struct buf reason = BUF_INIT(2 * OPTION_MAX_VALUE);
	char *result = NULL;

	if (parse(info, text, &value, &reason) && buf_is_ok(&value)) {
		result = buf_take(&value);
	} else {
		*ret_reason = reason.len > 0 ? buf_take(&reason) : xstrdup("too long: shorten it");
	}
	buf_fini(&value);
	buf_fini(&reason);
	return result;
}

char *option_parse(enum option_id option, const char *text, char **ret_reason)
{
	return parse_value(&option_table[option], text, ret_reason);
}

char *option_parse_log_format_tcp(const char *text, char **ret_reason)
{
	static const struct option_info info = {.type = OPTION_TYPE_LOG_FORMAT_TCP};

	return parse_value(&info, text, ret_reason);
}

bool value_next_item(const char **cursor, char separator, const char **ret_item, size_t *ret_len)
{
	const char *start = *cursor;

	while (is_blank(*start) || *start == separator) {
		start++;
	}
	const char *end = start;
	while (*end != '\0' && *end != separator) {
		end++;
	}
	*cursor = end;
	*ret_item = start;
	while (end > start && is_blank(end[-1])) {
		end--;
	}
	*ret_len = (size_t)(end - start);
	return *ret_len > 0;
}

bool value_is_token(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) &&
			strchr("!#$%&'*+-.^_`|~", text[i]) == NULL) {
			return false;
		}
	}
	return len > 0;
}

/* ---- the simple types ---- */

bool value_parse_bool(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", "on", "enabled"};
	static const char *const no[] = {
		"0", "f", "F", "FALSE", "false", "False", "off", "disabled"};

	(void)info;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			buf_append_str(value, strcmp(text, yes[i]) == 0 ? "true" : "false");
			return true;
		}
	}
	return value_refuse(reason, "neither true nor false: write `true` or `false`");
}

/* The digits at the beginning, at most 10^15. */
static bool read_number(const char **text, int64_t *ret_number)
{
	const char *c = *text;
	int64_t number = 0;

	for (; isdigit((unsigned char)*c); c++) {
		if (c - *text >= 15) {
			return false;
		}
		number = number * 10 + (*c - '0');
	}
	bool has_digits = c > *text;
	*text = c;
	*ret_number = number;
	return has_digits;
}

bool value_parse_int(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	int64_t number = 0;

	if (!read_number(&text, &number) || *text != '\0' || number < info->min ||
		number > info->max) {
		return value_refuse(reason,
			"no whole number from %" PRId64 " to %" PRId64 ": write one", info->min,
			info->max);
	}
	buf_printf(value, "%" PRId64, number);
	return true;
}

bool value_parse_duration(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{"", 1}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	int64_t number = 0;

	if (read_number(&text, &number)) {
		for (size_t i = 0; i < ARRAY_LEN(units); i++) {
			int64_t ms = number * units[i].ms;
			if (strcmp(text, units[i].name) == 0 && ms >= info->min &&
				ms <= info->max) {
				buf_printf(value, "%" PRId64, ms);
				return true;
			}
		}
	}
	return value_refuse(reason,
		"no time from %" PRId64 "ms to %" PRId64
		"ms: write a whole number with ms, s, m, h or d (without: milliseconds)",
		info->min, info->max);
}

/* The position of a word in a list, whatever its letters' case; 0 = it is not there. */
static size_t find_word(const char *words, const char *text, size_t len)
{
	const char *word;
	size_t word_len;
	size_t position = 0;

	while (value_next_item(&words, ' ', &word, &word_len)) {
		position++;
		if (word_len == len && strncasecmp(word, text, len) == 0) {
			return position;
		}
	}
	return 0;
}

bool value_parse_word(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (find_word(info->words, text, strlen(text)) == 0) {
		return value_refuse(reason, "none of its words: write one of %s", info->words);
	}
	for (; *text != '\0'; text++) {
		buf_append_char(value, (char)tolower((unsigned char)*text));
	}
	return true;
}

bool value_parse_words(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *cursor = info->words;
	const char *item;
	size_t len;
	uint64_t chosen = 0;

	for (const char *rest = text; value_next_item(&rest, ',', &item, &len);) {
		size_t position = find_word(info->words, item, len);
		if (position == 0) {
			return value_refuse(reason, "with '%.*s': write some of %s", (int)len, item,
				info->words);
		}
		chosen |= 1ull << position;
	}
	for (size_t i = 1; value_next_item(&cursor, ' ', &item, &len); i++) {
		if ((chosen >> i & 1) != 0) {
			buf_printf(value, "%s%.*s", value->len ? "," : "", (int)len, item);
		}
	}
	return true;
}

bool value_parse_status(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	static const int codes[] = {301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 408, 410, 413,
		425, 429, 500, 501, 502, 503, 504};
	struct buf all = BUF_INIT(0);

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i] < info->min || codes[i] > info->max) {
			continue;
		}
		if (codes[i] == atol(text) && strlen(text) == 3) {
			buf_fini(&all);
			buf_append_str(value, text);
			return true;
		}
		buf_printf(&all, "%s%d", all.len ? ", " : "", codes[i]);
	}
	value_refuse(reason, "no status that HAProxy can answer with here: write one of %s",
		buf_str(&all));
	buf_fini(&all);
	return false;
}

bool value_parse_text(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (strlen(text) > (size_t)info->max || strpbrk(text, "\n\"\\") != NULL) {
		return value_refuse(reason,
			"longer than %" PRId64
			" characters, or has a quotation mark, a backslash or a second "
			"line: leave these out",
			info->max);
	}
	buf_append_str(value, text);
	return true;
}

/* https://kubernetes.io/docs/concepts/overview/working-with-objects/names/: an RFC 1123 subdomain.
 */
static bool is_object_name(const char *text, size_t len, size_t max)
{
	for (size_t i = 0; i < len; i++) {
		bool is_inner = i > 0 && i + 1 < len && (text[i] == '-' || text[i] == '.');
		if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) &&
			!is_inner) {
			return false;
		}
	}
	return len > 0 && len <= max;
}

bool value_parse_reference(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *slash = strchr(text, '/');
	const char *name = slash ? slash + 1 : text;

	(void)info;
	if ((slash != NULL && !is_object_name(text, (size_t)(slash - text), 63)) ||
		!is_object_name(name, strlen(name), 253)) {
		return value_refuse(reason, "no object's name: write `name` or `namespace/name`");
	}
	buf_append_str(value, text);
	return true;
}
