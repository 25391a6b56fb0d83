/* See table.h. Open addressing with linear probing; removal shifts later items back, so there are
 * no tombstones. */
#include "base/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define TABLE_MIN_SIZE 8

void table_fini(struct table *table)
{
	free(table->items);
	free(table->hashes);
	*table = (struct table){0};
}

static uint32_t first_slot(const struct table *table, uint32_t hash)
{
	return hash & (table->size - 1);
}

static uint32_t next_slot(const struct table *table, uint32_t slot)
{
	return (slot + 1) & (table->size - 1);
}

/* The slot of the item with this key, or table->size. */
static uint32_t find_slot(const struct table *table, uint32_t hash, const void *key, table_eq_fn eq)
{
	if (table->size == 0) {
		return 0;
	}
	uint32_t slot = first_slot(table, hash);
	while (table->items[slot] != NULL) {
		if (table->hashes[slot] == hash && eq(table->items[slot], key)) {
			return slot;
		}
		slot = next_slot(table, slot);
	}
	return table->size;
}

void *table_find(const struct table *table, uint32_t hash, const void *key, table_eq_fn eq)
{
	uint32_t slot = find_slot(table, hash, key, eq);

	return slot < table->size ? table->items[slot] : NULL;
}

static void place(struct table *table, uint32_t hash, void *item)
{
	uint32_t slot = first_slot(table, hash);

	while (table->items[slot] != NULL) {
		slot = next_slot(table, slot);
	}
	table->items[slot] = item;
	table->hashes[slot] = hash;
}

static void resize(struct table *table, uint32_t size)
{
	struct table old = *table;

	table->items = xcalloc(size, sizeof(*table->items));
	table->hashes = xcalloc(size, sizeof(*table->hashes));
	table->size = size;
	for (uint32_t i = 0; i < old.size; i++) {
		if (old.items[i] != NULL) {
			place(table, old.hashes[i], old.items[i]);
		}
	}
	table_fini(&old);
}

void table_insert(struct table *table, uint32_t hash, void *item)
{
	if (table->n_items + 1 > table->size - table->size / 4) {
		resize(table, table->size ? table->size * 2 : TABLE_MIN_SIZE);
	}
	place(table, hash, item);
	table->n_items++;
}

/* Is `slot` outside the cyclic range (hole, probe]? Then the item at `probe` may move into the
 * hole. */
static bool may_fill(uint32_t hole, uint32_t probe, uint32_t slot)
{
	if (hole <= probe) {
		return slot <= hole || slot > probe;
	}
	return slot <= hole && slot > probe;
}

void *table_remove(struct table *table, uint32_t hash, const void *key, table_eq_fn eq)
{
	uint32_t hole = find_slot(table, hash, key, eq);

	if (hole >= table->size) {
		return NULL;
	}
	void *item = table->items[hole];
	uint32_t probe = hole;
	for (;;) {
		table->items[hole] = NULL;
		do {
			probe = next_slot(table, probe);
			if (table->items[probe] == NULL) {
				table->n_items--;
				return item;
			}
		} while (!may_fill(hole, probe, first_slot(table, table->hashes[probe])));
		table->items[hole] = table->items[probe];
		table->hashes[hole] = table->hashes[probe];
		hole = probe;
	}
}

void *table_next(const struct table *table, uint32_t *position)
{
	while (*position < table->size) {
		void *item = table->items[(*position)++];
		if (item != NULL) {
			return item;
		}
	}
	return NULL;
}

void **table_sorted(const struct table *table, int (*compare)(const void *, const void *))
{
	void **items = xcalloc(table->n_items, sizeof(*items));
	uint32_t position = 0;
	size_t n = 0;
	void *item;

	while ((item = table_next(table, &position)) != NULL) {
		items[n++] = item;
	}
	if (n > 1) {
		qsort(items, n, sizeof(*items), compare);
	}
	return items;
}
