/* The gauges that follow from store and model: counted when somebody asks, not when something
 * changes. */
#ifndef HG_GAUGES_H
#define HG_GAUGES_H

#include "model/model.h"
#include "store/store.h"

void gauges_refresh(const struct store *store, const struct model *model);

#endif
