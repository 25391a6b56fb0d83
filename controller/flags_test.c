/* The command line and the environment: every option, which of the two goes first, and that a
 * mistake names option and remedy. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "flags.h"
#include "version.h"

#define MAX_ARGS 9

static const struct {
	const char *name;
	const char *argument;
	const char *default_value;
} rows[FLAG_COUNT] = {
#define FLAG(id, name, argument, default_, help) {name, argument, default_},
#include "flags.def"
};

/* Absolute where a path is wanted, and right for the flags that are looked into. */
static const char *sample(int which)
{
	switch (which) {
	case FLAG_LOG_LEVEL:
		return "debug";
	case FLAG_LOG_FORMAT:
		return "json";
	case FLAG_DEFAULT_BACKEND:
		return "infra/errors:http";
	case FLAG_ERROR_FILES:
		return "infra/pages"; /* POD_NAMESPACE of the test */
	case FLAG_PATTERN_FILES:
		return "infra/patterns";
	case FLAG_TCP_SERVICES:
		return "infra/tcp";
	case FLAG_CONFIG_MAP:
		return "infra/headgate";
	case FLAG_DEFAULT_CERTIFICATE:
		return "infra/certificate";
	case FLAG_WATCH_NAMESPACE:
		return "shop,blog";
	case FLAG_INGRESS_SELECTOR:
		return "team in (shop,blog),!internal";
	case FLAG_LEASE:
	case FLAG_PUBLISH_SERVICE:
		return "infra/headgate";
	case FLAG_LEASE_DURATION:
		return "6";
	case FLAG_TICKET_ROTATION:
	case FLAG_DRAIN_DELAY:
	case FLAG_DRAIN_TIMEOUT:
		return "60";
	case FLAG_AUDIT_INTERVAL:
		return "90s";
	case FLAG_PUBLISH_ADDRESS:
		return "192.0.2.1,lb.example";
	case FLAG_STATS_USER:
		return "ops:$5$abcdefgh$0123456789012345678901234567890123456789012";
	case FLAG_LEGACY_CLASS_ANNOTATION:
	case FLAG_ALLOW_EXTERNAL_NAME:
	case FLAG_NO_SSL_REDIRECT:
	case FLAG_SSL_PASSTHROUGH:
	case FLAG_SELF_CHECK:
	case FLAG_STRICT_SNI:
	case FLAG_ACCEPT_PROXY:
		return "true";
	default:
		return "/some/value";
	}
}

static char *env_name(const char *option)
{
	char *name = xasprintf("HEADGATE_%s", option);

	for (char *c = name; *c != '\0'; c++) {
		*c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
	}
	return name;
}

static int clear_environment(void **state)
{
	(void)state;
	for (int i = 0; i < FLAG_COUNT; i++) {
		CLEANUP(free_ptr) char *name = env_name(rows[i].name);
		unsetenv(name);
	}
	unsetenv("POD_NAMESPACE");
	return 0;
}

/* Arguments up to NULL. */
static enum flags_outcome parse(struct flags *flags, struct err *err, ...)
{
	char *argv[MAX_ARGS + 2] = {(char *)"run"};
	int argc = 1;
	va_list args;

	va_start(args, err);
	while ((argv[argc] = va_arg(args, char *)) != NULL) {
		argc++;
		assert_true(argc <= MAX_ARGS);
	}
	va_end(args);
	*err = (struct err){0};
	return flags_parse(flags, argc, argv, err);
}

static void test_defaults(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
	for (int i = 0; i < FLAG_COUNT; i++) {
		const char *value = flags_get(&flags, (enum flag_id)i);
		if (rows[i].default_value[0] != '\0') {
			assert_string_equal(value, rows[i].default_value);
		} else if (i != FLAG_RUNTIME_SOCKET && i != FLAG_MASTER_SOCKET) {
			assert_null(value);
		}
	}
	assert_string_equal(flags_get(&flags, FLAG_RUNTIME_SOCKET), "/run/headgate/runtime.sock");
	assert_string_equal(flags_get(&flags, FLAG_MASTER_SOCKET), "/run/headgate/master.sock");
	assert_int_equal(flags.log_level, LOG_INFO);
	assert_int_equal(flags.log_format, LOG_FORMAT_LOGFMT);
	assert_false(flags.is_self_check);
	assert_false(flags.has_legacy_class);
	assert_null(flags.default_service);
	assert_null(flags.config_map_name);
	assert_int_equal(flags.n_watch_namespaces, 0);
	flags_fini(&flags);
}

static void check_value(const struct flags *flags, int which, const char *expected)
{
	const char *value = flags_get(flags, (enum flag_id)which);

	assert_non_null(value);
	assert_string_equal(value, expected);
}

/* Each option as an argument in both spellings, from the environment, and both. */
static void test_every_option(void **state)
{
	(void)state;
	setenv("POD_NAMESPACE", "infra", 1); /* some need a Lease */
	setenv("HEADGATE_STATS_CERTIFICATE", sample(FLAG_STATS_CERTIFICATE), 1); /* one does */
	for (int i = 0; i < FLAG_COUNT; i++) {
		bool is_switch = rows[i].argument[0] == '\0';
		CLEANUP(free_ptr) char *alone = xasprintf("--%s", rows[i].name);
		CLEANUP(free_ptr) char *joined = xasprintf("--%s=%s", rows[i].name, sample(i));
		CLEANUP(free_ptr) char *name = env_name(rows[i].name);
		struct flags flags;
		struct err err;

		if (is_switch) {
			assert_int_equal(parse(&flags, &err, alone, NULL), FLAGS_RUN);
		} else {
			assert_int_equal(parse(&flags, &err, joined, NULL), FLAGS_RUN);
			check_value(&flags, i, sample(i));
			flags_fini(&flags);
			assert_int_equal(parse(&flags, &err, alone, sample(i), NULL), FLAGS_RUN);
		}
		check_value(&flags, i, sample(i));
		flags_fini(&flags);

		setenv(name, sample(i), 1);
		assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
		check_value(&flags, i, sample(i));
		flags_fini(&flags);

		/* The argument goes first: what the environment says is not even looked at. */
		setenv(name, is_switch ? "false" : "/!", 1);
		assert_int_equal(parse(&flags, &err, is_switch ? alone : joined, NULL), FLAGS_RUN);
		check_value(&flags, i, sample(i));
		flags_fini(&flags);

		/* Set to nothing is not set. */
		setenv(name, "", 1);
		assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
		flags_fini(&flags);
		unsetenv(name);
	}
}

static void test_meanings(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(&flags, &err, "--log-level=error", "--log-format=json", "--self-check",
			"--default-backend=infra/errors:8http", "--configmap=infra/head.gate",
			"--default-certificate=infra/web.cert", "--no-ssl-redirect",
			"--enable-ssl-passthrough", NULL),
		FLAGS_RUN);
	assert_int_equal(flags.log_level, LOG_ERROR);
	assert_int_equal(flags.log_format, LOG_FORMAT_JSON);
	assert_true(flags.is_self_check);
	assert_string_equal(flags.default_namespace, "infra");
	assert_string_equal(flags.default_service, "errors");
	assert_string_equal(flags.default_port, "8http");
	assert_string_equal(flags.config_map_namespace, "infra");
	assert_string_equal(flags.config_map_name, "head.gate");
	assert_string_equal(flags.own_namespace, "infra");
	assert_string_equal(flags.certificate_namespace, "infra");
	assert_string_equal(flags.certificate_secret, "web.cert");
	assert_true(flags.is_ssl_redirect_off);
	assert_true(flags.has_passthrough);
	flags_fini(&flags);
	flags_fini(&flags);

	setenv("HEADGATE_SELF_CHECK", "false", 1);
	assert_int_equal(
		parse(&flags, &err, "--run-dir=/r", "--master-socket=/m", NULL), FLAGS_RUN);
	assert_false(flags.is_self_check);
	assert_string_equal(flags_get(&flags, FLAG_RUNTIME_SOCKET), "/r/runtime.sock");
	assert_string_equal(flags_get(&flags, FLAG_MASTER_SOCKET), "/m");
	flags_fini(&flags);

	/* The last one counts. */
	assert_int_equal(
		parse(&flags, &err, "--log-level=error", "--log-level=warn", NULL), FLAGS_RUN);
	assert_int_equal(flags.log_level, LOG_WARN);
	flags_fini(&flags);
}

static void test_lease(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
	assert_null(flags.lease_name);
	assert_int_equal(flags.lease_seconds, 15);
	flags_fini(&flags);
	setenv("POD_NAMESPACE", "infra", 1);
	assert_int_equal(parse(&flags, &err, "--publish-service=a/lb", NULL), FLAGS_RUN);
	assert_string_equal(flags.lease_namespace, "infra");
	assert_string_equal(flags.lease_name, "headgate-leader");
	assert_string_equal(flags.publish_namespace, "a");
	assert_string_equal(flags.publish_name, "lb");
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--lease=a/b", "--lease-duration=6", NULL), FLAGS_RUN);
	assert_string_equal(flags.lease_namespace, "a");
	assert_string_equal(flags.lease_name, "b");
	assert_int_equal(flags.lease_seconds, 6);
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--manifests=/m", NULL), FLAGS_RUN);
	assert_null(flags.lease_name);
	flags_fini(&flags);
	unsetenv("POD_NAMESPACE");
	assert_int_equal(parse(&flags, &err, "--manifests=/m", "--lease=a/b", NULL), FLAGS_ERROR);
	assert_string_equal(
		err.text, "--manifests and --lease exclude each other: give one of them");
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--lease=a/b", "--publish-service=a/b",
				 "--publish-address=192.0.2.1", NULL),
		FLAGS_ERROR);
	assert_string_equal(err.text, "--publish-service and --publish-address exclude each other: "
				      "give one of them");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--lease=a/b", "--publish-address=a,B", NULL), FLAGS_ERROR);
	assert_string_equal(err.text, "--publish-address: 'B' is neither an IP address nor a host "
				      "name in lower case");
	flags_fini(&flags);
}

static void test_audit_interval(void **state)
{
	static const struct {
		const char *text;
		long seconds; /* -1 = refused */
	} times[] = {{"0", 0}, {"1s", 1}, {"90s", 90}, {"5m", 300}, {"24h", 86400}, {"25h", -1},
		{"0s", -1}, {"5", -1}, {"m", -1}, {"5 m", -1}, {"-5m", -1}, {"5min", -1},
		{"9999999s", -1}, {"18446744073709551617s", -1}, {"1.5h", -1}};
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
	assert_int_equal(flags.audit_seconds, 300);
	flags_fini(&flags);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		CLEANUP(free_ptr) char *flag = xasprintf("--audit-interval=%s", times[i].text);
		enum flags_outcome outcome = parse(&flags, &err, flag, NULL);
		assert_int_equal(outcome, times[i].seconds < 0 ? FLAGS_ERROR : FLAGS_RUN);
		if (times[i].seconds < 0) {
			assert_non_null(strstr(err.text, "--audit-interval: '"));
		} else {
			assert_int_equal(flags.audit_seconds, times[i].seconds);
		}
		flags_fini(&flags);
	}
}

static void test_watch(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, "--watch-namespace=b,a,c-1",
				 "--default-backend=a/errors:80", NULL),
		FLAGS_RUN);
	assert_int_equal(flags.n_watch_namespaces, 3);
	assert_string_equal(flags.watch_namespaces[0], "b");
	assert_string_equal(flags.watch_namespaces[1], "a");
	assert_string_equal(flags.watch_namespaces[2], "c-1");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--watch-namespace=a", "--default-backend=b/errors:80", NULL),
		FLAGS_ERROR);
	assert_string_equal(err.text, "--default-backend: namespace 'b' is not one of "
				      "--watch-namespace: add it there");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--manifests=/m", "--ingress-selector=a", NULL), FLAGS_ERROR);
	assert_string_equal(err.text,
		"--manifests and --ingress-selector exclude each other: give one of them");
	flags_fini(&flags);
}

static void test_own_namespace(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	unsetenv("POD_NAMESPACE");
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
	assert_null(flags.own_namespace);
	flags_fini(&flags);
	setenv("POD_NAMESPACE", "system", 1);
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_RUN);
	assert_string_equal(flags.own_namespace, "system");
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--configmap=infra/x", NULL), FLAGS_RUN);
	assert_string_equal(flags.own_namespace, "infra");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--configmap=infra/x", "--configmap-errorfiles=infra/p", NULL),
		FLAGS_RUN);
	assert_string_equal(flags.pages_namespace, "infra");
	assert_string_equal(flags.pages_name, "p");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--configmap=infra/x", "--configmap-tcp-services=infra/t",
			"--http-bind=:80,[::]:80", "--https-bind=none", "--stats-bind=:81", NULL),
		FLAGS_RUN);
	assert_string_equal(flags.tcp_namespace, "infra");
	assert_string_equal(flags.tcp_name, "t");
	assert_string_equal(flags.listeners,
		"--http-bind=:80,[::]:80 --https-bind=none --stats-bind=:81 --admin-bind=:8405");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--configmap-tcp-services=infra/t", NULL), FLAGS_ERROR);
	assert_string_equal(err.text,
		"--configmap-tcp-services: ConfigMaps are read in namespace 'system' only: move it "
		"there");
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--configmap-errorfiles=infra/p", NULL), FLAGS_ERROR);
	assert_string_equal(err.text,
		"--configmap-errorfiles: ConfigMaps are read in namespace 'system' only: move it "
		"there");
	flags_fini(&flags);
	assert_int_equal(parse(&flags, &err, "--configmap-patternfiles=system/p", NULL), FLAGS_RUN);
	assert_string_equal(flags.patterns_namespace, "system");
	assert_string_equal(flags.patterns_name, "p");
	flags_fini(&flags);
	assert_int_equal(
		parse(&flags, &err, "--configmap-patternfiles=infra/p", NULL), FLAGS_ERROR);
	assert_string_equal(err.text,
		"--configmap-patternfiles: ConfigMaps are read in namespace 'system' only: move it "
		"there");
	flags_fini(&flags);
	setenv("POD_NAMESPACE", "No Name", 1);
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_ERROR);
	assert_string_equal(err.text,
		"POD_NAMESPACE in the environment: 'No Name' is not the name of a namespace");
	flags_fini(&flags);
	unsetenv("POD_NAMESPACE");
}

static void test_watch_limit(void **state)
{
	struct flags flags;
	struct err err;
	struct buf text = BUF_INIT(0);

	(void)state;
	for (int i = 0; i < FLAGS_MAX_WATCH_NAMESPACES; i++) {
		buf_printf(&text, "%sn%d", i == 0 ? "--watch-namespace=" : ",", i);
	}
	assert_int_equal(parse(&flags, &err, buf_str(&text), NULL), FLAGS_RUN);
	assert_int_equal(flags.n_watch_namespaces, FLAGS_MAX_WATCH_NAMESPACES);
	flags_fini(&flags);
	buf_append_str(&text, ",more");
	assert_int_equal(parse(&flags, &err, buf_str(&text), NULL), FLAGS_ERROR);
	assert_non_null(strstr(err.text, "more than 64 namespaces"));
	flags_fini(&flags);
	buf_fini(&text);
}

static void test_paths_become_absolute(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, "--manifests=some/dir", "--haproxy=haproxy",
				 "--run-dir=r", NULL),
		FLAGS_RUN);
	assert_int_equal(flags_get(&flags, FLAG_MANIFESTS)[0], '/');
	assert_non_null(strstr(flags_get(&flags, FLAG_MANIFESTS), "/some/dir"));
	assert_int_equal(flags_get(&flags, FLAG_RUNTIME_SOCKET)[0], '/');
	/* Looked up on PATH. */
	assert_string_equal(flags_get(&flags, FLAG_HAPROXY), "haproxy");
	flags_fini(&flags);
}

static void check_refused(const char *argument, const char *expected)
{
	struct flags flags;
	struct err err;

	assert_int_equal(parse(&flags, &err, argument, NULL), FLAGS_ERROR);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, expected);
	flags_fini(&flags);
}

/* Whoever writes a command wrongly is sent to that command's help. */
static void test_own_help(void **state)
{
	char *argv[] = {(char *)"status", (char *)"stray", NULL};
	struct flags flags;
	struct err err = {0};

	(void)state;
	assert_int_equal(flags_parse(&flags, 2, argv, &err), FLAGS_ERROR);
	assert_string_equal(err.text, "unexpected argument 'stray': see 'headgate status --help'");
	flags_fini(&flags);
}

/* What would mean nothing to a command is no flag of it. */
static void test_own_flags(void **state)
{
	char *argv[] = {
		(char *)"health", (char *)"--admin-bind=:1", (char *)"--http-bind=:2", NULL};
	struct flags flags;
	struct err err = {0};

	(void)state;
	assert_int_equal(flags_parse(&flags, 2, argv, &err), FLAGS_RUN);
	assert_string_equal(flags_get(&flags, FLAG_ADMIN_BIND), ":1");
	flags_fini(&flags);
	assert_int_equal(flags_parse(&flags, 3, argv, &err), FLAGS_ERROR);
	assert_string_equal(err.text, "unknown or ambiguous option '--http-bind=:2': see 'headgate "
				      "health --help'");
	flags_fini(&flags);
}

static void test_mistakes(void **state)
{
	static const char *const backends[] = {"x", "/", "a/", "/b:80", "a/:80", "a/b",
		"a/b:", "a/b:0", "a/b:65536", "a/b:-1", "a/b:80:90", "a/b:+80", "a/b: 80",
		"a/b/c:80", "A/b:80", "a/b c:80", "a/b:Http", "a/b:99999999999999999999"};
	static const char *const config_maps[] = {
		"x", "/x", "x/", "a/b/c", "a/B", "a b/c", "a/b\n"};

	(void)state;
	check_refused("--nonsense",
		"unknown or ambiguous option '--nonsense': see 'headgate run --help'");
	check_refused("--log", "unknown or ambiguous option '--log': see 'headgate run --help'");
	check_refused("-x", "unknown or ambiguous option '-x': see 'headgate run --help'");
	check_refused("--manifests",
		"missing argument of option '--manifests': see 'headgate run --help'");
	check_refused("stray", "unexpected argument 'stray': see 'headgate run --help'");
	check_refused("--manifests=", "--manifests: empty: give DIR or leave the option out");
	check_refused("--log-level=loud",
		"--log-level: 'loud' is not a level: use debug, info, warn or error");
	check_refused(
		"--log-format=xml", "--log-format: 'xml' is not a format: use logfmt or json");
	check_refused("--publish-address=a",
		"--publish-address needs a Lease: give --lease, or set POD_NAMESPACE in the "
		"environment");
	check_refused("--lease=a", "--lease: 'a' is not of the form NAMESPACE/NAME");
	check_refused("--lease-duration=0", "--lease-duration: '0' is not a number from 1 to 3600");
	check_refused(
		"--ticket-rotation=9", "--ticket-rotation: '9' is not a number from 10 to 604800");
	check_refused("--ticket-rotation=604801",
		"--ticket-rotation: '604801' is not a number from 10 to 604800");
	check_refused("--ticket-rotation=1h",
		"--ticket-rotation: '1h' is not a number from 10 to 604800");
	check_refused("--lease-duration=x", "--lease-duration: 'x' is not a number from 1 to 3600");
	check_refused(
		"--watch-namespace=a,,b", "--watch-namespace: '' is not the name of a namespace");
	check_refused(
		"--watch-namespace=a, b", "--watch-namespace: ' b' is not the name of a namespace");
	check_refused("--watch-namespace=a,b,a", "--watch-namespace: 'a' is there twice");
	check_refused("--ingress-selector=a=1 2",
		"--ingress-selector: 'a=1 2' is not a label selector: ',' or the end must be at "
		"character 5");
	for (size_t i = 0; i < ARRAY_LEN(backends); i++) {
		CLEANUP(free_ptr) char *argument = xasprintf("--default-backend=%s", backends[i]);
		CLEANUP(free_ptr)
		char *text = xasprintf(
			"--default-backend: '%s' is not of the form NAMESPACE/SERVICE:PORT",
			backends[i]);
		check_refused(argument, text);
	}
	for (size_t i = 0; i < ARRAY_LEN(config_maps); i++) {
		CLEANUP(free_ptr) char *argument = xasprintf("--configmap=%s", config_maps[i]);
		CLEANUP(free_ptr)
		char *text = xasprintf(
			"--configmap: '%s' is not of the form NAMESPACE/NAME", config_maps[i]);
		check_refused(argument, text);
	}
}

static void test_stats_mistakes(void **state)
{
	(void)state;
	check_refused("--stats-user=ops",
		"--stats-user: expected NAME:HASH, and of NAME letters, digits and -._@");
	check_refused("--stats-user=:$1$a$b",
		"--stats-user: expected NAME:HASH, and of NAME letters, digits and -._@");
	check_refused("--stats-user=ops:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
		"--stats-user: the hash after 'ops:' is none that HAProxy can check: take one that "
		"`mkpasswd` makes");
	check_refused("--stats-tls-bind=:8444",
		"--stats-tls-bind: which certificate? Name it with --stats-certificate");
}

static void test_mistakes_in_the_environment(void **state)
{
	struct flags flags;
	struct err err;

	(void)state;
	setenv("HEADGATE_SELF_CHECK", "yes", 1);
	assert_int_equal(parse(&flags, &err, NULL), FLAGS_ERROR);
	assert_string_equal(err.text, "--self-check: 'yes' is neither true nor false");
	flags_fini(&flags);
	unsetenv("HEADGATE_SELF_CHECK");
	setenv("HEADGATE_KUBECONFIG", "/k", 1);
	assert_int_equal(parse(&flags, &err, "--manifests=/m", NULL), FLAGS_ERROR);
	assert_string_equal(
		err.text, "--manifests and --kubeconfig exclude each other: give one of them");
	flags_fini(&flags);
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct flags flags;
	struct err err;

	(void)state;
	assert_int_equal(parse(&flags, &err, "--log-level=nonsense", "--help", NULL), FLAGS_HELP);
	flags_fini(&flags);
	assert_non_null(stream);
	flags_print_help(stream);
	fclose(stream);
	for (int i = 0; i < FLAG_COUNT; i++) {
		CLEANUP(free_ptr)
		char *option = xasprintf("\n  --%s%s%s ", rows[i].name,
			rows[i].argument[0] ? "=" : "", rows[i].argument);
		CLEANUP(free_ptr) char *value = xasprintf("(default: %s)\n", rows[i].default_value);
		assert_non_null(strstr(text, option));
		assert_true(rows[i].default_value[0] == '\0' || strstr(text, value) != NULL);
	}
	assert_non_null(strstr(text, "  --help "));
	assert_non_null(strstr(text, "HEADGATE_"));
	for (int status = EXIT_STATUS_OK; status <= EXIT_STATUS_HAPROXY; status++) {
		char number[] = {' ', (char)('0' + status), ' ', '\0'};
		assert_non_null(strstr(strstr(text, "Exit status:"), number));
	}
	free(text);
}

#define TEST(function)                                                                             \
	cmocka_unit_test_setup_teardown(function, clear_environment, clear_environment)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_every_option),
		TEST(test_meanings),
		TEST(test_lease),
		TEST(test_audit_interval),
		TEST(test_watch),
		TEST(test_watch_limit),
		TEST(test_own_namespace),
		TEST(test_paths_become_absolute),
		TEST(test_own_help),
		TEST(test_own_flags),
		TEST(test_mistakes),
		TEST(test_stats_mistakes),
		TEST(test_mistakes_in_the_environment),
		TEST(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
