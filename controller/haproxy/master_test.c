/* Tests of haproxy/master, on answers as 2.6 and 3.4 give them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "base/attr.h"
#include "haproxy/master.h"

#define HEAD "#<PID>          <type>          <reloads>       <uptime>        <version>      \n"

struct status_case {
	const char *text;
	bool is_known;
	struct master_status status;
};

static const struct status_case status_cases[] = {
	{HEAD "9969            master          0 [failed: 0]   0d00h00m01s     2.6.12-1\n"
	      "# workers\n9972            worker          0               0d00h00m01s     "
	      "2.6.12-1\n"
	      "# programs\n\n",
		true, {.pid = 9969, .worker_pid = 9972}},
	/* After a reload: the old worker still serves what it had. */
	{HEAD "10374           master          1 [failed: 0]   0d00h00m02s     3.4.7-1        \n"
	      "# workers\n10577           worker          0               0d00h00m01s     3.4.7-1\n"
	      "# old workers\n10377           worker          1               0d00h00m02s     "
	      "3.4.7-1\n\n",
		true, {.pid = 10374, .worker_pid = 10577, .n_reloads = 1}},
	/* After a reload that failed, with a still older worker. */
	{HEAD "10374           master          3 [failed: 1]   0d00h00m03s     3.4.7-1        \n"
	      "# workers\n# old workers\n"
	      "10377           worker          2               0d00h00m02s     3.4.7-1\n"
	      "10577           worker          1               0d00h00m02s     3.4.7-1\n\n",
		true, {.pid = 10374, .worker_pid = 10577, .n_reloads = 3, .n_failed = 1}},
	/* Programs are not workers. */
	{HEAD "5               master          0 [failed: 0]   0d00h00m01s     2.6.12\n"
	      "# workers\n# programs\n7               helper          0               0d00h00m01s  "
	      "   -\n",
		true, {.pid = 5}},
	{HEAD, false, {0}},
	{"", false, {0}},
	{"Permission denied\n", false, {0}},
	{"0 master 0 [failed: 0]\n", false, {0}},
	{"-4 master 0 [failed: 0]\n", false, {0}},
};

static void test_status(void **test)
{
	(void)test;
	for (size_t i = 0; i < ARRAY_LEN(status_cases); i++) {
		const struct status_case *c = &status_cases[i];
		struct master_status status = {0};

		assert_true(master_parse_status(c->text, &status) == c->is_known);
		assert_memory_equal(&status, &c->status, sizeof(status));
	}
}

static void test_reload(void **test)
{
	(void)test;
	assert_int_equal(
		master_parse_reload("Success=1\n--\n[NOTICE]   (1) : x\n\n"), MASTER_RELOADED);
	assert_int_equal(
		master_parse_reload("Success=0\n--\n[ALERT]    (1) : x\n\n"), MASTER_REFUSED);
	assert_int_equal(
		master_parse_reload("Success=0\n--\nAnother reload is still in progress.\n\n"),
		MASTER_BUSY);
	assert_int_equal(master_parse_reload(""), MASTER_UNKNOWN);
	assert_int_equal(master_parse_reload("Unknown command"), MASTER_UNKNOWN);
	assert_int_equal(master_parse_reload("Success=x"), MASTER_UNKNOWN);
}

static void test_alert(void **test)
{
	char alert[64];
	char small[8];

	(void)test;
	assert_true(master_find_alert(
		"Success=0\n--\n[NOTICE]   (10) : haproxy version is 3.4\n"
		"[ALERT]    (10) : config : parsing [x.cfg:1] : bad.\n[ALERT]    (10) : more\n",
		alert, sizeof(alert)));
	assert_string_equal(alert, "config : parsing [x.cfg:1] : bad.");
	assert_true(
		master_find_alert("[ALERT] without a number\nnext : line", alert, sizeof(alert)));
	assert_string_equal(alert, "[ALERT] without a number");
	assert_true(
		master_find_alert("[ALERT]    (10) : longer than it may be", small, sizeof(small)));
	assert_string_equal(small, "longer ");
	assert_false(master_find_alert("Configuration file is valid\n", alert, sizeof(alert)));
	assert_false(master_find_alert("", alert, sizeof(alert)));
}

static void test_worker_pid(void **test)
{
	(void)test;
	assert_int_equal(
		master_parse_worker_pid("Name: HAProxy\nVersion: 2.6.12\nPid: 9972\nUptime: 0d\n"),
		9972);
	assert_int_equal(master_parse_worker_pid("Name: HAProxy\n"), 0);
	assert_int_equal(master_parse_worker_pid("Pid: -1\n"), 0);
	assert_int_equal(master_parse_worker_pid(""), 0);
}

struct version_case {
	const char *text;
	bool is_known;
	unsigned major;
	unsigned minor;
};

static const struct version_case version_cases[] = {
	{"HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n", true, 2, 6},
	{"HAProxy version 3.4.7-1 2026/10/14 - https://haproxy.org/\n", true, 3, 4},
	{"HAProxy version 3.5-dev3 2026/10/14\n", true, 3, 5},
	{"HA-Proxy version 2.2.9-2 2021/01/20\n", true, 2, 2},
	{"nginx version: nginx/1.22\n", false, 0, 0},
	{"", false, 0, 0},
};

static void test_version(void **test)
{
	(void)test;
	for (size_t i = 0; i < ARRAY_LEN(version_cases); i++) {
		const struct version_case *c = &version_cases[i];
		unsigned major = 0;
		unsigned minor = 0;

		assert_true(master_parse_version(c->text, &major, &minor) == c->is_known);
		assert_int_equal(major, c->major);
		assert_int_equal(minor, c->minor);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_worker_pid),
		cmocka_unit_test(test_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
