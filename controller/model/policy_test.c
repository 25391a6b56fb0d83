#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "model/policy.h"
#include "option/value.h"

#define MAX_PAIRS 8

struct pair {
	const char *option;
	const char *value;
};

static struct option_set *make_set(const struct pair *pairs)
{
	struct option_set *set = xcalloc(1, sizeof(*set));

	for (; pairs->option != NULL; pairs++) {
		enum option_id option = option_find(pairs->option);
		char *reason = NULL;
		assert_int_not_equal(option, OPTION_COUNT);
		set->values[option] = option_parse(option, pairs->value, &reason);
		if (set->values[option] == NULL) {
			fail_msg("%s: %s", pairs->option, reason);
		}
	}
	return set;
}

static const struct {
	struct pair pairs[MAX_PAIRS]; /* of an Ingress */
	const char *record;
} rows[] = {
	{{{0}}, "|{}"},
	{{{"deny-list", ""}, {"set-host", ""}}, "|{}"},
	{{{"src-ip-header", "X-Real-IP"}, {"forwarded-for", "false"}},
		"IF|{\"src-ip-header\":\"X-Real-IP\"}"},
	{{{"timeout-server", "5s"}, {"timeout-tunnel", "1h"}},
		"T|{\"timeout-server\":\"5000\",\"timeout-tunnel\":\"3600000\"}"},
	{{{"deny-list", "10.0.0.0/8"}, {"allow-list", "10.0.0.0/8"}},
		"DA|{\"deny-list\":\"c4f1:ba8f:1180:cdb3:f044:2d83\","
		"\"allow-list\":\"c4f1:ba8f:1180:cdb3:f044:2d83\"}"},
	{{{"ssl-redirect", "true"}}, "S|{}"},
	{{{"ssl-redirect", "false"}}, "s|{}"},
	{{{"ssl-redirect-code", "301"}, {"ssl-redirect-port", "443"}},
		"|{\"ssl-redirect-code\":\"301\"}"},
	{{{"ssl-redirect-port", "8443"}}, "|{\"ssl-redirect-port\":\":8443\"}"},
	{{{"request-redirect", "b.test:81"}},
		"R|{\"request-redirect\":\"http://b.test:81\",\"request-redirect-code\":\"302\"}"},
	{{{"deny-paths", "/admin/,/.git"}}, "d|{\"deny-paths\":\"/admin /.git\"}"},
	{{{"canary-weight", "20"}}, "|{}"},
	{{{"canary-service", "next:80"}, {"canary-weight", "20"}, {"canary-by-cookie", "c"}},
		"c|{}"},
	/* Periods: the next longer window, and as many more requests. */
	{{{"rate-limit-requests", "10"}},
		"L1|{\"rate-limit-requests\":\"10\",\"rate-limit-status-code\":\"429\","
		"\"rate-limit-key\":\"KEY\"}"},
	{{{"rate-limit-requests", "10"}, {"rate-limit-period", "2s"},
		 {"rate-limit-status-code", "403"}},
		"L2|{\"rate-limit-requests\":\"50\",\"rate-limit-status-code\":\"403\","
		"\"rate-limit-key\":\"KEY\"}"},
	{{{"rate-limit-requests", "10"}, {"rate-limit-period", "1m"}},
		"L3|{\"rate-limit-requests\":\"10\",\"rate-limit-status-code\":\"429\","
		"\"rate-limit-key\":\"KEY\"}"},
	{{{"rate-limit-requests", "7"}, {"rate-limit-period", "7m"}},
		"L4|{\"rate-limit-requests\":\"60\",\"rate-limit-status-code\":\"429\","
		"\"rate-limit-key\":\"KEY\"}"},
	{{{"rate-limit-requests", "0"}, {"rate-limit-whitelist", "10.0.0.0/8"}}, "|{}"},
	{{{"rate-limit-requests", "1"}, {"rate-limit-whitelist", "10.0.0.0/8"}},
		"L1W|{\"rate-limit-requests\":\"1\",\"rate-limit-status-code\":\"429\","
		"\"rate-limit-whitelist\":\"c4f1:ba8f:1180:cdb3:f044:2d83\","
		"\"rate-limit-key\":\"KEY\"}"},
	{{{"request-capture", "path"}}, "C|{\"request-capture\":\"cGF0aA==\","
					"\"request-capture-len\":\"128\"}"},
	{{{"cors-allow-methods", "GET"}}, "|{}"},
	{{{"cors-enable", "true"}}, "O|{\"cors-allow-methods\":\"*\",\"cors-allow-headers\":\"*\","
				    "\"cors-max-age\":\"5\"}"},
	{{{"cors-enable", "true"}, {"cors-allow-methods", "put,GET"},
		 {"cors-allow-headers", "X-A,X-B"}, {"cors-allow-origin", "^https://b$"},
		 {"cors-allow-credentials", "true"}, {"cors-max-age", "2m"},
		 {"cors-respond-to-options", "true"}},
		"VOok|{\"cors-allow-origin\":\"Xmh0dHBzOi8vYiQ=\","
		"\"cors-allow-methods\":\"GET, PUT\",\"cors-allow-headers\":\"X-A, X-B\","
		"\"cors-max-age\":\"120\"}"},
	{{{"request-set-header", "X-A 1"}}, "H|{\"request-set-header\":\"A1gtQQExAAA=\"}"},
	{{{"request-set-header", "X-B 5%%"}}, "H|{\"request-set-header\":\"A1gtQgI1JQAA\"}"},
	{{{"response-set-header", "X-B c %[src]"}},
		"he|{\"response-set-header\":\"A1gtQghjICVbc3JjXQAA\"}"},
	{{{"set-host", "b.test"}}, "N|{\"set-host\":\"b.test\"}"},
	{{{"path-rewrite", "/fixed"}}, "P|{\"path-rewrite\":\"Xi4qJCAvZml4ZWQ=\"}"},
};

/* "KEY" in the place of what clients are counted under. */
static char *hide_key(const char *record)
{
	static const char name[] = "rate-limit-key\":\"";
	const char *key = strstr(record, name);

	if (key == NULL) {
		return xstrdup(record);
	}
	key += strlen(name);
	assert_int_equal(strcspn(key, "\""), POLICY_LIST_SIZE - 1);
	return xasprintf("%.*sKEY%s", (int)(key - record), record, strchr(key, '"'));
}

static void test_users(void **state)
{
	static const struct {
		struct pair pairs[MAX_PAIRS];
		const char *users; /* version */
		const char *record;
	} cases[] = {
		{{{"auth-type", "basic-auth"}, {"auth-secret", "a/users"}}, "0123",
			"B|{\"auth-secret\":\"NAME\",\"auth-realm\":\"Protected Content\"}"},
		{{{"auth-type", "basic-auth"}, {"auth-secret", "a/users"}, {"auth-realm", "A b"}},
			"0123", "B|{\"auth-secret\":\"NAME\",\"auth-realm\":\"A b\"}"},
		/* Nobody has been found: nobody comes in. */
		{{{"auth-type", "basic-auth"}, {"auth-secret", "a/users"}}, NULL, "X|{}"},
		{{{"auth-type", "basic-auth"}}, NULL, "X|{}"},
		{{{"auth-type", "basic-auth"}, {"auth-secret", ""}}, NULL, "X|{}"},
		{{{"auth-secret", "a/users"}, {"auth-realm", "A b"}}, NULL, "|{}"},
	};
	char name[POLICY_LIST_SIZE];
	char other[POLICY_LIST_SIZE];

	(void)state;
	policy_name_users(name, "a/b", "0123");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct option_set *set = make_set(cases[i].pairs);
		const struct option_set *const sets[] = {NULL, set, NULL};
		struct policy policy;
		policy_write(&policy, &(struct policy_owner){"a/b", cases[i].users, NULL}, sets, 3);
		char *found = strstr(policy.record, name);
		CLEANUP(free_ptr)
		char *hidden = found ? xasprintf("%.*sNAME%s", (int)(found - policy.record),
					       policy.record, found + strlen(name))
				     : xstrdup(policy.record);
		assert_string_equal(hidden, cases[i].record);
		free(policy.record);
		option_set_free(set);
	}
	policy_name_users(other, "a/b", "0124");
	assert_string_not_equal(name, other);
	policy_name_users(other, "a/c", "0123");
	assert_string_not_equal(name, other);
}

static void test_records(void **state)
{
	int n_wrong = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct option_set *set = make_set(rows[i].pairs);
		const struct option_set *const sets[] = {NULL, set, NULL};
		struct policy policy;
		policy_write(&policy, &(struct policy_owner){.id = "a/b"}, sets, ARRAY_LEN(sets));
		CLEANUP(free_ptr) char *record = hide_key(policy.record);
		if (strcmp(record, rows[i].record) != 0) {
			print_error("is       %s\nexpected %s\n", record, rows[i].record);
			n_wrong++;
		}
		free(policy.record);
		option_set_free(set);
	}
	assert_int_equal(n_wrong, 0);
}

/* A file of patterns is the list that is in it; without it nobody comes in. */
static void test_patterns(void **state)
{
	static const struct {
		struct pair pairs[MAX_PAIRS];
		enum option_id lacking;
		const char *record;
	} cases[] = {
		{{{"allow-list", "patterns/ten"}, {"deny-list", "patterns/ten"}}, OPTION_COUNT,
			"DA|{\"deny-list\":\"c4f1:ba8f:1180:cdb3:f044:2d83\","
			"\"allow-list\":\"c4f1:ba8f:1180:cdb3:f044:2d83\"}"},
		{{{"rate-limit-requests", "1"}, {"rate-limit-whitelist", "patterns/ten"}},
			OPTION_COUNT,
			"L1W|{\"rate-limit-requests\":\"1\",\"rate-limit-status-code\":\"429\","
			"\"rate-limit-whitelist\":\"c4f1:ba8f:1180:cdb3:f044:2d83\","
			"\"rate-limit-key\":\"KEY\"}"},
		{{{"allow-list", "patterns/none"}}, OPTION_ALLOW_LIST, "X|{}"},
		{{{"deny-list", "patterns/none"}, {"set-host", "b.test"}}, OPTION_DENY_LIST,
			"XN|{\"set-host\":\"b.test\"}"},
		{{{"rate-limit-requests", "1"}, {"rate-limit-whitelist", "patterns/none"}},
			OPTION_RATE_LIMIT_WHITELIST,
			"L1|{\"rate-limit-requests\":\"1\",\"rate-limit-status-code\":\"429\","
			"\"rate-limit-key\":\"KEY\"}"},
		/* Without a limit nobody is to be exempt. */
		{{{"rate-limit-whitelist", "patterns/none"}}, OPTION_COUNT, "|{}"},
		/* A list without an address is not no list. */
		{{{"allow-list", "patterns/empty"}}, OPTION_COUNT,
			"A|{\"allow-list\":\"0233:38bc:effa:c590:7ed8:3da8\"}"},
	};
	struct pattern_file files[] = {
		{(char *)"ten", (char *)"10.0.0.0/8"}, {(char *)"empty", (char *)""}};
	const struct patterns patterns = {files, ARRAY_LEN(files), NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct option_set *set = make_set(cases[i].pairs);
		const struct option_set *const sets[] = {NULL, set, NULL};
		struct policy policy;
		policy_write(&policy, &(struct policy_owner){"a/b", NULL, &patterns}, sets, 3);
		CLEANUP(free_ptr) char *record = hide_key(policy.record);
		assert_string_equal(record, cases[i].record);
		assert_int_equal(policy.lacking, cases[i].lacking);
		free(policy.record);
		option_set_free(set);
	}
}

static void test_precedence(void **state)
{
	static const struct pair service[] = {{"timeout-server", "1s"}, {0}};
	static const struct pair ingress[] = {
		{"timeout-server", "2s"}, {"set-host", ""}, {"ssl-redirect", "true"}, {0}};
	static const struct pair class[] = {{"timeout-server", "3s"}, {"timeout-tunnel", "4s"},
		{"set-host", "c.test"}, {"ssl-redirect", "false"}, {0}};
	struct option_set *all[] = {make_set(service), make_set(ingress), make_set(class)};
	const struct option_set *const sets[] = {all[0], all[1], all[2]};
	struct policy policy;

	(void)state;
	policy_write(&policy, &(struct policy_owner){.id = "a/b"}, sets, 3);
	assert_string_equal(
		policy.record, "TS|{\"timeout-server\":\"1000\",\"timeout-tunnel\":\"4000\"}");
	free(policy.record);
	/* What a class says of HTTPS is in redirect.map. */
	policy_write(&policy, &(struct policy_owner){.id = "*/c"},
		(const struct option_set *const[]){NULL, NULL, all[2]}, 3);
	assert_string_equal(policy.record,
		"TN|{\"timeout-server\":\"3000\",\"timeout-tunnel\":\"4000\","
		"\"set-host\":\"c.test\"}");
	free(policy.record);
	assert_true(policy_is_wanted(all[0], false));
	assert_false(policy_is_wanted(NULL, false));
	for (int i = 0; i < 3; i++) {
		option_set_free(all[i]);
	}
}

static void test_wanted(void **state)
{
	static const struct pair of_requests[] = {{"set-host", ""}, {0}};
	static const struct pair https[] = {{"ssl-redirect", "true"}, {0}};
	static const struct pair of_pods[] = {{"load-balance", "leastconn"}, {0}};
	struct option_set closed = {.is_closed = true};
	struct option_set *sets[] = {make_set(of_requests), make_set(https), make_set(of_pods)};
	const struct option_set *const only[] = {NULL, &closed, NULL};
	struct policy policy;

	(void)state;
	assert_true(policy_is_wanted(sets[0], true));
	assert_true(policy_is_wanted(sets[1], false));
	assert_false(policy_is_wanted(sets[1], true));
	assert_false(policy_is_wanted(sets[2], false));
	assert_true(policy_is_wanted(&closed, true));
	policy_write(&policy, &(struct policy_owner){.id = "a/b"}, only, 3);
	assert_string_equal(policy.record, "X|{}");
	free(policy.record);
	for (int i = 0; i < 3; i++) {
		option_set_free(sets[i]);
	}
}

static void add_entry(void *ctx, enum model_map map, const char *key)
{
	buf_printf(ctx, "%s %s\n", model_map_files[map], key);
}

static void test_lists(void **state)
{
	static const struct pair pairs[] = {
		{"deny-list",
			"2001:db8::1, 10.1.2.3/8,192.0.2.7 ,2001:db8::/32,::/0,::ffff:1.2.3.4"},
		{0}};
	struct option_set *set = make_set(pairs);
	struct buf entries = BUF_INIT(0);
	char name[POLICY_LIST_SIZE];

	(void)state;
	policy_name_list(name, set->values[OPTION_DENY_LIST]);
	policy_list_entries(set->values[OPTION_DENY_LIST], add_entry, &entries);
	CLEANUP(free_ptr)
	char *expected = xasprintf("networks.map %s:1.2.3.4/128\n"
				   "networks.map %s:10.0.0.0/104\n"
				   "networks.map %s:192.0.2.7/128\n"
				   "networks.map %s:0:0:0:0/64\n"
				   "networks.map %s:2001:db8:0:0/96\n"
				   "addresses.map %s|2001:db8::1\n",
		name, name, name, name + 10, name + 10, name);
	assert_string_equal(buf_str(&entries), expected);
	buf_fini(&entries);
	option_set_free(set);
}

/* `n` times a text, as long as a value of the option may be. The caller frees it. */
static char *repeat(enum option_id option, const char *text)
{
	struct buf value = BUF_INIT((size_t)option_table[option].max);

	while (buf_is_ok(&value)) {
		buf_append_str(&value, text);
	}
	return buf_take(&value);
}

static const struct {
	enum option_id option;
	const char *text; /* again and again */
} long_ones[] = {
	{OPTION_REQUEST_SET_HEADER, "a %[src]\n"},
	{OPTION_RESPONSE_SET_HEADER, "a b\n"},
	{OPTION_CORS_ALLOW_HEADERS, "a,"},
	{OPTION_CORS_ALLOW_ORIGIN, "a"},
	{OPTION_REQUEST_CAPTURE, "src\n"},
	{OPTION_DENY_PATHS, "/aaaaaaaaaaaaaaaaa,"},
};
static const struct {
	enum option_id option;
	const char *text;
} others[] = {
	{OPTION_CORS_ENABLE, "true"},
	{OPTION_CORS_ALLOW_CREDENTIALS, "true"},
	{OPTION_CORS_RESPOND_TO_OPTIONS, "true"},
	{OPTION_CORS_ALLOW_METHODS, "GET,POST,PUT,DELETE,HEAD,CONNECT,OPTIONS,TRACE,PATCH"},
	{OPTION_CORS_MAX_AGE, "1d"},
	{OPTION_ALLOW_LIST, "10.0.0.0/8"},
	{OPTION_DENY_LIST, "10.0.0.0/9"},
	{OPTION_RATE_LIMIT_WHITELIST, "10.0.0.0/10"},
	{OPTION_RATE_LIMIT_REQUESTS, "10000000"},
	{OPTION_RATE_LIMIT_PERIOD, "1h"},
	{OPTION_FORWARDED_FOR, "false"},
	{OPTION_CANARY_SERVICE, "a:80"},
	{OPTION_SSL_REDIRECT, "false"},
	{OPTION_SSL_REDIRECT_CODE, "301"},
	{OPTION_SSL_REDIRECT_PORT, "65535"},
	{OPTION_REQUEST_REDIRECT_CODE, "303"},
	{OPTION_TIMEOUT_SERVER, "1d"},
	{OPTION_TIMEOUT_TUNNEL, "24d"},
};

/* The longest that users may write, in the forms that grow most on the way, fits. */
static void test_longest(void **state)
{
	struct option_set *set = xcalloc(1, sizeof(*set));
	const struct option_set *const sets[] = {NULL, set, NULL};
	char *reason = NULL;
	struct policy policy;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(long_ones); i++) {
		CLEANUP(free_ptr) char *text = repeat(long_ones[i].option, long_ones[i].text);
		set->values[long_ones[i].option] = option_parse(long_ones[i].option, text, &reason);
		assert_non_null(set->values[long_ones[i].option]);
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		set->values[others[i].option] =
			option_parse(others[i].option, others[i].text, &reason);
		assert_non_null(set->values[others[i].option]);
	}
	/* Four lines, each of which gets a pattern. */
	set->values[OPTION_PATH_REWRITE] = xmalloc(2048 + 4 * sizeof("^.*$ "));
	memset(set->values[OPTION_PATH_REWRITE], 'a', 2048 + 4 * sizeof("^.*$ "));
	set->values[OPTION_PATH_REWRITE][2047 + 4 * sizeof("^.*$ ")] = '\0';
	set->values[OPTION_SET_HOST] = xmalloc(262);
	memset(set->values[OPTION_SET_HOST], 'a', 261);
	set->values[OPTION_SET_HOST][261] = '\0';
	set->values[OPTION_REQUEST_REDIRECT] =
		xasprintf("https://%s", set->values[OPTION_SET_HOST]);
	set->values[OPTION_SRC_IP_HEADER] = xstrdup(set->values[OPTION_SET_HOST]);
	set->values[OPTION_SRC_IP_HEADER][128] = '\0';
	policy_write(&policy, &(struct policy_owner){.id = "a/b"}, sets, 3);
	assert_in_range(strlen(policy.record), 11000, POLICY_MAX_RECORD);
	free(policy.record);
	option_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_wanted),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
