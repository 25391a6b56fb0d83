/* See policies.h. */
#include "model/policies.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"
#include "model/policy.h"

struct list_node {
	uint32_t n_users; /* policies that name it, once for each time */
	char name[POLICY_LIST_SIZE];
	char addresses[];
};

struct list_entry {
	const struct list_node *list;
	char key[];
};

struct policy_node {
	struct ingress_node *ingress; /* NULL = it is a class's */
	struct service_node *service; /* NULL = the Service says nothing about requests */
	struct class_node *class;     /* of a class's */
	char *record;		      /* owned; NULL until it is written */
	struct list_node *lists[POLICY_LIST_COUNT];
	uint32_t n_slots;
	bool is_dirty; /* in the list of those to be written */
	struct policy_node *next_dirty;
	char id[];
};

static bool policy_has_id(const void *item, const void *id)
{
	return strcmp(((const struct policy_node *)item)->id, id) == 0;
}

static bool list_has_name(const void *item, const void *name)
{
	return strcmp(((const struct list_node *)item)->name, name) == 0;
}

static bool entry_has_key(const void *item, const void *key)
{
	return strcmp(((const struct list_entry *)item)->key, key) == 0;
}

/* ---- lists ---- */

struct entries {
	struct model *model;
	struct list_node *list;
};

static struct table *entries_of(struct model *model, enum model_map map)
{
	return map == MODEL_MAP_NETWORKS ? &model->networks : &model->addresses;
}

/* Two lists whose names have the same last 64 bits could meet in one key: then the first one keeps
 * it, and HAProxy sees that it is not the other's. */
static void add_entry(void *ctx, enum model_map map, const char *key)
{
	const struct entries *entries = ctx;
	struct table *table = entries_of(entries->model, map);

	if (table_find(table, hash_str(key), key, entry_has_key) == NULL) {
		size_t size = strlen(key) + 1;
		struct list_entry *entry = xmalloc(sizeof(*entry) + size);
		entry->list = entries->list;
		memcpy(entry->key, key, size);
		table_insert(table, hash_str(key), entry);
		model_touch_entry(entries->model, map, key);
	}
}

static void drop_entry(void *ctx, enum model_map map, const char *key)
{
	const struct entries *entries = ctx;
	struct table *table = entries_of(entries->model, map);
	struct list_entry *entry = table_find(table, hash_str(key), key, entry_has_key);

	if (entry != NULL && entry->list == entries->list) {
		table_remove(table, hash_str(key), key, entry_has_key);
		model_touch_entry(entries->model, map, key);
		free(entry);
	}
}

static struct list_node *list_take(struct model *model, const char *addresses)
{
	char name[POLICY_LIST_SIZE];

	if (addresses == NULL) {
		return NULL;
	}
	policy_name_list(name, addresses);
	struct list_node *list = table_find(&model->lists, hash_str(name), name, list_has_name);
	if (list == NULL) {
		size_t size = strlen(addresses) + 1;
		list = xcalloc(1, sizeof(*list) + size);
		memcpy(list->name, name, sizeof(name));
		memcpy(list->addresses, addresses, size);
		table_insert(&model->lists, hash_str(name), list);
		policy_list_entries(addresses, add_entry, &(struct entries){model, list});
	}
	list->n_users++;
	return list;
}

static void list_release(struct model *model, struct list_node *list)
{
	if (list == NULL || --list->n_users > 0) {
		return;
	}
	policy_list_entries(list->addresses, drop_entry, &(struct entries){model, list});
	table_remove(&model->lists, hash_str(list->name), list->name, list_has_name);
	free(list);
}

/* ---- policies ---- */

/* Names that the API server lets through hold nothing else; those of manifests may. */
static void append_name(struct buf *id, const char *name)
{
	char digest[CERT_DIGEST_SIZE];

	if (name[0] != '\0' &&
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name)) {
		buf_append_str(id, name);
		return;
	}
	certificate_digest(digest, &name, 1);
	buf_printf(id, "~%.16s", digest);
}

/* Whose is the policy of a claim? False = it has none. */
static bool find_owner(
	const struct model *model, const struct claim *claim, struct policy_node *ret_owner)
{
	struct class_node *class = claim->ingress->class;

	if (class == NULL) {
		return false;
	}
	if (policy_is_wanted(claim->service->options, false)) {
		ret_owner->service = claim->service;
	}
	if (ret_owner->service != NULL || policy_is_wanted(claim->ingress->options, false)) {
		/* Not the claim's own, which may be the one that is about to go. */
		ret_owner->ingress =
			model_find_ingress(model, claim->ingress->namespace, claim->ingress->name);
		assert(ret_owner->ingress != NULL);
		return true;
	}
	ret_owner->class = class;
	return policy_is_wanted(class->options, true);
}

static char *make_id(const struct policy_node *owner)
{
	struct buf id = BUF_INIT(0);

	if (owner->ingress == NULL) {
		buf_append_str(&id, "*/");
		append_name(&id, owner->class->name);
		return buf_take(&id);
	}
	append_name(&id, owner->ingress->namespace);
	buf_append_char(&id, '/');
	append_name(&id, owner->ingress->name);
	if (owner->service != NULL) {
		buf_append_char(&id, '/');
		append_name(&id, owner->service->name);
	}
	return buf_take(&id);
}

static void make_dirty(struct model *model, struct policy_node *policy)
{
	if (!policy->is_dirty) {
		policy->is_dirty = true;
		policy->next_dirty = model->dirty_policies;
		model->dirty_policies = policy;
	}
}

struct policy_node *policies_take(struct model *model, const struct claim *claim)
{
	struct policy_node owner = {0};

	if (!find_owner(model, claim, &owner)) {
		return NULL;
	}
	CLEANUP(free_ptr) char *id = make_id(&owner);
	struct policy_node *policy = table_find(&model->policies, hash_str(id), id, policy_has_id);
	if (policy == NULL) {
		size_t size = strlen(id) + 1;
		policy = xcalloc(1, sizeof(*policy) + size);
		memcpy(policy->id, id, size);
		table_insert(&model->policies, hash_str(id), policy);
		model_touch_entry(model, MODEL_MAP_POLICY, id);
	}
	policy->ingress = owner.ingress;
	policy->service = owner.service;
	policy->class = owner.class;
	policy->n_slots++;
	make_dirty(model, policy);
	return policy;
}

static void policy_free(struct policy_node *policy)
{
	free(policy->record);
	free(policy);
}

void policies_release(struct model *model, struct policy_node *policy)
{
	if (policy == NULL || --policy->n_slots > 0) {
		return;
	}
	table_remove(&model->policies, hash_str(policy->id), policy->id, policy_has_id);
	model_touch_entry(model, MODEL_MAP_POLICY, policy->id);
	for (int i = 0; i < POLICY_LIST_COUNT; i++) {
		list_release(model, policy->lists[i]);
	}
	/* The flush finds it in its list and frees it. */
	if (!policy->is_dirty) {
		policy_free(policy);
	}
}

const char *policies_id(const struct policy_node *policy)
{
	return policy->id;
}

static void write_policy(struct model *model, struct policy_node *node)
{
	const struct class_node *class = node->ingress ? node->ingress->class : node->class;
	const struct option_set *const sets[] = {node->service ? node->service->options : NULL,
		node->ingress ? node->ingress->options : NULL, class->options};
	struct policy policy;

	policy_write(&policy, node->id, sets, ARRAY_LEN(sets));
	for (int i = 0; i < POLICY_LIST_COUNT; i++) {
		struct list_node *old = node->lists[i];
		/* Taken before released, so that a list that stays is never dropped in between. */
		node->lists[i] = list_take(model, policy.lists[i]);
		list_release(model, old);
	}
	if (node->record == NULL || strcmp(node->record, policy.record) != 0) {
		model_touch_entry(model, MODEL_MAP_POLICY, node->id);
	}
	free(node->record);
	node->record = policy.record;
}

void policies_flush(struct model *model)
{
	struct policy_node *policy;

	while ((policy = model->dirty_policies) != NULL) {
		model->dirty_policies = policy->next_dirty;
		policy->is_dirty = false;
		if (policy->n_slots == 0) {
			policy_free(policy);
		} else {
			write_policy(model, policy);
		}
	}
}

/* ---- answers ---- */

const char *policies_find_entry(const struct model *model, enum model_map map, const char *key)
{
	if (map == MODEL_MAP_POLICY) {
		const struct policy_node *policy =
			table_find(&model->policies, hash_str(key), key, policy_has_id);
		return policy ? policy->record : NULL;
	}
	const struct list_entry *entry = table_find(
		entries_of((struct model *)model, map), hash_str(key), key, entry_has_key);
	return entry ? entry->list->name : NULL;
}

bool policies_next_entry(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value)
{
	if (map == MODEL_MAP_POLICY) {
		const struct policy_node *policy = table_next(&model->policies, position);
		if (policy != NULL) {
			*ret_key = policy->id;
			*ret_value = policy->record;
		}
		return policy != NULL;
	}
	const struct list_entry *entry =
		table_next(entries_of((struct model *)model, map), position);
	if (entry != NULL) {
		*ret_key = entry->key;
		*ret_value = entry->list->name;
	}
	return entry != NULL;
}

size_t policies_count(const struct model *model, enum model_map map)
{
	return map == MODEL_MAP_POLICY ? model->policies.n_items
				       : entries_of((struct model *)model, map)->n_items;
}

static void free_items(struct table *table)
{
	void *item;

	TABLE_FOREACH (table, item) {
		free(item);
	}
	table_fini(table);
}

void policies_free(struct model *model)
{
	struct policy_node *policy;

	assert(model->dirty_policies == NULL);
	TABLE_FOREACH (&model->policies, policy) {
		policy_free(policy);
	}
	table_fini(&model->policies);
	free_items(&model->lists);
	free_items(&model->networks);
	free_items(&model->addresses);
}
