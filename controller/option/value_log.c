/* See value.h: how and where requests are logged. */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value.h"
#include "option/value_priv.h"

/* HAProxy has a log line of 1024 bytes by default anyway. */
#define MAX_FORMAT 1024

struct log_word {
	const char *text;
	bool is_http; /* of requests only */
};

static const struct log_word aliases[] = {
#define LOG_ALIAS(name)	     {(name), false},
#define LOG_HTTP_ALIAS(name) {(name), true},
#define LOG_EXPRESSION(text)
#define LOG_HTTP_EXPRESSION(text)
#include "option/log.def"
};

static const struct log_word expressions[] = {
#define LOG_ALIAS(name)
#define LOG_HTTP_ALIAS(name)
#define LOG_EXPRESSION(text)	  {(text), false},
#define LOG_HTTP_EXPRESSION(text) {(text), true},
#include "option/log.def"
};

/* ---- log-format, log-format-tcp ---- */

static bool is_among(
	const struct log_word *words, size_t n, const char *text, size_t len, bool is_tcp)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i].text) == len && strncmp(words[i].text, text, len) == 0) {
			return !(is_tcp && words[i].is_http);
		}
	}
	return false;
}

/* "{+Q,-E}", perhaps; NULL = something else in braces. */
static const char *skip_flags(const char *text)
{
	if (*text != '{') {
		return text;
	}
	do {
		text++;
		if ((*text != '+' && *text != '-') || strchr("QEX", text[1]) == NULL ||
			text[1] == '\0') {
			return NULL;
		}
		text += 2;
	} while (*text == ',');
	return *text == '}' ? text + 1 : NULL;
}

/* What stands behind a '%'; NULL = nothing that is known, else what follows it. */
static const char *skip_item(const char *text, bool is_tcp)
{
	if (*text == '%') {
		return text + 1;
	}
	text = skip_flags(text);
	if (text != NULL && *text == '[') {
		size_t len = strcspn(text + 1, "]");
		return text[1 + len] == ']' && is_among(expressions, ARRAY_LEN(expressions),
						       text + 1, len, is_tcp)
			       ? text + len + 2
			       : NULL;
	}
	size_t len = 0;
	while (text != NULL && isalnum((unsigned char)text[len])) {
		len++;
	}
	return len > 0 && is_among(aliases, ARRAY_LEN(aliases), text, len, is_tcp) ? text + len
										   : NULL;
}

static bool check_format(const char *text, bool is_tcp, struct buf *reason)
{
	if (strcmp(text, "none") == 0 || strpbrk(text, "'\n") != NULL ||
		strlen(text) > MAX_FORMAT) {
		return value_refuse(reason,
			"longer than %d characters, or has a single quote or a second line, or is "
			"'none': write %sa line without these",
			MAX_FORMAT, is_tcp ? "" : "`json`, or ");
	}
	for (const char *c = text; c != NULL && *c != '\0';) {
		size_t len = strcspn(c, "%");
		const char *item = c[len] == '%' ? c + len : NULL;
		c = item ? skip_item(item + 1, is_tcp) : c + len;
		if (c == NULL) {
			return value_refuse(reason,
				"with '%.12s', which is none of the names and expressions that "
				"can be logged%s: see docs/options.md; a percent sign is %%%%",
				item, is_tcp ? " of a connection" : "");
		}
	}
	return true;
}

bool value_parse_log_format(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	(void)info;
	if (!check_format(text, false, reason)) {
		return false;
	}
	buf_append_str(value, text);
	return true;
}

bool value_parse_log_format_tcp(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	(void)info;
	if (!check_format(text, true, reason)) {
		return false;
	}
	buf_append_str(value, text);
	return true;
}

/* ---- syslog-server ---- */

enum syslog_key {
	KEY_ADDRESS,
	KEY_PORT,
	KEY_LENGTH,
	KEY_FORMAT,
	KEY_FACILITY,
	KEY_LEVEL,
	KEY_MINLEVEL,
	KEY_COUNT
};

#define LEVELS "emerg alert crit err warning notice info debug"

static const struct {
	const char *name;
	const char *words; /* NULL = an address or a number */
	int64_t max;	   /* of a number */
	const char *standard;
} keys[KEY_COUNT] = {
	[KEY_ADDRESS] = {"address", NULL, 0, NULL},
	[KEY_PORT] = {"port", NULL, 65535, "514"},
	[KEY_LENGTH] = {"length", NULL, 65535, "1024"},
	[KEY_FORMAT] = {"format", "rfc3164 rfc5424 priority short timed iso raw local", 0, ""},
	[KEY_FACILITY] = {"facility",
		"kern user mail daemon auth syslog lpr news uucp cron auth2 ftp ntp audit alert "
		"cron2 "
		"local0 local1 local2 local3 local4 local5 local6 local7",
		0, "local0"},
	[KEY_LEVEL] = {"level", LEVELS, 0, "notice"},
	[KEY_MINLEVEL] = {"minlevel", LEVELS, 0, ""},
};

static bool is_word_of(const char *words, const char *text)
{
	const char *word;
	size_t len;

	while (value_next_item(&words, ' ', &word, &len)) {
		if (strlen(text) == len && strncmp(word, text, len) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_good(enum syslog_key key, const char *text)
{
	unsigned char address[4];
	size_t len = strlen(text);

	if (key == KEY_ADDRESS) {
		return strcmp(text, "stdout") == 0 || inet_pton(AF_INET, text, address) == 1;
	}
	if (keys[key].words != NULL) {
		return is_word_of(keys[key].words, text);
	}
	long number = len > 0 && len <= 5 && strspn(text, "0123456789") == len ? atol(text) : 0;
	return number >= (key == KEY_LENGTH ? 80 : 1) && number <= keys[key].max;
}

/* "address:192.0.2.1", into its place; false = refused. */
static bool read_pair(const char *item, size_t len, char *values[KEY_COUNT], struct buf *reason)
{
	CLEANUP(free_ptr) char *copy = xstrndup(item, len);
	char *value = strchr(copy, ':');

	if (value != NULL) {
		*value++ = '\0';
		value += strspn(value, " ");
		copy[strcspn(copy, " ")] = '\0';
	}
	for (int key = 0; value != NULL && key < KEY_COUNT; key++) {
		if (strcmp(keys[key].name, copy) == 0 && values[key] == NULL &&
			is_good((enum syslog_key)key, value)) {
			values[key] = xstrdup(value);
			return true;
		}
	}
	return value_refuse(reason,
		"with '%.*s': write address (an IPv4 address, or stdout), port, length, format, "
		"facility, level and minlevel, each once, as HAProxy knows them",
		(int)len, item);
}

static const char *value_of(char *const values[KEY_COUNT], enum syslog_key key)
{
	return values[key] != NULL ? values[key] : keys[key].standard;
}

/* In the words of HAProxy's `log`. */
static void append_server(struct buf *value, char *const values[KEY_COUNT])
{
	bool is_stdout = strcmp(values[KEY_ADDRESS], "stdout") == 0;
	const char *format = value_of(values, KEY_FORMAT);

	buf_printf(value, "%s%s", value->len > 0 ? "\n" : "", values[KEY_ADDRESS]);
	if (!is_stdout) {
		buf_printf(value, ":%s", value_of(values, KEY_PORT));
	}
	buf_printf(value, " len %s", value_of(values, KEY_LENGTH));
	if (is_stdout || format[0] != '\0') {
		buf_printf(value, " format %s", format[0] != '\0' ? format : "raw");
	}
	buf_printf(value, " %s %s", value_of(values, KEY_FACILITY), value_of(values, KEY_LEVEL));
	if (values[KEY_MINLEVEL] != NULL) {
		buf_printf(value, " %s", values[KEY_MINLEVEL]);
	}
}

static bool read_server(const char *line, size_t len, struct buf *value, struct buf *reason)
{
	CLEANUP(free_ptr) char *copy = xstrndup(line, len);
	char *values[KEY_COUNT] = {0};
	const char *rest = copy;
	const char *item;
	size_t item_len;
	bool is_ok = true;

	while (is_ok && value_next_item(&rest, ',', &item, &item_len)) {
		is_ok = read_pair(item, item_len, values, reason);
	}
	if (is_ok && values[KEY_ADDRESS] == NULL) {
		is_ok = value_refuse(reason, "with a line without an address: write one");
	}
	if (is_ok) {
		append_server(value, values);
	}
	for (int key = 0; key < KEY_COUNT; key++) {
		free(values[key]);
	}
	return is_ok;
}

bool value_parse_syslog(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *line;
	size_t len;
	int64_t n = 0;

	while (value_next_item(&text, '\n', &line, &len)) {
		if (++n > info->max) {
			return value_refuse(
				reason, "more than %" PRId64 " lines: leave some out", info->max);
		}
		if (!read_server(line, len, value, reason)) {
			return false;
		}
	}
	return true;
}
