/*
 * For unit tests of cli.c only: a connection to something that is no HAProxy (fake_cli.h), and what
 * its callbacks are told, in order.
 */
#ifndef HG_HAPROXY_CLI_TESTING_H
#define HG_HAPROXY_CLI_TESTING_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"
#include "haproxy/cli.h"
#include "haproxy/fake_cli.h"

struct test {
	struct event_base *base;
	struct fake fake;
	struct cli *cli;
	struct buf log; /* "(answer)", "(NULL)", "lost: why." */
	unsigned n_lost;
	bool is_done;
};

static inline void on_lost(void *ctx, const char *text)
{
	struct test *test = ctx;

	buf_printf(&test->log, "lost: %s.", text);
	test->n_lost++;
	test->is_done = true;
}

static inline void on_reply(void *ctx, const char *text)
{
	struct test *test = ctx;

	buf_printf(&test->log, "(%s)", text ? text : "NULL");
}

static inline void on_last_reply(void *ctx, const char *text)
{
	struct test *test = ctx;

	on_reply(ctx, text);
	test->is_done = true;
}

/* Until the connection is lost, or on_last_reply() is called. */
static inline void run(struct test *test)
{
	while (!test->is_done) {
		assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	}
	test->is_done = false;
}

static inline void connect_now(struct test *test)
{
	struct err err = {0};

	if (!cli_connect(test->cli, test->fake.path, &err)) {
		fail_msg("%s", err.text);
	}
}

static inline void test_init(struct test *test, fake_answer_fn answer)
{
	*test = (struct test){.base = event_base_new()};
	assert_true(fake_start(&test->fake, test->base, answer));
	test->cli = cli_new(test->base, on_lost, test);
}

static inline void test_fini(struct test *test)
{
	cli_free(test->cli);
	fake_stop(&test->fake);
	event_base_free(test->base);
	buf_fini(&test->log);
}

#endif
