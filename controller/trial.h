/*
 * What HAProxy takes up by a reload only, from the file to HAProxy's verdict. Owned by reconcile,
 * which reloads.
 *
 * New settings for the whole of HAProxy: what it refuses twice is not tried again until the
 * settings are others, or the controller is started again or told to read everything back;
 * meanwhile HAProxy runs with those before, on disk as well, and reloads for other reasons go on.
 *
 * Our constant configuration, where HAProxy was started with another version's: a reload reads
 * whatever its files are now. When they are still the other version's, or are refused four times
 * (the first two may be the fault of settings), it is not tried again either: then HAProxy is
 * served as far as it can be read back whole.
 */
#ifndef HG_TRIAL_H
#define HG_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "haproxy/observe.h"
#include "haproxy/state.h"
#include "model/model.h"

/* Zeroed memory with a state is one. */
struct trial {
	struct state *state;
	char tried[MODEL_DIGEST_SIZE]; /* digest of those that were tried last; "" = none */
	unsigned n_failures;	       /* of these */
	bool is_told;		       /* that HAProxy was started without our file */
	bool is_configuration_tried;   /* by the reload that is under way */
	bool is_configuration_refused; /* no reload brings it */
	unsigned n_refusals;	       /* reloads for it that failed */
};

/* Before a reload for these reasons: puts the settings on trial if they are one, or may be: another
 * version has written others. */
bool trial_begin(
	struct trial *trial, const struct model *model, uint32_t reasons, struct err *err) MUST_USE;

/* The reload failed. */
void trial_fail(struct trial *trial, const char *text, struct caps *caps);

/* What HAProxy has was read back: says what it has refused, and has on disk what it runs with. */
void trial_settle(struct trial *trial, const struct model *model, struct observation *found);

/* May HAProxy lack what our constant configuration has, as a reload is going to bring that? */
bool trial_expects_configuration(const struct trial *trial) MUST_USE;

/* Everything may be tried again. */
void trial_forget(struct trial *trial);

#endif
