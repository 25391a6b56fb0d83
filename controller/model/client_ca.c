/* See client_ca.h. Called by sets.c, which reads the option. */
#include "model/client_ca.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"
#include "model/named_secret.h"
#include "store/store.h"

#define FILE_PREFIX	"client-ca-"
#define FILE_SUFFIX	".pem"
#define FILE_OF_NOBODY	FILE_PREFIX "none" FILE_SUFFIX
#define FILE_DIGEST_LEN 16

/* ---- authorities ---- */

/* A certificate without ca.crt is from its own chain. */
static bool is_unusable(const struct secret *secret)
{
	return !obj_has(secret->pem) || obj_has(secret->authorities_fault) ||
	       secret->state == SECRET_ABSENT || secret->state == SECRET_INVALID;
}

/* The newest that are good, else the last that were; NULL = there were none. */
static char *authorities_of(const struct secret *secret)
{
	if (secret == NULL) {
		return NULL;
	}
	if (obj_has(secret->authorities)) {
		return xstrdup(obj_str(secret, secret->authorities));
	}
	if (!is_unusable(secret)) {
		return cert_without_key(obj_str(secret, secret->pem));
	}
	return obj_has(secret->last_authorities)
		       ? xstrdup(obj_str(secret, secret->last_authorities))
		       : NULL;
}

/* What is wrong with the newest version; NULL = nothing. Borrowed. */
static const char *fault_of(const struct secret_node *node, const struct secret *secret)
{
	bool is_absent = secret == NULL || secret->state == SECRET_ABSENT;

	if (is_absent && node->is_unwatched) {
		return MODEL_UNWATCHED_FAULT;
	}
	if (is_absent) {
		return "there is no such Secret: create it, with the authority's certificate in "
		       "ca.crt or tls.crt";
	}
	if (obj_has(secret->authorities)) {
		return secret->have_authorities_expired
			       ? "every authority in it has expired: store the one that the "
				 "clients' certificates are from"
			       : NULL;
	}
	if (obj_has(secret->authorities_fault)) {
		return obj_str(secret, secret->authorities_fault);
	}
	if (strcmp(obj_str(secret, secret->type), SECRET_TYPE_TLS) == 0) {
		return obj_has(secret->fault) ? obj_str(secret, secret->fault) : NULL;
	}
	return "it has neither ca.crt nor tls.crt: store the authority's certificate in ca.crt";
}

static char *fault_text(const struct client_ca *ca, const struct secret *secret)
{
	const char *fault = fault_of(ca->secret, secret);

	if (fault == NULL) {
		return NULL;
	}
	return xasprintf("Secret %s: %s; %s", ca->reference, fault,
		ca->pem == NULL ? "until then no client's certificate is good"
		: secret->have_authorities_expired && obj_has(secret->authorities)
			? "until then no client's certificate is good"
			: "meanwhile clients are verified against the last authorities that were "
			  "good");
}

/* ---- the Secret ---- */

static void set_reference(struct model *model, const struct store *store, const char *reference)
{
	struct client_ca *ca = &model->client_ca;

	if (ca->secret != NULL) {
		ca->secret->is_client_ca = false;
	}
	named_secret_set(model, store, &ca->reference, &ca->secret, reference);
	if (ca->secret != NULL) {
		ca->secret->is_client_ca = true;
	}
}

static void forget_content(struct client_ca *ca)
{
	free(ca->name);
	free(ca->pem);
	free(ca->fault);
	ca->name = ca->pem = ca->fault = NULL;
}

void client_ca_follow(struct model *model, const struct store *store, const char *reference)
{
	struct client_ca *ca = &model->client_ca;

	set_reference(model, store, reference);
	forget_content(ca);
	if (ca->reference == NULL) {
		return;
	}
	if (ca->secret == NULL) {
		ca->name = xstrdup(FILE_OF_NOBODY);
		ca->fault = xstrdup("names no Secret: write namespace/name of one; until then no "
				    "client's certificate is good");
		return;
	}
	const struct secret *secret = store_secret(store, ca->secret->namespace, ca->secret->name);
	ca->pem = authorities_of(secret);
	ca->name = ca->pem != NULL
			   ? model_client_ca_file(ca->secret->namespace, ca->secret->name, ca->pem)
			   : xstrdup(FILE_OF_NOBODY);
	ca->fault = fault_text(ca, secret);
}

void client_ca_free(struct model *model)
{
	forget_content(&model->client_ca);
	free(model->client_ca.reference);
	model->client_ca = (struct client_ca){0};
}

/* ---- answers ---- */

bool model_verifies_clients(const struct model *model)
{
	return model->client_ca.reference != NULL;
}

const char *model_client_ca_fault(const struct model *model)
{
	return model->client_ca.fault;
}

bool model_lacks_client_ca(
	const struct model *model, const char **ret_namespace, const char **ret_name)
{
	const struct client_ca *ca = &model->client_ca;

	if (ca->secret == NULL || ca->pem != NULL) {
		return false;
	}
	*ret_namespace = ca->secret->namespace;
	*ret_name = ca->secret->name;
	return true;
}

/* The Secret is in it: what one has left behind is never taken for another's. */
char *model_client_ca_file(const char *namespace, const char *name, const char *pem)
{
	const char *const texts[] = {namespace, name, pem};
	char digest[CERT_DIGEST_SIZE];

	certificate_digest(digest, texts, ARRAY_LEN(texts));
	return xasprintf(FILE_PREFIX "%.*s" FILE_SUFFIX, FILE_DIGEST_LEN, digest);
}
