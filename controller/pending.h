/*
 * Keys that the next plan has to look at: what passes left over - withheld for a reload, or still
 * draining - and what has been touched since. Owned by reconcile.
 */
#ifndef HG_PENDING_H
#define HG_PENDING_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "plan/plan.h"

/* More keys than this become "everything": while HAProxy refuses a reload they are kept for every
 * pass. */
#define PENDING_MAX_KEYS 20000

struct pending {
	struct model_delta delta;
	bool is_everything; /* plan for every key, whatever `delta` says */
};

void pending_fini(struct pending *pending);

/* So many keys. */
size_t pending_count(const struct pending *pending) MUST_USE;

/* Adds the keys of `delta` and empties it. */
void pending_take(struct pending *pending, struct model_delta *delta);

/*
 * The plan has been carried out: left are the backends whose removal HAProxy put off, or, when a
 * part of it waits for a reload, everything that it was made for. True = something was done by half
 * and can be finished at once (a certificate that is to be listed for other names).
 */
bool pending_keep_busy(struct pending *pending, const struct plan *plan);

#endif
