/*
 * See observe.h. One row a question in queries[]; all are asked at once, and the answers are read
 * line by line as they come in, so that a million map entries need no more room than `applied`
 * itself.
 */
#include "haproxy/observe.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/encode.h"

#define MAX_COLUMNS 64

/* srv_admin_state says "was disabled in the configuration" in this bit, even after `enable server`.
 */
#define ADMIN_WAS_DISABLED 4ul
/* It was told to drain. */
#define ADMIN_DRAIN 8ul

/* The columns of `show servers state` that we want; HAProxy says where they are. */
enum column { BACKEND, SERVER, ADDRESS, ADMIN, PORT, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {
	[BACKEND] = "be_name",
	[SERVER] = "srv_name",
	[ADDRESS] = "srv_addr",
	[ADMIN] = "srv_admin_state",
	[PORT] = "srv_port",
};

struct observe {
	struct cli *cli;
	observe_done_fn on_done;
	void *ctx;
	struct observation found;
	unsigned current; /* the query whose answer is being read */
	size_t n_lines;	  /* of that answer, read so far */
	char *map_dir;
	bool is_transaction;	   /* in `show ssl cert`: the open transaction comes next */
	unsigned backend_commands; /* bits of backend_commands[] that `help` lists */
	unsigned n_columns;
	unsigned columns[COLUMN_COUNT];
	struct buf scratch; /* a line that is being taken apart */
	struct err err;
};

struct query {
	const char *command;
	bool (*parse)(struct observe *observe, char *line);
	bool (*is_complete)(const struct observe *observe);
	/* Appends what comes behind the command; NULL = nothing does. */
	bool (*put_object)(struct buf *buf, const struct query *query, const char *map_dir);
	enum model_map map;
};

static bool parse_info(struct observe *observe, char *line);
static bool is_info_complete(const struct observe *observe);
static bool parse_help(struct observe *observe, char *line);
static bool has_lines(const struct observe *observe);
static bool parse_backend(struct observe *observe, char *line);
static bool parse_server(struct observe *observe, char *line);
static bool is_server_list_complete(const struct observe *observe);
static bool parse_entry(struct observe *observe, char *line);
static bool is_map_complete(const struct observe *observe);
static bool put_map(struct buf *buf, const struct query *query, const char *map_dir);
static bool parse_list(struct observe *observe, char *line);
static bool put_list(struct buf *buf, const struct query *query, const char *map_dir);
static bool parse_certificate(struct observe *observe, char *line);
static bool has_certificates(const struct observe *observe);
static bool parse_default(struct observe *observe, char *line);
static bool put_default(struct buf *buf, const struct query *query, const char *map_dir);

static const struct query queries[] = {
	{"show info", parse_info, is_info_complete, NULL, MODEL_MAP_COUNT},
	{"help", parse_help, has_lines, NULL, MODEL_MAP_COUNT},
	{"show backend", parse_backend, has_lines, NULL, MODEL_MAP_COUNT},
	{"show servers state", parse_server, is_server_list_complete, NULL, MODEL_MAP_COUNT},
#define MAP(id, file, key, value)                                                                  \
	{"show map ", parse_entry, is_map_complete, put_map, MODEL_MAP_##id},
#include "model/maps.def"
	/* The list first: what is in it counts. */
	{"show ssl crt-list -n ", parse_list, has_lines, put_list, MODEL_MAP_COUNT},
	{"show ssl cert", parse_certificate, has_certificates, NULL, MODEL_MAP_COUNT},
	{"show ssl cert ", parse_default, has_lines, put_default, MODEL_MAP_COUNT},
};

/* What `help` lists when backends can be made and unmade at run time. */
static const char *const backend_commands[] = {
	"add backend ", "publish backend ", "unpublish backend ", "del backend "};

static bool ask(struct observe *observe, const struct query *query, const char *map_dir);
static void on_line(void *ctx, const char *line);
static void on_answer(void *ctx, const char *text);
static void fail(struct observe *observe);
static void succeed(struct observe *observe);
static void release(struct observe *observe);

struct observe *observe_start(
	struct cli *cli, const char *map_dir, observe_done_fn on_done, void *ctx)
{
	struct observe *observe = xcalloc(1, sizeof(*observe));

	observe->cli = cli;
	observe->map_dir = xstrdup(map_dir);
	observe->on_done = on_done;
	observe->ctx = ctx;
	observe->found.applied = applied_new();
	buf_init(&observe->scratch, CLI_MAX_LINE);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		if (!ask(observe, &queries[i], map_dir)) {
			/* Reported with the first answer. */
			(void)err_set(&observe->err, ERR_INPUT,
				"HAProxy can't be asked about maps and certificates in the folder "
				"\"%s\": choose a "
				"name of ordinary characters",
				map_dir);
		}
	}
	return observe;
}

void observe_cancel(struct observe *observe)
{
	if (observe != NULL) {
		cli_forget(observe->cli, observe);
		release(observe);
	}
}

static bool ask(struct observe *observe, const struct query *query, const char *map_dir)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);
	bool is_ok = true;

	buf_append_str(&command, query->command);
	if (query->put_object != NULL) {
		is_ok = query->put_object(&command, query, map_dir);
	}
	if (is_ok) {
		cli_send_lines(observe->cli, buf_str(&command), on_line, on_answer, observe);
	}
	buf_fini(&command);
	return is_ok;
}

static const char *query_name(const struct query *query)
{
	return query->map < MODEL_MAP_COUNT ? model_map_files[query->map] : query->command;
}

static void on_line(void *ctx, const char *line)
{
	struct observe *observe = ctx;
	const struct query *query = &queries[observe->current];

	observe->n_lines++;
	buf_clear(&observe->scratch);
	buf_append_str(&observe->scratch, line);
	if (observe->scratch.data != NULL && query->parse(observe, observe->scratch.data)) {
		return;
	}
	(void)err_set(&observe->err, ERR_PROTO,
		"HAProxy's answer to `%s%s` has a line that is not understood (line %zu): %.200s",
		query->map < MODEL_MAP_COUNT ? "show map " : "", query_name(query),
		observe->n_lines, line);
	fail(observe);
}

static void on_answer(void *ctx, const char *text)
{
	struct observe *observe = ctx;
	const struct query *query = &queries[observe->current];

	if (observe->err.kind != ERR_NONE) {
		fail(observe);
	} else if (text == NULL) {
		(void)err_set(&observe->err, ERR_RETRY,
			"HAProxy's runtime connection was lost while reading back `%s`",
			query_name(query));
		fail(observe);
	} else if (!query->is_complete(observe)) {
		(void)err_set(&observe->err, ERR_PROTO,
			"HAProxy's answer to `%s` ended too early, after %zu lines",
			query_name(query), observe->n_lines);
		fail(observe);
	} else {
		observe->n_lines = 0;
		if (++observe->current == ARRAY_LEN(queries)) {
			succeed(observe);
		}
	}
}

static bool read_number(const char *text, unsigned long *ret_number)
{
	unsigned long number = 0;
	size_t len = strlen(text);

	if (len < 1 || len > 9 || strspn(text, "0123456789") != len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		number = number * 10 + (unsigned long)(text[i] - '0');
	}
	*ret_number = number;
	return true;
}

static bool parse_info(struct observe *observe, char *line)
{
	char *value = strstr(line, ": ");
	unsigned long pid;

	if (value == NULL) {
		/* A value may be empty, as "description" is. */
		return strchr(line, ':') != NULL;
	}
	*value = '\0';
	value += strlen(": ");
	if (strcmp(line, "Version") == 0) {
		snprintf(observe->found.caps.version, sizeof(observe->found.caps.version), "%s",
			value);
	} else if (strcmp(line, "Pid") == 0) {
		if (!read_number(value, &pid)) {
			return false;
		}
		observe->found.pid = (long)pid;
	}
	return true;
}

static bool is_info_complete(const struct observe *observe)
{
	return observe->found.caps.version[0] != '\0' && observe->found.pid > 0;
}

static bool parse_help(struct observe *observe, char *line)
{
	if (observe->n_lines == 1) {
		return strcmp(line, "The following commands are valid at this level:") == 0;
	}
	const char *command = line + strspn(line, " ");
	for (unsigned i = 0; i < ARRAY_LEN(backend_commands); i++) {
		if (strncmp(command, backend_commands[i], strlen(backend_commands[i])) == 0) {
			observe->backend_commands |= 1u << i;
		}
	}
	observe->found.caps.can_add_backend =
		observe->backend_commands == (1u << ARRAY_LEN(backend_commands)) - 1;
	return true;
}

static bool has_lines(const struct observe *observe)
{
	return observe->n_lines > 0;
}

static bool is_ours(const char *backend)
{
	return strstr(backend, MODEL_BACKEND_INFIX) != NULL;
}

static bool parse_backend(struct observe *observe, char *line)
{
	struct applied *applied = observe->found.applied;

	if (observe->n_lines == 1) {
		return strcmp(line, "# name") == 0;
	}
	if (line[0] == '\0' || strchr(line, ' ') != NULL) {
		return false;
	}
	if (is_ours(line)) {
		if (applied_find_backend(applied, line) != NULL) {
			return false;
		}
		(void)applied_add_backend(applied, line);
	}
	return true;
}

/* Splits at single blanks, in place; returns the number of words, 0 = too many. */
static unsigned split(char *line, char **ret_words)
{
	unsigned n = 0;
	char *word;

	while ((word = strsep(&line, " ")) != NULL) {
		if (n == MAX_COLUMNS) {
			return 0;
		}
		ret_words[n++] = word;
	}
	return n;
}

/* "# be_id be_name ..." */
static bool parse_columns(struct observe *observe, char *line)
{
	char *words[MAX_COLUMNS];
	unsigned n_words;

	if (strncmp(line, "# ", 2) != 0 || (n_words = split(line + 2, words)) == 0) {
		return false;
	}
	for (unsigned column = 0; column < COLUMN_COUNT; column++) {
		unsigned i = 0;

		while (i < n_words && strcmp(words[i], column_names[column]) != 0) {
			i++;
		}
		if (i == n_words) {
			return false;
		}
		observe->columns[column] = i;
	}
	observe->n_columns = n_words;
	return true;
}

/* In the form of model_server.address. "-" is HAProxy's word for an address that it can't show: it
 * equals nothing that is wanted. */
static bool format_address(struct buf *buf, const char *ip, const char *port)
{
	unsigned char address[sizeof(struct in6_addr)];
	unsigned long number;

	if (!read_number(port, &number) || number > 65535) {
		return false;
	}
	if (inet_pton(AF_INET6, ip, address) == 1) {
		buf_printf(buf, "[%s]:%lu", ip, number);
	} else if (inet_pton(AF_INET, ip, address) == 1 || strcmp(ip, "-") == 0) {
		buf_printf(buf, "%s:%lu", ip, number);
	} else {
		return false;
	}
	return true;
}

static enum applied_admin admin_of(unsigned long bits)
{
	bits &= ~ADMIN_WAS_DISABLED;
	if (bits == 0) {
		return APPLIED_READY;
	}
	return bits == ADMIN_DRAIN ? APPLIED_DRAIN : APPLIED_MAINT;
}

static bool parse_server(struct observe *observe, char *line)
{
	char *words[MAX_COLUMNS];
	unsigned long admin;

	if (observe->n_lines == 1) {
		return strcmp(line, "1") == 0;
	}
	if (observe->n_lines == 2) {
		return parse_columns(observe, line);
	}
	if (split(line, words) != observe->n_columns) {
		return false;
	}
	const unsigned *columns = observe->columns;
	if (!is_ours(words[columns[BACKEND]])) {
		return true;
	}
	struct applied *applied = observe->found.applied;
	struct applied_backend *backend = applied_find_backend(applied, words[columns[BACKEND]]);
	const char *server = words[columns[SERVER]];
	if (backend == NULL || server[0] == '\0' || applied_find_server(backend, server) != NULL ||
		!read_number(words[columns[ADMIN]], &admin)) {
		return false;
	}
	struct buf address = BUF_INIT(0);
	bool is_ok = format_address(&address, words[columns[ADDRESS]], words[columns[PORT]]);
	if (is_ok) {
		applied_set_server(applied, backend, server, buf_str(&address), admin_of(admin));
	}
	buf_fini(&address);
	return is_ok;
}

static bool is_server_list_complete(const struct observe *observe)
{
	return observe->n_columns > 0;
}

/* "0x55ad66a2f610 key value" */
static bool parse_entry(struct observe *observe, char *line)
{
	enum model_map map = queries[observe->current].map;
	size_t digits;

	if (strncmp(line, "0x", 2) != 0 || (digits = strspn(line + 2, "0123456789abcdef")) == 0 ||
		line[2 + digits] != ' ') {
		return false;
	}
	char *key = line + 2 + digits + 1;
	char *value = strchr(key, ' ');
	if (value == NULL || value == key) {
		return false;
	}
	*value++ = '\0';
	/* A key made by hand, in characters that we never write and could not take back: not ours.
	 */
	struct buf line_of_file = BUF_INIT(0);
	bool is_ours = encode_map_line(&line_of_file, key, "x");
	buf_fini(&line_of_file);
	if (is_ours && applied_find_entry(observe->found.applied, map, key) == NULL) {
		applied_set_entry(observe->found.applied, map, key, value);
	}
	return true;
}

/* An empty map has no lines at all. */
static bool is_map_complete(const struct observe *observe)
{
	(void)observe;
	return true;
}

static bool put_map(struct buf *buf, const struct query *query, const char *map_dir)
{
	return encode_cli_map(buf, query->map, map_dir);
}

/* ---- certificates ---- */

static bool put_list(struct buf *buf, const struct query *query, const char *map_dir)
{
	(void)query;
	return encode_cli_list(buf, map_dir);
}

static bool put_default(struct buf *buf, const struct query *query, const char *map_dir)
{
	(void)query;
	return encode_cli_certificate(buf, MODEL_CERTIFICATE_DEFAULT, map_dir);
}

/* Cuts our name of a certificate out of HAProxy's, in place; NULL = it is not one of ours. */
static char *our_name(const struct observe *observe, char *path)
{
	static const char folder[] = "/" ENCODE_CERTS_DIR "/";
	size_t dir_len = strlen(observe->map_dir);
	size_t len = strlen(path);
	size_t suffix_len = strlen(ENCODE_CERT_SUFFIX);
	char *name = path + dir_len + strlen(folder);

	if (len <= dir_len + strlen(folder) + suffix_len ||
		strncmp(path, observe->map_dir, dir_len) != 0 ||
		strncmp(path + dir_len, folder, strlen(folder)) != 0 ||
		strcmp(path + len - suffix_len, ENCODE_CERT_SUFFIX) != 0) {
		return NULL;
	}
	path[len - suffix_len] = '\0';
	return strchr(name, '/') == NULL ? name : NULL;
}

/* "/state/current/certs/a_b_0123456789abcdef.pem:2 a.test *.a.test" */
static bool parse_list(struct observe *observe, char *line)
{
	struct applied *applied = observe->found.applied;

	if (observe->n_lines == 1) {
		observe->found.caps.has_tls = strncmp(line, "# /", 3) == 0;
		return observe->found.caps.has_tls ||
		       strcmp(line, "didn't find the specified filename") == 0;
	}
	char *hosts = strchr(line, ' ');
	if (hosts != NULL) {
		*hosts++ = '\0';
	}
	char *number = strrchr(line, ':');
	if (number == NULL || number[1] == '\0' || number[1 + strspn(number + 1, "0123456789")]) {
		return false;
	}
	*number = '\0';
	const char *name = our_name(observe, line);
	if (name != NULL && applied_find_certificate(applied, name) == NULL) {
		applied_set_certificate(applied, name, hosts ? hosts : "", NULL);
	}
	return true;
}

static void abort_transaction(const struct observe *observe, const char *name)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);

	buf_append_str(&command, "abort ssl cert ");
	if (encode_cli_word(&command, name)) {
		cli_send(observe->cli, buf_str(&command), NULL, NULL);
	}
	buf_fini(&command);
}

/* Names below "# filename"; before that, below "# transaction", the one with an open transaction
 * behind a '*'. */
static bool parse_certificate(struct observe *observe, char *line)
{
	struct applied *applied = observe->found.applied;

	if (line[0] == '#') {
		observe->is_transaction = strcmp(line, "# transaction") == 0;
		return observe->is_transaction || strcmp(line, "# filename") == 0;
	}
	if (observe->is_transaction) {
		if (line[0] == '*') {
			abort_transaction(observe, line + 1);
		}
		return line[0] == '*';
	}
	const char *name = our_name(observe, line);
	if (name != NULL && observe->found.caps.has_tls &&
		applied_find_certificate(applied, name) == NULL) {
		applied_set_certificate(applied, name, NULL, NULL);
	}
	return line[0] != '\0';
}

/* Without TLS there may be none, and then HAProxy says nothing at all. */
static bool has_certificates(const struct observe *observe)
{
	return observe->n_lines > 0 || !observe->found.caps.has_tls;
}

/* "SHA1 FingerPrint: 8311BF1B..." among others; one line of apology when there is no such
 * certificate. */
static bool parse_default(struct observe *observe, char *line)
{
	static const char label[] = "SHA1 FingerPrint: ";
	struct applied *applied = observe->found.applied;

	if (strncmp(line, label, strlen(label)) == 0 &&
		applied_find_certificate(applied, MODEL_CERTIFICATE_DEFAULT) != NULL) {
		applied_set_certificate(applied, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS,
			line + strlen(label));
	}
	return true;
}

static void fail(struct observe *observe)
{
	/* Not one more line: the object is about to go. */
	cli_forget(observe->cli, observe);
	observe->on_done(observe->ctx, NULL, &observe->err);
	release(observe);
}

static void mark_unsaved(struct applied *applied)
{
	for (int i = 0; i < APPLIED_SHARDS; i++) {
		applied->is_shard_unsaved[i] = true;
	}
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		applied->is_map_unsaved[map] = true;
	}
	applied->are_certificates_unsaved = true;
}

static void succeed(struct observe *observe)
{
	mark_unsaved(observe->found.applied);
	observe->on_done(observe->ctx, &observe->found, NULL);
	release(observe);
}

static void release(struct observe *observe)
{
	applied_free(observe->found.applied);
	free(observe->map_dir);
	buf_fini(&observe->scratch);
	free(observe);
}
