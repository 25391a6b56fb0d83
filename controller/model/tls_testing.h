/* For tests of certificates in the model: a store and a model of it, Ingresses with TLS, and what
 * is made of them. Include after cmocka.h. */
#ifndef HG_MODEL_TLS_TESTING_H
#define HG_MODEL_TLS_TESTING_H

#include "kube/secret_testing.h"
#include "model/diag.h"
#include "model/model.h"

struct fixture {
	struct store *store;
	struct model *model;
	uint64_t random;
	size_t n_touched; /* certificates in the last delta */
};

static inline int set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	f->random = 20240501;
	f->store = store_new();
	f->model = model_new(&(struct model_options){.controller_name = "ours"});
	testing_put(f->store, KUBE_INGRESS_CLASS,
		"{'metadata':{'name':'c'},'spec':{'controller':'ours'}}");
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	model_free(f->model);
	store_free(f->store);
	free(f);
	return 0;
}

/* `tls` = members of spec, as JSON */
static inline void put_ingress(
	struct fixture *f, const char *name, unsigned second, const char *tls)
{
	testing_put(f->store, KUBE_INGRESS,
		"{'metadata':{'namespace':'ns','name':'%s','creationTimestamp':'2024-01-01T00:00:0"
		"%uZ'},'spec':{'ingressClassName':'c',%s}}",
		name, second, tls);
}

static inline void put_tls(
	struct fixture *f, const char *name, unsigned second, const char *hosts, const char *secret)
{
	CLEANUP(free_ptr)
	char *tls = xasprintf("'tls':[{'hosts':[%s],'secretName':'%s'}]", hosts, secret);

	put_ingress(f, name, second, tls);
}

static inline void put_secret(struct fixture *f, const char *name, const char *content)
{
	testing_put_secret(f->store, "ns", name, content, TESTING_NOW);
}

static inline void take_up(struct fixture *f)
{
	struct store_changes changes = store_take_changes(f->store);

	model_update(f->model, f->store, &changes);
	store_changes_fini(&changes);
	struct model_delta delta = model_take_delta(f->model);
	f->n_touched = delta.n_certificates;
	model_delta_fini(&delta);
}

/* The certificate that has the host and a name that begins so; NULL = none. Fails when there are
 * two. */
static inline const struct model_certificate *find_named(
	const struct fixture *f, const char *prefix, const char *host)
{
	const struct model_certificate *found = NULL;
	const struct model_certificate *one;
	uint32_t position = 0;

	while ((one = model_next_certificate(f->model, &position)) != NULL) {
		for (size_t i = 0; i < one->n_hosts; i++) {
			if (strcmp(one->hosts[i], host) == 0 &&
				strncmp(one->name, prefix, strlen(prefix)) == 0) {
				assert_null(found);
				found = one;
			}
		}
	}
	return found;
}

static inline const struct model_certificate *find_for(
	const struct fixture *f, const char *secret, const char *host)
{
	CLEANUP(free_ptr) char *prefix = xasprintf("ns_%s_", secret);

	return find_named(f, prefix, host);
}

/* What is said last, after the Secret's own faults. */
static inline void expect_last_diag(const struct fixture *f, const char *namespace,
	const char *name, enum diag_reason reason, const char *words)
{
	size_t n;
	struct diag *diags = model_ingress_diags(f->model, namespace, name, &n);

	assert_true(n > 0);
	assert_int_equal(diags[n - 1].reason, reason);
	if (strstr(diags[n - 1].text, words) == NULL) {
		fail_msg("'%s' is not in '%s'", words, diags[n - 1].text);
	}
	model_free_diags(diags, n);
}

/* The one diagnostic of this Ingress, with these words; NULL = none at all. */
static inline void expect_diag(
	const struct fixture *f, const char *name, enum diag_reason reason, const char *words)
{
	size_t n;
	struct diag *diags = model_ingress_diags(f->model, "ns", name, &n);

	assert_int_equal(n, words != NULL);
	if (words != NULL) {
		assert_int_equal(diags[0].reason, reason);
		if (strstr(diags[0].text, words) == NULL) {
			fail_msg("'%s' is not in '%s'", words, diags[0].text);
		}
	}
	model_free_diags(diags, n);
}

static inline void expect_no_diag(const struct fixture *f, const char *name)
{
	expect_diag(f, name, DIAG_REASON_COUNT, NULL);
}

static inline unsigned pick(struct fixture *f, unsigned n)
{
	f->random = f->random * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(f->random >> 33) % n;
}

/* Checks every certificate; returns how many there are. `n_hosts`: of all, what is excluded aside.
 */
static inline unsigned check_certificates(const struct fixture *f, size_t n_hosts)
{
	const struct model_certificate *one;
	uint32_t position = 0;
	unsigned n = 0;

	while ((one = model_next_certificate(f->model, &position)) != NULL) {
		size_t size = 0;
		for (size_t i = 0; i < one->n_hosts; i++) {
			const char *host = one->hosts[i];
			const char *before = i > 0 ? one->hosts[i - 1] : "";
			/* What is excluded comes last. */
			bool begins = *host == '!' && *before != '!';
			assert_true(begins ? i > 0 : strcmp(before, host) < 0);
			size += strlen(host) + 1;
			n_hosts -= *host != '!';
		}
		assert_in_range(one->n_hosts, 1, MODEL_CERTIFICATE_MAX_NAMES);
		assert_true(size <= MODEL_CERTIFICATE_MAX_HOSTS);
		assert_true(strlen(one->name) <= MODEL_CERTIFICATE_MAX_NAME);
		assert_true(strlen(one->pem) <= MODEL_CERTIFICATE_MAX_PEM);
		n++;
	}
	assert_int_equal(n_hosts, 0);
	return n;
}

#endif
