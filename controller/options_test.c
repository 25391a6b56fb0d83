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
#include "options.h"
#include "version.h"

#define MAX_ARGS 8

static const struct {
	const char *name;
	const char *argument;
	const char *default_value;
} rows[OPTION_COUNT] = {
#define OPTION(id, name, argument, default_, help) {name, argument, default_},
#include "options.def"
};

/* Absolute where a path is wanted, and right for the options that are looked into. */
static const char *sample(int which)
{
	switch (which) {
	case OPTION_LOG_LEVEL:
		return "debug";
	case OPTION_LOG_FORMAT:
		return "json";
	case OPTION_DEFAULT_BACKEND:
		return "infra/errors:http";
	case OPTION_CONFIG_MAP:
		return "infra/headgate";
	case OPTION_DEFAULT_CERTIFICATE:
		return "infra/certificate";
	case OPTION_WATCH_NAMESPACE:
		return "shop,blog";
	case OPTION_INGRESS_SELECTOR:
		return "team in (shop,blog),!internal";
	case OPTION_LEASE:
	case OPTION_PUBLISH_SERVICE:
		return "infra/headgate";
	case OPTION_LEASE_DURATION:
		return "6";
	case OPTION_TICKET_ROTATION:
		return "60";
	case OPTION_AUDIT_INTERVAL:
		return "90s";
	case OPTION_PUBLISH_ADDRESS:
		return "192.0.2.1,lb.example";
	case OPTION_LEGACY_CLASS_ANNOTATION:
	case OPTION_ALLOW_EXTERNAL_NAME:
	case OPTION_NO_SSL_REDIRECT:
	case OPTION_SELF_CHECK:
	case OPTION_STRICT_SNI:
	case OPTION_ACCEPT_PROXY:
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
	for (int i = 0; i < OPTION_COUNT; i++) {
		CLEANUP(free_ptr) char *name = env_name(rows[i].name);
		unsetenv(name);
	}
	unsetenv("POD_NAMESPACE");
	return 0;
}

/* Arguments up to NULL. */
static enum options_outcome parse(struct options *options, struct err *err, ...)
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
	return options_parse(options, argc, argv, err);
}

static void test_defaults(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
	for (int i = 0; i < OPTION_COUNT; i++) {
		const char *value = options_get(&options, (enum option_id)i);
		if (rows[i].default_value[0] != '\0') {
			assert_string_equal(value, rows[i].default_value);
		} else if (i != OPTION_RUNTIME_SOCKET && i != OPTION_MASTER_SOCKET) {
			assert_null(value);
		}
	}
	assert_string_equal(
		options_get(&options, OPTION_RUNTIME_SOCKET), "/run/headgate/runtime.sock");
	assert_string_equal(
		options_get(&options, OPTION_MASTER_SOCKET), "/run/headgate/master.sock");
	assert_int_equal(options.log_level, LOG_INFO);
	assert_int_equal(options.log_format, LOG_FORMAT_LOGFMT);
	assert_false(options.is_self_check);
	assert_false(options.has_legacy_class);
	assert_null(options.default_service);
	assert_null(options.config_map_name);
	assert_int_equal(options.n_watch_namespaces, 0);
	options_fini(&options);
}

static void check_value(const struct options *options, int which, const char *expected)
{
	const char *value = options_get(options, (enum option_id)which);

	assert_non_null(value);
	assert_string_equal(value, expected);
}

/* Each option as an argument in both spellings, from the environment, and both. */
static void test_every_option(void **state)
{
	(void)state;
	setenv("POD_NAMESPACE", "infra", 1); /* some need a Lease */
	for (int i = 0; i < OPTION_COUNT; i++) {
		bool is_switch = rows[i].argument[0] == '\0';
		CLEANUP(free_ptr) char *alone = xasprintf("--%s", rows[i].name);
		CLEANUP(free_ptr) char *joined = xasprintf("--%s=%s", rows[i].name, sample(i));
		CLEANUP(free_ptr) char *name = env_name(rows[i].name);
		struct options options;
		struct err err;

		if (is_switch) {
			assert_int_equal(parse(&options, &err, alone, NULL), OPTIONS_RUN);
		} else {
			assert_int_equal(parse(&options, &err, joined, NULL), OPTIONS_RUN);
			check_value(&options, i, sample(i));
			options_fini(&options);
			assert_int_equal(
				parse(&options, &err, alone, sample(i), NULL), OPTIONS_RUN);
		}
		check_value(&options, i, sample(i));
		options_fini(&options);

		setenv(name, sample(i), 1);
		assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
		check_value(&options, i, sample(i));
		options_fini(&options);

		/* The argument goes first: what the environment says is not even looked at. */
		setenv(name, is_switch ? "false" : "/!", 1);
		assert_int_equal(
			parse(&options, &err, is_switch ? alone : joined, NULL), OPTIONS_RUN);
		check_value(&options, i, sample(i));
		options_fini(&options);

		/* Set to nothing is not set. */
		setenv(name, "", 1);
		assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
		options_fini(&options);
		unsetenv(name);
	}
}

static void test_meanings(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(&options, &err, "--log-level=error", "--log-format=json", "--self-check",
			"--default-backend=infra/errors:8http", "--configmap=infra/head.gate",
			"--default-certificate=infra/web.cert", "--no-ssl-redirect", NULL),
		OPTIONS_RUN);
	assert_int_equal(options.log_level, LOG_ERROR);
	assert_int_equal(options.log_format, LOG_FORMAT_JSON);
	assert_true(options.is_self_check);
	assert_string_equal(options.default_namespace, "infra");
	assert_string_equal(options.default_service, "errors");
	assert_string_equal(options.default_port, "8http");
	assert_string_equal(options.config_map_namespace, "infra");
	assert_string_equal(options.config_map_name, "head.gate");
	assert_string_equal(options.own_namespace, "infra");
	assert_string_equal(options.certificate_namespace, "infra");
	assert_string_equal(options.certificate_secret, "web.cert");
	assert_true(options.is_ssl_redirect_off);
	options_fini(&options);
	options_fini(&options);

	setenv("HEADGATE_SELF_CHECK", "false", 1);
	assert_int_equal(
		parse(&options, &err, "--run-dir=/r", "--master-socket=/m", NULL), OPTIONS_RUN);
	assert_false(options.is_self_check);
	assert_string_equal(options_get(&options, OPTION_RUNTIME_SOCKET), "/r/runtime.sock");
	assert_string_equal(options_get(&options, OPTION_MASTER_SOCKET), "/m");
	options_fini(&options);

	/* The last one counts. */
	assert_int_equal(
		parse(&options, &err, "--log-level=error", "--log-level=warn", NULL), OPTIONS_RUN);
	assert_int_equal(options.log_level, LOG_WARN);
	options_fini(&options);
}

static void test_lease(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
	assert_null(options.lease_name);
	assert_int_equal(options.lease_seconds, 15);
	options_fini(&options);
	setenv("POD_NAMESPACE", "infra", 1);
	assert_int_equal(parse(&options, &err, "--publish-service=a/lb", NULL), OPTIONS_RUN);
	assert_string_equal(options.lease_namespace, "infra");
	assert_string_equal(options.lease_name, "headgate-leader");
	assert_string_equal(options.publish_namespace, "a");
	assert_string_equal(options.publish_name, "lb");
	options_fini(&options);
	assert_int_equal(
		parse(&options, &err, "--lease=a/b", "--lease-duration=6", NULL), OPTIONS_RUN);
	assert_string_equal(options.lease_namespace, "a");
	assert_string_equal(options.lease_name, "b");
	assert_int_equal(options.lease_seconds, 6);
	options_fini(&options);
	assert_int_equal(parse(&options, &err, "--manifests=/m", NULL), OPTIONS_RUN);
	assert_null(options.lease_name);
	options_fini(&options);
	unsetenv("POD_NAMESPACE");
	assert_int_equal(
		parse(&options, &err, "--manifests=/m", "--lease=a/b", NULL), OPTIONS_ERROR);
	assert_string_equal(
		err.text, "--manifests and --lease exclude each other: give one of them");
	options_fini(&options);
	assert_int_equal(parse(&options, &err, "--lease=a/b", "--publish-service=a/b",
				 "--publish-address=192.0.2.1", NULL),
		OPTIONS_ERROR);
	assert_string_equal(err.text, "--publish-service and --publish-address exclude each other: "
				      "give one of them");
	options_fini(&options);
	assert_int_equal(
		parse(&options, &err, "--lease=a/b", "--publish-address=a,B", NULL), OPTIONS_ERROR);
	assert_string_equal(err.text, "--publish-address: 'B' is neither an IP address nor a host "
				      "name in lower case");
	options_fini(&options);
}

static void test_audit_interval(void **state)
{
	static const struct {
		const char *text;
		long seconds; /* -1 = refused */
	} times[] = {{"0", 0}, {"1s", 1}, {"90s", 90}, {"5m", 300}, {"24h", 86400}, {"25h", -1},
		{"0s", -1}, {"5", -1}, {"m", -1}, {"5 m", -1}, {"-5m", -1}, {"5min", -1},
		{"9999999s", -1}, {"18446744073709551617s", -1}, {"1.5h", -1}};
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
	assert_int_equal(options.audit_seconds, 300);
	options_fini(&options);
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		CLEANUP(free_ptr) char *flag = xasprintf("--audit-interval=%s", times[i].text);
		enum options_outcome outcome = parse(&options, &err, flag, NULL);
		assert_int_equal(outcome, times[i].seconds < 0 ? OPTIONS_ERROR : OPTIONS_RUN);
		if (times[i].seconds < 0) {
			assert_non_null(strstr(err.text, "--audit-interval: '"));
		} else {
			assert_int_equal(options.audit_seconds, times[i].seconds);
		}
		options_fini(&options);
	}
}

static void test_watch(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, "--watch-namespace=b,a,c-1",
				 "--default-backend=a/errors:80", NULL),
		OPTIONS_RUN);
	assert_int_equal(options.n_watch_namespaces, 3);
	assert_string_equal(options.watch_namespaces[0], "b");
	assert_string_equal(options.watch_namespaces[1], "a");
	assert_string_equal(options.watch_namespaces[2], "c-1");
	options_fini(&options);
	assert_int_equal(
		parse(&options, &err, "--watch-namespace=a", "--default-backend=b/errors:80", NULL),
		OPTIONS_ERROR);
	assert_string_equal(err.text, "--default-backend: namespace 'b' is not one of "
				      "--watch-namespace: add it there");
	options_fini(&options);
	assert_int_equal(parse(&options, &err, "--manifests=/m", "--ingress-selector=a", NULL),
		OPTIONS_ERROR);
	assert_string_equal(err.text,
		"--manifests and --ingress-selector exclude each other: give one of them");
	options_fini(&options);
}

static void test_own_namespace(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	unsetenv("POD_NAMESPACE");
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
	assert_null(options.own_namespace);
	options_fini(&options);
	setenv("POD_NAMESPACE", "system", 1);
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_RUN);
	assert_string_equal(options.own_namespace, "system");
	options_fini(&options);
	assert_int_equal(parse(&options, &err, "--configmap=infra/x", NULL), OPTIONS_RUN);
	assert_string_equal(options.own_namespace, "infra");
	options_fini(&options);
	setenv("POD_NAMESPACE", "No Name", 1);
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_ERROR);
	assert_string_equal(err.text,
		"POD_NAMESPACE in the environment: 'No Name' is not the name of a namespace");
	options_fini(&options);
	unsetenv("POD_NAMESPACE");
}

static void test_watch_limit(void **state)
{
	struct options options;
	struct err err;
	struct buf text = BUF_INIT(0);

	(void)state;
	for (int i = 0; i < OPTIONS_MAX_WATCH_NAMESPACES; i++) {
		buf_printf(&text, "%sn%d", i == 0 ? "--watch-namespace=" : ",", i);
	}
	assert_int_equal(parse(&options, &err, buf_str(&text), NULL), OPTIONS_RUN);
	assert_int_equal(options.n_watch_namespaces, OPTIONS_MAX_WATCH_NAMESPACES);
	options_fini(&options);
	buf_append_str(&text, ",more");
	assert_int_equal(parse(&options, &err, buf_str(&text), NULL), OPTIONS_ERROR);
	assert_non_null(strstr(err.text, "more than 64 namespaces"));
	options_fini(&options);
	buf_fini(&text);
}

static void test_paths_become_absolute(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(parse(&options, &err, "--manifests=some/dir", "--haproxy=haproxy",
				 "--run-dir=r", NULL),
		OPTIONS_RUN);
	assert_int_equal(options_get(&options, OPTION_MANIFESTS)[0], '/');
	assert_non_null(strstr(options_get(&options, OPTION_MANIFESTS), "/some/dir"));
	assert_int_equal(options_get(&options, OPTION_RUNTIME_SOCKET)[0], '/');
	/* Looked up on PATH. */
	assert_string_equal(options_get(&options, OPTION_HAPROXY), "haproxy");
	options_fini(&options);
}

static void check_refused(const char *argument, const char *expected)
{
	struct options options;
	struct err err;

	assert_int_equal(parse(&options, &err, argument, NULL), OPTIONS_ERROR);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_string_equal(err.text, expected);
	options_fini(&options);
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

static void test_mistakes_in_the_environment(void **state)
{
	struct options options;
	struct err err;

	(void)state;
	setenv("HEADGATE_SELF_CHECK", "yes", 1);
	assert_int_equal(parse(&options, &err, NULL), OPTIONS_ERROR);
	assert_string_equal(err.text, "--self-check: 'yes' is neither true nor false");
	options_fini(&options);
	unsetenv("HEADGATE_SELF_CHECK");
	setenv("HEADGATE_KUBECONFIG", "/k", 1);
	assert_int_equal(parse(&options, &err, "--manifests=/m", NULL), OPTIONS_ERROR);
	assert_string_equal(
		err.text, "--manifests and --kubeconfig exclude each other: give one of them");
	options_fini(&options);
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	struct options options;
	struct err err;

	(void)state;
	assert_int_equal(
		parse(&options, &err, "--log-level=nonsense", "--help", NULL), OPTIONS_HELP);
	options_fini(&options);
	assert_non_null(stream);
	options_print_help(stream);
	fclose(stream);
	for (int i = 0; i < OPTION_COUNT; i++) {
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
		TEST(test_mistakes),
		TEST(test_mistakes_in_the_environment),
		TEST(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
