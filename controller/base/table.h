/*
 * A hash table of pointers to items that belong to somebody else.
 *
 * Twelve bytes a slot at a load of at most 3/4: an intrusive handle as uthash has it takes 56 bytes
 * an item, which for a controller that keeps a dozen small items an Ingress would be more than the
 * items themselves. Order of iteration is unspecified: whatever leaves the program is sorted first.
 */
#ifndef HG_BASE_TABLE_H
#define HG_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* Does this item have this key? */
typedef bool (*table_eq_fn)(const void *item, const void *key);

struct table {
	void **items;	  /* NULL = free slot */
	uint32_t *hashes; /* hash of the item in the same slot */
	uint32_t size;	  /* slots: 0 or a power of two */
	uint32_t n_items; /* slots in use */
};

void table_fini(struct table *table);

/* The item with this key, or NULL. */
void *table_find(
	const struct table *table, uint32_t hash, const void *key, table_eq_fn eq) MUST_USE;

/* The caller has made sure that no item with the same key is there. */
void table_insert(struct table *table, uint32_t hash, void *item);

/* Takes the item with this key out and returns it, or NULL. */
void *table_remove(struct table *table, uint32_t hash, const void *key, table_eq_fn eq);

/*
 * Steps through all items: start with *position = 0, ends with NULL. The table must not change
 * meanwhile.
 */
void *table_next(const struct table *table, uint32_t *position);

/* All items in a new array of n_items pointers, sorted with `compare`; the caller frees the array.
 */
void **table_sorted(const struct table *table, int (*compare)(const void *, const void *)) MUST_USE;

#define TABLE_FOREACH(table, item)                                                                 \
	for (uint32_t table_position_ = 0;                                                         \
		((item) = table_next((table), &table_position_)) != NULL;)

#endif
