/* A file that at most one process has: who holds it may use what lies beside it. */
#ifndef HG_BASE_LOCKFILE_H
#define HG_BASE_LOCKFILE_H

#include "base/attr.h"
#include "base/err.h"

/* How long the child of a process that was killed may still be writing what the lock protects. */
#define LOCKFILE_WAIT_MS 10000

/*
 * Opens or makes `path` and locks it (flock(2)); the lock is held until the descriptor is closed by
 * the process and its forked children, or they end. Blocks up to `wait_ms` milliseconds while
 * somebody else has it. -1 + err: held by somebody else (ERR_INPUT), or the file can't be made
 * (ERR_DENIED, ERR_INPUT); the text names the path and the remedy.
 */
int lockfile_take(const char *path, unsigned wait_ms, struct err *err) MUST_USE;

#endif
