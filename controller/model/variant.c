/* See variant.h. One row a word, in the order in which they stand in a name. */
#include "model/variant.h"

#include <ctype.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum argument {
	NOTHING,
	NUMBER,
	KEY,
	TEXT,
	PATH,
	DIGEST,
};

struct word {
	const char *text; /* with its '-' when something comes behind it */
	enum argument argument;
	enum variant_part part;
	uint32_t value; /* of the part; of NUMBER: not used */
};

static const struct word words[] = {
	{"tcp", NOTHING, VARIANT_TCP, 1},
	{"leastconn", NOTHING, VARIANT_BALANCE, VARIANT_LEASTCONN},
	{"first", NOTHING, VARIANT_BALANCE, VARIANT_FIRST},
	{"random", NOTHING, VARIANT_BALANCE, VARIANT_RANDOM},
	{"by-source", NOTHING, VARIANT_BALANCE, VARIANT_SOURCE},
	{"by-", KEY, VARIANT_BALANCE, VARIANT_HASH},
	{"cookie-", TEXT, VARIANT_COOKIE, 1},
	{"check", NOTHING, VARIANT_CHECK, VARIANT_CHECK_TCP},
	{"get-", PATH, VARIANT_CHECK, VARIANT_CHECK_GET},
	{"head-", PATH, VARIANT_CHECK, VARIANT_CHECK_HEAD},
	{"options-", PATH, VARIANT_CHECK, VARIANT_CHECK_OPTIONS},
	{"inter-", NUMBER, VARIANT_INTERVAL, 0},
	{"maxconn-", NUMBER, VARIANT_MAXCONN, 0},
	{"h1", NOTHING, VARIANT_TRANSPORT, VARIANT_H1},
	{"h2c", NOTHING, VARIANT_TRANSPORT, VARIANT_H2C},
	{"tls", NOTHING, VARIANT_TRANSPORT, VARIANT_TLS},
	{"tls-h1", NOTHING, VARIANT_TRANSPORT, VARIANT_TLS_H1},
	{"tls-h2", NOTHING, VARIANT_TRANSPORT, VARIANT_TLS_H2},
	{"proxy-v1", NOTHING, VARIANT_PROXY, VARIANT_PROXY_V1},
	{"proxy-v2", NOTHING, VARIANT_PROXY, VARIANT_PROXY_V2},
	{"proxy-v2-ssl", NOTHING, VARIANT_PROXY, VARIANT_PROXY_V2_SSL},
	{"proxy-v2-ssl-cn", NOTHING, VARIANT_PROXY, VARIANT_PROXY_V2_SSL_CN},
	{"ca-", DIGEST, VARIANT_CA, 1},
	{"crt-", DIGEST, VARIANT_CRT, 1},
};

/* What may stand behind "by-" as it is, and what wants a text. */
static const char *const keys[] = {"uri", "uri-whole", "uri-depth-1", "uri-depth-2", "uri-depth-3",
	"uri-depth-4", "uri-depth-5", "uri-depth-6", "uri-depth-7", "uri-depth-8"};
static const char *const text_keys[] = {"param-", "header-"};

#define ESCAPE_LEN 3 /* ".2f" */

static bool is_plain(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* Is it what append_escaped() writes? */
static bool is_escaped(const char *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;

	for (size_t i = 0; i < len; n++) {
		if (is_plain(text[i])) {
			i++;
		} else if (text[i] == '.' && len - i >= ESCAPE_LEN && text[i + 1] != '\0' &&
			   strchr(digits, text[i + 1]) && strchr(digits, text[i + 2])) {
			i += ESCAPE_LEN;
		} else {
			return false;
		}
	}
	return n > 0 && n <= VARIANT_MAX_TEXT;
}

/* 1 to 4294967295, without leading zero; 0 = it is none. */
static uint32_t read_number(const char *text, size_t len)
{
	uint64_t number = 0;

	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]) || len > 10 || text[0] == '0') {
			return 0;
		}
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	return number <= UINT32_MAX ? (uint32_t)number : 0;
}

static bool begins_with(const char *text, size_t len, const char *start)
{
	return len >= strlen(start) && memcmp(text, start, strlen(start)) == 0;
}

static bool is_key(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (strlen(keys[i]) == len && memcmp(text, keys[i], len) == 0) {
			return true;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(text_keys); i++) {
		size_t start = strlen(text_keys[i]);

		if (begins_with(text, len, text_keys[i])) {
			return is_escaped(text + start, len - start);
		}
	}
	return false;
}

static bool is_argument(const struct word *word, const char *text, size_t len)
{
	switch (word->argument) {
	case NUMBER:
		return read_number(text, len) != 0;
	case KEY:
		return is_key(text, len);
	case TEXT:
		return is_escaped(text, len);
	case DIGEST:
		return len == VARIANT_DIGEST_LEN && strspn(text, "0123456789abcdef") >= len;
	case PATH:
		return len > 0 && text[0] == '_' && is_escaped(text, len);
	default:
		return len == 0;
	}
}

/* The row of a word, or NULL. */
static const struct word *find_word(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t start = strlen(words[i].text);

		if (begins_with(text, len, words[i].text) &&
			is_argument(&words[i], text + start, len - start)) {
			return &words[i];
		}
	}
	return NULL;
}

/* Do its parts go together? */
static bool is_possible(const struct variant *variant)
{
	const uint32_t *parts = variant->parts;

	bool is_hash = parts[VARIANT_BALANCE] == VARIANT_HASH;
	bool needs_requests = is_hash || parts[VARIANT_COOKIE] != 0 ||
			      parts[VARIANT_CHECK] > VARIANT_CHECK_TCP ||
			      (parts[VARIANT_TRANSPORT] != VARIANT_AS_SERVER &&
				      parts[VARIANT_TRANSPORT] != VARIANT_TLS);

	return !(parts[VARIANT_TCP] != 0 && needs_requests) &&
	       (!(is_hash || parts[VARIANT_BALANCE] == VARIANT_SOURCE) ||
		       parts[VARIANT_COOKIE] == 0) &&
	       (parts[VARIANT_INTERVAL] == 0 || parts[VARIANT_CHECK] != VARIANT_UNCHECKED);
}

bool variant_parse(const char *backend, struct variant *ret_variant)
{
	struct variant variant = {0};
	const char *text = strchr(backend, ':');
	int last_part = -1;

	*ret_variant = (struct variant){0};
	while (text != NULL) {
		size_t len = strcspn(++text, ":");
		const struct word *word = find_word(text, len);

		if (word == NULL || (int)word->part <= last_part) {
			return false;
		}
		size_t start = strlen(word->text);
		variant.parts[word->part] = word->argument == NUMBER
						    ? read_number(text + start, len - start)
						    : word->value;
		last_part = (int)word->part;
		text = text[len] == ':' ? text + len : NULL;
	}
	if (!is_possible(&variant)) {
		return false;
	}
	*ret_variant = variant;
	return true;
}

bool variant_store(const char *backend, enum variant_part part, char ret_name[VARIANT_STORE_SIZE])
{
	const char *word = part == VARIANT_CA ? "ca-" : "crt-";

	for (const char *text = strchr(backend, ':'); text != NULL; text = strchr(text, ':')) {
		size_t len = strcspn(++text, ":");

		if (len == strlen(word) + VARIANT_DIGEST_LEN && begins_with(text, len, word)) {
			memcpy(ret_name, text, len);
			ret_name[len] = '\0';
			return true;
		}
	}
	return false;
}

/* In a path '/' is written as '_'. */
static bool append_escaped(struct buf *buf, const char *text, bool is_path)
{
	size_t len = text != NULL ? strlen(text) : 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] <= 0x20 || text[i] > 0x7e) {
			return false;
		}
		if (is_path && text[i] == '/') {
			buf_append_char(buf, '_');
		} else if (is_plain(text[i]) && !(is_path && text[i] == '_')) {
			buf_append_char(buf, text[i]);
		} else {
			buf_printf(buf, ".%02x", (unsigned)text[i]);
		}
	}
	return len > 0 && len <= VARIANT_MAX_TEXT;
}

static bool append_argument(struct buf *buf, const struct word *word, const struct variant *variant)
{
	size_t start = buf->len;

	switch (word->argument) {
	case NUMBER:
		buf_printf(buf, "%" PRIu32, variant->parts[word->part]);
		return true;
	case KEY:
		buf_append_str(buf, variant->key != NULL ? variant->key : "");
		if (variant->key_argument != NULL &&
			!append_escaped(buf, variant->key_argument, false)) {
			return false;
		}
		return is_key(buf_str(buf) + start, buf->len - start);
	case TEXT:
		return append_escaped(buf, variant->cookie, false);
	case DIGEST:
		buf_append_str(buf, word->part == VARIANT_CA ? variant->ca : variant->crt);
		return is_argument(word, buf_str(buf) + start, buf->len - start);
	case PATH:
		return append_escaped(buf, variant->path, true) && buf_str(buf)[start] == '_';
	default:
		return true;
	}
}

bool variant_append(struct buf *buf, const struct variant *variant)
{
	size_t start = buf->len;
	bool is_ok = is_possible(variant);

	for (size_t i = 0; i < ARRAY_LEN(words) && is_ok; i++) {
		const struct word *word = &words[i];
		uint32_t value = variant->parts[word->part];

		if (word->argument == NUMBER ? value != 0 : value == word->value) {
			buf_printf(buf, ":%s", word->text);
			is_ok = append_argument(buf, word, variant);
		}
	}
	if (!is_ok || !buf_is_ok(buf) || buf->len - start > VARIANT_MAX_SUFFIX) {
		buf_truncate(buf, start);
		return false;
	}
	return true;
}
