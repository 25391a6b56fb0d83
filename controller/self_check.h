/* The promise that a model kept up to date piece by piece equals one built from nothing, looked
 * into while the program runs (--self-check). */
#ifndef HG_SELF_CHECK_H
#define HG_SELF_CHECK_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

/* Builds a second model from the whole store and compares: true = both say the same. `model` has
 * taken up every change of the store. Costs a rebuild. */
bool self_check(const struct model *model, const struct model_options *options,
	const struct store *store) MUST_USE;

/* The same; what differs is counted and logged. */
void self_check_tell(
	const struct model *model, const struct model_options *options, const struct store *store);

#endif
