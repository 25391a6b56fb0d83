/*
 * Keys that the next plan has to look at: what passes left over - withheld for a reload, or still draining - and what has been touched
 * since. Owned by reconcile.
 */
#ifndef HG_PENDING_H
#define HG_PENDING_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "plan/plan.h"

struct pending {
	struct model_delta delta;
	bool is_everything; /* plan for every key, whatever `delta` says */
};

void pending_fini(struct pending *pending);

/* Adds the keys of `delta` and empties it. */
void pending_take(struct pending *pending, struct model_delta *delta);

/* Nothing is left but the backends whose removal HAProxy put off in this plan. */
void pending_keep_busy(struct pending *pending, const struct plan *plan);

#endif
