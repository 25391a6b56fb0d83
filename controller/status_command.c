/*
 * See status_command.h. The controller is asked at its admin port, and HAProxy, which knows best
 * which servers are up, at its runtime socket: the stats page may want a password.
 */
#include "status_command.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "admin_ask.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "command_flags.h"

#define MAX_ANSWER ((size_t)1 << 20)
#define MAX_STATS  ((size_t)64 << 20) /* about 100,000 servers */
#define STATUS_OK  200

#define SILENCE_SECONDS 10

enum server_state { SERVERS_UP, SERVERS_DOWN, SERVERS_DRAINING, SERVERS_OFF, SERVER_STATE_COUNT };

void status_print_help(void)
{
	command_flags_print_help(stdout, "status",
		"Usage: headgate status [OPTION]...\n"
		"Say how the controller that runs on this machine stands: routes, servers, what is "
		"wrong with objects,\n"
		"the last pass, what waits, and the last reloads of HAProxy.\n",
		"Exit status: 0 ready for traffic, 1 not ready, 2 the controller does not "
		"answer.\n");
}

static struct json_object *member(struct json_object *json, const char *name)
{
	return json_object_object_get(json, name);
}

static const char *text_of(struct json_object *json, const char *name)
{
	const char *text = json_object_get_string(member(json, name));

	return text != NULL ? text : "";
}

static long long number_of(struct json_object *json, const char *name)
{
	return (long long)json_object_get_int64(member(json, name));
}

static bool is_true(struct json_object *json, const char *name)
{
	return json_object_get_boolean(member(json, name));
}

/* "3 hosts, 2 exact" of an object of counts; "none" of an empty one. */
static void print_counts(const char *label, struct json_object *counts, const char *suffix)
{
	bool is_first = true;

	printf("%-12s", label);
	json_object_object_foreach(counts, name, value)
	{
		size_t len = strlen(name);
		size_t cut = strlen(suffix);
		bool is_suffixed = len > cut && strcmp(name + len - cut, suffix) == 0;
		printf("%s%lld %.*s", is_first ? "" : ", ", (long long)json_object_get_int64(value),
			(int)(is_suffixed ? len - cut : len), name);
		is_first = false;
	}
	puts(is_first ? "none" : "");
}

/* The field of a line of CSV, 0 the first; its length. HAProxy puts no comma into the first ones.
 */
static const char *field(const char *line, int which, size_t *ret_len)
{
	while (which-- > 0) {
		line = strchr(line, ',');
		if (line == NULL) {
			return NULL;
		}
		line++;
	}
	*ret_len = strcspn(line, ",\n");
	return line;
}

static enum server_state classify(const char *state, size_t len)
{
	static const struct {
		const char *prefix;
		enum server_state state;
	} rows[] = {{"UP", SERVERS_UP}, {"no check", SERVERS_UP}, {"NOLB", SERVERS_UP},
		{"DRAIN", SERVERS_DRAINING}, {"MAINT", SERVERS_OFF}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t prefix_len = strlen(rows[i].prefix);
		if (len >= prefix_len && strncmp(state, rows[i].prefix, prefix_len) == 0) {
			return rows[i].state;
		}
	}
	return SERVERS_DOWN;
}

/* Fields of HAProxy's CSV: management guide, section 9.1. */
static void count_servers(const char *csv, size_t counts[SERVER_STATE_COUNT])
{
	for (const char *line = csv; line != NULL && *line != '\0';) {
		size_t name_len = 0;
		size_t state_len = 0;
		size_t proxy_len = strcspn(line, ",\n");
		const char *name = field(line, 1, &name_len);
		const char *state = field(line, 17, &state_len);
		bool is_tenants = memmem(line, proxy_len, "_svc_", 5) != NULL;
		bool is_server = name != NULL && strncmp(name, "BACKEND", name_len) != 0;
		if (is_tenants && is_server && state != NULL) {
			counts[classify(state, state_len)]++;
		}
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
}

/* Frontends are of no interest: 2 for backends, 4 for servers (management guide, "show stat"). */
static bool show_stat(const char *path, struct buf *csv)
{
	static const char command[] = "show stat -1 6 -1\n";
	static const struct timeval silence = {.tv_sec = SILENCE_SECONDS};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char part[16384];
	ssize_t n = -1;

	if (strlen(path) >= sizeof(address.sun_path)) {
		return false;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence)) == 0 &&
		connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		send(fd, command, sizeof(command) - 1, MSG_NOSIGNAL) == sizeof(command) - 1) {
		while ((n = read(fd, part, sizeof(part))) > 0) {
			buf_append(csv, part, (size_t)n);
		}
	}
	if (fd >= 0) {
		close(fd);
	}
	return n == 0 && csv->len > 0 && buf_is_ok(csv);
}

static void print_servers(const char *socket)
{
	size_t counts[SERVER_STATE_COUNT] = {0};
	struct buf csv = BUF_INIT(MAX_STATS);

	if (!show_stat(socket, &csv)) {
		printf("%-12sHAProxy does not say\n", "servers");
	} else {
		count_servers(buf_str(&csv), counts);
		printf("%-12s%zu up, %zu down, %zu draining, %zu in maintenance\n", "servers",
			counts[SERVERS_UP], counts[SERVERS_DOWN], counts[SERVERS_DRAINING],
			counts[SERVERS_OFF]);
	}
	buf_fini(&csv);
}

static void format_time(char *text, size_t size, long long at)
{
	time_t seconds = (time_t)at;
	struct tm parts;

	gmtime_r(&seconds, &parts);
	strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static void print_pass(struct json_object *pass)
{
	char at[32];

	if (pass == NULL) {
		printf("%-12snone has changed anything\n", "last pass");
		return;
	}
	format_time(at, sizeof(at), number_of(pass, "at"));
	printf("%-12s%s %s: %lld objects, %lld operations, %lld put off, %.1f ms\n", "last pass",
		at, text_of(pass, "result"), number_of(pass, "changes"),
		number_of(pass, "operations"), number_of(pass, "busy"),
		(double)number_of(pass, "took_us") / 1000);
}

static void print_pending(struct json_object *status)
{
	const char *reasons = text_of(status, "pending_reload");

	printf("%-12s%lld keys, %s%s%s, %lld writes of status, %lld Events\n", "pending",
		number_of(status, "pending_keys"), reasons[0] ? "a reload (" : "no reload", reasons,
		reasons[0] ? ")" : "", number_of(status, "status_waiting"),
		number_of(status, "events_waiting"));
}

static void print_reloads(struct json_object *status)
{
	struct json_object *reloads = member(status, "reloads");
	size_t n = json_object_array_length(reloads);

	printf("%-12s%lld since the controller was started\n", "reloads",
		number_of(status, "n_reloads"));
	for (size_t i = 0; i < n; i++) {
		struct json_object *reload = json_object_array_get_idx(reloads, i);
		char at[32];
		format_time(at, sizeof(at), number_of(reload, "at"));
		printf("%-12s%s %s: %s\n", "", at, text_of(reload, "result"),
			text_of(reload, "reasons"));
	}
}

static void print_status(struct json_object *status, const char *socket)
{
	const char *missing = text_of(status, "missing");

	printf("%-12sversion %s, %s%s%s\n", "controller", text_of(status, "version"),
		missing[0] ? "not ready: " : "ready", missing,
		is_true(status, "is_leader") ? ", holds the Lease" : "");
	printf("%-12s%s, process %lld, new Services %s%s\n", "HAProxy", text_of(status, "haproxy"),
		number_of(status, "pid"),
		is_true(status, "has_live_backends") ? "live" : "by reloads",
		is_true(status, "has_other_configuration")
			? ", with the configuration of another version"
			: "");
	print_counts("objects", member(status, "objects"), "");
	printf("%-12s%lld Ingresses of ours, %lld backends, %lld certificates\n", "routes",
		number_of(status, "ingresses"), number_of(status, "backends"),
		number_of(status, "certificates"));
	print_counts("", member(status, "maps"), ".map");
	print_servers(socket);
	print_counts("problems", member(status, "problems"), "");
	print_pass(member(status, "last_pass"));
	print_pending(status);
	print_reloads(status);
}

int status_command(const struct flags *flags)
{
	const struct admin_question question = {
		.bind = flags_get(flags, FLAG_ADMIN_BIND), .path = "/status"};
	struct buf answer = BUF_INIT(MAX_ANSWER);
	struct json_object *status = NULL;
	long code = admin_ask(&question, &answer);
	int result = 2;

	if (code == STATUS_OK && (status = json_tokener_parse(buf_str(&answer))) != NULL) {
		print_status(status, flags_get(flags, FLAG_RUNTIME_SOCKET));
		result = text_of(status, "missing")[0] != '\0' ? 1 : 0;
		json_object_put(status);
	} else if (code != 0) {
		fprintf(stderr, "headgate: /status: HTTP status %ld: %s\n", code, buf_str(&answer));
	}
	buf_fini(&answer);
	return result;
}
