/*
 * What each command takes on its command line: the rows of flags.def for `headgate run`, those of
 * command_flags.def for the others. The only list of it: --help is printed, and command lines are
 * read, by these functions, and docs/flags.md, the manual page and completion are made from the
 * table or from --help.
 */
#ifndef HG_COMMAND_FLAGS_H
#define HG_COMMAND_FLAGS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "flags.h"

/* Whether a command heeds a flag of `headgate run`. */
bool command_flags_share(const char *command, enum flag_id which);

/* A whole --help: `head` (how it is used, what it does), the command's flags, `tail` (what else is
 * to be said, exit statuses), with an empty line between them. Both texts end with their last line.
 */
void command_flags_print_help(FILE *out, const char *command, const char *head, const char *tail);

/* Told of each flag of the command line, in its order; `value` is NULL for a switch. False: the
 * value can't be used, which has been said on stderr. */
typedef bool (*command_flag_fn)(void *ctx, const char *name, const char *value);

/*
 * Reads the command line of a command with flags of its own; argv[0] is its name.
 * FLAGS_RUN: argv[*ret_first] is the first argument behind the flags, if there is one. FLAGS_HELP:
 * --help was there. FLAGS_ERROR: it can't be used; said on stderr.
 */
enum flags_outcome command_flags_read(
	int argc, char **argv, command_flag_fn set, void *ctx, int *ret_first) MUST_USE;

#endif
