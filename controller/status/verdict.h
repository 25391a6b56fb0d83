/* What we make of one Ingress, for whoever asks: GET /ingresses/NAMESPACE/NAME. Pure. */
#ifndef HG_STATUS_VERDICT_H
#define HG_STATUS_VERDICT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"
#include "status/addresses.h"
#include "store/store.h"

/* Further diagnostics of an object are counted, not listed. */
#define VERDICT_MAX_DIAGNOSTICS 1000

/* Bytes of one text. */
#define VERDICT_TEXT_MAX_SIZE 4096

/* All borrowed. */
struct verdict_sources {
	const struct store *store;
	const struct model *model;
	const struct addresses *published; /* NULL = nothing is published */
};

/*
 * Appends one JSON object:
 *
 *   namespace, name, uid
 *   class        spec.ingressClassName or, with --legacy-class-annotation and where that is
 *                absent, the annotation; null = it names none
 *   served       is it ours?
 *   reason       why not; absent when it is
 *   routes       what it asks for, and which backends that leads to (routes.h); empty when it is
 * not ours diagnostics  [{reason, field, text}], those of its Events; empty when nothing is wrong
 *   more_diagnostics  how many are left out, if any
 *   addresses    what its status has now
 *   published    what its status is to have; absent when none is published
 *
 * false = the store has no such Ingress: an object with the one member `error`.
 */
bool verdict_write(struct buf *buf, const struct verdict_sources *sources, const char *namespace,
	const char *name) MUST_USE;

#endif
