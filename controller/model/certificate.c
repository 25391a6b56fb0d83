/*
 * Certificates: the content of a Secret for the names that it won, as HAProxy is to have them. See
 * model.h for what readers see and tls.h for where the names come from.
 */
#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"

static_assert(CERT_MAX_PEM <= MODEL_CERTIFICATE_MAX_PEM, "what is read can be told to HAProxy");

/*
 * A Secret with more names than this has several certificates. They end behind names that a hash
 * chooses, one in so many, not at a count: a name more or less changes the certificate that it is
 * in, and not all behind it.
 */
#define MANY_HOSTS 128

/* A name that a Secret has won; a wildcard with the names that it must be kept out of. */
struct won {
	const struct sni *sni;
	struct exclusions exclusions;
	size_t size; /* bytes of all of these, with a blank each */
};

struct hosts {
	struct won *items; /* sorted by name */
	size_t n;
	size_t n_allocated;
};

static bool certificate_has_name(const void *item, const void *name)
{
	return strcmp(((const struct certificate_node *)item)->public.name, name) == 0;
}

static struct certificate_node *find(const struct model *model, const char *name)
{
	return table_find(&model->certificates, hash_str(name), name, certificate_has_name);
}

const struct model_certificate *model_find_certificate(const struct model *model, const char *name)
{
	const struct certificate_node *node = find(model, name);

	return node ? &node->public : NULL;
}

const struct model_certificate *model_next_certificate(
	const struct model *model, uint32_t *position)
{
	const struct certificate_node *node = table_next(&model->certificates, position);

	return node ? &node->public : NULL;
}

void certificate_digest(char ret_digest[CERT_DIGEST_SIZE], const char *const *texts, size_t n)
{
	unsigned char bytes[SHA256_DIGEST_LENGTH];
	struct buf all = BUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		buf_append(&all, texts[i], strlen(texts[i]) + 1);
	}
	SHA256((const unsigned char *)buf_str(&all), all.len, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		snprintf(ret_digest + 2 * i, 3, "%02x", bytes[i]);
	}
	buf_fini(&all);
}

static void free_node(struct certificate_node *node)
{
	if (node->own_pem != NULL) {
		OPENSSL_cleanse(node->own_pem, strlen(node->own_pem));
	}
	free(node->own_pem);
	free(node->digest);
	free(node);
}

static void drop(struct model *model, struct certificate_node *node)
{
	table_remove(&model->certificates, hash_str(node->public.name), node->public.name,
		certificate_has_name);
	model_touch_certificate(model, node->public.name);
	free_node(node);
}

static struct certificate_node *add(struct model *model, const struct secret_node *secret,
	const char *name, const char *const *hosts, size_t n_hosts)
{
	size_t size = sizeof(struct certificate_node) + n_hosts * sizeof(char *) + strlen(name) + 1;

	for (size_t i = 0; i < n_hosts; i++) {
		size += strlen(hosts[i]) + 1;
	}
	struct certificate_node *node = xcalloc(1, size);
	const char **list = (const char **)(node + 1);
	char *text = (char *)(list + n_hosts);
	node->public = (struct model_certificate){
		.pem = secret->pem, .fingerprint = secret->fingerprint, .n_hosts = n_hosts};
	node->public.name = memcpy(text, name, strlen(name) + 1);
	node->public.hosts = list;
	for (size_t i = 0; i < n_hosts; i++) {
		text += strlen(text) + 1;
		list[i] = memcpy(text, hosts[i], strlen(hosts[i]) + 1);
	}
	table_insert(&model->certificates, hash_str(node->public.name), node);
	model_touch_certificate(model, node->public.name);
	return node;
}

/* ---- not for clients ---- */

/* Names of the others have a '_', which none of these has. */
enum model_certificate_kind model_certificate_kind(const char *name)
{
	if (strchr(name, '_') != NULL) {
		return MODEL_CERTIFICATE_SERVED;
	}
	return strncmp(name, "ca-", 3) == 0    ? MODEL_CERTIFICATE_AUTHORITIES
	       : strncmp(name, "crt-", 4) == 0 ? MODEL_CERTIFICATE_SHOWN
					       : MODEL_CERTIFICATE_SERVED;
}

struct certificate_node *certificate_take(struct model *model, const char *name, const char *pem)
{
	struct certificate_node *node = find(model, name);

	if (node == NULL) {
		char *own = xstrdup(pem);
		node = add(model, &(struct secret_node){.pem = own, .fingerprint = (char *)"-"},
			name, NULL, 0);
		node->own_pem = own;
	}
	node->n_users++;
	return node;
}

void certificate_release(struct model *model, struct certificate_node *node)
{
	if (node != NULL && --node->n_users == 0) {
		drop(model, node);
	}
}

/* ---- for clients ---- */

/* The same content may lie elsewhere by now: it went and came back within one update. */
static void borrow_content(struct certificate_node *node, const struct secret_node *secret)
{
	node->public.pem = secret->pem;
	node->public.fingerprint = secret->fingerprint;
}

/* ---- which names ---- */

static int compare_won(const void *a, const void *b)
{
	return strcmp(((const struct won *)a)->sni->host, ((const struct won *)b)->sni->host);
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_won(struct hosts *hosts, const struct sni *sni)
{
	if (hosts->n == hosts->n_allocated) {
		hosts->n_allocated = hosts->n_allocated ? hosts->n_allocated * 2 : 8;
		hosts->items =
			xreallocarray(hosts->items, hosts->n_allocated, sizeof(*hosts->items));
	}
	hosts->items[hosts->n++] = (struct won){.sni = sni, .size = strlen(sni->host) + 1};
}

static struct hosts collect_hosts(struct model *model, const struct secret_node *secret)
{
	struct hosts hosts = {0};
	size_t n_unique = 0;

	for (const struct tls_claim *c = secret->claims; c != NULL; c = c->next_of_secret) {
		const struct tls_claim *winner = c->sni->winners[secret->key];
		if (winner != NULL && winner->secret == secret) {
			add_won(&hosts, c->sni);
		}
	}
	if (hosts.n > 1) {
		qsort(hosts.items, hosts.n, sizeof(*hosts.items), compare_won);
	}
	for (size_t i = 0; i < hosts.n; i++) {
		if (n_unique == 0 || hosts.items[n_unique - 1].sni != hosts.items[i].sni) {
			hosts.items[n_unique++] = hosts.items[i];
		}
	}
	hosts.n = n_unique;
	for (size_t i = 0; i < hosts.n; i++) {
		struct won *won = &hosts.items[i];
		if (won->sni->host[0] == '*') {
			won->exclusions = exclusions_collect(model, won->sni, secret->key);
			won->size += won->exclusions.size;
		}
	}
	return hosts;
}

static void hosts_fini(struct hosts *hosts)
{
	for (size_t i = 0; i < hosts->n; i++) {
		exclusions_fini(&hosts->items[i].exclusions);
	}
	free(hosts->items);
}

/* How many of the names from `first` go into one certificate: at least one. */
static size_t part_of(const struct hosts *hosts, size_t first)
{
	size_t size = 0;
	size_t n_names = 0;
	size_t n = 0;

	while (first + n < hosts->n) {
		const struct won *won = &hosts->items[first + n];
		size += won->size;
		n_names += 1 + won->exclusions.n;
		if (size > MODEL_CERTIFICATE_MAX_HOSTS || n_names > MODEL_CERTIFICATE_MAX_NAMES) {
			return n;
		}
		n++;
		if (hosts->n > MANY_HOSTS && hash_stable(won->sni->host) % MANY_HOSTS == 0) {
			return n;
		}
	}
	return n;
}

/* Its names, then what is excluded, as one list; the caller frees the list, its texts are borrowed.
 */
static const char **list_names(const struct won *won, size_t n_won, size_t *ret_n)
{
	size_t n = n_won;

	for (size_t i = 0; i < n_won; i++) {
		n += won[i].exclusions.n;
	}
	const char **names = xcalloc(n, sizeof(*names));
	const char **place = names + n_won;
	for (size_t i = 0; i < n_won; i++) {
		const struct exclusions *exclusions = &won[i].exclusions;
		names[i] = won[i].sni->host;
		for (size_t j = 0; j < exclusions->n; j++) {
			*place++ = exclusions->items[j];
		}
	}
	if (n > n_won + 1) {
		qsort(names + n_won, n - n_won, sizeof(*names), compare_texts);
	}
	*ret_n = n;
	return names;
}

static struct certificate_node *find_or_add(
	struct model *model, const struct secret_node *secret, const struct won *won, size_t n_won)
{
	char digest[CERT_DIGEST_SIZE];
	size_t n;
	const char **names = list_names(won, n_won, &n);
	const char **texts = xcalloc(n + 1, sizeof(*texts));

	texts[0] = secret->digest;
	memcpy(texts + 1, names, n * sizeof(*texts));
	certificate_digest(digest, texts, n + 1);
	free(texts);
	char *name = xasprintf("%s_%.16s", secret->prefix, digest);
	struct certificate_node *node = find(model, name);
	if (node == NULL) {
		node = add(model, secret, name, names, n);
	}
	borrow_content(node, secret);
	free(name);
	free(names);
	return node;
}

static bool is_among(
	const struct certificate_node *node, struct certificate_node *const *nodes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (nodes[i] == node) {
			return true;
		}
	}
	return false;
}

void certificates_forget_default(struct model *model)
{
	struct certificate_node *node = find(model, MODEL_CERTIFICATE_DEFAULT);

	if (node != NULL) {
		drop(model, node);
	}
}

/* The one certificate that keeps its name. Without content what HAProxy has stays. */
static void follow_default(struct model *model, const struct secret_node *secret)
{
	struct certificate_node *node = find(model, MODEL_CERTIFICATE_DEFAULT);
	bool is_wanted = secret->n_references > 0 && secret->pem != NULL;

	if (node != NULL && is_wanted && strcmp(node->digest, secret->digest) == 0) {
		borrow_content(node, secret);
		return;
	}
	if (node != NULL) {
		drop(model, node);
	}
	if (is_wanted) {
		node = add(model, secret, MODEL_CERTIFICATE_DEFAULT, NULL, 0);
		node->digest = xstrdup(secret->digest);
	}
}

void certificates_follow(struct model *model, struct secret_node *secret)
{
	struct hosts hosts = {0};
	struct certificate_node **nodes = NULL;
	size_t n = 0;

	if (secret->is_default) {
		follow_default(model, secret);
	}
	if (secret->pem != NULL) {
		hosts = collect_hosts(model, secret);
	}
	for (size_t first = 0; first < hosts.n;) {
		size_t n_hosts = part_of(&hosts, first);
		nodes = xreallocarray(nodes, n + 1, sizeof(struct certificate_node *));
		nodes[n++] = find_or_add(model, secret, hosts.items + first, n_hosts);
		first += n_hosts;
	}
	for (size_t i = 0; i < secret->n_certificates; i++) {
		if (!is_among(secret->certificates[i], nodes, n)) {
			drop(model, secret->certificates[i]);
		}
	}
	free(secret->certificates);
	secret->certificates = nodes;
	secret->n_certificates = n;
	hosts_fini(&hosts);
}

void model_free_certificates(struct model *model)
{
	struct certificate_node *node;

	TABLE_FOREACH (&model->certificates, node) {
		free_node(node);
	}
	table_fini(&model->certificates);
}
