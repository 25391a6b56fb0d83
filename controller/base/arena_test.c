/* Memory of one plan: zeroed, aligned, and pieces never overlap, whatever their sizes. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/arena.h"

#define N_PIECES 3000

static size_t size_of_piece(size_t i)
{
	static const size_t sizes[] = {1, 15, 16, 17, 100, 4095, 4096, 4097, 20000, 3};

	return sizes[i % ARRAY_LEN(sizes)];
}

static void test_pieces(void **state)
{
	static unsigned char *pieces[N_PIECES];
	struct arena arena = {0};

	(void)state;
	for (size_t i = 0; i < N_PIECES; i++) {
		pieces[i] = arena_alloc(&arena, size_of_piece(i));
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		for (size_t j = 0; j < size_of_piece(i); j++) {
			assert_int_equal(pieces[i][j], 0);
		}
		memset(pieces[i], (int)(i % 251 + 1), size_of_piece(i));
	}
	for (size_t i = 0; i < N_PIECES; i++) {
		for (size_t j = 0; j < size_of_piece(i); j++) {
			assert_int_equal(pieces[i][j], i % 251 + 1);
		}
	}
	arena_fini(&arena);
}

static void test_strdup(void **state)
{
	struct arena arena = {0};
	char text[] = "shop.test";

	(void)state;
	char *copy = arena_strdup(&arena, text);
	char *empty = arena_strdup(&arena, "");
	text[0] = 'X';
	assert_string_equal(copy, "shop.test");
	assert_string_equal(empty, "");
	arena_fini(&arena);
	assert_null(arena.chunks);
	arena_fini(&arena);
	assert_string_equal(arena_strdup(&arena, "again"), "again");
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_strdup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
