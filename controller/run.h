/* `headgate run`: joins the modules together and runs the loop. */
#ifndef HG_RUN_H
#define HG_RUN_H

#include "base/attr.h"
#include "flags.h"

/* Returns the program's exit status; what went wrong has been said on stderr. */
enum exit_status run(const struct flags *flags) MUST_USE;

#endif
