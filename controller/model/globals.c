/* See globals.h. Called by the model (sets.c), and by haproxy/state for the settings of nobody. */
#include "model/globals.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "option/value.h"

#define PREFIX_PAGE "HEADGATE_PAGE_"
#define PREFIX_TCP  "HEADGATE_TCP_"

struct global {
	const char *variable;
	enum option_id option;
	const char *unit;
	unsigned line;					     /* of the value; 0 = all of it */
	const char *(*choose)(const struct option_set *set); /* NULL = the option says it */
	enum globals_file file;				     /* without option and function */
};

static const char *connection_mode(const struct option_set *set);
static const char *log_style(const struct option_set *set);
static const char *log_requests(const struct option_set *set);
static const char *client_verify(const struct option_set *set);

static const struct global globals[] = {
#define GLOBAL(id, variable, unit) {(variable), OPTION_##id, (unit), 0, NULL, 0},
#define LINE(id, variable, number) {(variable), OPTION_##id, "", (number), NULL, 0},
#define CHOICE(variable, function) {(variable), OPTION_COUNT, "", 0, function, 0},
#define NAMED(id, variable)	   {(variable), OPTION_COUNT, "", 0, NULL, GLOBALS_FILE_##id},
#include "model/globals.def"
};

static const char *value_of(const struct option_set *set, enum option_id option)
{
	const char *value = set != NULL ? set->values[option] : NULL;

	return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_true(const struct option_set *set, enum option_id option)
{
	const char *value = value_of(set, option);

	return value != NULL && strcmp(value, "true") == 0;
}

/* The two older keys say something only where the newer one says nothing. */
static const char *connection_mode(const struct option_set *set)
{
	const char *mode = value_of(set, OPTION_HTTP_CONNECTION_MODE);

	if (mode != NULL) {
		return mode;
	}
	return is_true(set, OPTION_HTTP_SERVER_CLOSE) && !is_true(set, OPTION_HTTP_KEEP_ALIVE)
		       ? "http-server-close"
		       : "http-keep-alive";
}

/* A word that conditions of the configuration can be about: a format itself may have anything. */
static const char *log_style(const struct option_set *set)
{
	const char *format = value_of(set, OPTION_LOG_FORMAT);

	return format == NULL ? "http" : strcmp(format, "json") == 0 ? "json" : "own";
}

/* Does somebody get the lines of requests that went well? These words stand for levels only. */
static const char *log_requests(const struct option_set *set)
{
	const char *servers = value_of(set, OPTION_SYSLOG_SERVER);

	if (servers == NULL) {
		return GLOBALS_NONE;
	}
	return strstr(servers, " info") != NULL || strstr(servers, " debug") != NULL ? "true"
										     : "false";
}

/* Of what is asked of clients where there are authorities (client-ca). */
static const char *client_verify(const struct option_set *set)
{
	return is_true(set, OPTION_CLIENT_CRT_OPTIONAL) ? "optional" : "required";
}

static void write_line(struct buf *buf, const struct global *global, const struct option_set *set)
{
	const char *line = value_of(set, global->option);

	for (unsigned i = 1; line != NULL && i < global->line; i++) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	if (line != NULL) {
		buf_append(buf, line, strcspn(line, "\n"));
	} else {
		buf_append_str(buf, GLOBALS_NONE);
	}
}

static void write_option(struct buf *buf, const struct global *global, const struct option_set *set)
{
	const char *value = value_of(set, global->option);
	const char *standard = option_table[global->option].default_value;
	char *reason = NULL;

	if (value != NULL) {
		buf_printf(buf, "%s%s", value, global->unit);
		return;
	}
	/* In the same form, so that saying what holds anyway changes nothing. */
	CLEANUP(free_ptr)
	char *canonical =
		standard[0] != '\0' ? option_parse(global->option, standard, &reason) : NULL;
	free(reason);
	buf_printf(
		buf, "%s%s", canonical ? canonical : GLOBALS_NONE, canonical ? global->unit : "");
}

/* All places; those that are not needed say so. */
static void write_ports(struct buf *buf, const struct tcp_services *tcp, bool has_tls)
{
	size_t place = 1;

	for (size_t i = 0; i < tcp->n; i++) {
		if (tcp->items[i].has_tls == has_tls) {
			buf_printf(buf, PREFIX_TCP "%sPORT_%zu %u\n", has_tls ? "TLS_" : "",
				place++, tcp->items[i].port);
		}
	}
	for (; place <= TCP_MAX_PORTS; place++) {
		buf_printf(buf, PREFIX_TCP "%sPORT_%zu " GLOBALS_NONE "\n", has_tls ? "TLS_" : "",
			place);
	}
}

static void write_tcp(struct buf *buf, const struct tcp_services *tcp)
{
	const char *format = tcp->log_format;
	bool is_own = format != NULL && format[0] != '\0';

	write_ports(buf, tcp, false);
	write_ports(buf, tcp, true);
	buf_printf(buf, PREFIX_TCP "LOG_STYLE %s\n", is_own ? "own" : "tcp");
	buf_printf(buf, PREFIX_TCP "LOG_FORMAT %s\n", is_own ? format : GLOBALS_NONE);
}

/* Behind the frontend that looks at names, most connections are one more of HAProxy's own. */
static void write_passthrough(struct buf *buf, const struct option_set *set, bool is_on)
{
	const char *maxconn = is_on ? value_of(set, OPTION_MAXCONN) : NULL;

	buf_printf(buf, "HEADGATE_SSL_PASSTHROUGH %s\n", is_on ? "true" : GLOBALS_NONE);
	if (maxconn != NULL) {
		buf_printf(buf, "HEADGATE_MAXCONN_TWICE %lu\n", 2 * strtoul(maxconn, NULL, 10));
	} else {
		buf_append_str(buf, "HEADGATE_MAXCONN_TWICE " GLOBALS_NONE "\n");
	}
}

void globals_write(struct buf *buf, const struct option_set *set, const char *const *files,
	const struct tcp_services *tcp, bool has_passthrough)
{
	static const struct tcp_services none;

	for (size_t i = 0; i < ARRAY_LEN(globals); i++) {
		const struct global *global = &globals[i];

		buf_printf(buf, "%s ", global->variable);
		if (global->choose != NULL) {
			buf_append_str(buf, global->choose(set));
		} else if (global->option == OPTION_COUNT) {
			const char *name = files != NULL ? files[global->file] : NULL;
			buf_append_str(buf, name != NULL ? name : GLOBALS_NONE);
		} else if (global->line > 0) {
			write_line(buf, global, set);
		} else {
			write_option(buf, global, set);
		}
		buf_append_char(buf, '\n');
	}
	write_passthrough(buf, set, has_passthrough);
	write_tcp(buf, tcp != NULL ? tcp : &none);
}

/* Which part of a digest a line is in. */
static enum model_digest_part part_of(const char *line)
{
	static const char *const prefixes[MODEL_DIGEST_PART_COUNT] = {
		[MODEL_DIGEST_PAGES] = PREFIX_PAGE, [MODEL_DIGEST_TCP] = PREFIX_TCP};

	for (int i = 0; i < MODEL_DIGEST_PART_COUNT; i++) {
		if (prefixes[i] != NULL && strncmp(line, prefixes[i], strlen(prefixes[i])) == 0) {
			return (enum model_digest_part)i;
		}
	}
	return MODEL_DIGEST_OTHERS;
}

static void digest_part(char *ret_digits, const char *text, enum model_digest_part part)
{
	unsigned char bytes[SHA256_DIGEST_LENGTH];
	struct buf lines = BUF_INIT(0);

	for (const char *line = text; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		if (part_of(line) == part) {
			buf_append(&lines, line, len);
			buf_append_char(&lines, '\n');
		}
		line += line[len] == '\n' ? len + 1 : len;
	}
	SHA256((const unsigned char *)buf_str(&lines), lines.len, bytes);
	for (size_t i = 0; i < MODEL_DIGEST_PART / 2; i++) {
		snprintf(ret_digits + 2 * i, 3, "%02x", bytes[i]);
	}
	buf_fini(&lines);
}

void globals_digest(char ret_digest[MODEL_DIGEST_SIZE], const char *text)
{
	for (int part = 0; part < MODEL_DIGEST_PART_COUNT; part++) {
		digest_part(
			ret_digest + part * MODEL_DIGEST_PART, text, (enum model_digest_part)part);
	}
}
