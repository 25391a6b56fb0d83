/* `headgate options`: the tables of options and of the dialect, as the text of docs/options.md. */
#ifndef HG_OPTIONS_COMMAND_H
#define HG_OPTIONS_COMMAND_H

/* Returns the exit status: 0, or 2 for a wrong command line. */
int options_command(int argc, char **argv);

#endif
