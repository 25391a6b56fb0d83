/*
 * Knowing: a replica of the Kubernetes objects, whatever brought them (API server or manifests).
 *
 * The store takes objects and remembers which keys were touched since somebody last asked. It
 * decides nothing and does no I/O. Whoever fills it runs mark-and-sweep for a complete list:
 * store_begin_list(), store_put() for every object of the list, store_end_list() - which removes
 * what the list did not have. Between begin and end nothing is removed, so a list that breaks off
 * takes nothing away. A kind can be split into namespaces, each with lists of its own.
 */
#ifndef HG_STORE_STORE_H
#define HG_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "kube/object.h"

struct store;

/*
 * One touched key. For KUBE_ENDPOINT_SLICE `name` is the name of the *Service* that the slice
 * belongs to: what interests the reader is "the endpoints of this Service changed", whichever slice
 * they are in.
 */
struct store_change {
	enum kube_kind kind;
	char *namespace;
	char *name;
};

struct store_changes {
	struct store_change *items;
	size_t n;
};

/* Called once when the store goes from "nothing touched" to "something touched". */
typedef void (*store_wake_fn)(void *ctx);

/* An Ingress's status changed and nothing else of it. Must not change the store. */
typedef void (*store_status_fn)(void *ctx, const char *namespace, const char *name);

struct store *store_new(void) MUST_USE;
void store_free(struct store *store);
void store_on_change(struct store *store, store_wake_fn wake, void *ctx);
void store_on_status(struct store *store, store_status_fn on_status, void *ctx);

/*
 * Takes ownership of `object`. Returns false when it says the same as the one that was there, is
 * outside the namespaces of store_split(), or when an Ingress differs in its status alone: nothing
 * is touched then, as no route depends on it, and store_on_status() tells who asked for it.
 */
bool store_put(struct store *store, struct object *object);

/* Forgets an object; false = was not there. */
bool store_remove(
	struct store *store, enum kube_kind kind, const char *namespace, const char *name);

/*
 * Secrets are special: their last good content must stay in use. One that can't be used takes over
 * the content of the version before it (kube/secret.h), and one that is removed, by store_remove()
 * or by a list that does not have it, stays with that content and says that it is gone.
 * store_forget() ends that, when nobody refers to it.
 */
void store_forget(
	struct store *store, enum kube_kind kind, const char *namespace, const char *name);

/*
 * Only these namespaces (at least one, each once; copied) are asked for objects of this kind, each
 * by a list of its own; the kind is known when all have been listed. An object of another namespace
 * is not taken. To be called before the first object or list of the kind.
 */
void store_split(struct store *store, enum kube_kind kind, const char *const *namespaces, size_t n);

/* Are objects of this kind taken from this namespace? */
bool store_takes(const struct store *store, enum kube_kind kind, const char *namespace) MUST_USE;

/*
 * A complete list of one kind begins, or of one namespace of a kind that is split (`namespace` is
 * one of store_split()'s then; otherwise it is not looked at). May be called again to start over;
 * lists of several namespaces may run at the same time.
 */
void store_begin_list_in(struct store *store, enum kube_kind kind, const char *namespace);

/* The list is complete: removes what it did not have and marks what it was of as known. Returns how
 * many were removed. A list of Secrets is one of certificates and leaves those of other types. */
size_t store_end_list_in(struct store *store, enum kube_kind kind, const char *namespace);

/* The same for a kind that is not split. */
static inline void store_begin_list(struct store *store, enum kube_kind kind)
{
	store_begin_list_in(store, kind, NULL);
}

static inline size_t store_end_list(struct store *store, enum kube_kind kind)
{
	return store_end_list_in(store, kind, NULL);
}

/* Kinds that are never going to be listed (no ConfigMap was named) count as known. */
void store_set_known(struct store *store, enum kube_kind kind);

/* Has every kind been listed completely once? Before that no pass may run. */
bool store_is_complete(const struct store *store) MUST_USE;
bool store_is_known(const struct store *store, enum kube_kind kind) MUST_USE;

/* Is this the one kind that has not been listed? (Which Secrets are needed is known then.) */
bool store_lacks_only(const struct store *store, enum kube_kind kind) MUST_USE;

/* Touched keys since the last call, each once, in a fixed order; the caller frees with
 * store_changes_fini(). */
struct store_changes store_take_changes(struct store *store) MUST_USE;
void store_changes_fini(struct store_changes *changes);

/*
 * While it is held back, store_take_changes() gives nothing: what is known is in pieces just now,
 * and whoever asks goes on with what it was given before. Ends with a wake if something was
 * touched.
 */
void store_hold(struct store *store, bool is_held);
bool store_is_held(const struct store *store) MUST_USE;

/* Whoever waits for changes looks again, though nothing was touched. */
void store_wake(struct store *store);

/* Every key that is there, as if it had just been touched: what a rebuild starts from. */
struct store_changes store_all_keys(const struct store *store) MUST_USE;

/* NULL = not there. Borrowed until the object is replaced or removed. */
const struct object *store_find(const struct store *store, enum kube_kind kind,
	const char *namespace, const char *name) MUST_USE;

static inline const struct ingress *store_ingress(
	const struct store *store, const char *namespace, const char *name)
{
	return (const struct ingress *)store_find(store, KUBE_INGRESS, namespace, name);
}

static inline const struct service *store_service(
	const struct store *store, const char *namespace, const char *name)
{
	return (const struct service *)store_find(store, KUBE_SERVICE, namespace, name);
}

static inline const struct config_map *store_config_map(
	const struct store *store, const char *namespace, const char *name)
{
	return (const struct config_map *)store_find(store, KUBE_CONFIG_MAP, namespace, name);
}

static inline const struct ingress_class *store_ingress_class(
	const struct store *store, const char *name)
{
	return (const struct ingress_class *)store_find(store, KUBE_INGRESS_CLASS, "", name);
}

/* The EndpointSlices of a Service: *ret_n pointers, in no particular order; borrowed until the next
 * change. */
const struct endpoint_slice *const *store_slices(const struct store *store, const char *namespace,
	const char *service, size_t *ret_n) MUST_USE;

static inline const struct secret *store_secret(
	const struct store *store, const char *namespace, const char *name)
{
	return (const struct secret *)store_find(store, KUBE_SECRET, namespace, name);
}

/* Steps through one kind: start with *position = 0, ends with NULL; in no particular order. */
const struct object *store_next(
	const struct store *store, enum kube_kind kind, uint32_t *position) MUST_USE;

size_t store_count(const struct store *store, enum kube_kind kind) MUST_USE;

#endif
