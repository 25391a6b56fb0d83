/*
 * The ConfigMaps that classes refer to (model/parameters.h), while the program runs: which of them
 * are kept, and the log lines about what is wrong with them.
 */
#ifndef HG_CLASS_SETTINGS_H
#define HG_CLASS_SETTINGS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

struct class_settings;

/*
 * `own_name` is the controller's own ConfigMap, which is kept whoever refers to it; NULL = none.
 * Everything is borrowed for the life of the object. Never NULL.
 */
struct class_settings *class_settings_new(
	const struct model_options *options, struct store *store, const char *own_name) MUST_USE;
void class_settings_free(struct class_settings *settings);

/*
 * Is this ConfigMap wanted? Asked before one is taken into the store (a reflector_need_fn; `ctx` is
 * the object): one that nobody refers to is not kept, but remembered by its name.
 */
bool class_settings_need(void *ctx, const char *namespace, const char *name);

/* An IngressClass or a ConfigMap has changed: logs what is newly wrong. True = one that was not
 * kept is wanted now: they must be listed anew. */
bool class_settings_refresh(struct class_settings *settings) MUST_USE;

/* Takes ConfigMaps that nobody refers to any more out of the store. Only where they can be listed
 * anew when somebody does. */
void class_settings_forget(struct class_settings *settings);

#endif
