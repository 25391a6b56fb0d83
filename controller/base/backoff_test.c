/* The curve of client-go's reflector: 800 ms doubling to 30 s, stretched by 1 to 2, over again
 * after two quiet minutes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/attr.h"
#include "base/backoff.h"

static void init(struct backoff *backoff)
{
	backoff_init(backoff, BACKOFF_KUBE_FIRST_MS, BACKOFF_KUBE_MAX_MS, BACKOFF_KUBE_RESET_MS);
}

static void check_wait(struct backoff *backoff, uint64_t now_ms, uint32_t base_ms)
{
	assert_in_range(backoff_fail(backoff, now_ms), base_ms, 2 * base_ms);
}

static void test_curve(void **state)
{
	static const uint32_t bases_ms[] = {
		800, 1600, 3200, 6400, 12800, 25600, 30000, 30000, 30000};

	(void)state;
	for (uint64_t seed = 0; seed < 200; seed++) {
		struct backoff backoff;
		uint64_t now_ms = 0;
		init(&backoff);
		backoff_seed(&backoff, seed);
		for (size_t i = 0; i < ARRAY_LEN(bases_ms); i++) {
			check_wait(&backoff, now_ms, bases_ms[i]);
			now_ms += bases_ms[i];
		}
	}
}

/* The stretch uses the whole range, and different seeds do not keep step. */
static void test_jitter(void **state)
{
	uint32_t least = UINT32_MAX;
	uint32_t most = 0;
	unsigned n_same = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct backoff a;
		struct backoff b;
		uint32_t a_ms = 0;
		uint32_t b_ms = 0;
		init(&a);
		init(&b);
		backoff_seed(&a, seed * 0x9e3779b97f4a7c15u);
		backoff_seed(&b, (seed + 1000) * 0x9e3779b97f4a7c15u);
		for (int i = 0; i < 10; i++) {
			a_ms = backoff_fail(&a, 1000);
			b_ms = backoff_fail(&b, 1000);
		}
		n_same += a_ms == b_ms;
		least = a_ms < least ? a_ms : least;
		most = a_ms > most ? a_ms : most;
	}
	assert_in_range(least, 30000, 33000);
	assert_in_range(most, 57000, 60000);
	assert_in_range(n_same, 0, 5);
}

static void test_reset_after_quiet(void **state)
{
	struct backoff backoff;

	(void)state;
	init(&backoff);
	check_wait(&backoff, 1000, 800);
	check_wait(&backoff, 2000, 1600);
	/* Exactly two minutes is not yet longer than two minutes. */
	check_wait(&backoff, 122000, 3200);
	check_wait(&backoff, 242001, 800);
	check_wait(&backoff, 242002, 1600);
}

static void test_reset_by_hand(void **state)
{
	struct backoff backoff;

	(void)state;
	init(&backoff);
	check_wait(&backoff, 1, 800);
	check_wait(&backoff, 2, 1600);
	backoff_reset(&backoff);
	check_wait(&backoff, 3, 800);
	check_wait(&backoff, 4, 1600);
}

static void test_same_seed(void **state)
{
	struct backoff a;
	struct backoff b;

	(void)state;
	init(&a);
	init(&b);
	backoff_seed(&a, 42);
	backoff_seed(&b, 42);
	for (uint64_t i = 0; i < 20; i++) {
		assert_int_equal(backoff_fail(&a, i), backoff_fail(&b, i));
	}
}

/* A longest wait that is no power of two times the first. */
static void test_other_limits(void **state)
{
	struct backoff backoff;

	(void)state;
	backoff_init(&backoff, 500, 700, 1000);
	check_wait(&backoff, 0, 500);
	check_wait(&backoff, 0, 700);
	check_wait(&backoff, 0, 700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_curve),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_reset_after_quiet),
		cmocka_unit_test(test_reset_by_hand),
		cmocka_unit_test(test_same_seed),
		cmocka_unit_test(test_other_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
