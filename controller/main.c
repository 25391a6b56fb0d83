/* The command line's first word chooses what to do; nothing else is decided here. */
#include <stdio.h>
#include <string.h>

#include "audit_command.h"
#include "haproxy/state.h"
#include "flags.h"
#include "run.h"
#include "version.h"

static const char usage[] =
	"Usage: headgate COMMAND [OPTION]...\n"
	"A Kubernetes ingress controller that drives HAProxy over its Runtime API.\n"
	"\n"
	"Commands:\n"
	"  run        keep HAProxy in step with Ingress objects ('headgate run --help')\n"
	"  init       make an empty state directory, so that HAProxy can be started before the "
	"controller\n"
	"  audit      have the running controller compare what HAProxy has with what it confirmed\n"
	"  --help     show this text\n"
	"  --version  show the version\n";

static int command_run(int argc, char **argv)
{
	struct flags flags;
	struct err err = {0};
	enum exit_status status = EXIT_STATUS_OK;

	switch (flags_parse(&flags, argc, argv, &err)) {
	case FLAGS_HELP:
		flags_print_help(stdout);
		break;
	case FLAGS_ERROR:
		fprintf(stderr, "headgate: %s\n", err.text);
		status = EXIT_STATUS_USAGE;
		break;
	case FLAGS_RUN:
		status = run(&flags);
		break;
	}
	flags_fini(&flags);
	return (int)status;
}

static int command_init(int argc, char **argv)
{
	struct flags flags;
	struct err err = {0};
	int status = EXIT_STATUS_OK;

	switch (flags_parse(&flags, argc, argv, &err)) {
	case FLAGS_HELP:
		fputs("Usage: headgate init [--state-dir=DIR]\n"
		      "Make the state directory with no routes and new TLS ticket keys in it, "
		      "unless it is there already.\n",
			stdout);
		break;
	case FLAGS_ERROR:
		fprintf(stderr, "headgate: %s\n", err.text);
		status = EXIT_STATUS_USAGE;
		break;
	case FLAGS_RUN: {
		struct state *state = state_open(flags_get(&flags, FLAG_STATE_DIR), &err);
		if (state == NULL) {
			fprintf(stderr, "headgate: %s\n", err.text);
			status = EXIT_STATUS_INPUT;
		}
		state_close(state);
		break;
	}
	}
	flags_fini(&flags);
	return status;
}

static int command_audit(int argc, char **argv)
{
	struct flags flags;
	struct err err = {0};
	int status = AUDIT_STATUS_FAILED;

	switch (flags_parse(&flags, argc, argv, &err)) {
	case FLAGS_HELP:
		audit_print_help();
		status = EXIT_STATUS_OK;
		break;
	case FLAGS_ERROR:
		fprintf(stderr, "headgate: %s\n", err.text);
		break;
	case FLAGS_RUN:
		status = (int)audit_command(flags_get(&flags, FLAG_ADMIN_BIND));
		break;
	}
	flags_fini(&flags);
	return status;
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "run") == 0) {
		return command_run(argc - 1, argv + 1);
	}
	if (strcmp(command, "init") == 0) {
		return command_init(argc - 1, argv + 1);
	}
	if (strcmp(command, "audit") == 0) {
		return command_audit(argc - 1, argv + 1);
	}
	if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) {
		fputs(usage, stdout);
		return EXIT_STATUS_OK;
	}
	if (strcmp(command, "--version") == 0) {
		puts("headgate " HEADGATE_VERSION);
		return EXIT_STATUS_OK;
	}
	if (command[0] == '\0') {
		fputs(usage, stderr);
	} else {
		fprintf(stderr, "headgate: unknown command '%s': see 'headgate --help'\n", command);
	}
	return EXIT_STATUS_USAGE;
}
