/* See parameters.h. */
#include "model/parameters.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/class.h"
#include "model/sets.h"
#include "option/read.h"

/* A class while its parameters are read. */
struct reader {
	const struct model_options *options;
	const struct ingress_class *class;
	parameters_fault_fn fault;
	void *ctx;
};

/* Takes `text`. */
static void report(const struct reader *reader, const char *field, char *text)
{
	if (reader->fault != NULL) {
		reader->fault(reader->ctx, reader->class, field, text);
	}
	free(text);
}

static bool has_parameters(const struct ingress_class *class)
{
	const struct class_parameters *parameters = &class->parameters;

	return obj_has(parameters->kind) || obj_has(parameters->name);
}

static bool is_config_map(const struct reader *reader)
{
	const struct class_parameters *parameters = &reader->class->parameters;
	const char *group = obj_str(reader->class, parameters->api_group);
	const char *kind = obj_str(reader->class, parameters->kind);

	if (group[0] != '\0') {
		report(reader, "spec.parameters.apiGroup",
			xasprintf("is '%s': only ConfigMaps are read, leave it out", group));
		return false;
	}
	if (strcmp(kind, "ConfigMap") != 0) {
		report(reader, "spec.parameters.kind",
			xasprintf("is '%s': only ConfigMaps are read, write 'ConfigMap'", kind));
		return false;
	}
	return true;
}

static bool is_in_own_namespace(const struct reader *reader)
{
	const struct ingress_class *class = reader->class;
	const char *own = reader->options->parameters_namespace;
	const char *namespace = obj_str(class, class->parameters.namespace);
	bool is_cluster = strcmp(obj_str(class, class->parameters.scope), "Namespace") != 0;

	if (own == NULL) {
		report(reader, "spec.parameters",
			xstrdup("can't be read, as the controller's own namespace is not known: "
				"set POD_NAMESPACE in its environment, or use --configmap"));
		return false;
	}
	if (!is_cluster && strcmp(namespace, own) != 0) {
		report(reader, "spec.parameters.namespace",
			xasprintf("is '%s', and ConfigMaps are read in the controller's own "
				  "namespace only: move it to '%s'",
				namespace, own));
		return false;
	}
	return true;
}

/* What a key of the ConfigMap says can't be used. */
struct key_reader {
	const struct reader *reader;
	const struct config_map *map;
};

static void on_report(void *ctx, const struct option_report *found)
{
	const struct key_reader *key = ctx;

	if (found->verdict == OPTION_REFUSED) {
		CLEANUP(free_ptr) char *field = xasprintf("data[%s]", found->key);
		report(key->reader, field,
			xasprintf("%s (in ConfigMap %s/%s)", found->reason,
				object_namespace(&key->map->head), object_name(&key->map->head)));
	}
}

struct option_set *parameters_read(const struct model_options *options, const struct store *store,
	const struct ingress_class *class, parameters_fault_fn fault, void *ctx)
{
	const struct reader reader = {options, class, fault, ctx};

	if (class == NULL || !has_parameters(class) || !is_config_map(&reader) ||
		!is_in_own_namespace(&reader)) {
		return NULL;
	}
	const char *name = obj_str(class, class->parameters.name);
	const struct config_map *map = (const struct config_map *)store_find(
		store, KUBE_CONFIG_MAP, options->parameters_namespace, name);
	if (map == NULL) {
		report(&reader, "spec.parameters.name",
			xasprintf("there is no ConfigMap %s/%s: create it; until then the options "
				  "of this class are the controller's",
				options->parameters_namespace, name));
		return NULL;
	}
	struct key_reader keys = {&reader, map};
	return sets_read(OPTION_SCOPE_CLASS, map, map->data, on_report, &keys);
}

bool parameters_refer_to(const struct model_options *options, const struct store *store,
	const char *namespace, const char *name)
{
	const struct object *object;
	uint32_t position = 0;

	if (options->parameters_namespace == NULL ||
		strcmp(options->parameters_namespace, namespace) != 0) {
		return false;
	}
	while ((object = store_next(store, KUBE_INGRESS_CLASS, &position)) != NULL) {
		const struct reader reader = {
			.options = options, .class = (const struct ingress_class *)object};
		if (class_has_our_controller(options, reader.class) &&
			strcmp(obj_str(reader.class, reader.class->parameters.name), name) == 0 &&
			is_config_map(&reader) && is_in_own_namespace(&reader)) {
			return true;
		}
	}
	return false;
}
