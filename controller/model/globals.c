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
#define PORT	    PREFIX_TCP "PORT_"
#define TLS_PORT    PREFIX_TCP "TLS_PORT_"
#define ALL_PORTS   PREFIX_TCP "PORTS "
#define LOG_STYLE   PREFIX_TCP "LOG_STYLE "
#define LOG_FORMAT  PREFIX_TCP "LOG_FORMAT "

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
		if (tcp->items[i].has_tls == has_tls && !tcp->items[i].is_held) {
			buf_printf(buf, "%s%zu %u\n", has_tls ? TLS_PORT : PORT, place++,
				tcp->items[i].port);
		}
	}
	for (; place <= TCP_MAX_PORTS; place++) {
		buf_printf(buf, "%s%zu " GLOBALS_NONE "\n", has_tls ? TLS_PORT : PORT, place);
	}
}

/* All of them in one variable, which HAProxy is asked for. */
static void write_all_ports(struct buf *buf, const struct tcp_services *tcp)
{
	bool is_first = true;

	buf_append_str(buf, ALL_PORTS);
	for (size_t i = 0; i < tcp->n; i++) {
		if (!tcp->items[i].is_held) {
			buf_printf(buf, "%s%u", is_first ? "" : " ", tcp->items[i].port);
			is_first = false;
		}
	}
	buf_append_str(buf, is_first ? GLOBALS_NONE "\n" : "\n");
}

static void write_tcp(struct buf *buf, const struct tcp_services *tcp)
{
	const char *format = tcp->log_format;
	bool is_own = format != NULL && format[0] != '\0';

	write_ports(buf, tcp, false);
	write_ports(buf, tcp, true);
	write_all_ports(buf, tcp);
	buf_printf(buf, LOG_STYLE "%s\n", is_own ? "own" : "tcp");
	buf_printf(buf, LOG_FORMAT "%s\n", is_own ? format : GLOBALS_NONE);
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

/* Behind this beginning of a line; NULL = the line has another. */
static const char *skip(const char *line, const char *beginning)
{
	size_t len = strlen(beginning);

	return strncmp(line, beginning, len) == 0 ? line + len : NULL;
}

size_t model_settings_ports(const char *settings, uint16_t ret_ports[MODEL_MAX_PORTS])
{
	const char *found = strstr(settings, "\n" ALL_PORTS);
	size_t n = 0;

	for (const char *at = found ? skip(found + 1, ALL_PORTS) : ""; n < MODEL_MAX_PORTS; n++) {
		char *end = NULL;
		unsigned long port = at[0] >= '0' && at[0] <= '9' ? strtoul(at, &end, 10) : 0;
		if (port == 0 || port > UINT16_MAX) {
			break;
		}
		ret_ports[n] = (uint16_t)port;
		at = end + (*end == ' ');
	}
	return n;
}

static bool is_among(uint16_t port, const uint16_t *ports, size_t n)
{
	size_t i = 0;

	while (i < n && ports[i] != port) {
		i++;
	}
	return i < n;
}

/* Takes what a line of TCP services says. */
static void take_line(struct tcp_services *tcp, const char *line, const uint16_t *without, size_t n)
{
	const char *place = skip(line, TLS_PORT);
	bool has_tls = place != NULL;
	const char *format = skip(line, LOG_FORMAT);

	place = has_tls ? place : skip(line, PORT);
	if (place != NULL && tcp->n < MODEL_MAX_PORTS) {
		unsigned long number = strtoul(place + strcspn(place, " \n"), NULL, 10);
		uint16_t port = number <= UINT16_MAX ? (uint16_t)number : 0;
		tcp->items[tcp->n++] = (struct tcp_service){.port = port,
			.has_tls = has_tls,
			.is_held = port == 0 || is_among(port, without, n)};
	} else if (skip(line, LOG_STYLE "own") != NULL && tcp->log_format == NULL) {
		tcp->log_format = xstrdup("");
	} else if (format != NULL && tcp->log_format != NULL) {
		free(tcp->log_format);
		tcp->log_format = xstrndup(format, strcspn(format, "\n"));
	}
}

static int compare_ports(const void *a, const void *b)
{
	return (int)((const struct tcp_service *)a)->port -
	       (int)((const struct tcp_service *)b)->port;
}

char *model_settings_without(const char *settings, const uint16_t *ports, size_t n)
{
	struct tcp_service items[MODEL_MAX_PORTS] = {{0}};
	struct tcp_services tcp = {.items = items};
	struct buf buf = BUF_INIT(0);

	for (const char *line = settings; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		if (skip(line, PREFIX_TCP) != NULL) {
			take_line(&tcp, line, ports, n);
		} else {
			buf_append(&buf, line, len);
			buf_append_char(&buf, '\n');
		}
		line += line[len] == '\n' ? len + 1 : len;
	}
	qsort(items, tcp.n, sizeof(*items), compare_ports);
	write_tcp(&buf, &tcp);
	free(tcp.log_format);
	return buf_take(&buf);
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
