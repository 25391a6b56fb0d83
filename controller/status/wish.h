/*
 * What is to be written into the status of an Ingress, if anything: a comparison of what the store
 * has with what we publish. Pure.
 *
 * - An Ingress of ours is to have the published addresses, whatever it has.
 * - One that this process saw as ours and that is so no longer is cleared, when its status is what
 *   we publish: then it is we who wrote it, and nobody else has since.
 * - After a write the store is behind until the watch brings the echo. Until then what was written
 *   counts as being there, so that nothing is written twice.
 */
#ifndef HG_STATUS_WISH_H
#define HG_STATUS_WISH_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/table.h"
#include "model/model.h"
#include "status/addresses.h"
#include "store/store.h"

/* Ingresses let go that are waited for; more would mean that all classes have gone at once in a
 * very large cluster. */
#define WISH_MAX_LET_GO 200000

struct wishes {
	const struct store *store; /* borrowed */
	const struct model *model; /* borrowed; NULL = nothing is known yet */
	struct addresses published;
	bool is_publishing;   /* false = nothing is to be written */
	struct table written; /* struct written: echoes that are waited for */
	struct table let_go;  /* struct let_go */
};

enum wish { WISH_NOTHING, WISH_PUBLISH, WISH_CLEAR };

void wishes_fini(struct wishes *wishes);

/* Publishes these addresses from now on, which are taken over; false = they are the same. */
bool wishes_set_published(struct wishes *wishes, struct addresses *published);

/* This Ingress is ours no longer. */
void wishes_note_let_go(struct wishes *wishes, const char *namespace, const char *name);

/* `is_running`: a write of it is under way, and what it will have is not known. */
enum wish wish_of(
	struct wishes *wishes, const char *namespace, const char *name, bool is_running) MUST_USE;

/* The body of the write: a JSON merge patch (RFC 7386). */
void wish_write(const struct wishes *wishes, enum wish wish, struct buf *buf);

/* A write was confirmed that began when the status was `before` and makes it `after`. */
void wishes_note_written(struct wishes *wishes, const char *namespace, const char *name,
	uint32_t before, uint32_t after);

/* The status that such a write makes. */
uint32_t wish_outcome(const struct wishes *wishes, enum wish wish) MUST_USE;

/* The status that the store has, as a number to compare; 0 when there is no such Ingress. */
uint32_t wish_status(const struct wishes *wishes, const char *namespace, const char *name) MUST_USE;

/* Trusts the store alone again: no echo is so late. */
void wishes_forget_written(struct wishes *wishes);

#endif
