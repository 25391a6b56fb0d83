/* See claim.h. Called by manifest.c; must not know of directories and files. */
#include "manifest/claim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/table.h"

struct claim_entry {
	struct claim *claim;
	struct claim_owner *owner;
	struct object *object; /* owned; NULL while the store has it */
	unsigned round;	       /* of the claims_replace() that last saw it */
};

/* Everybody who has an object of one name, the winner first. */
struct claim {
	enum kube_kind kind;
	char *namespace;
	char *name;
	struct claim_entry **entries;
	size_t n_entries;
};

struct claims {
	struct store *store;
	struct table by_key; /* struct claim */
	unsigned round;
};

struct claims *claims_new(struct store *store)
{
	struct claims *claims = xcalloc(1, sizeof(*claims));

	claims->store = store;
	return claims;
}

void claims_free(struct claims *claims)
{
	if (claims != NULL) {
		assert(claims->by_key.n_items == 0);
		table_fini(&claims->by_key);
		free(claims);
	}
}

/* ---- claims ---- */

static uint32_t hash_key(enum kube_kind kind, const char *namespace, const char *name)
{
	uint32_t hash = hash_more((uint32_t)kind, namespace, strlen(namespace));

	return hash_more(hash, name, strlen(name));
}

static bool claim_has_key(const void *item, const void *key)
{
	const struct claim *claim = item;
	const struct object *object = key;

	return claim->kind == object->kind && strcmp(claim->name, object_name(object)) == 0 &&
	       strcmp(claim->namespace, object_namespace(object)) == 0;
}

static bool claim_is_same(const void *item, const void *key)
{
	return item == key;
}

static struct claim *find_or_add_claim(struct claims *claims, const struct object *object)
{
	enum kube_kind kind = (enum kube_kind)object->kind;
	uint32_t hash = hash_key(kind, object_namespace(object), object_name(object));
	struct claim *claim = table_find(&claims->by_key, hash, object, claim_has_key);

	if (claim == NULL) {
		claim = xcalloc(1, sizeof(*claim));
		claim->kind = kind;
		claim->namespace = xstrdup(object_namespace(object));
		claim->name = xstrdup(object_name(object));
		table_insert(&claims->by_key, hash, claim);
	}
	return claim;
}

static void drop_claim(struct claims *claims, struct claim *claim)
{
	uint32_t hash = hash_key(claim->kind, claim->namespace, claim->name);

	table_remove(&claims->by_key, hash, claim, claim_is_same);
	free(claim->namespace);
	free(claim->name);
	free(claim->entries);
	free(claim);
}

/* ---- entries ---- */

static struct claim_entry *find_entry(const struct claim *claim, const struct claim_owner *owner)
{
	for (size_t i = 0; i < claim->n_entries; i++) {
		if (claim->entries[i]->owner == owner) {
			return claim->entries[i];
		}
	}
	return NULL;
}

static struct claim_entry *add_entry(struct claim *claim, struct claim_owner *owner)
{
	struct claim_entry *entry = xcalloc(1, sizeof(*entry));
	size_t slot = claim->n_entries;

	entry->claim = claim;
	entry->owner = owner;
	claim->entries = xreallocarray(claim->entries, claim->n_entries + 1, sizeof(entry));
	while (slot > 0 && strcmp(owner->name, claim->entries[slot - 1]->owner->name) < 0) {
		claim->entries[slot] = claim->entries[slot - 1];
		slot--;
	}
	claim->entries[slot] = entry;
	claim->n_entries++;
	owner->entries = xreallocarray(owner->entries, owner->n_entries + 1, sizeof(entry));
	owner->entries[owner->n_entries++] = entry;
	return entry;
}

/* Takes an entry out of its claim; the caller takes it out of its owner. */
static void free_entry(struct claims *claims, struct claim_entry *entry)
{
	struct claim *claim = entry->claim;
	size_t slot = 0;

	while (claim->entries[slot] != entry) {
		slot++;
	}
	claim->n_entries--;
	memmove(claim->entries + slot, claim->entries + slot + 1,
		(claim->n_entries - slot) * sizeof(struct claim_entry *));
	if (claim->n_entries == 0) {
		drop_claim(claims, claim);
	}
	object_free(entry->object);
	free(entry);
}

/* The store's object becomes the waiting one of a former winner. */
static void take_back(struct claims *claims, struct claim_entry *entry)
{
	const struct claim *claim = entry->claim;
	const struct object *stored =
		store_find(claims->store, claim->kind, claim->namespace, claim->name);

	assert(stored != NULL);
	entry->object = xmalloc(stored->size);
	memcpy(entry->object, stored, stored->size);
}

/* ---- an owner's new objects ---- */

static void report(
	struct claim_conflicts *conflicts, const struct claim *claim, const char *ignored)
{
	if (conflicts->n++ == 0) {
		conflicts->kind = claim->kind;
		conflicts->namespace = claim->namespace;
		conflicts->name = claim->name;
		conflicts->used = claim->entries[0]->owner->name;
		conflicts->ignored = ignored;
	}
}

/* Takes the object over. */
static void claim_object(struct claims *claims, struct claim_owner *owner, struct object *object,
	struct claim_conflicts *conflicts)
{
	struct claim *claim = find_or_add_claim(claims, object);
	struct claim_entry *entry = find_entry(claim, owner);

	if (entry != NULL && entry->round == claims->round) {
		report(conflicts, claim, owner->name);
		object_free(object);
		return;
	}
	if (entry == NULL) {
		entry = add_entry(claim, owner);
		if (claim->entries[0] == entry && claim->n_entries > 1) {
			take_back(claims, claim->entries[1]);
		}
	}
	entry->round = claims->round;
	if (claim->n_entries > 1) {
		size_t other = claim->entries[0] == entry;
		report(conflicts, claim, other ? claim->entries[1]->owner->name : owner->name);
	}
	if (claim->entries[0] == entry) {
		store_put(claims->store, object);
		return;
	}
	object_free(entry->object);
	entry->object = object;
}

/* The newest version of this object can't be used: the owner keeps what it has of it. */
static void keep_object(
	const struct claims *claims, const struct claim_owner *owner, const struct object *key)
{
	uint32_t hash =
		hash_key((enum kube_kind)key->kind, object_namespace(key), object_name(key));
	const struct claim *claim = table_find(&claims->by_key, hash, key, claim_has_key);
	struct claim_entry *entry = claim != NULL ? find_entry(claim, owner) : NULL;

	if (entry != NULL) {
		entry->round = claims->round;
	}
}

/* The owner has this object no more: the next owner's takes its place, or nothing. */
static void give_up(struct claims *claims, struct claim_entry *entry)
{
	struct claim *claim = entry->claim;

	if (claim->entries[0] == entry && claim->n_entries > 1) {
		store_put(claims->store, claim->entries[1]->object);
		claim->entries[1]->object = NULL;
	} else if (claim->entries[0] == entry) {
		store_remove(claims->store, claim->kind, claim->namespace, claim->name);
	}
	free_entry(claims, entry);
}

void claims_replace(struct claims *claims, struct claim_owner *owner, struct manifest_file *file,
	struct claim_conflicts *ret_conflicts)
{
	size_t n_kept = 0;

	*ret_conflicts = (struct claim_conflicts){0};
	claims->round++;
	for (size_t i = 0; i < file->n_objects; i++) {
		claim_object(claims, owner, file->objects[i], ret_conflicts);
		file->objects[i] = NULL;
	}
	for (size_t i = 0; i < file->n_refusals; i++) {
		keep_object(claims, owner, file->refusals[i].key);
	}
	for (size_t i = 0; i < owner->n_entries; i++) {
		if (owner->entries[i]->round == claims->round) {
			owner->entries[n_kept++] = owner->entries[i];
		} else {
			give_up(claims, owner->entries[i]);
		}
	}
	owner->n_entries = n_kept;
	if (n_kept == 0) {
		free(owner->entries);
		owner->entries = NULL;
	}
}

void claims_release(struct claims *claims, struct claim_owner *owner)
{
	for (size_t i = 0; i < owner->n_entries; i++) {
		free_entry(claims, owner->entries[i]);
	}
	free(owner->entries);
	owner->entries = NULL;
	owner->n_entries = 0;
}
