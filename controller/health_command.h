/* `headgate health`: asks the controller on this machine whether traffic may come. For runtimes
 * that can only run a program (HEALTHCHECK of an image); Kubernetes asks /readyz by itself. */
#ifndef HG_HEALTH_COMMAND_H
#define HG_HEALTH_COMMAND_H

#include "base/attr.h"

void health_print_help(void);

/* Exit status: 0 = ready, 1 = not ready or not there; why is on stderr. */
int health_command(const char *bind) MUST_USE;

#endif
