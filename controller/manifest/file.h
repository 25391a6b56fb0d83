/*
 * The text of one manifest file to objects: several documents, v1 List, and typed lists such as
 * IngressList. Pure: no I/O.
 */
#ifndef HG_MANIFEST_FILE_H
#define HG_MANIFEST_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "kube/object.h"

/* An object that can't be used as it is. */
struct manifest_refusal {
	struct object *key; /* has its kind, namespace and name, and nothing else; owned */
	char *reason;	    /* "line 3: Service 'a': spec.ports[0].port: must be ..."; owned */
};

struct manifest_file {
	struct object **objects; /* in the order of the file; each to be freed by its owner */
	size_t n_objects;
	size_t n_skipped; /* objects of kinds that we do not read */
	/* Of these, how many are of a kind that we read, in a version that no API server has any
	 * more or yet; and which the first one is, with the remedy; owned, NULL = none. */
	size_t n_outdated;
	char *outdated;
	struct manifest_refusal *refusals; /* in the order of the file */
	size_t n_refusals;
};

/*
 * An object with a field that is wrong is refused, the others are there. What leaves open which
 * objects the file has (its YAML, a kind or a name that is missing) refuses all: false and `err`
 * (ERR_INPUT, "line N: …" where a line is known) at the first such thing. A namespaced object
 * without a namespace is in "default". The same object may be there twice.
 */
bool manifest_file_parse(
	const char *text, size_t len, struct manifest_file *ret_file, struct err *err) MUST_USE;

/* Frees what is still there; an object that somebody took has been replaced by NULL. */
void manifest_file_fini(struct manifest_file *file);

#endif
