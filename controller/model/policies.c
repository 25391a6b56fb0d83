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
	struct secret_node *users; /* who alone may come in; NULL = everybody, or nobody */
	struct policy_node *prev_of_users;
	struct policy_node *next_of_users;
	struct auth *auth;     /* owned; NULL = nobody is asked */
	struct canary *canary; /* owned; NULL = no other Service takes requests */
	uint32_t n_slots;
	enum option_id lacking; /* struct policy */
	bool has_patterns;	/* names a file of patterns */
	bool is_dirty;		/* in the list of those to be written */
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
	if (ret_owner->service != NULL || policy_is_wanted(claim->ingress->options, false) ||
		sets_log_names_ingresses(class->options)) {
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

void policies_touch(struct model *model, struct policy_node *policy)
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
		policy->lacking = OPTION_COUNT;
		table_insert(&model->policies, hash_str(id), policy);
		model_touch_entry(model, MODEL_MAP_POLICY, id);
	}
	policy->ingress = owner.ingress;
	policy->service = owner.service;
	policy->class = owner.class;
	policy->n_slots++;
	policies_touch(model, policy);
	return policy;
}

static void policy_free(struct policy_node *policy)
{
	free(policy->record);
	free(policy);
}

/* ---- users ---- */

static void leave_users(struct model *model, struct policy_node *policy)
{
	struct secret_node *users = policy->users;

	if (users == NULL) {
		return;
	}
	if (policy->prev_of_users != NULL) {
		policy->prev_of_users->next_of_users = policy->next_of_users;
	} else {
		users->policies = policy->next_of_users;
	}
	if (policy->next_of_users != NULL) {
		policy->next_of_users->prev_of_users = policy->prev_of_users;
	}
	policy->prev_of_users = NULL;
	policy->next_of_users = NULL;
	policy->users = NULL;
	tls_release_secret(model, users);
}

/* `reference` is "namespace/name", "" or NULL. */
static void enter_users(struct model *model, const struct store *store, struct policy_node *policy,
	const char *reference)
{
	const char *slash = reference ? strchr(reference, '/') : NULL;

	if (slash == NULL) {
		leave_users(model, policy);
		return;
	}
	CLEANUP(free_ptr) char *namespace = xstrndup(reference, (size_t)(slash - reference));
	struct secret_node *users = tls_take_secret(model, store, namespace, slash + 1);
	/* Taken before the old one is left: one that stays is never dropped in between. */
	leave_users(model, policy);
	policy->users = users;
	policy->next_of_users = users->policies;
	if (users->policies != NULL) {
		users->policies->prev_of_users = policy;
	}
	users->policies = policy;
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
	leave_users(model, policy);
	if (policy->auth != NULL) {
		model_touch_entry(model, MODEL_MAP_AUTH, policy->id);
		auth_free(model, policy->auth);
		policy->auth = NULL;
	}
	if (policy->canary != NULL) {
		model_touch_entry(model, MODEL_MAP_CANARY, policy->id);
		canary_free(model, policy->canary);
		policy->canary = NULL;
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

#define N_SETS 3

static void collect_sets(const struct policy_node *node, const struct option_set *ret_sets[N_SETS])
{
	const struct class_node *class = node->ingress ? node->ingress->class : node->class;

	ret_sets[0] = node->service ? node->service->options : NULL;
	ret_sets[1] = node->ingress ? node->ingress->options : NULL;
	ret_sets[2] = class->options;
}

/* A class's policy is that of many. */
void policies_touch_ingresses(struct model *model, const struct policy_node *policy)
{
	const struct ingress_node *ingress = policy->ingress;

	if (ingress != NULL) {
		model_touch_ingress(model, ingress->namespace, ingress->name);
		return;
	}
	TABLE_FOREACH (&model->ingresses, ingress) {
		if (ingress->class == policy->class) {
			model_touch_ingress(model, ingress->namespace, ingress->name);
		}
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* A copy of what is said about it, to compare with what is said then. */
static struct auth shown(const struct auth *auth)
{
	struct auth copy = *auth;

	copy.name = xstrdup(auth->name);
	copy.value = auth->value ? xstrdup(auth->value) : NULL;
	return copy;
}

static void write_auth(struct model *model, const struct store *store, struct policy_node *node,
	const struct auth_owner *owner)
{
	struct auth *old = node->auth;
	struct auth before = old ? shown(old) : (struct auth){0};

	node->auth = auth_make(model, store, owner, old);
	if (!same_text(before.value, node->auth ? node->auth->value : NULL)) {
		model_touch_entry(model, MODEL_MAP_AUTH, node->id);
	}
	if (!auth_same_diag(old ? &before : NULL, node->auth)) {
		policies_touch_ingresses(model, node);
	}
	free(before.name);
	free(before.value);
}

static void write_canary(struct model *model, const struct store *store, struct policy_node *node)
{
	bool had_one = node->canary != NULL;
	CLEANUP(free_ptr)
	char *before =
		had_one && canary_value(node->canary) ? xstrdup(canary_value(node->canary)) : NULL;

	node->canary = canary_make(model, store, node, node->ingress, node->canary);
	if (!same_text(before, canary_value(node->canary))) {
		model_touch_entry(model, MODEL_MAP_CANARY, node->id);
	}
	if (had_one || node->canary != NULL) {
		policies_touch_ingresses(model, node);
	}
}

/* Nobody may come in: X before the other letters. */
static void close_record(char **record)
{
	char *closed = xasprintf("X%s", *record);

	free(*record);
	*record = closed;
}

static void write_policy(struct model *model, const struct store *store, struct policy_node *node)
{
	const struct option_set *sets[N_SETS];
	struct policy policy;

	collect_sets(node, sets);
	enter_users(model, store, node, policy_users(sets, N_SETS));
	const struct policy_owner owner = {
		node->id, node->users ? node->users->users_version : NULL, &model->patterns};
	policy_write(&policy, &owner, sets, N_SETS);
	node->lacking = policy.lacking;
	node->has_patterns = false;
	write_auth(model, store, node,
		&(struct auth_owner){node, node->ingress ? node->ingress->namespace : NULL,
			node->ingress ? node->ingress->class : node->class, sets, N_SETS});
	write_canary(model, store, node);
	if (auth_is_refused(node->auth)) {
		close_record(&policy.record);
	}
	for (int i = 0; i < POLICY_LIST_COUNT; i++) {
		struct list_node *old = node->lists[i];
		node->has_patterns |=
			patterns_is_name(option_first(policy_list_options[i], sets, N_SETS));
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

void policies_flush(struct model *model, const struct store *store)
{
	struct policy_node *policy;

	while ((policy = model->dirty_policies) != NULL) {
		model->dirty_policies = policy->next_dirty;
		policy->is_dirty = false;
		if (policy->n_slots == 0) {
			policy_free(policy);
		} else {
			write_policy(model, store, policy);
		}
	}
}

void policies_follow_secret(struct model *model, const struct secret_node *secret)
{
	for (struct policy_node *policy = secret->policies; policy != NULL;
		policy = policy->next_of_users) {
		policies_touch(model, policy);
		policies_touch_ingresses(model, policy);
	}
}

void policies_follow_patterns(struct model *model)
{
	struct policy_node *policy;

	TABLE_FOREACH (&model->policies, policy) {
		if (policy->has_patterns) {
			policies_touch(model, policy);
			policies_touch_ingresses(model, policy);
		}
	}
}

bool policies_patterns_diag(const struct policy_node *policy, struct diag *ret_diag)
{
	const struct option_set *sets[N_SETS];

	if (policy->lacking == OPTION_COUNT) {
		return false;
	}
	collect_sets(policy, sets);
	*ret_diag = (struct diag){DIAG_PATTERNS_MISSING,
		xstrdup(option_table[policy->lacking].name),
		xasprintf("is '%s', and there is no such file, or it can't be used: ask the "
			  "operator to look at the ConfigMap of --configmap-patternfiles; until "
			  "then %s",
			option_first(policy->lacking, sets, N_SETS),
			option_is_access(policy->lacking) ? "requests get 403"
							  : "every client has the limit")};
	return true;
}

static const char users_field[] = "auth-secret";

static char *no_users_text(const struct secret_node *users)
{
	if (users->is_known && users->state != SECRET_ABSENT) {
		return xasprintf("Secret %s/%s is of type kubernetes.io/tls and has no users: name "
				 "one of type Opaque; until then requests get 403",
			users->namespace, users->name);
	}
	if (users->is_unwatched) {
		return xasprintf("Secret %s/%s: " MODEL_UNWATCHED_FAULT
				 "; until then requests get 403",
			users->namespace, users->name);
	}
	return xasprintf("there is no Secret %s/%s: create it, with a key a user and a hash as its "
			 "value; until then requests get 403",
		users->namespace, users->name);
}

static bool secret_diag(const struct secret_node *users, struct diag *ret_diag)
{
	if (users->users_version == NULL && users->users_fault == NULL) {
		bool is_tls = users->is_known && users->state != SECRET_ABSENT;
		*ret_diag = (struct diag){is_tls ? DIAG_USERS_INVALID : DIAG_SECRET_MISSING,
			xstrdup(users_field), no_users_text(users)};
		return true;
	}
	if (users->users_fault != NULL) {
		*ret_diag = (struct diag){DIAG_USERS_INVALID, xstrdup(users_field),
			xasprintf("Secret %s/%s: %s; %s", users->namespace, users->name,
				users->users_fault,
				users->users_version ? "meanwhile its other users can come in"
						     : "until then requests get 403")};
		return true;
	}
	return false;
}

bool policies_users_diag(const struct policy_node *policy, struct diag *ret_diag)
{
	const struct option_set *sets[N_SETS];

	collect_sets(policy, sets);
	const char *reference = policy_users(sets, N_SETS);
	if (policy->users != NULL) {
		return secret_diag(policy->users, ret_diag);
	}
	/* Somebody has been told why already. */
	if (policy->ingress != NULL && policy->ingress->options != NULL &&
		policy->ingress->options->is_closed) {
		return false;
	}
	if (reference != NULL) {
		*ret_diag = (struct diag){DIAG_USERS_INVALID, xstrdup(users_field),
			xstrdup("auth-type asks for users and auth-secret names none: name a "
				"Secret, or remove auth-type; until then requests get 403")};
		return true;
	}
	/* One of the class waits for those that want it. */
	if (option_first(OPTION_AUTH_SECRET, sets, N_SETS - 1) != NULL) {
		*ret_diag = (struct diag){DIAG_USERS_INVALID, xstrdup(users_field),
			xstrdup("auth-secret does nothing without auth-type, everybody may come "
				"in: set auth-type to basic-auth")};
		return true;
	}
	return false;
}

bool model_find_users(const struct model *model, const char *policy, struct model_users *ret_users)
{
	const struct policy_node *node =
		table_find(&model->policies, hash_str(policy), policy, policy_has_id);

	if (node == NULL || node->users == NULL || node->users->users_version == NULL) {
		return false;
	}
	*ret_users = (struct model_users){.namespace = node->users->namespace,
		.secret = node->users->name,
		.version = node->users->users_version};
	policy_name_users(ret_users->name, policy, node->users->users_version);
	return true;
}

/* ---- answers ---- */

const struct auth *policies_auth(const struct policy_node *policy)
{
	return policy ? policy->auth : NULL;
}

const struct canary *policies_canary(const struct policy_node *policy)
{
	return policy ? policy->canary : NULL;
}

const struct ingress_node *policies_ingress(const struct policy_node *policy)
{
	return policy->ingress;
}

bool policies_is_of_class(const struct policy_node *policy)
{
	return policy->ingress == NULL;
}

/* Its value in one of the maps that have policies as keys; NULL = it has no entry. */
static const char *value_of(const struct policy_node *policy, enum model_map map)
{
	if (map == MODEL_MAP_POLICY) {
		return policy->record;
	}
	if (map == MODEL_MAP_CANARY) {
		return canary_value(policy->canary);
	}
	return policy->auth ? policy->auth->value : NULL;
}

static bool is_by_id(enum model_map map)
{
	return map == MODEL_MAP_POLICY || map == MODEL_MAP_AUTH || map == MODEL_MAP_CANARY;
}

const char *policies_find_entry(const struct model *model, enum model_map map, const char *key)
{
	if (is_by_id(map)) {
		const struct policy_node *policy =
			table_find(&model->policies, hash_str(key), key, policy_has_id);
		return policy ? value_of(policy, map) : NULL;
	}
	const struct list_entry *entry = table_find(
		entries_of((struct model *)model, map), hash_str(key), key, entry_has_key);
	return entry ? entry->list->name : NULL;
}

static bool next_policy(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value)
{
	const struct policy_node *policy;

	do {
		policy = table_next(&model->policies, position);
	} while (policy != NULL && value_of(policy, map) == NULL);
	if (policy != NULL) {
		*ret_key = policy->id;
		*ret_value = value_of(policy, map);
	}
	return policy != NULL;
}

bool policies_next_entry(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value)
{
	if (is_by_id(map)) {
		return next_policy(model, map, position, ret_key, ret_value);
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
	if (map == MODEL_MAP_AUTH) {
		return model->n_auths;
	}
	if (map == MODEL_MAP_CANARY) {
		return model->n_canaries;
	}
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
		if (policy->auth != NULL) {
			free(policy->auth->value);
			free(policy->auth->name);
			free(policy->auth);
		}
		if (policy->canary != NULL) {
			free(policy->canary->value);
			free(policy->canary->port);
			free(policy->canary);
		}
		policy_free(policy);
	}
	table_fini(&model->policies);
	free_items(&model->lists);
	free_items(&model->networks);
	free_items(&model->addresses);
}
