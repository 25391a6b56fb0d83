/* See cert.h: the certificates that others are verified against. */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cert/cert.h"
#include "cert/cert_priv.h"

/* What has been read. */
struct authorities {
	BIO *pem;
	STACK_OF(X509) * certs; /* owned, to tell which were there already */
	int64_t not_after;	/* of the one that expires last; 0 = there is none yet */
};

static bool is_known(const struct authorities *authorities, const X509 *cert)
{
	for (int i = 0; i < sk_X509_num(authorities->certs); i++) {
		if (X509_cmp(sk_X509_value(authorities->certs, i), cert) == 0) {
			return true;
		}
	}
	return false;
}

/* Takes the certificate. */
static bool add(struct authorities *authorities, X509 *cert)
{
	int64_t not_after = 0;

	if (is_known(authorities, cert)) {
		X509_free(cert);
		return true;
	}
	if (cert_read_time(X509_get0_notAfter(cert), &not_after) &&
		not_after > authorities->not_after) {
		authorities->not_after = not_after;
	}
	return sk_X509_push(authorities->certs, cert) > 0 &&
	       PEM_write_bio_X509(authorities->pem, cert);
}

static bool is_end(void)
{
	unsigned long code = ERR_peek_last_error();

	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "no reason given";
}

static char *finish(const struct authorities *authorities, const char *what, struct err *err)
{
	char *data = NULL;
	long len = BIO_get_mem_data(authorities->pem, &data);

	if (sk_X509_num(authorities->certs) == 0) {
		(void)err_set(err, ERR_INPUT,
			"data[%s] has no certificate: store the authority's there, as PEM", what);
		return NULL;
	}
	if (len > CERT_MAX_PEM) {
		(void)err_set(err, ERR_INPUT,
			"the certificates in data[%s] are %ld bytes, and HAProxy can be told %d: "
			"leave only the authorities that are needed",
			what, len, CERT_MAX_PEM);
		return NULL;
	}
	return xstrndup(data, (size_t)len);
}

char *cert_read_authorities(
	const char *what, const char *text, size_t len, int64_t *ret_not_after, struct err *err)
{
	if (len > CERT_MAX_INPUT) {
		(void)err_set(err, ERR_INPUT,
			"data[%s] is larger than %d bytes: leave only the authorities that are "
			"needed",
			what, CERT_MAX_INPUT);
		return NULL;
	}
	struct authorities authorities = {BIO_new(BIO_s_mem()), sk_X509_new_null(), 0};
	BIO *bio = BIO_new_mem_buf(text, (int)len);
	char *pem = NULL;
	bool is_ok = true;
	X509 *cert;

	ERR_clear_error();
	while (is_ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		is_ok = add(&authorities, cert);
	}
	if (is_ok && is_end()) {
		pem = finish(&authorities, what, err);
		*ret_not_after = pem != NULL ? authorities.not_after : *ret_not_after;
	} else {
		(void)err_set(err, ERR_INPUT,
			"data[%s] has a certificate that can't be read (%s): write it again, whole",
			what, reason());
	}
	ERR_clear_error();
	BIO_free(bio);
	BIO_free(authorities.pem);
	sk_X509_pop_free(authorities.certs, X509_free);
	return pem;
}

char *cert_without_key(const char *pem)
{
	static const char begin[] = "-----BEGIN ";
	const char *block = pem;

	while ((block = strstr(block, begin)) != NULL) {
		const char *label = block + strlen(begin);
		if (strncmp(label, "CERTIFICATE-", strlen("CERTIFICATE-")) != 0) {
			return xstrndup(pem, (size_t)(block - pem));
		}
		block = label;
	}
	return xstrdup(pem);
}
