/* See class.h. */
#include "model/class.h"

#include <string.h>

static bool is_chosen(const struct model_options *options, const char *name)
{
	return options->ingress_class == NULL || strcmp(options->ingress_class, name) == 0;
}

bool class_has_our_controller(
	const struct model_options *options, const struct ingress_class *class)
{
	return strcmp(obj_str(class, class->controller), options->controller_name) == 0 &&
	       is_chosen(options, object_name(&class->head));
}

static bool goes_before(const struct object *a, const struct object *b)
{
	if (a->created_seconds != b->created_seconds) {
		return a->created_seconds > b->created_seconds;
	}
	return strcmp(object_name(a), object_name(b)) < 0;
}

/* The default class of ours; NULL = none. */
static const struct ingress_class *find_default(
	const struct model_options *options, const struct store *store)
{
	const struct object *found = NULL;
	const struct object *object;
	uint32_t position = 0;

	while ((object = store_next(store, KUBE_INGRESS_CLASS, &position)) != NULL) {
		const struct ingress_class *class = (const struct ingress_class *)object;
		if (strcmp(obj_str(class, class->is_default), "true") == 0 &&
			class_has_our_controller(options, class) &&
			(found == NULL || goes_before(object, found))) {
			found = object;
		}
	}
	return (const struct ingress_class *)found;
}

const char *class_name_of(const struct model_options *options, const struct ingress *ingress)
{
	if (obj_has(ingress->class_name)) {
		return obj_str(ingress, ingress->class_name);
	}
	if (options->has_legacy_class && obj_has(ingress->legacy_class)) {
		return obj_str(ingress, ingress->legacy_class);
	}
	return NULL;
}

bool class_is_ours(const struct model_options *options, const struct store *store,
	const struct ingress *ingress)
{
	const char *name = class_name_of(options, ingress);
	const struct ingress_class *class = class_of(options, store, ingress);

	if (class == NULL) {
		return name != NULL && options->ingress_class != NULL && is_chosen(options, name);
	}
	return class_has_our_controller(options, class);
}

const struct ingress_class *class_of(const struct model_options *options, const struct store *store,
	const struct ingress *ingress)
{
	const char *name = class_name_of(options, ingress);

	return name != NULL ? store_ingress_class(store, name) : find_default(options, store);
}
