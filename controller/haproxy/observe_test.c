/* Unit tests of observe.c against a socket that says what HAProxy says, nearly what it says, or
 * only a part of it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>

#include "base/alloc.h"
#include "haproxy/fake_cli.h"
#include "haproxy/observe.h"
#include "version.h"

#define DIR "/run/hg"

#define CA   "ca-0123456789abcdef0123456789abcdef0123456789abcdef"
#define CERT DIR "/certs/"

#define COLUMNS                                                                                    \
	"# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_fqdn "          \
	"srv_port\n"

struct script {
	const char *command;
	const char *answer;
};

/* In short what HAProxy 3.4 says. */
static const struct script good[] = {
	{"prompt", ""},
	{"show info", "Name: HAProxy\nVersion: 3.4.7-1\nPid: 4521\nnode: vm\ndescription:\n"},
	{"help", "The following commands are valid at this level:\n"
		 "  add backend <backend>                   : add a new backend\n"
		 "  del backend <backend>                   : delete a backend\n"
		 "  publish backend <backend>               : mark backend as ready\n"
		 "  unpublish backend <backend>             : remove backend\n"
		 "  quit                                    : disconnect\n"},
	{"show env HEADGATE_CONFIGURATION", "HEADGATE_CONFIGURATION=" HEADGATE_CONFIGURATION "\n"},
	{"show backend", "# name\na_svc_1\nconstant\nb_svc_2\n"},
	{"show servers state", "1\n" COLUMNS "3 a_svc_1 1 s1 10.0.0.1 2 0 - 80\n"
			       "3 a_svc_1 2 s2 fd00::1 0 1 - 8080\n"
			       "4 constant 1 s1 10.0.0.9 2 0 - 80\n"
			       "5 b_svc_2 1 s1 - 2 4 - 0\n"},
	{"show map " DIR "/hosts.map", "0x55ad66a2f610 a.test a.test\n"},
	{"show map " DIR "/exact.map",
		"0x7fed32021360 a.test/x a_svc_1\n0x7fed32021361 a.test/x b_svc_2\n"
		"0x7fed32021362 a.test/> > \n0x7fed32021363 empty \n"},
	{"show map " DIR "/prefix.map", ""},
	{"show map " DIR "/defaults.map", "0x1 * b_svc_2\n"},
	{"show map " DIR "/external.map", "0x1 a_ext_b_80 x.test:80\n"},
	{"show map " DIR "/redirect.map", "0x1 a 308\n"},
	{"show map " DIR "/policy.map", "0x1 a/b T|{\"timeout-server\":1}\n"},
	{"show map " DIR "/auth.map", "0x1 a/b a_svc_1||{}\n"},
	{"show map " DIR "/canary.map", "0x1 a/b a_svc_1|5\n"},
	{"show map " DIR "/passthrough.map", "0x1 a.test a_svc_1:tcp\n"},
	{"show map " DIR "/tcp.map", "0x1 90 a_svc_1:tcp\n"},
	{"show map " DIR "/networks.map", "0x1 1:2:3:4:5:6:10.0.0.0/104 1:2:3:4:5:6\n"},
	{"show map " DIR "/addresses.map", "0x1 1:2:3:4:5:6|fd00::1 1:2:3:4:5:6\n"},
	{"show ssl crt-list -n " DIR "/certs.list",
		"# " DIR "/certs.list\n" CERT "default.pem:1 headgate.invalid\n" CERT
		"a_b_0.pem:2 a.test *.a.test\n/etc/other.pem:3\n" CERT "a_b_0.pem:4 twice.test\n"},
	{"show ssl cert", "# transaction\n*" CERT "a_b_0.pem\n# filename\n" CERT "a_b_0.pem\n" CERT
			  "c_d_1.pem\n" CERT "default.pem\n" CERT "sub/x.pem\n/etc/other.pem\n"},
	{"show ssl ca-file",
		"# transaction\n*" CERT CA ".pem - 1 certificate(s)\n# filename\n" CERT CA
		".pem - 0 certificate(s)\n@system-ca - 145 certificate(s)\n"},
	{"abort ssl ca-file " CERT CA ".pem",
		"Transaction aborted for CA file '" CERT CA ".pem'!\n"},
	{"show ssl cert " CERT "default.pem",
		"Filename: " CERT "default.pem\nStatus: Used\nSHA1 FingerPrint: "
		"8311BF1B92ACB2EA852143C0DE3CCE6AEEBBA80D\nOCSP Response Key: \n"},
	{"show env HEADGATE_SETTINGS",
		"HEADGATE_SETTINGS=0123456789abcdef0123456789abcdef0123456789abcdef\n"},
	{"show env HEADGATE_TCP_PORTS", "HEADGATE_TCP_PORTS=90 5432\n"},
	{"abort ssl cert " CERT "a_b_0.pem",
		"Transaction aborted for certificate '" CERT "a_b_0.pem'!\n"},
};

static const char good_dump[] = "backend a_svc_1\n"
				"  server s1 10.0.0.1:80\n"
				"  server s2 [fd00::1]:8080 maint\n"
				"backend b_svc_2\n"
				"  server s1 -:0\n"
				"hosts.map a.test a.test\n"
				"exact.map a.test/> > \n"
				"exact.map a.test/x a_svc_1\n"
				"exact.map empty \n"
				"defaults.map * b_svc_2\n"
				"external.map a_ext_b_80 x.test:80\n"
				"redirect.map a 308\n"
				"policy.map a/b T|{\"timeout-server\":1}\n"
				"auth.map a/b a_svc_1||{}\n"
				"canary.map a/b a_svc_1|5\n"
				"passthrough.map a.test a_svc_1:tcp\n"
				"tcp.map 90 a_svc_1:tcp\n"
				"networks.map 1:2:3:4:5:6:10.0.0.0/104 1:2:3:4:5:6\n"
				"addresses.map 1:2:3:4:5:6|fd00::1 1:2:3:4:5:6\n"
				"certificate a_b_0 a.test *.a.test\n"
				"certificate c_d_1 (not listed)\n"
				"certificate " CA " (not listed)\n"
				"certificate default "
				"8311BF1B92ACB2EA852143C0DE3CCE6AEEBBA80D\n"
				"settings 0123456789abcdef0123456789abcdef0123456789abcdef\n";

struct test {
	struct event_base *base;
	struct fake fake;
	struct cli *cli;
	const struct script *lie;  /* said instead of the good answer; NULL = none */
	const char *configuration; /* the same, for the question about it */
	bool may_lack;
	struct observation found;
	struct err err;
	unsigned n_calls;
	unsigned n_lost;
};

static void answer(struct fake *fake, const char *command, struct buf *out)
{
	const struct test *test = fake->ctx;
	const char *text = NULL;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (strcmp(good[i].command, command) == 0) {
			text = good[i].answer;
		}
	}
	assert_non_null(text);
	if (test->lie != NULL && strcmp(test->lie->command, command) == 0) {
		text = test->lie->answer;
	}
	if (test->configuration != NULL && strstr(command, "HEADGATE_CONFIGURATION") != NULL) {
		text = test->configuration;
	}
	buf_append_str(out, text);
	buf_append_str(out, "\n> ");
}

static void on_lost(void *ctx, const char *text)
{
	(void)text;
	((struct test *)ctx)->n_lost++;
}

static void on_observed(void *ctx, struct observation *observation, const struct err *err)
{
	struct test *test = ctx;

	test->n_calls++;
	assert_true((observation == NULL) == (err != NULL));
	if (err != NULL) {
		test->err = *err;
		return;
	}
	test->found = *observation;
	observation->applied = NULL;
}

static void observe_now(struct test *test)
{
	struct err err = {0};

	if (!cli_is_connected(test->cli)) {
		assert_true(cli_connect(test->cli, test->fake.path, &err));
	}
	applied_free(test->found.applied);
	test->found = (struct observation){0};
	test->err = (struct err){0};
	test->n_calls = 0;
	assert_non_null(observe_start(test->cli, DIR, test->may_lack, on_observed, test));
	while (test->n_calls == 0) {
		assert_int_equal(event_base_loop(test->base, EVLOOP_ONCE), 0);
	}
	assert_int_equal(test->n_calls, 1);
}

static void assert_good(const struct test *test)
{
	struct buf buf = BUF_INIT(0);

	assert_string_equal(test->err.text, "");
	applied_dump(test->found.applied, &buf);
	assert_string_equal(buf_str(&buf), good_dump);
	assert_string_equal(test->found.caps.version, "3.4.7-1");
	assert_true(test->found.caps.can_add_backend);
	assert_false(test->found.caps.awaits_configuration);
	assert_int_equal(test->found.pid, 4521);
	assert_true(applied_has_port(test->found.applied, 90));
	assert_true(applied_has_port(test->found.applied, 5432));
	assert_false(applied_has_port(test->found.applied, 9));
	buf_fini(&buf);
}

static int set_up(void **state)
{
	struct test *test = xcalloc(1, sizeof(*test));

	test->base = event_base_new();
	assert_true(fake_start(&test->fake, test->base, answer));
	test->fake.ctx = test;
	test->cli = cli_new(test->base, on_lost, test);
	*state = test;
	return 0;
}

static int tear_down(void **state)
{
	struct test *test = *state;

	cli_free(test->cli);
	fake_stop(&test->fake);
	event_base_free(test->base);
	applied_free(test->found.applied);
	free(test);
	return 0;
}

/* Without the answer that nobody waits for, which comes last. */
static size_t good_size(void)
{
	size_t size = 0;

	for (size_t i = 0; i < ARRAY_LEN(good) && strncmp(good[i].command, "abort", 5) != 0; i++) {
		size += strlen(good[i].answer) + strlen("\n> ");
	}
	return size;
}

static void hang_up(struct test *test)
{
	cli_disconnect(test->cli);
	while (test->fake.connection != NULL) {
		event_base_loop(test->base, EVLOOP_ONCE);
	}
}

static void test_cut_at_every_byte(void **state)
{
	struct test *test = *state;

	for (size_t cut = 0; cut < good_size(); cut++) {
		test->fake.cut_at = cut;
		observe_now(test);
		assert_good(test);
		hang_up(test);
	}
}

static void test_closed_at_every_byte(void **state)
{
	struct test *test = *state;

	for (size_t at = 0; at < good_size(); at++) {
		test->fake.close_at = at;
		observe_now(test);
		assert_null(test->found.applied);
		assert_int_equal(test->err.kind, ERR_RETRY);
		while (cli_is_connected(test->cli)) {
			event_base_loop(test->base, EVLOOP_ONCE);
		}
	}
	assert_int_equal(test->n_lost, good_size());
}

static void test_without_run_time_backends(void **state)
{
	struct test *test = *state;
	static const struct script lies[] = {
		{"help", "The following commands are valid at this level:\n"
			 "  add server <bk>/<srv>                   : create a new server\n"},
		{"help", "The following commands are valid at this level:\n"
			 "  add backend <backend>                   : add a new backend\n"
			 "  publish backend <backend>               : mark backend as ready\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		test->lie = &lies[i];
		observe_now(test);
		assert_string_equal(test->err.text, "");
		assert_false(test->found.caps.can_add_backend);
	}
}

static void test_without_tls(void **state)
{
	struct test *test = *state;
	static const struct script lie = {
		"show ssl crt-list -n " DIR "/certs.list", "didn't find the specified filename\n"};

	observe_now(test);
	assert_true(test->found.caps.has_tls);
	test->lie = &lie;
	observe_now(test);
	assert_string_equal(test->err.text, "");
	assert_false(test->found.caps.has_tls);
	/* Pods are verified all the same. */
	assert_int_equal(test->found.applied->certificates.n_items, 1);
	assert_non_null(applied_find_certificate(test->found.applied, CA));
}

/* What HAProxy says when it was started by another version, and with a configuration of nobody. */
static const char *const others[] = {"HEADGATE_CONFIGURATION=0123456789abcdef\n",
	"HEADGATE_CONFIGURATION=\n", "Variable not found\n"};

static const char no_map[] = "Unknown map identifier. Please use #<id> or <file>.\n";

static void test_other_configuration(void **state)
{
	struct test *test = *state;
	struct buf dump = BUF_INIT(0);

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		test->configuration = others[i];
		test->lie = NULL;
		test->may_lack = false;
		observe_now(test);
		assert_string_equal(test->err.text, "");
		assert_true(test->found.caps.awaits_configuration);

		/* Nothing else is missing or may look otherwise. */
		test->lie = &(struct script){"show map " DIR "/tcp.map", no_map};
		test->may_lack = true;
		observe_now(test);
		assert_string_equal(test->err.text, "");
		buf_clear(&dump);
		applied_dump(test->found.applied, &dump);
		assert_null(strstr(buf_str(&dump), "tcp.map"));
		assert_non_null(strstr(buf_str(&dump), "networks.map"));
		test->lie = &(struct script){"show map " DIR "/tcp.map", "0x1 90\n"};
		observe_now(test);
		assert_int_equal(test->err.kind, ERR_PROTO);
		test->lie = &(struct script){"show backend", no_map};
		observe_now(test);
		assert_int_equal(test->err.kind, ERR_PROTO);
	}
	buf_fini(&dump);
}

/* A map that our own configuration has can't be missing. */
static void test_own_configuration(void **state)
{
	struct test *test = *state;

	test->may_lack = true;
	test->lie = &(struct script){"show map " DIR "/tcp.map", no_map};
	observe_now(test);
	assert_int_equal(test->err.kind, ERR_PROTO);
}

#define STATE(rows) "1\n" COLUMNS rows

/* Every one of these is not HAProxy's way to say it. */
static const struct script lies[] = {
	{"show info", ""},
	{"show info", "Version: 3.4.7-1\n"},
	{"show info", "Pid: 12\n"},
	{"show info", "Version: 3.4.7-1\nPid: 0\n"},
	{"show info", "Version: 3.4.7-1\nPid: -1\n"},
	{"show info", "Version: 3.4.7-1\nPid: 12x\n"},
	{"show info", "Version: 3.4.7-1\nPid: 99999999999999999999\n"},
	{"show info", "Permission denied\n"},
	{"help", ""},
	{"help", "Unknown command.\n"},
	{"show backend", ""},
	{"show backend", "a_svc_1\n"},
	{"show backend", "# name\na_svc_1\na_svc_1\n"},
	{"show backend", "# name\na_svc_1 x\n"},
	{"show backend", "# name\n\na_svc_1\n"},
	{"show servers state", ""},
	{"show servers state", "1\n"},
	{"show servers state", "2\n" COLUMNS},
	{"show servers state", "1\n# be_name srv_name srv_addr srv_admin_state\n"},
	{"show servers state", "1\nbe_name srv_name srv_addr srv_admin_state srv_port\n"},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 0 - 80 extra\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 0 -\n")},
	{"show servers state", STATE("3 other_svc_1 1 s1 10.0.0.1 2 0 - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1  10.0.0.1 2 0 - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 0 - 80\n"
				     "3 a_svc_1 2 s1 10.0.0.1 2 0 - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0 2 0 - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 pod.test 2 0 - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 x - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2  - 80\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 0 - 65536\n")},
	{"show servers state", STATE("3 a_svc_1 1 s1 10.0.0.1 2 0 - -1\n")},
	{"show servers state", STATE("\n")},
	{"show map " DIR "/hosts.map", "Unknown map identifier. Please use #<id> or <file>.\n"},
	{"show env HEADGATE_CONFIGURATION", ""},
	{"show env HEADGATE_CONFIGURATION", "Unknown command.\n"},
	{"show map " DIR "/exact.map", "a b\n"},
	{"show map " DIR "/exact.map", "0x a b\n"},
	{"show map " DIR "/exact.map", "0x12\n"},
	{"show map " DIR "/exact.map", "0x12 \n"},
	{"show map " DIR "/exact.map", "0x12 a\n"},
	{"show map " DIR "/exact.map", "0x12  a\n"},
	{"show map " DIR "/exact.map", "0x12g a b\n"},
	{"show map " DIR "/defaults.map", "0x12 a b\n\n0x13 c d\n"},
	{"show ssl crt-list -n " DIR "/certs.list", ""},
	{"show ssl crt-list -n " DIR "/certs.list", "Unknown command.\n"},
	{"show env HEADGATE_TCP_PORTS", ""},
	{"show env HEADGATE_TCP_PORTS", "Unknown command.\n"},
	{"show ssl crt-list -n " DIR "/certs.list", "# /x\n" CERT "a_b_0.pem a.test\n"},
	{"show ssl crt-list -n " DIR "/certs.list", "# /x\n" CERT "a_b_0.pem:\n"},
	{"show ssl crt-list -n " DIR "/certs.list", "# /x\n" CERT "a_b_0.pem:x\n"},
	{"show ssl crt-list -n " DIR "/certs.list", "# /x\n\n"},
	{"show ssl ca-file", "# something\n"},
	{"show ssl ca-file", "# transaction\n" CERT CA ".pem - 1 certificate(s)\n"},
	{"show ssl cert", ""},
	{"show ssl cert", "# something\n"},
	{"show ssl cert", "# filename\n\n"},
	{"show ssl cert", "# transaction\n" CERT "a_b_0.pem\n"},
	{"show ssl cert " CERT "default.pem", ""},
};

static void test_unexpected_answers(void **state)
{
	struct test *test = *state;

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		test->lie = &lies[i];
		observe_now(test);
		if (test->err.kind != ERR_PROTO) {
			print_error("%s -> %s\n", lies[i].command, lies[i].answer);
		}
		assert_int_equal(test->err.kind, ERR_PROTO);
		/* The error names the command; of a map only its file. */
		const char *name = strrchr(lies[i].command, '/');
		if (strncmp(lies[i].command, "show ssl", 8) == 0) {
			name = "/show ssl c";
		}
		assert_non_null(strstr(test->err.text, name ? name + 1 : lies[i].command));
	}

	/* Who has put another version in its place has to be told what to do. */
	test->lie = &(struct script){"show map " DIR "/tcp.map", "Unknown map identifier.\n"};
	observe_now(test);
	assert_non_null(strstr(test->err.text, "start it anew with this one's (--config-dir)"));

	/* Nothing of it sticks, and the connection is still good. */
	test->lie = NULL;
	observe_now(test);
	assert_good(test);
	assert_int_equal(test->fake.n_connections, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cut_at_every_byte),
		TEST(test_closed_at_every_byte),
		TEST(test_without_run_time_backends),
		TEST(test_without_tls),
		TEST(test_other_configuration),
		TEST(test_own_configuration),
		TEST(test_unexpected_answers),
	};

	/* The socket may have something to say to who is gone. */
	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
