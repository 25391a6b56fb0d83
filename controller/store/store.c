/*
 * See store.h. Objects are found by namespace and name, and EndpointSlices also by the Service that
 * they belong to, as that is the only question anybody asks about them.
 */
#include "store/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/table.h"
#include "kube/secret.h"

/* The EndpointSlices of one Service. Nearly always there is one, so one has its place here. */
struct slice_group {
	const struct endpoint_slice *only;    /* when n_slices is 1 */
	const struct endpoint_slice **slices; /* when there are more; else NULL */
	size_t n_slices;
	char *service; /* behind the namespace in the same allocation */
	char namespace[];
};

/* What one complete list covers: a kind, or a namespace of one. */
struct scope {
	char *namespace; /* NULL = all */
	uint32_t mark;	 /* objects put since its store_begin_list_in() carry it */
	bool is_known;
};

struct store {
	struct table objects[KUBE_KIND_COUNT]; /* struct object, by namespace and name */
	struct table groups;		       /* struct slice_group, by namespace and Service */
	struct table touched;		     /* struct store_change, by kind, namespace and name */
	struct scope whole[KUBE_KIND_COUNT]; /* of kinds that are not split */
	struct scope *split[KUBE_KIND_COUNT];
	size_t n_split[KUBE_KIND_COUNT]; /* 0 = not split */
	bool is_held;
	store_wake_fn wake;
	void *wake_ctx;
	store_status_fn on_status;
	void *on_status_ctx;
};

struct key {
	const char *namespace;
	const char *name;
};

static uint32_t hash_key(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

static bool object_has_key(const void *item, const void *key_ptr)
{
	const struct object *object = item;
	const struct key *key = key_ptr;

	return strcmp(object_name(object), key->name) == 0 &&
	       strcmp(object_namespace(object), key->namespace) == 0;
}

static bool group_has_key(const void *item, const void *key_ptr)
{
	const struct slice_group *group = item;
	const struct key *key = key_ptr;

	return strcmp(group->service, key->name) == 0 &&
	       strcmp(group->namespace, key->namespace) == 0;
}

static int compare_changes(const struct store_change *a, const struct store_change *b)
{
	if (a->kind != b->kind) {
		return a->kind < b->kind ? -1 : 1;
	}
	int order = strcmp(a->namespace, b->namespace);
	return order != 0 ? order : strcmp(a->name, b->name);
}

static bool change_has_key(const void *item, const void *key_ptr)
{
	return compare_changes(item, key_ptr) == 0;
}

struct store *store_new(void)
{
	return xcalloc(1, sizeof(struct store));
}

static void free_change(struct store_change *change)
{
	free(change->namespace);
	free(change->name);
}

void store_free(struct store *store)
{
	struct slice_group *group;
	struct store_change *change;
	struct object *object;

	if (store == NULL) {
		return;
	}
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		TABLE_FOREACH (&store->objects[kind], object) {
			object_free(object);
		}
		table_fini(&store->objects[kind]);
		for (size_t i = 0; i < store->n_split[kind]; i++) {
			free(store->split[kind][i].namespace);
		}
		free(store->split[kind]);
	}
	TABLE_FOREACH (&store->groups, group) {
		free(group->slices);
		free(group);
	}
	table_fini(&store->groups);
	TABLE_FOREACH (&store->touched, change) {
		free_change(change);
		free(change);
	}
	table_fini(&store->touched);
	free(store);
}

void store_on_change(struct store *store, store_wake_fn wake, void *ctx)
{
	store->wake = wake;
	store->wake_ctx = ctx;
}

void store_on_status(struct store *store, store_status_fn on_status, void *ctx)
{
	store->on_status = on_status;
	store->on_status_ctx = ctx;
}

static void touch(struct store *store, enum kube_kind kind, const char *namespace, const char *name)
{
	struct store_change key = {kind, (char *)namespace, (char *)name};
	uint32_t hash = hash_key(namespace, name) + (uint32_t)kind;

	if (table_find(&store->touched, hash, &key, change_has_key) != NULL) {
		return;
	}
	struct store_change *change = xmalloc(sizeof(*change));
	*change = (struct store_change){kind, xstrdup(namespace), xstrdup(name)};
	table_insert(&store->touched, hash, change);
	if (store->touched.n_items == 1 && store->wake != NULL) {
		store->wake(store->wake_ctx);
	}
}

/* A slice is touched as "the endpoints of its Service". */
static void touch_object(struct store *store, const struct object *object)
{
	const char *name = object_name(object);

	if (object->kind == KUBE_ENDPOINT_SLICE) {
		name = obj_str(object, ((const struct endpoint_slice *)object)->service);
	}
	touch(store, (enum kube_kind)object->kind, object_namespace(object), name);
}

static struct slice_group *find_group(
	const struct store *store, const char *namespace, const char *service)
{
	struct key key = {namespace, service};

	return table_find(&store->groups, hash_key(namespace, service), &key, group_has_key);
}

static void group_add(struct store *store, const struct endpoint_slice *slice)
{
	const char *namespace = object_namespace(&slice->head);
	const char *service = obj_str(slice, slice->service);
	struct slice_group *group = find_group(store, namespace, service);

	if (group == NULL) {
		size_t namespace_size = strlen(namespace) + 1;
		size_t service_size = strlen(service) + 1;

		group = xcalloc(1, sizeof(*group) + namespace_size + service_size);
		memcpy(group->namespace, namespace, namespace_size);
		group->service = group->namespace + namespace_size;
		memcpy(group->service, service, service_size);
		table_insert(&store->groups, hash_key(namespace, service), group);
	}
	if (group->n_slices == 0) {
		group->only = slice;
	} else {
		group->slices = xreallocarray(
			group->slices, group->n_slices + 1, sizeof(struct endpoint_slice *));
		group->slices[0] = group->n_slices == 1 ? group->only : group->slices[0];
		group->slices[group->n_slices] = slice;
	}
	group->n_slices++;
}

static void group_remove(struct store *store, const struct endpoint_slice *slice)
{
	const char *namespace = object_namespace(&slice->head);
	const char *service = obj_str(slice, slice->service);
	struct slice_group *group = find_group(store, namespace, service);
	struct key key = {namespace, service};

	assert(group != NULL);
	group->n_slices--;
	for (size_t i = 0; i < group->n_slices; i++) {
		if (group->slices[i] == slice) {
			group->slices[i] = group->slices[group->n_slices];
			break;
		}
	}
	if (group->n_slices == 1) {
		group->only = group->slices[0];
		free(group->slices);
		group->slices = NULL;
	}
	if (group->n_slices == 0) {
		table_remove(&store->groups, hash_key(namespace, service), &key, group_has_key);
		free(group->slices);
		free(group);
	}
}

/* Takes an object out of every index and frees it. */
static void drop(struct store *store, struct object *object)
{
	struct key key = {object_namespace(object), object_name(object)};

	if (object->kind == KUBE_ENDPOINT_SLICE) {
		group_remove(store, (const struct endpoint_slice *)object);
	}
	table_remove(&store->objects[object->kind], hash_key(key.namespace, key.name), &key,
		object_has_key);
	object_free(object);
}

void store_split(struct store *store, enum kube_kind kind, const char *const *namespaces, size_t n)
{
	assert(store->n_split[kind] == 0 && store->objects[kind].n_items == 0);
	store->split[kind] = xcalloc(n, sizeof(struct scope));
	store->n_split[kind] = n;
	for (size_t i = 0; i < n; i++) {
		store->split[kind][i].namespace = xstrdup(namespaces[i]);
	}
}

/* NULL = outside. Namespaces are few. */
static struct scope *find_scope(struct store *store, enum kube_kind kind, const char *namespace)
{
	if (store->n_split[kind] == 0) {
		return &store->whole[kind];
	}
	for (size_t i = 0; i < store->n_split[kind]; i++) {
		if (strcmp(store->split[kind][i].namespace, namespace) == 0) {
			return &store->split[kind][i];
		}
	}
	return NULL;
}

bool store_takes(const struct store *store, enum kube_kind kind, const char *namespace)
{
	return find_scope((struct store *)store, kind, namespace) != NULL;
}

/* The new version takes the old one's place, and no key is touched. */
static void replace_status(
	struct store *store, struct object *old, struct object *object, uint32_t mark)
{
	object->mark = mark;
	drop(store, old);
	table_insert(&store->objects[object->kind],
		hash_key(object_namespace(object), object_name(object)), object);
	if (store->on_status != NULL) {
		store->on_status(
			store->on_status_ctx, object_namespace(object), object_name(object));
	}
}

/* A Secret that can't be used keeps the content that could. */
static struct object *with_last_good(struct object *object, const struct object *old)
{
	if (object->kind != KUBE_SECRET || old == NULL) {
		return object;
	}
	struct object *kept =
		secret_keep_last_good((const struct secret *)object, (const struct secret *)old);
	if (kept != NULL) {
		object_free(object);
		return kept;
	}
	return object;
}

bool store_put(struct store *store, struct object *object)
{
	struct table *table = &store->objects[object->kind];
	struct key key = {object_namespace(object), object_name(object)};
	uint32_t hash = hash_key(key.namespace, key.name);
	struct object *old = table_find(table, hash, &key, object_has_key);
	const struct scope *scope = find_scope(store, (enum kube_kind)object->kind, key.namespace);

	if (scope == NULL) {
		object_free(object);
		return false;
	}
	object = with_last_good(object, old);
	if (old != NULL && object_equals(old, object)) {
		old->mark = scope->mark;
		object_free(object);
		return false;
	}
	if (old != NULL && object_differs_in_status(old, object)) {
		replace_status(store, old, object, scope->mark);
		return false;
	}
	if (old != NULL) {
		/* A slice may have moved to another Service: both are touched. */
		touch_object(store, old);
		drop(store, old);
	}
	object->mark = scope->mark;
	table_insert(table, hash, object);
	if (object->kind == KUBE_ENDPOINT_SLICE) {
		group_add(store, (const struct endpoint_slice *)object);
	}
	touch_object(store, object);
	return true;
}

/* A Secret stays, with what it last held, until store_forget(). False = nothing changed. */
static bool take_away(struct store *store, struct object *object)
{
	if (object->kind == KUBE_SECRET && ((struct secret *)object)->state == SECRET_ABSENT) {
		return false;
	}
	if (object->kind == KUBE_SECRET) {
		struct object *kept = secret_without_object((const struct secret *)object);
		if (kept != NULL) {
			store_put(store, kept);
			return true;
		}
	}
	touch_object(store, object);
	drop(store, object);
	return true;
}

bool store_remove(struct store *store, enum kube_kind kind, const char *namespace, const char *name)
{
	struct key key = {namespace, name};
	struct object *object =
		table_find(&store->objects[kind], hash_key(namespace, name), &key, object_has_key);

	return object != NULL && take_away(store, object);
}

void store_forget(struct store *store, enum kube_kind kind, const char *namespace, const char *name)
{
	struct key key = {namespace, name};
	struct object *object =
		table_find(&store->objects[kind], hash_key(namespace, name), &key, object_has_key);

	if (object != NULL) {
		touch_object(store, object);
		drop(store, object);
	}
}

void store_begin_list_in(struct store *store, enum kube_kind kind, const char *namespace)
{
	struct scope *scope = find_scope(store, kind, namespace);

	assert(scope != NULL);
	scope->mark++;
}

/* The list of Secrets is one of certificates: it says nothing of others. */
static bool is_of_list(const struct object *object)
{
	const struct secret *secret = (const struct secret *)object;

	return object->kind != KUBE_SECRET || !obj_has(secret->type) ||
	       strcmp(obj_str(secret, secret->type), SECRET_TYPE_TLS) == 0;
}

static bool is_within(const struct scope *scope, const struct object *object)
{
	if (!is_of_list(object)) {
		return false;
	}
	return scope->namespace == NULL || strcmp(scope->namespace, object_namespace(object)) == 0;
}

static void set_known(struct store *store, struct scope *scope)
{
	bool was_complete = store_is_complete(store);
	bool had_others = store_lacks_only(store, KUBE_SECRET);

	scope->is_known = true;
	/* An empty cluster touches nothing, and yet the first pass must run. */
	bool is_news = (!was_complete && store_is_complete(store)) ||
		       (!had_others && store_lacks_only(store, KUBE_SECRET));
	if (is_news && store->wake != NULL) {
		store->wake(store->wake_ctx);
	}
}

size_t store_end_list_in(struct store *store, enum kube_kind kind, const char *namespace)
{
	struct table *table = &store->objects[kind];
	struct object **gone = xcalloc(table->n_items, sizeof(struct object *));
	struct scope *scope = find_scope(store, kind, namespace);
	struct object *object;
	size_t n_gone = 0;

	assert(scope != NULL);
	TABLE_FOREACH (table, object) {
		if (object->mark != scope->mark && is_within(scope, object)) {
			gone[n_gone++] = object;
		}
	}
	size_t n_taken = 0;
	for (size_t i = 0; i < n_gone; i++) {
		n_taken += take_away(store, gone[i]);
	}
	free(gone);
	set_known(store, scope);
	return n_taken;
}

void store_set_known(struct store *store, enum kube_kind kind)
{
	for (size_t i = 0; i < store->n_split[kind]; i++) {
		set_known(store, &store->split[kind][i]);
	}
	set_known(store, &store->whole[kind]);
}

bool store_lacks_only(const struct store *store, enum kube_kind kind)
{
	for (int other = 0; other < KUBE_KIND_COUNT; other++) {
		if (store_is_known(store, (enum kube_kind)other) == (other == (int)kind)) {
			return false;
		}
	}
	return true;
}

bool store_is_complete(const struct store *store)
{
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		if (!store_is_known(store, (enum kube_kind)kind)) {
			return false;
		}
	}
	return true;
}

bool store_is_known(const struct store *store, enum kube_kind kind)
{
	for (size_t i = 0; i < store->n_split[kind]; i++) {
		if (!store->split[kind][i].is_known) {
			return false;
		}
	}
	return store->n_split[kind] > 0 || store->whole[kind].is_known;
}

static int compare_change_pointers(const void *a, const void *b)
{
	return compare_changes(*(struct store_change *const *)a, *(struct store_change *const *)b);
}

void store_hold(struct store *store, bool is_held)
{
	store->is_held = is_held;
	if (!is_held && store->touched.n_items > 0 && store->wake != NULL) {
		store->wake(store->wake_ctx);
	}
}

void store_wake(struct store *store)
{
	if (store->wake != NULL) {
		store->wake(store->wake_ctx);
	}
}

bool store_is_held(const struct store *store)
{
	return store->is_held;
}

struct store_changes store_take_changes(struct store *store)
{
	if (store->is_held) {
		return (struct store_changes){0};
	}
	struct store_change **sorted =
		(struct store_change **)table_sorted(&store->touched, compare_change_pointers);
	struct store_changes changes = {.n = store->touched.n_items};

	changes.items = xcalloc(changes.n, sizeof(*changes.items));
	for (size_t i = 0; i < changes.n; i++) {
		changes.items[i] = *sorted[i];
		free(sorted[i]);
	}
	free(sorted);
	table_fini(&store->touched);
	return changes;
}

void store_changes_fini(struct store_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		free_change(&changes->items[i]);
	}
	free(changes->items);
	*changes = (struct store_changes){0};
}

struct store_changes store_all_keys(const struct store *store)
{
	struct store scratch = {0};
	const struct object *object;

	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		TABLE_FOREACH (&store->objects[kind], object) {
			touch_object(&scratch, object);
		}
	}
	return store_take_changes(&scratch);
}

const struct object *store_find(
	const struct store *store, enum kube_kind kind, const char *namespace, const char *name)
{
	struct key key = {namespace, name};

	return table_find(&store->objects[kind], hash_key(namespace, name), &key, object_has_key);
}

const struct endpoint_slice *const *store_slices(
	const struct store *store, const char *namespace, const char *service, size_t *ret_n)
{
	const struct slice_group *group = find_group(store, namespace, service);

	*ret_n = group ? group->n_slices : 0;
	if (group == NULL) {
		return NULL;
	}
	return group->n_slices == 1 ? &group->only : group->slices;
}

const struct object *store_next(const struct store *store, enum kube_kind kind, uint32_t *position)
{
	return table_next(&store->objects[kind], position);
}

size_t store_count(const struct store *store, enum kube_kind kind)
{
	return store->objects[kind].n_items;
}
