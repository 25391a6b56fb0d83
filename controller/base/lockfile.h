/* A file that at most one process has: who holds it may use what lies beside it. */
#ifndef HG_BASE_LOCKFILE_H
#define HG_BASE_LOCKFILE_H

#include "base/attr.h"
#include "base/err.h"

/*
 * Opens or makes `path` and locks it (flock(2)); the lock is held until the descriptor is closed or
 * the process ends. -1 + err: held by somebody else (ERR_INPUT), or the file can't be made
 * (ERR_DENIED, ERR_INPUT); the text names the path and the remedy.
 */
int lockfile_take(const char *path, struct err *err) MUST_USE;

#endif
