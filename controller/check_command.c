/* See check_command.h: the command line, the files, and how verdicts are printed. */
#include "check_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "check.h"
#include "command_flags.h"
#include "config_maps.h"
#include "manifest_paths.h"

static const char usage[] =
	"Usage: headgate check [OPTION]... FILE|DIRECTORY...\n"
	"Say for each annotation of Ingresses and Services in YAML and JSON files whether it is "
	"applied, ignored\n"
	"or refused, and what else is wrong with them. No cluster is asked. '-' is the standard "
	"input.\n";
static const char usage_end[] =
	"Exit status: 0 nothing is refused, 1 something is, 2 a file can't be read or the command "
	"line is wrong.\n";

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON };

struct command {
	struct model_options options;
	enum output output;
	struct manifest_paths files;
	struct config_maps config_maps;
};

/* ---- printing ---- */

/* Any bytes, in one line. */
static void print_text(const char *text)
{
	for (; *text != '\0'; text++) {
		putchar((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text);
	}
}

static void print_object(const struct check_object *object, bool is_wide)
{
	static const struct check_item fine = {.field = (char *)"", .verdict = CHECK_APPLIED};
	CLEANUP(free_ptr)
	char *name = xasprintf("%s %s/%s", object->kind, object->namespace, object->name);
	size_t n_printed = 0;

	for (size_t i = 0; i <= object->n_items; i++) {
		const struct check_item *item = i < object->n_items ? &object->items[i] : &fine;
		bool is_end = i == object->n_items;
		if (is_end ? n_printed > 0 : !is_wide && item->verdict == CHECK_APPLIED) {
			continue;
		}
		printf("%-40s %-8s ", name, check_verdict_names[item->verdict]);
		print_text(item->field);
		if (item->reason != NULL) {
			printf(": ");
			print_text(item->reason);
		}
		putchar('\n');
		n_printed++;
	}
}

static void print_table(const struct check_result *result, bool is_wide)
{
	for (size_t i = 0; i < result->n_objects; i++) {
		print_object(&result->objects[i], is_wide);
	}
	printf("%zu objects: %zu applied, %zu ignored, %zu refused\n", result->n_objects,
		result->n_items[CHECK_APPLIED], result->n_items[CHECK_IGNORED],
		result->n_items[CHECK_REFUSED]);
}

static void append_member(struct buf *json, const char *name, const char *value)
{
	buf_printf(json, "\"%s\":", name);
	json_append_text(json, value, JSON_TEXT_WHOLE);
}

static void append_object(struct buf *json, const struct check_object *object)
{
	buf_append_char(json, '{');
	append_member(json, "kind", object->kind);
	buf_append_char(json, ',');
	append_member(json, "namespace", object->namespace);
	buf_append_char(json, ',');
	append_member(json, "name", object->name);
	buf_append_char(json, ',');
	append_member(json, "verdict", check_verdict_names[object->verdict]);
	buf_append_str(json, ",\"items\":[");
	for (size_t i = 0; i < object->n_items; i++) {
		const struct check_item *item = &object->items[i];
		buf_append_str(json, i > 0 ? ",{" : "{");
		append_member(json, "field", item->field);
		buf_append_char(json, ',');
		append_member(json, "verdict", check_verdict_names[item->verdict]);
		if (item->reason != NULL) {
			buf_append_char(json, ',');
			append_member(json, "reason", item->reason);
		}
		buf_append_char(json, '}');
	}
	buf_append_str(json, "]}");
}

static void print_json(const struct check_result *result)
{
	struct buf json = BUF_INIT(0);

	buf_append_str(&json, "{\"objects\":[");
	for (size_t i = 0; i < result->n_objects; i++) {
		buf_append_str(&json, i > 0 ? ",\n" : "\n");
		append_object(&json, &result->objects[i]);
	}
	buf_printf(&json, "\n],\"applied\":%zu,\"ignored\":%zu,\"refused\":%zu}\n",
		result->n_items[CHECK_APPLIED], result->n_items[CHECK_IGNORED],
		result->n_items[CHECK_REFUSED]);
	fputs(buf_str(&json), stdout);
	buf_fini(&json);
}

/* ---- the command line ---- */

static bool set_output(struct command *command, const char *text)
{
	static const char *const names[] = {"table", "wide", "json"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			command->output = (enum output)i;
			return true;
		}
	}
	fprintf(stderr, "headgate: --output is '%s': use table, wide or json\n", text);
	return false;
}

static bool set_flag(void *ctx, const char *name, const char *value)
{
	struct command *command = ctx;

	if (config_maps_has(name)) {
		return config_maps_set(&command->config_maps, &command->options, name, value);
	}
	if (strcmp(name, "output") == 0) {
		return set_output(command, value);
	}
	if (strcmp(name, "ingress-class") == 0) {
		command->options.ingress_class = value;
	} else if (strcmp(name, "enable-ssl-passthrough") == 0) {
		command->options.has_passthrough = true;
	} else {
		command->options.has_legacy_class = true;
	}
	return true;
}

/* False: there is nothing to be done but to end with *ret_status. */
static bool read_arguments(struct command *command, int argc, char **argv, int *ret_first,
	enum check_status *ret_status)
{
	*ret_status = CHECK_STATUS_INPUT;
	switch (command_flags_read(argc, argv, set_flag, command, ret_first)) {
	case FLAGS_ERROR:
		return false;
	case FLAGS_HELP:
		command_flags_print_help(stdout, argv[0], usage, usage_end);
		*ret_status = CHECK_STATUS_GOOD;
		return false;
	case FLAGS_RUN:
		break;
	}
	if (*ret_first == argc) {
		fprintf(stderr, "headgate: no file is named: see 'headgate check --help'\n");
		return false;
	}
	return true;
}

static enum check_status check_paths(struct command *command, char **paths, int n)
{
	for (int i = 0; i < n; i++) {
		manifest_paths_read(&command->files, paths[i]);
	}
	if (command->files.n_files == 0 && !command->files.has_bad_file) {
		fprintf(stderr, "headgate: there is no *.yaml, *.yml or *.json file there\n");
		return CHECK_STATUS_INPUT;
	}
	struct check_result result = check_objects(command->files.store, &command->options);
	if (command->output == OUTPUT_JSON) {
		print_json(&result);
	} else {
		print_table(&result, command->output == OUTPUT_WIDE);
	}
	bool is_refused = result.n_items[CHECK_REFUSED] > 0;
	check_fini(&result);
	if (command->files.has_bad_file) {
		return CHECK_STATUS_INPUT;
	}
	return is_refused ? CHECK_STATUS_REFUSED : CHECK_STATUS_GOOD;
}

enum check_status check_command(int argc, char **argv)
{
	struct command command = {.files = {.store = store_new()}};
	enum check_status status;
	int first;

	command.options = check_model_options();
	if (read_arguments(&command, argc, argv, &first, &status)) {
		status = check_paths(&command, argv + first, argc - first);
	}
	store_free(command.files.store);
	config_maps_fini(&command.config_maps);
	return status;
}
