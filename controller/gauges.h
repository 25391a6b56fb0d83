/* The gauges that follow from store and model: counted when somebody asks, not when something
 * changes; and what is there from the start. */
#ifndef HG_GAUGES_H
#define HG_GAUGES_H

#include "model/model.h"
#include "store/store.h"

/* The version, and zeros: a series that begins with its first count is no increase to Prometheus,
 * so that an alert would miss it. */
void gauges_begin(void);

void gauges_refresh(const struct store *store, const struct model *model);

#endif
