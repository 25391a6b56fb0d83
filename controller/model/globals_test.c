/* Settings of the whole HAProxy: their texts, which options make them, and that the constant
 * configuration has the same defaults. Also what all of its profiles have to have. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/globals.h"
#include "option/read.h"

#define MAX_TEXT (64 * 1024)

static char *settings_of(const struct option_pair *pairs, size_t n)
{
	struct option_set *set = option_read(
		&(struct option_source){OPTION_SCOPE_CONTROLLER, NULL}, pairs, n, NULL, NULL);
	struct buf buf = BUF_INIT(0);

	globals_write(&buf, set, NULL, NULL, false);
	option_set_free(set);
	return buf_take(&buf);
}

static char *settings_with(const char *key, const char *value)
{
	return settings_of(&(struct option_pair){key, value}, 1);
}

static void test_values(void **state)
{
	static const struct {
		const char *key, *value, *line;
	} rows[] = {
		{"timeout-client", "5s", "HEADGATE_TIMEOUT_CLIENT 5000ms\n"},
		{"timeout-check", "700", "HEADGATE_TIMEOUT_CHECK 700ms\n"},
		{"timeout-check", "never", "HEADGATE_TIMEOUT_CHECK none\n"},
		{"maxconn", "2000", "HEADGATE_MAXCONN 2000\n"},
		{"nbthread", "100", "HEADGATE_NBTHREAD none\n"},
		{"http-connection-mode", "HTTPCLOSE", "HEADGATE_CONNECTION_MODE httpclose\n"},
		{"http-server-close", "true", "HEADGATE_CONNECTION_MODE http-server-close\n"},
		{"http-keep-alive", "false", "HEADGATE_CONNECTION_MODE http-keep-alive\n"},
		{"tls-alpn", "http/1.1", "HEADGATE_TLS_ALPN http/1.1\n"},
		{"tls-alpn", "", "HEADGATE_TLS_ALPN h2,http/1.1\n"},
		{"proxy-protocol", "10.1.2.3/8,192.0.2.1",
			"HEADGATE_PROXY_PROTOCOL 10.0.0.0/8 192.0.2.1/32\n"},
		{"log-format", "%ci %ST", "HEADGATE_LOG_STYLE own\nHEADGATE_LOG_FORMAT %ci %ST\n"},
		{"log-format", "json", "HEADGATE_LOG_STYLE json\n"},
		{"syslog-server", "address:10.0.0.1\naddress:stdout,level:info",
			"HEADGATE_LOG_1 10.0.0.1:514 len 1024 local0 notice\n"
			"HEADGATE_LOG_2 stdout len 1024 format raw local0 info\n"
			"HEADGATE_LOG_3 none\nHEADGATE_LOG_4 none\nHEADGATE_LOG_REQUESTS true\n"},
		{"syslog-server", "address:10.0.0.1", "HEADGATE_LOG_REQUESTS false\n"},
		{"client-crt-optional", "yes", "HEADGATE_CLIENT_VERIFY required\n"},
		{"client-crt-optional", "true", "HEADGATE_CLIENT_VERIFY optional\n"},
		{"client-strict-sni", "false", "HEADGATE_CLIENT_STRICT_SNI false\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP(free_ptr) char *text = settings_with(rows[i].key, rows[i].value);
		if (strstr(text, rows[i].line) == NULL) {
			fail_msg("%s: %s: no %s in\n%s", rows[i].key, rows[i].value, rows[i].line,
				text);
		}
	}
}

/* The flag is a part of the settings; with it, what is allowed from outside is half of all. */
static void test_passthrough(void **state)
{
	static const struct option_pair pairs[] = {{"maxconn", "2000"}};
	static const struct {
		bool is_on;
		const char *lines;
	} rows[] = {
		{false, "\nHEADGATE_SSL_PASSTHROUGH none\nHEADGATE_MAXCONN_TWICE none\n"},
		{true, "\nHEADGATE_SSL_PASSTHROUGH true\nHEADGATE_MAXCONN_TWICE 4000\n"},
	};
	const struct option_source source = {OPTION_SCOPE_CONTROLLER, NULL};
	struct option_set *set = option_read(&source, pairs, ARRAY_LEN(pairs), NULL, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf buf = BUF_INIT(0);

		globals_write(&buf, set, NULL, NULL, rows[i].is_on);
		if (strstr(buf_str(&buf), rows[i].lines) == NULL) {
			fail_msg("no %s in\n%s", rows[i].lines, buf_str(&buf));
		}
		buf_fini(&buf);
	}
	option_set_free(set);
}

/* Ports fill the places from the first one on, by kind; each place has a word. */
static void test_tcp(void **state)
{
	static const char *const lines[] = {"\nHEADGATE_TCP_PORT_1 90\nHEADGATE_TCP_PORT_2 443\n"
					    "HEADGATE_TCP_PORT_3 none\n",
		"\nHEADGATE_TCP_PORT_32 none\nHEADGATE_TCP_TLS_PORT_1 91\n"
		"HEADGATE_TCP_TLS_PORT_2 none\n",
		"\nHEADGATE_TCP_TLS_PORT_32 none\nHEADGATE_TCP_PORTS 90 91 443\n"
		"HEADGATE_TCP_LOG_STYLE own\n"
		"HEADGATE_TCP_LOG_FORMAT %ci\n"};
	struct tcp_service items[] = {{.port = 90}, {.port = 91, .has_tls = true}, {.port = 443}};
	char format[] = "%ci";
	const struct tcp_services tcp = {items, ARRAY_LEN(items), format};
	CLEANUP(free_ptr) char *nothing = settings_of(NULL, 0);
	char digests[2][MODEL_DIGEST_SIZE];
	struct buf buf = BUF_INIT(0);

	(void)state;
	globals_write(&buf, NULL, NULL, &tcp, false);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		if (strstr(buf_str(&buf), lines[i]) == NULL) {
			fail_msg("no %s in\n%s", lines[i], buf_str(&buf));
		}
	}
	globals_digest(digests[0], nothing);
	globals_digest(digests[1], buf_str(&buf));
	size_t start = (size_t)MODEL_DIGEST_TCP * MODEL_DIGEST_PART;
	assert_memory_equal(digests[0], digests[1], start);
	assert_string_not_equal(digests[0] + start, digests[1] + start);
	buf_fini(&buf);
}

/* Without ports they are what they are when nobody has asked for these. */
static void test_without_ports(void **state)
{
	static const uint16_t gone[] = {91, 90, 5};
	struct tcp_service items[] = {{.port = 90}, {.port = 91, .has_tls = true}, {.port = 443},
		{.port = 444, .has_tls = true}};
	static char own[] = "%ci";
	static char none[] = "none";
	char *const formats[] = {NULL, own, none};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct tcp_services tcp = {items, ARRAY_LEN(items), formats[i]};
		struct buf all = BUF_INIT(0);
		struct buf some = BUF_INIT(0);
		uint16_t ports[MODEL_MAX_PORTS];

		items[0].is_held = items[1].is_held = false;
		globals_write(&all, NULL, NULL, &tcp, false);
		assert_int_equal(model_settings_ports(buf_str(&all), ports), 4);
		assert_int_equal(ports[0], 90);
		assert_int_equal(ports[3], 444);
		items[0].is_held = items[1].is_held = true;
		globals_write(&some, NULL, NULL, &tcp, false);
		assert_int_equal(model_settings_ports(buf_str(&some), ports), 2);
		assert_int_equal(ports[0], 443);
		CLEANUP(free_ptr)
		char *without = model_settings_without(buf_str(&all), gone, ARRAY_LEN(gone));
		assert_string_equal(without, buf_str(&some));
		CLEANUP(free_ptr) char *same = model_settings_without(buf_str(&all), NULL, 0);
		assert_string_equal(same, buf_str(&all));
		buf_fini(&all);
		buf_fini(&some);
	}
	CLEANUP(free_ptr) char *nothing = settings_of(NULL, 0);
	uint16_t ports[MODEL_MAX_PORTS];
	assert_int_equal(model_settings_ports(nothing, ports), 0);
	assert_int_equal(model_settings_ports("", ports), 0);
}

static void test_older_keys(void **state)
{
	const struct option_pair pairs[] = {
		{"http-server-close", "true"}, {"http-keep-alive", "true"}};
	CLEANUP(free_ptr) char *text = settings_of(pairs, ARRAY_LEN(pairs));

	(void)state;
	assert_non_null(strstr(text, "HEADGATE_CONNECTION_MODE http-keep-alive\n"));
}

/* Who writes down what holds anyway changes nothing. */
static void test_defaults_are_equal(void **state)
{
	CLEANUP(free_ptr) char *nobody = settings_of(NULL, 0);

	(void)state;
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_info *info = &option_table[i];
		if (info->apply != OPTION_APPLY_RELOAD || info->default_value[0] == '\0') {
			continue;
		}
		CLEANUP(free_ptr) char *text = settings_with(info->name, info->default_value);
		assert_string_equal(text, nobody);
	}
}

static char *read_config(const char *path)
{
	FILE *stream = fopen(path, "re");
	char *text = xcalloc(1, MAX_TEXT);

	assert_non_null(stream);
	assert_true(fread(text, 1, MAX_TEXT - 1, stream) < MAX_TEXT - 1);
	fclose(stream);
	return text;
}

/* HAProxy without the file of settings has what it would have with that of nobody. */
static void test_constant_has_the_same(void **state)
{
	CLEANUP(free_ptr) char *config = read_config("haproxy-cfg/05-settings.cfg");
	CLEANUP(free_ptr) char *settings = settings_of(NULL, 0);
	struct buf wanted = BUF_INIT(0);
	char *save;

	(void)state;
	for (char *line = strtok_r(settings, "\n", &save); line != NULL;
		line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, ' ');
		*value++ = '\0';
		buf_printf(&wanted, "\tpresetenv %s \"%s\"\n", line, value);
	}
	const char *found = strstr(config, "\tpresetenv");
	assert_non_null(found);
	assert_string_equal(found, buf_str(&wanted));
	buf_fini(&wanted);
}

/* Sections can't take http-request rules over from each other: each profile has to have those of
 * http_profile. */
static void test_profiles_have_all_rules(void **state)
{
	static const char *const first = "defaults http_profile from base\n";
	CLEANUP(free_ptr) char *base = read_config("haproxy-cfg/20-profiles.cfg");
	CLEANUP(free_ptr) char *variants = read_config("haproxy-cfg/25-variants.cfg");
	char *save;
	size_t n_rules = 0;

	(void)state;
	char *rules = strstr(base, first);
	assert_non_null(rules);
	rules += strlen(first);
	char *end = strstr(rules, "\ndefaults ");
	assert_non_null(end);
	*end = '\0';
	for (char *rule = strtok_r(rules, "\n", &save); rule != NULL;
		rule = strtok_r(NULL, "\n", &save)) {
		if (rule[0] != '\t' || rule[1] == '#') {
			continue;
		}
		n_rules++;
		CLEANUP(free_ptr) char *whole = xasprintf("%s\n", rule);
		for (char *section = strstr(variants, "\ndefaults "); section != NULL;) {
			char *next = strstr(section + 1, "\ndefaults ");
			CLEANUP(free_ptr)
			char *text = next ? xstrndup(section, (size_t)(next - section + 1))
					  : xstrdup(section);
			if (strstr(text, whole) == NULL) {
				fail_msg("haproxy-cfg/25-variants.cfg: no\n%s in%s", whole, text);
			}
			section = next;
		}
	}
	assert_true(n_rules > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_passthrough),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_without_ports),
		cmocka_unit_test(test_older_keys),
		cmocka_unit_test(test_defaults_are_equal),
		cmocka_unit_test(test_constant_has_the_same),
		cmocka_unit_test(test_profiles_have_all_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
