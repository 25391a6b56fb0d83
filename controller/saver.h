/*
 * When and how the state directory is brought up to date: soon after a pass, by a forked child, for
 * at most a twentieth of the time. The child has the state as it was at that moment for free, and
 * while it sorts, writes and waits for the disk, the next change is not kept waiting. Owned by
 * reconcile.
 */
#ifndef HG_SAVER_H
#define HG_SAVER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "haproxy/state.h"
#include "plan/applied.h"

struct saver;

/* What may be saved now; NULL = nothing, in the middle of a pass for one. saver_soon() is called
 * again when that is over. */
typedef struct applied *(*saver_source_fn)(void *ctx);

/* `state` is borrowed for the life of the object. */
struct saver *saver_new(
	struct event_base *base, struct state *state, saver_source_fn source, void *ctx) MUST_USE;

/* Waits for a child that is writing. */
void saver_free(struct saver *saver);

/* `applied` may have changed: saves it a moment later, unless that is on its way already. A failure
 * is logged, counted, and tried again. */
void saver_soon(struct saver *saver, const struct applied *applied);

/*
 * Everything, at once and in this process: before a reload, whose worker reads it, and after one
 * that failed. Waits for the disk. A save that was on its way is over when this returns, whatever
 * it had.
 */
bool saver_save_all(struct saver *saver, struct applied *applied, struct err *err) MUST_USE;

/* The end: what is not saved is saved at once; a failure is logged. */
void saver_flush(struct saver *saver, struct applied *applied);

#endif
