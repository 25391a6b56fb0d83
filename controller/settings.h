/* The controller's own ConfigMap (--configmap): settings that change while it runs. */
#ifndef HG_SETTINGS_H
#define HG_SETTINGS_H

#include "base/log.h"
#include "kube/object.h"
#include "store/store.h"

/* Applies the ConfigMap; NULL (there is none) means the defaults. Unknown keys and values are
 * logged and left alone. */
void settings_apply(const struct config_map *config_map, enum log_level default_log_level);

/* Has a ConfigMap or an IngressClass, which refers to one, changed? */
bool settings_are_among(const struct store_changes *changes) MUST_USE;

#endif
