/* What cli.c leaves behind of a command with a secret in it: looked for where it was sent from. */
#include <sys/syscall.h>

#include "haproxy/cli_testing.h"

/* Where the commands were when they were sent. */
static const char *sent;

ssize_t send(int fd, const void *data, size_t size, int flags)
{
	sent = data;
	return (ssize_t)syscall(SYS_sendto, fd, data, size, flags, NULL, 0);
}

static void echo(struct fake *fake, const char *command, struct buf *out)
{
	(void)fake;
	if (strcmp(command, "prompt") != 0) {
		buf_append_str(out, command);
	}
	buf_append_str(out, "\n> ");
}

/* The memory in which the commands were is the connection's still. */
static void test_secrets_are_wiped(void **state)
{
	static const char commands[] = "prompt\nfirst\nword\nafter\n";
	struct test test;

	(void)state;
	test_init(&test, echo);
	connect_now(&test);
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
	test_fini(&test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
