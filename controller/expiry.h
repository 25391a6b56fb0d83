/*
 * Certificates grow old without anybody touching their Secret: this looks at the time on its own,
 * and counts for the metrics. Pure but for the store and the metrics that it is given; the caller
 * has the clock.
 *
 * A Secret whose certificate has expired since it was last looked at becomes one with a fault
 * (enum secret_state), as if it had just been read; its certificate stays in use. One whose
 * certificate was not valid yet and now is becomes a good one, with that certificate. One whose
 * newest version can't be used keeps that fault, and is marked when the last good content, which it
 * has in use, expires (is_untimely).
 */
#ifndef HG_EXPIRY_H
#define HG_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* How often it is worth looking. */
#define EXPIRY_LOOK_SECONDS 60

/* Judges every Secret of the store that time can change by `now` (Unix time); returns how many have
 * changed. */
size_t expiry_look(struct store *store, int64_t now);

/* Sets the gauges about the certificates that are in use. */
void expiry_refresh_metrics(const struct store *store, int64_t now);

#endif
