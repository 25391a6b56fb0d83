/*
 * JSON to objects, by tables of fields (object.c). Used for the API server's answers and, after
 * YAML has become the same json-c values, for manifests: both give the same bytes for the same
 * object.
 */
#ifndef HG_KUBE_DECODE_H
#define HG_KUBE_DECODE_H

#include <json-c/json.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "kube/object.h"

/* Above the API server's own limit of about 1.5 MB an object; what is larger is refused. */
#define OBJECT_MAX_SIZE (2u * 1024 * 1024)

/*
 * Which kind is this document? Looks at `apiVersion` and `kind`; false = none that we read.
 */
bool object_detect_kind(struct json_object *json, enum kube_kind *ret_kind) MUST_USE;

/*
 * Decodes one object. The caller frees the result with free(). On failure returns NULL and `err`
 * (ERR_INPUT) names the field: a value of the wrong type, a missing metadata.name, a text with NUL
 * or over its limit. Unknown fields are skipped. Items of list documents carry no `kind` of their
 * own, so the kind is an argument. An object of a namespaced kind without metadata.namespace gets
 * `default_namespace` (the manifests' case; the API server always sends one) and is refused when
 * that is NULL or "". Cluster-scoped kinds have no namespace, whatever is said here or there.
 */
struct object *object_decode(enum kube_kind kind, struct json_object *json,
	const char *default_namespace, struct err *err) MUST_USE;

#endif
