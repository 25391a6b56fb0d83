/*
 * For tests: keys and certificates of every kind, made with OpenSSL while the test runs. Include
 * after cmocka.h.
 */
#ifndef HG_CERT_CERT_TESTING_H
#define HG_CERT_CERT_TESTING_H

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/attr.h"

#define TESTING_NOW 1700000000

struct testing_cert {
	const char *common_name;
	int common_name_len; /* 0 = up to the NUL */
	const char *names;   /* "DNS:a.test,DNS:b.test"; NULL = no alternative names */
	EVP_PKEY *key;
	X509 *issuer; /* NULL = self-signed */
	EVP_PKEY *issuer_key;
	const char *constraints; /* "CA:TRUE"; NULL = none */
	const char *name_constraints;
	const EVP_MD *digest; /* NULL = SHA-256 where the key wants one */
	int from_seconds;     /* since TESTING_NOW; both 0 = a day around it */
	int to_seconds;
};

static inline void testing_add_extension(X509 *cert, int nid, const char *value)
{
	X509V3_CTX ctx;

	if (value == NULL) {
		return;
	}
	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(extension);
	X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
}

static inline X509 *testing_cert_new(const struct testing_cert *options)
{
	static long serial = 1;
	int id = EVP_PKEY_get_base_id(options->issuer_key ? options->issuer_key : options->key);
	bool has_own_digest = id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448;
	bool is_default = options->from_seconds == 0 && options->to_seconds == 0;
	X509 *cert = X509_new();
	X509_NAME *subject = X509_NAME_new();

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
	ASN1_TIME_set(X509_getm_notBefore(cert),
		TESTING_NOW + (is_default ? -86400 : options->from_seconds));
	ASN1_TIME_set(
		X509_getm_notAfter(cert), TESTING_NOW + (is_default ? 86400 : options->to_seconds));
	X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
		(const unsigned char *)options->common_name,
		options->common_name_len ? options->common_name_len : -1, -1, 0);
	X509_set_subject_name(cert, subject);
	X509_set_issuer_name(
		cert, options->issuer ? X509_get_subject_name(options->issuer) : subject);
	X509_NAME_free(subject);
	X509_set_pubkey(cert, options->key);
	testing_add_extension(cert, NID_subject_alt_name, options->names);
	testing_add_extension(cert, NID_basic_constraints, options->constraints);
	testing_add_extension(cert, NID_name_constraints, options->name_constraints);
	assert_int_not_equal(
		X509_sign(cert, options->issuer_key ? options->issuer_key : options->key,
			has_own_digest ? NULL : (options->digest ? options->digest : EVP_sha256())),
		0);
	return cert;
}

static inline char *testing_bio_text(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);

	BIO_free(bio);
	return text;
}

static inline char *testing_cert_pem(X509 *cert)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_X509(bio, cert);
	return testing_bio_text(bio);
}

/* passphrase NULL = not encrypted */
static inline char *testing_key_pem(EVP_PKEY *key, const char *passphrase)
{
	BIO *bio = BIO_new(BIO_s_mem());

	PEM_write_bio_PrivateKey(
		bio, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL, (void *)passphrase);
	return testing_bio_text(bio);
}

static inline char *testing_base64(const char *text)
{
	size_t len = strlen(text);
	char *out = xmalloc(4 * ((len + 2) / 3) + 1);

	EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)text, (int)len);
	return out;
}

#endif
