/* `headgate status`: how the controller that runs on this machine stands, for people. */
#ifndef HG_STATUS_COMMAND_H
#define HG_STATUS_COMMAND_H

#include "base/attr.h"
#include "flags.h"

void status_print_help(void);

/* 0 = it is ready, 1 = it is not, 2 = it does not answer: said on stderr. */
int status_command(const struct flags *flags) MUST_USE;

#endif
