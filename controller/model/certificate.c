/*
 * Certificates: the content of a Secret for the names that it won, as HAProxy is to have them. See
 * model.h for what readers see and tls.h for where the names come from.
 */
#include <assert.h>
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

struct hosts {
	const char **items;
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

static void drop(struct model *model, struct certificate_node *node)
{
	table_remove(&model->certificates, hash_str(node->public.name), node->public.name,
		certificate_has_name);
	model_touch_certificate(model, node->public.name);
	free(node->digest);
	free(node);
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

/* The same content may lie elsewhere by now: it went and came back within one update. */
static void borrow_content(struct certificate_node *node, const struct secret_node *secret)
{
	node->public.pem = secret->pem;
	node->public.fingerprint = secret->fingerprint;
}

/* ---- which names ---- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct hosts collect_hosts(const struct secret_node *secret)
{
	struct hosts hosts = {0};
	size_t n_unique = 0;

	for (const struct tls_claim *c = secret->claims; c != NULL; c = c->next_of_secret) {
		const struct tls_claim *winner = c->sni->winners[secret->key];
		if (winner == NULL || winner->secret != secret) {
			continue;
		}
		if (hosts.n == hosts.n_allocated) {
			hosts.n_allocated = hosts.n_allocated ? hosts.n_allocated * 2 : 8;
			hosts.items =
				xreallocarray(hosts.items, hosts.n_allocated, sizeof(*hosts.items));
		}
		hosts.items[hosts.n++] = c->sni->host;
	}
	if (hosts.n > 1) {
		qsort(hosts.items, hosts.n, sizeof(*hosts.items), compare_texts);
	}
	for (size_t i = 0; i < hosts.n; i++) {
		if (n_unique == 0 || strcmp(hosts.items[n_unique - 1], hosts.items[i]) != 0) {
			hosts.items[n_unique++] = hosts.items[i];
		}
	}
	hosts.n = n_unique;
	return hosts;
}

/* How many of the names from `first` go into one certificate. */
static size_t part_of(const struct hosts *hosts, size_t first)
{
	size_t size = 0;
	size_t n = 0;

	while (first + n < hosts->n) {
		const char *host = hosts->items[first + n];
		size += strlen(host) + 1;
		if (size > MODEL_CERTIFICATE_MAX_HOSTS) {
			return n;
		}
		n++;
		if (hosts->n > MANY_HOSTS && hash_stable(host) % MANY_HOSTS == 0) {
			return n;
		}
	}
	return n;
}

static struct certificate_node *find_or_add(struct model *model, const struct secret_node *secret,
	const char *const *hosts, size_t n_hosts)
{
	char digest[CERT_DIGEST_SIZE];
	const char **texts = xcalloc(n_hosts + 1, sizeof(*texts));

	texts[0] = secret->digest;
	memcpy(texts + 1, hosts, n_hosts * sizeof(*texts));
	certificate_digest(digest, texts, n_hosts + 1);
	free(texts);
	char *name = xasprintf("%s_%.16s", secret->prefix, digest);
	struct certificate_node *node = find(model, name);
	if (node == NULL) {
		node = add(model, secret, name, hosts, n_hosts);
	}
	borrow_content(node, secret);
	free(name);
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
		hosts = collect_hosts(secret);
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
	free(hosts.items);
}

void model_free_certificates(struct model *model)
{
	struct certificate_node *node;

	TABLE_FOREACH (&model->certificates, node) {
		free(node->digest);
		free(node);
	}
	table_fini(&model->certificates);
}
