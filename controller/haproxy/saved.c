/* See saved.h. Lines are those of haproxy/encode. */
#include "haproxy/saved.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "haproxy/encode.h"

#define CURRENT "current"

struct reader {
	struct applied *applied;
	struct applied_backend *backend; /* whose servers come */
	enum model_map map;		 /* of the file being read */
};

/* Takes a line apart, in place; false = it is none of ours. */
typedef bool (*line_fn)(struct reader *reader, char *line);

static bool read_map_line(struct reader *reader, char *line)
{
	char *blank = strchr(line, ' ');

	if (blank == NULL || blank == line || blank[1] == '\0') {
		return false;
	}
	*blank = '\0';
	applied_set_entry(reader->applied, reader->map, line, blank + 1);
	return true;
}

/* "backend NAME from PROFILE", or "<tab>server NAME ADDRESS KEYWORD…". */
static bool read_backend_line(struct reader *reader, char *line)
{
	char *rest = line;
	const char *word = strsep(&rest, " ");
	const char *name = strsep(&rest, " ");
	const char *third = strsep(&rest, " ");

	if (name == NULL || third == NULL) {
		return false;
	}
	if (strcmp(word, "backend") == 0 && applied_find_backend(reader->applied, name) == NULL) {
		reader->backend = applied_add_backend(reader->applied, name);
		return true;
	}
	if (strcmp(word, "\tserver") != 0 || reader->backend == NULL) {
		return false;
	}
	applied_set_server(reader->applied, reader->backend, name, third, APPLIED_READY);
	return true;
}

/* "<folder>/<name>.pem host host…" */
static bool read_certificate_line(struct reader *reader, char *line)
{
	char *hosts = strchr(line, ' ');

	if (hosts == NULL) {
		return false;
	}
	*hosts++ = '\0';
	char *name = strrchr(line, '/');
	char *suffix = name != NULL ? strstr(name, ENCODE_CERT_SUFFIX) : NULL;
	if (suffix == NULL) {
		return false;
	}
	*suffix = '\0';
	if (strcmp(name + 1, MODEL_CERTIFICATE_DEFAULT) != 0) {
		applied_set_certificate(reader->applied, name + 1, hosts, NULL);
	}
	return true;
}

static bool read_lines(
	struct reader *reader, FILE *file, const char *path, line_fn on_line, struct err *err)
{
	char *line = NULL;
	size_t size = 0;
	size_t total = 0;
	unsigned number = 0;
	bool is_ok = true;
	ssize_t len;

	while (is_ok && (len = getline(&line, &size, file)) > 0) {
		number++;
		total += (size_t)len;
		if (line[len - 1] == '\n') {
			line[len - 1] = '\0';
		}
		is_ok = total <= SAVED_MAX_FILE && (line[0] == '\0' || on_line(reader, line));
	}
	free(line);
	return is_ok ||
	       err_set(err, ERR_PROTO, "%s: line %u is not as Headgate writes it", path, number);
}

/* `directory` and the rest of the path. */
static bool read_file(struct reader *reader, const char *directory, const char *name,
	line_fn on_line, struct err *err)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/" CURRENT "/%s", directory, name);
	FILE *file = fopen(path, "re");

	/* Backends that are not there have no file. */
	if (file == NULL && errno == ENOENT && on_line == read_backend_line) {
		return true;
	}
	if (file == NULL) {
		return err_set(
			err, ERR_INPUT, "%s: %s: is this a --state-dir?", path, strerror(errno));
	}
	bool is_ok = read_lines(reader, file, path, on_line, err);
	fclose(file);
	return is_ok;
}

/* What backends are made with is in no list: the folder says it, by names alone. */
static bool read_stores(struct reader *reader, const char *directory, struct err *err)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/" CURRENT "/" ENCODE_CERTS_DIR, directory);
	DIR *folder = opendir(path);
	const struct dirent *entry;

	if (folder == NULL) {
		return err_set(
			err, ERR_INPUT, "%s: %s: is this a --state-dir?", path, strerror(errno));
	}
	while ((entry = readdir(folder)) != NULL) {
		size_t len = strlen(entry->d_name);
		size_t suffix_len = strlen(ENCODE_CERT_SUFFIX);

		if (len <= suffix_len ||
			strcmp(entry->d_name + len - suffix_len, ENCODE_CERT_SUFFIX) != 0) {
			continue;
		}
		CLEANUP(free_ptr) char *name = xstrndup(entry->d_name, len - suffix_len);
		if (model_certificate_kind(name) != MODEL_CERTIFICATE_SERVED) {
			applied_set_certificate(reader->applied, name, "", NULL);
		}
	}
	closedir(folder);
	return true;
}

struct applied *saved_read(const char *directory, struct err *err)
{
	struct reader reader = {.applied = applied_new()};
	bool is_ok = true;

	for (int map = 0; map < MODEL_MAP_COUNT && is_ok; map++) {
		reader.map = (enum model_map)map;
		is_ok = read_file(&reader, directory, model_map_files[map], read_map_line, err);
	}
	for (unsigned shard = 0; shard < APPLIED_SHARDS && is_ok; shard++) {
		char name[32];
		snprintf(name, sizeof(name), "backends/%02u.cfg", shard);
		reader.backend = NULL;
		is_ok = read_file(&reader, directory, name, read_backend_line, err);
	}
	is_ok = is_ok &&
		read_file(&reader, directory, ENCODE_CERTS_LIST, read_certificate_line, err) &&
		read_stores(&reader, directory, err);
	if (!is_ok) {
		applied_free(reader.applied);
		return NULL;
	}
	return reader.applied;
}
