/* See last_good.h. Called by reconcile.c. */
#include "last_good.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "cert/cert.h"
#include "kube/secret.h"

/* A certificate in the state directory and the Secret that it is of; all borrowed. */
struct candidate {
	const char *certificate;
	const char *namespace;
	const char *name;
};

struct candidates {
	const struct last_good *last_good;
	const struct applied *applied;
	struct candidate *items;
	size_t n;
	size_t n_allocated;
};

/* Has the newest version nothing that clients would take? NULL = there is none. */
static bool is_wanting(const struct secret *newest)
{
	return newest == NULL || !obj_has(newest->pem) || newest->is_untimely;
}

/* HAProxy has it, and shows it to somebody. */
static bool is_in_use(const struct applied *applied, const char *certificate)
{
	const struct applied_certificate *have = applied_find_certificate(applied, certificate);

	return have != NULL && have->hosts != NULL;
}

static void add_candidate(void *ctx, const char *certificate)
{
	struct candidates *candidates = ctx;
	const struct last_good *last_good = candidates->last_good;
	struct candidate found = {.certificate = certificate};

	if (!is_in_use(candidates->applied, certificate) ||
		!model_find_secret_of(
			last_good->model, certificate, &found.namespace, &found.name) ||
		!is_wanting(store_secret(last_good->store, found.namespace, found.name))) {
		return;
	}
	if (candidates->n == candidates->n_allocated) {
		candidates->n_allocated = candidates->n_allocated ? candidates->n_allocated * 2 : 8;
		candidates->items = xreallocarray(
			candidates->items, candidates->n_allocated, sizeof(*candidates->items));
	}
	found.certificate = xstrdup(certificate);
	candidates->items[candidates->n++] = found;
}

static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *left = a;
	const struct candidate *right = b;
	int order = strcmp(left->namespace, right->namespace);

	if (order == 0) {
		order = strcmp(left->name, right->name);
	}
	return order != 0 ? order : strcmp(left->certificate, right->certificate);
}

/* NULL = it can't be read. */
static struct object *read_candidate(
	const struct last_good *last_good, const struct candidate *candidate, int64_t now)
{
	struct buf pem = {.is_secret = true};
	struct object *object = NULL;

	if (state_read_certificate(last_good->state, candidate->certificate, &pem)) {
		object = secret_from_pem(
			candidate->namespace, candidate->name, buf_str(&pem), pem.len, now);
	}
	buf_fini(&pem);
	return object;
}

static bool is_better(const struct object *one, const struct object *other)
{
	const struct secret *a = (const struct secret *)one;
	const struct secret *b = (const struct secret *)other;

	return a->is_untimely != b->is_untimely ? b->is_untimely : a->not_after > b->not_after;
}

/* The best of the first `n`, which are all of one Secret. */
static struct object *read_best(const struct last_good *last_good,
	const struct candidate *candidates, size_t n, int64_t now)
{
	struct object *best = NULL;

	for (size_t i = 0; i < n; i++) {
		struct object *object = read_candidate(last_good, &candidates[i], now);
		if (object != NULL && (best == NULL || is_better(object, best))) {
			object_free(best);
			best = object;
		} else {
			object_free(object);
		}
	}
	return best;
}

/* `older` was there before what the store has. Takes it; NULL is fine. */
static size_t put_back(const struct last_good *last_good, struct object *older)
{
	if (older == NULL) {
		return 0;
	}
	const struct secret *newest =
		store_secret(last_good->store, object_namespace(older), object_name(older));
	struct object *kept = newest != NULL
				      ? secret_keep_last_good(newest, (const struct secret *)older)
				      : secret_without_object((const struct secret *)older);
	object_free(older);
	return kept != NULL && store_put(last_good->store, kept);
}

/* HAProxy's default is this one, and it is for the same names as the newest version. */
static bool was_default(
	const struct applied *applied, const struct object *older, const struct secret *newest)
{
	const struct applied_certificate *have =
		applied_find_certificate(applied, MODEL_CERTIFICATE_DEFAULT);
	const struct secret *secret = (const struct secret *)older;

	return have != NULL && have->fingerprint != NULL &&
	       strcmp(have->fingerprint, obj_str(older, secret->fingerprint)) == 0 &&
	       strcmp(obj_str(older, secret->names), obj_str(newest, newest->names)) == 0;
}

/*
 * The default certificate's name says nothing of its Secret: it is taken for the one before if it
 * is for the same names. Where the store has no content, what HAProxy has stays without this.
 */
static size_t recall_default(
	const struct last_good *last_good, const struct applied *applied, int64_t now)
{
	struct candidate candidate = {.certificate = MODEL_CERTIFICATE_DEFAULT};

	if (!model_find_default_secret(last_good->model, &candidate.namespace, &candidate.name)) {
		return 0;
	}
	const struct secret *newest =
		store_secret(last_good->store, candidate.namespace, candidate.name);
	if (newest == NULL || !obj_has(newest->pem) || !newest->is_untimely) {
		return 0;
	}
	struct object *older = read_candidate(last_good, &candidate, now);
	if (older != NULL && !was_default(applied, older, newest)) {
		object_free(older);
		return 0;
	}
	return put_back(last_good, older);
}

/* The authorities that clients were verified against, where the Secret has none any more. */
static size_t recall_client_ca(const struct last_good *last_good)
{
	char name[STATE_FILE_NAME_SIZE];
	struct buf pem = BUF_INIT(CERT_MAX_INPUT);
	const char *namespace;
	const char *secret;
	size_t n_recalled = 0;

	if (model_lacks_client_ca(last_good->model, &namespace, &secret) &&
		state_read_client_ca(last_good->state, name, &pem)) {
		CLEANUP(free_ptr)
		char *wanted = model_client_ca_file(namespace, secret, buf_str(&pem));
		if (strcmp(name, wanted) == 0) {
			n_recalled = put_back(last_good,
				secret_from_authorities(namespace, secret, buf_str(&pem)));
		}
	}
	buf_fini(&pem);
	return n_recalled;
}

static size_t recall_all(
	const struct last_good *last_good, const struct applied *applied, int64_t now)
{
	struct candidates candidates = {.last_good = last_good, .applied = applied};
	size_t n_recalled = 0;

	state_each_certificate(last_good->state, add_candidate, &candidates);
	if (candidates.n > 1) {
		qsort(candidates.items, candidates.n, sizeof(*candidates.items),
			compare_candidates);
	}
	for (size_t i = 0; i < candidates.n;) {
		const struct candidate *first = &candidates.items[i];
		size_t n = 1;
		while (i + n < candidates.n && strcmp(first[n].name, first->name) == 0 &&
			strcmp(first[n].namespace, first->namespace) == 0) {
			n++;
		}
		n_recalled += put_back(last_good, read_best(last_good, first, n, now));
		i += n;
	}
	for (size_t i = 0; i < candidates.n; i++) {
		free((char *)candidates.items[i].certificate);
	}
	free(candidates.items);
	return n_recalled + recall_default(last_good, applied, now) + recall_client_ca(last_good);
}

size_t last_good_recall(struct last_good *last_good, const struct applied *applied, int64_t now)
{
	if (last_good->is_done || applied == NULL || !store_is_complete(last_good->store) ||
		store_is_held(last_good->store)) {
		return 0;
	}
	last_good->is_done = true;
	size_t n_recalled = recall_all(last_good, applied, now);
	if (n_recalled > 0) {
		struct store_changes changes = store_take_changes(last_good->store);
		model_update(last_good->model, last_good->store, &changes);
		store_changes_fini(&changes);
	}
	return n_recalled;
}
