#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "auth/users.h"
#include "base/alloc.h"
#include "base/buf.h"

#define A "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"
#define B "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="

struct row {
	const char *pairs[9]; /* key, value, key, value, … */
	const char *text;     /* NULL = none */
	const char *fault;    /* a part of it; NULL = none */
};

static const struct row rows[] = {
	{{"joe", A}, "joe:" A "\n", NULL},
	{{"joe", A "\n", "ann", B "\r\n"}, "ann:" B "\njoe:" A "\n", NULL},
	{{"joe", A, "none", "", "nil", "\n"}, "joe:" A "\n", NULL},
	/* A user whose name is auth, and a file. */
	{{"auth", A}, "auth:" A "\n", NULL},
	{{"auth", "joe:" A}, "joe:" A "\n", NULL},
	{{"auth", "# x:y\n\njoe:" A "\r\nann:" B ":a comment\n"}, "ann:" B "\njoe:" A "\n", NULL},
	{{"auth", "j\xc3\xb6:" A "\n"}, "j\xc3\xb6:" A "\n", NULL},
	/* The first one, and before it a key. */
	{{"auth", "joe:" A "\njoe:" B "\n"}, "joe:" A "\n", NULL},
	{{"auth", "joe:" A "\n", "joe", B}, "joe:" B "\n", NULL},
	/* What is wrong with one leaves the others. */
	{{"joe", A, "bad", "plain"}, "joe:" A "\n", "the value of data[bad] is no hash"},
	{{"auth", "joe:plain\nann:" A "\n:" A "\nx y\n"}, "ann:" A "\n",
		"the hash in data[auth] line 1 is no hash of a kind that can be checked, or a "
		"password in plain text: store what `htpasswd -nB` or `mkpasswd` prints (and 2 "
		"more)"},
	{{"auth", "a\tb:" A "\n"}, NULL, "data[auth] line 1 has no user"},
	{{"password", "secret", "username", "joe"}, NULL, "data[password] is no hash"},
	{{NULL}, NULL, "it has no users"},
	{{"auth", "\n\n:"}, NULL, "line 3"},
};

static size_t make_pairs(const struct row *row, struct users_pair *pairs)
{
	size_t n = 0;

	for (; row->pairs[2 * n] != NULL; n++) {
		const char *value = row->pairs[2 * n + 1];
		pairs[n] = (struct users_pair){row->pairs[2 * n], value, strlen(value)};
	}
	return n;
}

static void check_row(const struct row *row, const struct users *users)
{
	bool is_text = row->text == NULL ? users->text == NULL
					 : users->text && strcmp(users->text, row->text) == 0;
	bool is_fault = row->fault == NULL
				? users->fault == NULL
				: users->fault && strstr(users->fault, row->fault) != NULL;

	if (!is_text || !is_fault) {
		fail_msg("%s: '%s', '%s'", row->pairs[0] ? row->pairs[0] : "", users->text,
			users->fault);
	}
	/* Never a part of what is stored. */
	assert_true(users->fault == NULL || strstr(users->fault, "plain\n") == NULL);
	assert_true(users->fault == NULL || strstr(users->fault, "secret") == NULL);
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct users_pair pairs[4];
		size_t n = make_pairs(&rows[i], pairs);
		struct users users;
		users_read(&users, pairs, n);
		check_row(&rows[i], &users);
		users_fini(&users);
		/* In another order it is the same. */
		for (size_t j = 0; j < n / 2; j++) {
			struct users_pair swapped = pairs[j];
			pairs[j] = pairs[n - 1 - j];
			pairs[n - 1 - j] = swapped;
		}
		users_read(&users, pairs, n);
		check_row(&rows[i], &users);
		users_fini(&users);
	}
}

static void test_limits(void **state)
{
	char name[USERS_MAX_NAME + 2];
	struct buf file = BUF_INIT(0);
	struct users users;

	(void)state;
	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	users_read(&users, &(struct users_pair){name, A, strlen(A)}, 1);
	assert_null(users.text);
	assert_non_null(strstr(users.fault, "shorten"));
	users_fini(&users);
	for (int i = 0; i < USERS_MAX + 2; i++) {
		buf_printf(&file, "u%d:" A "\n", i);
	}
	users_read(&users, &(struct users_pair){"auth", file.data, file.len}, 1);
	assert_int_equal(users.n, USERS_MAX);
	assert_non_null(strstr(users.fault, "more than 2000 users"));
	users_fini(&users);
	buf_fini(&file);
}

static void test_find(void **state)
{
	static const struct users_pair pair = {
		"auth", "jo:" A "\njoe:" B "\n", sizeof("jo:" A "\njoe:" B "\n") - 1};
	static const struct {
		const char *name;
		const char *hash;
	} found[] = {{"jo", A}, {"joe", B}, {"j", NULL}, {"joe:", NULL}, {"", NULL},
		{"joe:" B, NULL}, {"jo\n", NULL}};
	struct users users;

	(void)state;
	users_read(&users, &pair, 1);
	for (size_t i = 0; i < ARRAY_LEN(found); i++) {
		CLEANUP(free_ptr) char *hash = users_find(users.text, found[i].name);
		assert_true((hash == NULL) == (found[i].hash == NULL));
		assert_true(hash == NULL || strcmp(hash, found[i].hash) == 0);
	}
	CLEANUP(free_ptr) char *first = users_first(users.text);
	assert_string_equal(first, A);
	users_fini(&users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
