/*
 * What Headgate makes of objects, without a cluster: a verdict for each annotation and each fault
 * of Ingresses, Services and the operator's ConfigMaps. Pure but for memory.
 *
 * An Ingress is looked at as if its class were ours. What is not in the files (a Service, a Secret)
 * is no fault: it may be in the cluster.
 */
#ifndef HG_CHECK_H
#define HG_CHECK_H

#include <stddef.h>

#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

/* From the best to the worst. */
enum check_verdict { CHECK_APPLIED, CHECK_IGNORED, CHECK_REFUSED, CHECK_VERDICT_COUNT };

extern const char *const check_verdict_names[CHECK_VERDICT_COUNT];

struct check_item {
	char *field;  /* "metadata.annotations[haproxy.org/check]", "spec.rules[0].host" */
	char *reason; /* NULL when applied; may hold any bytes of the object */
	enum check_verdict verdict;
};

struct check_object {
	const char *kind;
	char *namespace;
	char *name;
	struct check_item *items;
	size_t n_items;
	enum check_verdict verdict; /* the worst of its items, CHECK_APPLIED without any */
};

struct check_result {
	struct check_object *objects; /* sorted by kind, namespace and name */
	size_t n_objects;
	size_t n_items[CHECK_VERDICT_COUNT];
};

/* What commands without a cluster go by: everything is allowed that a flag could allow. */
struct model_options check_model_options(void) MUST_USE;

/* A model of what is in the store, as if the classes of all Ingresses were ours: puts them into the
 * store. The caller frees it with model_free(). */
struct model *check_build_model(struct store *store, const struct model_options *options) MUST_USE;

/* Builds such a model, and looks at each object, of ConfigMaps at those that `options` name. The
 * caller releases the result with check_fini(). */
struct check_result check_objects(
	struct store *store, const struct model_options *options) MUST_USE;
void check_fini(struct check_result *result);

#endif
