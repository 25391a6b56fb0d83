/*
 * See observe.h. One row a question in queries[]; all are asked at once, and the answers are read
 * line by line as they come in (haproxy/readout), so that a million map entries need no more room
 * than `applied` itself.
 */
#include "haproxy/observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/encode.h"
#include "haproxy/readout.h"
#include "version.h"

struct observe {
	struct cli *cli;
	observe_done_fn on_done;
	void *ctx;
	struct observation found;
	unsigned current; /* the query whose answer is being read */
	struct readout readout;
	char *map_dir;
	bool may_lack;		   /* maps, where the configuration is another version's */
	unsigned backend_commands; /* bits of backend_commands[] that `help` lists */
	bool has_wait;		   /* `help` lists it */
	struct err err;
};

static const struct readout_question queries[] = {
	{.kind = READOUT_INFO},
	{.kind = READOUT_HELP},
	/* Before the maps: it says which there are. */
	{.kind = READOUT_CONFIGURATION},
	{.kind = READOUT_BACKENDS},
	{.kind = READOUT_SERVERS},
#define MAP(id, file, key, value) {.kind = READOUT_MAP, .map = MODEL_MAP_##id},
#include "model/maps.def"
	/* The list first: what is in it counts. */
	{.kind = READOUT_LIST},
	{.kind = READOUT_CERTIFICATES},
	{.kind = READOUT_AUTHORITIES},
	{.kind = READOUT_DEFAULT},
	{.kind = READOUT_SETTINGS},
	{.kind = READOUT_PORTS},
};

/* What `help` lists when backends can be made and unmade at run time. */
static const char *const backend_commands[] = {
	"add backend ", "publish backend ", "unpublish backend ", "del backend "};

/* It came, with 3.0, a little after the cookies of run-time servers were put right. */
static const char wait_command[] = "wait ";

/* What HAProxy says of a map that its configuration doesn't name. */
static const char no_map[] = "Unknown map identifier";

static bool ask(struct observe *observe, const struct readout_question *query);
static void on_line(void *ctx, const char *line);
static void on_answer(void *ctx, const char *text);
static bool may_be_missing(const struct observe *observe, const char *line);
static bool take(struct observe *observe, const struct fact *fact);
static bool take_command(struct observe *observe, const char *command);
static bool take_server(struct applied *applied, const struct fact *fact);
static void take_entry(struct applied *applied, enum model_map map, const struct fact *fact);
static void take_certificate(struct applied *applied, const struct fact *fact);
static void abort_transaction(const struct observe *observe, const char *abort, const char *name);
static bool is_complete(const struct observe *observe);
static void fail(struct observe *observe);
static void succeed(struct observe *observe);
static void release(struct observe *observe);

struct observe *observe_start(
	struct cli *cli, const char *map_dir, bool may_lack, observe_done_fn on_done, void *ctx)
{
	struct observe *observe = xcalloc(1, sizeof(*observe));

	observe->cli = cli;
	observe->map_dir = xstrdup(map_dir);
	observe->may_lack = may_lack;
	observe->on_done = on_done;
	observe->ctx = ctx;
	observe->found.applied = applied_new();
	/* Until it says that it is ours. */
	observe->found.caps.awaits_configuration = true;
	readout_init(&observe->readout, observe->map_dir);
	readout_begin(&observe->readout, queries[0].kind);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		if (!ask(observe, &queries[i])) {
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

static bool ask(struct observe *observe, const struct readout_question *query)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);
	bool is_ok = readout_ask(&command, query, observe->map_dir);

	if (is_ok) {
		cli_send_lines(observe->cli, buf_str(&command), on_line, on_answer, observe);
	}
	buf_fini(&command);
	return is_ok;
}

/* The question whose answer is being read, as the command that asked. */
static char *query_text(const struct observe *observe)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);

	(void)!readout_ask(&command, &queries[observe->current], observe->map_dir);
	return buf_take(&command);
}

static bool says_no_map(const char *line)
{
	return strncmp(line, no_map, strlen(no_map)) == 0;
}

static bool may_be_missing(const struct observe *observe, const char *line)
{
	return observe->may_lack && observe->found.caps.awaits_configuration &&
	       queries[observe->current].kind == READOUT_MAP && says_no_map(line);
}

static void on_line(void *ctx, const char *line)
{
	struct observe *observe = ctx;
	struct fact fact;

	if ((readout_line(&observe->readout, line, &fact) && take(observe, &fact)) ||
		may_be_missing(observe, line)) {
		return;
	}
	CLEANUP(free_ptr) char *query = query_text(observe);
	(void)err_set(&observe->err, ERR_PROTO,
		"HAProxy's answer to `%s` has a line that is not understood (line %zu): %.200s%s",
		query, observe->readout.n_lines, line,
		says_no_map(line)
			? " It was started with the configuration of another version of Headgate: "
			  "start it anew with this one's (--config-dir)"
			: "");
	fail(observe);
}

static void on_answer(void *ctx, const char *text)
{
	struct observe *observe = ctx;
	CLEANUP(free_ptr) char *query = query_text(observe);

	if (observe->err.kind != ERR_NONE) {
		fail(observe);
	} else if (text == NULL) {
		(void)err_set(&observe->err, ERR_RETRY,
			"HAProxy's runtime connection was lost while reading back `%s`", query);
		fail(observe);
	} else if (!is_complete(observe)) {
		(void)err_set(&observe->err, ERR_PROTO,
			"HAProxy's answer to `%s` ended too early, after %zu lines", query,
			observe->readout.n_lines);
		fail(observe);
	} else if (++observe->current == ARRAY_LEN(queries)) {
		succeed(observe);
	} else {
		readout_begin(&observe->readout, queries[observe->current].kind);
	}
}

/* Enters one fact. False = it can't be true. */
static bool take(struct observe *observe, const struct fact *fact)
{
	struct observation *found = &observe->found;
	struct applied *applied = found->applied;

	switch (fact->kind) {
	case FACT_NONE:
	case FACT_NO_BACKEND:
		return true;
	case FACT_VERSION:
		snprintf(found->caps.version, sizeof(found->caps.version), "%s", fact->value);
		return true;
	case FACT_PID:
		found->pid = (long)fact->number;
		return true;
	case FACT_COMMAND:
		return take_command(observe, fact->name);
	case FACT_BACKEND:
		return applied_find_backend(applied, fact->name) == NULL &&
		       applied_add_backend(applied, fact->name) != NULL;
	case FACT_SERVER:
		return take_server(applied, fact);
	case FACT_ENTRY:
		take_entry(applied, queries[observe->current].map, fact);
		return true;
	case FACT_LIST:
		found->caps.has_tls = true;
		return true;
	case FACT_LISTED:
		take_certificate(applied, fact);
		return true;
	case FACT_CERTIFICATE:
		if (found->caps.has_tls ||
			model_certificate_kind(fact->name) != MODEL_CERTIFICATE_SERVED) {
			take_certificate(applied, fact);
		}
		return true;
	case FACT_TRANSACTION:
		abort_transaction(observe, "abort ssl cert ", fact->name);
		return true;
	case FACT_AUTHORITIES_TRANSACTION:
		abort_transaction(observe, "abort ssl ca-file ", fact->name);
		return true;
	case FACT_SETTINGS:
		snprintf(applied->settings, sizeof(applied->settings), "%s", fact->value);
		return true;
	case FACT_CONFIGURATION:
		found->caps.awaits_configuration = strcmp(fact->value, HEADGATE_CONFIGURATION) != 0;
		return true;
	case FACT_PORTS:
		snprintf(applied->ports, sizeof(applied->ports), "%s", fact->value);
		return true;
	case FACT_FINGERPRINT:
		if (applied_find_certificate(applied, MODEL_CERTIFICATE_DEFAULT) != NULL) {
			applied_set_certificate(applied, MODEL_CERTIFICATE_DEFAULT,
				APPLIED_DEFAULT_HOSTS, fact->value);
		}
		return true;
	}
	return false;
}

static bool take_command(struct observe *observe, const char *command)
{
	for (unsigned i = 0; i < ARRAY_LEN(backend_commands); i++) {
		if (strncmp(command, backend_commands[i], strlen(backend_commands[i])) == 0) {
			observe->backend_commands |= 1u << i;
		}
	}
	observe->has_wait |= strncmp(command, wait_command, strlen(wait_command)) == 0;
	observe->found.caps.has_late_cookies = !observe->has_wait;
	observe->found.caps.can_add_backend =
		observe->backend_commands == (1u << ARRAY_LEN(backend_commands)) - 1;
	return true;
}

static bool take_server(struct applied *applied, const struct fact *fact)
{
	struct applied_backend *backend = applied_find_backend(applied, fact->backend);

	if (backend == NULL || applied_find_server(backend, fact->name) != NULL) {
		return false;
	}
	applied_set_server(applied, backend, fact->name, fact->value, fact->admin);
	return true;
}

static void take_entry(struct applied *applied, enum model_map map, const struct fact *fact)
{
	if (applied_find_entry(applied, map, fact->name) == NULL) {
		applied_set_entry(applied, map, fact->name, fact->value);
	}
}

static void take_certificate(struct applied *applied, const struct fact *fact)
{
	if (applied_find_certificate(applied, fact->name) == NULL) {
		applied_set_certificate(applied, fact->name, fact->value, NULL);
	}
}

static void abort_transaction(const struct observe *observe, const char *abort, const char *name)
{
	struct buf command = BUF_INIT(ENCODE_MAX_LINE);

	buf_append_str(&command, abort);
	if (encode_cli_word(&command, name)) {
		cli_send(observe->cli, buf_str(&command), NULL, NULL);
	}
	buf_fini(&command);
}

static bool is_complete(const struct observe *observe)
{
	const struct observation *found = &observe->found;

	switch (queries[observe->current].kind) {
	case READOUT_INFO:
		return found->caps.version[0] != '\0' && found->pid > 0;
	case READOUT_CERTIFICATES:
		/* Without TLS there may be none, and then HAProxy says nothing at all. */
		return observe->readout.n_lines > 0 || !found->caps.has_tls;
	default:
		return readout_is_complete(&observe->readout);
	}
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
	readout_fini(&observe->readout);
	free(observe);
}
