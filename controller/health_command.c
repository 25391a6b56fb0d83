/* See health_command.h. */
#include "health_command.h"

#include <stdio.h>

#include "admin_ask.h"
#include "base/buf.h"
#include "command_flags.h"

#define MAX_ANSWER 1024
#define STATUS_OK  200

void health_print_help(void)
{
	command_flags_print_help(stdout, "health",
		"Usage: headgate health [OPTION]...\n"
		"Ask the controller that runs on this machine whether it is ready for traffic.\n",
		"Exit status: 0 it is, 1 it is not, or does not answer.\n");
}

int health_command(const char *bind)
{
	struct buf answer = BUF_INIT(MAX_ANSWER);
	long status = admin_ask(&(struct admin_question){.bind = bind, .path = "/readyz"}, &answer);

	if (status != 0 && status != STATUS_OK) {
		fprintf(stderr, "headgate: not ready: %s", buf_str(&answer));
	}
	buf_fini(&answer);
	return status == STATUS_OK ? 0 : 1;
}
