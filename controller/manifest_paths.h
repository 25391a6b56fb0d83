/* Files and directories that are named on the command line, into a store: for the commands that
 * need no cluster. */
#ifndef HG_MANIFEST_PATHS_H
#define HG_MANIFEST_PATHS_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

struct manifest_paths {
	struct store *store; /* borrowed */
	size_t n_files;	     /* that were looked at */
	bool has_bad_file;   /* one couldn't be read, or was refused: said on stderr */
};

/*
 * A file as it is ("-" is the standard input); of a directory, and of those in it, what ends in
 * .yaml, .yml or .json and doesn't begin with a dot. What can't be read is said on stderr, and the
 * rest is taken. A file has at most 64 MiB. The same object in a later file replaces an earlier
 * one.
 */
void manifest_paths_read(struct manifest_paths *paths, const char *path);

#endif
