/* See selfsigned.h. */
#include "haproxy/selfsigned.h"

#include <assert.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SECONDS_A_DAY 86400L
#define SERIAL_BITS   127

/* Clients whose clock is late are not told that it is not valid yet. */
#define BEFORE_SECONDS 86400L

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool is_ok = number != NULL &&
		     BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		     BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

	BN_free(number);
	return is_ok;
}

static bool set_name(X509 *certificate)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		       (const unsigned char *)SELFSIGNED_NAME, -1, -1, 0) == 1 &&
	       X509_set_issuer_name(certificate, name) == 1;
}

static bool set_alternative_name(X509 *certificate)
{
	X509_EXTENSION *extension =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" SELFSIGNED_NAME);
	bool is_ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;

	X509_EXTENSION_free(extension);
	return is_ok;
}

static bool fill(X509 *certificate, EVP_PKEY *key)
{
	return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	       X509_gmtime_adj(X509_getm_notBefore(certificate), -BEFORE_SECONDS) != NULL &&
	       X509_gmtime_adj(X509_getm_notAfter(certificate), SELFSIGNED_DAYS * SECONDS_A_DAY) !=
		       NULL &&
	       X509_set_pubkey(certificate, key) == 1 && set_name(certificate) &&
	       set_alternative_name(certificate) && X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* The memory of a secure BIO is wiped when it is freed. */
static bool print(struct buf *buf, X509 *certificate, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *data = NULL;
	bool is_ok = bio != NULL && PEM_write_bio_X509(bio, certificate) == 1 &&
		     PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1;

	if (is_ok) {
		long size = BIO_get_mem_data(bio, &data);

		buf_append(buf, data, (size_t)size);
	}
	BIO_free(bio);
	return is_ok && buf_is_ok(buf);
}

bool selfsigned_make(struct buf *buf, struct err *err)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	char words[256];

	assert(buf->is_secret);
	bool is_ok = key != NULL && certificate != NULL && fill(certificate, key) &&
		     print(buf, certificate, key);
	EVP_PKEY_free(key);
	X509_free(certificate);
	if (is_ok) {
		return true;
	}
	ERR_error_string_n(ERR_get_error(), words, sizeof(words));
	ERR_clear_error();
	return err_set(err, ERR_RETRY, "can't make a self-signed certificate: %s", words);
}
