/*
 * See plan.h. Each key - a backend's name, a map's key - is decided for itself by comparing what is
 * wanted with what is there; the rest of this file collects the keys and puts the operations in
 * order.
 */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/table.h"
#include "plan/plan_priv.h"

const struct plan_op_info plan_ops[PLAN_OP_COUNT] = {
#define OP(id, phase, name) {PLAN_##phase, name},
#include "plan/ops.def"
};

const char *const plan_reason_names[PLAN_REASON_COUNT] = {
#define REASON(id, name, text) name,
#include "plan/reasons.def"
};

/* Keys to look at, borrowed, sorted, each once. */
struct keys {
	const char **items;
	size_t n;
	size_t n_allocated;
};

static struct plan_op *add_op(struct planner *planner, enum plan_op_kind kind)
{
	struct plan *plan = planner->plan;

	if (plan->n_ops == plan->n_allocated) {
		plan->n_allocated = plan->n_allocated ? plan->n_allocated * 2 : 16;
		plan->ops = xreallocarray(plan->ops, plan->n_allocated, sizeof(*plan->ops));
	}
	struct plan_op *op = &plan->ops[plan->n_ops++];
	*op = (struct plan_op){.kind = kind};
	return op;
}

static void op_backend(struct planner *planner, enum plan_op_kind kind, const char *backend)
{
	add_op(planner, kind)->backend = arena_strdup(&planner->plan->arena, backend);
}

void plan_add_server_op(struct planner *planner, enum plan_op_kind kind, const char *backend,
	const char *server, const char *address)
{
	struct arena *arena = &planner->plan->arena;
	struct plan_op *op = add_op(planner, kind);

	op->backend = arena_strdup(arena, backend);
	op->server = arena_strdup(arena, server);
	op->address = address ? arena_strdup(arena, address) : NULL;
}

static void op_entry(struct planner *planner, enum plan_op_kind kind, enum model_map map,
	const char *key, const char *value)
{
	struct arena *arena = &planner->plan->arena;
	struct plan_op *op = add_op(planner, kind);

	op->map = map;
	op->key = arena_strdup(arena, key);
	op->value = value ? arena_strdup(arena, value) : NULL;
}

static void plan_new_backend(struct planner *planner, const struct model_backend *wanted)
{
	if (!planner->adds_live) {
		planner->plan->reasons |= 1u << planner->reason;
		return;
	}
	/* Published before it has a server: no map leads to it yet, and nothing is left half-made
	 * if we stop here. */
	op_backend(planner, PLAN_OP_BACKEND_ADD, wanted->name);
	op_backend(planner, PLAN_OP_BACKEND_PUBLISH, wanted->name);
	for (size_t i = 0; i < wanted->n_servers; i++) {
		plan_new_server(planner, wanted->name, &wanted->servers[i]);
	}
}

static void plan_old_backend(struct planner *planner, const struct applied_backend *have)
{
	for (uint32_t i = 0; i < have->n_servers; i++) {
		plan_old_server(planner, have->name, &have->servers[i]);
	}
	/* Without `del backend` it stays behind, empty, until the next reload: not worth one of its
	 * own. */
	if (planner->caps->can_add_backend) {
		if (!have->is_unpublished) {
			op_backend(planner, PLAN_OP_BACKEND_UNPUBLISH, have->name);
		}
		op_backend(planner, PLAN_OP_BACKEND_DEL, have->name);
	}
}

static bool text_equals(const void *item, const void *text)
{
	return strcmp(item, text) == 0;
}

static bool set_has(const struct table *set, const char *text)
{
	return table_find(set, hash_str(text), text, text_equals) != NULL;
}

/* `text` lives as long as the set. */
static void set_add(struct table *set, char *text)
{
	if (!set_has(set, text)) {
		table_insert(set, hash_str(text), text);
	}
}

static bool has_ready_server(const struct applied_backend *backend)
{
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		if (backend->servers[i].admin == APPLIED_READY) {
			return true;
		}
	}
	return false;
}

/*
 * One that is there and was led to by nothing may be unpublished: half removed when it was wanted
 * again, or half made when we were stopped. `show backend` does not tell; to publish twice does no
 * harm.
 */
static void plan_kept_backend(struct planner *planner, const struct model_backend *wanted,
	const struct applied_backend *have)
{
	if (planner->caps->can_add_backend && set_has(&planner->led_to, wanted->name) &&
		!has_ready_server(have)) {
		op_backend(planner, PLAN_OP_BACKEND_PUBLISH, wanted->name);
	}
	plan_servers(planner, wanted, have);
}

static void plan_backend(struct planner *planner, const char *name)
{
	const struct model_backend *wanted = model_find_backend(planner->model, name);
	const struct applied_backend *have = applied_find_backend(planner->applied, name);

	if (wanted != NULL && have != NULL) {
		plan_kept_backend(planner, wanted, have);
	} else if (wanted != NULL) {
		plan_new_backend(planner, wanted);
	} else if (have != NULL && !set_has(&planner->held_backends, name)) {
		plan_old_backend(planner, have);
	}
}

/* "a.test/x/" belongs to virtual host "a.test". */
static char *host_of_key(struct arena *arena, const char *key)
{
	char *host = arena_strdup(arena, key);

	host[strcspn(host, "/")] = '\0';
	return host;
}

/* The backend that the value of a route names. */
static char *backend_of_value(struct arena *arena, const char *value)
{
	char *backend = arena_strdup(arena, value);

	backend[model_backend_len(value)] = '\0';
	return backend;
}

/* Is this one of the maps that say where policies lead to? Their keys are policies. */
static bool is_by_policy(enum model_map map)
{
	return map == MODEL_MAP_AUTH || map == MODEL_MAP_CANARY;
}

/* Is this one of the maps whose values lead to backends? */
static bool is_route(enum model_map map)
{
	return map == MODEL_MAP_EXACT || map == MODEL_MAP_PREFIX || map == MODEL_MAP_DEFAULTS ||
	       map == MODEL_MAP_PASSTHROUGH || map == MODEL_MAP_TCP || is_by_policy(map);
}

/* The entry waits for a reload: so does a new host that it is for, and the backend that it leads to
 * now stays. */
static void hold_entry(
	struct planner *planner, enum model_map map, const char *key, const char *have)
{
	struct arena *arena = &planner->plan->arena;

	planner->plan->reasons |= 1u << planner->reason;
	if (!is_by_policy(map) && map != MODEL_MAP_TCP) {
		set_add(&planner->held_hosts, host_of_key(arena, key));
	}
	if (have != NULL) {
		set_add(&planner->held_backends, backend_of_value(arena, have));
	}
}

/* Would this value lead to a backend that only a reload can bring? */
static bool needs_reload(const struct planner *planner, enum model_map map, const char *value)
{
	if (!is_route(map) || planner->adds_live) {
		return false;
	}
	const char *backend = backend_of_value(&planner->plan->arena, value);
	return model_find_backend(planner->model, backend) != NULL &&
	       applied_find_backend(planner->applied, backend) == NULL;
}

static bool is_held(const struct planner *planner, enum model_map map, const char *key)
{
	return map == MODEL_MAP_HOSTS && set_has(&planner->held_hosts, key);
}

/* A new entry or a new value. */
static void plan_wanted_entry(struct planner *planner, enum plan_op_kind kind, enum model_map map,
	const char *key, const char *wanted)
{
	op_entry(planner, kind, map, key, wanted);
	if (is_route(map)) {
		set_add(&planner->led_to, backend_of_value(&planner->plan->arena, wanted));
	}
}

/* Entries that wait lead to what they have led to: to an external Service, or to a policy with its
 * lists. Which policies these are is not worth knowing, as the reload takes away what is left. */
static bool is_held_by_route(const struct planner *planner, enum model_map map, const char *key)
{
	switch (map) {
	case MODEL_MAP_EXTERNAL:
		return set_has(&planner->held_backends, key);
	case MODEL_MAP_POLICY:
	case MODEL_MAP_AUTH:
	case MODEL_MAP_CANARY:
	case MODEL_MAP_NETWORKS:
	case MODEL_MAP_ADDRESSES:
		return planner->held_backends.n_items > 0;
	default:
		return false;
	}
}

static void plan_unwanted_entry(
	struct planner *planner, enum model_map map, const char *key, const char *have)
{
	if (have == NULL) {
		return;
	}
	if (!is_held_by_route(planner, map, key)) {
		op_entry(planner, PLAN_OP_MAP_DEL, map, key, NULL);
	} else if (is_route(map)) {
		set_add(&planner->held_backends, backend_of_value(&planner->plan->arena, have));
	}
}

static void plan_entry(struct planner *planner, enum model_map map, const char *key)
{
	const char *wanted = model_find_entry(planner->model, map, key);
	const char *have = applied_find_entry(planner->applied, map, key);

	if (wanted == NULL) {
		plan_unwanted_entry(planner, map, key, have);
	} else if (needs_reload(planner, map, wanted)) {
		hold_entry(planner, map, key, have);
	} else if (have == NULL && !is_held(planner, map, key)) {
		plan_wanted_entry(planner, PLAN_OP_MAP_ADD, map, key, wanted);
	} else if (have != NULL && strcmp(wanted, have) != 0) {
		plan_wanted_entry(planner, PLAN_OP_MAP_SET, map, key, wanted);
	}
}

static struct plan_op *op_certificate(
	struct planner *planner, enum plan_op_kind kind, const char *name)
{
	struct plan_op *op = add_op(planner, kind);

	op->certificate = arena_strdup(&planner->plan->arena, name);
	return op;
}

/* Those that are not for clients go their own way: backends are made with them. */
static const struct {
	enum plan_op_kind new, set, commit, del;
} stores[] = {
	[MODEL_CERTIFICATE_AUTHORITIES] = {PLAN_OP_CA_NEW, PLAN_OP_CA_SET, PLAN_OP_CA_COMMIT,
		PLAN_OP_CA_DEL},
	[MODEL_CERTIFICATE_SHOWN] = {PLAN_OP_SHOWN_NEW, PLAN_OP_SHOWN_SET, PLAN_OP_SHOWN_COMMIT,
		PLAN_OP_SHOWN_DEL},
};

/* Of one that is there without hosts it is not known what it holds: it is told again. Not while
 * servers have it: then it holds what they were made with, and HAProxy 2.6 crashes when a file that
 * its configuration loaded is told again. */
static void plan_wanted_store(struct planner *planner, const char *name)
{
	enum model_certificate_kind kind = model_certificate_kind(name);
	const struct model_certificate *wanted = model_find_certificate(planner->model, name);
	const struct applied_certificate *have = applied_find_certificate(planner->applied, name);

	if (wanted == NULL || (have != NULL && have->hosts != NULL)) {
		return;
	}
	if (have != NULL && applied_uses_certificate(planner->applied, name)) {
		return;
	}
	if (have == NULL) {
		op_certificate(planner, stores[kind].new, name);
	}
	op_certificate(planner, stores[kind].set, name)->pem = wanted->pem;
	op_certificate(planner, stores[kind].commit, name);
}

/* A backend that waits for a reload still has it; the reload takes it away. */
static void plan_unwanted_store(struct planner *planner, const char *name)
{
	if (model_find_certificate(planner->model, name) == NULL &&
		applied_find_certificate(planner->applied, name) != NULL &&
		planner->held_backends.n_items == 0) {
		op_certificate(planner, stores[model_certificate_kind(name)].del, name);
	}
}

static void plan_content(struct planner *planner, const struct model_certificate *wanted)
{
	op_certificate(planner, PLAN_OP_CERT_SET, wanted->name)->pem = wanted->pem;
	op_certificate(planner, PLAN_OP_CERT_COMMIT, wanted->name);
}

/* It is always there: HAProxy does not start without it. */
static void plan_default_certificate(struct planner *planner,
	const struct model_certificate *wanted, const struct applied_certificate *have)
{
	if (wanted == NULL || have == NULL ||
		(have->fingerprint != NULL &&
			strcmp(have->fingerprint, wanted->fingerprint) == 0)) {
		return;
	}
	plan_content(planner, wanted);
	struct plan *plan = planner->plan;
	plan->ops[plan->n_ops - 1].fingerprint = arena_strdup(&plan->arena, wanted->fingerprint);
}

/* `have`: NULL, or it is in no list: what it holds is not known, and is replaced. */
static void plan_new_certificate(struct planner *planner, const struct model_certificate *wanted,
	const struct applied_certificate *have)
{
	struct buf hosts = BUF_INIT(0);

	if (have == NULL) {
		op_certificate(planner, PLAN_OP_CERT_NEW, wanted->name);
	}
	plan_content(planner, wanted);
	applied_join_hosts(wanted, &hosts);
	op_certificate(planner, PLAN_OP_CERT_LIST, wanted->name)->hosts =
		arena_strdup(&planner->plan->arena, buf_str(&hosts));
	buf_fini(&hosts);
}

static bool has_hosts(
	const struct model_certificate *wanted, const struct applied_certificate *have)
{
	struct buf hosts = BUF_INIT(0);

	applied_join_hosts(wanted, &hosts);
	bool is_same = strcmp(buf_str(&hosts), have->hosts) == 0;
	buf_fini(&hosts);
	return is_same;
}

/*
 * A certificate never changes: what would change it is a new one, and this one goes. The last good
 * one of a Secret stays as long as the model says so.
 */
static void plan_certificate(struct planner *planner, const char *name)
{
	const struct model_certificate *wanted = model_find_certificate(planner->model, name);
	const struct applied_certificate *have = applied_find_certificate(planner->applied, name);
	bool is_listed = have != NULL && have->hosts != NULL;

	if (strcmp(name, MODEL_CERTIFICATE_DEFAULT) == 0) {
		plan_default_certificate(planner, wanted, have);
	} else if (wanted != NULL && !is_listed) {
		plan_new_certificate(planner, wanted, have);
	} else if (wanted != NULL && !has_hosts(wanted, have)) {
		/* Somebody has put it into the list for other names: the next plan lists it. */
		op_certificate(planner, PLAN_OP_CERT_UNLIST, name);
	} else if (wanted == NULL && have != NULL &&
		   !(is_listed && model_keeps_certificate(planner->model, name))) {
		if (is_listed) {
			op_certificate(planner, PLAN_OP_CERT_UNLIST, name);
		}
		op_certificate(planner, PLAN_OP_CERT_DEL, name);
	}
}

static void keys_add(struct keys *keys, const char *key)
{
	if (keys->n == keys->n_allocated) {
		keys->n_allocated = keys->n_allocated ? keys->n_allocated * 2 : 64;
		keys->items = xreallocarray(keys->items, keys->n_allocated, sizeof(*keys->items));
	}
	keys->items[keys->n++] = key;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void keys_sort(struct keys *keys)
{
	size_t n_unique = 0;

	if (keys->n > 1) {
		qsort(keys->items, keys->n, sizeof(*keys->items), compare_keys);
	}
	for (size_t i = 0; i < keys->n; i++) {
		if (n_unique == 0 || strcmp(keys->items[n_unique - 1], keys->items[i]) != 0) {
			keys->items[n_unique++] = keys->items[i];
		}
	}
	keys->n = n_unique;
}

static struct keys backend_keys(const struct planner *planner, const struct model_delta *delta)
{
	struct keys keys = {0};

	if (delta != NULL) {
		for (size_t i = 0; i < delta->n_backends; i++) {
			keys_add(&keys, delta->backends[i]);
		}
		keys_sort(&keys);
		return keys;
	}
	const struct model_backend *wanted;
	uint32_t position = 0;
	while ((wanted = model_next_backend(planner->model, &position)) != NULL) {
		keys_add(&keys, wanted->name);
	}
	for (int shard = 0; shard < APPLIED_SHARDS; shard++) {
		const struct applied_backend *have;
		TABLE_FOREACH (&planner->applied->backends[shard], have) {
			keys_add(&keys, have->name);
		}
	}
	keys_sort(&keys);
	return keys;
}

static struct keys entry_keys(
	const struct planner *planner, enum model_map map, const struct model_delta *delta)
{
	struct keys keys = {0};

	if (delta != NULL) {
		for (size_t i = 0; i < delta->n_entries; i++) {
			if (delta->entries[i].map == map) {
				keys_add(&keys, delta->entries[i].key);
			}
		}
		keys_sort(&keys);
		return keys;
	}
	const char *key;
	const char *value;
	uint32_t position = 0;
	while (model_next_entry(planner->model, map, &position, &key, &value)) {
		keys_add(&keys, key);
	}
	const struct applied_entry *entry;
	TABLE_FOREACH (&planner->applied->entries[map], entry) {
		keys_add(&keys, applied_entry_key(entry));
	}
	keys_sort(&keys);
	return keys;
}

static struct keys certificate_keys(const struct planner *planner, const struct model_delta *delta)
{
	struct keys keys = {0};
	const struct model_certificate *wanted;
	const struct applied_certificate *have;
	uint32_t position = 0;

	if (delta != NULL) {
		for (size_t i = 0; i < delta->n_certificates; i++) {
			keys_add(&keys, delta->certificates[i]);
		}
		keys_sort(&keys);
		return keys;
	}
	while ((wanted = model_next_certificate(planner->model, &position)) != NULL) {
		keys_add(&keys, wanted->name);
	}
	TABLE_FOREACH (&planner->applied->certificates, have) {
		keys_add(&keys, have->name);
	}
	keys_sort(&keys);
	return keys;
}

/* Without a listener for TLS there is no list to put those for clients in. */
static void plan_certificates(struct planner *planner, const struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (model_certificate_kind(keys->items[i]) != MODEL_CERTIFICATE_SERVED) {
			plan_wanted_store(planner, keys->items[i]);
		} else if (planner->caps->has_tls) {
			plan_certificate(planner, keys->items[i]);
		}
	}
}

/* Behind the backends that were made with them. */
static void plan_unwanted_stores(struct planner *planner, const struct keys *keys)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (model_certificate_kind(keys->items[i]) != MODEL_CERTIFICATE_SERVED) {
			plan_unwanted_store(planner, keys->items[i]);
		}
	}
}

static void plan_map(struct planner *planner, enum model_map map, const struct model_delta *delta)
{
	struct keys keys = entry_keys(planner, map, delta);

	for (size_t i = 0; i < keys.n; i++) {
		plan_entry(planner, map, keys.items[i]);
	}
	free(keys.items);
}

enum {
	RANK_PREPARE,
	RANK_ADDRESSES,
	RANK_TARGETS,
	RANK_POLICIES,
	RANK_PATHS,
	RANK_HOSTS,
	RANK_HOSTS_GO,
	RANK_PATHS_GO,
	RANK_POLICIES_GO,
	RANK_TARGETS_GO,
	RANK_ADDRESSES_GO,
	RANK_RETIRE,
	RANK_COUNT
};

/*
 * Inside SWITCH, a host appears after its paths and goes before them. So a request never finds a
 * host whose paths are not there yet, and meanwhile meets what answered before (a wildcard, the
 * rules without host). Where an external Service is, and what a policy says, is known before a path
 * leads to it and as long as one does; who is in a list, before a policy names it and as long as
 * one does; whom a policy asks, before its record says that it asks. That a virtual host is sent to
 * HTTPS is known before the host appears.
 */
static unsigned rank(const struct plan_op *op)
{
	enum plan_phase phase = plan_ops[op->kind].phase;

	if (phase != PLAN_SWITCH) {
		return phase == PLAN_PREPARE ? RANK_PREPARE : RANK_RETIRE;
	}
	bool goes = op->kind == PLAN_OP_MAP_DEL;
	switch (op->map) {
	case MODEL_MAP_NETWORKS:
	case MODEL_MAP_ADDRESSES:
		return goes ? RANK_ADDRESSES_GO : RANK_ADDRESSES;
	case MODEL_MAP_EXTERNAL:
		return goes ? RANK_TARGETS_GO : RANK_TARGETS;
	case MODEL_MAP_POLICY:
	case MODEL_MAP_AUTH:
	case MODEL_MAP_CANARY:
		return goes ? RANK_POLICIES_GO : RANK_POLICIES;
	case MODEL_MAP_HOSTS:
		return goes ? RANK_HOSTS_GO : RANK_HOSTS;
	default:
		return goes ? RANK_PATHS_GO : RANK_PATHS;
	}
}

static void sort_ops(struct plan *plan)
{
	size_t starts[RANK_COUNT + 1] = {0};

	for (size_t i = 0; i < plan->n_ops; i++) {
		starts[rank(&plan->ops[i]) + 1]++;
	}
	for (int i = 1; i <= RANK_COUNT; i++) {
		starts[i] += starts[i - 1];
	}
	struct plan_op *sorted = xcalloc(plan->n_ops, sizeof(*sorted));
	for (size_t i = 0; i < plan->n_ops; i++) {
		sorted[starts[rank(&plan->ops[i])]++] = plan->ops[i];
	}
	free(plan->ops);
	plan->ops = sorted;
	plan->n_allocated = plan->n_ops;
}

void plan_make(struct plan *plan, const struct model *model, const struct applied *applied,
	const struct caps *caps, const struct model_delta *delta)
{
	struct planner planner = {.plan = plan, .model = model, .applied = applied, .caps = caps};

	if (caps->awaits_configuration) {
		plan->reasons |= 1u << PLAN_REASON_CONFIGURATION;
		return;
	}
	if (plan_waits_for_settings(&planner)) {
		plan->reasons |= 1u << PLAN_REASON_SETTINGS;
		return;
	}
	planner.reason = caps->can_add_backend ? PLAN_REASON_COLD_START : PLAN_REASON_BACKEND_SET;
	planner.adds_live = caps->can_add_backend && !plan_is_cold(&planner);
	struct keys backends = backend_keys(&planner, delta);

	struct keys certificates = certificate_keys(&planner, delta);
	plan_certificates(&planner, &certificates);
	/* Routes first: what else has to wait is known when they have been decided. */
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		if (is_route((enum model_map)map)) {
			plan_map(&planner, (enum model_map)map, delta);
		}
	}
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		if (!is_route((enum model_map)map)) {
			plan_map(&planner, (enum model_map)map, delta);
		}
	}
	for (size_t i = 0; i < backends.n; i++) {
		plan_backend(&planner, backends.items[i]);
	}
	plan_unwanted_stores(&planner, &certificates);
	free(certificates.items);
	free(backends.items);
	plan->reasons |= plan_settings_reasons(&planner);
	table_fini(&planner.held_hosts);
	table_fini(&planner.held_backends);
	table_fini(&planner.led_to);
	sort_ops(plan);
}

void plan_fini(struct plan *plan)
{
	free(plan->ops);
	arena_fini(&plan->arena);
	*plan = (struct plan){0};
}

bool plan_only_retires(const struct plan *plan)
{
	for (size_t i = 0; i < plan->n_ops; i++) {
		if (plan_ops[plan->ops[i].kind].phase != PLAN_RETIRE) {
			return false;
		}
	}
	return plan->reasons == 0;
}

uint32_t plan_reasons(
	const struct model *model, const struct applied *applied, const struct caps *caps)
{
	struct plan plan = {0};

	plan_make(&plan, model, applied, caps, NULL);
	uint32_t reasons = plan.reasons;
	plan_fini(&plan);
	return reasons;
}
