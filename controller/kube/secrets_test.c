/*
 * Secrets by need against a scripted API server: when one is fetched, what becomes of each kind of
 * answer, and that an answer never goes over what the watch has brought meanwhile.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/metrics.h"
#include "cert/wipe_testing.h"
#include "kube/secret_testing.h"
#include "kube/secrets.h"
#include "kube/stub_server.h"

/* The next request that must come, and its answer. */
struct row {
	const char *name; /* of the Secret, in namespace ns */
	int status;	  /* 0 = none: the request is held */
	const char *body; /* NULL = the Secret of that name */
};

struct fixture {
	struct stub_server server;
	struct kube_client *client;
	struct store *store;
	struct secrets *secrets;
	const struct row *rows;
	size_t n_rows;
	size_t n_asked;
	struct evhttp_request *held;
	bool is_done;	 /* the last row has been asked for */
	size_t long_len; /* so many blanks before each body */
};

static EVP_PKEY *key;

static int make_key(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-256");
	return key ? 0 : -1;
}

static int free_key(void **state)
{
	(void)state;
	EVP_PKEY_free(key);
	return 0;
}

/* The JSON of a good Secret. */
static char *make_body(const char *name)
{
	CLEANUP(free_ptr)
	char *data = testing_secret_data(&(struct testing_cert){.common_name = "a.test",
		.key = key,
		.from_seconds = -1000,
		.to_seconds = INT32_MAX - TESTING_NOW});
	char *body = xasprintf("{'metadata':{'namespace':'ns','name':'%s'},'type':'" SECRET_TYPE_TLS
			       "','data':{%s}}",
		name, data);

	for (char *c = strchr(body, '\''); c != NULL; c = strchr(c, '\'')) {
		*c = '"';
	}
	return body;
}

static void answer(
	const struct fixture *fixture, struct evhttp_request *request, const struct row *row)
{
	CLEANUP(free_ptr) char *good = row->body == NULL ? make_body(row->name) : NULL;
	CLEANUP(free_ptr)
	char *body = xasprintf("%*s%s", (int)fixture->long_len, "", good ? good : row->body);

	stub_reply(request, row->status, body, NULL);
}

static void handle(struct evhttp_request *request, void *ctx)
{
	struct fixture *fixture = ctx;

	assert_true(fixture->n_asked < fixture->n_rows);
	const struct row *row = &fixture->rows[fixture->n_asked++];
	CLEANUP(free_ptr) char *path = xasprintf("/api/v1/namespaces/ns/secrets/%s", row->name);
	assert_string_equal(evhttp_request_get_uri(request), path);
	fixture->is_done = fixture->n_asked == fixture->n_rows;
	if (row->status == 0) {
		stub_server_hold(&fixture->server, request);
		fixture->held = request;
		return;
	}
	answer(fixture, request, row);
}

static void expect(struct fixture *fixture, const struct row *rows, size_t n_rows)
{
	fixture->rows = rows;
	fixture->n_rows = n_rows;
	fixture->n_asked = 0;
	fixture->is_done = false;
}

#define EXPECT(fixture, rows) expect(fixture, rows, ARRAY_LEN(rows))

static void run_until_asked(struct fixture *fixture)
{
	stub_server_run_until(&fixture->server, &fixture->is_done);
}

/* Ends when the answer to a request that is made behind all others has come: of a Secret "last". */
static void run_until_quiet(struct fixture *fixture)
{
	secrets_need(fixture->secrets, "ns", "last", SECRETS_NEED_LISTED);
	run_until_asked(fixture);
	while (store_secret(fixture->store, "ns", "last") == NULL) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};

	log_set_level(LOG_ERROR);
	stub_server_init(&fixture->server, handle, fixture);
	fixture->client =
		kube_client_new(fixture->server.base, stub_server_config(&fixture->server), &err);
	assert_non_null(fixture->client);
	fixture->store = store_new();
	fixture->secrets = secrets_new(fixture->server.base, fixture->client, fixture->store);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	secrets_free(fixture->secrets);
	kube_client_free(fixture->client);
	store_free(fixture->store);
	stub_server_fini(&fixture->server);
	metrics_reset();
	free(fixture);
	return 0;
}

/* ---- when ---- */

/* What is needed before the list comes is in the list. */
static void test_nothing_before_the_start(void **state)
{
	static const struct row rows[] = {{"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_need(fixture->secrets, "ns", "early", SECRETS_NEED_LISTED);
	secrets_start(fixture->secrets);
	secrets_need(fixture->secrets, "ns", "early", SECRETS_NEED_LISTED);
	EXPECT(fixture, rows);
	run_until_quiet(fixture);
	assert_null(store_secret(fixture->store, "ns", "early"));
	assert_true(secrets_wants(fixture->secrets, "ns", "early"));
}

static void test_one_at_a_time_in_order(void **state)
{
	static const struct row rows[] = {
		{"a", 200, NULL}, {"c", 200, NULL}, {"b", 200, NULL}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "never", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "c", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "c", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "b", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "never", SECRETS_NEED_NONE);
	run_until_quiet(fixture);
	assert_int_equal(store_secret(fixture->store, "ns", "a")->state, SECRET_GOOD);
	assert_non_null(store_secret(fixture->store, "ns", "b"));
	assert_non_null(store_secret(fixture->store, "ns", "c"));
	assert_null(store_secret(fixture->store, "ns", "never"));
}

static void test_who_wants(void **state)
{
	struct fixture *fixture = *state;

	assert_false(secrets_wants(fixture->secrets, "ns", "a"));
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	assert_true(secrets_wants(fixture->secrets, "ns", "a"));
	assert_false(secrets_wants(fixture->secrets, "ns", "b"));
	assert_false(secrets_wants(fixture->secrets, "n", "sa"));
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
	assert_false(secrets_wants(fixture->secrets, "ns", "a"));
}

/* ---- answers ---- */

/* None of these is put, none is asked for again, and none keeps the next from being fetched. */
static void test_useless_answers(void **state)
{
	static const char *const bodies[] = {"", "{", "[]", "{}", "null",
		"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"other\"}}",
		"{\"metadata\":{\"namespace\":\"other\",\"name\":\"a\"}}"};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	for (size_t i = 0; i <= ARRAY_LEN(bodies); i++) {
		bool is_missing = i == ARRAY_LEN(bodies);
		const struct row rows[] = {
			{"a", is_missing ? 404 : 200, is_missing ? "{}" : bodies[i]},
			{"last", 200, NULL}};
		EXPECT(fixture, rows);
		secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
		run_until_quiet(fixture);
		assert_int_equal(store_count(fixture->store, KUBE_SECRET), 1);
		secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
		secrets_need(fixture->secrets, "ns", "last", SECRETS_NEED_NONE);
		store_forget(fixture->store, KUBE_SECRET, "ns", "last");
	}
}

/* The wrong type is known from a single answer, too: the object says so. */
static void test_wrong_type(void **state)
{
	static const struct row rows[] = {
		{"a", 200,
			"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\"},\"type\":\"Opaque\"}"},
		{"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	run_until_quiet(fixture);
	const struct secret *secret = store_secret(fixture->store, "ns", "a");
	assert_int_equal(secret->state, SECRET_INVALID);
	assert_non_null(strstr(obj_str(secret, secret->fault), "of type 'Opaque'"));
}

static void test_asks_again(void **state)
{
	static const int statuses[] = {500, 429};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		const struct row rows[] = {
			{"a", statuses[i], "{}"}, {"a", 200, NULL}, {"last", 200, NULL}};
		EXPECT(fixture, rows);
		secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
		run_until_quiet(fixture);
		assert_non_null(store_secret(fixture->store, "ns", "a"));
		secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
		secrets_need(fixture->secrets, "ns", "last", SECRETS_NEED_NONE);
		store_forget(fixture->store, KUBE_SECRET, "ns", "a");
		store_forget(fixture->store, KUBE_SECRET, "ns", "last");
	}
}

/* Roles may name Secrets: one that is denied keeps nobody waiting, neither those behind it nor
 * those that come while it waits for its next turn. */
static void test_denied(void **state)
{
	static const struct row rows[] = {{"a", 403, "{}"}, {"b", 403, "{}"}, {"c", 200, NULL},
		{"late", 200, NULL}, {"a", 200, NULL}, {"b", 200, NULL}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "b", SECRETS_NEED_LISTED);
	secrets_need(fixture->secrets, "ns", "c", SECRETS_NEED_LISTED);
	while (store_secret(fixture->store, "ns", "c") == NULL) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
	secrets_need(fixture->secrets, "ns", "late", SECRETS_NEED_LISTED);
	while (store_secret(fixture->store, "ns", "b") == NULL) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
	assert_non_null(store_secret(fixture->store, "ns", "late"));
	run_until_quiet(fixture);
}

/* More than an API server can have of one object. */
static void test_too_long(void **state)
{
	static const struct row rows[] = {{"a", 200, NULL}};
	static const struct row others[] = {{"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	fixture->long_len = (size_t)4 * 1024 * 1024;
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	run_until_asked(fixture);
	fixture->long_len = 0;
	EXPECT(fixture, others);
	run_until_quiet(fixture);
	assert_null(store_secret(fixture->store, "ns", "a"));
}

/* ---- of whatever type ---- */

#define USERS(version, value)                                                                      \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"a\",\"resourceVersion\":\"" version        \
	"\"},\"type\":\"Opaque\",\"data\":{\"joe\":\"" value "\"}}"
/* {SHA} of two passwords. */
#define ONE "e1NIQX01ZW42RzZNZXpScm9UM1hLcWtkUE9tWS9CZlE9"
#define TWO "e1NIQX0zT3B0bk0wOUlMb1ZTZmJadGQzbUIwSVZpSUk9"

static void need_any(struct fixture *fixture)
{
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_ANY);
}

static void tell(struct fixture *fixture, enum reflector_news news, const char *version)
{
	secrets_on_news(fixture->secrets, news, "ns", "a", version);
}

static const char *users_of(const struct fixture *fixture)
{
	const struct secret *secret = store_secret(fixture->store, "ns", "a");

	return secret ? obj_str(secret, secret->users) : "";
}

/* One request behind all others, for a Secret that is let go of at once. */
static void run_until_quiet_again(struct fixture *fixture)
{
	run_until_quiet(fixture);
	secrets_need(fixture->secrets, "ns", "last", SECRETS_NEED_NONE);
	store_forget(fixture->store, KUBE_SECRET, "ns", "last");
}

/* Also what was needed before the start, as no list has it; and nobody goes on before it is known.
 */
static void test_any_is_fetched_and_followed(void **state)
{
	static const struct row first[] = {{"a", 200, USERS("5", ONE)}, {"last", 200, NULL}};
	static const struct row nothing[] = {{"last", 200, NULL}};
	static const struct row changed[] = {{"a", 200, USERS("6", TWO)}, {"last", 200, NULL}};
	static const struct row gone[] = {{"a", 404, "{}"}, {"last", 200, NULL}};
	static const struct row back[] = {{"a", 200, USERS("9", ONE)}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	need_any(fixture);
	assert_true(secrets_are_waiting(fixture->secrets));
	secrets_start(fixture->secrets);
	assert_true(secrets_are_waiting(fixture->secrets));
	EXPECT(fixture, first);
	run_until_quiet_again(fixture);
	assert_false(secrets_are_waiting(fixture->secrets));
	assert_string_equal(users_of(fixture), "joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
	/* The same version; another Secret; one that is only listed. */
	EXPECT(fixture, nothing);
	tell(fixture, REFLECTOR_BEGIN, "");
	tell(fixture, REFLECTOR_LISTED, "5");
	secrets_on_news(fixture->secrets, REFLECTOR_LISTED, "ns", "b", "7");
	tell(fixture, REFLECTOR_END, "");
	tell(fixture, REFLECTOR_CHANGED, "5");
	run_until_quiet_again(fixture);
	/* Another version. */
	EXPECT(fixture, changed);
	tell(fixture, REFLECTOR_CHANGED, "6");
	assert_false(secrets_are_waiting(fixture->secrets));
	run_until_quiet_again(fixture);
	assert_string_equal(users_of(fixture), "joe:{SHA}3OptnM09ILoVSfbZtd3mB0IViII=\n");
	/* Gone: the answer to a question decides. */
	EXPECT(fixture, gone);
	tell(fixture, REFLECTOR_GONE, "7");
	run_until_quiet_again(fixture);
	assert_null(store_secret(fixture->store, "ns", "a"));
	EXPECT(fixture, back);
	tell(fixture, REFLECTOR_CHANGED, "9");
	run_until_quiet_again(fixture);
	assert_string_equal(users_of(fixture), "joe:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
	/* A list without it. */
	EXPECT(fixture, gone);
	tell(fixture, REFLECTOR_BEGIN, "");
	tell(fixture, REFLECTOR_END, "");
	run_until_quiet_again(fixture);
	assert_null(store_secret(fixture->store, "ns", "a"));
}

/* It changes while it is fetched: the answer may be older. */
static void test_any_changes_meanwhile(void **state)
{
	static const struct row held[] = {{"a", 0, NULL}};
	static const struct row again[] = {{"a", 200, USERS("6", TWO)}};
	static const struct row old = {"a", 200, USERS("5", ONE)};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, held);
	need_any(fixture);
	run_until_asked(fixture);
	tell(fixture, REFLECTOR_CHANGED, "6");
	EXPECT(fixture, again);
	fixture->server.n_held = 0;
	answer(fixture, fixture->held, &old);
	while (strcmp(users_of(fixture), "joe:{SHA}3OptnM09ILoVSfbZtd3mB0IViII=\n") != 0) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
	assert_true(fixture->is_done);
}

/* Who has been there for long is not kept waiting by one that can't be fetched. */
static void test_any_fails(void **state)
{
	static const struct row rows[] = {
		{"a", 500, "{}"}, {"a", 200, USERS("5", ONE)}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	need_any(fixture);
	while (secrets_are_waiting(fixture->secrets)) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
	assert_null(store_secret(fixture->store, "ns", "a"));
	run_until_quiet(fixture);
	assert_non_null(store_secret(fixture->store, "ns", "a"));
}

/* At the start it is, for HAProxy may have it. */
static void test_any_fails_at_the_start(void **state)
{
	static const struct row rows[] = {
		{"a", 500, "{}"}, {"a", 200, USERS("5", ONE)}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	need_any(fixture);
	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	while (secrets_are_waiting(fixture->secrets)) {
		event_base_loop(fixture->server.base, EVLOOP_ONCE);
	}
	assert_non_null(store_secret(fixture->store, "ns", "a"));
	run_until_quiet(fixture);
	/* Not needed so any more: of the list again. */
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	tell(fixture, REFLECTOR_CHANGED, "6");
	need_any(fixture);
	assert_true(secrets_are_waiting(fixture->secrets));
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
	assert_false(secrets_are_waiting(fixture->secrets));
}

/* ---- the watch is faster ---- */

static void hold(struct fixture *fixture)
{
	static const struct row rows[] = {{"a", 0, NULL}};

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	run_until_asked(fixture);
}

static void let_go(struct fixture *fixture)
{
	static const struct row good = {"a", 200, NULL};
	static const struct row rows[] = {{"last", 200, NULL}};

	assert_int_equal(fixture->server.n_held, 1);
	fixture->server.n_held = 0;
	answer(fixture, fixture->held, &good);
	EXPECT(fixture, rows);
	run_until_quiet(fixture);
}

static void test_watch_goes_first(void **state)
{
	struct fixture *fixture = *state;

	hold(fixture);
	/* Whatever it was: put, or taken away. */
	assert_true(secrets_wants(fixture->secrets, "ns", "a"));
	let_go(fixture);
	assert_null(store_secret(fixture->store, "ns", "a"));
}

static void test_news_of_another(void **state)
{
	struct fixture *fixture = *state;

	hold(fixture);
	assert_false(secrets_wants(fixture->secrets, "ns", "b"));
	let_go(fixture);
	assert_non_null(store_secret(fixture->store, "ns", "a"));
}

/* The watch brought it before the request was made: the answer is as new. */
static void test_news_before_the_request(void **state)
{
	static const struct row rows[] = {{"a", 200, NULL}, {"last", 200, NULL}};
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	assert_true(secrets_wants(fixture->secrets, "ns", "a"));
	run_until_quiet(fixture);
	assert_non_null(store_secret(fixture->store, "ns", "a"));
}

/* Nobody needs it any more: the answer that is under way is of no use, the next one is fetched. */
static void test_let_go_under_way(void **state)
{
	static const struct row rows[] = {{"last", 200, NULL}};
	struct fixture *fixture = *state;

	hold(fixture);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_NONE);
	run_until_quiet(fixture);
	assert_null(store_secret(fixture->store, "ns", "a"));
}

static void test_freed_under_way(void **state)
{
	struct fixture *fixture = *state;

	hold(fixture);
	secrets_need(fixture->secrets, "ns", "b", SECRETS_NEED_LISTED);
	secrets_free(fixture->secrets);
	fixture->secrets = NULL;
	stub_server_run_ms(&fixture->server, 10);
	assert_int_equal(fixture->n_asked, 1);
}

/* ---- keys ---- */

static void test_answer_is_wiped(void **state)
{
	static const struct row rows[] = {{"a", 200, NULL}, {"last", 200, NULL}};
	CLEANUP(free_ptr) char *pem = testing_key_pem(key, NULL);
	CLEANUP(free_ptr) char *pem64 = testing_base64(pem);
	struct fixture *fixture = *state;

	secrets_start(fixture->secrets);
	EXPECT(fixture, rows);
	secrets_need(fixture->secrets, "ns", "a", SECRETS_NEED_LISTED);
	testing_count_wipes(pem64);
	run_until_quiet(fixture);
	secrets_free(fixture->secrets);
	fixture->secrets = NULL;
	/* Of two answers: the text that came, and the value in the document made from it. */
	assert_true(testing_n_wiped >= 4);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_nothing_before_the_start),
		CASE(test_one_at_a_time_in_order),
		CASE(test_who_wants),
		CASE(test_useless_answers),
		CASE(test_wrong_type),
		CASE(test_asks_again),
		CASE(test_denied),
		CASE(test_too_long),
		CASE(test_watch_goes_first),
		CASE(test_news_of_another),
		CASE(test_news_before_the_request),
		CASE(test_let_go_under_way),
		CASE(test_freed_under_way),
		CASE(test_answer_is_wiped),
		CASE(test_any_is_fetched_and_followed),
		CASE(test_any_changes_meanwhile),
		CASE(test_any_fails),
		CASE(test_any_fails_at_the_start),
	};

	return cmocka_run_group_tests(tests, make_key, free_key);
}
