/* See plan_command.h. Nothing is asked of HAProxy or of a cluster, and nothing is changed. */
#include "plan_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "check.h"
#include "command_flags.h"
#include "haproxy/saved.h"
#include "manifest_paths.h"
#include "plan/plan.h"

static const char usage[] =
	"Usage: headgate plan [OPTION]... FILE|DIRECTORY...\n"
	"Say what would change in HAProxy for the objects in YAML and JSON files ('kubectl get "
	"ingress,service,\n"
	"endpointslice,secret,configmap -A -o yaml' writes one): the operations, or that it is "
	"reloaded, and why.\n"
	"'-' is the standard input. Nothing is changed, and neither HAProxy nor the API server is "
	"asked: what a\n"
	"running instance has is read from its state directory (--state-dir), as its controller "
	"saved "
	"it last.\n";
static const char usage_end[] =
	"Exit status: 0 nothing, or operations only, 1 a reload too, 2 a file can't be read or "
	"the command line\n"
	"is wrong.\n";

static const char *const reason_texts[PLAN_REASON_COUNT] = {
#define REASON(id, name, text) [PLAN_REASON_##id] = text,
#include "plan/reasons.def"
};

struct command {
	struct model_options options;
	const char *state_dir;
	const char *old;
	struct caps caps;
};

static bool set_version(struct caps *caps, const char *text)
{
	unsigned major;
	unsigned minor;
	char rest;

	if (sscanf(text, "%2u.%2u%c", &major, &minor, &rest) < 2) {
		fprintf(stderr, "headgate: --haproxy is '%s': use a version, like 3.4\n", text);
		return false;
	}
	caps->can_add_backend = major > 3 || (major == 3 && minor >= 4);
	return true;
}

/* NULL: said on stderr why. */
static struct model *read_model(
	const struct command *command, struct store *store, char **paths, int n)
{
	struct manifest_paths files = {.store = store};

	for (int i = 0; i < n; i++) {
		manifest_paths_read(&files, paths[i]);
	}
	if (files.has_bad_file) {
		return NULL;
	}
	return check_build_model(store, &command->options);
}

static struct applied *read_old_objects(const struct command *command)
{
	struct store *store = store_new();
	char *path = (char *)(uintptr_t)command->old;
	struct model *model = read_model(command, store, &path, 1);
	struct applied *applied = model != NULL ? applied_from_model(model, NULL) : NULL;

	model_free(model);
	store_free(store);
	return applied;
}

/* What HAProxy has; NULL: said on stderr why. */
static struct applied *read_applied(const struct command *command)
{
	struct err err = {0};

	if (command->old != NULL) {
		return read_old_objects(command);
	}
	if (command->state_dir == NULL) {
		return applied_new();
	}
	struct applied *applied = saved_read(command->state_dir, &err);
	if (applied == NULL) {
		fprintf(stderr, "headgate: %s\n", err.text);
	}
	return applied;
}

static void print_plan(const struct plan *plan)
{
	struct buf text = BUF_INIT(0);

	plan_dump(plan, &text);
	fputs(buf_str(&text), stdout);
	buf_fini(&text);
	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		if (plan->reasons & (1u << i)) {
			printf("%s: %s\n", plan_reason_names[i], reason_texts[i]);
		}
	}
	printf("%zu operations, %s\n", plan->n_ops, plan->reasons ? "a reload" : "no reload");
}

static enum plan_status plan_paths(const struct command *command, char **paths, int n)
{
	struct store *store = store_new();
	struct model *model = read_model(command, store, paths, n);
	struct applied *applied = model != NULL ? read_applied(command) : NULL;
	enum plan_status status = PLAN_STATUS_INPUT;
	struct plan plan = {0};

	if (applied != NULL) {
		plan_make(&plan, model, applied, &command->caps, NULL);
		print_plan(&plan);
		status = plan.reasons != 0 ? PLAN_STATUS_RELOAD : PLAN_STATUS_LIVE;
		plan_fini(&plan);
		applied_free(applied);
	}
	model_free(model);
	store_free(store);
	return status;
}

static bool set_flag(void *ctx, const char *name, const char *value)
{
	struct command *command = ctx;

	if (strcmp(name, "haproxy") == 0) {
		return set_version(&command->caps, value);
	}
	if (strcmp(name, "state-dir") == 0) {
		command->state_dir = value;
	} else if (strcmp(name, "old") == 0) {
		command->old = value;
	} else if (strcmp(name, "enable-ssl-passthrough") == 0) {
		command->options.has_passthrough = true;
	} else {
		command->options.ingress_class = value;
	}
	return true;
}

/* False: there is nothing to be done but to end with *ret_status. */
static bool read_arguments(struct command *command, int argc, char **argv, int *ret_first,
	enum plan_status *ret_status)
{
	*ret_status = PLAN_STATUS_INPUT;
	switch (command_flags_read(argc, argv, set_flag, command, ret_first)) {
	case FLAGS_ERROR:
		return false;
	case FLAGS_HELP:
		command_flags_print_help(stdout, argv[0], usage, usage_end);
		*ret_status = PLAN_STATUS_LIVE;
		return false;
	case FLAGS_RUN:
		break;
	}
	if (*ret_first == argc || (command->old != NULL && command->state_dir != NULL)) {
		fprintf(stderr, "headgate: %s: see 'headgate plan --help'\n",
			*ret_first == argc ? "no file is named"
					   : "--old and --state-dir exclude each other");
		return false;
	}
	return true;
}

enum plan_status plan_command(int argc, char **argv)
{
	struct command command = {.options = check_model_options(),
		.caps = {.has_tls = true, .can_add_backend = true}};
	enum plan_status status;
	int first;

	if (read_arguments(&command, argc, argv, &first, &status)) {
		status = plan_paths(&command, argv + first, argc - first);
	}
	return status;
}
