/*
 * The hash table against a naive model: an array that says which keys are in. Small tables with few
 * home slots make clusters that run over the end, which is where removal by shifting back goes
 * wrong if it does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/alloc.h"
#include <stdlib.h>
#include <string.h>

#include "base/table.h"

#define MAX_KEYS 2000

struct thing {
	unsigned key;
	uint32_t hash;
	bool is_in;
	unsigned n_seen;
};

struct bench {
	struct table table;
	struct thing things[MAX_KEYS];
	unsigned n_keys;
	uint32_t n_in;
	uint64_t random;
};

static uint32_t next_random(struct bench *bench)
{
	bench->random = bench->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(bench->random >> 33);
}

static bool has_key(const void *item, const void *key)
{
	return ((const struct thing *)item)->key == *(const unsigned *)key;
}

static int by_key(const void *a, const void *b)
{
	const struct thing *left = *(struct thing *const *)a;
	const struct thing *right = *(struct thing *const *)b;

	return left->key < right->key ? -1 : left->key > right->key;
}

static struct bench *bench_new(unsigned n_keys, uint32_t (*hash)(unsigned key), uint64_t seed)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));

	assert_non_null(bench);
	bench->n_keys = n_keys;
	bench->random = seed;
	for (unsigned i = 0; i < n_keys; i++) {
		bench->things[i] = (struct thing){.key = i, .hash = hash(i)};
	}
	return bench;
}

static void bench_free(struct bench *bench)
{
	table_fini(&bench->table);
	assert_null(bench->table.items);
	free(bench);
}

static void find_each(struct bench *bench)
{
	for (unsigned i = 0; i < bench->n_keys; i++) {
		struct thing *thing = &bench->things[i];
		void *found = table_find(&bench->table, thing->hash, &i, has_key);
		assert_ptr_equal(found, thing->is_in ? thing : NULL);
		thing->n_seen = 0;
	}
}

static void step_through(struct bench *bench)
{
	struct thing *thing;
	uint32_t n = 0;

	TABLE_FOREACH (&bench->table, thing) {
		assert_true(thing->is_in);
		assert_int_equal(thing->n_seen++, 0);
		n++;
	}
	assert_int_equal(n, bench->n_in);
}

static void check(struct bench *bench)
{
	const struct table *table = &bench->table;

	assert_int_equal(table->n_items, bench->n_in);
	assert_true(table->size == 0 || (table->size & (table->size - 1)) == 0);
	assert_true(table->n_items <= table->size - table->size / 4);
	find_each(bench);
	step_through(bench);
	struct thing **sorted = (struct thing **)table_sorted(table, by_key);
	for (uint32_t i = 1; i < table->n_items; i++) {
		assert_true(sorted[i - 1]->key < sorted[i]->key);
	}
	free(sorted);
}

static void turn(struct bench *bench, struct thing *thing)
{
	if (thing->is_in) {
		assert_ptr_equal(
			table_remove(&bench->table, thing->hash, &thing->key, has_key), thing);
		bench->n_in--;
	} else {
		assert_null(table_remove(&bench->table, thing->hash, &thing->key, has_key));
		table_insert(&bench->table, thing->hash, thing);
		bench->n_in++;
	}
	thing->is_in = !thing->is_in;
}

static void run(unsigned n_keys, uint32_t (*hash)(unsigned key), unsigned n_steps)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct bench *bench = bench_new(n_keys, hash, seed);
		for (unsigned i = 0; i < n_steps; i++) {
			turn(bench, &bench->things[next_random(bench) % n_keys]);
			check(bench);
		}
		bench_free(bench);
	}
}

/* All in the last slots of a table of eight: every cluster wraps. */
static uint32_t hash_to_the_end(unsigned key)
{
	return 0xfffffff8u | (6 + key % 2);
}

static uint32_t hash_same(unsigned key)
{
	(void)key;
	return 7;
}

static uint32_t hash_few(unsigned key)
{
	return key * 5 % 16;
}

static uint32_t hash_spread(unsigned key)
{
	return (key + 1) * 2654435761u;
}

static void test_wrap_around(void **state)
{
	(void)state;
	run(6, hash_to_the_end, 400);
	run(12, hash_to_the_end, 400);
	run(6, hash_same, 400);
}

static void test_clusters(void **state)
{
	(void)state;
	run(12, hash_few, 400);
	run(40, hash_few, 400);
}

static void test_growth(void **state)
{
	struct bench *bench = bench_new(MAX_KEYS, hash_spread, 7);

	(void)state;
	for (unsigned i = 0; i < MAX_KEYS; i++) {
		turn(bench, &bench->things[i]);
		if (i % 100 == 0) {
			check(bench);
		}
	}
	check(bench);
	for (unsigned i = 0; i < MAX_KEYS; i++) {
		turn(bench, &bench->things[(i * 7) % MAX_KEYS]);
		if (i % 100 == 0) {
			check(bench);
		}
	}
	assert_int_equal(bench->table.n_items, 0);
	bench_free(bench);
}

static void test_empty(void **state)
{
	struct table table = {0};
	unsigned key = 1;
	uint32_t position = 0;

	(void)state;
	assert_null(table_find(&table, 1, &key, has_key));
	assert_null(table_remove(&table, 1, &key, has_key));
	assert_null(table_next(&table, &position));
	free(table_sorted(&table, by_key));
	table_fini(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_wrap_around),
		cmocka_unit_test(test_clusters),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
