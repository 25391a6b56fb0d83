/* See cert.h. Used by kube/secret.c for what stands in Secrets. */
#include "cert/cert.h"
#include "cert/cert_priv.h"

#include <ctype.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"

/* Below this, OpenSSL's security level 2 refuses a signature: MD5 and SHA-1 are. */
#define MIN_SIGNATURE_BITS 112

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

/* What came out of the two texts. */
struct parts {
	X509 *certs[CERT_MAX_CHAIN];
	size_t n_certs;
	EVP_PKEY *key;
	X509 *chain[CERT_MAX_CHAIN]; /* of `certs`, the leaf first; not owned */
	size_t n_chain;
};

/* One PEM block, owned; its content may be a key. */
struct block {
	char *name;
	char *header;
	unsigned char *data;
	long size;
};

typedef bool (*block_fn)(struct parts *parts, const struct block *block, struct err *err);

static const char *openssl_reason(void)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	return reason ? reason : "no reason given";
}

static void block_fini(struct block *block)
{
	OPENSSL_free(block->name);
	OPENSSL_free(block->header);
	OPENSSL_clear_free(block->data, block->size > 0 ? (size_t)block->size : 0);
	*block = (struct block){0};
}

static bool is_end_of_blocks(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

/* Calls `take` for each PEM block of the text. */
static bool read_blocks(struct parts *parts, const char *what, const char *text, size_t len,
	block_fn take, struct err *err)
{
	struct block block = {0};
	bool is_ok = true;

	if (len > CERT_MAX_INPUT) {
		return err_set(err, ERR_INPUT,
			"%s is larger than %d bytes: leave only the certificate, its chain and its "
			"key",
			what, CERT_MAX_INPUT);
	}
	if (len >= 3 && memcmp(text, BYTE_ORDER_MARK, 3) == 0) {
		text += 3;
		len -= 3;
	}
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	ERR_clear_error();
	while (is_ok && PEM_read_bio(bio, &block.name, &block.header, &block.data, &block.size)) {
		is_ok = take(parts, &block, err);
		block_fini(&block);
	}
	if (is_ok && !is_end_of_blocks()) {
		is_ok = err_set(err, ERR_INPUT,
			"%s has a PEM block that can't be read (%s): write it again, whole", what,
			openssl_reason());
	}
	ERR_clear_error();
	BIO_free(bio);
	return is_ok;
}

static bool take_certificate(struct parts *parts, const struct block *block, struct err *err)
{
	const unsigned char *data = block->data;

	if (strcmp(block->name, PEM_STRING_X509) != 0 &&
		strcmp(block->name, PEM_STRING_X509_OLD) != 0) {
		return true;
	}
	if (parts->n_certs == CERT_MAX_CHAIN) {
		return err_set(err, ERR_INPUT,
			"tls.crt has more than %d certificates: leave only the one of the server "
			"and its chain",
			CERT_MAX_CHAIN);
	}
	X509 *cert = d2i_X509(NULL, &data, block->size);
	if (cert == NULL) {
		return err_set(err, ERR_INPUT,
			"tls.crt has a certificate that can't be read (%s): issue it again",
			openssl_reason());
	}
	parts->certs[parts->n_certs++] = cert;
	return true;
}

static bool is_key_block(const struct block *block)
{
	static const char *const suffix = "PRIVATE KEY";
	size_t len = strlen(block->name);

	return len >= strlen(suffix) && strcmp(block->name + len - strlen(suffix), suffix) == 0;
}

/* Which kind of key the block says it has; NID_undef = it doesn't. OpenSSL 3.0 tries all its
 * decoders on a key of which it isn't said, which takes longer than everything else that is done
 * here. */
static int stated_type(const struct block *block)
{
	const unsigned char *data = block->data;
	const ASN1_OBJECT *algorithm = NULL;
	int type = NID_undef;

	if (strcmp(block->name, PEM_STRING_RSA) == 0) {
		return EVP_PKEY_RSA;
	}
	if (strcmp(block->name, PEM_STRING_ECPRIVATEKEY) == 0) {
		return EVP_PKEY_EC;
	}
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, block->size);
	if (info != NULL && PKCS8_pkey_get0(&algorithm, NULL, NULL, NULL, info)) {
		type = OBJ_obj2nid(algorithm);
	}
	PKCS8_PRIV_KEY_INFO_free(info); /* wipes */
	ERR_clear_error();
	return type;
}

static bool take_key(struct parts *parts, const struct block *block, struct err *err)
{
	const unsigned char *data = block->data;
	int type;

	if (!is_key_block(block)) {
		return true;
	}
	if (strcmp(block->name, PEM_STRING_PKCS8) == 0 ||
		strstr(block->header, "ENCRYPTED") != NULL) {
		return err_set(err, ERR_INPUT,
			"tls.key is encrypted: store it without a passphrase (openssl pkey)");
	}
	if (parts->key != NULL) {
		return err_set(err, ERR_INPUT,
			"tls.key has more than one private key: leave the one of the certificate");
	}
	type = stated_type(block);
	parts->key = type != NID_undef ? d2i_PrivateKey(type, NULL, &data, block->size)
				       : d2i_AutoPrivateKey(NULL, &data, block->size);
	if (parts->key == NULL) {
		return err_set(err, ERR_INPUT,
			"tls.key can't be read (%s): store the key as PEM, as openssl pkey writes "
			"it",
			openssl_reason());
	}
	return true;
}

static bool check_curve(const EVP_PKEY *key, struct err *err)
{
	static const char *const curves[] = {"prime256v1", "secp384r1", "secp521r1"};
	char name[64] = "an unnamed curve";

	(void)EVP_PKEY_get_utf8_string_param(
		key, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof(name), NULL);
	for (size_t i = 0; i < ARRAY_LEN(curves); i++) {
		if (strcmp(name, curves[i]) == 0) {
			return true;
		}
	}
	return err_set(err, ERR_INPUT,
		"tls.key is on the curve %s, which TLS clients do not take: use P-256 or P-384",
		name);
}

/* Before anything is computed with it. */
static bool check_key(const EVP_PKEY *key, enum cert_key *ret_type, struct err *err)
{
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_RSA:
	case EVP_PKEY_RSA_PSS:
		*ret_type = CERT_KEY_RSA;
		if (bits < CERT_MIN_RSA_BITS || bits > CERT_MAX_RSA_BITS) {
			return err_set(err, ERR_INPUT,
				"tls.key is an RSA key of %d bits: use one of %d to %d bits", bits,
				CERT_MIN_RSA_BITS, CERT_MAX_RSA_BITS);
		}
		return true;
	case EVP_PKEY_EC:
		*ret_type = CERT_KEY_ECDSA;
		return check_curve(key, err);
	case EVP_PKEY_ED25519:
	case EVP_PKEY_ED448:
		*ret_type = CERT_KEY_OTHER;
		return true;
	default:
		return err_set(err, ERR_INPUT,
			"tls.key is of a type that TLS servers do not use (%s): use RSA or ECDSA",
			OBJ_nid2sn(EVP_PKEY_get_base_id(key)));
	}
}

static bool find_leaf(struct parts *parts, struct err *err)
{
	for (size_t i = 0; i < parts->n_certs; i++) {
		if (X509_check_private_key(parts->certs[i], parts->key)) {
			parts->chain[parts->n_chain++] = parts->certs[i];
			ERR_clear_error();
			return true;
		}
	}
	err_set(err, ERR_INPUT,
		"tls.key does not belong to the certificate in tls.crt (%s): store the key that it "
		"was issued for",
		openssl_reason());
	ERR_clear_error();
	return false;
}

static bool is_self_signed(X509 *cert)
{
	return (X509_get_extension_flags(cert) & EXFLAG_SS) != 0;
}

static bool is_in_chain(const struct parts *parts, const X509 *cert)
{
	for (size_t i = 0; i < parts->n_chain; i++) {
		if (parts->chain[i] == cert || X509_cmp(parts->chain[i], cert) == 0) {
			return true;
		}
	}
	return false;
}

static X509 *find_issuer(const struct parts *parts, X509 *of)
{
	for (size_t i = 0; i < parts->n_certs; i++) {
		X509 *candidate = parts->certs[i];
		if (!is_in_chain(parts, candidate) && !is_self_signed(candidate) &&
			X509_check_issued(candidate, of) == X509_V_OK &&
			X509_verify(of, X509_get0_pubkey(candidate)) == 1) {
			return candidate;
		}
	}
	return NULL;
}

static void follow_issuers(struct parts *parts)
{
	X509 *issuer;

	while ((issuer = find_issuer(parts, parts->chain[parts->n_chain - 1])) != NULL) {
		parts->chain[parts->n_chain++] = issuer;
	}
	ERR_clear_error();
}

/* As OpenSSL's security level 2 looks at what a server sends. */
static bool check_signatures(const struct parts *parts, struct err *err)
{
	for (size_t i = 0; i < parts->n_chain; i++) {
		int digest = NID_undef;
		int bits = 0;
		if (is_self_signed(parts->chain[i])) {
			continue;
		}
		if (!X509_get_signature_info(parts->chain[i], &digest, NULL, &bits, NULL) ||
			bits < MIN_SIGNATURE_BITS) {
			ERR_clear_error();
			return err_set(err, ERR_INPUT,
				"tls.crt has a certificate whose signature is too weak (%s): have "
				"it issued with SHA-256",
				OBJ_nid2sn(digest));
		}
	}
	return true;
}

/* ---- what is made of it ---- */

static void write_hex(char *text, const unsigned char *bytes, size_t n, const char *digits)
{
	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * n] = '\0';
}

static bool write_pem(const struct parts *parts, struct cert *cert, struct err *err)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	bool is_ok = bio != NULL;

	for (size_t i = 0; i < parts->n_chain; i++) {
		is_ok = is_ok && PEM_write_bio_X509(bio, parts->chain[i]);
	}
	is_ok = is_ok && PEM_write_bio_PrivateKey(bio, parts->key, NULL, NULL, 0, NULL, NULL);
	long len = is_ok ? BIO_get_mem_data(bio, &text) : 0;
	if (!is_ok) {
		err_set(err, ERR_INPUT, "the certificate can't be written (%s): issue it again",
			openssl_reason());
	} else if (len > CERT_MAX_PEM) {
		is_ok = err_set(err, ERR_INPUT,
			"certificate, chain and key are %ld bytes, and HAProxy can be told %d: use "
			"a shorter chain, fewer names, or an ECDSA key",
			len, CERT_MAX_PEM);
	} else {
		cert->pem = xstrndup(text, (size_t)len);
		SHA256((const unsigned char *)text, (size_t)len, digest);
		write_hex(cert->digest, digest, sizeof(digest), "0123456789abcdef");
	}
	BIO_free(bio); /* wipes */
	ERR_clear_error();
	return is_ok;
}

static bool add_name(struct buf *names, const ASN1_STRING *name, struct err *err)
{
	const unsigned char *data = ASN1_STRING_get0_data(name);
	int len = ASN1_STRING_length(name);

	for (int i = 0; i < len; i++) {
		if (data[i] <= ' ' || data[i] >= 0x7f) {
			return err_set(err, ERR_INPUT,
				"tls.crt is for a name with a character that no host name has: "
				"issue it for a host name");
		}
	}
	if (len > 0) {
		buf_append_str(names, names->len > 0 ? " " : "");
		for (int i = 0; i < len; i++) {
			buf_append_char(names, (char)tolower(data[i]));
		}
	}
	return true;
}

static bool read_common_name(X509 *leaf, struct buf *names, struct err *err)
{
	X509_NAME *subject = X509_get_subject_name(leaf);
	int place = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	/* A common name that is no host name ("My server") is no name for us, and no mistake. */
	if (place < 0) {
		return true;
	}
	const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place));
	const unsigned char *data = ASN1_STRING_get0_data(name);
	if (memchr(data, ' ', (size_t)ASN1_STRING_length(name)) != NULL) {
		return true;
	}
	return add_name(names, name, err);
}

static bool read_names(X509 *leaf, struct cert *cert, struct err *err)
{
	GENERAL_NAMES *alternatives = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
	struct buf names = BUF_INIT(0);
	bool is_ok = true;

	for (int i = 0; is_ok && i < sk_GENERAL_NAME_num(alternatives); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(alternatives, i);
		if (name->type == GEN_DNS) {
			is_ok = add_name(&names, name->d.dNSName, err);
		}
	}
	if (is_ok && alternatives == NULL) {
		is_ok = read_common_name(leaf, &names, err);
	}
	GENERAL_NAMES_free(alternatives);
	ERR_clear_error();
	cert->names = buf_take(&names);
	return is_ok;
}

bool cert_read_time(const ASN1_TIME *time, int64_t *ret_seconds)
{
	struct tm parts;

	if (!ASN1_TIME_to_tm(time, &parts)) {
		return false;
	}
	*ret_seconds = timegm(&parts);
	return true;
}

static bool read_leaf(X509 *leaf, struct cert *cert, struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!cert_read_time(X509_get0_notBefore(leaf), &cert->not_before) ||
		!cert_read_time(X509_get0_notAfter(leaf), &cert->not_after) ||
		!X509_digest(leaf, EVP_sha1(), digest, &len)) {
		ERR_clear_error();
		return err_set(err, ERR_INPUT,
			"tls.crt has no valid period that can be read: issue it again");
	}
	write_hex(cert->fingerprint, digest, len, "0123456789ABCDEF");
	return read_names(leaf, cert, err);
}

static bool read_parts(const char *crt, size_t crt_len, const char *key, size_t key_len,
	struct parts *parts, struct err *err)
{
	if (!read_blocks(parts, "tls.crt", crt, crt_len, take_certificate, err) ||
		!read_blocks(parts, "tls.key", key, key_len, take_key, err)) {
		return false;
	}
	if (parts->n_certs == 0) {
		return err_set(err, ERR_INPUT,
			"tls.crt has no certificate: store it there as PEM, with its chain");
	}
	if (parts->key == NULL) {
		return err_set(err, ERR_INPUT, "tls.key has no private key: store it there as PEM");
	}
	return true;
}

bool cert_read(const char *crt, size_t crt_len, const char *key, size_t key_len,
	struct cert *ret_cert, struct err *err)
{
	struct parts parts = {0};
	struct cert cert = {0};
	bool is_ok = read_parts(crt, crt_len, key, key_len, &parts, err) &&
		     check_key(parts.key, &cert.key, err) && find_leaf(&parts, err);

	if (is_ok) {
		follow_issuers(&parts);
		is_ok = check_signatures(&parts, err) && read_leaf(parts.chain[0], &cert, err) &&
			write_pem(&parts, &cert, err);
	}
	for (size_t i = 0; i < parts.n_certs; i++) {
		X509_free(parts.certs[i]);
	}
	EVP_PKEY_free(parts.key);
	ERR_clear_error();
	if (is_ok) {
		*ret_cert = cert;
	} else {
		cert_fini(&cert);
	}
	return is_ok;
}

void cert_fini(struct cert *cert)
{
	if (cert->pem != NULL) {
		OPENSSL_cleanse(cert->pem, strlen(cert->pem));
	}
	free(cert->pem);
	free(cert->names);
	*cert = (struct cert){0};
}

static bool name_is_for(const char *name, size_t len, const char *host)
{
	const char *dot = strchr(host, '.');

	if (strlen(host) == len && strncasecmp(host, name, len) == 0) {
		return true;
	}
	return len > 2 && name[0] == '*' && name[1] == '.' && dot != NULL && host[0] != '*' &&
	       strlen(dot) == len - 1 && strncasecmp(dot, name + 1, len - 1) == 0;
}

bool cert_names_have(const char *names, const char *host)
{
	while (*names != '\0') {
		size_t len = strcspn(names, " ");
		if (name_is_for(names, len, host)) {
			return true;
		}
		names += len;
		names += strspn(names, " ");
	}
	return false;
}
