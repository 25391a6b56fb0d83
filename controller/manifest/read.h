/* Manifest files on disk: their names and their texts. Blocks while it reads. */
#ifndef HG_MANIFEST_READ_H
#define HG_MANIFEST_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* Sorted; owned. */
struct manifest_names {
	char **items;
	size_t n;
};

enum manifest_presence {
	MANIFEST_ABSENT,     /* nothing of that name, or a folder */
	MANIFEST_READ,	     /* the text is there */
	MANIFEST_UNREADABLE, /* there is something, and `err` says why it can't be read */
};

/* *.yaml, *.yml, *.json, and no dot in front. */
bool manifest_name_is_ours(const char *name) MUST_USE;

/* The names in a directory that are ours; fails (ERR_INPUT) when it can't be read or has more than
 * MANIFESTS_MAX_FILES. */
bool manifest_read_names(
	const char *directory, struct manifest_names *ret_names, struct err *err) MUST_USE;
void manifest_names_fini(struct manifest_names *names);

/* Puts the file's text into `text`, an empty buffer whose limit is the file's. */
enum manifest_presence manifest_read_text(
	const char *path, struct buf *text, struct err *err) MUST_USE;

/* A regular file without content: somebody has created it and is about to write. */
bool manifest_is_empty_file(const char *path) MUST_USE;

#endif
