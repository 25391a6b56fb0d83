/*
 * Component tests of haproxy/encode against a real HAProxy: keys that would do something else than
 * be stored if they were written into a command as they are.
 */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/*
 * Sends an entry with this key if encode_op() lets it pass, and then takes it away again: HAProxy
 * must have exactly this one more, and afterwards what it had.
 */
static bool try_key(struct test *test, const char *key)
{
	struct plan_op add = ENTRY(ADD, EXACT, key, "t_svc_old_80");
	struct plan_op del = ENTRY(DEL, EXACT, key, NULL);
	CLEANUP(free_ptr) char *before = runtime_dump(test->applied);

	runtime_apply(test, &add, 1);
	if (add.result == PLAN_REFUSED) {
		assert_int_equal(test->result.n_sent, 0);
		runtime_observe(test);
		CLEANUP(free_ptr) char *after = runtime_dump(test->applied);
		assert_string_equal(after, before);
		return false;
	}
	runtime_assert_result(test, 1, 0, 0, 0);
	CLEANUP(free_ptr) char *believed = runtime_dump(test->applied);
	runtime_observe(test);
	assert_string_equal(test->err.text, "");
	CLEANUP(free_ptr) char *seen = runtime_dump(test->applied);
	assert_string_equal(seen, believed);
	runtime_apply(test, &del, 1);
	runtime_assert_result(test, 1, 0, 0, 0);
	runtime_observe(test);
	CLEANUP(free_ptr) char *after = runtime_dump(test->applied);
	assert_string_equal(after, before);
	return true;
}

static const struct {
	const char *text;
	bool is_accepted;
} hostile_keys[] = {
	{"a.com/x;disable server t_svc_old_80/s1", false},
	{"a.com/x;help;quit", true},
	{"a.com/sp evilbackend", false},
	{"a.com/n\nvictim.com evilbackend\n", false},
	{"a.com/n\n\ndisable server t_svc_old_80/s1\n", false},
	{"\"quoted;x\"", true},
	{"a.com/\"quoted;disable server t_svc_old_80/s1\"", false},
	{"a.com/\\;disable", true},
	{"a.com/\\\\;disable", true},
	{"a.com/\\", true},
	{"a.com/\\ b", false},
	{"a.com/<<", false},
	{"<<", false},
	{"<<%EOP%", false},
	{"a.com/%0a", true},
	{"a.com/%[env(TOKEN)]", true},
	{"a.com/${HOME}", true},
	{"a.com/%n%s", true},
	{"a.com//../%2f", true},
	{"#1", false},
	{"#5f3a", false},
	{"@1", true},
	{"a.com/\xc0\xaf", false},
	{"a.com/\xff", false},
	{"a.com/\n", false},
	{"\n", false},
	{"", false},
	{" ", false},
	{"> ", false},
	{"a\n> ", false},
	{"0x1 a b", false},
};

static void test_hostile_keys(void **state)
{
	struct test *test = *state;
	static const char specials[] = "\n\r;<\\\"' \t#%[]{}$,";
	for (size_t i = 0; i < ARRAY_LEN(hostile_keys); i++) {
		assert_int_equal(try_key(test, hostile_keys[i].text), hostile_keys[i].is_accepted);
	}
	for (int c = 1; c <= 0x7f; c++) {
		char key[] = {'/', (char)c, '/', '\0'};
		bool is_accepted = try_key(test, key);
		assert_int_equal(is_accepted, c > 0x20 && c < 0x7f);
	}
	for (const char *a = specials; *a != '\0'; a++) {
		for (const char *b = specials; *b != '\0'; b++) {
			char key[] = {*a, *b, '\0'};
			(void)try_key(test, key);
		}
	}
	char *key = xmalloc(20001);
	memset(key, '/', 20000);
	key[20000] = '\0';
	assert_false(try_key(test, key));
	key[14000] = '\0';
	assert_true(try_key(test, key));
	free(key);
	assert_int_equal(test->n_lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNTIME_TEST(test_hostile_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
