/* `headgate explain`: which Ingress, rule, Service and options a request meets, by the objects in
 * files. */
#ifndef HG_EXPLAIN_COMMAND_H
#define HG_EXPLAIN_COMMAND_H

/* Exit statuses; --help lists them. */
enum explain_status {
	EXPLAIN_STATUS_FOUND = 0,
	EXPLAIN_STATUS_NOT_FOUND = 1,
	EXPLAIN_STATUS_INPUT = 2, /* the command line, or a file that can't be read */
};

/* argv[0] is the command's name. Prints to stdout, mistakes to stderr. */
enum explain_status explain_command(int argc, char **argv);

#endif
