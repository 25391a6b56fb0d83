/*
 * When the state directory is brought up to date: soon after a pass, and for at most a twentieth of
 * the time, however large the state is. Owned by reconcile.
 */
#ifndef HG_SAVER_H
#define HG_SAVER_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "haproxy/state.h"
#include "plan/applied.h"

struct saver;

/* What may be saved now; NULL = nothing, in the middle of a pass for one. saver_soon() is called
 * again when that is over. */
typedef struct applied *(*saver_source_fn)(void *ctx);

/* `state` is borrowed for the life of the object. */
struct saver *saver_new(
	struct event_base *base, struct state *state, saver_source_fn source, void *ctx) MUST_USE;
void saver_free(struct saver *saver);

/* `applied` may have changed: saves it a moment later, unless that is on its way already. */
void saver_soon(struct saver *saver, const struct applied *applied);

/* At once; a failure is logged and counted, and what was not saved stays marked. */
void saver_save(struct saver *saver, struct applied *applied);

/* Everything, whatever the marks say. */
void saver_save_all(struct saver *saver, struct applied *applied);

/* Nothing is saved until the next saver_soon(). */
void saver_cancel(struct saver *saver);

#endif
