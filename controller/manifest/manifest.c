/*
 * A directory of manifests, kept equal to the store.
 *
 * Owns the list of files with what is wrong with each, and the inotify watch. Used by run.c in
 * place of the reflectors. Must not know what is in an object; which file has which object is
 * claim.c's.
 */
#include "manifest/manifest.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/table.h"
#include "kube/secret.h"
#include "manifest/claim.h"
#include "manifest/file.h"
#include "manifest/read.h"
#include "manifest/yaml.h"

/* How often a lost directory is looked for. */
#define RETRY_SECONDS 2

/* One read of inotify; what does not fit comes with the next. */
#define EVENT_BUFFER_SIZE 65536

#define WATCH_EVENTS                                                                               \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |        \
		IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)
#define LOST_EVENTS (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)

/* Replaced in one step when a mounted ConfigMap changes. */
#define CONFIG_MAP_LINK "..data"

struct file {
	struct claim_owner owner; /* its name is ours */
	char *name;
	bool is_bad;	    /* its newest version can't be used */
	uint32_t complaint; /* hash of what was said about which text */
	unsigned round;	    /* of the scan that last saw it */
};

struct manifests {
	struct event_base *base;
	char *directory;
	struct claims *claims;
	struct table files; /* struct file, by name */
	size_t n_bad;
	unsigned round;
	int fd;		     /* inotify; -1 = the directory is lost */
	struct event *watch; /* NULL when lost */
	struct event *retry;
};

/* What inotify said of one name; borrowed from its buffer. */
struct touch {
	const char *name;
	size_t order;
	uint32_t mask;
};

static bool open_directory(struct manifests *manifests, size_t min_files, struct err *err);
static void stop_watch(struct manifests *manifests);
static void free_file(struct manifests *manifests, struct file *file);
static void handle_retry(evutil_socket_t fd, short what, void *ctx);

struct manifests *manifests_open(
	struct event_base *base, const char *directory, struct store *store, struct err *err)
{
	struct manifests *manifests = xcalloc(1, sizeof(*manifests));

	manifests->base = base;
	manifests->directory = xstrdup(directory);
	manifests->claims = claims_new(store);
	manifests->fd = -1;
	manifests->retry = event_new(base, -1, EV_PERSIST, handle_retry, manifests);
	assert(manifests->retry != NULL);
	if (!open_directory(manifests, 0, err)) {
		manifests_close(manifests);
		return NULL;
	}
	for (int kind = 0; kind < KUBE_KIND_COUNT; kind++) {
		store_set_known(store, (enum kube_kind)kind);
	}
	return manifests;
}

void manifests_close(struct manifests *manifests)
{
	struct file *file;

	if (manifests == NULL) {
		return;
	}
	stop_watch(manifests);
	event_free(manifests->retry);
	TABLE_FOREACH (&manifests->files, file) {
		free_file(manifests, file);
	}
	table_fini(&manifests->files);
	claims_free(manifests->claims);
	free(manifests->directory);
	free(manifests);
}

/* ---- files ---- */

static bool file_has_name(const void *item, const void *name)
{
	return strcmp(((const struct file *)item)->name, name) == 0;
}

static struct file *find_file(struct manifests *manifests, const char *name)
{
	return table_find(&manifests->files, hash_str(name), name, file_has_name);
}

static struct file *add_file(struct manifests *manifests, const char *name)
{
	struct file *file = xcalloc(1, sizeof(*file));

	file->name = xstrdup(name);
	file->owner.name = file->name;
	table_insert(&manifests->files, hash_str(name), file);
	return file;
}

static void free_file(struct manifests *manifests, struct file *file)
{
	claims_release(manifests->claims, &file->owner);
	free(file->name);
	free(file);
}

static void set_bad(struct manifests *manifests, struct file *file, bool is_bad)
{
	if (file->is_bad != is_bad) {
		file->is_bad = is_bad;
		manifests->n_bad = is_bad ? manifests->n_bad + 1 : manifests->n_bad - 1;
	}
	metrics_set(METRIC_MANIFEST_ERRORS, NULL, (double)manifests->n_bad);
}

static void remove_file(struct manifests *manifests, struct file *file)
{
	struct manifest_file nothing = {0};
	struct claim_conflicts conflicts;

	claims_replace(manifests->claims, &file->owner, &nothing, &conflicts);
	set_bad(manifests, file, false);
	table_remove(&manifests->files, hash_str(file->name), file->name, file_has_name);
	log_line(LOG_INFO, "manifest file is gone", "file", file->name, NULL);
	free_file(manifests, file);
}

/* The newest version can't be used, or `n` objects of it: said once for each version and reason. */
static void reject(struct manifests *manifests, struct file *file, const struct buf *text,
	const char *reason, size_t n)
{
	uint32_t complaint = hash_more(hash_str(reason), buf_str(text), text->len);
	bool is_news = !file->is_bad || file->complaint != complaint;

	if (is_news && n == 0) {
		log_line(LOG_WARN, "manifest file can't be used; its last good version stays",
			"file", file->name, "reason", reason, NULL);
	} else if (is_news) {
		log_line(LOG_WARN,
			"an object of a manifest file can't be used; its last good version stays, "
			"and the other objects are used",
			"file", file->name, "reason", reason, "more", log_num((int64_t)n - 1),
			NULL);
	}
	file->complaint = complaint;
	set_bad(manifests, file, true);
}

static void log_conflicts(const struct claim_conflicts *conflicts)
{
	if (conflicts->n > 0) {
		log_line(LOG_WARN, "manifests have the same object more than once", "kind",
			kube_kinds[conflicts->kind].name, "namespace", conflicts->namespace, "name",
			conflicts->name, "used", conflicts->used, "ignored", conflicts->ignored,
			"more", log_num((int64_t)conflicts->n - 1), NULL);
	}
}

/* Certificates that are outside their valid period say so. */
static void judge_secrets(struct manifest_file *parsed)
{
	for (size_t i = 0; i < parsed->n_objects; i++) {
		struct object *object = parsed->objects[i];
		struct object *judged =
			object->kind == KUBE_SECRET
				? secret_judge((const struct secret *)object, time(NULL))
				: NULL;
		if (judged != NULL) {
			parsed->objects[i] = judged;
			object_free(object);
		}
	}
}

static void accept_text(struct manifests *manifests, struct file *file, const struct buf *text)
{
	struct manifest_file parsed = {0};
	struct claim_conflicts conflicts;
	struct err err = {0};

	if (!manifest_file_parse(buf_str(text), text->len, &parsed, &err)) {
		reject(manifests, file, text, err.text, 0);
		return;
	}
	log_line(LOG_DEBUG, "manifest file read", "file", file->name, "objects",
		log_num((int64_t)parsed.n_objects), "skipped", log_num((int64_t)parsed.n_skipped),
		NULL);
	if (parsed.n_outdated > 0) {
		log_line(LOG_WARN, parsed.outdated, "file", file->name, "more",
			log_num((int64_t)parsed.n_outdated - 1), NULL);
	}
	judge_secrets(&parsed);
	claims_replace(manifests->claims, &file->owner, &parsed, &conflicts);
	if (parsed.n_refusals > 0) {
		reject(manifests, file, text, parsed.refusals[0].reason, parsed.n_refusals);
	} else if (file->is_bad) {
		log_line(LOG_INFO, "manifest file is good again", "file", file->name, NULL);
		set_bad(manifests, file, false);
	}
	manifest_file_fini(&parsed);
	log_conflicts(&conflicts);
}

/* Reads one file again, whatever has happened to it; returns it, or NULL when there is none. */
static struct file *refresh(struct manifests *manifests, const char *name)
{
	CLEANUP(free_ptr) char *path = xasprintf("%s/%s", manifests->directory, name);
	struct buf text = BUF_INIT(YAML_MAX_SIZE);
	struct file *file = find_file(manifests, name);
	struct err err = {0};
	enum manifest_presence presence = manifest_read_text(path, &text, &err);

	if (presence == MANIFEST_ABSENT) {
		if (file != NULL) {
			remove_file(manifests, file);
		}
		return NULL;
	}
	if (file == NULL && manifests->files.n_items == MANIFESTS_MAX_FILES) {
		log_line(LOG_ERROR, "too many manifest files; this one is not used", "file", name,
			NULL);
		buf_fini(&text);
		return NULL;
	}
	if (file == NULL) {
		file = add_file(manifests, name);
	}
	if (presence == MANIFEST_READ) {
		accept_text(manifests, file, &text);
	} else {
		reject(manifests, file, &text, err.text, 0);
	}
	buf_fini(&text);
	return file;
}

/* ---- the whole directory ---- */

static int compare_files(const void *a, const void *b)
{
	return strcmp((*(struct file *const *)a)->name, (*(struct file *const *)b)->name);
}

/* Reads every file, and forgets those that are not among the names. */
static void scan(struct manifests *manifests, const struct manifest_names *names)
{
	manifests->round++;
	for (size_t i = 0; i < names->n; i++) {
		struct file *file = refresh(manifests, names->items[i]);
		if (file != NULL) {
			file->round = manifests->round;
		}
	}
	size_t n_files = manifests->files.n_items;
	struct file **files = (struct file **)table_sorted(&manifests->files, compare_files);
	for (size_t i = 0; i < n_files; i++) {
		if (files[i]->round != manifests->round) {
			remove_file(manifests, files[i]);
		}
	}
	free(files);
}

static void rescan(struct manifests *manifests)
{
	struct manifest_names names;
	struct err err = {0};

	if (!manifest_read_names(manifests->directory, &names, &err)) {
		log_line(LOG_ERROR, "manifests can't be read again; everything stays as it was",
			"reason", err.text, NULL);
		return;
	}
	scan(manifests, &names);
	manifest_names_fini(&names);
}

/* ---- what inotify says ---- */

static int compare_touches(const void *a, const void *b)
{
	const struct touch *first = a;
	const struct touch *second = b;
	int order = strcmp(first->name, second->name);

	if (order != 0) {
		return order;
	}
	return first->order < second->order ? -1 : first->order > second->order;
}

/* `mask` is the last thing that happened to the name, 0 = nothing but its attributes. */
static void handle_touch(struct manifests *manifests, const char *name, uint32_t mask)
{
	const struct file *file = find_file(manifests, name);

	if (!manifest_name_is_ours(name)) {
		return;
	}
	if (mask == 0) {
		/* It may have become readable. Good files may be in the middle of being written. */
		if (file == NULL || !file->is_bad) {
			return;
		}
	}
	if (mask & IN_CREATE) {
		CLEANUP(free_ptr) char *path = xasprintf("%s/%s", manifests->directory, name);
		if (manifest_is_empty_file(path)) {
			return; /* it is read when its writer closes it */
		}
	}
	refresh(manifests, name);
}

/* Each name once, by the last thing that happened to it. */
static void handle_touches(struct manifests *manifests, struct touch *touches, size_t n)
{
	uint32_t last = 0;

	if (n > 1) {
		qsort(touches, n, sizeof(*touches), compare_touches);
	}
	for (size_t i = 0; i < n; i++) {
		if (!(touches[i].mask & IN_ATTRIB)) {
			last = touches[i].mask;
		}
		if (i + 1 == n || strcmp(touches[i].name, touches[i + 1].name) != 0) {
			handle_touch(manifests, touches[i].name, last);
			last = 0;
		}
	}
}

static void lose_directory(struct manifests *manifests)
{
	static const struct timeval interval = {.tv_sec = RETRY_SECONDS};

	log_line(LOG_ERROR, "the manifest directory is gone; everything stays as it was",
		"directory", manifests->directory, NULL);
	stop_watch(manifests);
	event_add(manifests->retry, &interval);
}

static void handle_events(struct manifests *manifests, const char *data, size_t len)
{
	struct touch *touches = xcalloc(len / sizeof(struct inotify_event), sizeof(struct touch));
	size_t n = 0;
	uint32_t all = 0;
	bool needs_scan = false;

	for (size_t at = 0; at < len;) {
		const struct inotify_event *event = (const struct inotify_event *)(data + at);
		at += sizeof(*event) + event->len;
		all |= event->mask;
		if (event->len > 0) {
			touches[n] = (struct touch){event->name, n, event->mask};
			n++;
			needs_scan |= strcmp(event->name, CONFIG_MAP_LINK) == 0;
		}
	}
	if (all & LOST_EVENTS) {
		/* Removals that came with it were the directory's. */
		lose_directory(manifests);
	} else if (needs_scan || (all & IN_Q_OVERFLOW)) {
		rescan(manifests);
	} else {
		handle_touches(manifests, touches, n);
	}
	free(touches);
}

static void handle_watch(evutil_socket_t fd, short what, void *ctx)
{
	_Alignas(struct inotify_event) char data[EVENT_BUFFER_SIZE];
	struct manifests *manifests = ctx;
	ssize_t len = read(fd, data, sizeof(data));

	(void)what;
	if (len > 0) {
		handle_events(manifests, data, (size_t)len);
	} else if (len == 0 || (errno != EAGAIN && errno != EINTR)) {
		lose_directory(manifests);
	}
}

/* ---- the watch ---- */

static bool start_watch(struct manifests *manifests, struct err *err)
{
	manifests->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (manifests->fd < 0) {
		return err_set(err, ERR_INPUT,
			"can't watch files: %s (see fs.inotify.max_user_instances)",
			strerror(errno));
	}
	if (inotify_add_watch(manifests->fd, manifests->directory, WATCH_EVENTS) < 0) {
		return err_set(err, ERR_INPUT,
			"can't watch the directory %s: %s; name the one that has the manifests "
			"with --manifests",
			manifests->directory, strerror(errno));
	}
	manifests->watch = event_new(
		manifests->base, manifests->fd, EV_READ | EV_PERSIST, handle_watch, manifests);
	assert(manifests->watch != NULL);
	event_add(manifests->watch, NULL);
	return true;
}

static void stop_watch(struct manifests *manifests)
{
	if (manifests->watch != NULL) {
		event_free(manifests->watch);
		manifests->watch = NULL;
	}
	if (manifests->fd >= 0) {
		close(manifests->fd);
		manifests->fd = -1;
	}
}

/* Watches first and reads then, so that nothing falls between. */
static bool open_directory(struct manifests *manifests, size_t min_files, struct err *err)
{
	struct manifest_names names = {0};
	bool is_ok = start_watch(manifests, err) &&
		     manifest_read_names(manifests->directory, &names, err);

	if (is_ok && names.n >= min_files) {
		scan(manifests, &names);
	} else {
		stop_watch(manifests);
	}
	manifest_names_fini(&names);
	return is_ok && manifests->watch != NULL;
}

/* A directory that has just been made again is empty for a moment; that must not empty the store.
 */
static void handle_retry(evutil_socket_t fd, short what, void *ctx)
{
	struct manifests *manifests = ctx;
	struct err err = {0};

	(void)fd;
	(void)what;
	if (open_directory(manifests, 1, &err)) {
		event_del(manifests->retry);
		log_line(LOG_INFO, "the manifest directory is back", "directory",
			manifests->directory, NULL);
	}
}
