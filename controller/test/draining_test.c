/* The time between being told to end and ending, with a real HAProxy: it serves on, says that it is
 * not ready, also after a reload, and has its clients come back over another connection. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "draining.h"
#include "test/running.h"
#include "test/web.h"

#define DELAY_SECONDS 2

static bool is_over;

static void on_over(void *ctx)
{
	(void)ctx;
	is_over = true;
}

/* The answer, up to the end of the connection: it is not asked for one that stays open. */
static bool answers(const char *socket, const char *target, const char *content)
{
	struct buf request = BUF_INIT(4096);

	buf_printf(
		&request, "GET %s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", target);
	CLEANUP(free_ptr) char *answer = web_exchange(socket, &request);
	buf_fini(&request);
	return strstr(answer, content) != NULL;
}

/* The connection ends though nobody asked for that: web_exchange() waits for its end. */
static bool is_closed(const struct running *r)
{
	struct buf request = BUF_INIT(4096);

	buf_append_str(&request, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
	CLEANUP(free_ptr) char *answer = web_exchange(r->http_socket, &request);
	buf_fini(&request);
	return strstr(answer, "404 ") != NULL && strstr(answer, "connection: close") != NULL;
}

static void wait_for(struct running *r, const char *content)
{
	while (!answers(r->stats_socket, "/readyz", content)) {
		assert_int_equal(event_base_loop(r->base, EVLOOP_ONCE), 0);
	}
}

static void test_serves_on(void **test)
{
	struct running *r = *test;
	struct err err = {0};
	struct flags flags = {.drain_delay_seconds = DELAY_SECONDS};

	assert_true(answers(r->stats_socket, "/readyz", "200 OK"));
	flags.values[FLAG_RUNTIME_SOCKET] = r->runtime_socket;
	struct draining *draining = draining_start(r->base, &flags, on_over, NULL);
	wait_for(r, "503 ");
	assert_true(answers(r->stats_socket, "/healthz", "200 OK"));
	assert_true(answers(r->http_socket, "/", "404 "));
	assert_true(is_closed(r));
	/* A new worker has to be told anew. */
	assert_true(process_reload(r->process, &err));
	running_wait(r, PROCESS_RELOADED, 1);
	wait_for(r, "503 ");
	while (!is_over) {
		assert_int_equal(event_base_loop(r->base, EVLOOP_ONCE), 0);
	}
	draining_free(draining);
}

static int set_up(void **test)
{
	struct running *r = xcalloc(1, sizeof(*r));

	running_init(r);
	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	*test = r;
	return 0;
}

static int tear_down(void **test)
{
	running_fini(*test);
	free(*test);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_serves_on)};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
