/*
 * Slots: who gets a key of a map, and the hosts and backends that come and go with it. Called by
 * build.c only.
 */
#include "model/model_priv.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/passthrough.h"
#include "model/variant_read.h"

static bool slot_has_key(const void *item, const void *key)
{
	return strcmp(((const struct slot *)item)->key, key) == 0;
}

static bool host_has_key(const void *item, const void *key)
{
	return strcmp(((const struct host_node *)item)->key, key) == 0;
}

static bool backend_has_own_name(const void *item, const void *name)
{
	return strcmp(((const struct backend_node *)item)->name, name) == 0;
}

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

/*
 * Rules before default backends; then the oldest object, then namespace and name, then the order
 * inside the object. Objects alone decide, never the order in which they arrived.
 */
static int compare_claims(const struct claim *a, const struct claim *b)
{
	const struct ingress_node *left = a->ingress;
	const struct ingress_node *right = b->ingress;
	int order = (int)a->is_fallback - (int)b->is_fallback;

	if (order == 0) {
		order = compare_numbers(left->created_seconds, right->created_seconds);
	}
	if (order == 0) {
		order = strcmp(left->namespace, right->namespace);
	}
	if (order == 0) {
		order = strcmp(left->name, right->name);
	}
	if (order == 0) {
		order = (int)a->ends_tls - (int)b->ends_tls;
	}
	if (order == 0) {
		order = compare_numbers(a->rule, b->rule);
	}
	return order != 0 ? order : compare_numbers(a->path, b->path);
}

/* The virtual host is what stands before the first '/' of a key. */
static struct host_node *host_take(struct model *model, const char *key)
{
	size_t len = strcspn(key, "/");
	char *text = xstrndup(key, len);
	uint32_t hash = hash_str(text);
	struct host_node *host = table_find(&model->hosts, hash, text, host_has_key);

	if (host == NULL) {
		host = xcalloc(1, sizeof(*host) + len + 1);
		memcpy(host->key, text, len + 1);
		table_insert(&model->hosts, hash, host);
		model_touch_entry(model, MODEL_MAP_HOSTS, host->key);
	}
	host->n_slots++;
	free(text);
	return host;
}

static void host_release(struct model *model, struct host_node *host)
{
	if (host == NULL || --host->n_slots > 0) {
		return;
	}
	model_touch_entry(model, MODEL_MAP_HOSTS, host->key);
	table_remove(&model->hosts, hash_str(host->key), host->key, host_has_key);
	free(host);
}

/* The Ingresses whose requests go to this backend say something else about it now. */
static void touch_claims_of(struct model *model, const struct backend_node *backend)
{
	for (const struct claim *claim = backend->service->claims; claim != NULL;
		claim = claim->next_of_service) {
		if (claim->slot != NULL && claim->slot->backend == backend &&
			claim->slot->winner == claim) {
			model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
		}
	}
	for (const struct follower *follower = backend->service->followers; follower != NULL;
		follower = follower->next_of_service) {
		if (follower->backend == backend) {
			policies_touch_ingresses(model, follower->policy);
		}
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* HAProxy is not told of it (trust.h). */
static bool is_closed(const struct backend_node *backend)
{
	return backend->trust != NULL && backend->trust->is_closed;
}

/* "shop_svc_web_80", or "shop_ext_web_80": what changes between the two changes its name, so that
 * the order of a change is the usual one. */
static void external_refresh(
	struct model *model, const struct service *service, struct backend_node *backend)
{
	/* Of another type by now: its slots are about to leave it. */
	if (!endpoints_is_external(service)) {
		return;
	}
	char *external = endpoints_external(service, backend->port);
	if (strcmp(external, backend->external) != 0) {
		model_touch_entry(model, MODEL_MAP_EXTERNAL, backend->public.name);
	}
	free(backend->external);
	backend->external = external;
}

void backend_refresh(struct model *model, const struct store *store, struct backend_node *backend)
{
	const struct service *service =
		store_service(store, backend->service->namespace, backend->service->name);
	struct model_backend *public = &backend->public;
	struct endpoints_servers servers = {0};
	struct endpoints_servers old = {
		(struct model_server *)public->servers, public->n_servers, backend->refused};

	if (backend->external != NULL) {
		external_refresh(model, service, backend);
		return;
	}
	if (is_closed(backend)) {
		return;
	}
	if (service != NULL) {
		servers = endpoints_collect(
			store, service, backend->port, model->options.can_use_loopback);
	}
	if ((servers.n > 0) != (old.n > 0) || !same_text(servers.refused, old.refused)) {
		touch_claims_of(model, backend);
	}
	if (endpoints_equal(&servers, &old) && same_text(servers.refused, old.refused)) {
		endpoints_fini(&servers);
		return;
	}
	model->n_servers += servers.n - old.n;
	endpoints_fini(&old);
	public->servers = servers.items;
	public->n_servers = servers.n;
	backend->refused = servers.refused;
	model_touch_backend(model, public->name);
}

static struct table *table_of(struct model *model, const struct backend_node *backend)
{
	return backend->external    ? &model->externals
	       : is_closed(backend) ? &model->closed
				    : &model->backends;
}

/* `words`: of its variant. */
static struct backend_node *backend_add(
	struct service_node *service, int32_t port, const char *words, char *external)
{
	CLEANUP(free_ptr)
	char *name = xasprintf("%s%s%s_%d%s", service->namespace,
		external ? MODEL_EXTERNAL_INFIX : MODEL_BACKEND_INFIX, service->name, port, words);
	size_t name_size = strlen(name) + 1;
	struct backend_node *backend = xcalloc(1, sizeof(*backend) + name_size);

	backend->public.name = memcpy(backend->name, name, name_size);
	backend->service = service;
	backend->port = port;
	backend->external = external;
	backend->next_of_service = service->backends;
	service->backends = backend;
	return backend;
}

static void touch_backend(struct model *model, const struct backend_node *backend)
{
	if (backend->external != NULL) {
		model_touch_entry(model, MODEL_MAP_EXTERNAL, backend->public.name);
	} else if (!is_closed(backend)) {
		model_touch_backend(model, backend->public.name);
	}
}

static void backend_enter(struct model *model, const struct store *store,
	struct backend_node *backend, const struct trust_wish *wish)
{
	backend->trust = trust_take(model, store, backend, wish);
	if (is_closed(backend)) {
		backend->public.name = MODEL_BACKEND_UNAVAILABLE;
	}
	table_insert(table_of(model, backend), hash_str(backend->name), backend);
	touch_backend(model, backend);
	backend_refresh(model, store, backend);
}

static bool has_words(const struct backend_node *backend, const char *words)
{
	const char *own = strchr(backend->name, ':');

	return strcmp(own != NULL ? own : "", words) == 0;
}

/* The backend that the claim's requests go to, given the port. A Service of type ExternalName has
 * no variants. */
struct backend_node *backend_take(
	struct model *model, const struct store *store, const struct claim *claim, int32_t port)
{
	struct service_node *node = claim->service;
	const struct service *service = store_service(store, node->namespace, node->name);
	bool is_external = endpoints_is_external(service);
	struct backend_node *backend = node->backends;
	struct buf words = BUF_INIT(0);
	struct trust_wish wish = {0};

	if (!is_external && (claim->is_tcp || variant_is_wanted(claim))) {
		if (!claim->passes) {
			trust_wish_read(&wish, store, claim);
		}
		variant_read(&words, claim, endpoints_transport(service, port), &wish);
	}
	while (backend != NULL &&
		(backend->port != port || (backend->external != NULL) != is_external ||
			!has_words(backend, buf_str(&words)))) {
		backend = backend->next_of_service;
	}
	if (backend == NULL) {
		backend = backend_add(node, port, buf_str(&words),
			is_external ? endpoints_external(service, port) : NULL);
		backend_enter(model, store, backend, &wish);
	}
	trust_wish_fini(&wish);
	buf_fini(&words);
	backend->n_slots++;
	return backend;
}

void backend_release(struct model *model, struct backend_node *backend)
{
	if (backend == NULL || --backend->n_slots > 0) {
		return;
	}
	struct backend_node **link = &backend->service->backends;
	while (*link != backend) {
		link = &(*link)->next_of_service;
	}
	*link = backend->next_of_service;
	table_remove(table_of(model, backend), hash_str(backend->name), backend->name,
		backend_has_own_name);
	touch_backend(model, backend);
	trust_release(model, backend->trust);
	model->n_servers -= backend->public.n_servers;
	free((void *)backend->public.servers);
	free(backend->refused);
	free(backend->external);
	free(backend);
}

static void set_status(struct model *model, struct claim *claim, enum claim_status status)
{
	/* A claim that lost may have lost to somebody else now: its text changes though its status
	 * does not. */
	if (claim->status != status || status == CLAIM_TAKEN) {
		claim->status = (uint8_t)status;
		model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
	}
}

static enum claim_status resolve(const struct model *model, const struct store *store,
	const struct claim *claim, int32_t *ret_port)
{
	static const enum claim_status statuses[] = {
		[ENDPOINTS_OK] = CLAIM_OK,
		[ENDPOINTS_NO_SERVICE] = CLAIM_NO_SERVICE,
		[ENDPOINTS_SERVICE_TYPE] = CLAIM_SERVICE_TYPE,
		[ENDPOINTS_NO_PORT] = CLAIM_NO_PORT,
		[ENDPOINTS_EXTERNAL_NAME] = CLAIM_EXTERNAL_NAME,
	};
	const struct service *service =
		store_service(store, claim->service->namespace, claim->service->name);

	return statuses[endpoints_find_port(service,
		(struct endpoints_reference){claim->port_number, claim->port_name},
		model->options.can_use_external && !claim->is_tcp, ret_port)];
}

/* The policy that a slot has counts it: taken before released, as backends are. */
static void set_policy(
	struct model *model, struct slot *slot, struct policy_node *policy, const char *backend)
{
	struct slot_policy *old = slot->policy;

	slot->policy = NULL;
	if (policy != NULL) {
		const char *id = policies_id(policy);
		size_t size = strlen(backend) + 1 + strlen(id) + 1;
		slot->policy = xmalloc(sizeof(*slot->policy) + size);
		slot->policy->policy = policy;
		snprintf(slot->policy->value, size, "%s%c%s", backend, MODEL_POLICY_MARK, id);
	}
	if (!same_text(old ? old->value : NULL, slot->policy ? slot->policy->value : NULL)) {
		model_touch_entry(model, slot->map, slot->key);
	}
	policies_release(model, old ? old->policy : NULL);
	free(old);
}

/* An entry of MODEL_MAP_PASSTHROUGH comes or goes, which all who have the host are told of. */
static void set_passes(struct model *model, struct slot *slot, bool passes)
{
	if (slot->passes == passes) {
		return;
	}
	slot->passes = passes;
	model->n_passing += passes ? 1 : (size_t)-1;
	model_touch_entry(model, slot->map, slot->key);
	for (const struct claim *claim = slot->claims; claim != NULL; claim = claim->next_in_slot) {
		model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
	}
}

void slot_decide(struct model *model, const struct store *store, struct slot *slot)
{
	struct claim *winner = slot->claims;
	struct backend_node *backend = NULL;
	int32_t port;
	bool is_barred = passthrough_find_bar(winner) != NULL;
	bool leads = !winner->ends_tls && !is_barred;
	enum claim_status status = leads ? resolve(model, store, winner, &port) : CLAIM_OK;

	set_passes(model, slot, winner->passes && !is_barred);
	if (status == CLAIM_OK && leads) {
		backend = backend_take(model, store, winner, port);
	}
	set_status(model, winner, status);
	/* Thousands may stand in line: they are told only when there is something new to tell. */
	struct claim *behind = winner != slot->winner ? winner->next_in_slot : NULL;
	for (; behind != NULL; behind = behind->next_in_slot) {
		set_status(model, behind, CLAIM_TAKEN);
	}
	slot->winner = winner;
	if (backend != slot->backend) {
		model_touch_entry(model, slot->map, slot->key);
		model_touch_ingress(model, winner->ingress->namespace, winner->ingress->name);
	}
	set_policy(model, slot, winner->is_tcp ? NULL : policies_take(model, winner),
		backend ? backend->public.name : MODEL_BACKEND_UNAVAILABLE);
	/* Taken before released, so that a backend that stays is never dropped in between. */
	backend_release(model, slot->backend);
	slot->backend = backend;
}

static struct slot *slot_find_or_add(struct model *model, enum model_map map, const char *key)
{
	uint32_t hash = hash_str(key);
	struct slot *slot = table_find(&model->slots[map], hash, key, slot_has_key);

	if (slot == NULL) {
		size_t size = strlen(key) + 1;
		slot = xcalloc(1, sizeof(*slot) + size);
		memcpy(slot->key, key, size);
		slot->map = map;
		if (map != MODEL_MAP_DEFAULTS && map != MODEL_MAP_TCP) {
			slot->host = host_take(model, key);
		}
		table_insert(&model->slots[map], hash, slot);
		model_touch_entry(model, map, key);
	}
	return slot;
}

static void count_redirect(struct model *model, const struct claim *claim, int change)
{
	struct host_node *host = claim->slot->host;

	if (host == NULL || !claim->redirects) {
		return;
	}
	bool was_there = host->n_redirects > 0;
	host->n_redirects += (size_t)change;
	if (was_there != (host->n_redirects > 0)) {
		model->n_redirects += (size_t)change;
		model_touch_entry(model, MODEL_MAP_REDIRECT, host->key);
	}
}

void slot_enter(struct model *model, const struct store *store, struct claim *claim,
	enum model_map map, const char *key)
{
	struct slot *slot = slot_find_or_add(model, map, key);
	struct claim **link = &slot->claims;

	while (*link != NULL && compare_claims(*link, claim) < 0) {
		link = &(*link)->next_in_slot;
	}
	claim->next_in_slot = *link;
	*link = claim;
	claim->slot = slot;
	count_redirect(model, claim, 1);
	slot_decide(model, store, slot);
	if (slot->claims != claim) {
		set_status(model, claim, CLAIM_TAKEN);
	}
}

void slot_leave(struct model *model, const struct store *store, struct claim *claim)
{
	struct slot *slot = claim->slot;
	struct claim **link = &slot->claims;

	count_redirect(model, claim, -1);
	while (*link != claim) {
		assert(*link != NULL);
		link = &(*link)->next_in_slot;
	}
	*link = claim->next_in_slot;
	if (slot->winner == claim) {
		slot->winner = NULL;
	}
	if (slot->claims != NULL) {
		slot_decide(model, store, slot);
		return;
	}
	set_passes(model, slot, false);
	model_touch_entry(model, slot->map, slot->key);
	table_remove(&model->slots[slot->map], hash_str(slot->key), slot->key, slot_has_key);
	set_policy(model, slot, NULL, "");
	backend_release(model, slot->backend);
	host_release(model, slot->host);
	free(slot);
}
