/*
 * The file of settings, which HAProxy reads before the constant configuration. It is none of a
 * generation: HAProxy takes it up by a reload only, and a reload that fails must leave the settings
 * that HAProxy runs with, whatever else was saved meanwhile. So settings on trial have those before
 * beside them, which also tells a controller that was killed in between.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "haproxy/encode.h"
#include "haproxy/selfsigned.h"
#include "haproxy/state_priv.h"

#define FILE_OLD STATE_SETTINGS ".old"
#define MAX_SIZE (128 * 1024)

/* ---- files that settings name ---- */

static void forget(struct state *state)
{
	for (size_t i = 0; i < state->n_files; i++) {
		free(state->files[i].name);
		free(state->files[i].content);
	}
	free(state->files);
	state->files = NULL;
	state->n_files = 0;
	free(state->settings);
	state->settings = NULL;
}

/* What is written is needed again when somebody has removed it. */
static void remember(struct state *state, const char *settings)
{
	struct model_file files[MODEL_MAX_FILES];
	size_t n = state->model != NULL ? model_settings_files(state->model, files) : 0;

	forget(state);
	state->settings = xstrdup(settings);
	state->files = xcalloc(n + 1, sizeof(*state->files));
	for (size_t i = 0; i < n; i++) {
		if (strstr(settings, files[i].name) != NULL) {
			const char *content = files[i].content;
			state->files[state->n_files++] = (struct state_file){
				xstrdup(files[i].name), content ? xstrdup(content) : NULL};
		}
	}
}

/* An authority whose key nobody has. */
static bool make_authority(struct buf *content, struct err *err)
{
	struct buf pem = {.is_secret = true};
	bool is_made = selfsigned_make(&pem, err);
	const char *key = is_made ? strstr(buf_str(&pem), "-----BEGIN PRIVATE KEY") : NULL;

	if (key != NULL) {
		buf_append(content, buf_str(&pem), (size_t)(key - buf_str(&pem)));
	}
	buf_fini(&pem);
	return is_made;
}

static bool write_file(struct state *state, const struct state_file *file, struct err *err)
{
	struct buf text = BUF_INIT(0);
	char name[NAME_SIZE];
	bool is_ok = true;

	snprintf(name, sizeof(name), STATE_FILES "/%s", file->name);
	/* Its name says what is in it, and it is there whole or not at all. */
	if (faccessat(state->fd, name, R_OK, 0) == 0) {
		return true;
	}
	if (file->content != NULL) {
		buf_append_str(&text, file->content);
	} else {
		is_ok = make_authority(&text, err);
	}
	const struct state_content content = {buf_str(&text), text.len, 0644};
	is_ok = is_ok && state_replace_file(state, name, &content, err);
	buf_fini(&text);
	return is_ok;
}

static bool write_files(struct state *state, struct err *err)
{
	if (state->n_files > 0 && mkdirat(state->fd, STATE_FILES, 0755) != 0 && errno != EEXIST) {
		return state_fail(state, STATE_FILES, err);
	}
	for (size_t i = 0; i < state->n_files; i++) {
		if (!write_file(state, &state->files[i], err)) {
			return false;
		}
	}
	return true;
}

/* ---- the file of settings ---- */

/* Appends the content; false = there is no such file, or it can't be read. */
static bool read_file(const struct state *state, const char *name, struct buf *content)
{
	char chunk[4096];
	ssize_t n;
	int fd = openat(state->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0) {
		return false;
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR)) {
		buf_append(content, chunk, n > 0 ? (size_t)n : 0);
	}
	close(fd);
	return n == 0 && buf_is_ok(content);
}

/* Does this file have the settings of this digest? */
static bool has_settings(const struct state *state, const char *name, const char *digest)
{
	struct buf content = BUF_INIT(MAX_SIZE);
	CLEANUP(free_ptr)
	char *mark = xasprintf("\tsetenv " ENCODE_SETTINGS_MARK " '%s'\n", digest);
	bool has = read_file(state, name, &content) && strstr(buf_str(&content), mark) != NULL;

	buf_fini(&content);
	return has;
}

static bool write_settings(struct state *state, const char *settings, struct err *err)
{
	struct buf text = BUF_INIT(MAX_SIZE);
	char digest[MODEL_DIGEST_SIZE];

	model_digest_settings(digest, settings);
	bool is_ok = encode_settings(&text, settings, digest) ||
		     err_set(err, ERR_INPUT,
			     "state directory %s: the settings can't be written safely; those "
			     "before stay",
			     state->directory);
	if (is_ok && settings != state->settings) {
		remember(state, settings);
	}
	/* At another time: a HAProxy that was started without some of its ports takes them now. */
	buf_printf(
		&text, "\tsetenv " ENCODE_SETTINGS_WRITTEN " '%lld'\n", (long long)clock_wall_us());
	const struct state_content content = {buf_str(&text), text.len, 0644};
	is_ok = is_ok && write_files(state, err) &&
		state_replace_file(state, STATE_SETTINGS, &content, err);
	buf_fini(&text);
	return is_ok;
}

/* Removes the files that neither these settings nor those before name. */
static void drop_files(const struct state *state)
{
	struct buf settings = BUF_INIT(2 * MAX_SIZE);
	const struct dirent *entry;
	int fd = openat(state->fd, STATE_FILES, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool is_known = dir != NULL && read_file(state, STATE_SETTINGS, &settings) &&
			(read_file(state, FILE_OLD, &settings) || errno == ENOENT);

	while (is_known && (entry = readdir(dir)) != NULL) {
		if (strstr(buf_str(&settings), entry->d_name) == NULL) {
			unlinkat(fd, entry->d_name, 0);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
	buf_fini(&settings);
}

bool state_check_settings(struct state *state, struct err *err)
{
	if (faccessat(state->fd, STATE_SETTINGS, R_OK, 0) == 0) {
		return write_files(state, err);
	}
	CLEANUP(free_ptr)
	char *standard = state->settings == NULL ? model_standard_settings() : NULL;
	return write_settings(state, standard != NULL ? standard : state->settings, err);
}

/* Those that have been on trial longest, if any, are what HAProxy runs with. */
static bool keep_old(struct state *state, struct err *err)
{
	struct buf content = BUF_INIT(MAX_SIZE);
	bool is_ok = true;

	if (faccessat(state->fd, FILE_OLD, F_OK, 0) != 0 &&
		read_file(state, STATE_SETTINGS, &content)) {
		const struct state_content old = {buf_str(&content), content.len, 0644};
		is_ok = state_replace_file(state, FILE_OLD, &old, err);
	}
	buf_fini(&content);
	return is_ok;
}

bool state_try_settings(struct state *state, const char *settings, struct err *err)
{
	return keep_old(state, err) && write_settings(state, settings, err);
}

void state_undo_settings(struct state *state)
{
	if (renameat(state->fd, FILE_OLD, state->fd, STATE_SETTINGS) == 0) {
		/* What they say is only in the file. */
		forget(state);
		drop_files(state);
		(void)fsync(state->fd);
	}
}

void state_settle_settings(struct state *state, const char *digest, const char *settings)
{
	char wanted[MODEL_DIGEST_SIZE];
	struct err err = {0};

	model_digest_settings(wanted, settings);
	if (digest[0] == '\0') {
		return;
	}
	if (has_settings(state, STATE_SETTINGS, digest)) {
		unlinkat(state->fd, FILE_OLD, 0);
		drop_files(state);
		if (state->settings == NULL && strcmp(digest, wanted) == 0) {
			remember(state, settings);
		}
	} else if (has_settings(state, FILE_OLD, digest)) {
		state_undo_settings(state);
	} else if (strcmp(digest, wanted) == 0 && !write_settings(state, settings, &err)) {
		log_line(LOG_ERROR, "can't save the settings", "error", err.text, NULL);
	}
}

bool state_read_client_ca(
	const struct state *state, char ret_name[STATE_FILE_NAME_SIZE], struct buf *pem)
{
	static const char setting[] = "\tsetenv HEADGATE_CLIENT_CA '";
	struct buf settings = BUF_INIT(MAX_SIZE);
	char path[NAME_SIZE];
	bool is_found = false;

	if (read_file(state, STATE_SETTINGS, &settings)) {
		const char *line = strstr(buf_str(&settings), setting);
		const char *name = line ? line + strlen(setting) : "";
		size_t len = strcspn(name, "'\n/");
		is_found = len > 0 && len < STATE_FILE_NAME_SIZE && name[len] == '\'';
		if (is_found) {
			memcpy(ret_name, name, len);
			ret_name[len] = '\0';
			snprintf(path, sizeof(path), STATE_FILES "/%s", ret_name);
			is_found = read_file(state, path, pem);
		}
	}
	buf_fini(&settings);
	return is_found;
}

void state_forget_settings(struct state *state)
{
	forget(state);
}

const char *state_settings_file(const struct state *state)
{
	return state->settings_file;
}
