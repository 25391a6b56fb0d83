/* A real directory, a real event loop and a real store: what files do to objects. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/metrics.h"
#include "manifest/manifest.h"

/* So many turns are plenty for everything that a test waits for. */
#define MAX_TURNS 20

/* Far longer than a lost directory is left alone; a turn without anything to come must end, too. */
#define MAX_TURN_SECONDS 10

struct fixture {
	char root[64]; /* holds the directory and what is to be renamed into it */
	char *directory;
	struct event_base *base;
	struct store *store;
	struct manifests *manifests;
	int log_fd;
	int stderr_fd;
};

static char *path_of(const struct fixture *fixture, const char *name)
{
	return xasprintf("%s/%s", fixture->directory, name);
}

static void write_file(const struct fixture *fixture, const char *name, const char *text)
{
	char *path = path_of(fixture, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	free(path);
}

static void remove_file(const struct fixture *fixture, const char *name)
{
	char *path = path_of(fixture, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

static void rename_file(const struct fixture *fixture, const char *from, const char *to)
{
	char *from_path = path_of(fixture, from);
	char *to_path = path_of(fixture, to);

	assert_int_equal(rename(from_path, to_path), 0);
	free(from_path);
	free(to_path);
}

static void link_file(const struct fixture *fixture, const char *target, const char *name)
{
	char *path = path_of(fixture, name);

	assert_int_equal(symlink(target, path), 0);
	free(path);
}

static void make_directory(const struct fixture *fixture, const char *name)
{
	char *path = path_of(fixture, name);

	assert_int_equal(mkdir(path, 0700), 0);
	free(path);
}

/* Handles everything that the kernel has said so far. */
static void turn(const struct fixture *fixture)
{
	assert_int_not_equal(event_base_loop(fixture->base, EVLOOP_NONBLOCK), -1);
}

/* Waits until something happens. */
static void wait_turn(const struct fixture *fixture)
{
	static const struct timeval limit = {.tv_sec = MAX_TURN_SECONDS};

	assert_int_equal(event_base_loopexit(fixture->base, &limit), 0);
	assert_int_not_equal(event_base_loop(fixture->base, EVLOOP_ONCE), -1);
}

static char *service_text(const char *name, int port)
{
	return xasprintf("---\napiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n"
			 "spec:\n  ports:\n  - port: %d\n",
		name, port);
}

static void write_service(
	const struct fixture *fixture, const char *file, const char *name, int port)
{
	char *text = service_text(name, port);

	write_file(fixture, file, text);
	free(text);
}

/* The port of a Service in the store, 0 = no such Service. */
static int port_of(const struct fixture *fixture, const char *name)
{
	const struct service *service = store_service(fixture->store, "default", name);

	if (service == NULL) {
		return 0;
	}
	assert_int_equal(service->ports.n, 1);
	return ((const struct service_port *)obj_items(service, service->ports))->port;
}

/* How often has a text been logged since the beginning of the test? */
static int count_log(const struct fixture *fixture, const char *text)
{
	struct buf log = BUF_INIT(0);
	char part[4096];
	ssize_t len;
	int n = 0;

	assert_int_equal(lseek(fixture->log_fd, 0, SEEK_SET), 0);
	while ((len = read(fixture->log_fd, part, sizeof(part))) > 0) {
		buf_append(&log, part, (size_t)len);
	}
	for (const char *at = buf_str(&log); (at = strstr(at, text)) != NULL; at++) {
		n++;
	}
	buf_fini(&log);
	return n;
}

static int n_bad(void)
{
	return (int)metrics_get(METRIC_MANIFEST_ERRORS, NULL);
}

static void open_manifests(struct fixture *fixture)
{
	struct err err = {0};

	fixture->manifests =
		manifests_open(fixture->base, fixture->directory, fixture->store, &err);
	if (fixture->manifests == NULL) {
		fail_msg("%s", err.text);
	}
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	snprintf(fixture->root, sizeof(fixture->root), "/tmp/headgate-manifest-XXXXXX");
	assert_non_null(mkdtemp(fixture->root));
	fixture->directory = xasprintf("%s/d", fixture->root);
	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	fixture->base = event_base_new();
	fixture->store = store_new();
	char *log_path = xasprintf("%s/log", fixture->root);
	fixture->log_fd = open(log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	free(log_path);
	assert_true(fixture->log_fd >= 0);
	fixture->stderr_fd = dup(STDERR_FILENO);
	assert_int_equal(dup2(fixture->log_fd, STDERR_FILENO), STDERR_FILENO);
	*state = fixture;
	return 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info;
	(void)type;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	dup2(fixture->stderr_fd, STDERR_FILENO);
	close(fixture->stderr_fd);
	close(fixture->log_fd);
	manifests_close(fixture->manifests);
	store_free(fixture->store);
	event_base_free(fixture->base);
	metrics_reset();
	nftw(fixture->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	free(fixture->directory);
	free(fixture);
	return 0;
}

static void test_open(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "a.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: {ports: [{port: 1}]}\n"
		"---\n# nothing\n---\n"
		"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web, namespace: "
		"shop}\n"
		"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: 7}\n");
	write_file(fixture, "b.json",
		"{\"apiVersion\":\"networking.k8s.io/v1\",\"kind\":\"IngressClass\",\n"
		"\t\"metadata\":{\"name\":\"headgate\"}}");
	write_service(fixture, "c.yml", "two", 2);
	write_service(fixture, ".d.yaml", "hidden", 3);
	write_service(fixture, "e.txt", "text", 4);
	write_service(fixture, ".yaml", "ending", 5);
	make_directory(fixture, "f.yaml");
	assert_false(store_is_complete(fixture->store));
	open_manifests(fixture);
	assert_true(store_is_complete(fixture->store));
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(port_of(fixture, "two"), 2);
	assert_int_equal(store_count(fixture->store, KUBE_SERVICE), 2);
	assert_non_null(store_ingress(fixture->store, "shop", "web"));
	assert_non_null(store_ingress_class(fixture->store, "headgate"));
	assert_int_equal(n_bad(), 0);
}

static void test_open_fails(void **state)
{
	struct fixture *fixture = *state;
	struct err err = {0};
	char *missing = path_of(fixture, "missing");

	assert_null(manifests_open(fixture->base, missing, fixture->store, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, missing));
	free(missing);
	assert_false(store_is_complete(fixture->store));
}

static void test_empty_directory(void **state)
{
	struct fixture *fixture = *state;

	open_manifests(fixture);
	assert_true(store_is_complete(fixture->store));
	write_service(fixture, "a.yaml", "one", 1);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
}

static void test_change(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "a.yaml",
		"{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {ports: [{port: "
		"1}]}}\n"
		"---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: two}, spec: {ports: [{port: "
		"2}]}}\n");
	open_manifests(fixture);
	struct store_changes changes = store_take_changes(fixture->store);
	store_changes_fini(&changes);
	write_service(fixture, "a.yaml", "two", 3);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 0);
	assert_int_equal(port_of(fixture, "two"), 3);
	changes = store_take_changes(fixture->store);
	assert_int_equal(changes.n, 2);
	store_changes_fini(&changes);
	/* The same text again touches nothing. */
	write_service(fixture, "a.yaml", "two", 3);
	turn(fixture);
	changes = store_take_changes(fixture->store);
	assert_int_equal(changes.n, 0);
	store_changes_fini(&changes);
	remove_file(fixture, "a.yaml");
	turn(fixture);
	assert_int_equal(store_count(fixture->store, KUBE_SERVICE), 0);
}

/* What editors do: a temporary file renamed into place; or the old one moved away and a new one
 * written. */
static void test_rename(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "a.yaml", "one", 1);
	open_manifests(fixture);
	write_service(fixture, ".a.yaml.tmp", "one", 2);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	rename_file(fixture, ".a.yaml.tmp", "a.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
	rename_file(fixture, "a.yaml", "a.yaml~");
	write_service(fixture, "a.yaml", "one", 3);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 3);
	rename_file(fixture, "a.yaml", "b.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 3);
	rename_file(fixture, "b.yaml", "b.off");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 0);
}

/* A file that somebody has just created has nothing to say until it is closed, even in place of one
 * that was removed. */
static void test_unfinished(void **state)
{
	struct fixture *fixture = *state;
	char *path = path_of(fixture, "a.yaml");
	char *text = service_text("one", 2);

	write_service(fixture, "a.yaml", "one", 1);
	open_manifests(fixture);
	remove_file(fixture, "a.yaml");
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fflush(file), 0);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(fclose(file), 0);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
	free(path);
	free(text);
}

static void test_bad_file(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "a.yaml", "one", 1);
	write_service(fixture, "b.yaml", "two", 2);
	write_file(fixture, "c.yaml", "a: [\n");
	open_manifests(fixture);
	assert_int_equal(n_bad(), 1);
	assert_int_equal(count_log(fixture, "file=c.yaml"), 1);
	/* An object in the third line that can't be used keeps its last good version; the others
	 * are used. */
	write_file(fixture, "a.yaml",
		"{apiVersion: v1, kind: Service, metadata: {name: three}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: one}, spec: {ports: "
		"[{port: 70000}]}}\n---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: new}, spec: {ports: 7}}\n");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_non_null(store_service(fixture->store, "default", "three"));
	assert_null(store_service(fixture->store, "default", "new"));
	assert_int_equal(n_bad(), 2);
	assert_int_equal(count_log(fixture, "file=a.yaml"), 1);
	assert_int_equal(count_log(fixture,
				 "reason=\"line 3: Service 'one': spec.ports[0].port: must be from "
				 "1 to 65535\" more=1"),
		1);
	/* Touching it says nothing new; another bad version does. */
	char *path = path_of(fixture, "a.yaml");
	assert_int_equal(close(open(path, O_WRONLY | O_CLOEXEC)), 0);
	free(path);
	turn(fixture);
	assert_int_equal(count_log(fixture, "file=a.yaml"), 1);
	write_file(fixture, "a.yaml", "{apiVersion: v1}\n");
	turn(fixture);
	assert_int_equal(count_log(fixture, "file=a.yaml"), 2);
	assert_int_equal(count_log(fixture, "line 1: apiVersion or kind is missing"), 1);
	assert_int_equal(n_bad(), 2);
	assert_non_null(store_service(fixture->store, "default", "three"));
	write_service(fixture, "a.yaml", "one", 3);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 3);
	assert_int_equal(port_of(fixture, "two"), 2);
	assert_null(store_service(fixture->store, "default", "three"));
	assert_int_equal(n_bad(), 1);
	remove_file(fixture, "c.yaml");
	turn(fixture);
	assert_int_equal(n_bad(), 0);
}

/* A file that is gone takes its last good version with it, however bad its newest was. */
static void test_bad_file_removed(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "a.yaml", "one", 1);
	open_manifests(fixture);
	write_file(fixture, "a.yaml", "]");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	remove_file(fixture, "a.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 0);
	assert_int_equal(n_bad(), 0);
}

static void test_unreadable(void **state)
{
	struct fixture *fixture = *state;
	char *path = path_of(fixture, "pipe.yaml");

	write_service(fixture, "a.yaml", "one", 1);
	assert_int_equal(mkfifo(path, 0600), 0);
	free(path);
	open_manifests(fixture);
	assert_int_equal(n_bad(), 1);
	assert_int_equal(count_log(fixture, "not a regular file"), 1);
	remove_file(fixture, "a.yaml");
	link_file(fixture, "nowhere", "a.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(n_bad(), 2);
	assert_int_equal(count_log(fixture, "can't be opened"), 1);
}

static void test_file_size_limit(void **state)
{
	struct fixture *fixture = *state;
	char *path = path_of(fixture, "a.yaml");

	write_service(fixture, "a.yaml", "one", 1);
	open_manifests(fixture);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 64 * 1024 * 1024 + 1), 0);
	assert_int_equal(close(fd), 0);
	free(path);
	turn(fixture);
	assert_int_equal(count_log(fixture, "File too large"), 1);
	assert_int_equal(port_of(fixture, "one"), 1);
}

static void test_too_many_files(void **state)
{
	struct fixture *fixture = *state;
	struct err err = {0};
	char name[32];

	for (int i = 0; i <= MANIFESTS_MAX_FILES; i++) {
		snprintf(name, sizeof(name), "%05d.yaml", i);
		write_file(fixture, name, "");
	}
	assert_null(manifests_open(fixture->base, fixture->directory, fixture->store, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "more than 10000 manifest files"));
	remove_file(fixture, name);
	open_manifests(fixture);
	write_service(fixture, "z.yaml", "one", 1);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 0);
	assert_int_equal(count_log(fixture, "too many manifest files"), 1);
	write_service(fixture, "00000.yaml", "one", 2);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
}

static void test_same_object(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "b.yaml", "one", 2);
	write_service(fixture, "c.yaml", "one", 3);
	open_manifests(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
	assert_int_equal(count_log(fixture, "used=b.yaml ignored=c.yaml"), 1);
	/* A loser's new version waits; a file that sorts before takes over. */
	write_service(fixture, "c.yaml", "one", 4);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
	write_service(fixture, "a.yaml", "one", 1);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(count_log(fixture, "used=a.yaml ignored=b.yaml"), 1);
	remove_file(fixture, "b.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	/* The winner has it no more. */
	write_service(fixture, "a.yaml", "other", 1);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 4);
	assert_int_equal(port_of(fixture, "other"), 1);
	remove_file(fixture, "c.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 0);
	assert_int_equal(n_bad(), 0);
}

static void test_taken_back(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "b.yaml", "one", 2);
	open_manifests(fixture);
	write_service(fixture, "a.yaml", "one", 1);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	remove_file(fixture, "a.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 2);
}

static void test_twice_in_a_file(void **state)
{
	struct fixture *fixture = *state;
	char *first = service_text("one", 1);
	char *second = service_text("one", 2);
	char *both = xasprintf("%s%s", first, second);

	write_file(fixture, "a.yaml", both);
	open_manifests(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(count_log(fixture, "used=a.yaml ignored=a.yaml"), 1);
	free(first);
	free(second);
	free(both);
}

/* Skipped, and not in silence. */
static void test_outdated(void **state)
{
	struct fixture *fixture = *state;

	write_file(fixture, "old.yaml",
		"apiVersion: networking.k8s.io/v1beta1\nkind: Ingress\nmetadata: {name: a}\n---\n"
		"apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: b}\n");
	open_manifests(fixture);
	assert_int_equal(
		count_log(fixture,
			"level=warn msg=\"line 1: Ingress 'a' is skipped, its apiVersion is "
			"networking.k8s.io/v1beta1: write it as networking.k8s.io/v1\" "
			"file=old.yaml more=1"),
		1);
}

/* As the kubelet mounts a ConfigMap: names are links into `..data`, which is a link that is
 * replaced. */
static void test_config_map_links(void **state)
{
	struct fixture *fixture = *state;

	make_directory(fixture, "..1");
	write_service(fixture, "..1/a.yaml", "one", 1);
	write_service(fixture, "..1/b.yaml", "two", 2);
	link_file(fixture, "..1", "..data");
	link_file(fixture, "..data/a.yaml", "a.yaml");
	link_file(fixture, "..data/b.yaml", "b.yaml");
	open_manifests(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(port_of(fixture, "two"), 2);
	make_directory(fixture, "..2");
	write_service(fixture, "..2/a.yaml", "one", 11);
	write_service(fixture, "..2/c.yaml", "three", 3);
	link_file(fixture, "..data/c.yaml", "c.yaml");
	link_file(fixture, "..2", "..data_tmp");
	rename_file(fixture, "..data_tmp", "..data");
	remove_file(fixture, "b.yaml");
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 11);
	assert_int_equal(port_of(fixture, "two"), 0);
	assert_int_equal(port_of(fixture, "three"), 3);
	assert_int_equal(n_bad(), 0);
}

/* Lets the loop run until the Service has the port. */
static void await_port(const struct fixture *fixture, const char *name, int port)
{
	for (int i = 0; i < MAX_TURNS && port_of(fixture, name) != port; i++) {
		wait_turn(fixture);
	}
	assert_int_equal(port_of(fixture, name), port);
}

static void test_directory_removed(void **state)
{
	struct fixture *fixture = *state;

	write_service(fixture, "a.yaml", "one", 1);
	write_service(fixture, "b.yaml", "two", 2);
	open_manifests(fixture);
	nftw(fixture->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(port_of(fixture, "two"), 2);
	assert_int_equal(count_log(fixture, "the manifest directory is gone"), 1);
	/* Back, but empty yet. */
	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	wait_turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	write_service(fixture, "b.yaml", "two", 3);
	await_port(fixture, "two", 3);
	assert_int_equal(port_of(fixture, "one"), 0);
	assert_int_equal(count_log(fixture, "the manifest directory is back"), 1);
	write_service(fixture, "b.yaml", "two", 4);
	turn(fixture);
	assert_int_equal(port_of(fixture, "two"), 4);
}

static void test_directory_moved(void **state)
{
	struct fixture *fixture = *state;
	char *away = xasprintf("%s/away", fixture->root);

	write_service(fixture, "a.yaml", "one", 1);
	open_manifests(fixture);
	assert_int_equal(rename(fixture->directory, away), 0);
	turn(fixture);
	assert_int_equal(port_of(fixture, "one"), 1);
	assert_int_equal(count_log(fixture, "the manifest directory is gone"), 1);
	assert_int_equal(mkdir(fixture->directory, 0700), 0);
	write_service(fixture, "a.yaml", "one", 2);
	await_port(fixture, "one", 2);
	free(away);
}

/* More events than the kernel keeps: the directory is read again. */
static void test_overflow(void **state)
{
	struct fixture *fixture = *state;
	long max_events = 0;
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld", &max_events), 1);
	fclose(file);
	open_manifests(fixture);
	if (max_events > 100000) {
		skip();
	}
	/* Two names in turn, as the kernel merges what is the same twice in a row. */
	for (long i = 0; i <= max_events / 2; i++) {
		write_file(fixture, "x.txt", "");
		write_file(fixture, "y.txt", "");
	}
	write_service(fixture, "a.yaml", "one", 1);
	await_port(fixture, "one", 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_open_fails),
		TEST(test_empty_directory),
		TEST(test_change),
		TEST(test_rename),
		TEST(test_unfinished),
		TEST(test_bad_file),
		TEST(test_bad_file_removed),
		TEST(test_unreadable),
		TEST(test_file_size_limit),
		TEST(test_too_many_files),
		TEST(test_same_object),
		TEST(test_taken_back),
		TEST(test_twice_in_a_file),
		TEST(test_outdated),
		TEST(test_config_map_links),
		TEST(test_directory_removed),
		TEST(test_directory_moved),
		TEST(test_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
