/*
 * See state.h. Owns the state directory: nobody else writes there, HAProxy reads.
 *
 * A generation is written next to the one in use and becomes visible by one rename(2) of the link
 * `current`. Until then a failure or a crash leaves a folder that nothing points to, which the next
 * state_open() removes. Everything is addressed relative to the open directory, so nobody can swap
 * the folder under a running controller.
 *
 * Must not know what a backend or a route is: texts come from haproxy/encode.
 */
#include "haproxy/state.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/lockfile.h"
#include "haproxy/encode.h"
#include "haproxy/state_priv.h"

#define CURRENT_NEW  "current.new"
#define LOCK_FILE    "lock"
#define BACKENDS     "backends"
#define GEN_PREFIX   "gen."
#define N_KEPT	     2 /* generations: HAProxy may be reading the one before just now */
#define MAX_NAME_LOG 200

static uint64_t read_current(const struct state *state);
static bool open_directory(struct state *state, struct err *err);
static bool take_lock(struct state *state, struct err *err);
static bool recover(struct state *state, struct err *err);
static bool save(struct draft *draft, struct err *err);

struct state *state_open(const char *directory, struct err *err)
{
	struct state *state = xcalloc(1, sizeof(*state));
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/') {
		len--;
	}
	state->fd = -1;
	state->lock_fd = -1;
	state->directory = xstrndup(directory, len);
	state->map_dir = xasprintf("%s/" CURRENT, state->directory);
	state->backends_dir = xasprintf("%s/" CURRENT "/" BACKENDS, state->directory);
	state->tickets_file = xasprintf("%s/" STATE_TICKETS, state->directory);
	state->settings_file = xasprintf("%s/" STATE_SETTINGS, state->directory);
	if (open_directory(state, err) && take_lock(state, err) && recover(state, err)) {
		return state;
	}
	state_close(state);
	return NULL;
}

void state_close(struct state *state)
{
	if (state == NULL) {
		return;
	}
	if (state->lock_fd >= 0) {
		close(state->lock_fd);
	}
	if (state->fd >= 0) {
		close(state->fd);
	}
	free(state->directory);
	free(state->map_dir);
	free(state->backends_dir);
	free(state->tickets_file);
	free(state->settings_file);
	state_forget_settings(state);
	free(state);
}

const char *state_map_dir(const struct state *state)
{
	return state->map_dir;
}

const char *state_backends_dir(const struct state *state)
{
	return state->backends_dir;
}

void state_follow(struct state *state)
{
	state->gen = read_current(state);
}

bool state_reopen(struct state *state, struct err *err)
{
	struct stat info;

	if (fstat(state->fd, &info) == 0 && info.st_nlink > 0) {
		return true;
	}
	close(state->lock_fd);
	close(state->fd);
	state->lock_fd = -1;
	state->fd = -1;
	return open_directory(state, err) && take_lock(state, err) && recover(state, err);
}

static bool save_applied(
	struct state *state, struct applied *applied, bool is_full, struct err *err)
{
	struct draft draft = {.state = state, .applied = applied, .is_full = is_full};

	if (!save(&draft, err)) {
		return false;
	}
	memset(applied->is_shard_unsaved, 0, sizeof(applied->is_shard_unsaved));
	memset(applied->is_map_unsaved, 0, sizeof(applied->is_map_unsaved));
	applied->are_certificates_unsaved = false;
	return true;
}

bool state_save(struct state *state, struct applied *applied, struct err *err)
{
	return save_applied(state, applied, false, err);
}

bool state_save_all(struct state *state, struct applied *applied, struct err *err)
{
	return state_check_tickets(state, err) && state_check_settings(state, err) &&
	       save_applied(state, applied, true, err);
}

void state_use_model(struct state *state, const struct model *model)
{
	state->model = model;
}

bool state_has_routes(const struct state *state)
{
	static const enum model_map maps[] = {
		MODEL_MAP_EXACT, MODEL_MAP_PREFIX, MODEL_MAP_DEFAULTS, MODEL_MAP_TCP};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		char name[NAME_SIZE];
		struct stat info;

		snprintf(name, sizeof(name), CURRENT "/%s", model_map_files[maps[i]]);
		if (fstatat(state->fd, name, &info, 0) == 0 && info.st_size > 0) {
			return true;
		}
	}
	return false;
}

size_t state_last_size(const struct state *state)
{
	return state->last_size;
}

bool state_fail(const struct state *state, const char *what, struct err *err)
{
	int code = errno;
	bool is_denied = code == EACCES || code == EPERM || code == EROFS;
	const char *remedy =
		is_denied ? "make it writable for the user that the controller runs as"
		: code == ENOSPC || code == EDQUOT || code == EFBIG
			? "make room on its file system"
			: "look at its file system, or choose another with --state-dir";

	return err_set(err, is_denied ? ERR_DENIED : ERR_INPUT, "state directory %s: %s: %s; %s",
		state->directory, what, strerror(code), remedy);
}

static bool open_directory(struct state *state, struct err *err)
{
	if (mkdir(state->directory, 0755) != 0 && errno != EEXIST) {
		return state_fail(state, "can't make it", err);
	}
	state->fd = open(state->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return state->fd >= 0 || state_fail(state, "can't open it", err);
}

static bool take_lock(struct state *state, struct err *err)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/" LOCK_FILE, state->directory);

	state->lock_fd = lockfile_take(path, LOCKFILE_WAIT_MS, err);
	return state->lock_fd >= 0 || err_wrap(err, "--state-dir");
}

/* "gen.42" -> 42; 0 = not the name of a generation. */
static uint64_t parse_generation(const char *name)
{
	size_t prefix_len = strlen(GEN_PREFIX);
	char canonical[NAME_SIZE];

	if (strncmp(name, GEN_PREFIX, prefix_len) != 0) {
		return 0;
	}
	uint64_t gen = strtoull(name + prefix_len, NULL, 10);
	snprintf(canonical, sizeof(canonical), GEN_PREFIX "%" PRIu64, gen);
	return gen < UINT64_MAX && strcmp(canonical, name) == 0 ? gen : 0;
}

static uint64_t read_current(const struct state *state)
{
	char target[NAME_SIZE];
	ssize_t len = readlinkat(state->fd, CURRENT, target, sizeof(target) - 1);

	if (len < 0) {
		return 0;
	}
	target[len] = '\0';
	return parse_generation(target);
}

/* Removes a generation, complete or not. What can't be removed is tried again at the next save. */
static void remove_generation(const struct state *state, uint64_t gen)
{
	static const char *const folders[] = {BACKENDS, STATE_CERTS, ""};
	char name[NAME_SIZE * 2];

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		const struct dirent *entry;

		snprintf(name, sizeof(name), GEN_PREFIX "%" PRIu64 "/%s", gen, folders[i]);
		int fd = openat(state->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		DIR *dir = fd < 0 ? NULL : fdopendir(fd);
		if (dir == NULL) {
			continue;
		}
		while ((entry = readdir(dir)) != NULL) {
			unlinkat(fd, entry->d_name, 0);
		}
		closedir(dir);
		unlinkat(state->fd, name, AT_REMOVEDIR);
	}
}

/* Removes what a write that was cut off may have left, and generations that nobody needs any more.
 */
static void clean_up(const struct state *state)
{
	const struct dirent *entry;
	int fd = openat(state->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	unlinkat(state->fd, CURRENT_NEW, 0);
	if (dir == NULL) {
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		uint64_t gen = parse_generation(entry->d_name);
		bool is_kept = gen <= state->gen && gen + N_KEPT > state->gen;
		if (gen != 0 && !is_kept) {
			remove_generation(state, gen);
		}
	}
	closedir(dir);
}

/* Can HAProxy start from `current`? It refuses when a map file or the folder of backends is
 * missing. */
static bool is_complete(const struct state *state)
{
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		char name[NAME_SIZE];

		snprintf(name, sizeof(name), CURRENT "/%s", model_map_files[map]);
		if (faccessat(state->fd, name, R_OK, 0) != 0) {
			return false;
		}
	}
	return faccessat(state->fd, CURRENT "/" BACKENDS, R_OK | X_OK, 0) == 0 &&
	       faccessat(state->fd, CURRENT "/" STATE_CERTS_LIST, R_OK, 0) == 0;
}

/* Makes the first generation, or one that has what the damaged one lacks. */
static bool recover(struct state *state, struct err *err)
{
	state->gen = read_current(state);
	if (!state_check_tickets(state, err) || !state_check_settings(state, err)) {
		return false;
	}
	if (state->gen != 0 && is_complete(state)) {
		clean_up(state);
		return true;
	}
	struct applied *nothing = applied_new();
	struct draft draft = {.state = state, .applied = nothing, .is_recovery = true};
	bool is_ok = save(&draft, err);
	applied_free(nothing);
	return is_ok;
}

static bool open_draft(struct draft *draft, struct err *err);
static bool write_draft(struct draft *draft, struct err *err);
static bool switch_to(struct draft *draft, struct err *err);
static void close_draft(struct draft *draft);

static bool save(struct draft *draft, struct err *err)
{
	struct state *state = draft->state;

	draft->gen = state->gen + 1;
	bool is_ok = open_draft(draft, err) && write_draft(draft, err) && switch_to(draft, err);
	close_draft(draft);
	if (!is_ok) {
		remove_generation(state, draft->gen);
		return false;
	}
	state->gen = draft->gen;
	state->last_size = draft->size;
	clean_up(state);
	return true;
}

/* A folder in the state directory; -1 = can't be opened. */
static int open_folder(const struct state *state, uint64_t gen, const char *folder)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), GEN_PREFIX "%" PRIu64 "/%s", gen, folder);
	return openat(state->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool make_folder(const struct state *state, uint64_t gen, const char *folder, mode_t mode)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), GEN_PREFIX "%" PRIu64 "/%s", gen, folder);
	return mkdirat(state->fd, name, mode) == 0;
}

static bool open_draft(struct draft *draft, struct err *err)
{
	const struct state *state = draft->state;

	draft->fd = draft->backends_fd = draft->certs_fd = -1;
	/* Generation 0 is never there: both stay -1, and linking from them fails like linking a
	 * file that isn't there. */
	draft->old_fd = open_folder(state, state->gen, "");
	draft->old_backends_fd = open_folder(state, state->gen, BACKENDS);
	draft->old_certs_fd = open_folder(state, state->gen, STATE_CERTS);
	remove_generation(state, draft->gen);
	if (!make_folder(state, draft->gen, "", 0755) ||
		!make_folder(state, draft->gen, BACKENDS, 0755) ||
		!make_folder(state, draft->gen, STATE_CERTS, 0700)) {
		return state_fail(state, "can't make a folder", err);
	}
	draft->fd = open_folder(state, draft->gen, "");
	draft->backends_fd = open_folder(state, draft->gen, BACKENDS);
	draft->certs_fd = open_folder(state, draft->gen, STATE_CERTS);
	if (draft->fd < 0 || draft->backends_fd < 0 || draft->certs_fd < 0) {
		return state_fail(state, "can't open a folder", err);
	}
	return true;
}

static void close_draft(struct draft *draft)
{
	const int fds[] = {draft->fd, draft->old_fd, draft->backends_fd, draft->old_backends_fd,
		draft->certs_fd, draft->old_certs_fd};

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		if (fds[i] >= 0) {
			close(fds[i]);
		}
	}
}

static bool write_map(struct draft *draft, enum model_map map, struct err *err);
static bool write_shard(struct draft *draft, unsigned shard, struct err *err);

static bool write_draft(struct draft *draft, struct err *err)
{
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		if (!write_map(draft, (enum model_map)map, err)) {
			return false;
		}
	}
	for (unsigned shard = 0; shard < APPLIED_SHARDS; shard++) {
		if (!write_shard(draft, shard, err)) {
			return false;
		}
	}
	if (!state_write_certs(draft, err)) {
		return false;
	}
	/* Names as well as contents have to be on the disk before the link says so. */
	if (fsync(draft->backends_fd) != 0 || fsync(draft->certs_fd) != 0 ||
		fsync(draft->fd) != 0 || fsync(draft->state->fd) != 0) {
		return state_fail(draft->state, "can't write a folder", err);
	}
	return true;
}

static bool switch_to(struct draft *draft, struct err *err)
{
	const struct state *state = draft->state;
	char target[NAME_SIZE];

	snprintf(target, sizeof(target), GEN_PREFIX "%" PRIu64, draft->gen);
	unlinkat(state->fd, CURRENT_NEW, 0);
	if (symlinkat(target, state->fd, CURRENT_NEW) != 0 ||
		renameat(state->fd, CURRENT_NEW, state->fd, CURRENT) != 0) {
		int code = errno;
		unlinkat(state->fd, CURRENT_NEW, 0);
		errno = code;
		return state_fail(state, "can't replace the link " CURRENT, err);
	}
	/*
	 * From here on the new generation is what HAProxy sees. Should the disk not take the link
	 * before the power fails, the one before is found: complete, and one save old. So a failure
	 * here is not one of the save.
	 */
	(void)fsync(state->fd);
	return true;
}

enum link_result state_link_file(const struct draft *draft, int old_fd, int fd, const char *name)
{
	if (old_fd < 0) {
		return NOT_LINKED;
	}
	if (linkat(old_fd, name, fd, name, 0) == 0) {
		return LINKED;
	}
	bool is_full_disk = errno == ENOSPC || errno == EDQUOT || errno == EIO || errno == EROFS;
	if (errno != ENOENT && (draft->is_recovery || is_full_disk)) {
		return LINK_FAILED;
	}
	return NOT_LINKED;
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) == 0;
}

bool state_write_file(struct draft *draft, int fd, const char *name,
	const struct state_content *content, struct err *err)
{
	int file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, content->mode);
	bool is_ok = file >= 0 && write_all(file, content->data, content->size);

	if (!is_ok) {
		state_fail(draft->state, name, err);
	}
	if (file >= 0) {
		close(file);
	}
	draft->size += content->size;
	return is_ok;
}

bool state_replace_file(
	struct state *state, const char *name, const struct state_content *content, struct err *err)
{
	struct draft draft = {.state = state};
	char name_new[NAME_SIZE];

	snprintf(name_new, sizeof(name_new), "%s.new", name);
	unlinkat(state->fd, name_new, 0);
	bool is_ok = state_write_file(&draft, state->fd, name_new, content, err);
	if (is_ok && renameat(state->fd, name_new, state->fd, name) != 0) {
		is_ok = state_fail(state, name, err);
	}
	if (!is_ok) {
		unlinkat(state->fd, name_new, 0);
	}
	/* Without it, a power failure brings back the content before this one: old, but good. */
	(void)fsync(state->fd);
	return is_ok;
}

static bool write_text(
	struct draft *draft, int fd, const char *name, const struct buf *buf, struct err *err)
{
	const struct state_content content = {buf_str(buf), buf->len, 0644};

	return state_write_file(draft, fd, name, &content, err);
}

bool state_refuse(const struct draft *draft, const char *what, const char *name, struct err *err)
{
	char shown[MAX_NAME_LOG];

	snprintf(shown, sizeof(shown), "%s", name);
	for (char *c = shown; *c != '\0'; c++) {
		if (*c < 0x20 || *c > 0x7e) {
			*c = '?';
		}
	}
	return err_set(err, ERR_INPUT,
		"state directory %s: %s \"%s\" can't be written safely; nothing was saved",
		draft->state->directory, what, shown);
}

static int compare_entries(const void *a, const void *b)
{
	const struct applied_entry *const *x = a;
	const struct applied_entry *const *y = b;

	return strcmp(applied_entry_key(*x), applied_entry_key(*y));
}

static int compare_backends(const void *a, const void *b)
{
	const struct applied_backend *const *x = a;
	const struct applied_backend *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static bool encode_map(
	struct buf *buf, const struct draft *draft, enum model_map map, struct err *err)
{
	const struct table *table = &draft->applied->entries[map];
	CLEANUP(free_ptr) void **entries = table_sorted(table, compare_entries);

	for (uint32_t i = 0; i < table->n_items; i++) {
		const struct applied_entry *entry = entries[i];
		const char *key = applied_entry_key(entry);

		if (!encode_map_line(buf, key, applied_entry_value(entry))) {
			return state_refuse(draft, model_map_files[map], key, err);
		}
	}
	return true;
}

static bool encode_shard(
	struct buf *buf, const struct draft *draft, unsigned shard, struct err *err)
{
	const struct table *table = &draft->applied->backends[shard];
	CLEANUP(free_ptr) void **backends = table_sorted(table, compare_backends);

	for (uint32_t i = 0; i < table->n_items; i++) {
		const struct applied_backend *backend = backends[i];

		if (!encode_backend_section(buf, backend, draft->state->map_dir)) {
			return state_refuse(draft, "backend", backend->name, err);
		}
	}
	return true;
}

static bool write_map(struct draft *draft, enum model_map map, struct err *err)
{
	const char *name = model_map_files[map];

	if (!draft->is_full && !draft->applied->is_map_unsaved[map]) {
		enum link_result result = state_link_file(draft, draft->old_fd, draft->fd, name);
		if (result != NOT_LINKED) {
			return result == LINKED || state_fail(draft->state, name, err);
		}
	}
	struct buf buf = BUF_INIT(0);
	bool is_ok =
		encode_map(&buf, draft, map, err) && write_text(draft, draft->fd, name, &buf, err);
	buf_fini(&buf);
	return is_ok;
}

/* A shard without a backend has no file. */
static bool write_shard(struct draft *draft, unsigned shard, struct err *err)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%02u.cfg", shard);
	if (!draft->is_full && !draft->applied->is_shard_unsaved[shard]) {
		enum link_result result =
			state_link_file(draft, draft->old_backends_fd, draft->backends_fd, name);
		if (result != NOT_LINKED) {
			return result == LINKED || state_fail(draft->state, name, err);
		}
	}
	if (draft->applied->backends[shard].n_items == 0) {
		return true;
	}
	struct buf buf = BUF_INIT(0);
	bool is_ok = encode_shard(&buf, draft, shard, err) &&
		     write_text(draft, draft->backends_fd, name, &buf, err);
	buf_fini(&buf);
	return is_ok;
}
