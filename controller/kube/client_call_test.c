/* Writes against a small HTTP server: what arrives there, and what comes back of any status. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/stub_server.h"

/* The server says back what it was sent; the path chooses the status. */
struct fixture {
	struct stub_server server;
	struct kube_client *client;
	unsigned n_requests;
	enum evhttp_cmd_type command;
	char content_type[64];
	char authorization[64];
	char expect[64];
	char path[128];
	size_t answer_size; /* a long answer instead, of so many letters */
	bool has_held;
};

struct call {
	struct fixture *fixture;
	struct kube_request *request;
	long status;
	long retry_after_seconds;
	char *body;
	char error[256];
	bool is_done;
	struct call *next;
};

static char *take_body(struct evhttp_request *request)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t len = evbuffer_get_length(input);
	char *body = xcalloc(1, len + 1);

	evbuffer_remove(input, body, len);
	return body;
}

static void handle(struct evhttp_request *request, void *ctx)
{
	struct fixture *fixture = ctx;
	CLEANUP(free_ptr) char *body = take_body(request);
	int status = 200;

	fixture->n_requests++;
	fixture->command = evhttp_request_get_command(request);
	stub_copy_header(
		request, "Content-Type", fixture->content_type, sizeof(fixture->content_type));
	stub_copy_header(
		request, "Authorization", fixture->authorization, sizeof(fixture->authorization));
	stub_copy_header(request, "Expect", fixture->expect, sizeof(fixture->expect));
	snprintf(fixture->path, sizeof(fixture->path), "%s", evhttp_request_get_uri(request));
	if (strcmp(fixture->path, "/hold") == 0) {
		stub_server_hold(&fixture->server, request);
		fixture->has_held = true;
		return;
	}
	if (fixture->answer_size > 0) {
		free(body);
		body = xcalloc(1, fixture->answer_size + 1);
		memset(body, 'x', fixture->answer_size);
	}
	(void)sscanf(fixture->path, "/status/%d", &status);
	stub_reply(request, status, body, status == 429 ? "7" : NULL);
}

static void on_reply(void *ctx, const struct kube_result *result, const char *body);

static void start(struct fixture *fixture, struct call *call, enum kube_method method,
	const char *path, const char *body)
{
	call->fixture = fixture;
	call->request = kube_client_call(
		fixture->client, &(struct kube_call){.method = method,
					 .path_and_query = path,
					 .content_type = "application/merge-patch+json",
					 .body = body,
					 .idle_seconds = 5,
					 .on_reply = on_reply,
					 .ctx = call});
	assert_false(call->is_done);
}

static void on_reply(void *ctx, const struct kube_result *result, const char *body)
{
	struct call *call = ctx;

	assert_false(call->is_done);
	assert_int_equal(result->error == NULL, result->status != 0);
	call->status = result->status;
	call->retry_after_seconds = result->retry_after_seconds;
	call->body = xstrdup(body);
	snprintf(call->error, sizeof(call->error), "%s", result->error ? result->error : "");
	call->is_done = true;
	if (call->next != NULL) {
		start(call->fixture, call->next, KUBE_GET, "/status/200", NULL);
	}
}

static void run(struct fixture *fixture, struct call *call, enum kube_method method,
	const char *path, const char *body)
{
	free(call->body);
	*call = (struct call){.next = call->next};
	start(fixture, call, method, path, body);
	stub_server_run_until(&fixture->server, &call->is_done);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};

	log_set_level(LOG_ERROR);
	stub_server_init(&fixture->server, handle, fixture);
	evhttp_set_allowed_methods(fixture->server.http,
		EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_PUT | EVHTTP_REQ_PATCH);
	struct kube_config *config = stub_server_config(&fixture->server);
	config->token = xstrdup("tok");
	fixture->client = kube_client_new(fixture->server.base, config, &err);
	assert_non_null(fixture->client);
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

static void test_methods(void **state)
{
	static const struct {
		enum kube_method method;
		enum evhttp_cmd_type command;
		const char *body;
	} rows[] = {
		{KUBE_POST, EVHTTP_REQ_POST, "{\"a\":\"post\"}"},
		{KUBE_PUT, EVHTTP_REQ_PUT, "{\"a\":\"put\"}"},
		{KUBE_PATCH, EVHTTP_REQ_PATCH, "{\"a\":\"patch\"}"},
		{KUBE_GET, EVHTTP_REQ_GET, NULL},
		{KUBE_POST, EVHTTP_REQ_POST, ""},
	};
	struct fixture *fixture = *state;
	struct call call = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool has_body = rows[i].body != NULL;
		run(fixture, &call, rows[i].method, "/a/b?c=%2F", rows[i].body);
		assert_int_equal(call.status, 200);
		assert_string_equal(call.body, has_body ? rows[i].body : "");
		assert_int_equal(fixture->command, rows[i].command);
		assert_string_equal(fixture->path, "/a/b?c=%2F");
		assert_string_equal(
			fixture->content_type, has_body ? "application/merge-patch+json" : "");
		assert_string_equal(fixture->authorization, "Bearer tok");
		assert_string_equal(fixture->expect, "");
	}
	assert_true(metrics_get(METRIC_REST_REQUESTS, "200") == ARRAY_LEN(rows));
	free(call.body);
}

/* What the server says is heard whatever the status is. */
static void test_statuses(void **state)
{
	static const int statuses[] = {201, 202, 400, 401, 403, 404, 409, 422, 429, 500, 503};
	struct fixture *fixture = *state;
	struct call call = {0};

	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		char path[32];
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		run(fixture, &call, KUBE_POST, path, "{\"reason\":\"words\"}");
		assert_int_equal(call.status, statuses[i]);
		assert_string_equal(call.body, "{\"reason\":\"words\"}");
		assert_int_equal(call.retry_after_seconds, statuses[i] == 429 ? 7 : 0);
	}
	assert_int_equal(fixture->n_requests, ARRAY_LEN(statuses));
	free(call.body);
}

static void test_a_large_body_arrives(void **state)
{
	struct fixture *fixture = *state;
	CLEANUP(free_ptr) char *body = xcalloc(1, 2000001);
	struct call call = {0};

	memset(body, 'y', 2000000);
	run(fixture, &call, KUBE_PUT, "/large", body);
	assert_int_equal(call.status, 200);
	assert_int_equal(strlen(call.body), KUBE_CALL_KEPT_MAX_SIZE);
	assert_int_equal(strspn(call.body, "y"), KUBE_CALL_KEPT_MAX_SIZE);
	free(call.body);
}

static void test_an_endless_answer_is_none(void **state)
{
	static const int statuses[] = {200, 201};
	struct fixture *fixture = *state;
	struct call call = {0};

	fixture->answer_size = KUBE_CALL_READ_MAX_SIZE + 1000;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		char path[32];
		snprintf(path, sizeof(path), "/status/%d", statuses[i]);
		run(fixture, &call, KUBE_PATCH, path, "{}");
		assert_int_equal(call.status, 0);
		assert_true(call.error[0] != '\0');
	}
	free(call.body);
}

static void test_silence_and_cancelling(void **state)
{
	struct fixture *fixture = *state;
	struct call held = {0};
	struct call next = {0};

	start(fixture, &held, KUBE_POST, "/hold", "{}");
	stub_server_run_until(&fixture->server, &fixture->has_held);
	kube_request_cancel(held.request);
	run(fixture, &next, KUBE_POST, "/status/201", "{}");
	assert_int_equal(next.status, 201);
	assert_false(held.is_done);
	start(fixture, &held, KUBE_POST, "/hold", "{}");
	run(fixture, &next, KUBE_GET, "/status/200", NULL);
	kube_client_free(fixture->client);
	fixture->client = NULL;
	assert_false(held.is_done);
	free(next.body);
}

static void test_a_call_from_a_reply(void **state)
{
	struct fixture *fixture = *state;
	struct call second = {0};
	struct call first = {.next = &second};

	run(fixture, &first, KUBE_POST, "/status/409", "{}");
	assert_int_equal(first.status, 409);
	stub_server_run_until(&fixture->server, &second.is_done);
	assert_int_equal(second.status, 200);
	free(first.body);
	free(second.body);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_methods),
		CASE(test_statuses),
		CASE(test_a_large_body_arrives),
		CASE(test_an_endless_answer_is_none),
		CASE(test_silence_and_cancelling),
		CASE(test_a_call_from_a_reply),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
