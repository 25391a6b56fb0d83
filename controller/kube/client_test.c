/* The client against a small HTTP server: bodies, statuses, silence, cancelling at every point,
 * credentials that change. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/stub_server.h"
#include "version.h"

enum after_data { GO_ON, STOP, CANCEL_SELF, CANCEL_OTHER, GET_ANOTHER };

/* One request as the test sees it. */
struct call {
	struct fixture *fixture;
	struct kube_request *request;
	struct buf body;
	long status;
	long retry_after_seconds;
	char error[256];
	unsigned n_done;
	bool is_done;
	enum after_data after_data;
	struct call *other;
};

/* What the server does, chosen by the path of the request. */
struct fixture {
	struct stub_server server;
	struct kube_client *client;
	unsigned n_requests;
	unsigned n_ports; /* different client ports seen in a row: connections */
	uint16_t last_port;
	char authorization[128];
	char accept[64];
	char user_agent[128];
	bool has_held;
};

static void note_request(struct fixture *fixture, struct evhttp_request *request)
{
	char *host;
	uint16_t port;

	evhttp_connection_get_peer(evhttp_request_get_connection(request), &host, &port);
	fixture->n_ports += port != fixture->last_port;
	fixture->last_port = port;
	fixture->n_requests++;
	stub_copy_header(
		request, "Authorization", fixture->authorization, sizeof(fixture->authorization));
	stub_copy_header(request, "Accept", fixture->accept, sizeof(fixture->accept));
	stub_copy_header(request, "User-Agent", fixture->user_agent, sizeof(fixture->user_agent));
}

/* A body of `size` letters. */
static void reply_large(struct evhttp_request *request, int status, size_t size)
{
	char *body = xcalloc(1, size + 1);

	memset(body, 'x', size);
	stub_reply(request, status, body, NULL);
	free(body);
}

static void reply_large_header(struct evhttp_request *request)
{
	size_t size = 200000;
	char *value = xcalloc(1, size + 1);

	memset(value, 'x', size);
	evhttp_add_header(evhttp_request_get_output_headers(request), "X-Large", value);
	stub_reply(request, 200, "body", NULL);
	free(value);
}

static void on_cut(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	evhttp_connection_free(ctx);
}

static void handle(struct evhttp_request *request, void *ctx)
{
	struct fixture *fixture = ctx;
	const char *path = evhttp_request_get_uri(request);
	struct timeval soon = {0, 50000};
	int status;

	note_request(fixture, request);
	if (sscanf(path, "/status/%d", &status) == 1) {
		if (status == 302) {
			evhttp_add_header(
				evhttp_request_get_output_headers(request), "Location", "/ok");
		}
		stub_reply(request, status, "some words", status == 429 ? "7" : NULL);
	} else if (strcmp(path, "/pieces?a=%2F") == 0) {
		evhttp_send_reply_start(request, 200, "OK");
		stub_send_chunk(request, "one ");
		stub_send_chunk(request, "two ");
		stub_send_chunk(request, "three");
		evhttp_send_reply_end(request);
	} else if (strcmp(path, "/hold") == 0 || strcmp(path, "/begin") == 0) {
		if (path[1] == 'b') {
			evhttp_send_reply_start(request, 200, "OK");
			stub_send_chunk(request, "begun");
		}
		stub_server_hold(&fixture->server, request);
		fixture->has_held = true;
	} else if (strcmp(path, "/cut") == 0) {
		evhttp_send_reply_start(request, 200, "OK");
		stub_send_chunk(request, "half a b");
		event_base_once(fixture->server.base, -1, EV_TIMEOUT, on_cut,
			evhttp_request_get_connection(request), &soon);
	} else if (strcmp(path, "/large500") == 0) {
		reply_large(request, 500, 1000000);
	} else if (strcmp(path, "/large200") == 0) {
		reply_large(request, 200, 1000000);
	} else if (strcmp(path, "/header") == 0) {
		reply_large_header(request);
	} else {
		stub_reply(request, 200, "ok", NULL);
	}
}

static bool on_data(void *ctx, const char *data, size_t len);
static void on_done(void *ctx, const struct kube_result *result);

static void get(struct fixture *fixture, struct call *call, const char *path, unsigned idle_seconds)
{
	call->fixture = fixture;
	call->request = kube_client_get(fixture->client,
		&(struct kube_get){path, NULL, idle_seconds, NULL, on_data, on_done, call});
	assert_non_null(call->request);
	assert_int_equal(call->n_done, 0);
}

static bool on_data(void *ctx, const char *data, size_t len)
{
	struct call *call = ctx;

	assert_int_equal(call->n_done, 0);
	buf_append(&call->body, data, len);
	switch (call->after_data) {
	case GO_ON:
		break;
	case STOP:
		return false;
	case CANCEL_SELF:
		kube_request_cancel(call->request);
		break;
	case CANCEL_OTHER:
		kube_request_cancel(call->other->request);
		break;
	case GET_ANOTHER:
		get(call->fixture, call->other, "/ok", 0);
		call->after_data = GO_ON;
		break;
	}
	return true;
}

static void on_done(void *ctx, const struct kube_result *result)
{
	struct call *call = ctx;

	call->status = result->status;
	call->retry_after_seconds = result->retry_after_seconds;
	snprintf(call->error, sizeof(call->error), "%s", result->error ? result->error : "");
	assert_int_equal(result->error == NULL, result->status != 0);
	call->n_done++;
	call->is_done = true;
}

static void call_fini(struct call *call)
{
	buf_fini(&call->body);
}

static void run(struct fixture *fixture, struct call *call, const char *path)
{
	get(fixture, call, path, 0);
	stub_server_run_until(&fixture->server, &call->is_done);
	assert_int_equal(call->n_done, 1);
}

static void open_client(struct fixture *fixture, struct kube_config *config)
{
	struct err err = {0};

	fixture->client = kube_client_new(fixture->server.base, config, &err);
	assert_non_null(fixture->client);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	log_set_level(LOG_ERROR);
	stub_server_init(&fixture->server, handle, fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	kube_client_free(fixture->client);
	stub_server_fini(&fixture->server);
	metrics_reset();
	free(fixture);
	return 0;
}

static void test_body_and_headers(void **state)
{
	struct fixture *fixture = *state;
	struct kube_config *config = stub_server_config(&fixture->server);
	struct call call = {0};

	config->token = xstrdup("tok");
	open_client(fixture, config);
	run(fixture, &call, "/pieces?a=%2F");
	assert_int_equal(call.status, 200);
	assert_string_equal(buf_str(&call.body), "one two three");
	assert_string_equal(fixture->authorization, "Bearer tok");
	assert_string_equal(fixture->accept, "application/json");
	assert_string_equal(fixture->user_agent, "headgate/" HEADGATE_VERSION);
	assert_true(metrics_get(METRIC_REST_REQUESTS, "200") == 1);
	call_fini(&call);
}

static void test_large_body(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/large200");
	assert_int_equal(call.status, 200);
	assert_int_equal(call.body.len, 1000000);
	assert_string_equal(fixture->authorization, "");
	call_fini(&call);
}

static void test_statuses(void **state)
{
	static const int statuses[] = {302, 400, 401, 403, 404, 410, 429, 500, 502, 503, 504};
	struct fixture *fixture = *state;

	open_client(fixture, stub_server_config(&fixture->server));
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct call call = {0};
		char path[32];
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		run(fixture, &call, path);
		assert_int_equal(call.status, statuses[i]);
		assert_int_equal(call.retry_after_seconds, statuses[i] == 429 ? 7 : 0);
		assert_int_equal(call.body.len, 0);
		assert_int_equal(fixture->n_requests, i + 1);
		call_fini(&call);
	}
	assert_true(metrics_get(METRIC_REST_REQUESTS, "503") == 1);
}

static void test_large_error_body_is_not_read(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/large500");
	assert_int_equal(call.status, 500);
	assert_int_equal(call.body.len, 0);
}

static void test_endless_headers_are_refused(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/header");
	assert_int_equal(call.status, 0);
	assert_int_equal(call.body.len, 0);
}

static void test_cut_body_is_no_answer(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/cut");
	assert_int_equal(call.status, 0);
	assert_string_equal(buf_str(&call.body), "half a b");
	assert_true(call.error[0] != '\0');
	call_fini(&call);
}

static void test_connection_refused(void **state)
{
	struct fixture *fixture = *state;
	struct kube_config *config = stub_server_config(&fixture->server);
	struct call call = {0};

	free(config->server);
	config->server = xstrdup("http://127.0.0.1:1");
	open_client(fixture, config);
	run(fixture, &call, "/ok");
	assert_int_equal(call.status, 0);
	assert_true(call.error[0] != '\0');
	assert_true(metrics_get(METRIC_REST_REQUESTS, "<error>") == 1);
}

static void test_reader_stops(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {.after_data = STOP};
	struct call next = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/begin");
	assert_int_equal(call.status, 0);
	assert_string_equal(buf_str(&call.body), "begun");
	run(fixture, &next, "/ok");
	assert_int_equal(next.status, 200);
	call_fini(&call);
	call_fini(&next);
}

static void test_cancel_before_start(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};
	struct call next = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	get(fixture, &call, "/ok", 0);
	kube_request_cancel(call.request);
	run(fixture, &next, "/ok");
	assert_int_equal(call.n_done, 0);
	assert_int_equal(fixture->n_requests, 1);
	call_fini(&next);
}

static void test_cancel_while_waiting(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {0};
	struct call next = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	get(fixture, &call, "/hold", 0);
	stub_server_run_until(&fixture->server, &fixture->has_held);
	kube_request_cancel(call.request);
	run(fixture, &next, "/ok");
	assert_int_equal(next.status, 200);
	assert_int_equal(call.n_done, 0);
	call_fini(&next);
}

static void test_cancel_from_own_data(void **state)
{
	struct fixture *fixture = *state;
	struct call call = {.after_data = CANCEL_SELF};
	struct call next = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	get(fixture, &call, "/pieces?a=%2F", 0);
	run(fixture, &next, "/ok");
	stub_server_run_ms(&fixture->server, 50);
	assert_int_equal(next.status, 200);
	assert_int_equal(call.n_done, 0);
	call_fini(&call);
	call_fini(&next);
}

static void test_cancel_another_from_data(void **state)
{
	struct fixture *fixture = *state;
	struct call waiting = {0};
	struct call call = {.after_data = CANCEL_OTHER, .other = &waiting};

	open_client(fixture, stub_server_config(&fixture->server));
	get(fixture, &waiting, "/hold", 0);
	stub_server_run_until(&fixture->server, &fixture->has_held);
	run(fixture, &call, "/ok");
	stub_server_run_ms(&fixture->server, 50);
	assert_int_equal(call.status, 200);
	assert_int_equal(waiting.n_done, 0);
	call_fini(&call);
}

static void test_get_from_data(void **state)
{
	struct fixture *fixture = *state;
	struct call second = {0};
	struct call call = {.after_data = GET_ANOTHER, .other = &second};

	open_client(fixture, stub_server_config(&fixture->server));
	run(fixture, &call, "/ok");
	stub_server_run_until(&fixture->server, &second.is_done);
	assert_int_equal(second.status, 200);
	call_fini(&call);
	call_fini(&second);
}

static void test_free_with_requests_under_way(void **state)
{
	struct fixture *fixture = *state;
	struct call held = {0};
	struct call unstarted = {0};

	open_client(fixture, stub_server_config(&fixture->server));
	get(fixture, &held, "/hold", 5);
	stub_server_run_until(&fixture->server, &fixture->has_held);
	get(fixture, &unstarted, "/ok", 5);
	kube_client_free(fixture->client);
	fixture->client = NULL;
	stub_server_run_ms(&fixture->server, 50);
	assert_int_equal(held.n_done, 0);
	assert_int_equal(unstarted.n_done, 0);
	kube_client_free(NULL);
}

/* Silence ends the request, and the connection isn't trusted with the next one. */
static void test_silence(void **state)
{
	static const char *const paths[] = {"/hold", "/begin"};
	struct fixture *fixture = *state;

	open_client(fixture, stub_server_config(&fixture->server));
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct call call = {0};
		struct call next = {0};
		get(fixture, &call, paths[i], 1);
		stub_server_run_until(&fixture->server, &call.is_done);
		assert_int_equal(call.status, 0);
		assert_string_equal(call.error, "nothing received for 1 seconds");
		unsigned n_ports = fixture->n_ports;
		run(fixture, &next, "/ok");
		assert_int_equal(next.status, 200);
		assert_int_equal(fixture->n_ports, n_ports + 1);
		call_fini(&call);
		call_fini(&next);
	}
}

/* ---- credentials ---- */

struct files {
	char directory[64];
	char *token;
	char *ca;
};

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void files_init(struct files *files)
{
	snprintf(files->directory, sizeof(files->directory), "/tmp/headgate-client-XXXXXX");
	assert_non_null(mkdtemp(files->directory));
	files->token = xasprintf("%s/token", files->directory);
	files->ca = xasprintf("%s/ca.crt", files->directory);
}

static void files_fini(struct files *files)
{
	unlink(files->token);
	unlink(files->ca);
	assert_int_equal(rmdir(files->directory), 0);
	free(files->token);
	free(files->ca);
}

/* Sends a request and looks at the token that came with it. */
static void expect_token(struct fixture *fixture, const char *authorization)
{
	struct call call = {0};

	run(fixture, &call, "/ok");
	assert_int_equal(call.status, 200);
	assert_string_equal(fixture->authorization, authorization);
	call_fini(&call);
}

static void test_token_file_is_followed(void **state)
{
	struct fixture *fixture = *state;
	struct kube_config *config = stub_server_config(&fixture->server);
	struct files files = {0};
	char *link = NULL;

	files_init(&files);
	write_text(files.token, "first\n");
	config->token_file = xstrdup(files.token);
	open_client(fixture, config);
	expect_token(fixture, "Bearer first");
	write_text(files.token, "second and longer\n");
	expect_token(fixture, "Bearer first"); /* blanks inside: no token */
	write_text(files.token, "  second\r\n");
	expect_token(fixture, "Bearer second");
	write_text(files.token, "");
	expect_token(fixture, "Bearer second");
	assert_int_equal(unlink(files.token), 0);
	expect_token(fixture, "Bearer second");
	/* The way Kubernetes does it: another file under the same name. */
	link = xasprintf("%s/data", files.directory);
	write_text(link, "third.");
	assert_int_equal(symlink("data", files.token), 0);
	expect_token(fixture, "Bearer third.");
	write_text(files.token, "fourth");
	expect_token(fixture, "Bearer fourth");
	assert_int_equal(fixture->n_ports, 1); /* a new token needs no new connection */
	unlink(link);
	free(link);
	files_fini(&files);
}

static void test_new_ca_means_new_connection(void **state)
{
	struct fixture *fixture = *state;
	struct kube_config *config = stub_server_config(&fixture->server);
	struct files files = {0};

	files_init(&files);
	write_text(files.ca, "-----BEGIN CERTIFICATE-----\nold\n");
	config->ca_file = xstrdup(files.ca);
	open_client(fixture, config);
	expect_token(fixture, "");
	expect_token(fixture, "");
	assert_int_equal(fixture->n_ports, 1);
	write_text(files.ca, "half-written");
	expect_token(fixture, "");
	assert_int_equal(fixture->n_ports, 1);
	write_text(files.ca, "-----BEGIN CERTIFICATE-----\nnew\n");
	expect_token(fixture, "");
	expect_token(fixture, "");
	assert_int_equal(fixture->n_ports, 2);
	files_fini(&files);
}

static void test_missing_files_are_seen_at_start(void **state)
{
	struct fixture *fixture = *state;
	struct kube_config *config = stub_server_config(&fixture->server);
	struct err err = {0};

	config->token_file = xstrdup("/nowhere/token");
	assert_null(kube_client_new(fixture->server.base, config, &err));
	assert_non_null(strstr(err.text, "/nowhere/token"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_body_and_headers),
		CASE(test_large_body),
		CASE(test_statuses),
		CASE(test_large_error_body_is_not_read),
		CASE(test_endless_headers_are_refused),
		CASE(test_cut_body_is_no_answer),
		CASE(test_connection_refused),
		CASE(test_reader_stops),
		CASE(test_cancel_before_start),
		CASE(test_cancel_while_waiting),
		CASE(test_cancel_from_own_data),
		CASE(test_cancel_another_from_data),
		CASE(test_get_from_data),
		CASE(test_free_with_requests_under_way),
		CASE(test_silence),
		CASE(test_token_file_is_followed),
		CASE(test_new_ca_means_new_connection),
		CASE(test_missing_files_are_seen_at_start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
