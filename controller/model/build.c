/*
 * The model follows the store: each touched key is looked up and what hangs on it is made anew. See
 * model_priv.h for what hangs on what.
 */
#include "model/model_priv.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/class.h"
#include "model/route.h"
#include "store/store.h"

/* An Ingress while its rules are read. */
struct reader {
	struct model *model;
	const struct store *store;
	const struct ingress *ingress;
	struct ingress_node *node;
	struct tls_hosts tls;
	size_t n_paths; /* that have been read */
	bool redirects; /* the rule that is being read has TLS */
	/* What a request for / of that rule meets; NULL = nothing. */
	const struct claim *root;
};

static bool service_has_key(const void *item, const void *key_ptr)
{
	const struct service_node *node = item;
	const struct ingress_key *key = key_ptr;

	return strcmp(node->name, key->name) == 0 && strcmp(node->namespace, key->namespace) == 0;
}

static bool ingress_has_key(const void *item, const void *key_ptr)
{
	const struct ingress_node *node = item;
	const struct ingress_key *key = key_ptr;

	return strcmp(node->name, key->name) == 0 && strcmp(node->namespace, key->namespace) == 0;
}

static struct service_node *service_find(
	const struct model *model, const char *namespace, const char *name)
{
	struct ingress_key key = {(char *)namespace, (char *)name};

	return table_find(
		&model->services, model_hash_pair(namespace, name), &key, service_has_key);
}

struct ingress_node *model_find_ingress(
	const struct model *model, const char *namespace, const char *name)
{
	struct ingress_key key = {(char *)namespace, (char *)name};

	return table_find(
		&model->ingresses, model_hash_pair(namespace, name), &key, ingress_has_key);
}

struct service_node *service_take(
	struct model *model, const struct store *store, const char *namespace, const char *name)
{
	struct service_node *node = service_find(model, namespace, name);

	if (node == NULL) {
		node = xcalloc(1, sizeof(*node));
		node->namespace = xstrpair(namespace, name, &node->name);
		node->is_unwatched = !model_watches(model, namespace);
		table_insert(&model->services, model_hash_pair(namespace, name), node);
		sets_read_service(model, store, node);
	}
	return node;
}

static void service_add_claim(
	struct model *model, const struct store *store, struct claim *claim, const char *name)
{
	struct service_node *node = service_take(model, store, claim->ingress->namespace, name);

	claim->service = node;
	claim->next_of_service = node->claims;
	if (node->claims != NULL) {
		node->claims->prev_of_service = claim;
	}
	node->claims = claim;
}

void service_release(struct model *model, struct service_node *node)
{
	struct ingress_key key = {node->namespace, node->name};

	if (node->claims == NULL && node->followers == NULL) {
		table_remove(&model->services, model_hash_pair(node->namespace, node->name), &key,
			service_has_key);
		assert(node->backends == NULL);
		sets_forget_verdicts(model, node->n_verdicts);
		option_set_free(node->options);
		model_free_diags(node->faults, node->n_faults);
		free(node->namespace);
		free(node);
	}
}

void claim_enter(struct model *model, const struct store *store, struct claim *claim,
	const char *service, enum model_map map, const char *key)
{
	service_add_claim(model, store, claim, service);
	slot_enter(model, store, claim, map, key);
}

static void service_drop_claim(struct model *model, struct claim *claim)
{
	struct service_node *node = claim->service;

	if (claim->prev_of_service != NULL) {
		claim->prev_of_service->next_of_service = claim->next_of_service;
	} else {
		node->claims = claim->next_of_service;
	}
	if (claim->next_of_service != NULL) {
		claim->next_of_service->prev_of_service = claim->prev_of_service;
	}
	service_release(model, node);
}

/* "spec.rules[1].http.paths[0].backend", or "spec.defaultBackend". */
static char *backend_field(uint32_t rule, uint32_t path)
{
	if (rule == CLAIM_DEFAULT_RULE) {
		return xstrdup("spec.defaultBackend");
	}
	return xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "].backend", rule, path);
}

void model_add_fault(struct ingress_node *node, enum diag_reason reason, char *field, char *text)
{
	node->faults = xreallocarray(node->faults, node->n_faults + 1, sizeof(*node->faults));
	node->faults[node->n_faults++] = (struct diag){reason, field, text};
}

/* Does the backend name a Service and a port? Whether they exist is decided later, again and again.
 */
static bool check_backend(
	struct reader *reader, const struct ingress_backend *backend, uint32_t rule, uint32_t path)
{
	const struct ingress *ingress = reader->ingress;

	if (obj_has(backend->resource_kind)) {
		model_add_fault(reader->node, DIAG_RESOURCE_BACKEND, backend_field(rule, path),
			xasprintf("refers to a resource of kind '%s': name a Service instead",
				obj_str(ingress, backend->resource_kind)));
		return false;
	}
	bool has_port = backend->port_number != 0 || obj_has(backend->port_name);
	if (!obj_has(backend->service) || !has_port) {
		model_add_fault(reader->node, DIAG_BACKEND_INVALID, backend_field(rule, path),
			xstrdup("has no service.name or no service.port: name both"));
		return false;
	}
	/* Both become part of a name in HAProxy. The API server lets nothing else through,
	 * manifests come as they are. */
	if (!route_is_label(obj_str(ingress, backend->service)) ||
		!route_is_label(object_namespace(&ingress->head))) {
		model_add_fault(reader->node, DIAG_BACKEND_INVALID, backend_field(rule, path),
			xstrdup("has a service.name or a namespace that Kubernetes does not allow: "
				"use up to 63 lower-case letters, digits and inner '-'"));
		return false;
	}
	return true;
}

/* The Ingress decides, or its class, where they say something, else --no-ssl-redirect. */
static bool wants_redirect(const struct reader *reader)
{
	const struct option_set *const sets[] = {
		reader->node->options, reader->node->class->options};
	const char *value = option_first(OPTION_SSL_REDIRECT, sets, ARRAY_LEN(sets));

	return value != NULL ? strcmp(value, "true") == 0 : reader->model->options.has_ssl_redirect;
}

/* Fills the next claim of the node and enters it. */
static void add_claim(struct reader *reader, struct claim claim,
	const struct ingress_backend *backend, enum model_map map, const char *key)
{
	struct ingress_node *node = reader->node;
	struct claim *place = &node->claims[node->n_claims++];

	*place = claim;
	place->ingress = node;
	place->redirects = reader->redirects && wants_redirect(reader);
	place->port_number = backend->port_number;
	if (backend->port_number == 0) {
		place->port_name = xstrdup(obj_str(reader->ingress, backend->port_name));
	}
	claim_enter(reader->model, reader->store, place, obj_str(reader->ingress, backend->service),
		map, key);
	if (passthrough_is_root(place) &&
		(reader->root == NULL ||
			(!place->is_fallback && reader->root->slot->map == MODEL_MAP_EXACT))) {
		reader->root = place;
	}
}

/* What is beyond a limit is left out, and told of once. Takes `field`. */
static void leave_out(struct reader *reader, char *field, const char *what, int max)
{
	model_add_fault(reader->node, DIAG_TOO_MANY, field,
		xasprintf(
			"an Ingress may have %d %s: this one, and what is behind it, is left out; "
			"spread them over several Ingresses",
			max, what));
}

static void read_path(struct reader *reader, const char *host, uint32_t rule, uint32_t index)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_rule *rules = obj_items(ingress, ingress->rules);
	const struct ingress_path *path =
		(const struct ingress_path *)obj_items(ingress, rules[rule].paths) + index;
	struct buf key = BUF_INIT(0);
	enum model_map map;

	if (path->type == INGRESS_PATH_UNKNOWN) {
		model_add_fault(reader->node, DIAG_PATH_TYPE_INVALID,
			xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "].pathType", rule,
				index),
			xstrdup("is missing or unknown: use Exact, Prefix or "
				"ImplementationSpecific"));
		return;
	}
	buf_append_str(&key, host);
	const char *fault = route_add_path(
		&key, obj_str(ingress, path->path), (enum ingress_path_type)path->type, &map);
	if (fault != NULL) {
		model_add_fault(reader->node, DIAG_PATH_INVALID,
			xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "].path", rule,
				index),
			xstrdup(fault));
	} else if (check_backend(reader, &path->backend, rule, index)) {
		add_claim(reader, (struct claim){.rule = rule, .path = index}, &path->backend, map,
			buf_str(&key));
	}
	buf_fini(&key);
}

/* spec.defaultBackend answers for the hosts of the rules where no path fits. */
static void read_fallback(struct reader *reader, const char *host, uint32_t rule)
{
	struct buf key = BUF_INIT(0);

	buf_printf(&key, "%s/", host);
	add_claim(reader,
		(struct claim){.rule = CLAIM_DEFAULT_RULE, .path = rule, .is_fallback = true},
		&reader->ingress->default_backend, MODEL_MAP_PREFIX, buf_str(&key));
	buf_fini(&key);
}

static void read_rule(struct reader *reader, uint32_t index, bool has_default)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_rule *rules = obj_items(ingress, ingress->rules);
	const struct ingress_rule *rule = &rules[index];
	size_t n_before = reader->node->n_claims;
	struct buf host = BUF_INIT(0);
	const char *fault = route_add_host(&host, obj_str(ingress, rule->host));

	if (fault != NULL) {
		model_add_fault(reader->node, DIAG_HOST_INVALID,
			xasprintf("spec.rules[%" PRIu32 "].host", index), xstrdup(fault));
		buf_fini(&host);
		return;
	}
	reader->redirects = tls_hosts_have(&reader->tls, buf_str(&host));
	reader->root = NULL;
	for (uint32_t i = 0; i < rule->paths.n && reader->n_paths <= ROUTE_MAX_PATHS; i++) {
		if (reader->n_paths++ < ROUTE_MAX_PATHS) {
			read_path(reader, buf_str(&host), index, i);
		} else {
			leave_out(reader,
				xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "]", index,
					i),
				"paths", ROUTE_MAX_PATHS);
		}
	}
	if (has_default) {
		read_fallback(reader, buf_str(&host), index);
	}
	if (reader->node->n_claims > n_before) {
		passthrough_enter(reader->model, reader->store, reader->node, reader->root, index);
	}
	buf_fini(&host);
}

/* At most: one a path, one a rule for the default backend, and one for passthrough.h. */
static size_t count_claims(const struct reader *reader, bool has_default)
{
	const struct ingress *ingress = reader->ingress;
	bool has_passthrough = reader->model->options.has_passthrough;
	const struct ingress_rule *rules = obj_items(ingress, ingress->rules);
	size_t n = has_default ? 1 : 0;

	for (uint32_t i = 0; i < ingress->rules.n; i++) {
		n += rules[i].paths.n + (has_default ? 1 : 0) + (has_passthrough ? 1 : 0);
	}
	return n;
}

static void read_ingress(struct reader *reader)
{
	const struct ingress *ingress = reader->ingress;
	const struct ingress_backend *backend = &ingress->default_backend;
	bool has_default = obj_has(backend->service) || obj_has(backend->resource_kind);

	has_default = has_default && check_backend(reader, backend, CLAIM_DEFAULT_RULE, 0);
	reader->node->claims =
		xcalloc(count_claims(reader, has_default), sizeof(*reader->node->claims));
	tls_hosts_init(&reader->tls, ingress);
	for (uint32_t i = 0; i < ingress->rules.n && i < ROUTE_MAX_RULES; i++) {
		read_rule(reader, i, has_default);
	}
	if (ingress->rules.n > ROUTE_MAX_RULES) {
		leave_out(reader, xasprintf("spec.rules[%d]", ROUTE_MAX_RULES), "rules",
			ROUTE_MAX_RULES);
	}
	reader->redirects = false;
	tls_hosts_fini(&reader->tls);
	tls_read(reader->model, reader->store, ingress, reader->node);
	if (ingress->rules.n == 0 && has_default) {
		add_claim(reader, (struct claim){.rule = CLAIM_DEFAULT_RULE, .is_fallback = true},
			backend, MODEL_MAP_DEFAULTS, ROUTE_ANY_HOST);
	}
}

static struct ingress_node *node_new(const char *namespace, const char *name)
{
	struct ingress_node *node = xcalloc(1, sizeof(*node));

	node->namespace = xstrpair(namespace, name, &node->name);
	return node;
}

void ingress_drop_claims(struct model *model, const struct store *store, struct ingress_node *node)
{
	for (size_t i = 0; i < node->n_claims; i++) {
		struct claim *claim = &node->claims[i];
		slot_leave(model, store, claim);
		service_drop_claim(model, claim);
		free(claim->port_name);
	}
	free(node->claims);
	node->claims = NULL;
	node->n_claims = 0;
	for (size_t i = 0; i < node->n_tls_claims; i++) {
		tls_leave(model, &node->tls_claims[i]);
	}
	free(node->tls_claims);
	node->tls_claims = NULL;
	node->n_tls_claims = 0;
	model_free_diags(node->faults, node->n_faults);
	node->faults = NULL;
	node->n_faults = 0;
	sets_forget_verdicts(model, node->n_verdicts);
	option_set_free(node->options);
	node->options = NULL;
}

static void node_free(struct ingress_node *node)
{
	free(node->namespace);
	free(node);
}

static void drop_ingress(struct model *model, const struct store *store, struct ingress_node *node)
{
	struct ingress_key key = {node->namespace, node->name};

	ingress_drop_claims(model, store, node);
	table_remove(
		&model->ingresses, model_hash_pair(key.namespace, key.name), &key, ingress_has_key);
	node_free(node);
}

/*
 * The old claims go after the new ones have come: what both ask for stays as it is, and nothing is
 * torn down only to be built again.
 */
static void update_ingress(
	struct model *model, const struct store *store, const char *namespace, const char *name)
{
	struct ingress_node *node = model_find_ingress(model, namespace, name);
	const struct ingress *ingress = store_ingress(store, namespace, name);

	model_touch_ingress(model, namespace, name);
	if (ingress == NULL || !class_is_ours(&model->options, store, ingress)) {
		if (node != NULL && ingress != NULL) {
			model_note_let_go(model, namespace, name);
		}
		if (node != NULL) {
			drop_ingress(model, store, node);
		}
		return;
	}
	struct ingress_node old = {0};
	if (node == NULL) {
		node = node_new(namespace, name);
		table_insert(&model->ingresses, model_hash_pair(namespace, name), node);
	} else {
		old = *node;
		*node = (struct ingress_node){.namespace = old.namespace, .name = old.name};
	}
	node->created_seconds = ingress->head.created_seconds;
	sets_read_ingress(model, store, ingress, node);
	passthrough_judge(model, node);
	for (size_t i = 0; i < old.n_claims; i++) {
		old.claims[i].ingress = &old;
	}
	for (size_t i = 0; i < old.n_tls_claims; i++) {
		old.tls_claims[i].ingress = &old;
	}
	read_ingress(
		&(struct reader){.model = model, .store = store, .ingress = ingress, .node = node});
	ingress_drop_claims(model, store, &old);
}

/* Would it be read otherwise now? `has_other_clients`: they are verified since, or no longer. */
static bool has_class_change(const struct model *model, const struct store *store,
	const struct ingress *ingress, bool has_other_clients)
{
	const struct ingress_node *node = model_find_ingress(
		model, object_namespace(&ingress->head), object_name(&ingress->head));
	bool is_ours = class_is_ours(&model->options, store, ingress);

	if (node == NULL || !is_ours) {
		return is_ours != (node != NULL);
	}
	return sets_is_changed(model, store, ingress, node) ||
	       (has_other_clients && passthrough_is_wanted(node));
}

/* Classes and their ConfigMaps are the operator's and change rarely: every Ingress is asked again.
 */
static void update_class(struct model *model, const struct store *store, bool has_other_clients)
{
	const struct object *object;
	uint32_t position = 0;

	sets_read_classes(model, store);
	while ((object = store_next(store, KUBE_INGRESS, &position)) != NULL) {
		if (has_class_change(
			    model, store, (const struct ingress *)object, has_other_clients)) {
			update_ingress(model, store, object_namespace(object), object_name(object));
		}
	}
	sets_forget_changes(model);
}

static void update_backends(
	struct model *model, const struct store *store, const struct service_node *node)
{
	for (struct backend_node *backend = node->backends; backend != NULL;
		backend = backend->next_of_service) {
		backend_refresh(model, store, backend);
	}
}

/* They say something else about their Service now. */
static void touch_ingresses_of(struct model *model, const struct service_node *node)
{
	for (const struct claim *claim = node->claims; claim; claim = claim->next_of_service) {
		model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
	}
}

static void update_service(
	struct model *model, const struct store *store, const struct store_change *change)
{
	struct service_node *node = service_find(model, change->namespace, change->name);

	if (node == NULL) {
		return;
	}
	if (change->kind == KUBE_SERVICE) {
		if (sets_read_service(model, store, node)) {
			touch_ingresses_of(model, node);
		}
		for (struct claim *claim = node->claims; claim; claim = claim->next_of_service) {
			if (claim->slot->claims == claim) {
				slot_decide(model, store, claim->slot);
			}
		}
		follower_touch_all(model, node);
	}
	update_backends(model, store, node);
}

/* `name` may be NULL: then it is not. */
static bool is_called(const struct store_change *change, const char *namespace, const char *name)
{
	return name != NULL && strcmp(name, change->name) == 0 &&
	       strcmp(namespace, change->namespace) == 0;
}

/* The controller's own ConfigMap stands behind those of all classes. */
static bool is_of_class(
	const struct model *model, const struct store *store, const struct store_change *change)
{
	const struct model_options *options = &model->options;

	return is_called(change, options->config_map_namespace, options->config_map_name) ||
	       parameters_refer_to(&model->options, store, change->namespace, change->name);
}

void model_update(
	struct model *model, const struct store *store, const struct store_changes *changes)
{
	const struct model_options *options = &model->options;
	bool must_ask_again = false;
	bool must_read_settings = !model->are_settings_read;
	bool must_read_patterns = must_read_settings;
	bool are_verified = model_verifies_clients(model);

	for (size_t i = 0; i < changes->n; i++) {
		const struct store_change *change = &changes->items[i];
		switch (change->kind) {
		case KUBE_INGRESS:
			update_ingress(model, store, change->namespace, change->name);
			break;
		case KUBE_INGRESS_CLASS:
			must_ask_again = true;
			break;
		case KUBE_CONFIG_MAP:
			must_ask_again |= is_of_class(model, store, change);
			must_read_settings |=
				is_called(change, options->pages_namespace, options->pages_name) ||
				is_called(change, options->tcp_namespace, options->tcp_name);
			must_read_patterns |= is_called(
				change, options->patterns_namespace, options->patterns_name);
			break;
		case KUBE_SERVICE:
		case KUBE_ENDPOINT_SLICE:
			update_service(model, store, change);
			break;
		case KUBE_SECRET:
			tls_update_secret(model, store, change->namespace, change->name);
			break;
		default:
			break;
		}
	}
	if (must_ask_again || must_read_settings) {
		sets_read_settings(model, store);
	}
	if (must_ask_again) {
		update_class(model, store, are_verified != model_verifies_clients(model));
	}
	if (must_read_patterns) {
		patterns_follow(model, store);
	}
	operator_follow(model, store);
	if (must_ask_again || must_read_settings) {
		tcp_follow(model, store, must_ask_again);
	}
	/* First: it may come to need a Secret. */
	policies_flush(model, store);
	tls_flush(model);
	monitors_judge(model);
}
