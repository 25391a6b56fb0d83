/* The endpoint over its socket: what it answers to each kind of request, that questions wait for
 * each other and for the thread, and that it lets nobody in by mistake. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "auth/endpoint.h"
#include "auth/verifier.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/dir_testing.h"
#include "base/metrics.h"
#include "cert/cert_testing.h"

#define JOE "$2y$05$KBCwKxOzLha2MUDgW0PjXeGy8zDyKFegpVV4y0qPBUgij10WNyKY6"
/* {SHA} of "" and of "a:b". */
#define ANN "{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk="
#define BOB "{SHA}3OptnM09ILoVSfbZtd3mB0IViII="

struct fixture {
	char *dir;
	char *path;
	struct event_base *base;
	struct endpoint *endpoint;
	struct endpoint_users users;
};

static bool find_users(void *ctx, const char *policy, struct endpoint_users *ret_users)
{
	const struct fixture *fixture = ctx;

	*ret_users = fixture->users;
	return strcmp(policy, "shop/web") == 0;
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};
	struct stat status;

	fixture->dir = xstrdup("/tmp/headgate-endpoint-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->path = xasprintf("%s/" ENDPOINT_SOCKET, fixture->dir);
	fixture->base = event_base_new();
	fixture->users = (struct endpoint_users){
		"ann:" ANN "\njoe:" JOE "\nj\xc3\xb6:" BOB "\n", "v1", "name"};
	fixture->endpoint = endpoint_open(fixture->base, fixture->path, find_users, fixture, &err);
	assert_non_null(fixture->endpoint);
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	endpoint_close(fixture->endpoint);
	assert_int_not_equal(access(fixture->path, F_OK), 0);
	event_base_free(fixture->base);
	testing_remove_dir(fixture->dir);
	free(fixture->dir);
	free(fixture->path);
	free(fixture);
	metrics_reset();
	return 0;
}

static int open_connection(const struct fixture *fixture)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memcpy(address.sun_path, fixture->path, strlen(fixture->path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int send_text(const struct fixture *fixture, const char *text, size_t len)
{
	int fd = open_connection(fixture);

	assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
	return fd;
}

/* The status; 0 = closed without one. */
static int read_status(const struct fixture *fixture, int fd)
{
	char text[100];
	ssize_t n = -1;

	while (n < 0) {
		event_base_loop(fixture->base, EVLOOP_NONBLOCK);
		n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
		usleep(n < 0 ? 1000 : 0);
	}
	close(fd);
	text[n] = '\0';
	return n > 12 ? (int)strtol(text + 9, NULL, 10) : 0;
}

/* `credentials` in plain text. */
static char *make_request(const char *policy, const char *users, const char *credentials)
{
	CLEANUP(free_ptr) char *encoded = testing_base64(credentials);

	return xasprintf("GET / HTTP/1.1\r\nauthorization: Basic %s\r\nx-users: %s\r\nx-policy: "
			 "%s\r\nhost: users\r\n\r\n",
		encoded, users, policy);
}

static int ask(const struct fixture *fixture, const char *policy, const char *users,
	const char *credentials)
{
	CLEANUP(free_ptr) char *request = make_request(policy, users, credentials);

	return read_status(fixture, send_text(fixture, request, strlen(request)));
}

static void test_answers(void **state)
{
	static const struct {
		const char *policy;
		const char *users;
		const char *credentials;
		int status;
	} rows[] = {
		{"shop/web", "name", "joe:secret", 200},
		{"shop/web", "name", "joe:secret", 200}, /* remembered */
		{"shop/web", "other", "joe:secret", 202},
		{"shop/web", "name", "joe:wrong", 401},
		{"shop/web", "name", "joe:", 401},
		{"shop/web", "name", "joe", 401},
		{"shop/web", "name", "", 401},
		{"shop/web", "name", ":secret", 401},
		{"shop/web", "name", "nobody:secret", 401},
		{"shop/web", "name", "ann:", 200},
		{"shop/web", "name", "j\xc3\xb6:a:b", 200},
		{"shop/web", "name", "j\xc3\xb6:a", 401},
		{"shop/web", "name", "joe:" JOE, 401},
		/* The first user's password, of who isn't there. */
		{"shop/web", "name", "nobody:", 401},
		{"shop/other", "name", "joe:secret", 503},
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int status = ask(fixture, rows[i].policy, rows[i].users, rows[i].credentials);
		if (status != rows[i].status) {
			fail_msg("%s: %d", rows[i].credentials, status);
		}
	}
	assert_true(metrics_get(METRIC_PASSWORD_CHECKS, "remembered") == 2);
	/* Another Secret: what was right is not any more. */
	fixture->users = (struct endpoint_users){"joe:" BOB "\n", "v2", "name2"};
	assert_int_equal(ask(fixture, "shop/web", "name2", "joe:secret"), 401);
	assert_int_equal(ask(fixture, "shop/web", "name", "joe:a:b"), 202);
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *text;
		int status;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", 503},
		{"POST / HTTP/1.1\r\nx-policy: shop/web\r\nx-users: a\r\nauthorization: Basic "
		 "YTpi\r\n\r\n",
			503},
		{"\r\n\r\n", 503},
		{"GET / HTTP/1.1\r\nx-policy: shop/web\r\nx-users: a\r\nauthorization: Bearer "
		 "YTpi\r\n\r\n",
			401},
		{"GET / HTTP/1.1\r\nx-policy: shop/web\r\nx-users: a\r\nauthorization: Basic "
		 "Y===\r\n\r\n",
			401},
		{"GET / HTTP/1.1\r\nx-policy: shop/web\r\nx-users: a\r\nauthorization: Basic "
		 "!!!!\r\n\r\n",
			401},
		/* "a\0:b" */
		{"GET / HTTP/1.1\r\nx-policy: shop/web\r\nx-users: a\r\nauthorization: Basic "
		 "YQA6Yg==\r\n\r\n",
			401},
	};
	struct fixture *fixture = *state;
	char *big = xcalloc(1, ENDPOINT_MAX_REQUEST + 1);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int fd = send_text(fixture, rows[i].text, strlen(rows[i].text));
		int status = read_status(fixture, fd);
		if (status != rows[i].status) {
			fail_msg("%s: %d", rows[i].text, status);
		}
	}
	memset(big, 'a', ENDPOINT_MAX_REQUEST);
	assert_int_equal(read_status(fixture, send_text(fixture, big, ENDPOINT_MAX_REQUEST)), 503);
	free(big);
	/* Who goes without a word. */
	close(send_text(fixture, "GET / ", 6));
	event_base_loop(fixture->base, EVLOOP_NONBLOCK);
	assert_int_equal(ask(fixture, "shop/web", "name", "joe:secret"), 200);
}

/* Many at once: some wait for the thread, those with the same question for one answer, and what
 * is too much is not taken. */
static void test_crowd(void **state)
{
	struct fixture *fixture = *state;
	int same[8];
	int others[2 * VERIFIER_MAX_QUEUE];
	int n_refused = 0;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		CLEANUP(free_ptr) char *request = make_request("shop/web", "name", "joe:secret");
		same[i] = send_text(fixture, request, strlen(request));
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CLEANUP(free_ptr) char *credentials = xasprintf("joe:%zu", i);
		CLEANUP(free_ptr) char *request = make_request("shop/web", "name", credentials);
		others[i] = send_text(fixture, request, strlen(request));
	}
	/* All are read before the first answer can be. */
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		assert_int_equal(read_status(fixture, same[i]), 200);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		int status = read_status(fixture, others[i]);
		assert_true(status == 401 || status == 503);
		n_refused += status == 503;
	}
	assert_true(metrics_get(METRIC_PASSWORD_CHECKS, "refused") == n_refused);
	assert_true(metrics_get(METRIC_PASSWORD_CHECKS, "right") +
			    metrics_get(METRIC_PASSWORD_CHECKS, "remembered") <=
		    8);
}

static void on_answer(void *ctx, int status)
{
	*(int *)ctx = status;
}

/* Returns at once; the status is 0 until there is one. */
static void ask_inside(
	const struct fixture *fixture, const char *policy, const char *credentials, int *ret_status)
{
	CLEANUP(free_ptr) char *encoded = testing_base64(credentials);
	CLEANUP(free_ptr) char *authorization = xasprintf("Basic %s", encoded);

	*ret_status = 0;
	endpoint_ask(fixture->endpoint,
		&(struct endpoint_question){policy, authorization, on_answer, ret_status});
}

static int wait_for(const struct fixture *fixture, const int *status)
{
	while (*status == 0) {
		event_base_loop(fixture->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	return *status;
}

/* From inside: the same answers, together with those who ask over the socket. */
static void test_inside(void **state)
{
	struct fixture *fixture = *state;
	int status, same, wrong;

	ask_inside(fixture, "shop/web", "joe:secret", &same);
	CLEANUP(free_ptr) char *request = make_request("shop/web", "", "joe:secret");
	int fd = send_text(fixture, request, strlen(request));
	ask_inside(fixture, "shop/web", "joe:wrong", &wrong);
	assert_true(same == 0 && wrong == 0);
	assert_int_equal(wait_for(fixture, &same), 202);
	assert_int_equal(read_status(fixture, fd), 202);
	assert_int_equal(wait_for(fixture, &wrong), 401);
	ask_inside(fixture, "shop/web", "joe:secret", &status);
	assert_int_equal(status, 202);
	ask_inside(fixture, "shop/other", "joe:secret", &status);
	assert_int_equal(status, 503);
	endpoint_ask(
		fixture->endpoint, &(struct endpoint_question){"shop/web", "", on_answer, &status});
	assert_int_equal(status, 401);
	fixture->users.name = "";
	fixture->users.version = "v2";
	ask_inside(fixture, "shop/web", "joe:secret", &status);
	assert_int_equal(wait_for(fixture, &status), 200);
	/* One that is never answered: the endpoint goes. */
	ask_inside(fixture, "shop/web", "joe:other", &status);
}

static void test_too_many(void **state)
{
	struct fixture *fixture = *state;
	int fds[ENDPOINT_MAX_CONNECTIONS];

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = open_connection(fixture);
		event_base_loop(fixture->base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(read_status(fixture, open_connection(fixture)), 0);
	/* The rest goes with the endpoint, in the middle of a question. */
	for (size_t i = 1; i < ARRAY_LEN(fds); i++) {
		close(fds[i]);
	}
	event_base_loop(fixture->base, EVLOOP_NONBLOCK);
	CLEANUP(free_ptr) char *request = make_request("shop/web", "name", "joe:secret");
	assert_int_equal(
		send(fds[0], request, strlen(request), MSG_NOSIGNAL), (int)strlen(request));
	event_base_loop(fixture->base, EVLOOP_NONBLOCK);
	close(fds[0]);
}

static void test_no_place(void **state)
{
	struct event_base *base = event_base_new();
	struct err err = {0};
	char path[200];

	(void)state;
	assert_null(endpoint_open(base, "/proc/nowhere/users.sock", find_users, NULL, &err));
	assert_non_null(strstr(err.text, "/proc/nowhere/users.sock"));
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_null(endpoint_open(base, path, find_users, NULL, &err));
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_requests, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_crowd, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_inside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
		cmocka_unit_test(test_no_place),
	};

	return cmocka_run_group_tests_name("endpoint", tests, NULL, NULL);
}
