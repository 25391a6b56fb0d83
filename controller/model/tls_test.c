/*
 * Certificates as the model wants them: who wins a name, in whatever order objects come; how many
 * names a certificate has; what stays in use when a Secret can't be used; and what each Ingress is
 * told.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>

#include "cert/cert.h"
#include "cert/wipe_testing.h"
#include "model/tls.h"
#include "model/tls_testing.h"

#define N_ROUNDS     200
#define N_DATA	     7
#define INVALID_DATA "'tls.crt':'','tls.key':'bm8='"

/* Certificates for *.test: 0 and 1 of RSA, the others of ECDSA; 5 expires at once; 6 is for another
 * name. */
static char *data[N_DATA];
static char *ec_pem;

static int make_data(void **state)
{
	EVP_PKEY *keys[] = {EVP_RSA_gen(2048), EVP_EC_gen("P-256")};

	(void)state;
	for (int i = 0; i < N_DATA; i++) {
		data[i] = testing_secret_data(&(struct testing_cert){.common_name = "x",
			.names = i == 6 ? "DNS:other.example" : "DNS:*.test",
			.key = keys[i >= 2],
			.from_seconds = -10000,
			.to_seconds = i == 5 ? -1 : 10000});
	}
	ec_pem = testing_key_pem(keys[1], NULL);
	EVP_PKEY_free(keys[0]);
	EVP_PKEY_free(keys[1]);
	return 0;
}

static int free_data(void **state)
{
	(void)state;
	for (int i = 0; i < N_DATA; i++) {
		free(data[i]);
	}
	free(ec_pem);
	return 0;
}

/* ---- who wins ---- */

/* In the order in which they are to win. Each has a Secret of its own name, of one key type. */
static const struct claimant {
	const char *name;
	unsigned second;
	int content;
} claimants[] = {{"z", 1, 2}, {"a", 2, 0}, {"b", 2, 3}, {"b-1", 2, 1}, {"b1", 2, 4}};

#define N_CLAIMANTS ARRAY_LEN(claimants)

struct presence {
	bool has_ingress[N_CLAIMANTS];
	bool has_secret[N_CLAIMANTS];
};

static bool is_rsa(size_t i)
{
	return claimants[i].content < 2;
}

static void check_winners(const struct fixture *f, const struct presence *there)
{
	size_t winners[2] = {N_CLAIMANTS, N_CLAIMANTS};

	for (size_t i = N_CLAIMANTS; i-- > 0;) {
		if (there->has_ingress[i] && there->has_secret[i]) {
			winners[is_rsa(i)] = i;
		}
	}
	for (size_t i = 0; i < N_CLAIMANTS; i++) {
		size_t winner = winners[is_rsa(i)];
		assert_int_equal(find_for(f, claimants[i].name, "h.test") != NULL, i == winner);
		if (!there->has_ingress[i]) {
			continue;
		}
		if (!there->has_secret[i]) {
			expect_diag(
				f, claimants[i].name, DIAG_SECRET_MISSING, "there is no Secret");
		} else if (i == winner) {
			expect_no_diag(f, claimants[i].name);
		} else {
			CLEANUP(free_ptr)
			char *words = xasprintf("comes from Ingress ns/%s (Secret %s)",
				claimants[winner].name, claimants[winner].name);
			expect_diag(f, claimants[i].name, DIAG_CERTIFICATE_TAKEN, words);
		}
	}
}

/* For each key type the oldest Ingress that has a certificate of it, then the first by name; a
 * server can have one of each. */
static void test_oldest_wins(void **state)
{
	struct fixture *f = *state;
	struct presence there = {0};

	for (unsigned round = 0; round < N_ROUNDS; round++) {
		for (unsigned n = 1 + pick(f, 8); n > 0; n--) {
			size_t i = pick(f, N_CLAIMANTS);
			const struct claimant *c = &claimants[i];
			bool *place = pick(f, 2) ? &there.has_ingress[i] : &there.has_secret[i];
			*place = pick(f, 3) > 0;
			if (place == &there.has_secret[i] && *place) {
				put_secret(f, c->name, data[c->content]);
			} else if (place == &there.has_secret[i]) {
				store_forget(f->store, KUBE_SECRET, "ns", c->name);
			} else if (*place) {
				put_tls(f, c->name, c->second, "'h.test'", c->name);
			} else {
				store_remove(f->store, KUBE_INGRESS, "ns", c->name);
			}
		}
		take_up(f);
		check_winners(f, &there);
	}
}

/*
 * Certificates for h.test of several namespaces, the older first: which are served, and what the
 * others are told. A certificate that clients refuse is served only where there is no other, and
 * nobody adds one of another key type to a name of another namespace.
 */
static void test_namespaces(void **state)
{
	static const struct {
		struct {
			const char *namespace;
			int content; /* of data[] */
		} claims[2];
		unsigned served; /* bits */
		int told;	 /* who is told something about the name; -1 = nobody */
		enum diag_reason reason;
		const char *words;
	} rows[] = {
		{{{"a", 0}, {"a", 2}}, 3, -1, DIAG_REASON_COUNT, NULL},
		{{{"a", 0}, {"b", 2}}, 1, 1, DIAG_CERTIFICATE_TAKEN, "Ingress a/i0 (Secret i0)"},
		{{{"a", 2}, {"b", 0}}, 1, 1, DIAG_CERTIFICATE_TAKEN, "goes first as the older"},
		{{{"a", 0}, {"b", 6}}, 1, 1, DIAG_CERTIFICATE_MISMATCH, "Ingress a/i0 (Secret i0)"},
		{{{"a", 6}, {"b", 0}}, 2, 0, DIAG_CERTIFICATE_MISMATCH, "Ingress b/i1 (Secret i1)"},
		{{{"a", 6}, {"a", 0}}, 2, 0, DIAG_CERTIFICATE_MISMATCH, "is not for h.test"},
		{{{"a", 5}, {"b", 2}}, 2, 0, DIAG_CERTIFICATE_TAKEN, "renew this one"},
		{{{"a", 2}, {"b", 5}}, 1, 1, DIAG_CERTIFICATE_TAKEN, "renew this one"},
		{{{"a", 5}, {"b", 6}}, 1, 1, DIAG_CERTIFICATE_MISMATCH, "Ingress a/i0"},
	};
	struct fixture *f = *state;

	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		for (unsigned i = 0; i < 2; i++) {
			CLEANUP(free_ptr) char *name = xasprintf("i%u", i);
			const char *namespace = rows[r].claims[i].namespace;
			testing_put_secret(f->store, namespace, name,
				data[rows[r].claims[i].content], TESTING_NOW);
			testing_put(f->store, KUBE_INGRESS,
				"{'metadata':{'namespace':'%s','name':'%s','creationTimestamp':"
				"'2024-01-01T00:00:0%uZ'},'spec':{'ingressClassName':'c','tls':[{"
				"'hosts':['h.test'],'secretName':'%s'}]}}",
				namespace, name, i, name);
		}
		take_up(f);
		for (unsigned i = 0; i < 2; i++) {
			CLEANUP(free_ptr) char *name = xasprintf("i%u", i);
			const char *namespace = rows[r].claims[i].namespace;
			CLEANUP(free_ptr) char *prefix = xasprintf("%s_%s_", namespace, name);
			assert_int_equal(
				find_named(f, prefix, "h.test") != NULL, rows[r].served >> i & 1);
			if (rows[r].told == (int)i) {
				expect_last_diag(f, namespace, name, rows[r].reason, rows[r].words);
			}
			store_remove(f->store, KUBE_INGRESS, namespace, name);
			store_forget(f->store, KUBE_SECRET, namespace, name);
		}
		take_up(f);
	}
}

/* Served all the same, and the Ingress is told so: there has never been a better one. */
static void test_only_a_bad_one(void **state)
{
	struct fixture *f = *state;

	put_secret(f, "s", data[5]);
	put_tls(f, "i", 1, "'a.test'", "s");
	take_up(f);
	assert_non_null(find_for(f, "s", "a.test"));
	expect_diag(f, "i", DIAG_CERTIFICATE_EXPIRED, "it is served where there is no better one");
}

/* One Secret for several Ingresses: one certificate with the names of all, each once. */
static void test_one_secret_for_several(void **state)
{
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_tls(f, "i1", 1, "'a.test','b.test'", "s");
	put_tls(f, "i2", 2, "'b.test','c.test'", "s");
	put_tls(f, "i3", 3, "'b.test'", "s");
	take_up(f);
	const struct model_certificate *certificate = find_for(f, "s", "b.test");
	assert_non_null(certificate);
	assert_int_equal(certificate->n_hosts, 3);
	assert_ptr_equal(find_for(f, "s", "a.test"), certificate);
	assert_ptr_equal(find_for(f, "s", "c.test"), certificate);
	expect_no_diag(f, "i1");
	expect_no_diag(f, "i2");
	expect_no_diag(f, "i3");

	/* The others still want the name: nothing is to be done. */
	store_remove(f->store, KUBE_INGRESS, "ns", "i3");
	take_up(f);
	assert_int_equal(f->n_touched, 0);
	store_remove(f->store, KUBE_INGRESS, "ns", "i1");
	take_up(f);
	assert_int_equal(f->n_touched, 2); /* the new one and the old one */
	assert_int_equal(find_for(f, "s", "b.test")->n_hosts, 2);
	store_remove(f->store, KUBE_INGRESS, "ns", "i2");
	take_up(f);
	assert_null(find_for(f, "s", "b.test"));
}

/* ---- limits ---- */

/* So many hosts of so many letters, as JSON. */
static char *make_hosts(unsigned n, int len)
{
	struct buf hosts = BUF_INIT(0);

	for (unsigned i = 0; i < n; i++) {
		buf_printf(&hosts, "%s'", i > 0 ? "," : "");
		/* Labels of at most 50 letters. */
		for (int left = len - 10; left > 0; left -= 51) {
			buf_printf(&hosts, "%.*s.", left > 51 ? 50 : left,
				"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		}
		buf_printf(&hosts, "h%04u.test'", i);
	}
	char *text = xstrdup(buf_str(&hosts));
	buf_fini(&hosts);
	return text;
}

/* A list of names that HAProxy's command line could not take becomes several certificates. */
static void test_long_list(void **state)
{
	CLEANUP(free_ptr) char *hosts = make_hosts(100, 240);
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_tls(f, "i", 1, hosts, "s");
	take_up(f);
	assert_int_equal(check_certificates(f, 100), 3);
}

/* One name more among many changes the certificate that it is in, not all of them. */
static void test_many_hosts(void **state)
{
	CLEANUP(free_ptr) char *hosts = make_hosts(1000, 20);
	CLEANUP(free_ptr) char *more = xasprintf("%s,'a.test'", hosts);
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_tls(f, "i", 1, hosts, "s");
	take_up(f);
	assert_true(check_certificates(f, 1000) > 3);
	put_tls(f, "i", 1, more, "s");
	take_up(f);
	assert_in_range(f->n_touched, 1, 3);
	check_certificates(f, 1001);
}

/* Names of Secrets may be longer than a file's name; those with the same beginning stay apart. */
static void test_long_names(void **state)
{
	struct fixture *f = *state;
	const struct model_certificate *one;
	uint32_t position = 0;
	char name[3][254];

	for (int i = 0; i < 3; i++) {
		memset(name[i], 'n', 253);
		name[i][253] = '\0';
		name[i][252] = (char)('0' + i);
		CLEANUP(free_ptr) char *hosts = xasprintf("'h%d.test'", i);
		CLEANUP(free_ptr) char *ingress = xasprintf("i%d", i);
		put_secret(f, name[i], data[2]);
		put_tls(f, ingress, 1, hosts, name[i]);
	}
	take_up(f);
	assert_int_equal(check_certificates(f, 3), 3);
	while ((one = model_next_certificate(f->model, &position)) != NULL) {
		assert_int_equal(strspn(one->name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
			strlen(one->name));
	}
}

/* ---- what can't be used ---- */

/* Whatever happens to a Secret that is referred to: the certificate stays, and the Ingress says why
 * there is no other. */
static void test_last_good(void **state)
{
	static const struct {
		const char *content; /* NULL = removed */
		enum diag_reason reason;
		const char *words;
	} rows[] = {
		{INVALID_DATA, DIAG_CERTIFICATE_INVALID, "its last good certificate stays"},
		{NULL, DIAG_SECRET_MISSING, "it is gone: create it again; meanwhile its last good"},
		{"expired", DIAG_CERTIFICATE_EXPIRED, "expired at 2023-11-14T22:13:19Z: renew it"},
	};
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_tls(f, "i", 1, "'a.test'", "s");
	take_up(f);
	CLEANUP(free_ptr) char *name = xstrdup(find_for(f, "s", "a.test")->name);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *content = rows[i].content;
		if (content == NULL) {
			store_remove(f->store, KUBE_SECRET, "ns", "s");
		} else {
			put_secret(f, "s", strcmp(content, "expired") ? content : data[5]);
		}
		take_up(f);
		assert_string_equal(find_for(f, "s", "a.test")->name, name);
		assert_int_equal(f->n_touched, 0);
		expect_diag(f, "i", rows[i].reason, rows[i].words);
	}
	put_secret(f, "s", data[3]);
	take_up(f);
	assert_string_not_equal(find_for(f, "s", "a.test")->name, name);
	expect_no_diag(f, "i");
}

/* The controller has never seen it good: HAProxy may have. */
static void test_keeps_what_is_there(void **state)
{
	static const char *const ours[] = {"ns_s_0123456789abcdef", "ns_s_x"};
	static const char *const others[] = {"ns_s", "ns_s2_0123456789abcdef", "ns_", "s", "",
		"ns_s_x_0123456789abcdef", MODEL_CERTIFICATE_DEFAULT};
	struct fixture *f = *state;

	put_tls(f, "i", 1, "'a.test'", "s");
	for (int i = 0; i < 2; i++) {
		take_up(f);
		for (size_t j = 0; j < ARRAY_LEN(ours); j++) {
			assert_true(model_keeps_certificate(f->model, ours[j]));
		}
		for (size_t j = 0; j < ARRAY_LEN(others); j++) {
			assert_false(model_keeps_certificate(f->model, others[j]));
		}
		put_secret(f, "s", INVALID_DATA);
	}
	put_secret(f, "s", data[2]);
	take_up(f);
	assert_false(model_keeps_certificate(f->model, ours[0]));
	store_forget(f->store, KUBE_SECRET, "ns", "s");
	take_up(f);
	assert_true(model_keeps_certificate(f->model, ours[0]));
	store_remove(f->store, KUBE_INGRESS, "ns", "i");
	take_up(f);
	assert_false(model_keeps_certificate(f->model, ours[0]));
}

/* The default keeps its name; what is in it is the newest that can be used. */
static void test_default(void **state)
{
	struct fixture *f = *state;

	model_free(f->model);
	f->model = model_new(&(struct model_options){.controller_name = "ours",
		.certificate_namespace = "ns",
		.certificate_secret = "d"});
	take_up(f);
	assert_null(model_find_certificate(f->model, MODEL_CERTIFICATE_DEFAULT));
	put_secret(f, "d", data[2]);
	take_up(f);
	const struct model_certificate *one =
		model_find_certificate(f->model, MODEL_CERTIFICATE_DEFAULT);
	assert_int_equal(one->n_hosts, 0);
	assert_int_equal(f->n_touched, 1);
	CLEANUP(free_ptr) char *print = xstrdup(one->fingerprint);
	put_secret(f, "d", data[3]);
	take_up(f);
	assert_int_equal(f->n_touched, 1);
	one = model_find_certificate(f->model, MODEL_CERTIFICATE_DEFAULT);
	assert_string_not_equal(one->fingerprint, print);
	store_remove(f->store, KUBE_SECRET, "ns", "d");
	take_up(f);
	assert_int_equal(f->n_touched, 0);
	assert_non_null(model_find_certificate(f->model, MODEL_CERTIFICATE_DEFAULT));
}

/* ---- reading spec.tls ---- */

static void test_entries(void **state)
{
	static const struct {
		const char *spec;
		const char *host; /* that the certificate is for; NULL = there is none */
		enum diag_reason reason;
		const char *words; /* of the one diagnostic; NULL = none */
	} rows[] = {
		{"'tls':[{'hosts':['a.test'],'secretName':'s'}]", "a.test", 0, NULL},
		{"'tls':[{'hosts':['*.test'],'secretName':'s'}]", "*.test", 0, NULL},
		{"'tls':[{'hosts':['a.example'],'secretName':'s'}]", "a.example",
			DIAG_CERTIFICATE_MISMATCH, "is not for a.example, clients will refuse it"},
		{"'tls':[{'hosts':['A.test'],'secretName':'s'}]", NULL, DIAG_TLS_HOST_INVALID, ""},
		{"'tls':[{'hosts':['a b'],'secretName':'s'}]", NULL, DIAG_TLS_HOST_INVALID, ""},
		{"'tls':[{'hosts':[''],'secretName':'s'}]", NULL, DIAG_TLS_HOST_INVALID,
			"is empty: name a host"},
		{"'tls':[{'hosts':['a.test']}]", NULL, 0, NULL},
		{"'tls':[{'hosts':['a.test'],'secretName':''}]", NULL, 0, NULL},
		{"'tls':[{'hosts':['a.test'],'secretName':'../s'}]", NULL, DIAG_SECRET_MISSING,
			"is not a name that a Secret can have"},
		{"'tls':[{'hosts':['a.test'],'secretName':'S'}]", NULL, DIAG_SECRET_MISSING,
			"is not a name that a Secret can have"},
		{"'tls':[{'secretName':'s'}],'rules':[{'host':'r.test'},{}]", "r.test", 0, NULL},
		{"'tls':[{'secretName':'s'}],'rules':[{}]", NULL, DIAG_TLS_HOST_INVALID,
			"no rule has a host"},
		{"'tls':[{'secretName':'s'}]", NULL, DIAG_TLS_HOST_INVALID, "no rule has a host"},
		{"'tls':[{}]", NULL, 0, NULL},
		{"'tls':[{'hosts':['a.test','a.test'],'secretName':'s'},{'hosts':['a.test'],"
		 "'secretName':'s'}]",
			"a.test", 0, NULL},
		{"'tls':[{'hosts':['a.test'],'secretName':'s'},{'hosts':['a.test'],"
		 "'secretName':'s2'}]",
			"a.test", DIAG_CERTIFICATE_TAKEN, "comes from Ingress ns/i (Secret s)"},
	};
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_secret(f, "s2", data[3]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		put_ingress(f, "i", 1, rows[i].spec);
		take_up(f);
		if (rows[i].host != NULL) {
			assert_non_null(find_for(f, "s", rows[i].host));
			assert_int_equal(check_certificates(f, 1), 1);
		} else {
			assert_int_equal(check_certificates(f, 0), 0);
		}
		expect_diag(f, "i", rows[i].reason, rows[i].words);
		store_remove(f->store, KUBE_INGRESS, "ns", "i");
		take_up(f);
		assert_int_equal(check_certificates(f, 0), 0);
	}
}

/* ---- keys ---- */

/* The model's copy of a key is wiped when another takes its place, when nobody refers to it any
 * more, and at the end. */
static void test_keys_are_wiped(void **state)
{
	struct fixture *f = *state;

	put_secret(f, "s", data[2]);
	put_tls(f, "i", 1, "'a.test'", "s");
	take_up(f);
	testing_count_wipes(ec_pem);
	put_secret(f, "s", data[0]);
	unsigned n_of_store = testing_n_wiped;
	take_up(f);
	assert_int_equal(testing_n_wiped - n_of_store, 1);

	put_secret(f, "s", data[2]);
	take_up(f);
	testing_count_wipes(ec_pem);
	store_remove(f->store, KUBE_INGRESS, "ns", "i");
	take_up(f);
	assert_int_equal(testing_n_wiped, 1);

	put_tls(f, "i", 1, "'a.test'", "s");
	take_up(f);
	testing_count_wipes(ec_pem);
	model_free(f->model);
	f->model = NULL;
	assert_int_equal(testing_n_wiped, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_oldest_wins),
		CASE(test_namespaces),
		CASE(test_only_a_bad_one),
		CASE(test_one_secret_for_several),
		CASE(test_long_list),
		CASE(test_many_hosts),
		CASE(test_long_names),
		CASE(test_last_good),
		CASE(test_keeps_what_is_there),
		CASE(test_default),
		CASE(test_entries),
		CASE(test_keys_are_wiped),
	};

	return cmocka_run_group_tests(tests, make_data, free_data);
}
