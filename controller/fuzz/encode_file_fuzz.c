/*
 * Map files and backend sections. The oracles are models of how HAProxy reads them: its map file
 * reader and its configuration tokenizer with quotes, backslashes, comments and variables. What is
 * accepted must come back as exactly what was meant.
 *
 * Input: texts, each ended by a NUL: key, value, backend, then server, address and "m" for
 * maintenance, again and again.
 */
#include <assert.h>
#include <fnmatch.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fuzz/keywords.h"
#include "haproxy/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_WORDS 32

/* The next text of the input; "" at the end. The caller frees it. */
static char *take_text(const uint8_t **data, size_t *size)
{
	size_t len = *size > 0 ? strnlen((const char *)*data, *size) : 0;
	char *text = xstrndup(len ? (const char *)*data : "", len);
	size_t used = len < *size ? len + 1 : len;

	*data += used;
	*size -= used;
	return text;
}

/* One entry from a map file as HAProxy reads it: blanks in front are skipped, '#' is a comment,
 * blanks at the end of the value go. */
static void check_map_line(const char *line, const char *key, const char *value)
{
	const char *feed = strchr(line, '\n');

	assert(feed != NULL && feed[1] == '\0' && feed - line < 16384 - 1);
	assert(line[0] != '#' && line[strspn(line, " \t")] != '#');
	line += strspn(line, " \t");
	size_t key_len = strcspn(line, " \t\r\n");
	assert(key_len == strlen(key) && memcmp(line, key, key_len) == 0);
	line += key_len;
	line += strspn(line, " \t");
	size_t value_len = strcspn(line, "\r\n");
	while (value_len > 0 && (line[value_len - 1] == ' ' || line[value_len - 1] == '\t')) {
		value_len--;
	}
	assert(value_len == strlen(value) && memcmp(line, value, value_len) == 0);
}

/* HAProxy's configuration tokenizer over one line. Nothing that we write may need more than plain
 * words. */
static size_t split_line(char *line, char **ret_words)
{
	size_t n = 0;
	char *p = line;

	while (*(p += strspn(p, " \t")) != '\0') {
		assert(n < MAX_WORDS);
		ret_words[n++] = p;
		for (; *p != '\0' && *p != ' ' && *p != '\t'; p++) {
			assert(strchr("\\\"'#$\r", *p) == NULL);
		}
		if (*p != '\0') {
			*p++ = '\0';
		}
	}
	return n;
}

static void check_server(char *line, const char *backend, const struct applied_server *server)
{
	static const char *const keywords[] = {"pool-max-conn", "-1", "pool-purge-delay", "5s"};
	char *words[MAX_WORDS];

	size_t n_more = fnmatch("?*_h2c", server->name, 0) == 0	    ? 2
			: fnmatch("?*_https", server->name, 0) == 0 ? 7
								    : 0;
	size_t n = split_line(line, words);
	if (strchr(backend, ':') != NULL) {
		assert(n > 3);
		keywords_check_server(words + 3, n - 3);
	} else {
		assert(n == 3 + ARRAY_LEN(keywords) + n_more);
	}
	assert(strcmp(words[0], "server") == 0);
	assert(strcmp(words[1], server->name) == 0);
	assert(strcmp(words[2], server->address) == 0);
	for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
		assert(strcmp(words[3 + i], keywords[i]) == 0);
	}
}

static void check_section(char *text, const struct applied_backend *backend)
{
	char *words[MAX_WORDS];
	char *line = strsep(&text, "\n");

	assert(split_line(line, words) == 4);
	assert(strcmp(words[0], "backend") == 0 && strcmp(words[1], backend->name) == 0);
	assert(strcmp(words[2], "from") == 0);
	if (strchr(backend->name, ':') != NULL) {
		keywords_check_profile(words[3]);
	} else {
		assert(strcmp(words[3], "http_profile") == 0);
	}
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		if (backend->servers[i].admin == APPLIED_READY) {
			line = strsep(&text, "\n");
			assert(line != NULL);
			check_server(line, backend->name, &backend->servers[i]);
		}
	}
	assert(text != NULL && text[0] == '\0');
}

static void try_map_line(const uint8_t **data, size_t *size)
{
	char *key = take_text(data, size);
	char *value = take_text(data, size);
	struct buf buf = BUF_INIT(0);

	if (encode_map_line(&buf, key, value)) {
		assert(key[0] != '\0' && value[0] != '\0');
		check_map_line(buf_str(&buf), key, value);
	} else {
		assert(buf.len == 0);
	}
	buf_fini(&buf);
	free(key);
	free(value);
}

static void add_server(struct applied *applied, struct applied_backend *backend,
	const uint8_t **data, size_t *size)
{
	char *server = take_text(data, size);
	char *address = take_text(data, size);
	char *admin = take_text(data, size);

	applied_set_server(applied, backend, server, address,
		strcmp(admin, "m") == 0 ? APPLIED_MAINT : APPLIED_READY);
	free(server);
	free(address);
	free(admin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct applied *applied = applied_new();
	struct buf buf = BUF_INIT(0);

	try_map_line(&data, &size);
	char *name = take_text(&data, &size);
	struct applied_backend *backend = applied_add_backend(applied, name);
	free(name);
	while (size > 0) {
		add_server(applied, backend, &data, &size);
	}
	if (encode_backend_section(&buf, backend, "/maps")) {
		check_section(buf.data, backend);
	} else {
		assert(buf.len == 0);
	}
	buf_fini(&buf);
	applied_free(applied);
	return 0;
}
