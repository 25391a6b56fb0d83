/* Names that the certificate of a wildcard must be kept out of. Called by tls.c and certificate.c;
 * see tls.h. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"

/* The best first: what HAProxy takes when the client can use it. */
static const enum cert_key ranking[CERT_KEY_COUNT] = {CERT_KEY_ECDSA, CERT_KEY_RSA, CERT_KEY_OTHER};

/* ".a.test" of "x.a.test" and of "*.a.test"; NULL = no wildcard is for it. */
static const char *parent_of(const struct sni *sni)
{
	return strchr(sni->host, '.');
}

static bool is_wildcard(const struct sni *sni)
{
	return sni->host[0] == '*';
}

static bool sni_has_parent(const void *item, const void *parent)
{
	return strcmp(parent_of(item), parent) == 0;
}

/* The first of the names under a wildcard, be it there or not. */
static struct sni *find_first(const struct model *model, const char *parent)
{
	return table_find(&model->siblings, hash_str(parent), parent, sni_has_parent);
}

static const struct sni *find_wildcard(const struct model *model, const struct sni *sni)
{
	CLEANUP(free_ptr) char *host = xasprintf("*%s", parent_of(sni));

	return tls_find_sni(model, host);
}

void exclusion_enter(struct model *model, struct sni *sni)
{
	const char *parent = parent_of(sni);

	if (parent == NULL || is_wildcard(sni)) {
		return;
	}
	struct sni *first = find_first(model, parent);
	if (first == NULL) {
		table_insert(&model->siblings, hash_str(parent), sni);
		return;
	}
	sni->prev_sibling = first;
	sni->next_sibling = first->next_sibling;
	if (sni->next_sibling != NULL) {
		sni->next_sibling->prev_sibling = sni;
	}
	first->next_sibling = sni;
}

void exclusion_leave(struct model *model, struct sni *sni)
{
	const char *parent = parent_of(sni);

	if (parent == NULL || is_wildcard(sni)) {
		return;
	}
	if (sni->next_sibling != NULL) {
		sni->next_sibling->prev_sibling = sni->prev_sibling;
	}
	if (sni->prev_sibling != NULL) {
		sni->prev_sibling->next_sibling = sni->next_sibling;
		return;
	}
	table_remove(&model->siblings, hash_str(parent), parent, sni_has_parent);
	if (sni->next_sibling != NULL) {
		table_insert(&model->siblings, hash_str(parent), sni->next_sibling);
	}
}

static uint8_t bit_of(enum cert_key key)
{
	return (uint8_t)(1u << key);
}

/* Types of key that the name has no certificate of, each before one that it has. */
static uint8_t find_outranking(const struct sni *sni)
{
	uint8_t outranking = 0;
	uint8_t missing = 0;

	for (size_t i = 0; i < ARRAY_LEN(ranking); i++) {
		if (sni->winners[ranking[i]] != NULL) {
			outranking |= missing;
		} else {
			missing |= bit_of(ranking[i]);
		}
	}
	return outranking;
}

/* The claim that its place among the others comes from. */
static const struct tls_claim *some_winner(const struct sni *sni)
{
	size_t key = 0;

	while (key + 1 < CERT_KEY_COUNT && sni->winners[key] == NULL) {
		key++;
	}
	return sni->winners[key];
}

static void set_shadowed(struct model *model, struct sni *sni, enum cert_key key, bool is_shadowed)
{
	uint8_t bits = sni->shadowed & (uint8_t)~bit_of(key);

	bits |= is_shadowed ? bit_of(key) : 0;
	if (bits == sni->shadowed) {
		return;
	}
	sni->shadowed = bits;
	for (const struct tls_claim *c = sni->claims; c != NULL; c = c->next_in_sni) {
		model_touch_ingress(model, c->ingress->namespace, c->ingress->name);
	}
}

/* What has no certificate any more shadows nothing. */
static void follow_wildcard(struct model *model, const struct sni *wildcard)
{
	for (int key = 0; key < CERT_KEY_COUNT; key++) {
		struct sni *sni = wildcard->winners[key] == NULL
					  ? find_first(model, parent_of(wildcard))
					  : NULL;
		for (; sni != NULL; sni = sni->next_sibling) {
			set_shadowed(model, sni, (enum cert_key)key, false);
		}
	}
}

void exclusion_follow(struct model *model, struct sni *sni, enum fitness fitness)
{
	uint8_t before = sni->outranking;

	if (parent_of(sni) == NULL) {
		return;
	}
	if (is_wildcard(sni)) {
		follow_wildcard(model, sni);
		return;
	}
	sni->outranking = find_outranking(sni);
	sni->fitness = (uint8_t)fitness;
	uint8_t keys = before | sni->outranking;
	const struct sni *wildcard = keys != 0 ? find_wildcard(model, sni) : NULL;
	for (int key = 0; key < CERT_KEY_COUNT && wildcard != NULL; key++) {
		const struct tls_claim *winner = wildcard->winners[key];
		if ((keys & bit_of((enum cert_key)key)) && winner != NULL) {
			tls_mark_secret(model, winner->secret);
		}
	}
}

static int compare_ages(const void *a, const void *b)
{
	return tls_compare_claims(
		some_winner(*(struct sni *const *)a), some_winner(*(struct sni *const *)b));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those that are to be excluded, the oldest first; the caller frees the list. */
static struct sni **find_excluded(
	struct model *model, const struct sni *wildcard, enum cert_key key, size_t *ret_n)
{
	enum fitness fitness = tls_fitness(wildcard->winners[key]);
	struct sni **found = NULL;
	size_t n = 0;
	size_t n_allocated = 0;

	for (struct sni *sni = find_first(model, parent_of(wildcard)); sni != NULL;
		sni = sni->next_sibling) {
		if (!(sni->outranking & bit_of(key)) || sni->fitness < fitness) {
			set_shadowed(model, sni, key, false);
			continue;
		}
		if (n == n_allocated) {
			n_allocated = n_allocated ? n_allocated * 2 : 16;
			found = xreallocarray(found, n_allocated, sizeof(struct sni *));
		}
		found[n++] = sni;
	}
	if (n > 1) {
		qsort(found, n, sizeof(struct sni *), compare_ages);
	}
	*ret_n = n;
	return found;
}

struct exclusions exclusions_collect(
	struct model *model, const struct sni *wildcard, enum cert_key key)
{
	struct exclusions exclusions = {0};
	size_t n;
	struct sni **found = find_excluded(model, wildcard, key, &n);
	size_t room = MODEL_CERTIFICATE_MAX_HOSTS - strlen(wildcard->host) - 1;

	exclusions.items = xcalloc(n, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		char *text = xasprintf("!%s", found[i]->host);
		size_t size = strlen(text) + 1;
		bool has_room = exclusions.size + size <= room &&
				exclusions.n + 1 < MODEL_CERTIFICATE_MAX_NAMES;

		set_shadowed(model, found[i], key, !has_room);
		if (has_room) {
			exclusions.items[exclusions.n++] = text;
			exclusions.size += size;
		} else {
			free(text);
			room = 0; /* an older one is not left out for a shorter one */
		}
	}
	free(found);
	if (exclusions.n > 1) {
		qsort(exclusions.items, exclusions.n, sizeof(char *), compare_texts);
	}
	return exclusions;
}

void exclusions_fini(struct exclusions *exclusions)
{
	for (size_t i = 0; i < exclusions->n; i++) {
		free(exclusions->items[i]);
	}
	free(exclusions->items);
}
