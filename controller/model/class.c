/* See class.h. */
#include "model/class.h"

#include <string.h>

static bool is_chosen(const struct model_options *options, const char *name)
{
	return options->ingress_class == NULL || strcmp(options->ingress_class, name) == 0;
}

static bool has_our_controller(
	const struct model_options *options, const struct ingress_class *class)
{
	return strcmp(obj_str(class, class->controller), options->controller_name) == 0 &&
	       is_chosen(options, object_name(&class->head));
}

static bool default_is_ours(const struct model_options *options, const struct store *store)
{
	const struct object *object;
	uint32_t position = 0;

	while ((object = store_next(store, KUBE_INGRESS_CLASS, &position)) != NULL) {
		const struct ingress_class *class = (const struct ingress_class *)object;
		if (strcmp(obj_str(class, class->is_default), "true") == 0 &&
			has_our_controller(options, class)) {
			return true;
		}
	}
	return false;
}

/* NULL = it names none. Borrowed from the Ingress. */
static const char *named_class(const struct model_options *options, const struct ingress *ingress)
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
	const char *name = named_class(options, ingress);

	if (name == NULL) {
		return default_is_ours(options, store);
	}
	const struct ingress_class *class = store_ingress_class(store, name);
	if (class == NULL) {
		return options->ingress_class != NULL && is_chosen(options, name);
	}
	return has_our_controller(options, class);
}
