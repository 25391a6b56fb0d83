/*
 * The ConfigMaps of the operator that commands without a cluster are told of: flags with the names
 * that they have in flags.def.
 */
#ifndef HG_CONFIG_MAPS_H
#define HG_CONFIG_MAPS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"

#define CONFIG_MAPS_COUNT 4

/* What the flags say; `options` borrow it. All zeros = nothing. */
struct config_maps {
	char *names[CONFIG_MAPS_COUNT]; /* owned */
};

void config_maps_fini(struct config_maps *maps);

/* Is this one of the flags? */
bool config_maps_has(const char *flag) MUST_USE;

/* Reads the value of one: NAMESPACE/NAME. False: it can't be used, which has been said on stderr.
 */
bool config_maps_set(struct config_maps *maps, struct model_options *options, const char *flag,
	const char *value) MUST_USE;

#endif
