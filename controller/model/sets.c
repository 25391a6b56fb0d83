/* See sets.h. Called by build.c and parameters.c. */
#include "model/sets.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/class.h"
#include "model/model_priv.h"

struct option_set *sets_read(enum option_scope scope, const void *object, struct obj_list list,
	option_report_fn report, void *ctx)
{
	const struct obj_pair *items = obj_items(object, list);

	if (list.n == 0) {
		return NULL;
	}
	CLEANUP(free_ptr) struct option_pair *pairs = xcalloc(list.n, sizeof(*pairs));
	for (uint32_t i = 0; i < list.n; i++) {
		pairs[i] = (struct option_pair){obj_str(object, items[i].key),
			obj_has(items[i].value) ? obj_str(object, items[i].value) : NULL};
	}
	const struct option_source source = {scope, object_namespace(object)};
	return option_read(&source, pairs, list.n, report, ctx);
}

static void add_ingress_fault(void *ctx, const struct option_report *found)
{
	struct ingress_node *node = ctx;

	node->n_verdicts[found->verdict]++;
	if (found->verdict == OPTION_REFUSED) {
		model_add_fault(node, DIAG_ANNOTATION_REFUSED,
			xasprintf("metadata.annotations[%s]", found->key), xstrdup(found->reason));
	}
}

/* A list of annotations is bounded by the size of an object, far below what a node can count. */
static void count_verdicts(struct model *model, const uint16_t n_verdicts[OPTION_VERDICT_COUNT])
{
	for (int i = 0; i < OPTION_VERDICT_COUNT; i++) {
		model->n_verdicts[i] += n_verdicts[i];
	}
}

void sets_forget_verdicts(struct model *model, uint16_t n_verdicts[OPTION_VERDICT_COUNT])
{
	for (int i = 0; i < OPTION_VERDICT_COUNT; i++) {
		model->n_verdicts[i] -= n_verdicts[i];
		n_verdicts[i] = 0;
	}
}

/* ---- classes ---- */

static bool class_has_name(const void *item, const void *name)
{
	return strcmp(((const struct class_node *)item)->name, name) == 0;
}

/* NULL = there is none, or it says nothing. */
static struct option_set *read_controller(const struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	const struct config_map *map =
		options->config_map_name ? store_config_map(store, options->config_map_namespace,
						   options->config_map_name)
					 : NULL;

	return map ? sets_read(OPTION_SCOPE_CONTROLLER, map, map->data, NULL, NULL) : NULL;
}

void sets_read_settings(struct model *model, const struct store *store)
{
	struct option_set *set = store ? read_controller(model, store) : NULL;
	struct buf settings = BUF_INIT(0);
	const char *files[GLOBALS_FILE_COUNT] = {0};

	client_ca_follow(model, store, set ? set->values[OPTION_CLIENT_CA] : NULL);
	monitors_follow(
		model, store, set ? set->values[OPTION_PROMETHEUS_ENDPOINT_AUTH_SECRET] : NULL);
	files[GLOBALS_FILE_CLIENT_CA] = model->client_ca.name;
	pages_follow(model, store);
	for (size_t i = 0; i < PAGE_COUNT; i++) {
		files[GLOBALS_FILE_PAGE_200 + i] = model->pages.items[i].name;
	}
	tcp_read(model, store);
	model->are_settings_read = store != NULL;
	globals_write(&settings, set, files, &model->tcp.services, model->options.has_passthrough);
	option_set_free(model->own_options);
	model->own_options = set;
	free(model->settings);
	model->settings = buf_take(&settings);
	globals_digest(model->settings_digest, model->settings);
}

/* Whether the log names Ingresses: for that, each has a policy. */
static bool is_about_ingresses(const struct option_set *set, int option)
{
	return option == OPTION_LOG_FORMAT && sets_log_names_ingresses(set);
}

/* What it says about the whole of HAProxy is no class's, whose Ingresses need not hear of it. */
static void drop_settings(struct option_set *set)
{
	for (int i = 0; set != NULL && i < OPTION_COUNT; i++) {
		if ((option_table[i].scopes & OPTION_SCOPE_CLASS) == 0 &&
			!is_about_ingresses(set, i)) {
			free(set->values[i]);
			set->values[i] = NULL;
		}
	}
}

/* The ConfigMap of the class goes before the controller's. */
static struct option_set *read_class(
	const struct model *model, const struct store *store, const struct ingress_class *class)
{
	struct option_set *near = parameters_read(&model->options, store, class, NULL, NULL);
	struct option_set *far = read_controller(model, store);

	drop_settings(far);
	struct option_set *merged = option_set_merge(near, far);
	option_set_free(near);
	option_set_free(far);
	return merged;
}

/* Classes are few and stay: what once was a class may be one again. */
static struct class_node *take_class(
	struct model *model, const struct store *store, const struct ingress_class *class)
{
	const char *name = class ? object_name(&class->head) : "";
	uint32_t hash = hash_str(name);
	struct class_node *node = table_find(&model->classes, hash, name, class_has_name);

	if (node == NULL) {
		node = xcalloc(1, sizeof(*node) + strlen(name) + 1);
		memcpy(node->name, name, strlen(name) + 1);
		node->options = read_class(model, store, class);
		table_insert(&model->classes, hash, node);
	}
	return node;
}

struct class_node *sets_take_own_class(struct model *model, const struct store *store)
{
	return take_class(model, store, NULL);
}

void sets_read_classes(struct model *model, const struct store *store)
{
	struct class_node *node;

	TABLE_FOREACH (&model->classes, node) {
		struct option_set *now =
			read_class(model, store, store_ingress_class(store, node->name));
		node->is_changed = !option_set_equals(now, node->options);
		option_set_free(node->options);
		node->options = now;
	}
}

bool sets_is_changed(const struct model *model, const struct store *store,
	const struct ingress *ingress, const struct ingress_node *node)
{
	const struct ingress_class *class = class_of(&model->options, store, ingress);

	return node->class->is_changed ||
	       strcmp(node->class->name, class ? object_name(&class->head) : "") != 0;
}

void sets_forget_changes(struct model *model)
{
	struct class_node *node;

	TABLE_FOREACH (&model->classes, node) {
		node->is_changed = false;
	}
}

/* ---- objects ---- */

void sets_read_ingress(struct model *model, const struct store *store,
	const struct ingress *ingress, struct ingress_node *node)
{
	node->class = take_class(model, store, class_of(&model->options, store, ingress));
	node->options = sets_read(
		OPTION_SCOPE_INGRESS, ingress, ingress->annotations, add_ingress_fault, node);
	count_verdicts(model, node->n_verdicts);
}

static void add_service_fault(void *ctx, const struct option_report *found)
{
	struct service_node *node = ctx;

	node->n_verdicts[found->verdict]++;
	if (found->verdict == OPTION_REFUSED) {
		node->faults =
			xreallocarray(node->faults, node->n_faults + 1, sizeof(*node->faults));
		node->faults[node->n_faults++] = (struct diag){DIAG_ANNOTATION_REFUSED,
			xasprintf("Service %s/%s metadata.annotations[%s]", node->namespace,
				node->name, found->key),
			xstrdup(found->reason)};
	}
}

static bool same_faults(const struct service_node *node, const struct diag *old, size_t n_old)
{
	bool are_same = node->n_faults == n_old;

	for (size_t i = 0; are_same && i < n_old; i++) {
		are_same = strcmp(node->faults[i].field, old[i].field) == 0 &&
			   strcmp(node->faults[i].text, old[i].text) == 0;
	}
	return are_same;
}

bool sets_read_service(struct model *model, const struct store *store, struct service_node *node)
{
	const struct service *service = store_service(store, node->namespace, node->name);
	struct option_set *old = node->options;
	struct diag *old_faults = node->faults;
	size_t n_old_faults = node->n_faults;

	node->options = NULL;
	node->faults = NULL;
	node->n_faults = 0;
	sets_forget_verdicts(model, node->n_verdicts);
	if (service != NULL) {
		node->options = sets_read(OPTION_SCOPE_SERVICE, service, service->annotations,
			add_service_fault, node);
		count_verdicts(model, node->n_verdicts);
	}
	bool is_changed = !option_set_equals(old, node->options) ||
			  !same_faults(node, old_faults, n_old_faults);
	option_set_free(old);
	model_free_diags(old_faults, n_old_faults);
	return is_changed;
}

/* ---- answers ---- */

const char *sets_option(const struct claim *claim, enum option_id option)
{
	const struct ingress_node *ingress = claim->ingress;
	const struct option_set *const sets[] = {claim->service->options, ingress->options,
		ingress->class ? ingress->class->options : NULL};

	return option_first(option, sets, ARRAY_LEN(sets));
}

bool sets_log_names_ingresses(const struct option_set *set)
{
	const char *format = set ? set->values[OPTION_LOG_FORMAT] : NULL;

	return format != NULL && strcmp(format, "json") == 0;
}

bool sets_is_closed(const struct ingress_node *ingress)
{
	const struct option_set *own = ingress->options;
	const struct class_node *class = ingress->class;

	return (own != NULL && own->is_closed) ||
	       (class != NULL && class->options != NULL && class->options->is_closed);
}

void sets_free(struct model *model)
{
	struct class_node *node;

	TABLE_FOREACH (&model->classes, node) {
		option_set_free(node->options);
		free(node);
	}
	table_fini(&model->classes);
}
