/* See command_flags.h. */
#include "command_flags.h"

#include <getopt.h>
#include <string.h>

#include "base/attr.h"
#include "version.h"

#define HELP_COLUMN 34
#define NOT_SHARED  FLAG_COUNT
#define FIRST_VALUE 256 /* what getopt_long() returns for the first row: no byte */

struct row {
	const char *command;
	const char *name; /* of a shared one: NULL */
	const char *argument;
	const char *default_value;
	const char *help;
	enum flag_id shared; /* NOT_SHARED = the command's own */
};

static const struct row run_rows[FLAG_COUNT] = {
#define FLAG(id, name, argument, default_, help) {"run", name, argument, default_, help, FLAG_##id},
#include "flags.def"
};

static const struct row rows[] = {
#define SHARED(command, id, default_, help) {#command, NULL, NULL, default_, help, FLAG_##id},
#define OWN(command, name, argument, default_, help)                                               \
	{#command, name, argument, default_, help, NOT_SHARED},
#include "command_flags.def"
};

static bool is_of(const struct row *row, const char *command)
{
	return strcmp(row->command, command) == 0;
}

bool command_flags_share(const char *command, enum flag_id which)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].shared == which && is_of(&rows[i], command)) {
			return true;
		}
	}
	return strcmp(command, "run") == 0;
}

static void print_row(FILE *out, const struct row *row)
{
	const struct row *said = row->shared == NOT_SHARED ? row : &run_rows[row->shared];
	const char *value =
		row->default_value[0] != '\0' ? row->default_value : said->default_value;
	char left[96];

	snprintf(left, sizeof(left), "  --%s%s%s", said->name, said->argument[0] ? "=" : "",
		said->argument);
	fprintf(out, "%-*s %s", HELP_COLUMN, left, row->help[0] ? row->help : said->help);
	if (value[0] != '\0') {
		fprintf(out, " (default: %s)", value);
	}
	fputc('\n', out);
}

static void print_rows(FILE *out, const struct row *some, size_t n, const char *command)
{
	for (size_t i = 0; i < n; i++) {
		if (is_of(&some[i], command)) {
			print_row(out, &some[i]);
		}
	}
}

void command_flags_print_help(FILE *out, const char *command, const char *head, const char *tail)
{
	bool is_shared = false;

	for (int i = 0; i < FLAG_COUNT; i++) {
		is_shared = is_shared || command_flags_share(command, i);
	}
	fprintf(out, "%s\n", head);
	if (is_shared) {
		fputs("Options; each can also be given as HEADGATE_<NAME> in the environment:\n",
			out);
	}
	print_rows(out, run_rows, FLAG_COUNT, command);
	print_rows(out, rows, ARRAY_LEN(rows), command);
	fprintf(out, "%-*s %s\n\n%s", HELP_COLUMN, "  --help", "show this text", tail);
}

enum flags_outcome command_flags_read(
	int argc, char **argv, command_flag_fn set, void *ctx, int *ret_first)
{
	struct option longs[ARRAY_LEN(rows) + 2] = {{"help", no_argument, NULL, 'h'}};
	size_t n = 1;
	int found;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (rows[i].shared == NOT_SHARED && is_of(&rows[i], argv[0])) {
			longs[n++] = (struct option){rows[i].name,
				rows[i].argument[0] ? required_argument : no_argument, NULL,
				FIRST_VALUE + (int)i};
		}
	}
	while ((found = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (found == 'h') {
			return FLAGS_HELP;
		}
		if (found < FIRST_VALUE) {
			fprintf(stderr, "See 'headgate %s --help'.\n", argv[0]);
			return FLAGS_ERROR;
		}
		if (!set(ctx, rows[found - FIRST_VALUE].name, optarg)) {
			return FLAGS_ERROR;
		}
	}
	*ret_first = optind;
	return FLAGS_RUN;
}
