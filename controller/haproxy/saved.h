/*
 * Reads what haproxy/state has saved: what HAProxy had when the controller last committed. For
 * looking at it from beside (`headgate plan`); the controller itself asks HAProxy, never the disk.
 */
#ifndef HG_HAPROXY_SAVED_H
#define HG_HAPROXY_SAVED_H

#include "base/attr.h"
#include "base/err.h"
#include "plan/applied.h"

/* Files are at most so long. */
#define SAVED_MAX_FILE ((size_t)1 << 30)

/*
 * Maps, backends, servers, what backends are made with, and the certificates but the default one,
 * of which the disk does not tell what plans compare. Nothing is written, and no key is read. The
 * caller frees it with applied_free(). NULL: there is no state in `directory`, or it can't be read
 * (ERR_INPUT), or is not as we write it (ERR_PROTO).
 */
struct applied *saved_read(const char *directory, struct err *err) MUST_USE;

#endif
