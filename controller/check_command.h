/* `headgate check`: what becomes of the objects in files, with no cluster and no HAProxy. */
#ifndef HG_CHECK_COMMAND_H
#define HG_CHECK_COMMAND_H

/* Exit statuses; --help lists them. */
enum check_status {
	CHECK_STATUS_GOOD = 0,
	CHECK_STATUS_REFUSED = 1, /* something is refused */
	CHECK_STATUS_INPUT = 2,	  /* the command line, or a file that can't be read */
};

/* argv[0] is the command's name. Prints to stdout, mistakes to stderr. */
enum check_status check_command(int argc, char **argv);

#endif
