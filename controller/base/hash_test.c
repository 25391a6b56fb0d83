/* Hashes: what depends on the seed and what does not, and that keys spread over small tables. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/hash.h"

static int reset_seed(void **state)
{
	(void)state;
	hash_seed(0);
	return 0;
}

static void test_same_input(void **state)
{
	(void)state;
	assert_int_equal(hash_str("shop.test"), hash_bytes("shop.test", 9));
	assert_int_equal(hash_bytes("", 0), hash_str(""));
	assert_true(hash_str("a") != hash_str("b"));
	assert_true(hash_bytes("a\0b", 3) != hash_bytes("a\0c", 3));
	/* Where one part ends and the next begins is part of a key of several parts. */
	assert_true(hash_more(hash_str("ab"), "c", 1) != hash_more(hash_str("a"), "bc", 2));
}

static void test_seed(void **state)
{
	uint32_t before = hash_str("shop.test");
	uint32_t more_before = hash_more(1, "x", 1);
	uint32_t stable_before = hash_stable("shop.test");

	(void)state;
	hash_seed(0x1234567890abcdefu);
	assert_true(hash_str("shop.test") != before);
	assert_true(hash_more(1, "x", 1) != more_before);
	assert_int_equal(hash_stable("shop.test"), stable_before);
	hash_seed(0);
	assert_int_equal(hash_str("shop.test"), before);
}

/* What is on disk depends on these: they must never change. */
static void test_stable(void **state)
{
	(void)state;
	assert_int_equal(hash_stable(""), 2238767700u);
	assert_int_equal(hash_stable("default_svc_web_80"), 185990899u);
}

/* Names that differ in one digit: no slot of 64 gets more than four times its share. */
static void test_spread(void **state)
{
	unsigned counts[64] = {0};

	(void)state;
	for (int i = 0; i < 6400; i++) {
		char name[32];
		snprintf(name, sizeof(name), "host-%d.example.test", i);
		counts[hash_str(name) % 64]++;
	}
	for (size_t i = 0; i < 64; i++) {
		assert_in_range(counts[i], 25, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_same_input, reset_seed),
		cmocka_unit_test_setup(test_seed, reset_seed),
		cmocka_unit_test_setup(test_stable, reset_seed),
		cmocka_unit_test_setup(test_spread, reset_seed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
