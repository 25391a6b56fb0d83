/* Tests of haproxy/ask against a socket that behaves in every way that HAProxy's may. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "haproxy/ask.h"

struct fixture {
	char directory[64];
	char path[96];
	struct event_base *base;
	struct event *accepting;
	int listener;
	int peer;	    /* the connection accepted last; -1 = none */
	bool is_kept_open;  /* the server leaves the connection open after its answer */
	size_t reply_len;   /* how much it answers */
	char question[64];  /* what it was asked, up to the half-close */
	char *text;	    /* what on_done got */
	enum err_kind kind; /* ... and this */
	int n_done;
};

/* Reads the question to its end, which only comes when it is half-closed, and answers. */
static void on_connection(evutil_socket_t fd, short what, void *arg)
{
	struct fixture *f = arg;
	size_t len = 0;
	ssize_t n;

	(void)what;
	f->peer = accept(fd, NULL, NULL);
	while ((n = read(f->peer, f->question + len, sizeof(f->question) - 1 - len)) > 0) {
		len += (size_t)n;
	}
	f->question[len] = '\0';
	for (size_t i = 0;
		i < f->reply_len && send(f->peer, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1; i++) {
	}
	if (!f->is_kept_open) {
		close(f->peer);
		f->peer = -1;
	}
}

static int set_up(void **test)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	f->peer = -1;
	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-ask.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(f->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 8), 0);
	f->base = event_base_new();
	f->accepting = event_new(f->base, f->listener, EV_READ | EV_PERSIST, on_connection, f);
	event_add(f->accepting, NULL);
	*test = f;
	return 0;
}

static int tear_down(void **test)
{
	struct fixture *f = *test;

	event_free(f->accepting);
	event_base_free(f->base);
	if (f->peer >= 0) {
		close(f->peer);
	}
	close(f->listener);
	unlink(f->path);
	rmdir(f->directory);
	free(f->text);
	free(f);
	return 0;
}

static void on_done(void *ctx, const char *text, const struct err *err)
{
	struct fixture *f = ctx;

	f->n_done++;
	f->text = text != NULL ? xstrdup(text) : NULL;
	f->kind = err->kind;
	event_base_loopbreak(f->base);
}

static void ask_and_wait(struct fixture *f, unsigned silence_ms)
{
	struct ask_question question = {
		.path = f->path, .command = "show proc", .silence_ms = silence_ms};
	struct err err = {0};

	assert_non_null(ask_start(f->base, &question, on_done, f, &err));
	assert_int_equal(f->n_done, 0);
	event_base_dispatch(f->base);
	assert_int_equal(f->n_done, 1);
	assert_string_equal(f->question, "show proc\n");
}

static void test_answer(void **test)
{
	struct fixture *f = *test;

	f->reply_len = 3;
	ask_and_wait(f, 10000);
	assert_string_equal(f->text, "xxx");
	assert_int_equal(f->kind, ERR_NONE);
}

static void test_empty_answer(void **test)
{
	struct fixture *f = *test;

	ask_and_wait(f, 10000);
	assert_string_equal(f->text, "");
}

static void test_silence(void **test)
{
	struct fixture *f = *test;

	f->reply_len = 3;
	f->is_kept_open = true;
	ask_and_wait(f, 20);
	assert_null(f->text);
	assert_int_equal(f->kind, ERR_RETRY);
}

static void test_nobody_listens(void **test)
{
	struct fixture *f = *test;
	struct ask_question question = {
		.path = f->path, .command = "show info", .silence_ms = 1000};
	struct err err = {0};

	shutdown(f->listener, SHUT_RDWR);
	assert_null(ask_start(f->base, &question, on_done, f, &err));
	assert_int_equal(err.kind, ERR_RETRY);
	unlink(f->path);
	assert_null(ask_start(f->base, &question, on_done, f, &err));
	assert_int_equal(err.kind, ERR_RETRY);
	assert_non_null(strstr(err.text, f->path));
}

static void test_path_too_long(void **test)
{
	struct fixture *f = *test;
	char path[200];
	struct ask_question question = {.path = path, .command = "show info", .silence_ms = 1000};
	struct err err = {0};

	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_null(ask_start(f->base, &question, on_done, f, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "choose a shorter one"));
}

static void test_cancel(void **test)
{
	struct fixture *f = *test;
	struct ask_question question = {
		.path = f->path, .command = "show info", .silence_ms = 1000};
	struct err err = {0};
	struct ask *ask = ask_start(f->base, &question, on_done, f, &err);

	assert_non_null(ask);
	ask_cancel(ask);
	ask_cancel(NULL);
	event_base_loop(f->base, EVLOOP_NONBLOCK);
	assert_int_equal(f->n_done, 0);
}

#define ASK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASK_TEST(test_answer),
		ASK_TEST(test_empty_answer),
		ASK_TEST(test_silence),
		ASK_TEST(test_nobody_listens),
		ASK_TEST(test_path_too_long),
		ASK_TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
