/*
 * Small files with credentials: read whole, kept in memory, read again when they were replaced,
 * wiped when dropped.
 *
 * Kubernetes replaces a pod's token and CA by swinging a symlink, others write a file anew in
 * place: a file counts as changed when its device, inode, size, modification or change time moved.
 * Reading is a handful of system calls on a local file and is the one thing here that may touch a
 * disk.
 */
#ifndef HG_KUBE_SECRET_FILE_H
#define HG_KUBE_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/attr.h"
#include "base/err.h"

/* Tokens are a kilobyte or two; a CA bundle of a hundred certificates is 200 kB. */
#define SECRET_FILE_MAX_SIZE (1024u * 1024)

struct secret_file {
	char *path; /* owned */
	const char
		*marker;  /* what a good content has in it, NULL = anything; borrowed, a constant */
	char *text;	  /* last good content, owned, NUL-terminated; NULL = never read */
	struct stat seen; /* of the file that `text` came from */
	bool is_stale;	  /* read again whatever stat says */
};

void secret_file_init(struct secret_file *file, const char *path, const char *marker);
void secret_file_fini(struct secret_file *file);

/*
 * Reads the file when it changed; true = `text` is what the file says now, *ret_has_changed tells
 * whether it differs from before. On failure (missing, empty, too large, not a plain file, a NUL
 * inside, no `marker`) `text` keeps the last good content.
 */
bool secret_file_refresh(struct secret_file *file, bool *ret_has_changed, struct err *err) MUST_USE;

/* The whole of a file as a text that the caller frees with secret_text_free(); NULL + err as above.
 */
char *secret_text_read(const char *path, struct err *err) MUST_USE;

/* Wipes and frees; accepts NULL. */
void secret_text_free(char *text);

#endif
