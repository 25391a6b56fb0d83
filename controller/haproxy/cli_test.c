/* Unit tests of cli.c against a socket that says what it likes, when it likes. */
#include <time.h>

#include "base/alloc.h"
#include "haproxy/cli_testing.h"

/* Sent by on_reply_send. */
static const char *next_command;

/* Says "<command>\n", or several lines for "lines N", or nothing for "silent". */
static void echo(struct fake *fake, const char *command, struct buf *out)
{
	(void)fake;
	if (strncmp(command, "lines ", 6) == 0) {
		long n = strtol(command + 6, NULL, 10);
		for (long i = 0; i < n; i++) {
			buf_printf(out, "line %ld\n", i);
		}
	} else if (strcmp(command, "silent") == 0) {
		return;
	} else if (strcmp(command, "prompt") != 0) {
		buf_printf(out, "%s\n", command);
	}
	buf_append_str(out, "\n> ");
}

static void on_line(void *ctx, const char *line)
{
	struct test *test = ctx;

	buf_printf(&test->log, "[%s]", line);
}

static void reset(struct test *test)
{
	cli_disconnect(test->cli);
	while (test->fake.connection != NULL) {
		event_base_loop(test->base, EVLOOP_ONCE);
	}
	buf_clear(&test->log);
	test->n_lost = 0;
	test->is_done = false;
}

static int set_up(void **state)
{
	struct test *test = xcalloc(1, sizeof(*test));

	test_init(test, echo);
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

/* A little of everything. */
static void send_some(struct test *test)
{
	cli_send(test->cli, "a", on_reply, test);
	cli_send_lines(test->cli, "lines 3", on_line, on_reply, test);
	cli_send(test->cli, "b c", NULL, NULL);
	cli_send_lines(test->cli, "lines 0", on_line, on_reply, test);
	cli_send(test->cli, "> d", on_last_reply, test);
}

#define SOME_ANSWERS "(a\n)[line 0][line 1][line 2]()()(> d\n)"

/* Bytes of the prompt's answer and of those five. */
#define SOME_SIZE (3 + 5 + 24 + 7 + 3 + 7)

static void test_answers_come_in_order(void **state)
{
	struct test *test = *state;

	connect_now(test);
	assert_true(cli_is_connected(test->cli));
	send_some(test);
	assert_string_equal(buf_str(&test->log), "");
	run(test);
	assert_string_equal(buf_str(&test->log), SOME_ANSWERS);
	assert_int_equal(test->fake.n_commands, 6);
	assert_int_equal(test->fake.n_sent, SOME_SIZE);
}

/* Works for longer than an answer may take, and then asks. */
static void on_slow_work(evutil_socket_t fd, short what, void *ctx)
{
	struct test *test = ctx;

	(void)fd;
	(void)what;
	nanosleep(&(struct timespec){.tv_sec = CLI_DEADLINE_MS / 1000 + 1}, NULL);
	cli_send(test->cli, "late", on_last_reply, test);
}

/* The time that we took ourselves is not HAProxy's. */
static void test_deadline_begins_with_the_command(void **state)
{
	struct test *test = *state;

	connect_now(test);
	cli_send(test->cli, "early", on_last_reply, test);
	run(test);
	event_base_once(test->base, -1, EV_TIMEOUT, on_slow_work, test, &(struct timeval){0});
	run(test);
	assert_string_equal(buf_str(&test->log), "(early\n)(late\n)");
}

static void test_queued_together_goes_out_together(void **state)
{
	struct test *test = *state;

	connect_now(test);
	cli_send(test->cli, "a", on_last_reply, test);
	run(test);
	size_t n_reads = test->fake.n_reads;
	send_some(test);
	run(test);
	assert_int_equal(test->fake.n_commands, 7);
	assert_int_equal(test->fake.n_reads, n_reads + 1);
}

static void test_cut_at_every_byte(void **state)
{
	struct test *test = *state;

	for (size_t cut = 1; cut < SOME_SIZE; cut++) {
		test->fake.cut_at = cut;
		connect_now(test);
		send_some(test);
		run(test);
		assert_string_equal(buf_str(&test->log), SOME_ANSWERS);
		reset(test);
	}
}

static size_t count(const char *text, const char *what)
{
	size_t len = strlen(what);
	size_t n = 0;

	for (; *text != '\0'; text++) {
		n += strncmp(text, what, len) == 0;
	}
	return n;
}

static void test_closed_at_every_byte(void **state)
{
	struct test *test = *state;

	for (size_t at = 0; at < SOME_SIZE; at++) {
		test->fake.close_at = at;
		connect_now(test);
		send_some(test);
		while (test->n_lost == 0) {
			event_base_loop(test->base, EVLOOP_ONCE);
		}
		/* Four commands with a reply function: each called once, the last of them never
		 * with an answer. */
		assert_int_equal(count(buf_str(&test->log), ")"), 4);
		assert_true(count(buf_str(&test->log), "(NULL)") >= 1);
		assert_int_equal(count(buf_str(&test->log), "(NULL)") == 4, at < 8);
		assert_int_equal(test->n_lost, 1);
		assert_non_null(strstr(buf_str(&test->log), ")lost: it closed the connection."));
		assert_false(cli_is_connected(test->cli));
		reset(test);
	}
}

static void test_nobody_listens(void **state)
{
	struct test *test = *state;
	struct err err = {0};
	char path[200];

	assert_false(cli_connect(test->cli, "/nowhere/at.all", &err));
	assert_int_equal(err.kind, ERR_RETRY);
	assert_non_null(strstr(err.text, "/nowhere/at.all"));
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_false(cli_connect(test->cli, path, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_false(cli_connect(test->cli, "", &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_false(cli_is_connected(test->cli));

	/* The socket of a process that is gone. */
	evconnlistener_free(test->fake.listener);
	test->fake.listener = NULL;
	assert_false(cli_connect(test->cli, test->fake.path, &err));
	assert_int_equal(err.kind, ERR_RETRY);
	cli_disconnect(test->cli);
}

static void test_never_answers(void **state)
{
	struct test *test = *state;

	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	cli_send(test->cli, "silent", on_reply, test);
	cli_send_lines(test->cli, "lines 0", on_line, on_reply, test);
	run(test);
	/* The answer to the third is taken for the second's: framing can't know, and the third gets
	 * none. */
	assert_string_equal(buf_str(&test->log), "(a\n)()(NULL)lost: it did not answer in time.");
}

static void say_unasked(struct fake *fake, const char *command, struct buf *out)
{
	echo(fake, command, out);
	if (strcmp(command, "a") == 0) {
		buf_append_str(out, "by the way\n");
	}
}

static void test_speaks_unasked(void **state)
{
	struct test *test = *state;

	test->fake.answer = say_unasked;
	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	run(test);
	assert_string_equal(
		buf_str(&test->log), "(a\n)lost: it said something without being asked.");
}

static void greet(struct fake *fake, const char *command, struct buf *out)
{
	(void)fake;
	(void)command;
	buf_append_str(out, "220 hello\r\n\n> ");
}

static void test_is_no_haproxy(void **state)
{
	struct test *test = *state;

	test->fake.answer = greet;
	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	run(test);
	assert_string_equal(
		buf_str(&test->log), "(NULL)lost: it does not know the command `prompt`.");
}

static void ramble(struct fake *fake, const char *command, struct buf *out)
{
	if (strncmp(command, "long ", 5) == 0) {
		long n = strtol(command + 5, NULL, 10);
		for (long i = 0; i < n; i++) {
			buf_append_char(out, 'x');
		}
		buf_append_str(out, "\n> ");
	} else if (strcmp(command, "nul") == 0) {
		buf_append(out, "a\0b\n> ", 6);
	} else {
		echo(fake, command, out);
	}
}

static void test_answers_too_long(void **state)
{
	struct test *test = *state;
	CLEANUP(free_ptr) char *longest = xasprintf("long %d", CLI_MAX_REPLY);
	CLEANUP(free_ptr) char *too_long = xasprintf("long %d", CLI_MAX_REPLY + 1);
	CLEANUP(free_ptr) char *long_line = xasprintf("long %d", CLI_MAX_LINE + 1);

	test->fake.answer = ramble;
	connect_now(test);
	cli_send(test->cli, longest, on_last_reply, test);
	run(test);
	assert_int_equal(test->log.len, CLI_MAX_REPLY + 2);
	buf_clear(&test->log);
	cli_send(test->cli, too_long, on_reply, test);
	run(test);
	assert_string_equal(
		buf_str(&test->log), "(NULL)lost: an answer is too long or has a NUL byte in it.");

	reset(test);
	connect_now(test);
	cli_send_lines(test->cli, long_line, on_line, on_reply, test);
	run(test);
	assert_int_equal(test->n_lost, 1);
	assert_int_equal(count(buf_str(&test->log), "["), 0);

	reset(test);
	connect_now(test);
	cli_send(test->cli, "nul", on_reply, test);
	run(test);
	assert_int_equal(test->n_lost, 1);

	/* By lines an answer may be as long as it likes to be. */
	reset(test);
	connect_now(test);
	cli_send_lines(test->cli, "lines 100000", on_line, on_last_reply, test);
	run(test);
	assert_int_equal(count(buf_str(&test->log), "["), 100000);
	assert_int_equal(test->n_lost, 0);
}

/* More than the socket's buffers hold, both ways: nobody waits for the other for ever. */
static void test_pipelining(void **state)
{
	enum { N = 20000 };
	struct test *test = *state;
	char command[201];

	memset(command, 'c', sizeof(command) - 1);
	command[sizeof(command) - 1] = '\0';
	connect_now(test);
	for (int i = 0; i < N; i++) {
		cli_send(test->cli, command, i == N - 1 ? on_last_reply : on_reply, test);
	}
	run(test);
	assert_int_equal(count(buf_str(&test->log), "(c"), N);
	assert_int_equal(test->log.len, N * (sizeof(command) - 1 + 3));
}

static void on_reply_send(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply(ctx, text);
	if (text != NULL) {
		cli_send(test->cli, next_command, on_last_reply, test);
	}
}

static void on_reply_disconnect(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply(ctx, text);
	cli_disconnect(test->cli);
	test->is_done = true;
}

static void on_reply_free(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply(ctx, text);
	cli_free(test->cli);
	test->cli = NULL;
	test->is_done = true;
}

static void on_line_free(void *ctx, const char *line)
{
	on_line(ctx, line);
	on_reply_free(ctx, "freed");
}

static void on_line_forget(void *ctx, const char *line)
{
	struct test *test = ctx;

	on_line(ctx, line);
	cli_forget(test->cli, test);
}

static void on_line_disconnect(void *ctx, const char *line)
{
	on_line(ctx, line);
	on_reply_disconnect(ctx, "cut");
}

static void on_reply_reconnect(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply_disconnect(ctx, text);
	connect_now(test);
	cli_send(test->cli, "again", on_last_reply, test);
	test->is_done = false;
}

static void test_calls_from_inside(void **state)
{
	struct test *test = *state;

	connect_now(test);
	next_command = "next";
	cli_send(test->cli, "a", on_reply_send, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(a\n)(next\n)");

	buf_clear(&test->log);
	cli_send(test->cli, "a", on_reply_disconnect, test);
	cli_send(test->cli, "b", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(a\n)(NULL)");
	assert_int_equal(test->n_lost, 0);

	reset(test);
	connect_now(test);
	cli_send_lines(test->cli, "lines 3", on_line_disconnect, on_reply, test);
	cli_send(test->cli, "b", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "[line 0](cut)(NULL)(NULL)");

	reset(test);
	connect_now(test);
	cli_send(test->cli, "a", on_reply_reconnect, test);
	cli_send(test->cli, "b", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(a\n)(NULL)(again\n)");
	assert_int_equal(test->n_lost, 0);

	buf_clear(&test->log);
	cli_send(test->cli, "a", on_reply_free, test);
	cli_send(test->cli, "b", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(a\n)");
}

static void test_free_from_a_line(void **state)
{
	struct test *test = *state;

	connect_now(test);
	cli_send_lines(test->cli, "lines 3", on_line_free, on_reply, test);
	cli_send(test->cli, "b", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "[line 0](freed)");
}

static void test_free_from_a_lost_reply(void **state)
{
	struct test *test = *state;

	test->fake.close_at = 4;
	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	cli_send(test->cli, "b", on_reply_free, test);
	cli_send(test->cli, "c", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(NULL)(NULL)");
	assert_int_equal(test->n_lost, 0);
}

static void on_lost_free(void *ctx, const char *text)
{
	on_lost(ctx, text);
	on_reply_free(ctx, "freed");
}

static void on_lost_connect(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_lost(ctx, text);
	test->is_done = false;
	test->fake.close_at = SIZE_MAX;
	connect_now(test);
	cli_send(test->cli, "again", on_last_reply, test);
}

static void test_calls_from_on_lost(void **state)
{
	struct test *test = *state;

	cli_free(test->cli);
	test->cli = cli_new(test->base, on_lost_connect, test);
	test->fake.close_at = 4;
	connect_now(test);
	cli_send(test->cli, "a", on_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(NULL)lost: it closed the connection.(again\n)");
	assert_int_equal(test->fake.n_connections, 2);
	cli_free(test->cli);

	buf_clear(&test->log);
	test->cli = cli_new(test->base, on_lost_free, test);
	test->fake.close_at = 3;
	connect_now(test);
	run(test);
	assert_string_equal(buf_str(&test->log), "lost: it closed the connection.(freed)");
}

static void test_forget(void **state)
{
	struct test *test = *state;
	int other;

	connect_now(test);
	cli_send(test->cli, "a", on_reply, &other);
	cli_send_lines(test->cli, "lines 3", on_line, on_reply, &other);
	cli_send(test->cli, "b", on_last_reply, test);
	cli_forget(test->cli, &other);
	run(test);
	assert_string_equal(buf_str(&test->log), "(b\n)");

	/* In the middle of an answer. */
	buf_clear(&test->log);
	cli_send_lines(test->cli, "lines 3", on_line_forget, on_reply, test);
	while (test->log.len == 0) {
		event_base_loop(test->base, EVLOOP_ONCE);
	}
	cli_send(test->cli, "b", on_last_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "[line 0](b\n)");

	/* Of a connection that breaks. */
	reset(test);
	test->fake.close_at = 4;
	connect_now(test);
	cli_send(test->cli, "a", on_reply, &other);
	cli_send(test->cli, "b", on_reply, test);
	cli_forget(test->cli, &other);
	run(test);
	assert_string_equal(buf_str(&test->log), "(NULL)lost: it closed the connection.");
}

/* ---- payloads ---- */

/* Takes a payload as HAProxy does; the context is an unsigned that is not 0 inside one. */
static void take_payload(struct fake *fake, const char *command, struct buf *out)
{
	unsigned *n_lines = fake->ctx;
	size_t len = strlen(command);

	if (*n_lines > 0 && len > 0) {
		buf_append_str(out, "+ ");
		(*n_lines)++;
	} else if (*n_lines > 0) {
		buf_printf(out, "%u lines+ \n+ \n\n> ", *n_lines - 1);
		*n_lines = 0;
	} else if (len > 3 && strcmp(command + len - 3, " <<") == 0) {
		buf_append_str(out, "+ ");
		*n_lines = 1;
	} else {
		echo(fake, command, out);
	}
}

static void send_payloads(struct test *test)
{
	cli_send(test->cli, "+ a", on_reply, test);
	cli_send_payload(test->cli, "load x", "1\n2 <<\n3\n", on_reply, test);
	cli_send_payload(test->cli, "load y", " \n", on_reply, test);
	cli_send(test->cli, "b", on_last_reply, test);
}

#define PAYLOAD_ANSWERS "(+ a\n)(3 lines+ \n+ \n)(1 lines+ \n+ \n)(b\n)"
#define PAYLOAD_SIZE	(3 + 7 + 8 + 16 + 4 + 16 + 5)

static void test_payloads(void **state)
{
	struct test *test = *state;
	static unsigned n_lines;

	n_lines = 0;
	test->fake.answer = take_payload;
	test->fake.ctx = &n_lines;
	for (size_t cut = 1; cut < PAYLOAD_SIZE; cut++) {
		test->fake.cut_at = cut;
		connect_now(test);
		send_payloads(test);
		run(test);
		assert_string_equal(buf_str(&test->log), PAYLOAD_ANSWERS);
		assert_int_equal(test->fake.n_sent, PAYLOAD_SIZE);
		reset(test);
	}
}

static void test_payload_limits(void **state)
{
	struct test *test = *state;
	static unsigned n_lines;
	char payload[CLI_MAX_PAYLOAD + 1];

	n_lines = 0;
	test->fake.answer = take_payload;
	test->fake.ctx = &n_lines;
	memset(payload, 'x', sizeof(payload));
	payload[CLI_MAX_PAYLOAD - 1] = '\0';
	payload[CLI_MAX_PAYLOAD - 2] = '\n';
	connect_now(test);
	cli_send_payload(test->cli, "l", payload, on_last_reply, test);
	run(test);
	assert_string_equal(buf_str(&test->log), "(1 lines+ \n+ \n)");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_answers_come_in_order),
		TEST(test_deadline_begins_with_the_command),
		TEST(test_queued_together_goes_out_together),
		TEST(test_cut_at_every_byte),
		TEST(test_closed_at_every_byte),
		TEST(test_nobody_listens),
		TEST(test_never_answers),
		TEST(test_speaks_unasked),
		TEST(test_is_no_haproxy),
		TEST(test_answers_too_long),
		TEST(test_pipelining),
		TEST(test_calls_from_inside),
		TEST(test_free_from_a_line),
		TEST(test_free_from_a_lost_reply),
		TEST(test_calls_from_on_lost),
		TEST(test_forget),
		TEST(test_payloads),
		TEST(test_payload_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
