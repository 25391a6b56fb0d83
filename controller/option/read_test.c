/* Annotations and ConfigMap keys: which of them holds, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "option/read.h"

static const char *const verdicts[] = {
	[OPTION_APPLIED] = "applied", [OPTION_IGNORED] = "ignored", [OPTION_REFUSED] = "refused"};

static void write_report(void *ctx, const struct option_report *report)
{
	buf_printf(ctx, "%s %s%s%s\n", verdicts[report->verdict], report->key,
		report->reason ? ": " : "", report->reason ? report->reason : "");
}

/* The reports, a line each; the set goes to *ret_set. */
static char *read_pairs(enum option_scope scope, const struct option_pair *pairs, size_t n,
	struct option_set **ret_set)
{
	struct buf text = BUF_INIT(0);

	*ret_set =
		option_read(&(struct option_source){scope, "shop"}, pairs, n, write_report, &text);
	return buf_take(&text);
}

static void test_precedence(void **state)
{
	const struct option_pair pairs[] = {
		{"example.com/ssl-redirect", "false"},
		{"haproxy.com/ssl-redirect", "yes"},
		{"haproxy.org/ssl-redirect", "true"},
		{"headgate.dev/ssl-redirect", "0"},
		{"ingress.kubernetes.io/ssl-redirect", "true"},
	};
	struct option_set *set;
	CLEANUP(free_ptr)
	char *reports = read_pairs(OPTION_SCOPE_INGRESS, pairs, ARRAY_LEN(pairs), &set);

	(void)state;
	assert_string_equal(reports,
		"ignored haproxy.com/ssl-redirect: is not looked at: headgate.dev/ssl-redirect "
		"says "
		"the same and goes before it\n"
		"ignored haproxy.org/ssl-redirect: is not looked at: headgate.dev/ssl-redirect "
		"says "
		"the same and goes before it\n"
		"applied headgate.dev/ssl-redirect\n"
		"ignored ingress.kubernetes.io/ssl-redirect: is not looked at: "
		"headgate.dev/ssl-redirect says the same and goes before it\n");
	assert_string_equal(set->values[OPTION_SSL_REDIRECT], "false");
	assert_false(set->is_closed);
	option_set_free(set);
}

static void test_verdicts(void **state)
{
	const struct option_pair pairs[] = {
		{"haproxy.org/backend-config-snippet", "http-request deny"},
		{"haproxy.org/clean-certs", "true"},
		{"haproxy.org/invented", "true"},
		{"haproxy.org/ssl-redirect", "maybe"},
		{"headgate.dev/invented", "true"},
		{"ingress.kubernetes.io/invented", "true"},
		{"headgate.dev/ssl-redirect-code", NULL},
		{"whitelist", "10.0.0.0/8"},
		{"backend-config-snippet", "http-request deny"},
		{"auth-url", "http://a.b.svc/"},
		{"example.com/whitelist", "10.0.0.0/8"},
		{"nginx.ingress.kubernetes.io/whitelist-source-range", "10.0.0.0/8"},
		{"haproxy-ingress.github.io/allowlist-source-range", NULL},
	};
	struct option_set *set;
	CLEANUP(free_ptr)
	char *reports = read_pairs(OPTION_SCOPE_INGRESS, pairs, ARRAY_LEN(pairs), &set);

	(void)state;
	assert_null(set);
	assert_non_null(strstr(reports, "refused haproxy.org/backend-config-snippet: config"));
	assert_non_null(strstr(reports, "ignored haproxy.org/clean-certs: certificates"));
	assert_non_null(strstr(reports, "refused haproxy.org/invented: is no option"));
	assert_non_null(strstr(reports, "refused haproxy.org/ssl-redirect: is 'maybe', neither"));
	assert_non_null(strstr(reports, "refused headgate.dev/invented: is no option"));
	assert_non_null(strstr(reports, "ignored ingress.kubernetes.io/invented: is no option"));
	assert_non_null(strstr(reports, "refused headgate.dev/ssl-redirect-code: is"));
	/* Without a prefix: those that the other controller would have read. */
	assert_non_null(strstr(reports,
		"ignored whitelist: has no prefix and is not read: write haproxy.org/whitelist"));
	assert_non_null(strstr(reports, "ignored backend-config-snippet: has no prefix"));
	assert_non_null(strstr(reports, "ignored nginx.ingress.kubernetes.io/"
					"whitelist-source-range: is ingress-nginx's and is not"));
	assert_non_null(strstr(reports, "ignored haproxy-ingress.github.io/"
					"allowlist-source-range: is haproxy-ingress's and"));
	assert_null(strstr(reports, "auth-url"));
	assert_null(strstr(reports, "example.com"));
	assert_true(option_is_key("whitelist") && option_is_key("haproxy.com/x"));
	assert_false(option_is_key("example.com/whitelist") || option_is_key("auth-url"));
}

/* Nobody comes in while a rule about who may can't be read; an older name counts as well. */
static void test_closed(void **state)
{
	const struct option_pair pairs[] = {{"haproxy.org/whitelist", "10.0.0.0/99"}};
	const struct option_pair other[] = {{"haproxy.org/rate-limit-requests", "many"}};
	struct option_set *set;
	CLEANUP(free_ptr) char *reports = read_pairs(OPTION_SCOPE_INGRESS, pairs, 1, &set);

	(void)state;
	assert_non_null(set);
	assert_true(set->is_closed);
	assert_false(option_set_is_empty(set));
	/* The operator's as well. */
	struct option_set *merged = option_set_merge(NULL, set);
	assert_true(merged->is_closed);
	option_set_free(merged);
	option_set_free(set);
	free(reports);
	static const struct option_pair unknown[] = {
		{"haproxy.org/deny-list", "10.0.0.0/8"}, {"haproxy.org/src-ip-header", "X Real"}};
	reports = read_pairs(OPTION_SCOPE_INGRESS, unknown, 2, &set);
	assert_true(set->is_closed);
	option_set_free(set);
	free(reports);
	reports = read_pairs(OPTION_SCOPE_INGRESS, &unknown[1], 1, &set);
	assert_null(set);
	free(reports);
	reports = read_pairs(OPTION_SCOPE_INGRESS, other, 1, &set);
	assert_null(set);
}

/* A reference gets its namespace; one that leads out of it is the operator's to make. */
static void test_references(void **state)
{
	static const struct {
		enum option_scope scope;
		const char *value;
		const char *canonical; /* NULL = refused */
	} rows[] = {
		{OPTION_SCOPE_INGRESS, "users", "shop/users"},
		{OPTION_SCOPE_INGRESS, "shop/users", "shop/users"},
		{OPTION_SCOPE_INGRESS, "other/users", NULL},
		{OPTION_SCOPE_INGRESS, "sho/users", NULL},
		{OPTION_SCOPE_INGRESS, "shopp/users", NULL},
		{OPTION_SCOPE_INGRESS, "", ""},
		{OPTION_SCOPE_CLASS, "users", "shop/users"},
		{OPTION_SCOPE_CLASS, "other/users", "other/users"},
		{OPTION_SCOPE_CONTROLLER, "other/users", "other/users"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool is_config = rows[i].scope != OPTION_SCOPE_INGRESS;
		const struct option_pair pair = {
			is_config ? "auth-secret" : "haproxy.org/auth-secret", rows[i].value};
		struct option_set *set;
		CLEANUP(free_ptr) char *reports = read_pairs(rows[i].scope, &pair, 1, &set);
		assert_non_null(set);
		if (rows[i].canonical != NULL) {
			assert_string_equal(set->values[OPTION_AUTH_SECRET], rows[i].canonical);
		} else {
			assert_null(set->values[OPTION_AUTH_SECRET]);
			assert_true(set->is_closed);
			assert_non_null(strstr(reports, "in another namespace than this object"));
		}
		option_set_free(set);
	}
}

static void test_scopes(void **state)
{
	const struct option_pair annotation[] = {{"headgate.dev/ssl-redirect", "true"}};
	const struct option_pair key[] = {{"ssl-redirect", "true"}};
	const struct option_pair unknown[] = {{"headgate.dev/ssl-redirect", "true"}};
	struct option_set *set;
	CLEANUP(free_ptr) char *reports = read_pairs(OPTION_SCOPE_SERVICE, annotation, 1, &set);

	(void)state;
	assert_null(set);
	assert_string_equal(reports, "refused headgate.dev/ssl-redirect: can't be set here: set it "
				     "on an Ingress or in a "
				     "ConfigMap\n");
	free(reports);
	reports = read_pairs(OPTION_SCOPE_CLASS, key, 1, &set);
	assert_string_equal(reports, "applied ssl-redirect\n");
	option_set_free(set);
	free(reports);
	reports = read_pairs(OPTION_SCOPE_CLASS, unknown, 1, &set);
	assert_null(set);
	assert_non_null(strstr(reports, "refused headgate.dev/ssl-redirect: is no option"));
}

static void test_first(void **state)
{
	struct option_set near = {.values = {[OPTION_SET_HOST] = (char *)""}};
	struct option_set far = {.values = {[OPTION_SET_HOST] = (char *)"a",
					 [OPTION_ALLOW_LIST] = (char *)"10.0.0.0/8"}};
	const struct option_set *const sets[] = {NULL, &near, &far};

	(void)state;
	/* Nothing is something: it turns off what stands behind. */
	assert_string_equal(option_first(OPTION_SET_HOST, sets, 3), "");
	assert_string_equal(option_first(OPTION_ALLOW_LIST, sets, 3), "10.0.0.0/8");
	assert_null(option_first(OPTION_DENY_LIST, sets, 3));
	assert_false(option_set_equals(&near, &far));
	assert_true(option_set_equals(NULL, &(struct option_set){0}));
	struct option_set *merged = option_set_merge(&near, &far);
	assert_string_equal(merged->values[OPTION_SET_HOST], "");
	assert_string_equal(merged->values[OPTION_ALLOW_LIST], "10.0.0.0/8");
	option_set_free(merged);
	assert_null(option_set_merge(NULL, &(struct option_set){0}));
}

/* Each key of the dialect stands in its table once and leads somewhere. */
static void test_dialect(void **state)
{
	(void)state;
	for (size_t i = 0; i < dialect_n_haproxytech; i++) {
		const struct dialect_row *row = &dialect_haproxytech[i];
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(row->key, dialect_haproxytech[j].key);
		}
		assert_true((row->option < OPTION_COUNT) != (row->reason != NULL));
		if (row->what == DIALECT_SAME) {
			assert_string_equal(row->key, option_table[row->option].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_first),
		cmocka_unit_test(test_dialect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
