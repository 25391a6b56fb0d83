/* See left_out.h. Called by launch.c. */
#include "haproxy/left_out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "haproxy/bindable.h"
#include "haproxy/encode.h"
#include "model/model.h"

#define MAX_SIZE (128 * 1024)
#define SETENV	 "\tsetenv "

/* ---- the file of settings ---- */

/* The value of a variable; NULL = it has none. Owned. */
static char *find_value(const char *content, const char *name)
{
	CLEANUP(free_ptr) char *beginning = xasprintf(SETENV "%s '", name);
	const char *found = strstr(content, beginning);

	if (found == NULL) {
		return NULL;
	}
	found += strlen(beginning);
	return xstrndup(found, strcspn(found, "'\n"));
}

/* The settings that it says, as model_settings() has them. Owned. */
static char *read_settings(const char *content)
{
	struct buf settings = BUF_INIT(0);

	for (const char *line = content; *line != '\0';) {
		size_t len = strcspn(line, "\n");
		const char *name = line + strlen(SETENV);
		bool is_setting =
			strncmp(line, SETENV, strlen(SETENV)) == 0 &&
			strncmp(name, ENCODE_SETTINGS_MARK, strlen(ENCODE_SETTINGS_MARK)) != 0;
		for (const char *at = name; is_setting && at < line + len; at++) {
			if (*at != '\'') {
				buf_append_char(&settings, *at);
			}
		}
		if (is_setting) {
			buf_append_char(&settings, '\n');
		}
		line += len + (line[len] == '\n');
	}
	return buf_take(&settings);
}

bool left_out_encode(struct buf *buf, const char *content, const uint16_t *ports, size_t n)
{
	static const size_t part = (size_t)MODEL_DIGEST_TCP * MODEL_DIGEST_PART;
	CLEANUP(free_ptr) char *mark = find_value(content, ENCODE_SETTINGS_MARK);
	CLEANUP(free_ptr) char *written = find_value(content, ENCODE_SETTINGS_WRITTEN);
	size_t start = buf->len;
	char digest[MODEL_DIGEST_SIZE];

	if (mark == NULL || strlen(mark) < part + MODEL_DIGEST_PART || written == NULL ||
		written[0] == '\0' || written[strspn(written, "0123456789")] != '\0') {
		return false;
	}
	CLEANUP(free_ptr) char *all = read_settings(content);
	CLEANUP(free_ptr) char *left = model_settings_without(all, ports, n);
	model_digest_settings(digest, left);
	memcpy(mark + part, digest + part, MODEL_DIGEST_PART);
	buf_printf(buf,
		".if streq(\"$" ENCODE_SETTINGS_WRITTEN "\",%s)\n"
		"# Without the TCP ports that HAProxy could not have when it was started.\n",
		written);
	bool is_ok = encode_settings(buf, left, mark);
	buf_append_str(buf, ".endif\n");
	if (!is_ok || !buf_is_ok(buf)) {
		buf_truncate(buf, start);
		return false;
	}
	return true;
}

/* ---- files ---- */

/* False = there is no such file, or it is too large. */
static bool read_file(const char *path, struct buf *content)
{
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	char chunk[4096];
	size_t n;

	if (file == NULL) {
		return false;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		buf_append(content, chunk, n);
	}
	bool is_ok = ferror(file) == 0 && buf_is_ok(content);
	fclose(file);
	return is_ok;
}

static bool write_file(const char *path, const struct buf *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0) {
		return false;
	}
	bool is_ok = write(fd, buf_str(text), text->len) == (ssize_t)text->len;
	return close(fd) == 0 && is_ok;
}

/* ---- ports ---- */

/* Those that HAProxy can't have; returns how many. */
static size_t try_ports(const struct process_options *options, const char *content,
	uint16_t ret_ports[MODEL_MAX_PORTS], int *ret_error)
{
	CLEANUP(free_ptr) char *settings = read_settings(content);
	bool has_ipv6 = bindable_has_chosen_ipv6(options->http_bind);
	uint16_t ports[MODEL_MAX_PORTS];
	size_t n = model_settings_ports(settings, ports);
	size_t n_bad = 0;

	for (size_t i = 0; i < n; i++) {
		int error = bindable_try_port(ports[i], has_ipv6);
		if (error != 0) {
			*ret_error = error;
			ret_ports[n_bad++] = ports[i];
		}
	}
	return n_bad;
}

static void tell(const uint16_t *ports, size_t n, int error)
{
	struct buf list = BUF_INIT(0);

	for (size_t i = 0; i < n; i++) {
		buf_printf(&list, "%s%u", i > 0 ? " " : "", ports[i]);
	}
	log_line(LOG_WARN,
		"HAProxy is started without TCP ports that it can't have: end what else has them; "
		"the controller brings them back when they are free",
		"ports", buf_str(&list), "error", strerror(error), NULL);
	buf_fini(&list);
}

char *left_out_write(const struct process_options *options)
{
	struct buf content = BUF_INIT(MAX_SIZE);
	struct buf text = BUF_INIT(MAX_SIZE);
	uint16_t ports[MODEL_MAX_PORTS];
	int error = 0;
	char *path = NULL;
	size_t n = read_file(options->settings_file, &content)
			   ? try_ports(options, buf_str(&content), ports, &error)
			   : 0;

	if (n > 0) {
		tell(ports, n, error);
		path = xasprintf("%s/ports.cfg", options->run_dir);
	}
	if (n > 0 &&
		!(left_out_encode(&text, buf_str(&content), ports, n) && write_file(path, &text))) {
		log_line(LOG_ERROR, "TCP ports can't be left out: HAProxy may not start", "file",
			path, "error", strerror(errno), NULL);
		free_ptr(&path);
	}
	buf_fini(&content);
	buf_fini(&text);
	return path;
}
