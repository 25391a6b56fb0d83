/* See check.h. Called by check_command.c. */
#include "check.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "kube/decode.h"
#include "model/diag.h"
#include "model/pages.h"
#include "model/patterns.h"
#include "model/sets.h"
#include "model/tcp_read.h"

/* The default of --controller-name. */
#define CONTROLLER "headgate.dev/ingress-controller"

const char *const check_verdict_names[CHECK_VERDICT_COUNT] = {
	[CHECK_APPLIED] = "applied", [CHECK_IGNORED] = "ignored", [CHECK_REFUSED] = "refused"};

static const enum check_verdict verdicts[] = {[OPTION_APPLIED] = CHECK_APPLIED,
	[OPTION_IGNORED] = CHECK_IGNORED,
	[OPTION_REFUSED] = CHECK_REFUSED};

struct checker {
	const struct store *store;
	const struct model_options *options;
	const struct model *model;
	struct check_result result;
	struct check_object *object; /* the one that is looked at: the last */
};

/* Takes the texts. */
static void add_item(struct checker *checker, char *field, enum check_verdict verdict, char *reason)
{
	struct check_object *object = checker->object;

	object->items = xreallocarray(object->items, object->n_items + 1, sizeof(*object->items));
	object->items[object->n_items++] = (struct check_item){field, reason, verdict};
	object->verdict = verdict > object->verdict ? verdict : object->verdict;
	checker->result.n_items[verdict]++;
}

static void on_report(void *ctx, const struct option_report *report)
{
	struct checker *checker = ctx;
	bool is_annotation = strcmp(checker->object->kind, "ConfigMap") != 0;

	add_item(checker,
		is_annotation ? xasprintf("metadata.annotations[%s]", report->key)
			      : xasprintf("data[%s]", report->key),
		verdicts[report->verdict], report->reason ? xstrdup(report->reason) : NULL);
}

static void on_key(void *ctx, const char *key, const char *reason)
{
	add_item(ctx, xasprintf("data[%s]", key), reason ? CHECK_REFUSED : CHECK_APPLIED,
		reason ? xstrdup(reason) : NULL);
}

static void begin_object(struct checker *checker, const struct object *object)
{
	struct check_result *result = &checker->result;

	result->objects =
		xreallocarray(result->objects, result->n_objects + 1, sizeof(*result->objects));
	checker->object = &result->objects[result->n_objects++];
	*checker->object = (struct check_object){.kind = kube_kinds[object->kind].name,
		.namespace = xstrdup(object_namespace(object)),
		.name = xstrdup(object_name(object))};
}

/* Could the annotation be read, though it can't be used? */
static bool is_readable(const struct checker *checker, const char *field)
{
	const struct check_object *object = checker->object;

	for (size_t i = 0; i < object->n_items; i++) {
		if (strcmp(object->items[i].field, field) == 0) {
			return object->items[i].verdict == CHECK_APPLIED;
		}
	}
	return false;
}

/* Annotations that can't be read have been told of already, those of Services at the Services. What
 * the objects lack may be in the cluster; a file of patterns may not, when its ConfigMap is here.
 */
static bool is_told(const struct checker *checker, const struct diag *diag)
{
	const struct model_options *options = checker->options;
	enum diag_reason reason = diag->reason;

	if (reason == DIAG_ANNOTATION_REFUSED) {
		return is_readable(checker, diag->field);
	}
	if (reason == DIAG_PATTERNS_MISSING) {
		return options->patterns_name != NULL &&
		       store_config_map(checker->store, options->patterns_namespace,
			       options->patterns_name) != NULL;
	}
	return diag_is_of_object[reason];
}

static void add_diags(struct checker *checker)
{
	size_t n;
	struct diag *diags = model_ingress_diags(
		checker->model, checker->object->namespace, checker->object->name, &n);

	for (size_t i = 0; i < n; i++) {
		if (is_told(checker, &diags[i])) {
			add_item(checker, xstrdup(diags[i].field), CHECK_REFUSED,
				xasprintf("%s: %s", diag_reason_names[diags[i].reason],
					diags[i].text));
		}
	}
	model_free_diags(diags, n);
}

static void check_ingress(struct checker *checker, const struct ingress *ingress)
{
	const struct model *model = checker->model;
	const char *class_name = model_class_name(model, ingress);

	begin_object(checker, &ingress->head);
	if (!model_is_ours(model, checker->object->namespace, checker->object->name)) {
		add_item(checker, xstrdup("spec.ingressClassName"), CHECK_IGNORED,
			xasprintf("is '%s', which is not the class that is asked for",
				class_name ? class_name : ""));
		return;
	}
	option_set_free(
		sets_read(OPTION_SCOPE_INGRESS, ingress, ingress->annotations, on_report, checker));
	add_diags(checker);
}

static bool is_named(const struct object *object, const char *namespace, const char *name)
{
	return name != NULL && strcmp(name, object_name(object)) == 0 &&
	       strcmp(namespace, object_namespace(object)) == 0;
}

static void check_config_map(struct checker *checker, const struct config_map *map)
{
	const struct model_options *options = checker->options;
	const struct object *object = &map->head;

	if (is_named(object, options->config_map_namespace, options->config_map_name)) {
		begin_object(checker, object);
		option_set_free(
			sets_read(OPTION_SCOPE_CONTROLLER, map, map->data, on_report, checker));
	}
	if (is_named(object, options->pages_namespace, options->pages_name)) {
		struct pages pages;
		begin_object(checker, object);
		pages_read(&pages, map, on_key, checker);
		pages_fini(&pages);
	}
	if (is_named(object, options->patterns_namespace, options->patterns_name)) {
		struct patterns patterns;
		begin_object(checker, object);
		patterns_read(&patterns, map, on_key, checker);
		patterns_fini(&patterns);
	}
	if (is_named(object, options->tcp_namespace, options->tcp_name)) {
		struct tcp_services services;
		begin_object(checker, object);
		tcp_services_read(&services, map, NULL, on_key, checker);
		tcp_services_fini(&services);
	}
}

static void check_one(struct checker *checker, const struct object *object)
{
	const struct service *service = (const struct service *)object;

	switch (object->kind) {
	case KUBE_INGRESS:
		check_ingress(checker, (const struct ingress *)object);
		break;
	case KUBE_SERVICE:
		begin_object(checker, object);
		option_set_free(sets_read(
			OPTION_SCOPE_SERVICE, service, service->annotations, on_report, checker));
		break;
	case KUBE_CONFIG_MAP:
		check_config_map(checker, (const struct config_map *)object);
		break;
	default:
		break;
	}
}

/* An IngressClass of ours with this name, in the place of whatever the files have. */
static void put_class(
	struct store *store, const char *name, const char *controller, bool is_default)
{
	struct json_object *json = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *annotations = json_object_new_object();
	struct json_object *spec = json_object_new_object();
	struct err err = {0};

	json_object_object_add(annotations, "ingressclass.kubernetes.io/is-default-class",
		json_object_new_string(is_default ? "true" : "false"));
	json_object_object_add(metadata, "name", json_object_new_string(name));
	json_object_object_add(metadata, "annotations", annotations);
	json_object_object_add(spec, "controller", json_object_new_string(controller));
	json_object_object_add(json, "metadata", metadata);
	json_object_object_add(json, "spec", spec);
	struct object *object = object_decode(KUBE_INGRESS_CLASS, json, NULL, &err);
	/* A name that no object can have is no class: its Ingresses are not ours. */
	if (object != NULL) {
		store_put(store, object);
	}
	json_object_put(json);
}

#define DEFAULT_CLASS "default"

static void put_classes(struct store *store, const struct model_options *options)
{
	const struct object *object;
	uint32_t position = 0;

	put_class(store, DEFAULT_CLASS, options->controller_name, true);
	while ((object = store_next(store, KUBE_INGRESS, &position)) != NULL) {
		const struct ingress *ingress = (const struct ingress *)object;
		const char *name = obj_str(ingress, ingress->class_name);
		if (*name != '\0' && strcmp(name, DEFAULT_CLASS) != 0) {
			put_class(store, name, options->controller_name, false);
		}
		name = obj_str(ingress, ingress->legacy_class);
		if (*name != '\0' && strcmp(name, DEFAULT_CLASS) != 0) {
			put_class(store, name, options->controller_name, false);
		}
	}
}

static int compare_objects(const void *a, const void *b)
{
	const struct check_object *left = a;
	const struct check_object *right = b;
	int order = strcmp(left->kind, right->kind);

	if (order == 0) {
		order = strcmp(left->namespace, right->namespace);
	}
	return order != 0 ? order : strcmp(left->name, right->name);
}

struct model_options check_model_options(void)
{
	return (struct model_options){.controller_name = CONTROLLER,
		.has_ssl_redirect = true,
		.can_use_loopback = true,
		.can_use_external = true};
}

struct model *check_build_model(struct store *store, const struct model_options *options)
{
	put_classes(store, options);
	struct model *model = model_new(options);
	struct store_changes changes = store_all_keys(store);
	model_update(model, store, &changes);
	store_changes_fini(&changes);
	return model;
}

struct check_result check_objects(struct store *store, const struct model_options *options)
{
	static const enum kube_kind kinds[] = {KUBE_INGRESS, KUBE_SERVICE, KUBE_CONFIG_MAP};
	struct model *model = check_build_model(store, options);
	struct checker checker = {.store = store, .options = options, .model = model};
	const struct object *object;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		uint32_t position = 0;
		while ((object = store_next(store, kinds[i], &position)) != NULL) {
			check_one(&checker, object);
		}
	}
	model_free(model);
	if (checker.result.n_objects > 0) {
		qsort(checker.result.objects, checker.result.n_objects,
			sizeof(*checker.result.objects), compare_objects);
	}
	return checker.result;
}

void check_fini(struct check_result *result)
{
	for (size_t i = 0; i < result->n_objects; i++) {
		struct check_object *object = &result->objects[i];
		for (size_t j = 0; j < object->n_items; j++) {
			free(object->items[j].field);
			free(object->items[j].reason);
		}
		free(object->items);
		free(object->namespace);
		free(object->name);
	}
	free(result->objects);
	*result = (struct check_result){0};
}
