/* See model.h: what readers of the model see. How it is kept up to date is in build.c and slot.c.
 */
#include "model/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/class.h"
#include "model/model_priv.h"

const char *const model_map_files[MODEL_MAP_COUNT] = {
#define MAP(id, file, key, value) file,
#include "model/maps.def"
};

/* Maps in texts of the delta: one character each. */
#define FIRST_MAP '0'

static bool text_equals(const void *item, const void *key)
{
	return strcmp(item, key) == 0;
}

static bool backend_has_name(const void *item, const void *name)
{
	return strcmp(((const struct backend_node *)item)->public.name, name) == 0;
}

static bool slot_has_key(const void *item, const void *key)
{
	return strcmp(((const struct slot *)item)->key, key) == 0;
}

static bool host_has_key(const void *item, const void *key)
{
	return strcmp(((const struct host_node *)item)->key, key) == 0;
}

static bool ingress_key_equals(const void *item, const void *key_ptr)
{
	const struct ingress_key *a = item;
	const struct ingress_key *b = key_ptr;

	return strcmp(a->name, b->name) == 0 && strcmp(a->namespace, b->namespace) == 0;
}

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

static const char *const *copy_texts(const char *const *texts, size_t n)
{
	const char **copies = n > 0 ? xcalloc(n, sizeof(*copies)) : NULL;

	for (size_t i = 0; i < n; i++) {
		copies[i] = xstrdup(texts[i]);
	}
	return copies;
}

struct model *model_new(const struct model_options *options)
{
	struct model *model = xcalloc(1, sizeof(*model));

	model->options = (struct model_options){
		.ingress_class = copy_or_null(options->ingress_class),
		.controller_name = copy_or_null(options->controller_name),
		.parameters_namespace = copy_or_null(options->parameters_namespace),
		.config_map_namespace = copy_or_null(options->config_map_namespace),
		.config_map_name = copy_or_null(options->config_map_name),
		.pages_namespace = copy_or_null(options->pages_namespace),
		.pages_name = copy_or_null(options->pages_name),
		.patterns_namespace = copy_or_null(options->patterns_namespace),
		.patterns_name = copy_or_null(options->patterns_name),
		.tcp_namespace = copy_or_null(options->tcp_namespace),
		.tcp_name = copy_or_null(options->tcp_name),
		.listeners = copy_or_null(options->listeners),
		.has_legacy_class = options->has_legacy_class,
		.default_namespace = copy_or_null(options->default_namespace),
		.default_service = copy_or_null(options->default_service),
		.default_port = copy_or_null(options->default_port),
		.certificate_namespace = copy_or_null(options->certificate_namespace),
		.certificate_secret = copy_or_null(options->certificate_secret),
		.has_ssl_redirect = options->has_ssl_redirect,
		.has_passthrough = options->has_passthrough,
		.can_use_loopback = options->can_use_loopback,
		.can_use_external = options->can_use_external,
		.watched_namespaces =
			copy_texts(options->watched_namespaces, options->n_watched_namespaces),
		.n_watched_namespaces = options->n_watched_namespaces,
	};
	sets_read_settings(model, NULL);
	return model;
}

const char *model_settings(const struct model *model)
{
	return model->settings;
}

const char *model_settings_digest(const struct model *model)
{
	return model->settings_digest;
}

size_t model_settings_files(const struct model *model, struct model_file ret_files[MODEL_MAX_FILES])
{
	size_t n = 0;

	static_assert(PAGE_COUNT + 1 <= MODEL_MAX_FILES, "all have room");
	if (model->client_ca.name != NULL) {
		ret_files[n++] = (struct model_file){model->client_ca.name, model->client_ca.pem};
	}
	for (size_t i = 0; i < PAGE_COUNT; i++) {
		if (model->pages.items[i].name != NULL) {
			ret_files[n++] = (struct model_file){
				model->pages.items[i].name, model->pages.items[i].content};
		}
	}
	return n;
}

char *model_standard_settings(void)
{
	struct buf settings = BUF_INIT(0);

	globals_write(&settings, NULL, NULL, NULL, false);
	return buf_take(&settings);
}

void model_digest_settings(char ret_digest[MODEL_DIGEST_SIZE], const char *settings)
{
	globals_digest(ret_digest, settings);
}

bool model_is_standard(const char *digest)
{
	CLEANUP(free_ptr) char *settings = model_standard_settings();
	char standard[MODEL_DIGEST_SIZE];

	globals_digest(standard, settings);
	return strcmp(standard, digest) == 0;
}

static void free_ingress(struct ingress_node *node)
{
	if (node == NULL) {
		return;
	}
	for (size_t i = 0; i < node->n_claims; i++) {
		free(node->claims[i].port_name);
	}
	free(node->claims);
	free(node->tls_claims);
	model_free_diags(node->faults, node->n_faults);
	option_set_free(node->options);
	free(node->namespace);
	free(node);
}

static void free_service(struct service_node *node)
{
	option_set_free(node->options);
	model_free_diags(node->faults, node->n_faults);
	free(node->namespace);
	free(node);
}

static void free_backend(struct backend_node *backend)
{
	free((void *)backend->public.servers);
	free(backend->refused);
	free(backend->external);
	free(backend->trust);
	free(backend);
}

static void free_items(struct table *table)
{
	void *item;

	TABLE_FOREACH (table, item) {
		free(item);
	}
	table_fini(table);
}

static void free_options(struct model_options *options)
{
	free((char *)options->ingress_class);
	free((char *)options->controller_name);
	free((char *)options->parameters_namespace);
	free((char *)options->config_map_namespace);
	free((char *)options->config_map_name);
	free((char *)options->pages_namespace);
	free((char *)options->pages_name);
	free((char *)options->patterns_namespace);
	free((char *)options->patterns_name);
	free((char *)options->tcp_namespace);
	free((char *)options->tcp_name);
	free((char *)options->listeners);
	free((char *)options->default_namespace);
	free((char *)options->default_service);
	free((char *)options->default_port);
	free((char *)options->certificate_namespace);
	free((char *)options->certificate_secret);
	for (size_t i = 0; i < options->n_watched_namespaces; i++) {
		free((char *)options->watched_namespaces[i]);
	}
	free((char **)options->watched_namespaces);
}

void model_free(struct model *model)
{
	struct ingress_node *ingress;
	struct service_node *service;
	struct backend_node *backend;
	struct slot *slot;

	if (model == NULL) {
		return;
	}
	TABLE_FOREACH (&model->ingresses, ingress) {
		free_ingress(ingress);
	}
	table_fini(&model->ingresses);
	free_ingress(model->operator_default);
	free_ingress(model->operator_certificate);
	free(model->backend_wish);
	free(model->certificate_wish);
	option_set_free(model->own_options);
	TABLE_FOREACH (&model->services, service) {
		free_service(service);
	}
	table_fini(&model->services);
	sets_free(model);
	free(model->settings);
	client_ca_free(model);
	pages_fini(&model->pages);
	patterns_fini(&model->patterns);
	monitors_free(model);
	tcp_free(model);
	TABLE_FOREACH (&model->backends, backend) {
		free_backend(backend);
	}
	table_fini(&model->backends);
	TABLE_FOREACH (&model->closed, backend) {
		free_backend(backend);
	}
	table_fini(&model->closed);
	TABLE_FOREACH (&model->externals, backend) {
		free_backend(backend);
	}
	table_fini(&model->externals);
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		TABLE_FOREACH (&model->slots[map], slot) {
			free(slot->policy);
			free(slot);
		}
		table_fini(&model->slots[map]);
	}
	policies_free(model);
	free_items(&model->hosts);
	model_free_certificates(model);
	tls_free(model);
	free_items(&model->delta);
	model_free_reports(model);
	free_options(&model->options);
	free(model);
}

uint32_t model_hash_pair(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

/* Adds a text to a set of texts; the set owns its copies. */
static void set_add(struct table *set, const char *text)
{
	uint32_t hash = hash_str(text);

	if (table_find(set, hash, text, text_equals) == NULL) {
		table_insert(set, hash, xstrdup(text));
	}
}

void model_touch_entry(struct model *model, enum model_map map, const char *key)
{
	struct buf text = BUF_INIT(0);

	buf_printf(&text, "m%c%s", FIRST_MAP + (int)map, key);
	set_add(&model->delta, buf_str(&text));
	buf_fini(&text);
}

void model_touch_backend(struct model *model, const char *name)
{
	struct buf text = BUF_INIT(0);

	buf_printf(&text, "b%s", name);
	set_add(&model->delta, buf_str(&text));
	buf_fini(&text);
}

void model_touch_certificate(struct model *model, const char *name)
{
	struct buf text = BUF_INIT(0);

	buf_printf(&text, "c%s", name);
	set_add(&model->delta, buf_str(&text));
	buf_fini(&text);
}

/* Adds a key to a set of keys; the set owns its copies. */
static void add_key(struct table *set, const char *namespace, const char *name)
{
	struct ingress_key key = {(char *)namespace, (char *)name};
	uint32_t hash = model_hash_pair(namespace, name);

	if (table_find(set, hash, &key, ingress_key_equals) == NULL) {
		struct ingress_key *copy = xmalloc(sizeof(*copy));
		*copy = (struct ingress_key){xstrdup(namespace), xstrdup(name)};
		table_insert(set, hash, copy);
	}
}

void model_touch_ingress(struct model *model, const char *namespace, const char *name)
{
	add_key(&model->unreported, namespace, name);
}

void model_note_let_go(struct model *model, const char *namespace, const char *name)
{
	add_key(&model->let_go, namespace, name);
}

bool model_watches(const struct model *model, const char *namespace)
{
	const struct model_options *options = &model->options;

	for (size_t i = 0; i < options->n_watched_namespaces; i++) {
		if (strcmp(options->watched_namespaces[i], namespace) == 0) {
			return true;
		}
	}
	return options->n_watched_namespaces == 0;
}

bool model_is_ours(const struct model *model, const char *namespace, const char *name)
{
	return model_find_ingress(model, namespace, name) != NULL;
}

const char *model_class_name(const struct model *model, const struct ingress *ingress)
{
	return class_name_of(&model->options, ingress);
}

const struct model_backend *model_find_backend(const struct model *model, const char *name)
{
	const struct backend_node *backend =
		table_find(&model->backends, hash_str(name), name, backend_has_name);

	return backend ? &backend->public : NULL;
}

size_t model_backend_len(const char *value)
{
	return (size_t)(strchrnul(value, MODEL_POLICY_MARK) - value);
}

static bool has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text);
	size_t suffix_len = strlen(suffix);

	return len > suffix_len && strcmp(text + len - suffix_len, suffix) == 0;
}

enum model_transport model_server_transport(const char *server)
{
	if (has_suffix(server, MODEL_SUFFIX_H2C)) {
		return MODEL_TRANSPORT_H2C;
	}
	return has_suffix(server, MODEL_SUFFIX_HTTPS) ? MODEL_TRANSPORT_HTTPS
						      : MODEL_TRANSPORT_HTTP;
}

/* NULL = it is no entry. */
static const char *slot_value(const struct slot *slot)
{
	if (slot->map == MODEL_MAP_PASSTHROUGH && !slot->passes) {
		return NULL;
	}
	if (slot->policy != NULL) {
		return slot->policy->value;
	}
	return slot->backend ? slot->backend->public.name : MODEL_BACKEND_UNAVAILABLE;
}

bool model_passes_through(const struct model *model)
{
	return model->options.has_passthrough;
}

static bool is_of_policies(enum model_map map)
{
	return map == MODEL_MAP_POLICY || map == MODEL_MAP_AUTH || map == MODEL_MAP_CANARY ||
	       map == MODEL_MAP_NETWORKS || map == MODEL_MAP_ADDRESSES;
}

const char *model_find_entry(const struct model *model, enum model_map map, const char *key)
{
	if (map == MODEL_MAP_HOSTS) {
		const struct host_node *host =
			table_find(&model->hosts, hash_str(key), key, host_has_key);
		return host ? host->key : NULL;
	}
	if (map == MODEL_MAP_EXTERNAL) {
		const struct backend_node *backend =
			table_find(&model->externals, hash_str(key), key, backend_has_name);
		return backend ? backend->external : NULL;
	}
	if (map == MODEL_MAP_REDIRECT) {
		const struct host_node *host =
			table_find(&model->hosts, hash_str(key), key, host_has_key);
		return host && host->n_redirects > 0 ? MODEL_REDIRECT_VALUE : NULL;
	}
	if (is_of_policies(map)) {
		return policies_find_entry(model, map, key);
	}
	const struct slot *slot = table_find(&model->slots[map], hash_str(key), key, slot_has_key);
	return slot ? slot_value(slot) : NULL;
}

const struct model_backend *model_next_backend(const struct model *model, uint32_t *position)
{
	const struct backend_node *backend = table_next(&model->backends, position);

	return backend ? &backend->public : NULL;
}

static bool next_redirect(
	const struct model *model, uint32_t *position, const char **ret_key, const char **ret_value)
{
	const struct host_node *host;

	do {
		host = table_next(&model->hosts, position);
	} while (host != NULL && host->n_redirects == 0);
	if (host != NULL) {
		*ret_key = host->key;
		*ret_value = MODEL_REDIRECT_VALUE;
	}
	return host != NULL;
}

bool model_next_entry(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value)
{
	if (map == MODEL_MAP_HOSTS) {
		const struct host_node *host = table_next(&model->hosts, position);
		if (host != NULL) {
			*ret_key = host->key;
			*ret_value = host->key;
		}
		return host != NULL;
	}
	if (map == MODEL_MAP_EXTERNAL) {
		const struct backend_node *backend = table_next(&model->externals, position);
		if (backend != NULL) {
			*ret_key = backend->public.name;
			*ret_value = backend->external;
		}
		return backend != NULL;
	}
	if (map == MODEL_MAP_REDIRECT) {
		return next_redirect(model, position, ret_key, ret_value);
	}
	if (is_of_policies(map)) {
		return policies_next_entry(model, map, position, ret_key, ret_value);
	}
	const struct slot *slot;
	do {
		slot = table_next(&model->slots[map], position);
	} while (slot != NULL && slot_value(slot) == NULL);
	if (slot != NULL) {
		*ret_key = slot->key;
		*ret_value = slot_value(slot);
	}
	return slot != NULL;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct model_delta model_take_delta(struct model *model)
{
	char **texts = (char **)table_sorted(&model->delta, compare_texts);
	size_t n = model->delta.n_items;
	struct model_delta delta = {
		.entries = xcalloc(n, sizeof(*delta.entries)),
		.backends = xcalloc(n, sizeof(*delta.backends)),
		.certificates = xcalloc(n, sizeof(*delta.certificates)),
	};

	for (size_t i = 0; i < n; i++) {
		if (texts[i][0] == 'b') {
			delta.backends[delta.n_backends++] = xstrdup(texts[i] + 1);
		} else if (texts[i][0] == 'c') {
			delta.certificates[delta.n_certificates++] = xstrdup(texts[i] + 1);
		} else {
			delta.entries[delta.n_entries++] = (struct model_delta_entry){
				(enum model_map)(texts[i][1] - FIRST_MAP), xstrdup(texts[i] + 2)};
		}
		free(texts[i]);
	}
	free(texts);
	table_fini(&model->delta);
	return delta;
}

void model_delta_fini(struct model_delta *delta)
{
	for (size_t i = 0; i < delta->n_entries; i++) {
		free(delta->entries[i].key);
	}
	for (size_t i = 0; i < delta->n_backends; i++) {
		free(delta->backends[i]);
	}
	for (size_t i = 0; i < delta->n_certificates; i++) {
		free(delta->certificates[i]);
	}
	free(delta->entries);
	free(delta->backends);
	free(delta->certificates);
	*delta = (struct model_delta){0};
}

void model_count(const struct model *model, struct model_counts *ret_counts)
{
	*ret_counts = (struct model_counts){
		.n_backends = model->backends.n_items,
		.n_servers = model->n_servers,
		.n_ingresses = model->ingresses.n_items,
		.n_certificates = model->certificates.n_items,
	};
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		ret_counts->n_entries[map] = is_of_policies((enum model_map)map)
						     ? policies_count(model, (enum model_map)map)
						     : model->slots[map].n_items;
	}
	ret_counts->n_entries[MODEL_MAP_HOSTS] = model->hosts.n_items;
	ret_counts->n_entries[MODEL_MAP_EXTERNAL] = model->externals.n_items;
	ret_counts->n_entries[MODEL_MAP_REDIRECT] = model->n_redirects;
	ret_counts->n_entries[MODEL_MAP_PASSTHROUGH] = model->n_passing;
}
