/* Component tests of cli_send_payload(): a real HAProxy takes payloads, and its answers are framed.
 */
#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/cli.h"

static void on_answer(void *ctx, const char *text)
{
	struct test *test = ctx;

	assert_non_null(text);
	free(test->text);
	test->text = xstrdup(text);
}

static void on_last_answer(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_answer(ctx, text);
	test->is_done = true;
}

static char *command_of(const struct test *test)
{
	return xasprintf("add map %s/%s", test->haproxy->dir, model_map_files[MODEL_MAP_EXACT]);
}

static void test_pipelined(void **state)
{
	struct test *test = *state;
	CLEANUP(free_ptr) char *command = command_of(test);
	char payload[64];

	for (int i = 0; i < 500; i++) {
		snprintf(payload, sizeof(payload), "a.test/%d x\nb.test/%d y z\n", i, i);
		cli_send_payload(test->cli, command, payload, on_answer, test);
		cli_send(test->cli, "show version", on_answer, test);
	}
	cli_send_payload(test->cli, "add map /nowhere", "a.test x\n", on_last_answer, test);
	runtime_wait(test);
	assert_string_equal(test->text, "Unknown map identifier. Please use #<id> or <file>.\n");
	runtime_observe(test);
	assert_int_equal(test->applied->entries[MODEL_MAP_EXACT].n_items, 1000);
	assert_string_equal(
		applied_find_entry(test->applied, MODEL_MAP_EXACT, "b.test/499"), "y z");
}

/* The longest payloads, around the sizes at which HAProxy reads. */
static void test_longest(void **state)
{
	struct test *test = *state;
	CLEANUP(free_ptr) char *command = command_of(test);
	size_t max = CLI_MAX_PAYLOAD - strlen(command);
	struct buf payload = BUF_INIT(0);

	for (size_t size = max - 40; size <= max; size++) {
		buf_clear(&payload);
		while (payload.len < size - 100) {
			buf_printf(&payload, "a.test/%zu/%zu value\n", size, payload.len);
		}
		buf_printf(&payload, "a.test/%zu/last ", size);
		while (payload.len < size - 1) {
			buf_append_char(&payload, 'v');
		}
		buf_append_char(&payload, '\n');
		cli_send_payload(test->cli, command, buf_str(&payload), on_last_answer, test);
		runtime_wait(test);
		assert_string_equal(test->text, "");
		CLEANUP(free_ptr) char *key = xasprintf("a.test/%zu/last", size);
		runtime_observe(test);
		assert_non_null(applied_find_entry(test->applied, MODEL_MAP_EXACT, key));
	}
	assert_int_equal(test->n_lost, 0);
	buf_fini(&payload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUNTIME_TEST(test_pipelined),
		RUNTIME_TEST(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
