/* See value.h: headers, paths, regular expressions, and how pods are chosen and checked. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/regex.h"
#include "option/value.h"
#include "option/value_priv.h"

static const struct {
	const char *name;
	bool has_argument;
} expressions[] = {
#define EXPRESSION(name, has_argument) {(name), (has_argument)},
#include "option/expression.def"
};

/* HTTP's own, that say where a message ends or are between two neighbours (RFC 9110 section 7.6.1),
 * and those that HAProxy's route hangs on. */
static const char *const reserved_headers[] = {"connection", "content-length", "host", "keep-alive",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"};

/* What a question to an authentication service says by itself (lua/auth.lua). */
static const char *const question_headers[] = {"x-auth-request-redirect", "x-forwarded-method",
	"x-forwarded-uri", "x-original-method", "x-original-url", "x-real-ip"};

/* How parts of HAProxy's configuration tell each other what to do (70-questions.cfg). */
#define INNER_PREFIX "x-headgate-"

static bool is_too_long(const struct option_info *info, const char *text, struct buf *reason)
{
	if (strlen(text) <= (size_t)info->max) {
		return false;
	}
	value_refuse(reason, "longer than %" PRId64 " characters: shorten it", info->max);
	return true;
}

static bool is_among(const char *const *headers, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(headers[i]) == len && strncasecmp(headers[i], name, len) == 0) {
			return true;
		}
	}
	return false;
}

static bool is_reserved(const char *name, size_t len)
{
	return is_among(reserved_headers, ARRAY_LEN(reserved_headers), name, len) ||
	       (len >= strlen(INNER_PREFIX) &&
		       strncasecmp(name, INNER_PREFIX, strlen(INNER_PREFIX)) == 0);
}

bool value_parse_header_name(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	(void)info;
	if (!value_is_token(text, strlen(text)) || strlen(text) > 128) {
		return value_refuse(reason, "no header's name: write one, such as X-Real-IP");
	}
	buf_append_str(value, text);
	return true;
}

bool value_parse_cookie_name(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (is_too_long(info, text, reason)) {
		return false;
	}
	if (!value_is_token(text, strlen(text))) {
		return value_refuse(reason, "no cookie's name: write one word, such as SERVERID");
	}
	buf_append_str(value, text);
	return true;
}

bool value_parse_header_names(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *item;
	size_t len;

	if (is_too_long(info, text, reason)) {
		return false;
	}
	while (value_next_item(&text, ',', &item, &len)) {
		if (!value_is_token(item, len)) {
			return value_refuse(reason,
				"with '%.*s', which is no header's name: write *, or names "
				"separated by commas",
				(int)len, item);
		}
		buf_printf(value, "%s%.*s", value->len ? ", " : "", (int)len, item);
	}
	return true;
}

bool value_parse_header_list(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *item;
	size_t len;

	if (is_too_long(info, text, reason)) {
		return false;
	}
	bool is_asked = info == &option_table[OPTION_AUTH_REQUEST_HEADERS];
	while (value_next_item(&text, ',', &item, &len)) {
		if (!value_is_token(item, len) || is_reserved(item, len) ||
			(is_asked && is_among(question_headers, ARRAY_LEN(question_headers), item,
					     len))) {
			return value_refuse(reason,
				"with '%.*s', which is no header's name, or one that is HAProxy's "
				"own to set: write names such as X-Auth-Request-User, separated by "
				"commas",
				(int)len, item);
		}
		if (value->len > 0) {
			buf_append_char(value, ',');
		}
		for (size_t i = 0; i < len; i++) {
			buf_append_char(value, (char)tolower((unsigned char)item[i]));
		}
	}
	return true;
}

/* "src", "req.hdr(X-User)" */
static bool is_expression(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(expressions); i++) {
		size_t name_len = strlen(expressions[i].name);
		if (len < name_len || memcmp(text, expressions[i].name, name_len) != 0) {
			continue;
		}
		if (!expressions[i].has_argument && len == name_len) {
			return true;
		}
		if (expressions[i].has_argument && len > name_len + 2 && text[name_len] == '(' &&
			text[len - 1] == ')' &&
			value_is_token(text + name_len + 1, len - name_len - 2)) {
			return true;
		}
	}
	return false;
}

/* HAProxy's log format, as far as %[…] of the closed set and %% go. */
static bool check_format(const char *text, struct buf *reason)
{
	for (const char *c = strchr(text, '%'); c != NULL; c = strchr(c, '%')) {
		if (c[1] == '%') {
			c += 2;
			continue;
		}
		const char *end = c[1] == '[' ? strchr(c, ']') : NULL;
		if (end == NULL) {
			return value_refuse(reason,
				"with a '%%' that is not like %%[src]: write %%%% for the "
				"character itself");
		}
		if (!is_expression(c + 2, (size_t)(end - c - 2))) {
			return value_refuse(reason,
				"with '%.*s', which is none of the expressions that can be used: "
				"docs/options.md has them",
				(int)(end + 1 - c), c);
		}
		c = end;
	}
	return true;
}

/* What stands in quotation marks is meant without them. */
static void append_unquoted(struct buf *line, const char *text, size_t len)
{
	bool is_quoted = len >= 2 && text[0] == '"' && text[len - 1] == '"';

	if (!is_quoted) {
		buf_append(line, text, len);
		return;
	}
	for (const char *c = text + 1; c < text + len - 1; c++) {
		c += *c == '\\' && c + 1 < text + len - 1;
		buf_append_char(line, *c);
	}
}

static bool append_header(const char *line, size_t len, struct buf *value, struct buf *reason)
{
	size_t name_len = 0;
	struct buf text = BUF_INIT(OPTION_MAX_VALUE);

	while (name_len < len && line[name_len] != ' ') {
		name_len++;
	}
	size_t start = name_len;
	while (start < len && line[start] == ' ') {
		start++;
	}
	if (!value_is_token(line, name_len) || start == len) {
		return value_refuse(reason,
			"with the line '%.*s': write a header's name, a blank and its value",
			(int)len, line);
	}
	if (is_reserved(line, name_len)) {
		return value_refuse(reason,
			"with the header %.*s, which is HAProxy's own to set: leave it out%s",
			(int)name_len, line,
			strncasecmp(line, "host", name_len) == 0 ? ", or use set-host" : "");
	}
	append_unquoted(&text, line + start, len - start);
	bool is_good = check_format(buf_str(&text), reason);
	if (is_good) {
		buf_printf(value, "%s%.*s: %s", value->len ? "\n" : "", (int)name_len, line,
			buf_str(&text));
	}
	buf_fini(&text);
	return is_good;
}

bool value_parse_headers(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *line;
	size_t len;

	if (is_too_long(info, text, reason)) {
		return false;
	}
	while (value_next_item(&text, '\n', &line, &len)) {
		if (!append_header(line, len, value, reason)) {
			return false;
		}
	}
	return true;
}

bool value_parse_expressions(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *line;
	size_t len;

	if (is_too_long(info, text, reason)) {
		return false;
	}
	while (value_next_item(&text, '\n', &line, &len)) {
		if (!is_expression(line, len)) {
			return value_refuse(reason,
				"with '%.*s', which is none of the expressions that can be used: "
				"docs/options.md has them",
				(int)len, line);
		}
		buf_printf(value, "%s%.*s", value->len ? "\n" : "", (int)len, line);
	}
	return true;
}

bool value_parse_pattern(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	unsigned n_groups;

	if (strcmp(text, "*") != 0) {
		const char *fault = regex_check(text, &n_groups);
		if (is_too_long(info, text, reason) || strpbrk(text, " \n") != NULL ||
			fault != NULL) {
			return value_refuse(reason, "a regular expression that %s",
				fault ? fault : "is too long or has a blank: write \\s for one");
		}
	}
	buf_append_str(value, text);
	return true;
}

/* RFC 3986: characters of paths, and what stands for groups. */
static bool is_path(const char *text, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) &&
			strchr("/-._~!$&'()*+,;=:@%", text[i]) == NULL &&
			strchr(more, text[i]) == NULL) {
			return false;
		}
	}
	return len > 0;
}

/* Does it begin with '/' (or a group, which will), and are its groups there? */
static bool is_replacement(const char *text, size_t len, unsigned n_groups)
{
	if (!is_path(text, len, "\\") || (text[0] != '/' && text[0] != '\\')) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\' &&
			(i + 1 == len || text[i + 1] < '1' || text[i + 1] > '0' + (int)n_groups)) {
			return false;
		}
	}
	return true;
}

/* "/path", or "pattern /path\1" */
static bool append_rewrite(const char *line, size_t len, struct buf *value, struct buf *reason)
{
	const char *blank = memchr(line, ' ', len);
	size_t pattern_len = blank ? (size_t)(blank - line) : 0;
	const char *path = line + pattern_len;
	unsigned n_groups = 0;

	while (path < line + len && *path == ' ') {
		path++;
	}
	size_t path_len = (size_t)(line + len - path);
	CLEANUP(free_ptr) char *pattern = xstrndup(blank ? line : "^.*$", blank ? pattern_len : 4);
	const char *fault = regex_check(pattern, &n_groups);
	if (fault != NULL) {
		return value_refuse(
			reason, "with '%s', a regular expression that %s", pattern, fault);
	}
	if (!is_replacement(path, path_len, n_groups)) {
		return value_refuse(reason,
			"with the line '%.*s': write a path, or a regular expression, a blank and "
			"a "
			"path with \\1 to \\9 for groups that it has",
			(int)len, line);
	}
	buf_printf(value, "%s%s %.*s", value->len ? "\n" : "", pattern, (int)path_len, path);
	return true;
}

#define MAX_REWRITES 4

bool value_parse_rewrites(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *line;
	size_t len;
	int n = 0;

	if (is_too_long(info, text, reason)) {
		return false;
	}
	while (value_next_item(&text, '\n', &line, &len)) {
		if (n++ == MAX_REWRITES) {
			return value_refuse(
				reason, "more than %d lines: join some of them", MAX_REWRITES);
		}
		if (!append_rewrite(line, len, value, reason)) {
			return false;
		}
	}
	return true;
}

bool value_parse_check(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	static const char *const methods[] = {"GET", "HEAD", "OPTIONS"};
	const char *item;
	size_t len;
	const char *method = "OPTIONS";

	if (is_too_long(info, text, reason) || !value_next_item(&text, ' ', &item, &len)) {
		return false;
	}
	for (size_t i = 0; *item != '/' && i < ARRAY_LEN(methods); i++) {
		if (strlen(methods[i]) == len && memcmp(methods[i], item, len) == 0) {
			method = methods[i];
			value_next_item(&text, ' ', &item, &len);
			break;
		}
	}
	if (*item != '/' || !is_path(item, len, "?")) {
		return value_refuse(reason,
			"no request that can be used as a check: write a path, or GET, HEAD or "
			"OPTIONS and a path");
	}
	buf_printf(value, "%s %.*s", method, (int)len, item);
	bool has_more = value_next_item(&text, ' ', &item, &len);
	if (has_more && (len != strlen("HTTP/1.1") || strncmp(item, "HTTP/1.", 7) != 0)) {
		return value_refuse(
			reason, "more than a method, a path and HTTP/1.1: leave the rest out");
	}
	return true;
}

/* ---- load-balance ---- */

enum balance_argument { NO_ARGUMENT, NAME_ARGUMENT, URI_ARGUMENTS };

static const struct {
	const char *word;
	enum balance_argument argument;
} algorithms[] = {{"roundrobin", NO_ARGUMENT}, {"static-rr", NO_ARGUMENT},
	{"leastconn", NO_ARGUMENT}, {"first", NO_ARGUMENT}, {"source", NO_ARGUMENT},
	{"random", NO_ARGUMENT}, {"uri", URI_ARGUMENTS}, {"url_param", NAME_ARGUMENT},
	{"hdr", NAME_ARGUMENT}};

#define MAX_DEPTH 8

/* "uri [path-only] [whole | depth N]": the host never counts, so path-only says nothing. */
static bool append_uri_arguments(const char *rest, struct buf *value)
{
	const char *item;
	size_t len;
	bool is_complete = false;

	while (value_next_item(&rest, ' ', &item, &len)) {
		if (len == strlen("path-only") && memcmp(item, "path-only", len) == 0) {
			continue;
		}
		if (is_complete) {
			return false;
		}
		is_complete = true;
		if (len == strlen("whole") && memcmp(item, "whole", len) == 0) {
			buf_append_str(value, " whole");
			continue;
		}
		if (len != strlen("depth") || memcmp(item, "depth", len) != 0 ||
			!value_next_item(&rest, ' ', &item, &len) || len != 1 || item[0] < '1' ||
			item[0] > '0' + MAX_DEPTH) {
			return false;
		}
		buf_printf(value, " depth %c", item[0]);
	}
	return true;
}

/* "hdr(X-User)", "url_param user", "random(3)": a name in brackets or behind a blank. */
static bool append_name(const char *rest, struct buf *value)
{
	const char *item;
	size_t len;

	if (!value_next_item(&rest, ' ', &item, &len)) {
		return false;
	}
	if (len > 2 && item[0] == '(' && item[len - 1] == ')') {
		item++;
		len -= 2;
	}
	if (!value_is_token(item, len) || len > 64) {
		return false;
	}
	buf_printf(value, " %.*s", (int)len, item);
	return !value_next_item(&rest, ' ', &item, &len);
}

/* What stands behind the word: random(2) is random, which draws two. */
static bool append_arguments(size_t algorithm, const char *rest, struct buf *value)
{
	switch (algorithms[algorithm].argument) {
	case URI_ARGUMENTS:
		return append_uri_arguments(rest, value);
	case NAME_ARGUMENT:
		return append_name(rest, value);
	default:
		return *rest == '\0' || (strcmp(algorithms[algorithm].word, "random") == 0 &&
						strcmp(rest, "(2)") == 0);
	}
}

bool value_parse_balance(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	if (is_too_long(info, text, reason)) {
		return false;
	}
	size_t len = strcspn(text, " (");
	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		if (strlen(algorithms[i].word) != len ||
			memcmp(algorithms[i].word, text, len) != 0) {
			continue;
		}
		buf_append_str(value, algorithms[i].word);
		if (append_arguments(i, text + len, value)) {
			return true;
		}
		break;
	}
	return value_refuse(
		reason, "no way of balancing that can be used: write %s", option_forms[info->type]);
}

#define MAX_PATHS 16

/* Whole elements, none of them empty or of dots: "/admin", "/a%20b/". What is written plainly here
 * is found however a request writes it. */
static bool is_path_prefix(const char *text, size_t len)
{
	static const char marks[] = "-._~%/:@+=!$&*";

	if (len == 0 || *text != '/') {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)text[i]) && strchr(marks, text[i]) == NULL) {
			return false;
		}
		if (text[i] == '%' && (i + 2 >= len || !isxdigit((unsigned char)text[i + 1]) ||
					      !isxdigit((unsigned char)text[i + 2]))) {
			return false;
		}
	}
	for (size_t i = 1; i < len;) {
		size_t end = i;
		while (end < len && text[end] != '/') {
			end++;
		}
		size_t n = end - i;
		if (n == 0 || (n <= 2 && strncmp(text + i, "..", n) == 0)) {
			return false;
		}
		i = end + 1;
	}
	return true;
}

bool value_parse_paths(
	const struct option_info *info, const char *text, struct buf *value, struct buf *reason)
{
	const char *item;
	size_t len;
	size_t n = 0;
	bool is_empty = text[strspn(text, " \t\n")] == '\0';

	if (is_too_long(info, text, reason)) {
		return false;
	}
	while (value_next_item(&text, ',', &item, &len)) {
		if (n++ == MAX_PATHS) {
			return value_refuse(
				reason, "a list of more than %d paths: join some", MAX_PATHS);
		}
		if (!is_path_prefix(item, len)) {
			return value_refuse(reason,
				"with '%.*s', which is no path as this option takes it: write one "
				"such as /admin, without . and .. and what follows ? or ;",
				(int)len, item);
		}
		len -= len > 1 && item[len - 1] == '/';
		buf_printf(value, "%s%.*s", value->len ? " " : "", (int)len, item);
	}
	/* As in value_net.c: an empty text alone turns the option off. */
	return n > 0 || is_empty ||
	       value_refuse(reason, "a list of nothing: write a path such as /admin");
}
