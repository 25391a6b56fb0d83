/*
 * The file of settings, which HAProxy reads before the constant configuration. It is none of a
 * generation: HAProxy takes it up by a reload only, and a reload that fails must leave the settings
 * that HAProxy runs with, whatever else was saved meanwhile. So settings on trial have those before
 * beside them, which also tells a controller that was killed in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "haproxy/encode.h"
#include "haproxy/state_priv.h"

#define FILE_OLD STATE_SETTINGS ".old"
#define MAX_SIZE (128 * 1024)

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
	const struct state_content content = {buf_str(&text), text.len, 0644};
	is_ok = is_ok && state_replace_file(state, STATE_SETTINGS, &content, err);
	buf_fini(&text);
	if (is_ok && settings != state->settings) {
		free(state->settings);
		state->settings = xstrdup(settings);
	}
	return is_ok;
}

bool state_check_settings(struct state *state, struct err *err)
{
	if (faccessat(state->fd, STATE_SETTINGS, R_OK, 0) == 0) {
		return true;
	}
	if (state->settings == NULL) {
		state->settings = model_standard_settings();
	}
	return write_settings(state, state->settings, err);
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
	char digest[MODEL_DIGEST_SIZE];

	model_digest_settings(digest, settings);
	return has_settings(state, STATE_SETTINGS, digest) ||
	       (keep_old(state, err) && write_settings(state, settings, err));
}

void state_undo_settings(struct state *state)
{
	if (renameat(state->fd, FILE_OLD, state->fd, STATE_SETTINGS) == 0) {
		/* What they say is only in the file. */
		free(state->settings);
		state->settings = NULL;
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
	} else if (has_settings(state, FILE_OLD, digest)) {
		state_undo_settings(state);
	} else if (strcmp(digest, wanted) == 0 && !write_settings(state, settings, &err)) {
		log_line(LOG_ERROR, "can't save the settings", "error", err.text, NULL);
	}
}

const char *state_settings_file(const struct state *state)
{
	return state->settings_file;
}
