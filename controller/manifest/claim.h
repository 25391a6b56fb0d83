/*
 * Which file an object comes from, when several say the same name: the file whose name sorts first
 * has it, the others wait.
 *
 * The store holds the winners' objects; the waiting ones are kept here, so that the next file takes
 * over without being read again.
 */
#ifndef HG_MANIFEST_CLAIM_H
#define HG_MANIFEST_CLAIM_H

#include <stddef.h>

#include "base/attr.h"
#include "manifest/file.h"
#include "store/store.h"

struct claims;
struct claim_entry;

/* A file's side; the rest is the caller's. A zeroed one with a name is a file without objects. */
struct claim_owner {
	const char *name; /* borrowed; decides who wins */
	struct claim_entry **entries;
	size_t n_entries;
};

/* An object that more than one file has, or that one file has twice. */
struct claim_conflicts {
	size_t n;
	/* The first one; borrowed until the next call. */
	enum kube_kind kind;
	const char *namespace;
	const char *name;
	const char *used;    /* name of the owner that has it */
	const char *ignored; /* name of the owner that waits */
};

/* The store is borrowed. */
struct claims *claims_new(struct store *store) MUST_USE;

/* Leaves the store as it is; every owner has been released before. */
void claims_free(struct claims *claims);

/*
 * The owner's objects are now these: puts what is new or changed, then removes what the owner had
 * before and has no more (or hands it to the next owner). What it had of an object that is refused
 * now stays. Takes the objects out of `file`.
 * Conflicts are those that the new objects have.
 */
void claims_replace(struct claims *claims, struct claim_owner *owner, struct manifest_file *file,
	struct claim_conflicts *ret_conflicts);

/* The end of the program: frees what the owner has here without touching the store. */
void claims_release(struct claims *claims, struct claim_owner *owner);

#endif
