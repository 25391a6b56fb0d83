/* What cli.c leaves behind of a command with a secret in it: looked for where it was sent from. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <sys/syscall.h>

#include "haproxy/cli.h"
#include "haproxy/fake_cli.h"

/* Where the commands were when they were sent. */
static const char *sent;

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	sent = data;
	return (ssize_t)syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

struct test {
	struct event_base *base;
	struct fake fake;
	struct cli *cli;
	struct buf log; /* the answers */
	bool is_done;
};

static void echo(struct fake *fake, const char *command, struct buf *out)
{
	(void)fake;
	if (strcmp(command, "prompt") != 0) {
		buf_append_str(out, command);
	}
	buf_append_str(out, "\n> ");
}

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
}

static void on_reply(void *ctx, const char *text)
{
	struct test *test = ctx;

	buf_printf(&test->log, "(%s)", text ? text : "NULL");
}

static void on_last_reply(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply(ctx, text);
	test->is_done = true;
}

static void run(struct test *test)
{
	while (!test->is_done) {
		assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	}
	test->is_done = false;
}

/* The memory in which the commands were is the connection's still. */
static void test_secrets_are_wiped(void **state)
{
	static const char commands[] = "prompt\nfirst\nword\nafter\n";
	struct test test = {.base = event_base_new()};
	struct err err = {0};

	(void)state;
	assert_true(fake_start(&test.fake, test.base, echo));
	test.cli = cli_new(test.base, on_lost, &test);
	assert_true(cli_connect(test.cli, test.fake.path, &err));
	cli_send(test.cli, "first", on_reply, &test);
	cli_send_secret(test.cli, "word", on_reply, &test);
	cli_send(test.cli, "after", on_last_reply, &test);
	run(&test);
	assert_string_equal(buf_str(&test.log), "(first)(word)(after)");
	for (size_t i = 0; i < strlen(commands); i++) {
		assert_int_equal(sent[i], '\0');
	}
	/* The first byte ends an empty buffer. */
	cli_send(test.cli, "no secret", on_last_reply, &test);
	run(&test);
	assert_memory_equal(sent + 1, "o secret\n", 9);
	cli_free(test.cli);
	fake_stop(&test.fake);
	event_base_free(test.base);
	buf_fini(&test.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
