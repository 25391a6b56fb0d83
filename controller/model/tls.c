/* See tls.h: who wins a name, and which Secrets that needs. Certificates are certificate.c's. */
#include "model/tls.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"
#include "store/store.h"

/* Where names get longer than a file's name may be, a hash stands for their end. */
#define PREFIX_MAX_LEN	  (MODEL_CERTIFICATE_MAX_NAME - 17)
#define PREFIX_HASHED_LEN 150

static bool sni_has_host(const void *item, const void *host)
{
	return strcmp(((const struct sni *)item)->host, host) == 0;
}

static bool secret_has_key(const void *item, const void *key_ptr)
{
	const struct secret_node *node = item;
	const struct ingress_key *key = key_ptr;

	return strcmp(node->name, key->name) == 0 && strcmp(node->namespace, key->namespace) == 0;
}

static struct secret_node *find_secret(
	const struct model *model, const char *namespace, const char *name)
{
	struct ingress_key key = {(char *)namespace, (char *)name};

	return table_find(&model->secrets, model_hash_pair(namespace, name), &key, secret_has_key);
}

void tls_mark_secret(struct model *model, struct secret_node *node)
{
	if (node != NULL && !node->is_dirty) {
		node->is_dirty = true;
		node->next_dirty = model->dirty_secrets;
		model->dirty_secrets = node;
	}
}

/* ---- names ---- */

static int compare_numbers(int64_t a, int64_t b)
{
	return a < b ? -1 : a > b;
}

int tls_compare_claims(const struct tls_claim *a, const struct tls_claim *b)
{
	const struct ingress_node *left = a->ingress;
	const struct ingress_node *right = b->ingress;
	int order = compare_numbers(left->created_seconds, right->created_seconds);

	if (order == 0) {
		order = strcmp(left->namespace, right->namespace);
	}
	if (order == 0) {
		order = strcmp(left->name, right->name);
	}
	if (order == 0) {
		order = compare_numbers(a->tls, b->tls);
	}
	return order != 0 ? order : compare_numbers(a->host, b->host);
}

static bool has_name(const struct tls_claim *claim)
{
	const char *names = claim->secret->names;

	return cert_names_have(names != NULL ? names : "", claim->sni->host);
}

enum fitness tls_fitness(const struct tls_claim *claim)
{
	if (claim->secret->pem == NULL) {
		return FIT_ABSENT;
	}
	return has_name(claim) && !claim->secret->is_untimely ? FIT_TAKEN : FIT_REFUSED;
}

/* NULL: there is no certificate. */
static const struct tls_claim *find_leader(const struct sni *sni)
{
	const struct tls_claim *leader = NULL;
	enum fitness best = FIT_ABSENT;

	for (const struct tls_claim *c = sni->claims; c != NULL; c = c->next_in_sni) {
		enum fitness fitness = tls_fitness(c);
		if (fitness > best) {
			best = fitness;
			leader = c;
		}
	}
	return leader;
}

static const struct tls_claim *first_of_key(
	const struct sni *sni, const struct tls_claim *leader, enum cert_key key)
{
	const struct tls_claim *claim = leader != NULL ? sni->claims : NULL;

	while (claim != NULL &&
		(claim->secret->key != key || tls_fitness(claim) != tls_fitness(leader) ||
			strcmp(claim->secret->namespace, leader->secret->namespace) != 0)) {
		claim = claim->next_in_sni;
	}
	return claim;
}

/* An Ingress that is read again has new claims, under the same name. */
static bool is_same_winner(const struct tls_claim *a, const struct tls_claim *b)
{
	return a == b || (a != NULL && b != NULL && a->secret == b->secret &&
				 a->ingress->name == b->ingress->name);
}

/* Who wins may have changed; so may what those behind are told. */
static void decide(struct model *model, struct sni *sni)
{
	const struct tls_claim *leader = find_leader(sni);
	bool has_changed = false;

	for (int key = 0; key < CERT_KEY_COUNT; key++) {
		const struct tls_claim *first = first_of_key(sni, leader, (enum cert_key)key);
		const struct tls_claim *before = sni->winners[key];
		sni->winners[key] = first;
		has_changed = has_changed || !is_same_winner(before, first);
		if ((before ? before->secret : NULL) != (first ? first->secret : NULL)) {
			tls_mark_secret(model, before ? before->secret : NULL);
			tls_mark_secret(model, first ? first->secret : NULL);
		}
	}
	exclusion_follow(model, sni, leader != NULL ? tls_fitness(leader) : FIT_ABSENT);
	for (struct tls_claim *c = has_changed ? sni->claims : NULL; c != NULL;
		c = c->next_in_sni) {
		model_touch_ingress(model, c->ingress->namespace, c->ingress->name);
	}
}

struct sni *tls_find_sni(const struct model *model, const char *host)
{
	return table_find(&model->snis, hash_str(host), host, sni_has_host);
}

static struct sni *find_or_add_sni(struct model *model, const char *host)
{
	struct sni *sni = tls_find_sni(model, host);

	if (sni == NULL) {
		size_t size = strlen(host) + 1;
		sni = xcalloc(1, sizeof(*sni) + size);
		memcpy(sni->host, host, size);
		table_insert(&model->snis, hash_str(host), sni);
		exclusion_enter(model, sni);
	}
	return sni;
}

/* ---- Secrets ---- */

static char *make_prefix(const char *namespace, const char *name)
{
	char *plain = xasprintf("%s_%s", namespace, name);

	if (strlen(plain) <= PREFIX_MAX_LEN) {
		return plain;
	}
	char digest[CERT_DIGEST_SIZE];
	certificate_digest(digest, &(const char *){plain}, 1);
	/* Neither namespaces nor Secrets have a '_' in their names: nothing else is called so. */
	char *hashed = xasprintf("%.*s_%.32s", PREFIX_HASHED_LEN, plain, digest);
	free(plain);
	return hashed;
}

static void set_text(char **place, const char *text)
{
	char *copy = text != NULL && *text != '\0' ? xstrdup(text) : NULL;

	free(*place);
	*place = copy;
}

static void set_pem(struct secret_node *node, const char *pem)
{
	if (node->pem != NULL) {
		OPENSSL_cleanse(node->pem, strlen(node->pem));
	}
	set_text(&node->pem, pem);
}

/* The node's copy follows the store. Content that stays the same stays where it is. */
static void load(struct secret_node *node, const struct secret *secret)
{
	const char *digest = secret ? obj_str(secret, secret->digest) : "";

	node->is_known = secret != NULL;
	node->state = secret ? secret->state : SECRET_ABSENT;
	node->is_untimely = secret != NULL && secret->is_untimely;
	node->has_expired = secret != NULL && secret->has_expired;
	set_text(&node->fault, secret ? obj_str(secret, secret->fault) : NULL);
	set_text(&node->users_version, secret ? obj_str(secret, secret->users_version) : NULL);
	set_text(&node->users_fault, secret ? obj_str(secret, secret->users_fault) : NULL);
	set_text(&node->authorities_fault,
		secret ? obj_str(secret, secret->authorities_fault) : NULL);
	node->is_tls =
		secret != NULL && strcmp(obj_str(secret, secret->type), SECRET_TYPE_TLS) == 0;
	node->have_authorities_expired =
		secret != NULL && (obj_has(secret->authorities) ? secret->have_authorities_expired
								: secret->has_expired);
	if (strcmp(digest, node->digest ? node->digest : "") == 0) {
		return;
	}
	set_text(&node->digest, digest);
	set_pem(node, secret ? obj_str(secret, secret->pem) : NULL);
	set_text(&node->fingerprint, secret ? obj_str(secret, secret->fingerprint) : NULL);
	set_text(&node->names, secret ? obj_str(secret, secret->names) : NULL);
	node->key = secret ? (enum cert_key)secret->key : CERT_KEY_RSA;
}

struct secret_node *tls_take_secret(
	struct model *model, const struct store *store, const char *namespace, const char *name)
{
	struct secret_node *node = find_secret(model, namespace, name);

	if (node == NULL) {
		node = xcalloc(1, sizeof(*node));
		node->namespace = xstrpair(namespace, name, &node->name);
		node->prefix = make_prefix(namespace, name);
		node->is_unwatched = !model_watches(model, namespace);
		load(node, store_secret(store, namespace, name));
		table_insert(&model->secrets, model_hash_pair(namespace, name), node);
	}
	node->n_references++;
	tls_mark_secret(model, node);
	return node;
}

void tls_release_secret(struct model *model, struct secret_node *node)
{
	assert(node->n_references > 0);
	node->n_references--;
	tls_mark_secret(model, node);
}

static void free_secret(struct secret_node *node)
{
	set_pem(node, NULL);
	free(node->fingerprint);
	free(node->digest);
	free(node->names);
	free(node->fault);
	free(node->users_version);
	free(node->users_fault);
	free(node->authorities_fault);
	free(node->certificates);
	free(node->prefix);
	free(node->namespace);
	free(node);
}

void tls_enter(struct model *model, const struct store *store, struct tls_claim *claim,
	const char *secret, const char *host)
{
	claim->secret = tls_take_secret(model, store, claim->ingress->namespace, secret);
	claim->next_of_secret = claim->secret->claims;
	if (claim->next_of_secret != NULL) {
		claim->next_of_secret->prev_of_secret = claim;
	}
	claim->secret->claims = claim;
	claim->sni = find_or_add_sni(model, host);
	struct tls_claim **link = &claim->sni->claims;
	while (*link != NULL && tls_compare_claims(*link, claim) < 0) {
		link = &(*link)->next_in_sni;
	}
	claim->next_in_sni = *link;
	*link = claim;
	decide(model, claim->sni);
}

void tls_leave(struct model *model, struct tls_claim *claim)
{
	struct secret_node *secret = claim->secret;
	struct sni *sni = claim->sni;
	struct tls_claim **link = &sni->claims;

	while (*link != claim) {
		assert(*link != NULL);
		link = &(*link)->next_in_sni;
	}
	*link = claim->next_in_sni;
	if (claim->prev_of_secret != NULL) {
		claim->prev_of_secret->next_of_secret = claim->next_of_secret;
	} else {
		secret->claims = claim->next_of_secret;
	}
	if (claim->next_of_secret != NULL) {
		claim->next_of_secret->prev_of_secret = claim->prev_of_secret;
	}
	decide(model, sni);
	if (sni->claims == NULL) {
		exclusion_leave(model, sni);
		table_remove(&model->snis, hash_str(sni->host), sni->host, sni_has_host);
		free(sni);
	}
	tls_release_secret(model, secret);
}

void tls_set_default(
	struct model *model, const struct store *store, const char *namespace, const char *name)
{
	struct secret_node *before = model->default_secret;

	if (before != NULL) {
		before->is_default = false;
		tls_release_secret(model, before);
	}
	/* Its content is borrowed from the Secret. */
	certificates_forget_default(model);
	model->default_secret = name ? tls_take_secret(model, store, namespace, name) : NULL;
	if (name != NULL) {
		model->default_secret->is_default = true;
	}
}

bool model_find_default_secret(
	const struct model *model, const char **ret_namespace, const char **ret_name)
{
	if (model->default_secret == NULL) {
		return false;
	}
	*ret_namespace = model->default_secret->namespace;
	*ret_name = model->default_secret->name;
	return true;
}

void tls_update_secret(
	struct model *model, const struct store *store, const char *namespace, const char *name)
{
	struct secret_node *node = find_secret(model, namespace, name);

	if (node == NULL) {
		return;
	}
	load(node, store_secret(store, namespace, name));
	tls_mark_secret(model, node);
	if (node->is_default) {
		operator_touch_certificate(model);
	}
	policies_follow_secret(model, node);
	trust_follow_secret(model, store, node);
	if (node->is_client_ca) {
		sets_read_settings(model, store);
	}
	for (struct tls_claim *claim = node->claims; claim != NULL; claim = claim->next_of_secret) {
		decide(model, claim->sni);
		model_touch_ingress(model, claim->ingress->namespace, claim->ingress->name);
	}
}

/* ---- needs ---- */

static void add_need(struct model *model, struct secret_node *node, enum model_need need_now)
{
	node->told = (uint8_t)need_now;
	model->needs = xreallocarray(model->needs, model->n_needs + 1, sizeof(*model->needs));
	struct secret_need *need = &model->needs[model->n_needs++];
	need->need = need_now;
	need->key.namespace = xstrpair(node->namespace, node->name, &need->key.name);
}

static enum model_need need_of(const struct secret_node *node)
{
	if (node->n_references == 0) {
		return MODEL_NEED_NONE;
	}
	/* To ask for it could be forbidden, and everything would wait for the answer. */
	if (node->is_unwatched) {
		return node->is_default ? MODEL_NEED_TLS : MODEL_NEED_NONE;
	}
	return node->policies != NULL || node->trusts[TRUST_CA] != NULL ||
			       node->trusts[TRUST_CRT] != NULL || node->is_client_ca ||
			       node->is_of_monitors
		       ? MODEL_NEED_ANY
		       : MODEL_NEED_TLS;
}

void tls_flush(struct model *model)
{
	struct secret_node *node = model->dirty_secrets;

	model->dirty_secrets = NULL;
	while (node != NULL) {
		struct secret_node *next = node->next_dirty;
		node->is_dirty = false;
		certificates_follow(model, node);
		enum model_need need = need_of(node);

		if (node->told != need) {
			add_need(model, node, need);
		}
		if (node->n_references == 0) {
			struct ingress_key key = {node->namespace, node->name};
			table_remove(&model->secrets, model_hash_pair(key.namespace, key.name),
				&key, secret_has_key);
			free_secret(node);
		}
		node = next;
	}
}

bool model_needs_secret(const struct model *model, const char *namespace, const char *name)
{
	return find_secret(model, namespace, name) != NULL;
}

void model_report_needs(struct model *model, model_need_fn report, void *ctx)
{
	struct secret_need *needs = model->needs;
	size_t n = model->n_needs;

	model->needs = NULL;
	model->n_needs = 0;
	for (size_t i = 0; i < n; i++) {
		if (report != NULL) {
			report(ctx, needs[i].key.namespace, needs[i].key.name, needs[i].need);
		}
		free(needs[i].key.namespace);
	}
	free(needs);
}

static const struct secret_node *find_by_prefix(const struct model *model, const char *prefix)
{
	const struct secret_node *node;

	TABLE_FOREACH (&model->secrets, node) {
		if (strcmp(node->prefix, prefix) == 0) {
			return node;
		}
	}
	return NULL;
}

static const struct secret_node *find_secret_of(const struct model *model, const char *certificate)
{
	CLEANUP(free_ptr) char *prefix = xstrdup(certificate);
	char *end = strrchr(prefix, '_');
	char *middle = strchr(prefix, '_');

	if (end == NULL || end == middle) {
		return NULL;
	}
	*end = '\0';
	/* Long names end in a hash, which is not read backwards. */
	if (strchr(middle + 1, '_') != NULL) {
		return find_by_prefix(model, prefix);
	}
	*middle = '\0';
	return find_secret(model, prefix, middle + 1);
}

bool model_find_secret_of(const struct model *model, const char *certificate,
	const char **ret_namespace, const char **ret_name)
{
	const struct secret_node *node = find_secret_of(model, certificate);

	if (node == NULL) {
		return false;
	}
	*ret_namespace = node->namespace;
	*ret_name = node->name;
	return true;
}

bool model_keeps_certificate(const struct model *model, const char *name)
{
	const struct secret_node *node = find_secret_of(model, name);

	return node != NULL && node->pem == NULL;
}

void tls_free(struct model *model)
{
	struct secret_node *node;
	struct sni *sni;

	TABLE_FOREACH (&model->snis, sni) {
		free(sni);
	}
	table_fini(&model->snis);
	table_fini(&model->siblings);
	TABLE_FOREACH (&model->secrets, node) {
		free_secret(node);
	}
	table_fini(&model->secrets);
	model_report_needs(model, NULL, NULL);
}

/* ---- diagnostics ---- */

/* What clients get while the newest version is as `state` says. */
static const char *meanwhile_text(const struct secret_node *secret)
{
	if (secret->pem == NULL) {
		return "clients get another certificate for the name, or the default one";
	}
	if (!secret->is_untimely) {
		return "its last good certificate stays";
	}
	/* The fault has said so already, if it is of what is in use. */
	if (secret->state == (secret->has_expired ? SECRET_EXPIRED : SECRET_EARLY)) {
		return "it is served where there is no better one";
	}
	return secret->has_expired ? "its last good certificate, which has expired, is served "
				     "where there is no better one"
				   : "its last certificate, which is not valid yet, is served "
				     "where there is no better one";
}

static char *secret_text(const struct secret_node *secret, const char *meanwhile)
{
	/* That of the default certificate may be seen nevertheless (sources.h). */
	if (secret->is_unwatched && secret->state == SECRET_ABSENT) {
		return xasprintf("Secret %s/%s of type kubernetes.io/tls is not there, "
				 "or " MODEL_UNWATCHED_FAULT "; meanwhile %s",
			secret->namespace, secret->name, meanwhile);
	}
	if (secret->fault == NULL) {
		return xasprintf("there is no Secret %s/%s of type kubernetes.io/tls: create it; "
				 "meanwhile %s",
			secret->namespace, secret->name, meanwhile);
	}
	return xasprintf("Secret %s/%s: %s; meanwhile %s", secret->namespace, secret->name,
		secret->fault, meanwhile);
}

/* Takes `field`. */
static bool secret_diag(
	const struct secret_node *secret, char *field, const char *meanwhile, struct diag *ret_diag)
{
	static const enum diag_reason reasons[] = {
		[SECRET_ABSENT] = DIAG_SECRET_MISSING,
		[SECRET_INVALID] = DIAG_CERTIFICATE_INVALID,
		[SECRET_EXPIRED] = DIAG_CERTIFICATE_EXPIRED,
		[SECRET_EARLY] = DIAG_CERTIFICATE_NOT_YET_VALID,
	};

	if (secret->is_known && secret->state == SECRET_GOOD) {
		free(field);
		return false;
	}
	*ret_diag = (struct diag){reasons[secret->state], field, secret_text(secret, meanwhile)};
	return true;
}

static bool claim_diag(const struct tls_claim *claim, struct diag *ret_diag)
{
	return secret_diag(claim->secret, xasprintf("spec.tls[%u].secretName", claim->tls),
		meanwhile_text(claim->secret), ret_diag);
}

/* The default is always there: of this Secret or of one before. */
bool tls_default_diag(const struct model *model, struct diag *ret_diag)
{
	const struct secret_node *secret = model->default_secret;

	return secret_diag(secret, xstrdup("secretName"),
		secret->pem == NULL ? "clients get the default certificate that there was before"
				    : meanwhile_text(secret),
		ret_diag);
}

static char *host_field(const struct tls_claim *claim)
{
	return claim->is_by_rule ? xasprintf("spec.rules[%u].host", claim->host)
				 : xasprintf("spec.tls[%u].hosts[%u]", claim->tls, claim->host);
}

static char *mismatch_text(const struct tls_claim *claim, const struct tls_claim *leader)
{
	const struct secret_node *secret = claim->secret;

	if (leader->secret == secret) {
		return xasprintf("the certificate in Secret %s/%s is not for %s, clients will "
				 "refuse it: issue one that has this name",
			secret->namespace, secret->name, claim->sni->host);
	}
	return xasprintf("the certificate in Secret %s/%s is not for %s, and that of Ingress "
			 "%s/%s (Secret %s) is served: issue one that has this name",
		secret->namespace, secret->name, claim->sni->host, leader->ingress->namespace,
		leader->ingress->name, leader->secret->name);
}

static char *taken_text(const struct tls_claim *claim, const struct tls_claim *by)
{
	const char *why = tls_fitness(claim) < tls_fitness(by)
				  ? "which clients can take: renew this one, or use another host"
				  : "which goes first as the older object or by its name: use "
				    "another host, or remove it there";

	return xasprintf("the certificate for %s comes from Ingress %s/%s (Secret %s), %s",
		claim->sni->host, by->ingress->namespace, by->ingress->name, by->secret->name, why);
}

static char *shadowed_text(const struct tls_claim *claim)
{
	const char *host = claim->sni->host;

	return xasprintf(
		"the certificate for *%s is shown in the place of this one for %s to clients "
		"that can use its type of key: it can't be kept out of so many names; use "
		"a certificate with an ECDSA key",
		strchr(host, '.'), host);
}

static bool host_diag(const struct tls_claim *claim, struct diag *ret_diag)
{
	const struct secret_node *secret = claim->secret;
	const struct tls_claim *leader = find_leader(claim->sni);

	if (secret->pem == NULL) {
		return false;
	}
	if (!has_name(claim)) {
		*ret_diag = (struct diag){
			DIAG_CERTIFICATE_MISMATCH, host_field(claim), mismatch_text(claim, leader)};
		return true;
	}
	const struct tls_claim *first = first_of_key(claim->sni, leader, secret->key);
	if (first == NULL || first->secret != secret) {
		*ret_diag = (struct diag){DIAG_CERTIFICATE_TAKEN, host_field(claim),
			taken_text(claim, first != NULL ? first : leader)};
		return true;
	}
	if (claim->sni->shadowed != 0) {
		*ret_diag = (struct diag){
			DIAG_CERTIFICATE_SHADOWED, host_field(claim), shadowed_text(claim)};
		return true;
	}
	return false;
}

size_t tls_collect_diags(const struct ingress_node *node, struct diag *ret_diags)
{
	size_t n = 0;

	for (size_t i = 0; i < node->n_tls_claims; i++) {
		const struct tls_claim *claim = &node->tls_claims[i];
		/* A Secret's fault is one, however many hosts it is for. */
		bool is_first = i == 0 || claim[-1].tls != claim->tls;
		n += is_first && claim_diag(claim, &ret_diags[n]);
		n += host_diag(claim, &ret_diags[n]);
	}
	return n;
}
