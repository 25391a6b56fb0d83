/*
 * One audit against sockets that say what a HAProxy with certain content would say: what it asks,
 * in which order and when, what it finds, and what it does when answers or connections break.
 *
 * `real` is what the fake HAProxy has, `applied` what it is believed to have.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>

#include "base/alloc.h"
#include "haproxy/audit.h"
#include "haproxy/fake_cli.h"

#define DIR	   "/run/hg"
#define PID	   4521
#define N_BACKENDS 100

#define COLUMNS "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_port\n"

struct test {
	struct event_base *base;
	struct fake main;
	struct fake side; /* whoever else connects */
	struct cli *cli;
	struct model *model;
	struct applied *applied;
	struct applied *real;
	struct audit *audit;
	struct caps caps;
	struct buf said;    /* a line a difference */
	struct buf asked;   /* a line a command */
	struct buf repairs; /* a line a key */
	struct err err;
	struct audit_counts counts;
	unsigned n_done;
	unsigned n_lost;
	const char *lie_about; /* a command that gets another answer, so often as `n_lies` says */
	const char *lie;
	unsigned n_lies;
	/* Called before a command is answered. */
	void (*meanwhile)(struct test *test, const char *command);
};

static struct applied *make_state(void)
{
	struct applied *applied = applied_new();
	char name[32];

	for (int i = 0; i < N_BACKENDS; i++) {
		snprintf(name, sizeof(name), "a_svc_s%d_80", i);
		struct applied_backend *backend = applied_add_backend(applied, name);
		applied_set_server(applied, backend, "p1", "10.0.0.1:80", APPLIED_READY);
		applied_set_server(applied, backend, "p2", "10.0.0.2:80", APPLIED_MAINT);
		applied_set_entry(applied, MODEL_MAP_PREFIX, name, name);
	}
	applied_set_entry(applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	applied_set_entry(applied, MODEL_MAP_HOSTS, "b.test", "b.test");
	applied_set_certificate(applied, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS, "F1");
	applied_set_certificate(applied, "a_b_0", "a.test *.a.test", NULL);
	return applied;
}

/* ---- the fake HAProxy ---- */

static void say_map(const struct applied *real, const char *path, struct buf *out)
{
	const struct applied_entry *entry;

	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		if (strcmp(strrchr(path, '/') + 1, model_map_files[map]) == 0) {
			TABLE_FOREACH (&real->entries[map], entry) {
				buf_printf(out, "0x1 %s %s\n", applied_entry_key(entry),
					applied_entry_value(entry));
			}
		}
	}
}

static void say_servers(const struct applied *real, const char *name, struct buf *out)
{
	static const char *const admin[] = {"0", "8", "1"};
	const struct applied_backend *backend = applied_find_backend(real, name);

	if (backend == NULL) {
		buf_append_str(out, "Can't find backend.\n");
		return;
	}
	buf_append_str(out, "1\n" COLUMNS);
	for (uint32_t i = 0; i < backend->n_servers; i++) {
		const struct applied_server *server = &backend->servers[i];
		const char *colon = strrchr(server->address, ':');
		buf_printf(out, "3 %s 1 %s %.*s 2 %s %s\n", name, server->name,
			(int)(colon - server->address), server->address, admin[server->admin],
			colon + 1);
	}
}

static void say_certificates(const struct applied *real, bool is_list, struct buf *out)
{
	const struct applied_certificate *certificate;
	int line = 1;

	buf_append_str(out, is_list ? "# " DIR "/certs.list\n" : "# filename\n");
	TABLE_FOREACH (&real->certificates, certificate) {
		if (!is_list) {
			buf_printf(out, DIR "/certs/%s.pem\n", certificate->name);
		} else if (certificate->hosts != NULL) {
			buf_printf(out, DIR "/certs/%s.pem:%d %s\n", certificate->name, line++,
				certificate->hosts);
		}
	}
}

static void say(const struct applied *real, const char *command, struct buf *out)
{
	const struct applied_backend *backend;

	if (strcmp(command, "show info") == 0) {
		buf_printf(out, "Name: HAProxy\nVersion: 3.4.7\nPid: %d\n", PID);
	} else if (strncmp(command, "show map ", 9) == 0) {
		say_map(real, command + 9, out);
	} else if (strcmp(command, "show backend") == 0) {
		buf_append_str(out, "# name\nconstant\n");
		for (int i = 0; i < APPLIED_SHARDS; i++) {
			TABLE_FOREACH (&real->backends[i], backend) {
				buf_printf(out, "%s\n", backend->name);
			}
		}
	} else if (strncmp(command, "show servers state ", 19) == 0) {
		say_servers(real, command + 19, out);
	} else if (strncmp(command, "show ssl crt-list ", 18) == 0) {
		say_certificates(real, true, out);
	} else if (strcmp(command, "show ssl cert") == 0) {
		say_certificates(real, false, out);
	} else if (strcmp(command, "show ssl ca-file") == 0) {
		buf_append_str(out, "# filename\n@system-ca - 145 certificate(s)\n");
	} else if (strncmp(command, "show ssl cert ", 14) == 0) {
		buf_printf(out, "SHA1 FingerPrint: %s\n",
			applied_find_certificate(real, MODEL_CERTIFICATE_DEFAULT)->fingerprint);
	} else {
		assert_string_equal(command, "prompt");
	}
}

static void answer(struct fake *fake, const char *command, struct buf *out)
{
	struct test *test = fake->ctx;

	buf_printf(&test->asked, "%s%s\n", fake == &test->side ? "side: " : "", command);
	if (test->meanwhile != NULL) {
		test->meanwhile(test, command);
	}
	if (test->lie != NULL && test->n_lies > 0 && strcmp(test->lie_about, command) == 0) {
		test->n_lies--;
		buf_append_str(out, test->lie);
	} else {
		say(test->real, command, out);
	}
	buf_append_str(out, "\n> ");
}

/* ---- the test's side ---- */

static void on_lost(void *ctx, const char *text)
{
	(void)text;
	((struct test *)ctx)->n_lost++;
}

static const char *or_dash(const char *text)
{
	return text != NULL ? text : "-";
}

static void on_drift(void *ctx, const struct drift *drift)
{
	struct test *test = ctx;

	buf_printf(&test->said, "%s %s: %s, %s\n", drift_kind_names[drift->kind], drift->object,
		or_dash(drift->expected), or_dash(drift->found));
}

static void on_repair(void *ctx, struct model_delta *delta)
{
	struct test *test = ctx;

	for (size_t i = 0; i < delta->n_entries; i++) {
		buf_printf(&test->repairs, "%s %s\n", model_map_files[delta->entries[i].map],
			delta->entries[i].key);
	}
	for (size_t i = 0; i < delta->n_backends; i++) {
		buf_printf(&test->repairs, "%s\n", delta->backends[i]);
	}
	for (size_t i = 0; i < delta->n_certificates; i++) {
		buf_printf(&test->repairs, "%s\n", delta->certificates[i]);
	}
}

static void on_done(void *ctx, const struct audit_counts *counts, const struct err *err)
{
	struct test *test = ctx;

	test->n_done++;
	test->audit = NULL;
	test->counts = *counts;
	test->err = err != NULL ? *err : (struct err){0};
}

static int set_up(void **state)
{
	static const struct model_options options = {.ingress_class = "c", .controller_name = "x"};
	struct test *test = xcalloc(1, sizeof(*test));

	test->base = event_base_new();
	assert_true(fake_start(&test->main, test->base, answer));
	assert_true(fake_start(&test->side, test->base, answer));
	test->main.ctx = test;
	test->side.ctx = test;
	test->cli = cli_new(test->base, on_lost, test);
	test->model = model_new(&options);
	test->applied = make_state();
	test->real = make_state();
	test->caps = (struct caps){.has_tls = true, .can_add_backend = true};
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	audit_cancel(test->audit);
	cli_free(test->cli);
	fake_stop(&test->main);
	fake_stop(&test->side);
	event_base_free(test->base);
	applied_free(test->applied);
	applied_free(test->real);
	model_free(test->model);
	buf_fini(&test->said);
	buf_fini(&test->asked);
	buf_fini(&test->repairs);
	free(test);
	return 0;
}

static void start(struct test *test)
{
	struct err err = {0};

	if (!cli_is_connected(test->cli)) {
		assert_true(cli_connect(test->cli, test->main.path, &err));
	}
	buf_clear(&test->said);
	buf_clear(&test->asked);
	buf_clear(&test->repairs);
	test->n_done = 0;
	test->audit = audit_start(&(struct audit_target){test->cli, test->side.path, DIR,
					  test->applied, test->model, test->caps, PID},
		&(struct audit_callbacks){on_drift, on_repair, on_done, test});
}

static void wait_for_end(struct test *test)
{
	while (test->n_done == 0) {
		assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	}
	assert_int_equal(test->n_done, 1);
}

static void audit(struct test *test)
{
	start(test);
	wait_for_end(test);
}

static void check_same(const struct test *test)
{
	struct buf believed = BUF_INIT(0);
	struct buf real = BUF_INIT(0);

	applied_dump(test->applied, &believed);
	applied_dump(test->real, &real);
	assert_string_equal(buf_str(&believed), buf_str(&real));
	buf_fini(&believed);
	buf_fini(&real);
}

static void check_clean(struct test *test)
{
	assert_string_equal(test->err.text, "");
	assert_string_equal(buf_str(&test->said), "");
	assert_string_equal(buf_str(&test->repairs), "");
}

static void test_nothing_differs(void **state)
{
	struct test *test = *state;

	for (int i = 0; i < 3; i++) {
		audit(test);
		check_clean(test);
		check_same(test);
		assert_int_equal(test->counts.n_entries, N_BACKENDS + 2);
		assert_int_equal(test->counts.n_backends, N_BACKENDS);
		assert_int_equal(test->counts.n_servers, 2 * N_BACKENDS);
		assert_int_equal(test->counts.n_certificates, 2);
		/* Only maps go over the second connection. */
		const char *maps = strstr(buf_str(&test->asked), "side: show map");
		const char *backends = strstr(buf_str(&test->asked), "\nshow servers state");
		assert_non_null(maps);
		assert_true(backends > maps);
		assert_null(strstr(backends, "side: "));
		/* Nothing of it is left open. */
		while (test->side.connection != NULL) {
			event_base_loop(test->base, EVLOOP_ONCE);
		}
	}
	assert_int_equal(test->n_lost, 0);
	/* Each batch is asked for when the one before has been answered. */
	assert_true(test->main.n_reads >= 3 * (N_BACKENDS / AUDIT_BATCH + 1));
}

static void test_without_tls_and_live_backends(void **state)
{
	struct test *test = *state;

	test->caps = (struct caps){0};
	audit(test);
	check_clean(test);
	assert_null(strstr(buf_str(&test->asked), "show ssl"));
	assert_null(strstr(buf_str(&test->asked), "show backend"));
}

/* Everything that somebody can do by hand. */
static void spoil(struct applied *real)
{
	applied_remove_entry(real, MODEL_MAP_HOSTS, "a.test");
	applied_set_entry(real, MODEL_MAP_HOSTS, "x.test", "x");
	applied_set_entry(real, MODEL_MAP_PREFIX, "a_svc_s0_80", "a_svc_s1_80");
	struct applied_backend *backend = applied_find_backend(real, "a_svc_s7_80");
	applied_remove_server(real, backend, "p1");
	applied_set_server(real, backend, "p2", "10.0.0.2:80", APPLIED_READY);
	applied_set_server(real, backend, "p3", "10.0.0.3:80", APPLIED_READY);
	applied_set_server(real, applied_find_backend(real, "a_svc_s8_80"), "p1", "10.9.9.9:80",
		APPLIED_READY);
	applied_remove_backend(real, "a_svc_s9_80");
	backend = applied_add_backend(real, "x_svc_y_80");
	applied_set_server(real, backend, "s", "10.0.0.1:80", APPLIED_READY);
	applied_set_certificate(real, "a_b_0", NULL, NULL);
	applied_set_certificate(real, "x", "x.test", NULL);
}

/* Lines in the order of tables are compared one by one. */
static void check_lines(const struct buf *said, const char *const *lines, size_t n_lines)
{
	size_t n_said = 0;

	for (const char *c = buf_str(said); *c != '\0'; c++) {
		n_said += *c == '\n';
	}
	for (size_t i = 0; i < n_lines; i++) {
		if (strstr(buf_str(said), lines[i]) == NULL) {
			fail_msg("%snot there: %s", buf_str(said), lines[i]);
		}
	}
	assert_int_equal(n_said, n_lines);
}

static const char *const spoilt[] = {
	"entry-missing hosts.map a.test: a.test, -\n",
	"entry-foreign hosts.map x.test: -, x\n",
	"entry-value prefix.map a_svc_s0_80: a_svc_s0_80, a_svc_s1_80\n",
	"server-missing a_svc_s7_80/p1: 10.0.0.1:80 ready, -\n",
	"server-state a_svc_s7_80/p2: 10.0.0.2:80 maint, 10.0.0.2:80 ready\n",
	"server-foreign a_svc_s7_80/p3: -, 10.0.0.3:80 ready\n",
	"server-address a_svc_s8_80/p1: 10.0.0.1:80 ready, 10.9.9.9:80 ready\n",
	"backend-missing a_svc_s9_80: a_svc_s9_80, -\n",
	"backend-foreign x_svc_y_80: -, x_svc_y_80\n",
	"certificate-missing a_b_0: a.test *.a.test, in memory, not listed\n",
	"certificate-foreign x: -, x.test\n",
};

static const char *const spoilt_keys[] = {"hosts.map a.test\n", "hosts.map x.test\n",
	"prefix.map a_svc_s0_80\n", "a_svc_s7_80\n", "a_svc_s8_80\n", "a_svc_s9_80\n",
	"x_svc_y_80\n", "a_b_0\n", "x\n"};

static void test_finds_exactly_what_differs(void **state)
{
	struct test *test = *state;

	spoil(test->real);
	audit(test);
	assert_string_equal(test->err.text, "");
	check_lines(&test->said, spoilt, ARRAY_LEN(spoilt));
	check_lines(&test->repairs, spoilt_keys, ARRAY_LEN(spoilt_keys));
	check_same(test);
	/* Asked for twice: what differed, and nothing else of the backends. */
	assert_non_null(strstr(strstr(buf_str(&test->asked), "show servers state a_svc_s7_80") + 1,
		"show servers state a_svc_s7_80"));
	const char *good = strstr(buf_str(&test->asked), "show servers state a_svc_s50_80");
	assert_null(strstr(good + 1, "show servers state a_svc_s50_80"));
	audit(test);
	check_clean(test);
}

/* What is different once is not drift. */
static void test_different_once(void **state)
{
	static const char *const lies[][2] = {
		{"show map " DIR "/hosts.map", "0x1 a.test x\n"},
		{"show servers state a_svc_s3_80",
			"1\n" COLUMNS "3 a_svc_s3_80 1 p1 10.9.9.9 2 0 80\n"},
		{"show servers state a_svc_s3_80", "Can't find backend.\n"},
		{"show backend", "# name\nx_svc_y_80\n"},
		{"show ssl crt-list -n " DIR "/certs.list", "# " DIR "/certs.list\n"},
	};
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		test->lie_about = lies[i][0];
		test->lie = lies[i][1];
		test->n_lies = 1;
		audit(test);
		assert_int_equal(test->n_lies, 0);
		check_clean(test);
		check_same(test);
	}
}

static struct plan_op race_ops[] = {
	{.kind = PLAN_OP_MAP_DEL, .map = MODEL_MAP_HOSTS, .key = "a.test"},
	{.kind = PLAN_OP_SERVER_DEL, .backend = "a_svc_s3_80", .server = "p2"},
	{.kind = PLAN_OP_CERT_DEL, .certificate = "a_b_0"},
};

/* A pass begins behind each question, HAProxy carries it out before it answers, and the answers to
 * the pass are not there yet. */
static void race(struct test *test, const char *command)
{
	struct applied_backend *backend = applied_find_backend(test->real, "a_svc_s3_80");

	if (test->audit == NULL || strncmp(command, "show ", 5) != 0) {
		return;
	}
	audit_on_pass(test->audit, &(struct plan){.ops = race_ops, .n_ops = ARRAY_LEN(race_ops)});
	applied_remove_entry(test->real, MODEL_MAP_HOSTS, "a.test");
	applied_remove_server(test->real, backend, "p2");
	applied_remove_certificate(test->real, "a_b_0");
	/* It ends before the next round. */
	audit_on_rest(test->audit);
}

static void test_pass_between_question_and_answer(void **state)
{
	struct test *test = *state;

	applied_set_entry(test->real, MODEL_MAP_HOSTS, "x.test", "x");
	test->meanwhile = race;
	audit(test);
	assert_string_equal(test->err.text, "");
	/* The rest of the same answer is judged all the same. */
	assert_string_equal(buf_str(&test->said), "entry-foreign hosts.map x.test: -, x\n");
	assert_string_equal(applied_find_entry(test->applied, MODEL_MAP_HOSTS, "a.test"), "a.test");
}

static void turn(struct test *test)
{
	event_base_loop(test->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* No round begins while a pass runs. */
static void test_waits_for_rest(void **state)
{
	struct test *test = *state;

	start(test);
	audit_on_pass(test->audit, &(struct plan){0});
	for (int i = 0; i < 100; i++) {
		turn(test);
	}
	assert_null(strstr(buf_str(&test->asked), "show"));
	audit_on_rest(test->audit);
	while (strstr(buf_str(&test->asked), "hosts.map") == NULL) {
		turn(test);
	}
	audit_on_pass(test->audit, &(struct plan){0});
	for (int i = 0; i < 1000; i++) {
		turn(test);
	}
	assert_null(strstr(buf_str(&test->asked), "exact.map"));
	audit_on_rest(test->audit);
	wait_for_end(test);
	check_clean(test);
}

static void test_bad_answers(void **state)
{
	static const struct {
		const char *command;
		const char *lie;
		enum err_kind kind;
	} rows[] = {
		{"show info", "Version: 3.4\nPid: 1\n", ERR_RETRY},
		{"show info", "", ERR_PROTO},
		{"show map " DIR "/hosts.map", "Unknown map identifier.\n", ERR_PROTO},
		{"show backend", "", ERR_PROTO},
		{"show servers state a_svc_s3_80", "", ERR_PROTO},
		{"show servers state a_svc_s3_80", "1\n", ERR_PROTO},
		{"show servers state a_svc_s3_80", "Can't find backend.\n1\n", ERR_PROTO},
		{"show servers state a_svc_s3_80", "Permission denied\n", ERR_PROTO},
		{"show ssl crt-list -n " DIR "/certs.list", "didn't find the specified filename\n",
			ERR_PROTO},
		{"show ssl cert", "# something\n", ERR_PROTO},
		{"show ssl cert " DIR "/certs/default.pem", "", ERR_PROTO},
	};
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		test->lie_about = rows[i].command;
		test->lie = rows[i].lie;
		test->n_lies = 1;
		audit(test);
		if (test->err.kind != rows[i].kind) {
			fail_msg("%s -> %s: %s", rows[i].command, rows[i].lie, test->err.text);
		}
		assert_string_equal(buf_str(&test->said), "");
		check_same(test);
		assert_true(cli_is_connected(test->cli));
	}
	audit(test);
	check_clean(test);
}

static void test_lost_connections(void **state)
{
	struct test *test = *state;

	for (size_t at = 0; at < 6000; at += 97) {
		test->side.close_at = at;
		audit(test);
		/* All that it has to say are some 3,000 bytes. */
		assert_true(
			test->err.kind == ERR_RETRY || (at > 2000 && test->err.kind == ERR_NONE));
		assert_string_equal(buf_str(&test->said), "");
	}
	test->side.close_at = SIZE_MAX;
	for (size_t at = 3; at < 12000; at += 997) {
		test->main.close_at = at;
		cli_disconnect(test->cli);
		while (test->main.connection != NULL) {
			turn(test);
		}
		start(test);
		while (test->n_done == 0 && cli_is_connected(test->cli)) {
			event_base_loop(test->base, EVLOOP_ONCE);
		}
		/* Between two questions it can't know, and is told by who owns the connection. */
		assert_true(test->n_done == 0 || test->err.kind == ERR_RETRY);
		audit_cancel(test->audit);
		test->audit = NULL;
		assert_string_equal(buf_str(&test->said), "");
	}
}

static void test_cancelled_anywhere(void **state)
{
	struct test *test = *state;

	spoil(test->real);
	for (int n_turns = 0; n_turns < 60; n_turns++) {
		start(test);
		for (int i = 0; i < n_turns && test->n_done == 0; i++) {
			turn(test);
		}
		audit_cancel(test->audit);
		test->audit = NULL;
	}
}

static void test_nobody_listens(void **state)
{
	struct test *test = *state;

	unlink(test->side.path);
	audit(test);
	assert_int_equal(test->err.kind, ERR_RETRY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_differs),
		TEST(test_without_tls_and_live_backends),
		TEST(test_finds_exactly_what_differs),
		TEST(test_different_once),
		TEST(test_pass_between_question_and_answer),
		TEST(test_waits_for_rest),
		TEST(test_bad_answers),
		TEST(test_lost_connections),
		TEST(test_cancelled_anywhere),
		TEST(test_nobody_listens),
	};

	/* The socket may have something to say to who is gone. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
