/* `headgate haproxy`: HAProxy in a container of its own, beside the controller's. */
#ifndef HG_HAPROXY_COMMAND_H
#define HG_HAPROXY_COMMAND_H

#include "base/attr.h"
#include "flags.h"

void haproxy_print_help(void);

/*
 * Starts and supervises HAProxy on the state directory until SIGTERM or SIGINT, and then ends it in
 * order. Asks no API server and writes to no state directory: until somebody (`headgate init`, the
 * controller) has made it, it is waited for. Returns the program's exit status; what went wrong has
 * been said on stderr.
 */
enum exit_status haproxy_command(const struct flags *flags) MUST_USE;

#endif
