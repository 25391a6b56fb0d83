/*
 * Tests of haproxy/state on a real directory. The functions that change it are taken over below, so
 * that each of them can be made to fail, or be the last thing that the process does, in turn.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "haproxy/state.h"
#include "haproxy/state_testing.h"

#define CRASHED	  77
#define MAX_STEPS 1000

/* Which step goes wrong: counts down to 0; negative = none. */
static int steps_left = -1;
static int step_errno; /* 0 = the process ends there */
static bool is_link_impossible;

/* True = the step shall fail. */
static bool step(void)
{
	if (steps_left < 0 || steps_left-- > 0) {
		return false;
	}
	if (step_errno == 0) {
		_exit(CRASHED);
	}
	errno = step_errno;
	return true;
}

int mkdirat(int fd, const char *path, mode_t mode)
{
	return step() ? -1 : (int)syscall(SYS_mkdirat, fd, path, mode);
}

int linkat(int old_fd, const char *old_path, int fd, const char *path, int flags)
{
	if (is_link_impossible) {
		errno = EPERM;
		return -1;
	}
	return step() ? -1 : (int)syscall(SYS_linkat, old_fd, old_path, fd, path, flags);
}

int symlinkat(const char *target, int fd, const char *path)
{
	return step() ? -1 : (int)syscall(SYS_symlinkat, target, fd, path);
}

int renameat(int old_fd, const char *old_path, int fd, const char *path)
{
	return step() ? -1 : (int)syscall(SYS_renameat2, old_fd, old_path, fd, path, 0);
}

int fsync(int fd)
{
	return step() ? -1 : (int)syscall(SYS_fsync, fd);
}

int unlinkat(int fd, const char *path, int flags)
{
	/* Removing never fails here, but a crash may come before it. */
	if (step_errno == 0) {
		step();
	}
	return (int)syscall(SYS_unlinkat, fd, path, flags);
}

static int tear_down(void **test)
{
	steps_left = -1;
	is_link_impossible = false;
	testing_remove_state(*test);
	return 0;
}

static char *path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", f->directory, name);
}

/* Content of a file below the state directory; NULL = not there. The caller frees it. */
static char *content(const struct fixture *f, const char *name)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	FILE *file = fopen(path, "re");
	struct buf buf = BUF_INIT(0);
	char chunk[4096];
	size_t n;

	if (file == NULL) {
		return NULL;
	}
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0) {
		buf_append(&buf, chunk, n);
	}
	fclose(file);
	return buf_take(&buf);
}

static void assert_content(const struct fixture *f, const char *name, const char *expected)
{
	CLEANUP(free_ptr) char *text = content(f, name);

	assert_non_null(text);
	assert_string_equal(text, expected);
}

static bool is_there(const struct fixture *f, const char *name)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	struct stat info;

	return lstat(path, &info) == 0;
}

static ino_t inode(const struct fixture *f, const char *name)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	struct stat info;

	assert_int_equal(stat(path, &info), 0);
	return info.st_ino;
}

static size_t count_entries(const struct fixture *f, const char *folder, const char *prefix)
{
	CLEANUP(free_ptr) char *path = path_of(f, folder);
	DIR *dir = opendir(path);
	const struct dirent *entry;
	size_t n = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		n += entry->d_name[0] != '.' && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	}
	closedir(dir);
	return n;
}

static void add_backend(struct applied *applied, const char *name)
{
	struct applied_backend *backend = applied_add_backend(applied, name);

	applied_set_server(applied, backend, "pod-1", "10.0.0.1:8080", APPLIED_READY);
}

static void shard_file(const char *backend, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "current/backends/%02u.cfg", applied_shard(backend));
}

static void save(struct fixture *f)
{
	struct err err = {0};

	if (!state_save(f->state, f->applied, &err)) {
		fail_msg("%s", err.text);
	}
}

static void reopen(struct fixture *f)
{
	struct err err = {0};

	state_close(f->state);
	f->state = state_open(f->directory, &err);
	if (f->state == NULL) {
		fail_msg("%s", err.text);
	}
}

static void test_first_generation_is_empty(void **test)
{
	const struct fixture *f = *test;

	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		CLEANUP(free_ptr) char *name = xasprintf("current/%s", model_map_files[map]);
		assert_content(f, name, "");
	}
	assert_int_equal(count_entries(f, "current/backends", ""), 0);
	assert_false(state_has_routes(f->state));
	CLEANUP(free_ptr) char *map_dir = path_of(f, "current");
	CLEANUP(free_ptr) char *backends_dir = path_of(f, "current/backends");
	assert_string_equal(state_map_dir(f->state), map_dir);
	assert_string_equal(state_backends_dir(f->state), backends_dir);
}

static void test_files_are_sorted(void **test)
{
	struct fixture *f = *test;
	const char *expected = "a.test/ a_svc_x_80\nb.test/ b_svc_x_80\nc.test/ a_svc_x_80\n";
	char file[64];

	applied_set_entry(f->applied, MODEL_MAP_PREFIX, "c.test/", "a_svc_x_80");
	applied_set_entry(f->applied, MODEL_MAP_PREFIX, "a.test/", "a_svc_x_80");
	applied_set_entry(f->applied, MODEL_MAP_PREFIX, "b.test/", "b_svc_x_80");
	add_backend(f->applied, "b_svc_x_80");
	save(f);
	assert_content(f, "current/prefix.map", expected);
	assert_true(state_has_routes(f->state));
	assert_true(state_last_size(f->state) > strlen(expected));
	shard_file("b_svc_x_80", file, sizeof(file));
	CLEANUP(free_ptr) char *text = content(f, file);
	assert_non_null(text);
	assert_non_null(strstr(text, "backend b_svc_x_80 from http_profile\n"));
	assert_non_null(strstr(text, "10.0.0.1:8080"));
	reopen(f);
	assert_true(state_has_routes(f->state));
	assert_content(f, "current/prefix.map", expected);
}

/* Two backends of one file, added in either order, give the same bytes. */
static void test_order_of_arrival_is_not_seen(void **test)
{
	struct fixture *f = *test;
	char first[32];
	char second[32];
	char file[64];
	int i = 0;

	snprintf(first, sizeof(first), "a_svc_0_80");
	do {
		snprintf(second, sizeof(second), "a_svc_%d_80", ++i);
	} while (applied_shard(first) != applied_shard(second));
	add_backend(f->applied, first);
	add_backend(f->applied, second);
	save(f);
	shard_file(first, file, sizeof(file));
	CLEANUP(free_ptr) char *before = content(f, file);
	applied_remove_backend(f->applied, first);
	add_backend(f->applied, first);
	save(f);
	assert_content(f, file, before);
}

static void test_unchanged_files_are_links(void **test)
{
	struct fixture *f = *test;
	char file[64];

	add_backend(f->applied, "a_svc_x_80");
	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	save(f);
	shard_file("a_svc_x_80", file, sizeof(file));
	ino_t backend = inode(f, file);
	ino_t hosts = inode(f, "current/hosts.map");
	ino_t exact = inode(f, "current/exact.map");
	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "b.test", "b.test");
	save(f);
	assert_int_equal(inode(f, file), backend);
	assert_int_equal(inode(f, "current/exact.map"), exact);
	assert_int_not_equal(inode(f, "current/hosts.map"), hosts);
	assert_int_equal(state_last_size(f->state), strlen("a.test a.test\nb.test b.test\n"));
	struct err err = {0};
	assert_true(state_save_all(f->state, f->applied, &err));
	assert_int_not_equal(inode(f, "current/exact.map"), exact);
}

static void test_file_without_backends_is_gone(void **test)
{
	struct fixture *f = *test;

	add_backend(f->applied, "a_svc_x_80");
	save(f);
	assert_int_equal(count_entries(f, "current/backends", ""), 1);
	applied_remove_backend(f->applied, "a_svc_x_80");
	save(f);
	assert_int_equal(count_entries(f, "current/backends", ""), 0);
}

static void test_number_of_generations_is_bounded(void **test)
{
	struct fixture *f = *test;

	for (int i = 0; i < 10; i++) {
		applied_set_entry(f->applied, MODEL_MAP_HOSTS, "a.test", i % 2 ? "x" : "y");
		save(f);
	}
	assert_int_equal(count_entries(f, "", "gen."), 2);
	assert_true(is_there(f, "gen.11/hosts.map"));
	assert_content(f, "gen.10/hosts.map", "a.test y\n");
}

static void test_leftovers_are_removed(void **test)
{
	struct fixture *f = *test;
	static const char *const folders[] = {"gen.2", "gen.2/backends", "gen.7"};
	CLEANUP(free_ptr) char *torn = path_of(f, "gen.2/hosts.map");
	CLEANUP(free_ptr) char *link_path = path_of(f, "current.new");

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		CLEANUP(free_ptr) char *path = path_of(f, folders[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	FILE *file = fopen(torn, "we");
	assert_non_null(file);
	fputs("torn", file);
	fclose(file);
	assert_int_equal(symlink("gen.2", link_path), 0);
	reopen(f);
	assert_false(is_there(f, "gen.2"));
	assert_false(is_there(f, "gen.7"));
	assert_false(is_there(f, "current.new"));
	assert_content(f, "current/hosts.map", "");
}

static void test_damage_is_repaired(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *path = path_of(f, "current/exact.map");
	char file[64];

	add_backend(f->applied, "a_svc_x_80");
	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	save(f);
	assert_int_equal(unlink(path), 0);
	reopen(f);
	shard_file("a_svc_x_80", file, sizeof(file));
	assert_content(f, "current/exact.map", "");
	assert_content(f, "current/hosts.map", "a.test a.test\n");
	assert_true(is_there(f, file));
}

static void test_second_controller_is_refused(void **test)
{
	const struct fixture *f = *test;
	struct err err = {0};

	assert_null(state_open(f->directory, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "another controller"));
}

static void test_refused_entry_is_named(void **test)
{
	struct fixture *f = *test;
	struct err err = {0};

	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "good.test", "good.test");
	save(f);
	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "bad\ntest", "x");
	assert_false(state_save(f->state, f->applied, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "hosts.map \"bad?test\""));
	assert_content(f, "current/hosts.map", "good.test good.test\n");
	assert_true(f->applied->is_map_unsaved[MODEL_MAP_HOSTS]);
	assert_int_equal(count_entries(f, "", "gen."), 2);
	applied_remove_entry(f->applied, MODEL_MAP_HOSTS, "bad\ntest");
	add_backend(f->applied, "bad\nname");
	assert_false(state_save(f->state, f->applied, &err));
	assert_non_null(strstr(err.text, "backend \"bad?name\""));
}

/* Two maps and a backend that belong together: either all of the new ones are seen, or all of the
 * old ones. */
static void change_all(struct applied *applied, const char *value)
{
	char name[64];

	applied_set_entry(applied, MODEL_MAP_HOSTS, "a.test", value);
	applied_set_entry(applied, MODEL_MAP_EXACT, "a.test/", value);
	snprintf(name, sizeof(name), "%s_svc_x_80", value);
	add_backend(applied, name);
}

/* "old" or "new": what `current` has, all of it. */
static const char *generation_seen(const struct fixture *f)
{
	CLEANUP(free_ptr) char *hosts = content(f, "current/hosts.map");
	CLEANUP(free_ptr) char *exact = content(f, "current/exact.map");
	char file[64];

	assert_non_null(hosts);
	assert_non_null(exact);
	bool is_new = strcmp(hosts, "a.test new\n") == 0;
	assert_string_equal(hosts, is_new ? "a.test new\n" : "a.test old\n");
	assert_string_equal(exact, is_new ? "a.test/ new\n" : "a.test/ old\n");
	assert_true(is_there(f, "current/prefix.map"));
	assert_true(is_there(f, "current/defaults.map"));
	shard_file("old_svc_x_80", file, sizeof(file));
	assert_true(is_there(f, file));
	shard_file("new_svc_x_80", file, sizeof(file));
	assert_true(is_new == is_there(f, file));
	return is_new ? "new" : "old";
}

static void test_failure_at_every_step(void **test)
{
	struct fixture *f = *test;
	struct err err = {0};
	int n_failed = 0;

	change_all(f->applied, "old");
	save(f);
	change_all(f->applied, "new");
	for (int i = 0; i < MAX_STEPS; i++) {
		step_errno = i % 2 ? ENOSPC : EROFS;
		steps_left = i;
		bool is_ok = state_save(f->state, f->applied, &err);
		steps_left = -1;
		if (is_ok) {
			break;
		}
		n_failed++;
		assert_int_equal(err.kind, i % 2 ? ERR_INPUT : ERR_DENIED);
		assert_non_null(strstr(err.text, f->directory));
		assert_non_null(strstr(err.text, i % 2 ? "make room" : "make it writable"));
		assert_string_equal(generation_seen(f), "old");
		assert_true(f->applied->is_map_unsaved[MODEL_MAP_EXACT]);
		assert_false(is_there(f, "current.new"));
	}
	assert_true(n_failed > 10);
	assert_string_equal(generation_seen(f), "new");
	assert_false(f->applied->is_map_unsaved[MODEL_MAP_EXACT]);
	assert_int_equal(count_entries(f, "", "gen."), 2);
}

/* Saves in a process that ends at a step; true = it came to its end. */
static bool save_until(const struct fixture *f, struct applied *applied, int last_step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = {0};
		struct state *state = state_open(f->directory, &err);

		step_errno = 0;
		steps_left = last_step;
		_exit(state != NULL && state_save(state, applied, &err) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == CRASHED);
	return WEXITSTATUS(status) == 0;
}

static void test_crash_at_every_step(void **test)
{
	struct fixture *f = *test;
	int n_old = 0;
	int n_new = 0;
	bool is_complete = false;

	change_all(f->applied, "old");
	save(f);
	change_all(f->applied, "new");
	for (int i = 0; i < MAX_STEPS && !is_complete; i++) {
		state_close(f->state);
		f->state = NULL;
		is_complete = save_until(f, f->applied, i);
		const char *seen = generation_seen(f);
		reopen(f);
		assert_string_equal(generation_seen(f), seen);
		assert_true(count_entries(f, "", "gen.") <= 2);
		assert_false(is_there(f, "current.new"));
		n_old += strcmp(seen, "old") == 0;
		n_new += strcmp(seen, "new") == 0;
		/* The further crashes come after the switch; they start from "old" as well. */
		applied_remove_backend(f->applied, "new_svc_x_80");
		applied_set_entry(f->applied, MODEL_MAP_HOSTS, "a.test", "old");
		applied_set_entry(f->applied, MODEL_MAP_EXACT, "a.test/", "old");
		save(f);
		change_all(f->applied, "new");
	}
	assert_true(is_complete);
	assert_true(n_old > 10);
	assert_true(n_new > 10);
}

static void test_file_system_without_links(void **test)
{
	struct fixture *f = *test;

	change_all(f->applied, "old");
	save(f);
	is_link_impossible = true;
	change_all(f->applied, "new");
	save(f);
	assert_string_equal(generation_seen(f), "new");
}

/* Opens the directory as a user who may only read it: 0 = refused as it should be. */
static int open_as_stranger(const struct fixture *f)
{
	struct err err = {0};
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) != 0) {
			_exit(2);
		}
		bool is_refused = state_open(f->directory, &err) == NULL &&
				  err.kind == ERR_DENIED &&
				  strstr(err.text, f->directory) != NULL &&
				  strstr(err.text, "writable") != NULL;
		_exit(is_refused ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_directory_of_somebody_else(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *lock = path_of(f, "lock");

	state_close(f->state);
	f->state = NULL;
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(chmod(f->directory, 0555), 0);
	assert_int_equal(open_as_stranger(f), 0);
	assert_int_equal(chmod(f->directory, 0700), 0);
	reopen(f);
}

static void test_directory_that_cannot_be_made(void **test)
{
	struct err err = {0};

	(void)test;
	assert_null(state_open("/proc/headgate/state", &err));
	assert_non_null(strstr(err.text, "/proc/headgate/state: can't make it"));
}

#define STATE_TEST(name) cmocka_unit_test_setup_teardown(name, testing_open_state, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STATE_TEST(test_first_generation_is_empty),
		STATE_TEST(test_files_are_sorted),
		STATE_TEST(test_order_of_arrival_is_not_seen),
		STATE_TEST(test_unchanged_files_are_links),
		STATE_TEST(test_file_without_backends_is_gone),
		STATE_TEST(test_number_of_generations_is_bounded),
		STATE_TEST(test_leftovers_are_removed),
		STATE_TEST(test_damage_is_repaired),
		STATE_TEST(test_second_controller_is_refused),
		STATE_TEST(test_refused_entry_is_named),
		STATE_TEST(test_failure_at_every_step),
		STATE_TEST(test_crash_at_every_step),
		STATE_TEST(test_file_system_without_links),
		STATE_TEST(test_directory_of_somebody_else),
		cmocka_unit_test(test_directory_that_cannot_be_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
