/*
 * What `headgate run --haproxy` and `headgate haproxy` have in common: HAProxy's options from the
 * command line, and the directory of its sockets, which one supervisor has at a time.
 */
#ifndef HG_SUPERVISE_H
#define HG_SUPERVISE_H

#include "base/attr.h"
#include "base/err.h"
#include "flags.h"
#include "haproxy/process.h"

/* Strings are borrowed from `flags`, `backends_dir` (STATE/current/backends) and `settings_file`
 * (STATE/settings.cfg). */
struct process_options supervise_options(
	const struct flags *flags, const char *backends_dir, const char *settings_file);

/*
 * Makes the run directory and locks it (RUN-DIR/lock) until the descriptor that is returned is
 * closed; looks whether the constant configuration is there. -1 + err (ERR_INPUT, with the remedy):
 * the configuration is not there, the directory can't be made, or another supervisor has it.
 */
int supervise_lock(const struct flags *flags, struct err *err) MUST_USE;

#endif
