/*
 * A reflector, a store and a scripted API server: each row of a script is the next request that
 * must come and its answer. The last row is a watch that stays silent: when it is asked for,
 * everything before has been taken in.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/reflector.h"
#include "kube/stub_server.h"
#include "store/store_testing.h"

enum how { REPLY, HOLD, CUT };

struct row {
	const char *asked[3];  /* texts that the request has, and */
	const char *not_asked; /* one that it has not */
	int status;
	const char *body;
	enum how how;
	const char *present; /* names that must be in the store when this is asked for, "a b" */
};

struct fixture {
	struct stub_server server;
	struct kube_client *client;
	struct store *store;
	struct reflector *reflector;
	reflector_need_fn need;
	reflector_news_fn news;
	struct buf told; /* what news were told */
	const struct row *rows;
	size_t n_rows;
	size_t position;
	bool is_done;
	unsigned n_denied;
	long denied_status;
	char denied_text[256];
};

#define LIST(version, next, items)                                                                 \
	"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"       \
	"\"" version "\",\"continue\":\"" next "\"},\"items\":[" items "]}"
#define SERVICE(name, version)                                                                     \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"resourceVersion\":\"" version \
	"\"},\"spec\":{\"type\":\"ClusterIP\",\"ports\":[{\"port\":80}]}}"
#define LABELLED(name, version, labels)                                                            \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"resourceVersion\":\"" version \
	"\",\"labels\":{" labels "}}}"
#define SHOP "\"team\":\"shop\""
/* Decoding refuses the port. */
#define BAD_SERVICE(name, version)                                                                 \
	"{\"metadata\":{\"namespace\":\"ns\",\"name\":\"" name "\",\"resourceVersion\":\"" version \
	"\"},\"spec\":{\"ports\":[{\"port\":\"x\"}]}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)   EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")
#define GONE                                                                                       \
	EVENT("ERROR",                                                                             \
		"{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\",\"message\":\"too "      \
		"old resource version\"}")
#define WATCH(version) "watch=1", "resourceVersion=" version "&", "/api/v1/services?"
#define LIST_ANY       "/api/v1/services?limit=500", "", ""
#define LIST_FROM(version)                                                                         \
	"limit=500&resourceVersion=" version "&resourceVersionMatch=NotOlderThan", "", ""
#define SILENT(version, names)                                                                     \
	{                                                                                          \
		{WATCH(version)}, "limit=", 200, "", HOLD, names                                   \
	}

static void check_present(const struct fixture *fixture, const char *names)
{
	size_t n = 0;

	for (const char *name = names; *name != '\0'; name += name[0] == ' ' ? 1 : 0) {
		char one[64];
		size_t len = strcspn(name, " ");
		snprintf(one, sizeof(one), "%.*s", (int)len, name);
		assert_non_null(store_service(fixture->store, "ns", one));
		n++;
		name += len;
	}
	assert_int_equal(store_count(fixture->store, KUBE_SERVICE), n);
}

static void on_cut(evutil_socket_t fd, short events, void *ctx)
{
	(void)fd;
	(void)events;
	evhttp_connection_free(ctx);
}

static void answer(struct fixture *fixture, struct evhttp_request *request, const struct row *row)
{
	struct timeval soon = {0, 50000};

	if (row->how == REPLY) {
		stub_reply(request, row->status, row->body, NULL);
		return;
	}
	evhttp_send_reply_start(request, row->status, "x");
	if (row->body[0] != '\0') {
		stub_send_chunk(request, row->body);
	}
	if (row->how == HOLD) {
		stub_server_hold(&fixture->server, request);
	} else {
		event_base_once(fixture->server.base, -1, EV_TIMEOUT, on_cut,
			evhttp_request_get_connection(request), &soon);
	}
}

static void handle(struct evhttp_request *request, void *ctx)
{
	struct fixture *fixture = ctx;
	const char *uri = evhttp_request_get_uri(request);

	assert_true(fixture->position < fixture->n_rows);
	const struct row *row = &fixture->rows[fixture->position++];
	const char *accept =
		evhttp_find_header(evhttp_request_get_input_headers(request), "Accept");
	bool is_watch = strstr(uri, "watch=1") != NULL;
	assert_string_equal(accept,
		fixture->news == NULL ? "application/json"
		: is_watch ? "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
			   : "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
	for (size_t i = 0; i < ARRAY_LEN(row->asked); i++) {
		if (row->asked[i] != NULL && strstr(uri, row->asked[i]) == NULL) {
			fail_msg("row %zu: asked for %s instead of %s", fixture->position - 1, uri,
				row->asked[i]);
		}
	}
	assert_true(row->not_asked == NULL || strstr(uri, row->not_asked) == NULL);
	if (row->present != NULL) {
		check_present(fixture, row->present);
	}
	fixture->is_done = fixture->position == fixture->n_rows;
	answer(fixture, request, row);
}

static void on_denied(
	void *ctx, const struct reflector_target *target, long status, const char *text)
{
	struct fixture *fixture = ctx;

	assert_int_equal(target->kind, KUBE_SERVICE);
	fixture->n_denied++;
	fixture->denied_status = status;
	snprintf(fixture->denied_text, sizeof(fixture->denied_text), "%s", text);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));
	struct err err = {0};

	log_set_level(LOG_ERROR);
	stub_server_init(&fixture->server, handle, fixture);
	fixture->store = store_new();
	fixture->client =
		kube_client_new(fixture->server.base, stub_server_config(&fixture->server), &err);
	assert_non_null(fixture->client);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	reflector_free(fixture->reflector);
	kube_client_free(fixture->client);
	store_free(fixture->store);
	stub_server_fini(&fixture->server);
	buf_fini(&fixture->told);
	metrics_reset();
	free(fixture);
	return 0;
}

static void play_target(struct fixture *fixture, const struct reflector_target *target,
	const struct row *rows, size_t n_rows)
{
	fixture->rows = rows;
	fixture->n_rows = n_rows;
	fixture->reflector =
		reflector_new(fixture->server.base, fixture->client, fixture->store, target);
	reflector_set_backoff(fixture->reflector, 10, 20);
	reflector_on_denied(fixture->reflector, on_denied, fixture);
	reflector_set_need(fixture->reflector, fixture->need, NULL);
	reflector_set_news(fixture->reflector, fixture->news, fixture);
	reflector_start(fixture->reflector);
	stub_server_run_until(&fixture->server, &fixture->is_done);
}

static void play(struct fixture *fixture, const struct row *rows, size_t n_rows)
{
	play_target(fixture, &(struct reflector_target){.kind = KUBE_SERVICE}, rows, n_rows);
}

static void test_pages_then_events(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, "resourceVersion", 200, LIST("10", "p2", SERVICE("a", "3")), REPLY,
			""},
		{{"limit=500&continue=p2"}, "resourceVersion", 200,
			LIST("10", "", SERVICE("b", "4") "," SERVICE("c", "5")), REPLY, "a"},
		{{WATCH("10")}, "limit=", 200,
			EVENT("ADDED", SERVICE("d", "11")) EVENT("MODIFIED", SERVICE("a", "12"))
				EVENT("DELETED", SERVICE("b", "13")) BOOKMARK("20"),
			REPLY, "a b c"},
		SILENT("20", "a c d"),
	};
	struct fixture *fixture = *state;

	play(fixture, rows, ARRAY_LEN(rows));
	assert_true(store_is_known(fixture->store, KUBE_SERVICE));
	assert_true(metrics_get(METRIC_LISTS, "Service") == 1);
	assert_true(metrics_get(METRIC_WATCHES, "Service") == 2);
	assert_true(metrics_get(METRIC_WATCH_EVENTS, "Service") == 4);
}

static void on_news(void *ctx, enum reflector_news news, const char *namespace, const char *name,
	const char *version)
{
	static const char *const words[] = {[REFLECTOR_BEGIN] = "begin",
		[REFLECTOR_LISTED] = "listed",
		[REFLECTOR_END] = "end",
		[REFLECTOR_CHANGED] = "changed",
		[REFLECTOR_GONE] = "gone"};
	struct fixture *fixture = ctx;

	buf_printf(&fixture->told, "%s %s/%s %s\n", words[news], namespace, name, version);
}

/* Metadata only, of which nothing is kept. */
static void test_news(void **state)
{
	static const char list[] =
		"{\"kind\":\"PartialObjectMetadataList\",\"metadata\":{\"resourceVersion\":\"10\"},"
		"\"items\":[" SERVICE("a", "3") "]}";
	static const struct row rows[] = {
		/* What is no list of metadata is none. */
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("x", "3")), REPLY, ""},
		{{LIST_ANY}, NULL, 200, list, REPLY, ""},
		{{WATCH("10")}, NULL, 200,
			EVENT("ADDED", SERVICE("b", "11")) EVENT("DELETED", SERVICE("a", "12"))
				EVENT("DELETED", "{}") BOOKMARK("20"),
			REPLY, ""},
		SILENT("20", ""),
	};
	struct fixture *fixture = *state;

	fixture->news = on_news;
	play(fixture, rows, ARRAY_LEN(rows));
	assert_false(store_is_known(fixture->store, KUBE_SERVICE));
	assert_string_equal(buf_str(&fixture->told),
		"begin / \nlisted ns/x 3\nbegin / \nlisted ns/a 3\nend / \nchanged ns/b "
		"11\ngone ns/a 12\n");
}

/* Events may repeat, delete what isn't there, add what is; the last word counts. */
static void test_odd_events(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("a", "3")), REPLY, ""},
		{{WATCH("10")}, NULL, 200,
			EVENT("ADDED", SERVICE("a", "11")) EVENT("MODIFIED", SERVICE("new", "12"))
				EVENT("DELETED", SERVICE("never", "13")) EVENT(
					"DELETED", SERVICE("a", "14"))
					EVENT("DELETED", SERVICE("a", "14")) EVENT("DELETED", "{}"),
			REPLY, "a"},
		SILENT("14", "new"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

/* 410 in the stream, then 410 on page 2: nothing goes away before a list is complete. */
static void test_gone_and_partial_list(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("a", "3") "," SERVICE("b", "3")),
			REPLY, ""},
		{{WATCH("10")}, NULL, 200, BOOKMARK("15") GONE, REPLY, "a b"},
		{{LIST_FROM("15")}, NULL, 200, LIST("30", "p2", SERVICE("c", "16")), REPLY, "a b"},
		{{"continue=p2"}, NULL, 410, "", REPLY, "a b c"},
		{{LIST_FROM("15")}, NULL, 200,
			LIST("40", "", SERVICE("b", "3") "," SERVICE("c", "16")), REPLY, "a b c"},
		SILENT("40", "b c"),
	};
	struct fixture *fixture = *state;

	play(fixture, rows, ARRAY_LEN(rows));
	assert_true(metrics_get(METRIC_LISTS, "Service") == 2);
}

/* Answers with status 200 that are no list: nothing is swept, and it is asked again. */
static void test_nonsense_is_no_empty_list(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("a", "3")), REPLY, ""},
		{{WATCH("10")}, NULL, 410, "", REPLY, "a"},
		{{LIST_FROM("10")}, NULL, 200,
			"{\"kind\":\"ServiceList\",\"metadata\":{\"resourceVersion\":\"9\"}}",
			REPLY, "a"},
		{{LIST_FROM("10")}, NULL, 200,
			"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":["
			"]}",
			REPLY, "a"},
		{{LIST_FROM("10")}, NULL, 200, LIST("11", "", SERVICE("b", "11")), REPLY, "a"},
		SILENT("11", "b"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

static void test_html_and_truncated_list(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, "<html>login</html>", REPLY, ""},
		{{LIST_ANY}, NULL, 200, "{\"kind\":\"ServiceList\",\"items\":[" SERVICE("a", "3"),
			REPLY, ""},
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("b", "3")), REPLY, "a"},
		SILENT("10", "b"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

/* An object that can't be read keeps its last good version, in a watch and in a list that has it.
 */
static void test_bad_object_keeps_last_good(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("a", "3") "," BAD_SERVICE("x", "3")),
			REPLY, ""},
		{{WATCH("10")}, NULL, 200, EVENT("MODIFIED", BAD_SERVICE("a", "11")), REPLY, "a"},
		{{WATCH("11")}, NULL, 410, "", REPLY, "a"},
		{{LIST_FROM("11")}, NULL, 200,
			LIST("12", "", BAD_SERVICE("a", "11") "," SERVICE("b", "12")), REPLY, "a"},
		{{WATCH("12")}, NULL, 200, EVENT("DELETED", BAD_SERVICE("a", "13")), REPLY, "a b"},
		SILENT("13", "b"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

/* The connection breaks inside an event: what was whole counts, the rest comes again. */
static void test_cut_watch(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", ""), REPLY, ""},
		{{WATCH("10")}, NULL, 200,
			EVENT("ADDED", SERVICE("a", "11")) "{\"type\":\"DELETED\",\"object\":", CUT,
			""},
		SILENT("11", "a"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

static void test_half_event_in_a_whole_answer(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", ""), REPLY, ""},
		{{WATCH("10")}, NULL, 200, EVENT("ADDED", SERVICE("a", "11")) "{\"type\":", REPLY,
			""},
		SILENT("11", "a"),
	};

	play(*state, rows, ARRAY_LEN(rows));
}

static void test_denied(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 401, "", REPLY, ""}, /* again at once */
		{{LIST_ANY}, NULL, 403, "", REPLY, ""},
		{{LIST_ANY}, NULL, 200, LIST("10", "", ""), REPLY, ""},
		{{WATCH("10")}, NULL, 403, "", REPLY, ""},
		SILENT("10", ""),
	};
	struct fixture *fixture = *state;

	play(fixture, rows, ARRAY_LEN(rows));
	assert_int_equal(fixture->n_denied, 2);
	assert_int_equal(fixture->denied_status, 403);
	assert_non_null(strstr(fixture->denied_text, "list services"));
	assert_non_null(strstr(fixture->denied_text, "ClusterRole"));
}

#define SCOPED                                                                                     \
	"/api/v1/namespaces/ns/"                                                                   \
	"services?fieldSelector=metadata.name%3Da&labelSelector=team%3Dshop&"

/* What the server should not have sent isn't taken; what leaves the selector is, as if it were
 * deleted, whatever the event says. */
static void test_target_and_foreign_objects(void **state)
{
	static const struct row rows[] = {
		{{SCOPED "limit=500"}, NULL, 200,
			LIST("10", "",
				LABELLED("a", "3", SHOP) "," LABELLED("b", "4", SHOP) "," LABELLED(
					"c", "5", "\"team\":\"blog\"") "," SERVICE("d",
					"6") ","
					     "{\"metadata\":{\"namespace\":\"other\",\"name\":"
					     "\"e\",\"labels\":{" SHOP "}}}"),
			REPLY, ""},
		{{SCOPED "watch=1"}, NULL, 200,
			EVENT("MODIFIED", LABELLED("b", "11", ""))
				EVENT("ADDED", LABELLED("f", "12", "")) EVENT("DELETED",
					"{\"metadata\":{\"namespace\":\"other\",\"name\":\"a\","
					"\"resourceVersion\":\"13\"}}")
					EVENT("MODIFIED", LABELLED("c", "14", SHOP)),
			REPLY, "a b"},
		{{SCOPED "watch=1"}, NULL, 200, "", HOLD, "a c"},
	};
	const struct reflector_target target = {KUBE_SERVICE, "ns", "metadata.name=a", "team=shop"};

	play_target(*state, &target, rows, ARRAY_LEN(rows));
}

static bool is_not_b(void *ctx, const char *namespace, const char *name)
{
	(void)ctx;
	assert_string_equal(namespace, "ns");
	return strcmp(name, "b") != 0;
}

/* What nobody wants to know is not kept, and not even looked into. */
static void test_need(void **state)
{
	static const struct row rows[] = {
		{{LIST_ANY}, NULL, 200, LIST("10", "", SERVICE("a", "3") "," BAD_SERVICE("b", "4")),
			REPLY, ""},
		{{WATCH("10")}, NULL, 200, EVENT("ADDED", SERVICE("b", "11")), REPLY, "a"},
		SILENT("11", "a"),
	};
	struct fixture *fixture = *state;

	fixture->need = is_not_b;
	play(fixture, rows, ARRAY_LEN(rows));
}

/* Each namespace is listed and watched for itself, and a list of one leaves the others alone. */
static void test_namespaces(void **state)
{
	static const char *const namespaces[] = {"ns", "other"};
	static const struct row rows[] = {
		{{"/api/v1/namespaces/ns/services?limit=500"}, NULL, 200,
			LIST("10", "", SERVICE("a", "3")), REPLY, NULL},
		{{"/api/v1/namespaces/ns/services?watch=1"}, NULL, 200, GONE, REPLY, NULL},
		{{"/api/v1/namespaces/ns/services?limit=500"}, NULL, 200,
			LIST("20", "", SERVICE("b", "12")), REPLY, NULL},
		{{"/api/v1/namespaces/ns/services?watch=1"}, NULL, 200, "", HOLD, NULL},
	};
	struct fixture *fixture = *state;
	struct store *store = fixture->store;

	store_split(store, KUBE_SERVICE, namespaces, ARRAY_LEN(namespaces));
	testing_put_service(store, "other", "stays", "");
	play_target(fixture, &(struct reflector_target){.kind = KUBE_SERVICE, .namespace = "ns"},
		rows, ARRAY_LEN(rows));
	assert_null(store_service(store, "ns", "a"));
	assert_non_null(store_service(store, "ns", "b"));
	assert_non_null(store_service(store, "other", "stays"));
	assert_false(store_is_known(store, KUBE_SERVICE));
	store_begin_list_in(store, KUBE_SERVICE, "other");
	assert_int_equal(store_end_list_in(store, KUBE_SERVICE, "other"), 1);
	assert_true(store_is_known(store, KUBE_SERVICE));
	assert_non_null(store_service(store, "ns", "b"));
}

/* ---- one list at a time ---- */

struct lists {
	struct stub_server server;
	struct evhttp_request *held;
	unsigned n_lists;
	unsigned n_watches;
	bool has_list;
	bool are_all_watched;
};

static void handle_lists(struct evhttp_request *request, void *ctx)
{
	struct lists *lists = ctx;

	if (strstr(evhttp_request_get_uri(request), "watch=1") != NULL) {
		evhttp_send_reply_start(request, 200, "OK");
		stub_server_hold(&lists->server, request);
		lists->are_all_watched = ++lists->n_watches == 3;
		return;
	}
	assert_null(lists->held); /* the one before has been answered */
	lists->held = request;
	lists->n_lists++;
	lists->has_list = true;
}

static void answer_list(struct lists *lists, const char *kind)
{
	char *body = xasprintf(
		"{\"kind\":\"%sList\",\"metadata\":{\"resourceVersion\":\"1\"},\"items\":null}",
		kind);
	struct evhttp_request *request = lists->held;

	lists->held = NULL;
	lists->has_list = false;
	stub_reply(request, 200, body, NULL);
	free(body);
}

static void test_one_list_at_a_time(void **state)
{
	static const enum kube_kind kinds[] = {KUBE_SERVICE, KUBE_INGRESS, KUBE_CONFIG_MAP};
	static const char *const names[] = {"Service", "Ingress", "ConfigMap"};
	struct reflector *reflectors[3];
	struct lists lists = {0};
	struct err err = {0};

	(void)state;
	log_set_level(LOG_ERROR);
	stub_server_init(&lists.server, handle_lists, &lists);
	struct store *store = store_new();
	struct kube_client *client =
		kube_client_new(lists.server.base, stub_server_config(&lists.server), &err);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		reflectors[i] = reflector_new(lists.server.base, client, store,
			&(struct reflector_target){.kind = kinds[i]});
		reflector_start(reflectors[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		stub_server_run_until(&lists.server, &lists.has_list);
		stub_server_run_ms(&lists.server, 50);
		assert_int_equal(lists.n_lists, i + 1);
		answer_list(&lists, names[i]);
	}
	stub_server_run_until(&lists.server, &lists.are_all_watched);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		assert_true(store_is_known(store, kinds[i]));
		reflector_free(reflectors[i]);
	}
	kube_client_free(client);
	store_free(store);
	stub_server_fini(&lists.server);
	metrics_reset();
}

/* The one whose turn it is goes away: the next one lists. */
static void test_free_hands_the_turn_on(void **state)
{
	struct lists lists = {0};
	struct err err = {0};

	(void)state;
	stub_server_init(&lists.server, handle_lists, &lists);
	struct store *store = store_new();
	struct kube_client *client =
		kube_client_new(lists.server.base, stub_server_config(&lists.server), &err);
	struct reflector *first = reflector_new(
		lists.server.base, client, store, &(struct reflector_target){.kind = KUBE_SERVICE});
	struct reflector *second = reflector_new(
		lists.server.base, client, store, &(struct reflector_target){.kind = KUBE_INGRESS});
	reflector_start(first);
	reflector_start(second);
	stub_server_run_until(&lists.server, &lists.has_list);
	stub_server_hold(&lists.server, lists.held);
	lists.held = NULL;
	lists.has_list = false;
	reflector_free(first);
	stub_server_run_until(&lists.server, &lists.has_list);
	assert_int_equal(lists.n_lists, 2);
	stub_server_hold(&lists.server, lists.held);
	reflector_free(second);
	reflector_free(NULL);
	kube_client_free(client);
	store_free(store);
	stub_server_fini(&lists.server);
	metrics_reset();
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_pages_then_events),
		CASE(test_news),
		CASE(test_odd_events),
		CASE(test_gone_and_partial_list),
		CASE(test_nonsense_is_no_empty_list),
		CASE(test_html_and_truncated_list),
		CASE(test_bad_object_keeps_last_good),
		CASE(test_cut_watch),
		CASE(test_half_event_in_a_whole_answer),
		CASE(test_denied),
		CASE(test_target_and_foreign_objects),
		CASE(test_namespaces),
		CASE(test_need),
		cmocka_unit_test(test_one_list_at_a_time),
		cmocka_unit_test(test_free_hands_the_turn_on),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
