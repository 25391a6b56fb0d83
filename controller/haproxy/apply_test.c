/* Unit tests of apply.c against a socket that refuses what a test names, or hangs up: what is sent,
 * what is believed afterwards. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/metrics.h"
#include "haproxy/apply.h"
#include "haproxy/encode.h"
#include "haproxy/fake_cli.h"

#define DIR "/run/hg"

struct test {
	struct event_base *base;
	struct fake fake;
	struct cli *cli;
	struct applied *applied;
	struct apply_result result;
	struct buf sent;    /* commands as they came in, one a line */
	const char *refuse; /* the command that is refused, NULL = none */
	const char *also;   /* commands with this in them are refused then, NULL = none */
	const char *busy;
	bool is_done;
};

/* What HAProxy says when all is well. */
static const struct {
	const char *prefix;
	const char *answer;
} answers[] = {
	{"prompt", ""},
	{"add backend", "New backend registered.\n"},
	{"publish", "Backend published.\n"},
	{"add server", "New server registered.\n"},
	{"set server", "nothing changed\n"},
	{"enable server", ""},
	{"add map", ""},
	{"set map", ""},
	{"del map", ""},
	{"disable server", ""},
	{"del server", "Server deleted.\n"},
	{"unpublish", "Backend unpublished.\n"},
	{"del backend", "Backend deleted.\n"},
};

static void answer(struct fake *fake, const char *command, struct buf *out)
{
	struct test *test = fake->ctx;
	const char *text = NULL;

	if (strcmp(command, "prompt") != 0) {
		buf_printf(&test->sent, "%s\n", command);
	}
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (strncmp(command, answers[i].prefix, strlen(answers[i].prefix)) == 0) {
			text = answers[i].answer;
		}
	}
	assert_non_null(text);
	if ((test->refuse != NULL && strcmp(command, test->refuse) == 0) ||
		(test->also != NULL && strstr(command, test->also) != NULL)) {
		text = "Earlier words.\nThat will not do.\n";
	} else if (test->busy != NULL && strcmp(command, test->busy) == 0) {
		text = "Server still has connections attached to it, cannot remove it.\n";
	}
	buf_append_str(out, text);
	buf_append_str(out, "\n> ");
}

static void on_lost(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
}

static void on_applied(void *ctx, const struct apply_result *result)
{
	struct test *test = ctx;

	assert_false(test->is_done);
	test->result = *result;
	test->is_done = true;
	if (result->first_refused != NULL && test->refuse != NULL) {
		assert_string_equal(result->first_text, "That will not do.");
	}
}

/* HAProxy has an old backend with two servers that a.test/x leads to. */
static void reset(struct test *test)
{
	applied_free(test->applied);
	test->applied = applied_new();
	struct applied_backend *backend = applied_add_backend(test->applied, "old_svc_1");
	applied_set_server(test->applied, backend, "s1", "10.0.0.1:80", APPLIED_READY);
	applied_set_server(test->applied, backend, "s2", "10.0.0.2:80", APPLIED_MAINT);
	applied_set_entry(test->applied, MODEL_MAP_EXACT, "a.test/x", "old_svc_1");
	applied_set_entry(test->applied, MODEL_MAP_HOSTS, "c.test", "c.test");
	applied_set_entry(test->applied, MODEL_MAP_PREFIX, "c.test/", "old_svc_1");
	buf_clear(&test->sent);
	test->refuse = NULL;
	test->also = NULL;
	test->busy = NULL;
	test->result = (struct apply_result){0};
	test->is_done = false;
}

static int set_up(void **state)
{
	struct test *test = xcalloc(1, sizeof(*test));

	test->base = event_base_new();
	assert_true(fake_start(&test->fake, test->base, answer));
	test->fake.ctx = test;
	test->cli = cli_new(test->base, on_lost, test);
	reset(test);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	cli_free(test->cli);
	fake_stop(&test->fake);
	event_base_free(test->base);
	applied_free(test->applied);
	buf_fini(&test->sent);
	free(test);
	metrics_reset();
	return 0;
}

static char *dump(const struct applied *applied)
{
	struct buf buf = BUF_INIT(0);

	applied_dump(applied, &buf);
	return buf_take(&buf);
}

/*
 * A new backend takes a.test/x and the new b.test over from the old one, which goes; c.test goes
 * altogether. In the order in which plan_make() would put it.
 */
#define NEW "new_svc_1"
#define OLD "old_svc_1"
static const struct plan_op replace[] = {
	{.kind = PLAN_OP_BACKEND_ADD, .backend = NEW},
	{.kind = PLAN_OP_BACKEND_PUBLISH, .backend = NEW},
	{.kind = PLAN_OP_SERVER_ADD, .backend = NEW, .server = "p1", .address = "10.1.0.1:80"},
	{.kind = PLAN_OP_SERVER_ENABLE, .backend = NEW, .server = "p1"},
	{.kind = PLAN_OP_MAP_SET, .map = MODEL_MAP_EXACT, .key = "a.test/x", .value = NEW},
	{.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_PREFIX, .key = "b.test/", .value = NEW},
	{.kind = PLAN_OP_MAP_ADD, .map = MODEL_MAP_HOSTS, .key = "b.test", .value = "b.test"},
	{.kind = PLAN_OP_MAP_DEL, .map = MODEL_MAP_HOSTS, .key = "c.test"},
	{.kind = PLAN_OP_MAP_DEL, .map = MODEL_MAP_PREFIX, .key = "c.test/"},
	{.kind = PLAN_OP_SERVER_DISABLE, .backend = OLD, .server = "s1"},
	{.kind = PLAN_OP_SERVER_DEL, .backend = OLD, .server = "s1"},
	{.kind = PLAN_OP_SERVER_DEL, .backend = OLD, .server = "s2"},
	{.kind = PLAN_OP_BACKEND_UNPUBLISH, .backend = OLD},
	{.kind = PLAN_OP_BACKEND_DEL, .backend = OLD},
};

/* One letter an operation: Done, Busy, Refused, Skipped, Lost, "." not sent. */
static const char letters[] = ".DBRSL";

struct row {
	size_t index; /* of the operation that is refused */
	const char *results;
	const char *also; /* what HAProxy refuses as a consequence */
};

static const struct row refusals[] = {
	{0, "RRRRSSSDDSSSSS", NEW},			/* the backend, and what leads to it */
	{1, "DRDDSSSDDSSSSS", NULL},			/* not published */
	{2, "DDRRSSSDDSSSSS", "enable server " NEW},	/* without its server */
	{3, "DDDRSSSDDSSSSS", NULL},			/* its server can't be enabled */
	{4, "DDDDRDDDDSSSSS", NULL},			/* a.test and the old backend stay */
	{5, "DDDDDRDDDDDDDD", NULL},			/* b.test appears without its path */
	{6, "DDDDDDRDDDDDDD", NULL},			/* only b.test is missing */
	{7, "DDDDDDDRDDDDDD", NULL},			/* c.test */
	{8, "DDDDDDDDRSSSSS", NULL},			/* c.test/ leads to the old backend */
	{9, "DDDDDDDDDRRDSS", "del server " OLD "/s1"}, /* the backend is not deleted either */
	{10, "DDDDDDDDDDRDSS", NULL},
	{11, "DDDDDDDDDDDRSS", NULL},
	{12, "DDDDDDDDDDDDRR", "del backend " OLD},
	{13, "DDDDDDDDDDDDDR", NULL},
};

static void start(struct test *test, struct plan *plan)
{
	const struct apply_target target = {test->cli, DIR, test->applied};
	struct err err = {0};

	if (!cli_is_connected(test->cli)) {
		assert_true(cli_connect(test->cli, test->fake.path, &err));
	}
	assert_non_null(apply_start(&target, plan, on_applied, test));
	assert_false(test->is_done);
	while (!test->is_done) {
		assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	}
}

/* The results as letters, which must agree with the sums; `expected` may be NULL. */
static void assert_results(struct test *test, struct plan_op *ops, size_t n, const char *expected)
{
	size_t counts[ARRAY_LEN(letters)] = {0};
	char results[32] = "";

	assert_true(n < sizeof(results));
	for (size_t i = 0; i < n; i++) {
		counts[ops[i].result]++;
		results[i] = letters[ops[i].result];
	}
	if (expected != NULL) {
		assert_string_equal(results, expected);
	}
	assert_int_equal(counts[PLAN_DONE], test->result.n_done);
	assert_int_equal(counts[PLAN_BUSY], test->result.n_busy);
	assert_int_equal(counts[PLAN_REFUSED], test->result.n_refused);
	assert_int_equal(counts[PLAN_SKIPPED], test->result.n_skipped);
	assert_int_equal(counts[PLAN_LOST] > 0, test->result.is_lost);
	assert_int_equal(counts[PLAN_PENDING] > 0 && !test->result.is_lost, false);
}

/* Does `applied` say of this operation that it was done? */
static void assert_believed(const struct applied *applied, const struct plan_op *op)
{
	bool is_done = op->result == PLAN_DONE;
	const struct applied_backend *backend =
		op->backend ? applied_find_backend(applied, op->backend) : NULL;
	const struct applied_server *server =
		backend && op->server ? applied_find_server(backend, op->server) : NULL;
	const char *value = op->key ? applied_find_entry(applied, op->map, op->key) : NULL;

	switch (op->kind) {
	case PLAN_OP_BACKEND_ADD:
		assert_int_equal(backend != NULL, is_done);
		break;
	case PLAN_OP_SERVER_ADD:
		assert_int_equal(server != NULL, is_done);
		break;
	case PLAN_OP_SERVER_ENABLE:
		assert_int_equal(server != NULL && server->admin == APPLIED_READY, is_done);
		break;
	case PLAN_OP_MAP_ADD:
	case PLAN_OP_MAP_SET:
		assert_int_equal(value != NULL && strcmp(value, op->value) == 0, is_done);
		break;
	case PLAN_OP_MAP_DEL:
		assert_int_equal(value == NULL, is_done);
		break;
	case PLAN_OP_SERVER_DISABLE:
		assert_int_equal(server == NULL || server->admin == APPLIED_MAINT, is_done);
		break;
	case PLAN_OP_SERVER_DEL:
		assert_int_equal(server == NULL, is_done);
		break;
	case PLAN_OP_BACKEND_DEL:
		assert_int_equal(backend == NULL, is_done);
		break;
	default:
		break;
	}
}

static void test_all_is_well(void **state)
{
	struct test *test = *state;
	struct plan_op ops[ARRAY_LEN(replace)];
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};

	memcpy(ops, replace, sizeof(ops));
	start(test, &plan);
	assert_results(test, ops, ARRAY_LEN(ops), "DDDDDDDDDDDDDD");
	assert_int_equal(test->result.n_sent, ARRAY_LEN(ops));
	assert_null(test->result.first_refused);
	assert_null(test->result.first_text);
	CLEANUP(free_ptr) char *believed = dump(test->applied);
	assert_string_equal(believed, "backend new_svc_1\n"
				      "  server p1 10.1.0.1:80\n"
				      "hosts.map b.test b.test\n"
				      "exact.map a.test/x new_svc_1\n"
				      "prefix.map b.test/ new_svc_1\n");
	assert_string_equal(buf_str(&test->sent),
		"add backend new_svc_1 from http_profile\n"
		"publish backend new_svc_1\n"
		"add server new_svc_1/p1 10.1.0.1:80 pool-max-conn -1 pool-purge-delay 5s\n"
		"enable server new_svc_1/p1\n"
		"set map /run/hg/exact.map a.test/x new_svc_1\n"
		"add map /run/hg/prefix.map b.test/ new_svc_1\n"
		"add map /run/hg/hosts.map b.test b.test\n"
		"del map /run/hg/hosts.map c.test\n"
		"del map /run/hg/prefix.map c.test/\n"
		"disable server old_svc_1/s1\n"
		"del server old_svc_1/s1\n"
		"del server old_svc_1/s2\n"
		"unpublish backend old_svc_1\n"
		"del backend old_svc_1\n");
}

static void test_nothing_to_do(void **state)
{
	struct test *test = *state;
	struct plan plan = {0};

	start(test, &plan);
	assert_results(test, NULL, 0, "");
	assert_int_equal(test->result.n_sent, 0);
}

static void test_every_operation_refused(void **state)
{
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct plan_op ops[ARRAY_LEN(replace)];
		struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
		struct buf command = BUF_INIT(0);

		reset(test);
		memcpy(ops, replace, sizeof(ops));
		assert_true(encode_op(&command, &ops[refusals[i].index], DIR));
		test->refuse = buf_str(&command);
		test->also = refusals[i].also;
		start(test, &plan);
		assert_results(test, ops, ARRAY_LEN(ops), refusals[i].results);
		assert_ptr_equal(test->result.first_refused, &ops[refusals[i].index]);
		for (size_t j = 0; j < ARRAY_LEN(ops); j++) {
			assert_believed(test->applied, &ops[j]);
		}
		buf_fini(&command);
	}
	assert_int_equal(ARRAY_LEN(refusals), ARRAY_LEN(replace));
	assert_int_equal(metrics_get(METRIC_OPERATION_ERRORS, "backend-del"), 2);
}

static void rename_in(const char **text, const char *from, const char *to)
{
	if (*text != NULL && strcmp(*text, from) == 0) {
		*text = to;
	}
}

/* Refused without being sent: what builds on it in the same group is not sent either. */
static void test_unwritable_operations(void **state)
{
	static const struct {
		const char *name;
		const char *unwritable;
		const char *results;
	} rows[] = {
		{NEW, "new svc", "RSSSSSSDDSSSSS"},
		{"p1", "p 1", "DDRSSSSDDSSSSS"},
		{"b.test/", "b.test/\n", "DDDDDRSDDDDDDD"},
		{"s1", "s 1", "DDDDDDDDDRSDSS"},
	};
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan_op ops[ARRAY_LEN(replace)];
		struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};

		reset(test);
		memcpy(ops, replace, sizeof(ops));
		for (size_t j = 0; j < ARRAY_LEN(ops); j++) {
			rename_in(&ops[j].backend, rows[i].name, rows[i].unwritable);
			rename_in(&ops[j].server, rows[i].name, rows[i].unwritable);
			rename_in(&ops[j].key, rows[i].name, rows[i].unwritable);
			rename_in(&ops[j].value, rows[i].name, rows[i].unwritable);
		}
		start(test, &plan);
		assert_results(test, ops, ARRAY_LEN(ops), rows[i].results);
		assert_int_equal(test->result.n_sent, test->result.n_done);
	}
}

/* HAProxy has what `applied` lacks: only the adding is refused, and no more is believed. */
static void test_there_already(void **state)
{
	static const struct row rows[] = {
		{0, "RDDDSSSDDSSSSS", NULL},
		{2, "DDRDSSSDDSSSSS", NULL},
	};
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct plan_op ops[ARRAY_LEN(replace)];
		struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
		struct buf command = BUF_INIT(0);

		reset(test);
		memcpy(ops, replace, sizeof(ops));
		assert_true(encode_op(&command, &ops[rows[i].index], DIR));
		test->refuse = buf_str(&command);
		start(test, &plan);
		assert_results(test, ops, ARRAY_LEN(ops), rows[i].results);
		const struct applied_backend *backend = applied_find_backend(test->applied, NEW);
		assert_int_equal(backend != NULL, rows[i].index > 0);
		assert_true(backend == NULL || backend->n_servers == 0);
		buf_fini(&command);
	}
}

/* A group goes out in one piece; a moved server is enabled when HAProxy has said that it moved. */
static void test_one_write_for_each_group(void **state)
{
	struct test *test = *state;
	struct plan_op ops[ARRAY_LEN(replace)];
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};
	struct plan_op move[] = {
		{.kind = PLAN_OP_SERVER_ADDRESS,
			.backend = OLD,
			.server = "s2",
			.address = "10.0.0.9:80"},
		{.kind = PLAN_OP_SERVER_ENABLE, .backend = OLD, .server = "s2"},
	};
	struct plan move_plan = {.ops = move, .n_ops = ARRAY_LEN(move)};

	start(test, &move_plan);
	assert_results(test, move, ARRAY_LEN(move), "DD");
	size_t n_reads = test->fake.n_reads;
	reset(test);
	memcpy(ops, replace, sizeof(ops));
	start(test, &plan);
	assert_int_equal(test->fake.n_reads - n_reads, 5);

	reset(test);
	n_reads = test->fake.n_reads;
	start(test, &move_plan);
	assert_int_equal(test->fake.n_reads - n_reads, 2);
	reset(test);
	test->refuse = "set server old_svc_1/s2 addr 10.0.0.9 port 80";
	start(test, &move_plan);
	assert_results(test, move, ARRAY_LEN(move), "RS");
}

static void test_busy_server(void **state)
{
	struct test *test = *state;
	struct plan_op ops[ARRAY_LEN(replace)];
	struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};

	memcpy(ops, replace, sizeof(ops));
	test->busy = "del server old_svc_1/s1";
	start(test, &plan);
	assert_results(test, ops, ARRAY_LEN(ops), "DDDDDDDDDDBDDB");
	assert_int_equal(test->result.n_sent, ARRAY_LEN(ops) - 1);
	assert_null(test->result.first_refused);
	const struct applied_backend *backend = applied_find_backend(test->applied, OLD);
	assert_int_equal(backend->n_servers, 1);
	assert_int_equal(backend->servers[0].admin, APPLIED_MAINT);
	assert_true(backend->is_unpublished);
}

static void test_closed_at_every_byte(void **state)
{
	struct test *test = *state;
	size_t at = 0;

	/* Until a run gets through: then every byte of the answers has been the last one. */
	for (; !test->is_done || test->result.is_lost; at++) {
		struct plan_op ops[ARRAY_LEN(replace)];
		struct plan plan = {.ops = ops, .n_ops = ARRAY_LEN(ops)};

		reset(test);
		cli_disconnect(test->cli);
		while (test->fake.connection != NULL) {
			event_base_loop(test->base, EVLOOP_ONCE);
		}
		memcpy(ops, replace, sizeof(ops));
		test->fake.close_at = at;
		start(test, &plan);
		assert_results(test, ops, ARRAY_LEN(ops), NULL);
		assert_int_equal(test->result.n_refused, 0);
		assert_int_equal(test->result.n_skipped, 0);
		assert_true(at > 0 || test->result.n_done == 0);
	}
	assert_true(at > 150);
	assert_int_equal(test->result.n_done, ARRAY_LEN(replace));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_all_is_well),
		TEST(test_nothing_to_do),
		TEST(test_every_operation_refused),
		TEST(test_unwritable_operations),
		TEST(test_there_already),
		TEST(test_one_write_for_each_group),
		TEST(test_busy_server),
		TEST(test_closed_at_every_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
