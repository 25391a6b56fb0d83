/*
 * Reads back what HAProxy has: capabilities, process, backends, servers, map entries, certificates.
 * The result replaces `applied` whenever there is doubt.
 *
 * Every line has to look as it does in HAProxy 2.6 to 3.4, or nothing is believed. Only a map that
 * HAProxy doesn't know may be missing where the configuration of another version explains it, and
 * the caller knows what to do about that: then the map is empty. A server counts
 * as READY only when nothing holds it back, and as draining only when nothing else does. Of a key
 * that is in a map twice, the first entry counts, as it does for requests. Everything in the result
 * is marked unsaved.
 *
 * A transaction about a certificate that somebody has left open is aborted: there is one for the
 * whole process, and it would be in our way.
 */
#ifndef HG_HAPROXY_OBSERVE_H
#define HG_HAPROXY_OBSERVE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "haproxy/cli.h"
#include "plan/applied.h"
#include "plan/caps.h"

struct observe;

struct observation {
	struct applied *applied; /* the callee takes it over (sets it to NULL), or it is freed */
	struct caps caps;
	long pid; /* of the worker that answered */
};

/* On failure `observation` is NULL and `err` says why: lost connection (ERR_RETRY), an answer that
 * we do not understand (ERR_PROTO), a `map_dir` that can't be written as a command (ERR_INPUT). */
typedef void (*observe_done_fn)(void *ctx, struct observation *observation, const struct err *err);

/*
 * `map_dir`: folder of the map files as HAProxy knows it. `may_lack`: maps may be missing, see
 * above. Only while connected. on_done is called from the event loop, never from inside
 * observe_start(). The returned object is freed by itself after on_done.
 */
struct observe *observe_start(struct cli *cli, const char *map_dir, bool may_lack,
	observe_done_fn on_done, void *ctx) MUST_USE;

/* Stops without calling on_done (answers that still come are ignored). Before cli_free(). */
void observe_cancel(struct observe *observe);

#endif
