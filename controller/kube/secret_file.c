/*
 * See secret_file.h. Called by kube/config.c and kube/credentials.c; knows nothing of what the
 * texts mean, and never logs or quotes one.
 */
#include "kube/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static char *read_text(const char *path, struct stat *ret_seen, struct err *err);

void secret_file_init(struct secret_file *file, const char *path, const char *marker)
{
	*file = (struct secret_file){.path = xstrdup(path), .marker = marker};
}

void secret_file_fini(struct secret_file *file)
{
	free(file->path);
	secret_text_free(file->text);
	*file = (struct secret_file){0};
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool secret_file_refresh(struct secret_file *file, bool *ret_has_changed, struct err *err)
{
	struct stat now;

	if (file->text != NULL && !file->is_stale && stat(file->path, &now) == 0 &&
		is_same_file(&now, &file->seen)) {
		*ret_has_changed = false;
		return true;
	}
	char *text = read_text(file->path, &now, err);
	if (text == NULL) {
		return false;
	}
	if (file->marker != NULL && strstr(text, file->marker) == NULL) {
		secret_text_free(text);
		return err_set(err, ERR_INPUT, "%s: no \"%s\" in it", file->path, file->marker);
	}
	*ret_has_changed = file->text == NULL || strcmp(file->text, text) != 0;
	secret_text_free(file->text);
	file->text = text;
	file->seen = now;
	file->is_stale = false;
	return true;
}

char *secret_text_read(const char *path, struct err *err)
{
	struct stat seen;

	return read_text(path, &seen, err);
}

void secret_text_free(char *text)
{
	if (text != NULL) {
		OPENSSL_cleanse(text, strlen(text));
		free(text);
	}
}

/* Up to `size` bytes; -1 = failed. */
static ssize_t read_all(int fd, char *data, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return -1;
		}
		if (n == 0) {
			break;
		}
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static char *read_open_file(int fd, const char *path, const struct stat *seen, struct err *err)
{
	if (!S_ISREG(seen->st_mode)) {
		(void)err_set(err, ERR_INPUT, "%s: not a plain file", path);
		return NULL;
	}
	if (seen->st_size > (off_t)SECRET_FILE_MAX_SIZE) {
		(void)err_set(
			err, ERR_INPUT, "%s: larger than %u bytes", path, SECRET_FILE_MAX_SIZE);
		return NULL;
	}
	size_t size = (size_t)seen->st_size;
	char *text = xcalloc(1, size + 1);
	ssize_t len = read_all(fd, text, size);

	if (len > 0 && strlen(text) == (size_t)len) {
		return text;
	}
	if (len < 0) {
		(void)err_set(err, ERR_RETRY, "%s: %s", path, strerror(errno));
	} else if (len == 0) {
		(void)err_set(err, ERR_RETRY, "%s: the file is empty", path);
	} else {
		(void)err_set(err, ERR_INPUT, "%s: not a text file", path);
	}
	OPENSSL_cleanse(text, size);
	free(text);
	return NULL;
}

static char *read_text(const char *path, struct stat *ret_seen, struct err *err)
{
	/* Opening a FIFO must not wait for its writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0) {
		(void)err_set(err, ERR_RETRY, "%s: %s", path, strerror(errno));
		return NULL;
	}
	struct stat seen;
	char *text = NULL;
	if (fstat(fd, &seen) != 0) {
		(void)err_set(err, ERR_RETRY, "%s: %s", path, strerror(errno));
	} else {
		text = read_open_file(fd, path, &seen, err);
	}
	close(fd);
	if (text != NULL) {
		*ret_seen = seen;
	}
	return text;
}
