/*
 * Component tests of TLS session tickets: a real HAProxy, and openssl s_client, which takes
 * sessions up again or doesn't, while keys are rotated.
 */
#include "running.h"
#include "runtime.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/cli.h"
#include "haproxy/encode.h"
#include "haproxy/tickets.h"

static const char *const versions[] = {"-tls1_2", "-tls1_3"};

#define N_VERSIONS ARRAY_LEN(versions)

struct fixture {
	struct running running;
	struct test test;
};

static void on_lost(void *ctx, const char *text)
{
	(void)text;
	((struct test *)ctx)->n_lost++;
}

static void connect_to_worker(struct fixture *f)
{
	struct err err = {0};

	cli_disconnect(f->test.cli);
	if (!cli_connect(f->test.cli, f->running.runtime_socket, &err)) {
		fail_msg("%s", err.text);
	}
}

static int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	running_init(&f->running);
	running_start(&f->running, true);
	running_wait(&f->running, PROCESS_UP, 1);
	f->test.base = f->running.base;
	f->test.cli = cli_new(f->running.base, on_lost, &f->test);
	connect_to_worker(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	cli_free(f->test.cli);
	free(f->test.text);
	running_fini(&f->running);
	free(f);
	metrics_reset();
	return 0;
}

/* What openssl says about a connection over which HAProxy answered a request. */
static char *converse(const struct fixture *f, const char *version, const char *more)
{
	CLEANUP(free_ptr)
	char *command = xasprintf(
		"printf 'GET / HTTP/1.1\\r\\nHost: a\\r\\nConnection: close\\r\\n\\r\\n' | "
		"openssl s_client -unix %s -ign_eof %s %s 2>&1",
		f->running.https_socket, version, more);
	struct buf said = BUF_INIT(0);
	char chunk[4096];
	size_t n;

	FILE *client = popen(command, "r");
	assert_non_null(client);
	while ((n = fread(chunk, 1, sizeof(chunk), client)) > 0) {
		buf_append(&said, chunk, n);
	}
	pclose(client);
	if (strstr(buf_str(&said), "\nHTTP/1.1 404 ") == NULL) {
		fail_msg("no answer: %s", buf_str(&said));
	}
	return buf_take(&said);
}

/* A whole handshake, whose session is kept under a name. */
static void begin(const struct fixture *f, const char *version, const char *name)
{
	CLEANUP(free_ptr)
	char *more = xasprintf("-sess_out %s/%s%s", f->running.directory, name, version);
	CLEANUP(free_ptr) char *said = converse(f, version, more);

	assert_non_null(strstr(said, "\nNew, TLS"));
}

/* Is the session taken up again? It is answered in any case. */
static bool resumes(const struct fixture *f, const char *version, const char *name)
{
	CLEANUP(free_ptr)
	char *more = xasprintf("-sess_in %s/%s%s", f->running.directory, name, version);
	CLEANUP(free_ptr) char *said = converse(f, version, more);
	bool is_reused = strstr(said, "\nReused, TLS") != NULL;

	assert_true(is_reused || strstr(said, "\nNew, TLS") != NULL);
	return is_reused;
}

static void begin_all(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < N_VERSIONS; i++) {
		begin(f, versions[i], name);
	}
}

static void assert_resumption(const struct fixture *f, const char *name, bool is_wanted)
{
	for (size_t i = 0; i < N_VERSIONS; i++) {
		if (resumes(f, versions[i], name) != is_wanted) {
			fail_msg("%s with %s: resumption is not %d", name, versions[i], is_wanted);
		}
	}
}

static void on_reply(void *ctx, const char *text)
{
	struct test *test = ctx;

	assert_non_null(text);
	assert_non_null(strstr(text, "TLS ticket key updated!"));
	test->is_done = true;
}

static void tell(struct fixture *f, const char *key)
{
	struct buf command = {.is_secret = true};

	assert_true(encode_cli_ticket_key(&command, state_tickets_file(f->running.state), key));
	cli_send_secret(f->test.cli, buf_str(&command), on_reply, &f->test);
	runtime_wait(&f->test);
	buf_fini(&command);
}

/* In the file; HAProxy is told so many of the newest keys. */
static void rotate(struct fixture *f, size_t n_told)
{
	struct ticket_keys keys;
	struct err err = {0};

	assert_true(state_rotate_tickets(f->running.state, &keys, &err));
	for (size_t i = TICKETS_N_KEYS - n_told; i < TICKETS_N_KEYS; i++) {
		tell(f, keys.keys[i]);
	}
}

/* HAProxy has the keys of the file, in the same order. */
static void assert_like_the_file(struct fixture *f)
{
	CLEANUP(free_ptr)
	char *command = xasprintf("show tls-keys %s", state_tickets_file(f->running.state));
	struct buf wanted = {.is_secret = true};
	struct ticket_keys keys;
	struct err err = {0};
	int64_t when;

	assert_true(state_read_tickets(f->running.state, &keys, &when, &err));
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		buf_printf(&wanted, "0.%zu %s\n", i, keys.keys[i]);
	}
	assert_non_null(strstr(runtime_ask(&f->test, command), buf_str(&wanted)));
	buf_fini(&wanted);
}

static void reload(struct fixture *f)
{
	struct err err = {0};
	int n = f->running.n_events[PROCESS_RELOADED] + 1;

	if (!process_reload(f->running.process, &err)) {
		fail_msg("%s", err.text);
	}
	running_wait(&f->running, PROCESS_RELOADED, n);
	connect_to_worker(f);
}

static void test_rotations(void **state)
{
	struct fixture *f = *state;

	assert_like_the_file(f);
	begin_all(f, "first");
	assert_resumption(f, "first", true);
	rotate(f, 1);
	assert_like_the_file(f);
	assert_resumption(f, "first", true);
	begin_all(f, "second");
	rotate(f, 1);
	assert_resumption(f, "first", false);
	assert_resumption(f, "second", true);
	rotate(f, 1);
	assert_like_the_file(f);
	assert_resumption(f, "first", false);
	assert_resumption(f, "second", false);
	begin_all(f, "third");
	assert_resumption(f, "third", true);
	assert_int_equal(f->running.n_events[PROCESS_RELOADED], 0);
	assert_int_equal(f->running.n_events[PROCESS_UP], 1);
	assert_int_equal(f->running.n_events[PROCESS_DOWN], 0);
}

/* All keys, the oldest first, are the file's keys afterwards: whether it was one or several behind,
 * or not at all. */
static void test_all_keys_told(void **state)
{
	struct fixture *f = *state;

	begin_all(f, "first");
	rotate(f, TICKETS_N_KEYS);
	assert_like_the_file(f);
	assert_resumption(f, "first", true);
	rotate(f, 0);
	rotate(f, TICKETS_N_KEYS);
	assert_like_the_file(f);
	for (int i = 0; i < 5; i++) {
		rotate(f, 0);
	}
	rotate(f, TICKETS_N_KEYS);
	assert_like_the_file(f);
}

static void test_after_reloads_and_restarts(void **state)
{
	struct fixture *f = *state;

	begin_all(f, "first");
	reload(f);
	assert_resumption(f, "first", true);
	rotate(f, 1);
	reload(f);
	assert_like_the_file(f);
	assert_resumption(f, "first", true);
	begin_all(f, "second");
	/* What the file has is enough. */
	rotate(f, 0);
	reload(f);
	assert_like_the_file(f);
	assert_resumption(f, "first", false);
	assert_resumption(f, "second", true);
	kill((pid_t)f->running.pid, SIGKILL);
	running_wait(&f->running, PROCESS_UP, f->running.n_events[PROCESS_UP] + 1);
	connect_to_worker(f);
	assert_like_the_file(f);
	assert_resumption(f, "second", true);
}

/* They begin with what rotation.c shows of an answer. */
static void test_refusals(void **state)
{
	struct fixture *f = *state;
	struct ticket_keys keys;
	struct err err = {0};

	assert_true(tickets_make(&keys, &err));
	CLEANUP(free_ptr) char *other = xasprintf("set ssl tls-key /other.keys %s", keys.keys[0]);
	CLEANUP(free_ptr)
	char *bad = xasprintf("set ssl tls-key %s abc", state_tickets_file(f->running.state));
	assert_non_null(strstr(runtime_ask(&f->test, other), "'set ssl tls-key' unable to locate"));
	assert_non_null(strstr(runtime_ask(&f->test, bad), "'set ssl tls-key' received invalid"));
	assert_like_the_file(f);
}

/* Without TLS HAProxy needs no keys; with it, it says what it lacks. */
static void test_without_the_file(void **state)
{
	struct running running;
	struct err err = {0};

	(void)state;
	running_init(&running);
	assert_int_equal(unlink(state_tickets_file(running.state)), 0);
	running_make(&running, true);
	assert_false(process_start(running.process, &err));
	assert_non_null(strstr(err.text, "tickets.keys"));
	running_forget(&running);
	running.options.https_bind = "none";
	running_start(&running, true);
	running_wait(&running, PROCESS_UP, 1);
	running_fini(&running);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rotations),
		TEST(test_all_keys_told),
		TEST(test_after_reloads_and_restarts),
		TEST(test_refusals),
		cmocka_unit_test(test_without_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
