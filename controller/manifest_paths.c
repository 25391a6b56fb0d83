/* See manifest_paths.h. */
#include "manifest_paths.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "manifest/file.h"

#define MAX_FILE ((size_t)64 << 20)

static void complain(struct manifest_paths *paths, const char *path, const char *reason)
{
	fprintf(stderr, "headgate: %s: %s\n", path, reason);
	paths->has_bad_file = true;
}

static bool read_stream(FILE *stream, struct buf *text)
{
	char part[65536];
	size_t len;

	while ((len = fread(part, 1, sizeof(part), stream)) > 0) {
		buf_append(text, part, len);
	}
	return ferror(stream) == 0;
}

static void take_text(struct manifest_paths *paths, const char *path, const struct buf *text)
{
	struct manifest_file file;
	struct err err = {0};

	if (!buf_is_ok(text)) {
		complain(paths, path, "is larger than 64 MiB: split it");
		return;
	}
	if (!manifest_file_parse(buf_str(text), text->len, &file, &err)) {
		complain(paths, path, err.text);
		return;
	}
	for (size_t i = 0; i < file.n_objects; i++) {
		store_put(paths->store, file.objects[i]);
		file.objects[i] = NULL;
	}
	for (size_t i = 0; i < file.n_refusals; i++) {
		complain(paths, path, file.refusals[i].reason);
	}
	if (file.outdated != NULL) {
		complain(paths, path, file.outdated);
	}
	manifest_file_fini(&file);
}

static void read_file(struct manifest_paths *paths, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *stream = is_stdin ? stdin : fopen(path, "re");
	struct buf text = BUF_INIT(MAX_FILE);

	paths->n_files++;
	if (stream == NULL || !read_stream(stream, &text)) {
		complain(paths, path, strerror(errno));
	} else {
		take_text(paths, path, &text);
	}
	if (stream != NULL && !is_stdin) {
		fclose(stream);
	}
	buf_fini(&text);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static bool is_manifest(const char *path)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot != NULL && i < ARRAY_LEN(endings); i++) {
		if (strcmp(dot, endings[i]) == 0) {
			return true;
		}
	}
	return false;
}

/* The entries of a directory go onto the end of a list of paths. */
static void list_directory(struct manifest_paths *paths, const char *path, char ***list, size_t *n)
{
	struct dirent **entries = NULL;
	int n_entries = scandir(path, &entries, is_visible, alphasort);

	if (n_entries < 0) {
		complain(paths, path, strerror(errno));
		return;
	}
	*list = xreallocarray(*list, *n + (size_t)n_entries, sizeof(char *));
	for (int i = 0; i < n_entries; i++) {
		(*list)[(*n)++] = xasprintf("%s/%s", path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}

/* A file as it is; of a directory, and those in it, what looks like a manifest. */
void manifest_paths_read(struct manifest_paths *paths, const char *path)
{
	char **list = xcalloc(1, sizeof(char *));
	size_t n = 1;
	struct stat status;

	list[0] = xstrdup(path);
	for (size_t i = 0; i < n; i++) {
		bool is_there = strcmp(list[i], "-") == 0 || stat(list[i], &status) == 0;
		if (!is_there) {
			complain(paths, list[i], strerror(errno));
		} else if (strcmp(list[i], "-") != 0 && S_ISDIR(status.st_mode)) {
			list_directory(paths, list[i], &list, &n);
		} else if (i == 0 || is_manifest(list[i])) {
			read_file(paths, list[i]);
		}
	}
	for (size_t i = 0; i < n; i++) {
		free(list[i]);
	}
	free(list);
}
