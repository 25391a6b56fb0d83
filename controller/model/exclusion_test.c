/*
 * A name's certificate goes before its wildcard's, whatever the types of their keys: HAProxy, which
 * decides by these first, is told which names a wildcard's certificate is not for.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "model/tls.h"
#include "model/tls_testing.h"

#define N_ROUNDS 500
#define RSA	 (1u << CERT_KEY_RSA)
#define ECDSA	 (1u << CERT_KEY_ECDSA)
#define OTHER	 (1u << CERT_KEY_OTHER)

/* For *.a.test, of each type: good, and expired. */
static char *data[CERT_KEY_COUNT][2];

static const char *const types[CERT_KEY_COUNT] = {"rsa", "ecdsa", "other"};

static int make_data(void **state)
{
	EVP_PKEY *keys[] = {
		EVP_RSA_gen(2048), EVP_EC_gen("P-256"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};

	(void)state;
	for (int key = 0; key < CERT_KEY_COUNT; key++) {
		for (int i = 0; i < 2; i++) {
			data[key][i] =
				testing_secret_data(&(struct testing_cert){.common_name = "x",
					.names = "DNS:*.a.test",
					.key = keys[key],
					.from_seconds = -10000,
					.to_seconds = i == 1 ? -1 : 10000});
		}
		EVP_PKEY_free(keys[key]);
	}
	return 0;
}

static int free_data(void **state)
{
	(void)state;
	for (int key = 0; key < CERT_KEY_COUNT; key++) {
		free(data[key][0]);
		free(data[key][1]);
	}
	return 0;
}

/* An Ingress and a Secret of one name for a host, with a certificate of this type. */
static void put(struct fixture *f, const char *namespace, const char *name, const char *host,
	const char *content)
{
	testing_put_secret(f->store, namespace, name, content, TESTING_NOW);
	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'%s','name':'%s'},'spec':{'ingressClassName':'c','tls':[{"
		"'hosts':['%s'],'secretName':'%s'}]}}",
		namespace, name, host, name);
}

/* One Ingress with a certificate for x.a.test of each of these types. */
static void put_exact(struct fixture *f, unsigned keys, bool is_expired)
{
	struct buf tls = BUF_INIT(0);

	for (int key = 0; key < CERT_KEY_COUNT; key++) {
		if (keys & (1u << key)) {
			put_secret(f, types[key], data[key][is_expired]);
			buf_printf(&tls, "%s{'hosts':['x.a.test'],'secretName':'%s'}",
				tls.len > 0 ? "," : "", types[key]);
		}
	}
	CLEANUP(free_ptr) char *spec = xasprintf("'tls':[%s]", buf_str(&tls));
	put_ingress(f, "exact", 1, spec);
	buf_fini(&tls);
}

static const char *last_name(const struct model_certificate *certificate)
{
	return certificate->hosts[certificate->n_hosts - 1];
}

/* By the types of both: what HAProxy prefers to one of the name's own is kept out of it, and what
 * it takes only where they are of no use is not. */
static void test_types(void **state)
{
	static const struct {
		unsigned exact;
		enum cert_key wildcard;
		bool are_expired[2]; /* the exact ones, the wildcard's */
		bool is_excluded;
	} rows[] = {
		{RSA, CERT_KEY_ECDSA, {false, false}, true},
		{RSA, CERT_KEY_RSA, {false, false}, false},
		{RSA, CERT_KEY_OTHER, {false, false}, false},
		{ECDSA, CERT_KEY_RSA, {false, false}, false},
		{ECDSA, CERT_KEY_ECDSA, {false, false}, false},
		{OTHER, CERT_KEY_RSA, {false, false}, true},
		{OTHER, CERT_KEY_ECDSA, {false, false}, true},
		{RSA | ECDSA, CERT_KEY_ECDSA, {false, false}, false},
		{RSA | ECDSA, CERT_KEY_OTHER, {false, false}, false},
		{ECDSA | OTHER, CERT_KEY_RSA, {false, false}, true},
		{RSA | OTHER, CERT_KEY_ECDSA, {false, false}, true},
		/* One that clients would refuse keeps none away that they would take. */
		{RSA, CERT_KEY_ECDSA, {true, false}, false},
		{RSA, CERT_KEY_ECDSA, {false, true}, true},
		{RSA, CERT_KEY_ECDSA, {true, true}, true},
		{0, CERT_KEY_ECDSA, {false, false}, false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_exact(f, rows[i].exact, rows[i].are_expired[0]);
		put(f, "other", "wild", "*.a.test", data[rows[i].wildcard][rows[i].are_expired[1]]);
		take_up(f);
		const struct model_certificate *one = find_named(f, "other_wild_", "*.a.test");
		assert_non_null(one);
		assert_string_equal(last_name(one), rows[i].is_excluded ? "!x.a.test" : "*.a.test");
		/* Without a last good content. */
		store_forget(f->store, KUBE_SECRET, "other", "wild");
		for (int key = 0; key < CERT_KEY_COUNT; key++) {
			store_forget(f->store, KUBE_SECRET, "ns", types[key]);
		}
		take_up(f);
	}
}

/* A name that comes, gets another type or goes is three changes at most: its own certificate, and
 * the wildcard's under another name. */
static void test_comes_and_goes(void **state)
{
	struct fixture *f = *state;

	put(f, "other", "wild", "*.a.test", data[CERT_KEY_ECDSA][0]);
	put(f, "other", "second", "*.b.a.test", data[CERT_KEY_ECDSA][0]);
	take_up(f);
	CLEANUP(free_ptr) char *alone = xstrdup(find_named(f, "other_wild_", "*.a.test")->name);

	put(f, "ns", "one", "x.a.test", data[CERT_KEY_RSA][0]);
	take_up(f);
	assert_int_equal(f->n_touched, 3);
	assert_string_not_equal(find_named(f, "other_wild_", "*.a.test")->name, alone);
	assert_string_equal(find_named(f, "other_wild_", "*.a.test")->hosts[1], "!x.a.test");
	/* No label, two labels, and the wildcard itself are not under it. */
	put(f, "ns", "two", "a.test", data[CERT_KEY_RSA][0]);
	put(f, "ns", "three", "y.x.a.test", data[CERT_KEY_RSA][0]);
	put(f, "ns", "four", "test", data[CERT_KEY_RSA][0]);
	take_up(f);
	assert_int_equal(f->n_touched, 3);
	assert_int_equal(find_named(f, "other_wild_", "*.a.test")->n_hosts, 2);

	testing_put_secret(f->store, "ns", "one", data[CERT_KEY_ECDSA][0], TESTING_NOW);
	take_up(f);
	assert_string_equal(find_named(f, "other_wild_", "*.a.test")->name, alone);
	testing_put_secret(f->store, "ns", "one", data[CERT_KEY_RSA][0], TESTING_NOW);
	take_up(f);
	assert_string_not_equal(find_named(f, "other_wild_", "*.a.test")->name, alone);
	store_remove(f->store, KUBE_INGRESS, "ns", "one");
	take_up(f);
	assert_string_equal(find_named(f, "other_wild_", "*.a.test")->name, alone);
}

/* ---- what clients get ---- */

/* Whose certificate HAProxy shows, by its rule: the first of ECDSA, RSA and others that the client
 * can use, where for each the name goes before the wildcard. */
static const struct model_certificate *find_shown(
	const struct fixture *f, const char *host, unsigned client)
{
	static const enum cert_key order[] = {CERT_KEY_ECDSA, CERT_KEY_RSA, CERT_KEY_OTHER};
	CLEANUP(free_ptr) char *wildcard = xasprintf("*%s", strchr(host, '.'));
	CLEANUP(free_ptr) char *excluded = xasprintf("!%s", host);
	const struct model_certificate *found[CERT_KEY_COUNT] = {NULL};
	const struct model_certificate *one;
	bool is_exact[CERT_KEY_COUNT] = {false};
	uint32_t position = 0;

	while ((one = model_next_certificate(f->model, &position)) != NULL) {
		bool has_host = false;
		bool has_wildcard = false;
		int key = 0;
		for (size_t i = 0; i < one->n_hosts; i++) {
			has_host |= strcmp(one->hosts[i], host) == 0;
			has_wildcard |= strcmp(one->hosts[i], wildcard) == 0;
		}
		has_wildcard = has_wildcard && strcmp(last_name(one), excluded) != 0;
		while (strstr(one->name, types[key]) == NULL) {
			key++;
		}
		if (has_host || (has_wildcard && !is_exact[key])) {
			is_exact[key] = has_host;
			found[key] = one;
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if ((client & (1u << order[i])) && found[order[i]] != NULL) {
			return found[order[i]];
		}
	}
	return NULL;
}

static void check_rebuild(const struct fixture *f)
{
	struct model *fresh = model_new(&(struct model_options){.controller_name = "ours"});
	struct store_changes all = store_all_keys(f->store);
	struct buf expected = BUF_INIT(0);
	struct buf actual = BUF_INIT(0);

	model_update(fresh, f->store, &all);
	model_dump(fresh, &expected);
	model_dump(f->model, &actual);
	assert_string_equal(buf_str(&actual), buf_str(&expected));
	store_changes_fini(&all);
	buf_fini(&expected);
	buf_fini(&actual);
	model_free(fresh);
}

/* In whatever order things come and go: who can use the certificate of a name gets it, and never
 * the wildcard's. */
static void test_clients(void **state)
{
	struct fixture *f = *state;
	unsigned there[2] = {0, 0}; /* for x.a.test, for *.a.test */

	for (unsigned round = 0; round < N_ROUNDS; round++) {
		for (unsigned n = 1 + pick(f, 4); n > 0; n--) {
			unsigned which = pick(f, 2);
			unsigned key = pick(f, CERT_KEY_COUNT);
			const char *namespace = which == 0 ? "ns" : "other";
			if (there[which] & (1u << key)) {
				store_remove(f->store, KUBE_INGRESS, namespace, types[key]);
			} else {
				put(f, namespace, types[key], which == 0 ? "x.a.test" : "*.a.test",
					data[key][0]);
			}
			there[which] ^= 1u << key;
		}
		take_up(f);
		check_rebuild(f);
		for (unsigned client = 1; client < 1u << CERT_KEY_COUNT; client++) {
			const struct model_certificate *one = find_shown(f, "x.a.test", client);
			if (client & there[0]) {
				assert_memory_equal(one->name, "ns_", 3);
			} else {
				/* Better than nothing, where nothing keeps it out. */
				assert_true(one == NULL || one->name[0] == 'o');
			}
			assert_int_equal(find_shown(f, "y.a.test", client) != NULL,
				(client & there[1]) != 0);
		}
	}
}

/* ---- limits ---- */

#define N_MANY 600

static void put_many(struct fixture *f, unsigned first, unsigned n)
{
	static const char filler[] = "long-name-of-a-tenant";

	for (unsigned i = first; i < first + n; i++) {
		testing_put(f->store, KUBE_INGRESS,
			"{'metadata':{'namespace':'ns','name':'i%03u','creationTimestamp':"
			"'2024-01-01T%02u:%02u:%02uZ'},'spec':{'ingressClassName':'c','tls':[{"
			"'hosts':['h%03u-%s.a.test'],'secretName':'rsa'}]}}",
			i, i / 3600, i / 60 % 60, i % 60, i, filler);
	}
}

static bool is_shadowed(const struct fixture *f, unsigned i)
{
	CLEANUP(free_ptr) char *name = xasprintf("i%03u", i);
	size_t n;
	struct diag *diags = model_ingress_diags(f->model, "ns", name, &n);
	bool is_told = n > 0;

	if (is_told) {
		assert_int_equal(diags[0].reason, DIAG_CERTIFICATE_SHADOWED);
		assert_non_null(strstr(diags[0].text, "use a certificate with an ECDSA key"));
		assert_string_equal(diags[0].field, "spec.tls[0].hosts[0]");
	}
	model_free_diags(diags, n);
	return is_told;
}

static unsigned count_shadowed(const struct fixture *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_MANY; i++) {
		n += is_shadowed(f, i);
	}
	return n;
}

static void count_report(void *ctx, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags)
{
	(void)namespace;
	(void)name;
	(void)diags;
	(void)n_diags;
	(*(unsigned *)ctx)++;
}

static unsigned count_reports(struct fixture *f)
{
	unsigned n = 0;

	model_report_diags(f->model, count_report, &n);
	return n;
}

/* More names than HAProxy can be told of: the oldest are kept as they are, the youngest learn that
 * the wildcard's certificate is shown for them. */
static void test_too_many(void **state)
{
	struct fixture *f = *state;

	put_secret(f, "rsa", data[CERT_KEY_RSA][0]);
	put(f, "other", "wild", "*.a.test", data[CERT_KEY_ECDSA][0]);
	put_many(f, 0, N_MANY);
	take_up(f);
	check_certificates(f, N_MANY + 1);
	check_rebuild(f);
	const struct model_certificate *wild = find_named(f, "other_wild_", "*.a.test");
	unsigned n_kept = (unsigned)wild->n_hosts - 1;
	assert_in_range(n_kept, 300, N_MANY - 50);
	assert_int_equal(count_shadowed(f), N_MANY - n_kept);
	assert_false(is_shadowed(f, n_kept - 1));
	assert_true(is_shadowed(f, n_kept));
	assert_int_equal(count_reports(f), N_MANY - n_kept);

	/* One of the oldest goes: the next in line is safe, and told so. */
	store_remove(f->store, KUBE_INGRESS, "ns", "i000");
	take_up(f);
	assert_false(is_shadowed(f, n_kept));
	assert_int_equal(count_reports(f), 1);
	/* The oldest of all takes a place. */
	put_many(f, 0, 1);
	take_up(f);
	assert_true(is_shadowed(f, n_kept));
	check_rebuild(f);

	/* Another Ingress has the wildcard, of a type that harms nobody; then nobody has it. */
	testing_put_secret(f->store, "other", "wild", data[CERT_KEY_RSA][0], TESTING_NOW);
	take_up(f);
	assert_int_equal(count_shadowed(f), 0);
	testing_put_secret(f->store, "other", "wild", data[CERT_KEY_ECDSA][0], TESTING_NOW);
	take_up(f);
	assert_int_equal(count_shadowed(f), N_MANY - n_kept);
	store_remove(f->store, KUBE_INGRESS, "other", "wild");
	take_up(f);
	assert_int_equal(count_shadowed(f), 0);
	check_rebuild(f);
}

/* A list of names that is long already: the wildcard with what it is not for has one for itself. */
static void test_long_lists(void **state)
{
	struct fixture *f = *state;
	struct buf hosts = BUF_INIT(0);

	put_secret(f, "rsa", data[CERT_KEY_RSA][0]);
	put_many(f, 0, 250);
	buf_append_str(&hosts, "'*.a.test'");
	for (unsigned i = 0; i < 100; i++) {
		buf_printf(&hosts, ",'n%02u.%.*s.test'", i, 60,
			"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
	}
	put_secret(f, "wild", data[CERT_KEY_ECDSA][0]);
	put_tls(f, "wild", 1, buf_str(&hosts), "wild");
	take_up(f);
	check_certificates(f, 250 + 101);
	assert_int_equal(count_shadowed(f), 0);
	assert_string_equal(find_for(f, "wild", "*.a.test")->hosts[0], "*.a.test");
	assert_ptr_not_equal(find_for(f, "wild", "*.a.test"),
		find_for(f, "wild",
			"n99.nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn.test"));
	buf_fini(&hosts);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_types),
		CASE(test_comes_and_goes),
		CASE(test_clients),
		CASE(test_too_many),
		CASE(test_long_lists),
	};

	return cmocka_run_group_tests(tests, make_data, free_data);
}
