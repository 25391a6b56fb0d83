/* The command line's first word chooses what to do; nothing else is decided here. */
#include <stdio.h>
#include <string.h>

#include "audit_command.h"
#include "check_command.h"
#include "command_flags.h"
#include "explain_command.h"
#include "flags.h"
#include "haproxy/state.h"
#include "haproxy_command.h"
#include "health_command.h"
#include "options_command.h"
#include "plan_command.h"
#include "run.h"
#include "status_command.h"
#include "version.h"

/* What reads the flags of `headgate run` has `print_help` and `run`; the others read their
 * arguments themselves. */
struct command {
	const char *name;
	const char *summary;
	void (*print_help)(void);
	int (*run)(const struct flags *flags);
	int (*run_arguments)(int argc, char **argv);
};

static void print_run_help(void)
{
	flags_print_help(stdout);
}

static int command_run(const struct flags *flags)
{
	return (int)run(flags);
}

static int command_haproxy(const struct flags *flags)
{
	return (int)haproxy_command(flags);
}

static void print_init_help(void)
{
	command_flags_print_help(stdout, "init",
		"Usage: headgate init [OPTION]...\n"
		"Make the state directory with no routes and new TLS ticket keys in it, unless it "
		"is "
		"there already.\n",
		"Exit status: 0 it is there, 2 wrong usage, 3 it can't be made.\n");
}

static int command_init(const struct flags *flags)
{
	struct err err = {0};
	struct state *state = state_open(flags_get(flags, FLAG_STATE_DIR), &err);
	bool is_there = state != NULL;

	if (!is_there) {
		fprintf(stderr, "headgate: %s\n", err.text);
	}
	state_close(state);
	return is_there ? EXIT_STATUS_OK : EXIT_STATUS_INPUT;
}

static int command_audit(const struct flags *flags)
{
	return (int)audit_command(flags_get(flags, FLAG_ADMIN_BIND));
}

static int command_health(const struct flags *flags)
{
	return health_command(flags_get(flags, FLAG_ADMIN_BIND));
}

static int command_check(int argc, char **argv)
{
	return (int)check_command(argc, argv);
}

static int command_plan(int argc, char **argv)
{
	return (int)plan_command(argc, argv);
}

static int command_explain(int argc, char **argv)
{
	return (int)explain_command(argc, argv);
}

static const struct command commands[] = {
	{"run", "keep HAProxy in step with Ingress objects", print_run_help, command_run, NULL},
	{"haproxy", "run HAProxy in a container of its own, beside the controller's",
		haproxy_print_help, command_haproxy, NULL},
	{"init",
		"make an empty state directory, so that HAProxy can be started before the "
		"controller",
		print_init_help, command_init, NULL},
	{"status", "say how the running controller and its HAProxy stand", status_print_help,
		status_command, NULL},
	{"check", "say what becomes of the annotations in manifests", NULL, NULL, command_check},
	{"plan", "say what manifests would change in HAProxy", NULL, NULL, command_plan},
	{"explain", "say which Ingress, Service and options a request meets, by manifests", NULL,
		NULL, command_explain},
	{"options", "print what annotations and ConfigMap keys there are, as Markdown", NULL, NULL,
		options_command},
	{"audit", "have the running controller compare what HAProxy has with what it confirmed",
		audit_print_help, command_audit, NULL},
	{"health", "ask the running controller whether it is ready", health_print_help,
		command_health, NULL},
};

static void print_usage(FILE *out)
{
	fputs("Usage: headgate COMMAND [OPTION]...\n"
	      "A Kubernetes ingress controller that drives HAProxy over its Runtime API.\n\n"
	      "Commands; 'headgate COMMAND --help' says more:\n",
		out);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		fprintf(out, "  %-9s  %s\n", commands[i].name, commands[i].summary);
	}
	fputs("  --help     show this text\n"
	      "  --version  show the version\n",
		out);
}

static int carry_out(const struct command *command, int argc, char **argv)
{
	struct flags flags;
	struct err err = {0};
	int status = EXIT_STATUS_OK;

	switch (flags_parse(&flags, argc, argv, &err)) {
	case FLAGS_HELP:
		command->print_help();
		break;
	case FLAGS_ERROR:
		fprintf(stderr, "headgate: %s\n", err.text);
		status = EXIT_STATUS_USAGE;
		break;
	case FLAGS_RUN:
		status = command->run(&flags);
		break;
	}
	flags_fini(&flags);
	return status;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(name, commands[i].name) != 0) {
			continue;
		}
		return commands[i].run_arguments != NULL
			       ? commands[i].run_arguments(argc - 1, argv + 1)
			       : carry_out(&commands[i], argc - 1, argv + 1);
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return EXIT_STATUS_OK;
	}
	if (strcmp(name, "--version") == 0) {
		puts("headgate " HEADGATE_VERSION);
		return EXIT_STATUS_OK;
	}
	if (name[0] == '\0') {
		print_usage(stderr);
	} else {
		fprintf(stderr, "headgate: unknown command '%s': see 'headgate --help'\n", name);
	}
	return EXIT_STATUS_USAGE;
}
