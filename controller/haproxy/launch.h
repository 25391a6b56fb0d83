/*
 * The HAProxy program: checks that it is one that we can use with the configuration at hand, and
 * starts it. Both need only names of files; what becomes of the process is haproxy/process's.
 */
#ifndef HG_HAPROXY_LAUNCH_H
#define HG_HAPROXY_LAUNCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "haproxy/process.h"

/* The oldest HAProxy that Headgate works with. */
#define LAUNCH_MIN_MAJOR 2
#define LAUNCH_MIN_MINOR 6

/* The configuration may be large (backends of 20,000 Services take about a second); a program that
 * takes longer is ended. */
#define LAUNCH_CHECK_MS 30000

/*
 * Runs `haproxy -v` and `haproxy -c`, and waits for them (LAUNCH_CHECK_MS each at most). ERR_INPUT
 * with the remedy: no such program, not executable, not HAProxy, too old, configuration refused
 * (its first ALERT).
 */
bool launch_check(const struct process_options *options, struct err *err) MUST_USE;

/*
 * Starts the master in a session of its own, with our standard output and error, without TCP ports
 * that it can't have (left_out.h); 0 = it could not be started. It is a child of ours and outlives
 * us.
 */
pid_t launch_start(const struct process_options *options, struct err *err) MUST_USE;

#endif
