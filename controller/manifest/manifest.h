/*
 * Objects from a directory of manifests instead of an API server: YAML or JSON files, several
 * documents a file, List kinds; the directory is watched (inotify) and files that change, come or
 * go change the store.
 *
 * Files: *.yaml, *.yml, *.json directly in the directory, symbolic links included; dot files are
 * skipped. A file is read when it is closed after writing, renamed into place, linked or removed,
 * so that half-written ones are not. When `..data` is replaced (a mounted ConfigMap), everything is
 * read again; what else changes behind a symbolic link is not seen.
 *
 * A file that can't be read or parsed, or has an object without kind or name, keeps the objects of
 * its last good version. An object with a field that is wrong keeps its own last good version, and
 * the others of the file are used. Both are reported once for each version of the file, with file,
 * line and reason. An object of a kind that we do not read is skipped. Two files with the same
 * object: the file whose name sorts first wins, the other is reported and takes over when the
 * winner goes.
 *
 * A directory that is removed or moved away is reported, and everything stays as it was until it is
 * back with at least one manifest in it.
 *
 * Limits: 10,000 files of 64 MiB. Reading files blocks the event loop; manifests are for small
 * installations and first tries.
 */
#ifndef HG_MANIFEST_MANIFEST_H
#define HG_MANIFEST_MANIFEST_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "store/store.h"

#define MANIFESTS_MAX_FILES 10000

struct manifests;

/*
 * Reads the directory once and puts everything into the store (all kinds then count as known), then
 * watches it. Fails when the directory can't be read or has too many files (ERR_INPUT); a bad file
 * in it is not a failure but a log line and the metric headgate_manifest_errors. `base` and `store`
 * are borrowed until manifests_close().
 */
struct manifests *manifests_open(struct event_base *base, const char *directory,
	struct store *store, struct err *err) MUST_USE;

/* The store keeps its objects. NULL is fine. */
void manifests_close(struct manifests *manifests);

#endif
