/* Certificates of every kind that a Secret may hold: what is taken, and what is said of the rest.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/dsa.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include "base/buf.h"
#include "cert/cert.h"
#include "cert/cert_testing.h"

/* Keys take time: made once. */
static EVP_PKEY *ec_key;
static EVP_PKEY *other_key;
static EVP_PKEY *rsa_key;

static int make_keys(void **state)
{
	(void)state;
	ec_key = EVP_EC_gen("P-256");
	other_key = EVP_EC_gen("P-256");
	rsa_key = EVP_RSA_gen(2048);
	return ec_key && other_key && rsa_key ? 0 : -1;
}

static int free_keys(void **state)
{
	(void)state;
	EVP_PKEY_free(ec_key);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(rsa_key);
	return 0;
}

static bool read_texts(const char *crt, const char *key, struct cert *ret_cert, struct err *err)
{
	return cert_read(crt, strlen(crt), key, strlen(key), ret_cert, err);
}

/* Is refused with all of these words, ended by NULL; never with bytes of the key. */
static void expect_refused(const char *crt, const char *key, ...)
{
	struct cert cert = {0};
	struct err err = {0};
	const char *word;
	va_list words;

	assert_false(read_texts(crt, key, &cert, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	va_start(words, key);
	while ((word = va_arg(words, const char *)) != NULL) {
		if (strstr(err.text, word) == NULL) {
			fail_msg("'%s' is not in '%s'", word, err.text);
		}
	}
	va_end(words);
	assert_null(strstr(err.text, "PRIVATE KEY"));
}

static void expect_taken(const char *crt, const char *key, struct cert *ret_cert)
{
	struct err err = {0};

	if (!read_texts(crt, key, ret_cert, &err)) {
		fail_msg("refused: %s", err.text);
	}
	assert_null(strstr(ret_cert->pem, "\n\n"));
	assert_int_equal(strlen(ret_cert->fingerprint), 40);
}

static char *make_cert(EVP_PKEY *key, const char *names)
{
	X509 *cert = testing_cert_new(
		&(struct testing_cert){.common_name = "a.test", .names = names, .key = key});
	char *pem = testing_cert_pem(cert);

	X509_free(cert);
	return pem;
}

static void test_good(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, "DNS:A.test,DNS:*.b.test,IP:10.0.0.1");
	char *key = testing_key_pem(ec_key, NULL);
	struct cert cert = {0};

	expect_taken(crt, key, &cert);
	assert_string_equal(cert.names, "a.test *.b.test");
	assert_int_equal(cert.key, CERT_KEY_ECDSA);
	assert_int_equal(cert.not_before, TESTING_NOW - 86400);
	assert_int_equal(cert.not_after, TESTING_NOW + 86400);
	char *both = xasprintf("%s%s", crt, key);
	assert_string_equal(cert.pem, both);
	free(both);
	cert_fini(&cert);
	free(crt);
	free(key);
}

static void test_key_types(void **state)
{
	(void)state;
	EVP_PKEY *keys[] = {rsa_key, EVP_EC_gen("P-521"), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	const enum cert_key types[] = {CERT_KEY_RSA, CERT_KEY_ECDSA, CERT_KEY_OTHER};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char *crt = make_cert(keys[i], NULL);
		char *key = testing_key_pem(keys[i], NULL);
		struct cert cert = {0};
		expect_taken(crt, key, &cert);
		assert_int_equal(cert.key, types[i]);
		assert_string_equal(cert.names, "a.test"); /* the common name */
		cert_fini(&cert);
		free(crt);
		free(key);
	}
	EVP_PKEY_free(keys[1]);
	EVP_PKEY_free(keys[2]);
}

static EVP_PKEY *new_pss_key(void)
{
	EVP_PKEY *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);

	assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048), 1);
	assert_int_equal(EVP_PKEY_generate(ctx, &key), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void expect_type(EVP_PKEY *key, const char *text, enum cert_key type)
{
	char *crt = make_cert(key, NULL);
	char *pkcs8 = testing_key_pem(key, NULL);
	struct cert cert = {0};

	expect_taken(crt, text, &cert);
	assert_int_equal(cert.key, type);
	assert_non_null(strstr(cert.pem, pkcs8)); /* whatever form it came in */
	cert_fini(&cert);
	free(pkcs8);
	free(crt);
}

static char *old_form(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	assert_int_equal(
		PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	return testing_bio_text(bio);
}

/* As openssl wrote them before 3.0, and a key that is for RSA-PSS alone. */
static void test_key_forms(void **state)
{
	(void)state;
	EVP_PKEY *pss_key = new_pss_key();
	char *rsa = old_form(rsa_key);
	char *ec = old_form(ec_key);
	char *pss = testing_key_pem(pss_key, NULL);

	assert_memory_equal(rsa, "-----BEGIN RSA PRIVATE KEY-----", 31);
	assert_memory_equal(ec, "-----BEGIN EC PRIVATE KEY-----", 30);
	expect_type(rsa_key, rsa, CERT_KEY_RSA);
	expect_type(ec_key, ec, CERT_KEY_ECDSA);
	expect_type(pss_key, pss, CERT_KEY_RSA);
	free(rsa);
	free(ec);
	free(pss);
	EVP_PKEY_free(pss_key);
}

static void expect_key_refused(EVP_PKEY *key, const char *word)
{
	char *crt = make_cert(ec_key, NULL);
	char *text = testing_key_pem(key, NULL);

	expect_refused(crt, text, "tls.key", word, NULL);
	free(crt);
	free(text);
}

/* Numbers that are no key: to make a real one of this size takes minutes. */
static EVP_PKEY *make_large_key(void)
{
	static const char *const others[] = {OSSL_PKEY_PARAM_RSA_FACTOR1,
		OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	BIGNUM *n = BN_new();
	BIGNUM *d = BN_new();
	EVP_PKEY *key = NULL;

	BN_rand(n, 16384, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	BN_rand(d, 16000, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n);
	OSSL_PARAM_BLD_push_ulong(build, OSSL_PKEY_PARAM_RSA_E, 65537);
	OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_D, d);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		OSSL_PARAM_BLD_push_BN(build, others[i], d);
	}
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
	EVP_PKEY_fromdata_init(ctx);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_free(n);
	BN_free(d);
	return key;
}

static EVP_PKEY *make_dsa_key(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL);
	EVP_PKEY *params = NULL;
	EVP_PKEY *key = NULL;

	EVP_PKEY_paramgen_init(ctx);
	EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 1024);
	EVP_PKEY_paramgen(ctx, &params);
	EVP_PKEY_CTX_free(ctx);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, params, NULL);
	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_keygen(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(params);
	return key;
}

static void test_unusable_keys(void **state)
{
	(void)state;
	EVP_PKEY *keys[] = {
		make_large_key(), EVP_RSA_gen(1024), make_dsa_key(), EVP_EC_gen("secp256k1")};
	const char *words[] = {"16384 bits", "1024 bits", "(DSA)", "secp256k1"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		expect_key_refused(keys[i], words[i]);
		EVP_PKEY_free(keys[i]);
	}
}

static void test_missing_parts(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	char *two = xasprintf("%s%s", key, key);
	char *encrypted = testing_key_pem(ec_key, "secret");
	char *foreign = testing_key_pem(other_key, NULL);

	expect_refused("", "", "tls.crt has no certificate", NULL);
	expect_refused("", key, "tls.crt has no certificate", NULL);
	expect_refused(key, crt, "tls.crt has no certificate", NULL);
	expect_refused(crt, "", "tls.key has no private key", NULL);
	expect_refused(crt, two, "more than one private key", NULL);
	expect_refused(crt, encrypted, "encrypted", "passphrase", NULL);
	expect_refused(crt, foreign, "does not belong", "mismatch", NULL);
	free(crt);
	free(key);
	free(two);
	free(encrypted);
	free(foreign);
}

static void test_old_encryption(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, NULL);

	expect_refused(crt,
		"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
		"DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\nAAAA\n"
		"-----END RSA PRIVATE KEY-----\n",
		"encrypted", NULL);
	free(crt);
}

static void test_broken(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	char *cut = xstrndup(crt, strlen(crt) - 40);
	char *bad = xstrdup(crt);
	char *large = xcalloc(1, 1 << 20);

	memset(large, 'x', (1 << 20) - 1);
	bad[60] = '!';
	expect_refused(cut, key, "tls.crt has a PEM block that can't be read", "(", NULL);
	expect_refused(bad, key, "tls.crt has a PEM block that can't be read", "base64", NULL);
	expect_refused(crt, cut, "tls.key has a PEM block that can't be read", NULL);
	expect_refused("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key,
		"can't be read", "issue it again", NULL);
	expect_refused(crt, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"tls.key can't be read", NULL);
	expect_refused(large, key, "tls.crt is larger than 65536 bytes", NULL);
	expect_refused(crt, large, "tls.key is larger than 65536 bytes", NULL);
	free(crt);
	free(key);
	free(cut);
	free(bad);
	free(large);
}

/* A byte order mark, other line ends, words between the blocks: the same comes out. */
static void test_lenient(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	struct buf text = BUF_INIT(0);
	struct cert plain = {0};
	struct cert cert = {0};

	buf_append_str(&text, "\xef\xbb\xbf");
	for (const char *c = crt; *c != '\0'; c++) {
		buf_append_str(&text, *c == '\n' ? "\r\n" : (const char[]){*c, '\0'});
	}
	char *words = xasprintf("Bag Attributes\n  friendlyName: x\n\n%s\n\ngarbage\n", key);
	expect_taken(crt, key, &plain);
	expect_taken(buf_str(&text), words, &cert);
	assert_string_equal(cert.pem, plain.pem);
	assert_string_equal(cert.digest, plain.digest);
	cert_fini(&plain);
	cert_fini(&cert);
	buf_fini(&text);
	free(words);
	free(crt);
	free(key);
}

struct family {
	X509 *root;
	X509 *middle;
	X509 *leaf;
	X509 *stranger;
	char *pems[4];
};

static void family_init(struct family *family)
{
	family->root = testing_cert_new(&(struct testing_cert){
		.common_name = "root", .key = other_key, .constraints = "CA:TRUE"});
	family->middle = testing_cert_new(&(struct testing_cert){.common_name = "middle",
		.key = rsa_key,
		.constraints = "CA:TRUE",
		.name_constraints = "permitted;DNS:other.test",
		.issuer = family->root,
		.issuer_key = other_key});
	family->leaf = testing_cert_new(&(struct testing_cert){.common_name = "leaf",
		.names = "DNS:a.test",
		.key = ec_key,
		.issuer = family->middle,
		.issuer_key = rsa_key});
	/* The name of the issuer, and another key. */
	family->stranger = testing_cert_new(&(struct testing_cert){.common_name = "middle",
		.key = other_key,
		.constraints = "CA:TRUE",
		.issuer = family->root,
		.issuer_key = other_key});
	X509 *all[] = {family->root, family->middle, family->leaf, family->stranger};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		family->pems[i] = testing_cert_pem(all[i]);
	}
}

static void family_fini(struct family *family)
{
	X509 *all[] = {family->root, family->middle, family->leaf, family->stranger};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		X509_free(all[i]);
		free(family->pems[i]);
	}
}

/* Whatever the order and whoever else is there: leaf, then issuer; not the root. */
static void test_chain_orders(void **state)
{
	static const int orders[][4] = {{2, 1, 0, 3}, {0, 1, 2, 3}, {3, 0, 2, 1}, {1, 3, 2, 0}};
	struct family family;
	char *key = testing_key_pem(ec_key, NULL);

	(void)state;
	family_init(&family);
	char *expected = xasprintf("%s%s%s", family.pems[2], family.pems[1], key);
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct cert cert = {0};
		char *crt =
			xasprintf("%s%s%s%s", family.pems[orders[i][0]], family.pems[orders[i][1]],
				family.pems[orders[i][2]], family.pems[orders[i][3]]);
		expect_taken(crt, key, &cert);
		assert_string_equal(cert.pem, expected);
		assert_string_equal(cert.names, "a.test");
		cert_fini(&cert);
		free(crt);
	}
	family_fini(&family);
	free(expected);
	free(key);
}

static void test_long_chain(void **state)
{
	(void)state;
	char *crt = make_cert(ec_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	struct buf many = BUF_INIT(0);

	for (int i = 0; i <= CERT_MAX_CHAIN; i++) {
		buf_append_str(&many, crt);
	}
	expect_refused(buf_str(&many), key, "more than 16 certificates", NULL);
	for (int i = 0; i < 1000; i++) {
		buf_append_str(&many, crt);
	}
	expect_refused(buf_str(&many), key, "larger than", NULL);
	buf_fini(&many);
	free(crt);
	free(key);
}

/* One name more at a time, until it is more than HAProxy's command line takes. */
static void test_largest(void **state)
{
	(void)state;
	char *key = testing_key_pem(ec_key, NULL);
	struct buf names = BUF_INIT(0);
	bool is_over = false;

	for (int i = 0; i < 1000; i++) {
		buf_printf(&names, "%sDNS:%04d.test", i > 0 ? "," : "", i);
		if (i < 850) {
			continue;
		}
		char *crt = make_cert(ec_key, buf_str(&names));
		struct cert cert = {0};
		if (strlen(crt) + strlen(key) <= CERT_MAX_PEM) {
			assert_false(is_over);
			expect_taken(crt, key, &cert);
		} else {
			is_over = true;
			expect_refused(crt, key, "HAProxy can be told 14000", NULL);
		}
		cert_fini(&cert);
		free(crt);
	}
	assert_true(is_over);
	buf_fini(&names);
	free(key);
}

static void test_weak_signatures(void **state)
{
	const EVP_MD *digests[] = {EVP_md5(), EVP_sha1()};
	const char *words[] = {"(MD5)", "(SHA1)"};
	char *key = testing_key_pem(ec_key, NULL);
	X509 *root = testing_cert_new(&(struct testing_cert){
		.common_name = "root", .key = rsa_key, .constraints = "CA:TRUE"});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		X509 *leaf = testing_cert_new(&(struct testing_cert){.common_name = "a.test",
			.key = ec_key,
			.issuer = root,
			.issuer_key = rsa_key,
			.digest = digests[i]});
		char *crt = testing_cert_pem(leaf);
		expect_refused(crt, key, "signature is too weak", words[i], NULL);
		X509_free(leaf);
		free(crt);
	}
	X509_free(root);
	free(key);
}

static void test_names(void **state)
{
	(void)state;
	char *key = testing_key_pem(ec_key, NULL);
	struct buf names = BUF_INIT(0);
	struct cert cert = {0};
	X509 *with_nul = testing_cert_new(&(struct testing_cert){
		.common_name = "a.test\0.evil.test", .common_name_len = 17, .key = ec_key});
	char *crt = testing_cert_pem(with_nul);

	expect_refused(crt, key, "a character that no host name has", NULL);
	free(crt);
	X509_free(with_nul);
	for (int i = 0; i < 10000; i++) {
		buf_printf(&names, "%sDNS:n%d.test", i ? "," : "", i);
	}
	crt = make_cert(ec_key, buf_str(&names));
	expect_refused(crt, key, "tls.crt is larger than", NULL);
	free(crt);
	buf_clear(&names);
	for (int i = 0; i < 1000; i++) {
		buf_printf(&names, "%sDNS:n%d.test", i ? "," : "", i);
	}
	crt = make_cert(ec_key, buf_str(&names));
	expect_refused(crt, key, "HAProxy can be told 14000", "fewer names", NULL);
	free(crt);
	buf_fini(&names);
	crt = make_cert(ec_key, "IP:10.0.0.1");
	expect_taken(crt, key, &cert);
	assert_string_equal(cert.names, "");
	cert_fini(&cert);
	free(crt);
	free(key);
}

static void test_names_have(void **state)
{
	(void)state;
	assert_true(cert_names_have("a.test", "a.test"));
	assert_true(cert_names_have("b.test *.a.test", "x.a.test"));
	assert_true(cert_names_have("*.a.test", "*.a.test"));
	assert_false(cert_names_have("*.a.test", "a.test"));
	assert_false(cert_names_have("*.a.test", "x.y.a.test"));
	assert_false(cert_names_have("*.a.test", ".a.test.b"));
	assert_false(cert_names_have("a.test", "aa.test"));
	assert_false(cert_names_have("", "a.test"));
	assert_false(cert_names_have("*.", "a."));
}

/* ---- authorities ---- */

static char *read_authorities(const char *text, struct err *err)
{
	int64_t not_after = 1;

	*err = (struct err){0};
	char *pem = cert_read_authorities("ca.crt", text, strlen(text), &not_after, err);
	assert_int_equal(not_after, pem != NULL ? TESTING_NOW + 86400 : 1);
	return pem;
}

static void expect_no_authorities(const char *text, const char *word)
{
	struct err err;

	assert_null(read_authorities(text, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	if (strstr(err.text, word) == NULL || strstr(err.text, "data[ca.crt]") == NULL) {
		fail_msg("'%s' is not in '%s'", word, err.text);
	}
}

/* In their order, each once, without what stands between them, whatever else is there. */
static void test_authorities(void **state)
{
	(void)state;
	char *one = make_cert(ec_key, "DNS:one.test");
	char *other = make_cert(other_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	char *both = xasprintf("%s%s", other, one);
	char *mixed = xasprintf("other:\n%s\r\n\n%s and one\n%s%s", other, key, one, other);
	struct err err;

	char *read = read_authorities(mixed, &err);
	assert_string_equal(err.text, "");
	assert_string_equal(read, both);
	assert_null(strstr(read, "PRIVATE KEY"));
	free(read);
	free(mixed);
	free(both);
	free(key);
	free(other);
	free(one);
}

static void test_no_authorities(void **state)
{
	(void)state;
	char *one = make_cert(ec_key, NULL);
	char *key = testing_key_pem(ec_key, NULL);
	char *cut = xasprintf("%s%.*s", one, (int)strlen(one) / 2, one);
	char *spoilt = xasprintf("%s%s", one, one);
	char *large = xmalloc(CERT_MAX_INPUT + 2);
	struct buf many = BUF_INIT(0);

	expect_no_authorities("", "has no certificate");
	expect_no_authorities("no", "has no certificate");
	expect_no_authorities(key, "has no certificate");
	expect_no_authorities(cut, "can't be read");
	spoilt[strlen(one) + strlen("-----BEGIN CERTIFICATE-----\n")] = ';';
	expect_no_authorities(spoilt, "can't be read");
	memset(large, '\n', CERT_MAX_INPUT + 1);
	large[CERT_MAX_INPUT + 1] = '\0';
	expect_no_authorities(large, "larger than 65536 bytes");
	while (many.len <= CERT_MAX_PEM) {
		EVP_PKEY *other = EVP_EC_gen("P-256");
		char *next = make_cert(other, NULL);
		buf_append_str(&many, next);
		free(next);
		EVP_PKEY_free(other);
	}
	expect_no_authorities(buf_str(&many), "HAProxy can be told 14000");
	buf_fini(&many);
	free(large);
	free(spoilt);
	free(cut);
	free(key);
	free(one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_key_types),
		cmocka_unit_test(test_key_forms),
		cmocka_unit_test(test_unusable_keys),
		cmocka_unit_test(test_missing_parts),
		cmocka_unit_test(test_old_encryption),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_lenient),
		cmocka_unit_test(test_chain_orders),
		cmocka_unit_test(test_long_chain),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_weak_signatures),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_have),
		cmocka_unit_test(test_authorities),
		cmocka_unit_test(test_no_authorities),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
