/* For tests: Secrets with certificates that are made while the test runs. Include after cmocka.h.
 */
#ifndef HG_KUBE_SECRET_TESTING_H
#define HG_KUBE_SECRET_TESTING_H

#include "cert/cert_testing.h"
#include "kube/secret.h"
#include "store/store_testing.h"

/* Members of `data`, with ' in the place of " as store_testing.h has it; owned. */
static inline char *testing_secret_data(const struct testing_cert *options)
{
	X509 *cert = testing_cert_new(options);
	CLEANUP(free_ptr) char *crt = testing_cert_pem(cert);
	CLEANUP(free_ptr) char *crt64 = testing_base64(crt);
	CLEANUP(free_ptr) char *pem = testing_key_pem(options->key, NULL);
	CLEANUP(free_ptr) char *pem64 = testing_base64(pem);

	X509_free(cert);
	return xasprintf("'tls.crt':'%s','tls.key':'%s'", crt64, pem64);
}

/* An object of the type that is asked for; `data` as above. */
static inline struct object *testing_secret(
	const char *namespace, const char *name, const char *data)
{
	CLEANUP(free_ptr)
	char *text = xasprintf("{'metadata':{'namespace':'%s','name':'%s'},'type':'" SECRET_TYPE_TLS
			       "','data':{%s}}",
		namespace, name, data);

	return testing_object(KUBE_SECRET, text);
}

/* Puts it as it is read at `now`. */
static inline bool testing_put_secret(
	struct store *store, const char *namespace, const char *name, const char *data, int64_t now)
{
	struct object *object = testing_secret(namespace, name, data);
	struct object *judged = secret_judge((const struct secret *)object, now);

	if (judged != NULL) {
		object_free(object);
		object = judged;
	}
	return store_put(store, object);
}

#endif
