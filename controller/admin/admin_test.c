/* The operator's HTTP server, asked over a real connection: what it answers, and what it refuses.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/metrics.h"

#define MAX_TURNS 10000

struct bench {
	struct event_base *base;
	struct admin *admin;
	uint16_t port;
	const char *missing;
	unsigned n_refreshes;
	unsigned n_audits;
	int status;	     /* whether the metrics may be read; 0 = it is not answered yet */
	char *authorization; /* of the last one who asked for them; owned */
	admin_answer_fn answer;
	void *waiting[ADMIN_MAX_WAITING];
	size_t n_waiting;
};

static const char *on_ready(void *ctx)
{
	return ((struct bench *)ctx)->missing;
}

static void on_refresh(void *ctx)
{
	struct bench *bench = ctx;

	bench->n_refreshes++;
	metrics_set(METRIC_BACKENDS, NULL, 42);
}

static bool on_ingress(void *ctx, const char *namespace, const char *name, struct buf *json)
{
	(void)ctx;
	if (strcmp(namespace, "a") != 0) {
		buf_append_str(json, "{\"error\":\"none\"}");
		return false;
	}
	buf_printf(json, "{\"of\":\"%s %s\"}", namespace, name);
	return true;
}

static bool on_backend(void *ctx, const char *name, struct buf *json)
{
	(void)ctx;
	buf_printf(json, "{\"of\":\"%s\"}", name);
	return strcmp(name, "a_svc_b_80:check") == 0;
}

static void on_status(void *ctx, struct buf *json)
{
	(void)ctx;
	buf_append_str(json, "{\"version\":\"1\"}");
}

static void on_audit(void *ctx, bool is_start, struct buf *json)
{
	((struct bench *)ctx)->n_audits += is_start;
	buf_append_str(json, is_start ? "{\"number\":1}" : "{\"result\":\"clean\"}");
}

static void on_ask(void *ctx, const char *authorization, admin_answer_fn answer, void *request)
{
	struct bench *bench = ctx;

	free(bench->authorization);
	bench->authorization = xstrdup(authorization);
	if (bench->status != 0) {
		answer(request, bench->status);
		return;
	}
	assert_true(bench->n_waiting < ADMIN_MAX_WAITING);
	bench->answer = answer;
	bench->waiting[bench->n_waiting++] = request;
}

/* A socket bound to a port of 127.0.0.1 that the kernel chose. */
static int bind_any(uint16_t *ret_port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static struct admin *open_at(struct bench *bench, const char *bind_text, struct err *err)
{
	const struct admin_callbacks callbacks = {
		on_ready, on_refresh, on_ingress, on_backend, on_status, on_audit, on_ask, bench};

	*err = (struct err){0};
	return admin_open(bench->base, bind_text, &callbacks, err);
}

/* A port that was free a moment ago may be taken now: then another one. */
static int setup(void **state)
{
	struct bench *bench = xcalloc(1, sizeof(*bench));
	struct err err;

	bench->base = event_base_new();
	bench->status = 200;
	for (int i = 0; i < 20 && bench->admin == NULL; i++) {
		close(bind_any(&bench->port));
		CLEANUP(free_ptr) char *text = xasprintf("127.0.0.1:%u", bench->port);
		bench->admin = open_at(bench, text, &err);
	}
	assert_non_null(bench->admin);
	*state = bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	admin_close(bench->admin);
	event_base_free(bench->base);
	metrics_reset();
	free(bench->authorization);
	free(bench);
	return 0;
}

static int connect_to(const struct bench *bench)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(bench->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Sends bytes and reads until the server closes. */
static char *ask(struct bench *bench, const char *request)
{
	struct buf answer = BUF_INIT(1 << 20);
	int fd = connect_to(bench);
	ssize_t n = -1;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int turn = 0; n != 0; turn++) {
		char chunk[4096];
		assert_true(turn < MAX_TURNS);
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
		n = read(fd, chunk, sizeof(chunk));
		if (n > 0) {
			buf_append(&answer, chunk, (size_t)n);
		} else if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
		} else if (n < 0) {
			n = 0;
		}
	}
	close(fd);
	return buf_take(&answer);
}

static char *get(struct bench *bench, const char *method, const char *path)
{
	CLEANUP(free_ptr)
	char *request = xasprintf(
		"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path);

	return ask(bench, request);
}

static void check(struct bench *bench, const char *path, const char *status, const char *body)
{
	CLEANUP(free_ptr) char *answer = get(bench, "GET", path);
	CLEANUP(free_ptr) char *first = xasprintf("HTTP/1.1 %s ", status);
	const char *content = strstr(answer, "\r\n\r\n");

	assert_memory_equal(answer, first, strlen(first));
	assert_non_null(content);
	assert_string_equal(content + 4, body);
	assert_non_null(strstr(answer, "Content-Type: text/plain; charset=utf-8\r\n"));
}

static void test_health(void **state)
{
	struct bench *bench = *state;

	check(bench, "/healthz", "200", "ok\n");
	bench->missing = "HAProxy does not answer";
	check(bench, "/healthz", "200", "ok\n");
	check(bench, "/healthz?verbose", "200", "ok\n");
}

static void test_readiness(void **state)
{
	struct bench *bench = *state;

	bench->missing = "HAProxy does not answer";
	check(bench, "/readyz", "503", "HAProxy does not answer\n");
	bench->missing = NULL;
	check(bench, "/readyz", "200", "ok\n");
}

static void test_other_paths(void **state)
{
	static const char *const paths[] = {"/", "/metrics/", "/Metrics", "/healthz/x",
		"/../metrics", "/%2e%2e/etc/passwd", "/debug/pprof"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		check(*state, paths[i], "404",
			"not found; there are /healthz, /readyz, /metrics, /status, /audit, "
			"/ingresses/NAMESPACE/NAME and /backends/NAME\n");
	}
}

static void check_json(struct bench *bench, const char *path, const char *status, const char *body)
{
	CLEANUP(free_ptr) char *answer = get(bench, "GET", path);
	CLEANUP(free_ptr) char *first = xasprintf("HTTP/1.1 %s ", status);
	const char *content = strstr(answer, "\r\n\r\n");

	assert_int_equal(strncmp(answer, first, strlen(first)), 0);
	assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
	assert_non_null(content);
	assert_string_equal(content + 4, body);
}

static void test_ingresses(void **state)
{
	static const char *const wrong[] = {"/ingresses/", "/ingresses/a", "/ingresses/a/",
		"/ingresses//i", "/ingresses/a/i/x"};

	check_json(*state, "/status", "200", "{\"version\":\"1\"}\n");
	check_json(*state, "/ingresses/a/i", "200", "{\"of\":\"a i\"}\n");
	check_json(*state, "/ingresses/a/i?x=/y", "200", "{\"of\":\"a i\"}\n");
	check_json(*state, "/ingresses/b/i", "404", "{\"error\":\"none\"}\n");
	check_json(*state, "/ingresses/a%2Fi/j", "404", "{\"error\":\"none\"}\n");
	check_json(*state, "/backends/a_svc_b_80:check", "200", "{\"of\":\"a_svc_b_80:check\"}\n");
	check_json(*state, "/backends/b", "404", "{\"of\":\"b\"}\n");
	check_json(*state, "/backends/", "404", "{\"error\":\"ask for /backends/NAME\"}\n");
	check_json(*state, "/backends/a/b", "404", "{\"error\":\"ask for /backends/NAME\"}\n");
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		check_json(*state, wrong[i], "404",
			"{\"error\":\"ask for /ingresses/NAMESPACE/NAME\"}\n");
	}
}

static void expect_status(char *answer, int status, const char *part)
{
	assert_int_equal(strtol(answer + strlen("HTTP/1.1 "), NULL, 10), status);
	assert_non_null(strstr(answer, part));
	free(answer);
}

static void test_guard(void **state)
{
	struct bench *bench = *state;

	expect_status(ask(bench, "GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic x\r\n"
				 "Connection: close\r\n\r\n"),
		200, "\nheadgate_backends 42\n");
	assert_string_equal(bench->authorization, "Basic x");
	bench->status = 401;
	expect_status(get(bench, "GET", "/metrics"), 401,
		"WWW-Authenticate: Basic realm=\"Metrics\", charset=\"UTF-8\"\r\n");
	assert_string_equal(bench->authorization, "");
	bench->status = 503;
	expect_status(get(bench, "GET", "/metrics"), 503, "try again\n");
	assert_int_equal(bench->n_refreshes, 1);
	/* Nobody is kept from the rest. */
	expect_status(get(bench, "GET", "/healthz"), 200, "ok\n");
	expect_status(get(bench, "GET", "/readyz"), 200, "ok\n");
}

/* Reads as much as there is. */
static char *read_some(struct bench *bench, int fd)
{
	char text[1 << 16];
	ssize_t n = -1;

	for (int turn = 0; n < 0; turn++) {
		assert_true(turn < MAX_TURNS);
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1);
		n = read(fd, text, sizeof(text) - 1);
	}
	text[n] = '\0';
	return xstrdup(text);
}

/* Sends a request for the metrics, and turns until it waits. */
static int begin(struct bench *bench)
{
	static const char request[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t n_before = bench->n_waiting;
	int fd = connect_to(bench);

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	for (int turn = 0; bench->n_waiting == n_before; turn++) {
		assert_true(turn < MAX_TURNS);
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
		usleep(100);
	}
	return fd;
}

/* Answers come later; clients go meanwhile; more than there is room for is not taken; and what
 * waits ends with the server, with a client or without. */
static void test_waiting(void **state)
{
	struct bench *bench = *state;
	int fds[ADMIN_MAX_WAITING];

	bench->status = 0;
	for (size_t i = 0; i < ADMIN_MAX_WAITING; i++) {
		fds[i] = begin(bench);
	}
	expect_status(get(bench, "GET", "/metrics"), 503, "too many ask");
	expect_status(get(bench, "GET", "/healthz"), 200, "ok\n");
	for (size_t i = 0; i < 3; i++) {
		close(fds[i]);
	}
	for (int turn = 0; turn < 100; turn++) {
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
	}
	bench->answer(bench->waiting[0], 200);
	bench->answer(bench->waiting[1], 401);
	bench->answer(bench->waiting[3], 200);
	expect_status(read_some(bench, fds[3]), 200, "\nheadgate_backends 42\n");
	bench->answer(bench->waiting[4], 401);
	expect_status(read_some(bench, fds[4]), 401, "WWW-Authenticate");
	bench->n_waiting -= 4;
	close(begin(bench));
	for (size_t i = 3; i < ADMIN_MAX_WAITING; i++) {
		close(fds[i]);
	}
}

static void test_metrics(void **state)
{
	static const char *const wanted[] = {"\nheadgate_backends 42\n",
		"\n# TYPE headgate_reconcile_time_seconds histogram\n",
		"\n# TYPE process_cpu_seconds_total counter\n", "\nprocess_resident_memory_bytes ",
		"\nprocess_open_fds ", "\nprocess_start_time_seconds ",
		"Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"};
	struct bench *bench = *state;
	CLEANUP(free_ptr) char *answer = get(bench, "GET", "/metrics");
	double value;

	assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
	assert_int_equal(bench->n_refreshes, 1);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_non_null(strstr(answer, wanted[i]));
	}
	assert_int_equal(
		sscanf(strstr(answer, wanted[3]), " process_resident_memory_bytes %lf", &value), 1);
	assert_true(value > 100000 && value < 1e11);
	assert_int_equal(sscanf(strstr(answer, wanted[4]), " process_open_fds %lf", &value), 1);
	assert_true(value >= 4 && value < 1000);
	/* After 2020 and not in the future. */
	assert_int_equal(
		sscanf(strstr(answer, wanted[5]), " process_start_time_seconds %lf", &value), 1);
	assert_true(value > 1577836800 && value <= (double)time(NULL) + 2);
}

static void test_head(void **state)
{
	CLEANUP(free_ptr) char *answer = get(*state, "HEAD", "/healthz");

	assert_memory_equal(answer, "HTTP/1.1 200 ", 13);
	assert_string_equal(strstr(answer, "\r\n\r\n"), "\r\n\r\n");
}

static void test_audit(void **state)
{
	struct bench *bench = *state;

	check_json(bench, "/audit", "200", "{\"result\":\"clean\"}\n");
	assert_int_equal(bench->n_audits, 0);
	CLEANUP(free_ptr)
	char *answer = ask(bench, "POST /audit HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
				  "Connection: close\r\n\r\n");
	assert_non_null(strstr(answer, " 200 "));
	assert_non_null(strstr(answer, "\r\n\r\n{\"number\":1}\n"));
	assert_int_equal(bench->n_audits, 1);
}

/* Read-only: nothing that changes anything is even looked at. */
static void test_other_methods(void **state)
{
	static const char *const methods[] = {
		"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"};
	struct bench *bench = *state;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		static const char *const paths[] = {"/metrics", "/healthz", "/readyz", "/x"};
		for (size_t j = 0; j < ARRAY_LEN(paths); j++) {
			CLEANUP(free_ptr)
			char *request = xasprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n"
						  "Content-Length: 0\r\nConnection: close\r\n\r\n",
				methods[i], paths[j]);
			CLEANUP(free_ptr) char *answer = ask(bench, request);
			assert_int_equal(strncmp(answer, "HTTP/1.1 2", 10) == 0, false);
		}
	}
	assert_int_equal(bench->n_refreshes, 0);
}

static void test_hostile_requests(void **state)
{
	struct bench *bench = *state;
	struct buf request = BUF_INIT(0);

	buf_append_str(&request, "GET /healthz HTTP/1.1\r\nConnection: close\r\nX: ");
	for (int i = 0; i < 20000; i++) {
		buf_append_char(&request, 'x');
	}
	buf_append_str(&request, "\r\n\r\n");
	CLEANUP(free_ptr) char *large = ask(bench, buf_str(&request));
	assert_null(strstr(large, "200 OK"));
	CLEANUP(free_ptr)
	char *body = ask(bench,
		"GET /healthz HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello");
	assert_null(strstr(body, "200 OK"));
	CLEANUP(free_ptr) char *garbage = ask(bench, "\x16\x03\x01 nonsense\r\n\r\n");
	assert_null(strstr(garbage, "200 OK"));
	check(bench, "/healthz", "200", "ok\n");
	buf_fini(&request);
}

static void check_refused(struct bench *bench, const char *bind_text, const char *text)
{
	struct err err;

	assert_null(open_at(bench, bind_text, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	if (strstr(err.text, text) == NULL) {
		fail_msg("'%s': %s", bind_text, err.text);
	}
}

/* One turn at a time, until the server has said something on this connection, or closed it. */
static void turn_until_readable(struct bench *bench, int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	for (int turn = 0; poll(&wait, 1, 1) == 0; turn++) {
		assert_true(turn < MAX_TURNS);
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
	}
}

static bool is_answered(int fd)
{
	char answer[16];

	return read(fd, answer, sizeof(answer)) > 0;
}

/* Without file descriptors nothing can be accepted: the program doesn't turn in circles over it,
 * and goes on when there are some. */
static void test_no_descriptors(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
	struct bench *bench = *state;
	struct rlimit limit;
	int fd = connect_to(bench);
	int n_before = event_base_get_num_events(bench->base, EVENT_BASE_COUNT_ADDED);
	int n_after = n_before;

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_max = limit.rlim_max});
	/* The listener is waited for no more. */
	for (int turn = 0; turn < MAX_TURNS && n_after == n_before; turn++) {
		event_base_loop(bench->base, EVLOOP_NONBLOCK);
		n_after = event_base_get_num_events(bench->base, EVENT_BASE_COUNT_ADDED);
	}
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_int_equal(n_after, n_before - 1);
	turn_until_readable(bench, fd);
	assert_true(is_answered(fd));
	close(fd);
}

static void test_bad_addresses(void **state)
{
	struct bench *bench = *state;
	uint16_t port;
	int fd = bind_any(&port);
	CLEANUP(free_ptr) char *taken = xasprintf("127.0.0.1:%u", port);

	check_refused(bench, "", "'' is not of the form ADDRESS:PORT");
	check_refused(bench, "8405", "'8405' is not of the form ADDRESS:PORT");
	check_refused(bench, ":", "':' has no port number behind the last ':'");
	check_refused(bench, ":http", "':http' has no port number");
	check_refused(bench, ":65536", "':65536' has no port number");
	check_refused(bench, ":-1", "':-1' has no port number");
	check_refused(bench, "127.0.0.1:80x", "has no port number");
	check_refused(bench, "192.0.2.1:0", "can't listen on '192.0.2.1:0': ");
	assert_int_equal(listen(fd, 1), 0);
	check_refused(bench, taken, "Address already in use: choose another address or port");
	close(fd);
}

static void test_ipv6(void **state)
{
	struct err err;
	struct admin *admin = open_at(*state, "[::1]:0", &err);

	/* A machine without IPv6 says so, and that is an answer, too. */
	assert_true(admin != NULL || strstr(err.text, "can't listen on '[::1]:0'") != NULL);
	admin_close(admin);
	admin_close(NULL);
}

/* Both families, whatever addresses the machine has. */
static void test_any_address(void **state)
{
	struct err err;
	struct admin *admin = open_at(*state, ":0", &err);

	assert_non_null(admin);
	admin_close(admin);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_health),
		TEST(test_readiness),
		TEST(test_other_paths),
		TEST(test_ingresses),
		TEST(test_metrics),
		TEST(test_guard),
		TEST(test_waiting),
		TEST(test_head),
		TEST(test_audit),
		TEST(test_other_methods),
		TEST(test_hostile_requests),
		TEST(test_no_descriptors),
		TEST(test_bad_addresses),
		TEST(test_ipv6),
		TEST(test_any_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
