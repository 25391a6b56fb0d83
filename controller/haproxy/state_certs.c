/*
 * The certificates of a generation. Their files never change, as a name stands for a content, so
 * they are hard links into the generation before; only the default is compared. What nobody has any
 * more - the model forgot it, HAProxy keeps it - lives on in these links.
 */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/encode.h"
#include "haproxy/selfsigned.h"
#include "haproxy/state_priv.h"
#include "model/variant.h"

#define DEFAULT_FILE MODEL_CERTIFICATE_DEFAULT STATE_CERTS_SUFFIX

/* Longer files in the folder are not ours. */
#define MAX_FILE (64 * 1024)

static bool write_secret(
	struct draft *draft, const char *name, const char *data, size_t size, struct err *err)
{
	const struct state_content content = {data, size, 0600};

	return state_write_file(draft, draft->certs_fd, name, &content, err);
}

static bool read_file(int folder_fd, const char *name, struct buf *buf)
{
	char chunk[4096];
	ssize_t n = 0;
	int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0) {
		return false;
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		buf_append(buf, chunk, (size_t)n);
	}
	explicit_bzero(chunk, sizeof(chunk));
	close(fd);
	return n == 0 && buf_is_ok(buf) && buf->len > 0;
}

static int open_current(const struct state *state)
{
	return openat(state->fd, CURRENT "/" STATE_CERTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void state_each_certificate(const struct state *state, state_certificate_fn each, void *ctx)
{
	static const char suffix[] = STATE_CERTS_SUFFIX;
	const struct dirent *entry;
	int fd = open_current(state);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		if (entry->d_name[0] != '.' && len > strlen(suffix) &&
			strcmp(entry->d_name + len - strlen(suffix), suffix) == 0) {
			CLEANUP(free_ptr)
			char *name = xstrndup(entry->d_name, len - strlen(suffix));
			each(ctx, name);
		}
	}
	if (dir != NULL) {
		closedir(dir);
	}
}

bool state_read_certificate(const struct state *state, const char *name, struct buf *pem)
{
	CLEANUP(free_ptr) char *file = xasprintf("%s" STATE_CERTS_SUFFIX, name);
	int fd = open_current(state);

	assert(pem->is_secret);
	bool is_ok = fd >= 0 && strchr(name, '/') == NULL && read_file(fd, file, pem);
	if (fd >= 0) {
		close(fd);
	}
	return is_ok;
}

/* Takes a certificate over from the generation before, as a link, or as a copy where there are no
 * links. *ret_is_there = false: it is not there. */
static bool take_over(struct draft *draft, const char *name, bool *ret_is_there, struct err *err)
{
	enum link_result result =
		state_link_file(draft, draft->old_certs_fd, draft->certs_fd, name);

	*ret_is_there = result == LINKED;
	if (result == LINK_FAILED) {
		return state_fail(draft->state, name, err);
	}
	if (result == LINKED || draft->old_certs_fd < 0) {
		return true;
	}
	struct buf buf = {.max = MAX_FILE, .is_secret = true};
	bool is_ok = true;
	if (read_file(draft->old_certs_fd, name, &buf)) {
		is_ok = write_secret(draft, name, buf_str(&buf), buf.len, err);
		*ret_is_there = is_ok;
	}
	buf_fini(&buf);
	return is_ok;
}

static const struct model_certificate *find_wanted(const struct draft *draft, const char *name)
{
	return draft->state->model ? model_find_certificate(draft->state->model, name) : NULL;
}

/* What HAProxy has under the default's name is what the model has. */
static const struct model_certificate *find_default(const struct draft *draft)
{
	const struct model_certificate *wanted = find_wanted(draft, MODEL_CERTIFICATE_DEFAULT);
	const struct applied_certificate *have =
		applied_find_certificate(draft->applied, MODEL_CERTIFICATE_DEFAULT);

	if (wanted == NULL || have == NULL || have->fingerprint == NULL ||
		strcmp(have->fingerprint, wanted->fingerprint) != 0) {
		return NULL;
	}
	return wanted;
}

/* A certificate of our own making. */
static bool write_stand_in(struct draft *draft, const char *name, struct err *err)
{
	struct buf pem = {.max = MAX_FILE, .is_secret = true};
	bool is_ok = selfsigned_make(&pem, err) &&
		     write_secret(draft, name, buf_str(&pem), pem.len, err);
	buf_fini(&pem);
	return is_ok;
}

static bool write_default(struct draft *draft, struct err *err)
{
	const struct model_certificate *wanted = find_default(draft);
	bool is_there;

	if (wanted != NULL) {
		return write_secret(draft, DEFAULT_FILE, wanted->pem, strlen(wanted->pem), err);
	}
	if (!take_over(draft, DEFAULT_FILE, &is_there, err) || is_there) {
		return is_there;
	}
	return write_stand_in(draft, DEFAULT_FILE, err);
}

static bool write_one(struct draft *draft, const struct applied_certificate *certificate,
	struct buf *list, struct err *err)
{
	char name[NAME_MAX + 1];
	bool is_there = false;

	int len = snprintf(name, sizeof(name), "%s" STATE_CERTS_SUFFIX, certificate->name);
	size_t start = list->len;
	if (len < 0 || (size_t)len >= sizeof(name) ||
		!encode_certificate_line(
			list, certificate->name, certificate->hosts, draft->state->map_dir)) {
		return state_refuse(draft, "certificate", certificate->name, err);
	}
	if (!take_over(draft, name, &is_there, err)) {
		return false;
	}
	const struct model_certificate *wanted = find_wanted(draft, certificate->name);
	if (!is_there && wanted != NULL) {
		return write_secret(draft, name, wanted->pem, strlen(wanted->pem), err);
	}
	if (!is_there) {
		/* Nobody wants it, and HAProxy is about to lose it. */
		buf_truncate(list, start);
	}
	return true;
}

/*
 * One that is not for clients. What servers are made with has to be there, or HAProxy does not
 * start: where its content is gone, which can't be as long as the folder is ours, somebody else's
 * certificate stands in, which verifies nobody and which nobody accepts.
 */
static bool write_store(struct draft *draft, const char *certificate, bool is_used, struct err *err)
{
	char name[NAME_MAX + 1];
	bool is_there = false;
	int len = snprintf(name, sizeof(name), "%s" STATE_CERTS_SUFFIX, certificate);

	if (len < 0 || (size_t)len >= sizeof(name) || strchr(certificate, '/') != NULL) {
		return state_refuse(draft, "certificate", certificate, err);
	}
	if (faccessat(draft->certs_fd, name, F_OK, 0) == 0) {
		return true;
	}
	if (!take_over(draft, name, &is_there, err)) {
		return false;
	}
	const struct model_certificate *wanted = find_wanted(draft, certificate);
	if (!is_there && wanted != NULL) {
		return write_secret(draft, name, wanted->pem, strlen(wanted->pem), err);
	}
	if (is_there || !is_used) {
		return true;
	}
	return write_stand_in(draft, name, err);
}

static bool write_stores_of(
	struct draft *draft, const struct applied_backend *backend, struct err *err)
{
	static const enum variant_part parts[] = {VARIANT_CA, VARIANT_CRT};
	char name[VARIANT_STORE_SIZE];
	bool is_ok = true;

	for (size_t i = 0; i < ARRAY_LEN(parts) && is_ok; i++) {
		if (backend->n_servers > 0 && variant_store(backend->name, parts[i], name)) {
			is_ok = write_store(draft, name, true, err);
		}
	}
	return is_ok;
}

static bool write_stores(struct draft *draft, struct err *err)
{
	const struct applied_certificate *certificate;
	const struct applied_backend *backend;
	bool is_ok = true;

	TABLE_FOREACH (&draft->applied->certificates, certificate) {
		if (is_ok &&
			model_certificate_kind(certificate->name) != MODEL_CERTIFICATE_SERVED) {
			is_ok = write_store(draft, certificate->name, false, err);
		}
	}
	for (size_t i = 0; i < APPLIED_SHARDS; i++) {
		TABLE_FOREACH (&draft->applied->backends[i], backend) {
			is_ok = is_ok && write_stores_of(draft, backend, err);
		}
	}
	return is_ok;
}

static int compare_certificates(const void *a, const void *b)
{
	const struct applied_certificate *const *x = a;
	const struct applied_certificate *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool write_all_certs(struct draft *draft, struct err *err)
{
	const struct table *table = &draft->applied->certificates;
	CLEANUP(free_ptr) void **certificates = table_sorted(table, compare_certificates);
	struct buf list = BUF_INIT(0);
	bool is_ok = write_default(draft, err) && write_stores(draft, err);

	if (is_ok && !encode_certificate_line(&list, MODEL_CERTIFICATE_DEFAULT,
			     APPLIED_DEFAULT_HOSTS, draft->state->map_dir)) {
		is_ok = state_refuse(draft, "folder", draft->state->map_dir, err);
	}
	for (uint32_t i = 0; i < table->n_items && is_ok; i++) {
		const struct applied_certificate *certificate = certificates[i];

		if (certificate->hosts != NULL &&
			model_certificate_kind(certificate->name) == MODEL_CERTIFICATE_SERVED &&
			strcmp(certificate->name, MODEL_CERTIFICATE_DEFAULT) != 0) {
			is_ok = write_one(draft, certificate, &list, err);
		}
	}
	if (is_ok) {
		const struct state_content content = {buf_str(&list), list.len, 0600};

		is_ok = state_write_file(draft, draft->fd, STATE_CERTS_LIST, &content, err);
	}
	buf_fini(&list);
	return is_ok;
}

/* Everything that the generation before has. *ret_is_whole = false: it has no list, and what was
 * linked is removed again. */
static bool link_all(struct draft *draft, bool *ret_is_whole, struct err *err)
{
	const struct dirent *entry;
	int fd = openat(draft->old_certs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool is_ok = true;

	*ret_is_whole = false;
	if (dir == NULL) {
		return true;
	}
	enum link_result result =
		state_link_file(draft, draft->old_fd, draft->fd, STATE_CERTS_LIST);
	while (result == LINKED && is_ok && (entry = readdir(dir)) != NULL) {
		bool is_there;

		if (entry->d_name[0] != '.') {
			is_ok = take_over(draft, entry->d_name, &is_there, err);
		}
	}
	closedir(dir);
	*ret_is_whole = result == LINKED;
	if (result == LINK_FAILED) {
		return state_fail(draft->state, STATE_CERTS_LIST, err);
	}
	return is_ok;
}

bool state_write_certs(struct draft *draft, struct err *err)
{
	bool is_whole = false;

	if (!draft->is_full && !draft->applied->are_certificates_unsaved &&
		!link_all(draft, &is_whole, err)) {
		return false;
	}
	return is_whole || write_all_certs(draft, err);
}
