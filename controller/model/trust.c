/* See trust.h. Called by slot.c, tls.c and report.c. */
#include "model/trust.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"
#include "store/store.h"

static const enum option_id options[] = {
	[TRUST_CA] = OPTION_SERVER_CA, [TRUST_CRT] = OPTION_SERVER_CRT};

/* ---- wishes ---- */

/* NULL = it has none that can be used. What is in tls.crt of one of type kubernetes.io/tls has been
 * read with its key. */
static char *authorities_of(const struct secret *secret)
{
	if (obj_has(secret->authorities)) {
		return xstrdup(obj_str(secret, secret->authorities));
	}
	if (obj_has(secret->authorities_fault) || !obj_has(secret->pem) ||
		secret->state == SECRET_ABSENT || secret->state == SECRET_INVALID) {
		return NULL;
	}
	return cert_without_key(obj_str(secret, secret->pem));
}

static char *content_of(const struct secret *secret, enum trust_part part)
{
	if (secret == NULL) {
		return NULL;
	}
	if (part == TRUST_CA) {
		return authorities_of(secret);
	}
	return obj_has(secret->pem) ? xstrdup(obj_str(secret, secret->pem)) : NULL;
}

static const struct secret *find_secret(const struct store *store, const char *reference)
{
	const char *slash = strchr(reference, '/');

	if (slash == NULL) {
		return NULL;
	}
	CLEANUP(free_ptr) char *namespace = xstrndup(reference, (size_t)(slash - reference));
	return store_secret(store, namespace, slash + 1);
}

void trust_wish_read(struct trust_wish *wish, const struct store *store, const struct claim *claim)
{
	*wish = (struct trust_wish){0};
	for (int part = 0; part < TRUST_PART_COUNT; part++) {
		const char *reference = sets_option(claim, options[part]);
		char digest[CERT_DIGEST_SIZE];

		if (reference == NULL || *reference == '\0') {
			continue;
		}
		char *pem = content_of(find_secret(store, reference), (enum trust_part)part);
		/* The Secret is in it: what two of them have in common comes and goes with each. */
		const char *const texts[] = {reference, pem ? pem : ""};
		certificate_digest(digest, texts, ARRAY_LEN(texts));
		wish->parts[part].reference = reference;
		wish->parts[part].pem = pem;
		wish->parts[part].is_closed = pem == NULL;
		memcpy(wish->parts[part].digest, digest, VARIANT_DIGEST_LEN);
		wish->is_closed |= pem == NULL;
	}
}

void trust_wish_fini(struct trust_wish *wish)
{
	for (int part = 0; part < TRUST_PART_COUNT; part++) {
		char *pem = wish->parts[part].pem;
		if (pem != NULL) {
			OPENSSL_cleanse(pem, strlen(pem));
		}
		free(pem);
	}
	*wish = (struct trust_wish){0};
}

/* ---- trusts ---- */

static void enter(struct model *model, const struct store *store, struct trust *trust,
	enum trust_part part, const char *reference)
{
	const char *slash = strchr(reference, '/');

	if (slash == NULL) {
		return;
	}
	CLEANUP(free_ptr) char *namespace = xstrndup(reference, (size_t)(slash - reference));
	struct secret_node *secret = tls_take_secret(model, store, namespace, slash + 1);
	struct trust *next = secret->trusts[part];
	trust->parts[part].secret = secret;
	trust->parts[part].next_of_secret = next;
	if (next != NULL) {
		next->parts[part].prev_of_secret = trust;
	}
	secret->trusts[part] = trust;
}

static void leave(struct model *model, struct trust *trust, enum trust_part part)
{
	struct secret_node *secret = trust->parts[part].secret;
	struct trust *prev = trust->parts[part].prev_of_secret;
	struct trust *next = trust->parts[part].next_of_secret;

	if (secret == NULL) {
		return;
	}
	if (prev != NULL) {
		prev->parts[part].next_of_secret = next;
	} else {
		secret->trusts[part] = next;
	}
	if (next != NULL) {
		next->parts[part].prev_of_secret = prev;
	}
	tls_release_secret(model, secret);
}

struct trust *trust_take(struct model *model, const struct store *store,
	struct backend_node *backend, const struct trust_wish *wish)
{
	static const char *const prefixes[] = {[TRUST_CA] = "ca-", [TRUST_CRT] = "crt-"};
	struct trust *trust = NULL;

	for (int part = 0; part < TRUST_PART_COUNT; part++) {
		const char *reference = wish->parts[part].reference;
		if (reference == NULL) {
			continue;
		}
		if (trust == NULL) {
			trust = xcalloc(1, sizeof(*trust));
			trust->backend = backend;
			trust->is_closed = wish->is_closed;
		}
		trust->parts[part].is_wanted = true;
		trust->parts[part].is_closed = wish->parts[part].is_closed;
		enter(model, store, trust, (enum trust_part)part, reference);
		if (!wish->is_closed) {
			CLEANUP(free_ptr)
			char *name = xasprintf("%s%s", prefixes[part], wish->parts[part].digest);
			trust->parts[part].certificate =
				certificate_take(model, name, wish->parts[part].pem);
		}
	}
	return trust;
}

void trust_release(struct model *model, struct trust *trust)
{
	if (trust == NULL) {
		return;
	}
	for (int part = 0; part < TRUST_PART_COUNT; part++) {
		certificate_release(model, trust->parts[part].certificate);
		leave(model, trust, (enum trust_part)part);
	}
	free(trust);
}

/* ---- changes ---- */

static void decide_again(
	struct model *model, const struct store *store, const struct service_node *service)
{
	for (struct claim *claim = service->claims; claim; claim = claim->next_of_service) {
		struct slot *slot = claim->slot;
		if (slot->claims == claim && slot->backend != NULL &&
			slot->backend->trust != NULL) {
			model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
			slot_decide(model, store, slot);
		}
	}
	follower_touch_all(model, service);
}

void trust_follow_secret(
	struct model *model, const struct store *store, const struct secret_node *secret)
{
	const struct service_node **services = NULL;
	size_t n = 0;

	/* Collected first: trusts go with the backends that are left. Services stay, as claims and
	 * questions name them. */
	for (int part = 0; part < TRUST_PART_COUNT; part++) {
		const struct trust *trust = secret->trusts[part];
		for (; trust != NULL; trust = trust->parts[part].next_of_secret) {
			if (n > 0 && services[n - 1] == trust->backend->service) {
				continue;
			}
			services = xreallocarray(services, n + 1, sizeof(*services));
			services[n++] = trust->backend->service;
		}
	}
	for (size_t i = 0; i < n; i++) {
		decide_again(model, store, services[i]);
	}
	free(services);
}

/* ---- diagnostics ---- */

static char *missing_text(const struct secret_node *secret, enum trust_part part)
{
	if (secret->is_unwatched) {
		return xasprintf("Secret %s/%s: " MODEL_UNWATCHED_FAULT
				 "; until then requests get 503",
			secret->namespace, secret->name);
	}
	return part == TRUST_CA
		       ? xasprintf("there is no Secret %s/%s: create it, with the authority's "
				   "certificate in ca.crt or tls.crt; until then requests get 503",
				 secret->namespace, secret->name)
		       : xasprintf("there is no Secret %s/%s: create it, of type "
				   "kubernetes.io/tls; until then requests get 503",
				 secret->namespace, secret->name);
}

static struct diag closed_diag(const struct secret_node *secret, enum trust_part part)
{
	const char *fault = part == TRUST_CA ? secret->authorities_fault : secret->fault;

	if (!secret->is_known || secret->state == SECRET_ABSENT) {
		return (struct diag){DIAG_SECRET_MISSING, NULL, missing_text(secret, part)};
	}
	if (fault == NULL) {
		fault = part == TRUST_CA && secret->fault != NULL && secret->is_tls
				? secret->fault
				: "it has neither ca.crt nor tls.crt: store the authority's "
				  "certificate in ca.crt";
	}
	return (struct diag){DIAG_CERTIFICATE_INVALID, NULL,
		xasprintf("Secret %s/%s: %s; until then requests get 503", secret->namespace,
			secret->name, fault)};
}

/* False = it is as it should be. */
static bool part_diag(const struct trust *trust, enum trust_part part, struct diag *ret_diag)
{
	const struct secret_node *secret = trust->parts[part].secret;

	if (!trust->parts[part].is_wanted) {
		return false;
	}
	if (secret == NULL) {
		*ret_diag = (struct diag){DIAG_ANNOTATION_REFUSED, NULL,
			xstrdup("names no Secret that may be used: write the name of one; until "
				"then requests get 503")};
		return true;
	}
	if (trust->parts[part].is_closed) {
		*ret_diag = closed_diag(secret, part);
		return true;
	}
	if (part == TRUST_CA && secret->have_authorities_expired) {
		*ret_diag = (struct diag){DIAG_CERTIFICATE_EXPIRED, NULL,
			xasprintf("Secret %s/%s: every authority in it has expired: store the one "
				  "that the pods' certificates are from; until then requests get "
				  "503",
				secret->namespace, secret->name)};
		return true;
	}
	if (part == TRUST_CRT && secret->fault != NULL) {
		*ret_diag = (struct diag){secret->state == SECRET_EXPIRED
						  ? DIAG_CERTIFICATE_EXPIRED
						  : DIAG_CERTIFICATE_INVALID,
			NULL,
			xasprintf("Secret %s/%s: %s; meanwhile pods get to see the last one that "
				  "was good",
				secret->namespace, secret->name, secret->fault)};
		return true;
	}
	return false;
}

bool trust_diag(const struct trust *trust, struct diag *ret_diag)
{
	for (int part = 0; trust != NULL && part < TRUST_PART_COUNT; part++) {
		if (part_diag(trust, (enum trust_part)part, ret_diag)) {
			ret_diag->field = xstrdup(option_table[options[part]].name);
			return true;
		}
	}
	return false;
}
