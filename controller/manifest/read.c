/* See read.h. Called by manifest.c. */
#include "manifest/read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "manifest/manifest.h"

#define READ_SIZE 65536

bool manifest_name_is_ours(const char *name)
{
	static const char *const endings[] = {".yaml", ".yml", ".json"};
	size_t len = strlen(name);

	if (*name == '.') {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		size_t ending = strlen(endings[i]);
		if (len > ending && strcmp(name + len - ending, endings[i]) == 0) {
			return true;
		}
	}
	return false;
}

void manifest_names_fini(struct manifest_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->items[i]);
	}
	free(names->items);
	*names = (struct manifest_names){0};
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool collect_names(DIR *dir, struct manifest_names *names)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		if (!manifest_name_is_ours(entry->d_name)) {
			continue;
		}
		if (names->n == MANIFESTS_MAX_FILES) {
			return false;
		}
		names->items = xreallocarray(names->items, names->n + 1, sizeof(*names->items));
		names->items[names->n++] = xstrdup(entry->d_name);
	}
	return true;
}

bool manifest_read_names(const char *directory, struct manifest_names *ret_names, struct err *err)
{
	struct manifest_names names = {0};
	DIR *dir = opendir(directory);

	if (dir == NULL) {
		return err_set(err, ERR_INPUT,
			"can't read the directory %s: %s; name the one that has the manifests with "
			"--manifests",
			directory, strerror(errno));
	}
	bool has_room = collect_names(dir, &names);
	closedir(dir);
	if (!has_room) {
		manifest_names_fini(&names);
		return err_set(err, ERR_INPUT, "the directory %s has more than %d manifest files",
			directory, MANIFESTS_MAX_FILES);
	}
	if (names.n > 1) {
		qsort(names.items, names.n, sizeof(*names.items), compare_names);
	}
	*ret_names = names;
	return true;
}

/* Everything up to the buffer's limit; false = errno says why, or the limit was reached. */
static bool read_all(int fd, struct buf *text)
{
	char part[READ_SIZE];
	ssize_t len;

	while ((len = read(fd, part, sizeof(part))) > 0) {
		buf_append(text, part, (size_t)len);
		if (!buf_is_ok(text)) {
			errno = EFBIG;
			return false;
		}
	}
	return len == 0;
}

static enum manifest_presence read_open_file(int fd, struct buf *text, struct err *err)
{
	struct stat info;

	if (fstat(fd, &info) != 0) {
		err_set(err, ERR_INPUT, "can't be read: %s", strerror(errno));
		return MANIFEST_UNREADABLE;
	}
	if (S_ISDIR(info.st_mode)) {
		return MANIFEST_ABSENT;
	}
	if (!S_ISREG(info.st_mode)) {
		err_set(err, ERR_INPUT, "not a regular file");
		return MANIFEST_UNREADABLE;
	}
	if (!read_all(fd, text)) {
		err_set(err, ERR_INPUT, "can't be read: %s", strerror(errno));
		return MANIFEST_UNREADABLE;
	}
	return MANIFEST_READ;
}

enum manifest_presence manifest_read_text(const char *path, struct buf *text, struct err *err)
{
	struct stat info;
	/* A pipe with a manifest's name must not stop the program. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		int error = errno;
		if (error == ENOENT && lstat(path, &info) != 0) {
			return MANIFEST_ABSENT;
		}
		err_set(err, ERR_INPUT, "can't be opened: %s", strerror(error));
		return MANIFEST_UNREADABLE;
	}
	enum manifest_presence presence = read_open_file(fd, text, err);
	close(fd);
	return presence;
}

bool manifest_is_empty_file(const char *path)
{
	struct stat info;

	return lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0;
}
