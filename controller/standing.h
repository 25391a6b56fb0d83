/*
 * How the controller stands, as one JSON object: what `headgate status` prints. Called by run.c for
 * the admin port; reads, changes nothing.
 */
#ifndef HG_STANDING_H
#define HG_STANDING_H

#include "base/buf.h"
#include "model/model.h"
#include "reconcile.h"
#include "store/store.h"

/* Appends it. The texts in it are names of our own tables and HAProxy's version. */
void standing_write(struct buf *json, const struct store *store, const struct reconcile *reconcile);

#endif
