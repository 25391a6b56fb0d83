/*
 * The last good certificates over a restart of the controller.
 *
 * While it runs, the store has them (kube/secret.h). When it starts, it may meet Secrets whose
 * newest version can't be used, or that are gone; what HAProxy has of them is in the state
 * directory, and comes from there into the store, as if the controller had seen it before. From
 * there on nothing is different from a controller that went on running.
 */
#ifndef HG_LAST_GOOD_H
#define HG_LAST_GOOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haproxy/state.h"
#include "model/model.h"
#include "store/store.h"

struct last_good {
	struct store *store;
	struct model *model; /* knows what is needed */
	const struct state *state;
	bool is_done;
};

/*
 * Does nothing until the store is complete, and nothing after it has done it once. The model has
 * followed the store, and no pass has run yet.
 *
 * Looks for a certificate in the state directory for each Secret that the model needs and that has
 * none in the store, or one that is outside its valid period; only those files are read. Of
 * several, one that is valid now goes first, then the one that lasts longest. It is put into the
 * store where secret_keep_last_good() says so, and the model follows. Returns how many were; `now`
 * is Unix time.
 *
 * The same for the authorities that clients are verified against: the settings on disk name them.
 *
 * `applied` is what HAProxy has, read back; nothing is done while that is not known (NULL). Saves
 * come behind what HAProxy is told, so the directory may be older than a HAProxy that went on
 * running: a certificate that HAProxy does not have is not recalled. What it has instead stays
 * where the Secret has no content (model_keeps_certificate()).
 */
size_t last_good_recall(struct last_good *last_good, const struct applied *applied, int64_t now);

#endif
