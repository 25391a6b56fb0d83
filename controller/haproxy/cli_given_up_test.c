/*
 * Unit tests of cli.c: what becomes of a connection on which HAProxy did not answer in time, and of
 * the next one. HAProxy is a socket that listens, and is read and written by the test.
 */
#include <sys/socket.h>

#include "base/alloc.h"
#include "haproxy/cli_testing.h"

/* An empty answer to everything. */
static void say_nothing(struct fake *fake, const char *command, struct buf *out)
{
	(void)fake;
	(void)command;
	buf_append_str(out, "\n> ");
}

static int set_up(void **state)
{
	struct test *test = xcalloc(1, sizeof(*test));

	test_init(test, say_nothing);
	assert_int_equal(evconnlistener_disable(test->fake.listener), 0);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	test_fini(test);
	free(test);
	return 0;
}

/* What has come on a connection so far, and whether that is all. */
static bool has_got(int fd, const char *expected)
{
	char text[64] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_PEEK | MSG_DONTWAIT);

	assert_string_equal(text, expected);
	if (n > 0) {
		recv(fd, text, (size_t)n, 0);
	}
	return recv(fd, text, sizeof(text), MSG_DONTWAIT) == 0;
}

/* Who took its time may still do what it was told: nothing new is said until it is through. */
static void test_given_up_is_waited_for(void **state)
{
	struct test *test = *state;
	int listener = evconnlistener_get_fd(test->fake.listener);

	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(NULL)lost: it did not answer in time.");
	connect_now(test);
	cli_send(test->cli, "b", on_last_reply, test);
	event_base_loop(test->base, EVLOOP_NONBLOCK);

	int slow = accept(listener, NULL, NULL);
	int next = accept(listener, NULL, NULL);
	assert_true(slow >= 0 && next >= 0);
	assert_true(has_got(slow, "prompt\na\n"));
	assert_false(has_got(next, ""));
	assert_int_equal(send(slow, "\n> a\n", 5, MSG_NOSIGNAL), 5);
	assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	assert_false(has_got(next, ""));
	close(slow);
	assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE | EVLOOP_NONBLOCK), 0);
	assert_false(has_got(next, "prompt\nb\n"));
	assert_int_equal(send(next, "\n> b\n\n> ", 8, MSG_NOSIGNAL), 8);
	run(test);
	assert_string_equal(buf_str(&test->log), "(NULL)lost: it did not answer in time.(b\n)");
	close(next);
}

/* The next connection goes, too, before the first one is through: nothing of it was ever said. */
static void test_given_up_and_lost_again(void **state)
{
	struct test *test = *state;
	int listener = evconnlistener_get_fd(test->fake.listener);

	connect_now(test);
	cli_send(test->cli, "a", NULL, NULL);
	run(test);
	connect_now(test);
	cli_send(test->cli, "b", on_reply, test);
	int slow = accept(listener, NULL, NULL);
	close(accept(listener, NULL, NULL));
	run(test);
	assert_int_equal(test->n_lost, 2);
	assert_false(cli_is_connected(test->cli));
	connect_now(test);
	cli_send(test->cli, "c", on_last_reply, test);
	close(slow);
	evconnlistener_enable(test->fake.listener);
	run(test);
	assert_non_null(strstr(buf_str(&test->log), "lost: it closed the connection.()"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_given_up_is_waited_for),
		TEST(test_given_up_and_lost_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
