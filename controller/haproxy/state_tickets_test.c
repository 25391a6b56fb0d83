/* Tests of the TLS ticket keys in haproxy/state on a real directory; writing it can be made to fail
 * at each step. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dir_testing.h"
#include "haproxy/state.h"
#include "haproxy/tickets.h"

#define MAX_STEPS 100

/* Which step fails: counts down to 0; negative = none. */
static int steps_left = -1;
static int step_errno;

static bool step(void)
{
	if (steps_left < 0 || steps_left-- > 0) {
		return false;
	}
	errno = step_errno;
	return true;
}

int renameat(int old_fd, const char *old_path, int fd, const char *path)
{
	return step() ? -1 : (int)syscall(SYS_renameat2, old_fd, old_path, fd, path, 0);
}

ssize_t write(int fd, const void *data, size_t size)
{
	return step() ? -1 : (ssize_t)syscall(SYS_write, fd, data, size);
}

/* One that only follows the rename is no failure; the file's own is. */
int fsync(int fd)
{
	struct stat info;

	return fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && step()
		       ? -1
		       : (int)syscall(SYS_fsync, fd);
}

struct fixture {
	char directory[64];
	struct state *state;
	struct ticket_keys keys; /* as the file has them after set_up() */
};

static char *content(const struct fixture *f)
{
	FILE *file = fopen(state_tickets_file(f->state), "re");
	char *text = xcalloc(1, 1024);

	if (file == NULL) {
		free(text);
		return NULL;
	}
	assert_true(fread(text, 1, 1023, file) < 1023);
	fclose(file);
	return text;
}

static void write_content(const struct fixture *f, const char *text)
{
	FILE *file = fopen(state_tickets_file(f->state), "we");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct stat info_of(const struct fixture *f)
{
	struct stat info = {0};

	assert_int_equal(lstat(state_tickets_file(f->state), &info), 0);
	return info;
}

/* Makes the file so old. */
static void set_time(const struct fixture *f, int64_t when)
{
	const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};

	assert_int_equal(utimensat(AT_FDCWD, state_tickets_file(f->state), times, 0), 0);
}

static struct ticket_keys read_keys(struct fixture *f, int64_t *ret_time)
{
	struct ticket_keys keys = {0};
	struct err err = {0};

	if (!state_read_tickets(f->state, &keys, ret_time, &err)) {
		fail_msg("%s", err.text);
	}
	return keys;
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

static int set_up(void **test)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct err err = {0};
	int64_t when;

	snprintf(f->directory, sizeof(f->directory), "/tmp/headgate-tickets.XXXXXX");
	assert_non_null(mkdtemp(f->directory));
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	f->keys = read_keys(f, &when);
	*test = f;
	return 0;
}

static int tear_down(void **test)
{
	struct fixture *f = *test;

	steps_left = -1;
	state_close(f->state);
	testing_remove_dir(f->directory);
	free(f);
	return 0;
}

static void assert_same(const struct ticket_keys *a, const struct ticket_keys *b)
{
	assert_memory_equal(a, b, sizeof(*a));
}

/* No old key is in the file, which is as it should be. */
static void assert_made_anew(struct fixture *f)
{
	CLEANUP(free_ptr) char *text = content(f);
	struct ticket_keys now;

	assert_non_null(text);
	assert_true(tickets_parse(text, strlen(text), &now));
	for (size_t i = 0; i < TICKETS_N_KEYS; i++) {
		assert_null(strstr(text, f->keys.keys[i]));
	}
	assert_int_equal(info_of(f).st_mode, S_IFREG | 0600);
	f->keys = now;
}

static void test_there_from_the_start(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *text = content(f);
	CLEANUP(free_ptr) char *path = xasprintf("%s/tickets.keys", f->directory);
	struct ticket_keys keys;

	assert_string_equal(state_tickets_file(f->state), path);
	assert_true(tickets_parse(text, strlen(text), &keys));
	assert_same(&keys, &f->keys);
	assert_int_equal(info_of(f).st_mode, S_IFREG | 0600);
}

/* Neither opening nor saving is a rotation. */
static void test_kept(void **test)
{
	struct fixture *f = *test;
	struct applied *applied = applied_new();
	struct err err = {0};
	int64_t when;

	set_time(f, 1000);
	reopen(f);
	assert_true(state_save(f->state, applied, &err));
	assert_true(state_save_all(f->state, applied, &err));
	assert_true(state_check_tickets(f->state, &err));
	struct ticket_keys keys = read_keys(f, &when);
	assert_same(&keys, &f->keys);
	assert_int_equal(when, 1000);
	applied_free(applied);
}

static void test_rotation(void **test)
{
	struct fixture *f = *test;
	struct ticket_keys rotated = {0};
	struct err err = {0};
	int64_t when;

	set_time(f, 1000);
	ino_t inode = info_of(f).st_ino;
	assert_true(state_rotate_tickets(f->state, &rotated, &err));
	assert_string_equal(rotated.keys[0], f->keys.keys[1]);
	assert_string_equal(rotated.keys[1], f->keys.keys[2]);
	assert_string_not_equal(rotated.keys[2], f->keys.keys[2]);
	struct ticket_keys keys = read_keys(f, &when);
	assert_same(&keys, &rotated);
	assert_true(when > 1000);
	/* Replaced, not written over: who reads it meanwhile has the old one. */
	assert_int_not_equal(info_of(f).st_ino, inode);
	assert_int_equal(info_of(f).st_mode, S_IFREG | 0600);
}

static void test_made_anew(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *good = content(f);
	CLEANUP(free_ptr) char *cut = xstrndup(good, strlen(good) - 1);
	CLEANUP(free_ptr) char *longer = xasprintf("%s\n", good);
	CLEANUP(free_ptr) char *two = xstrndup(good, (size_t)2 * (TICKETS_KEY_LEN + 1));
	CLEANUP(free_ptr) char *elsewhere = xasprintf("%s/elsewhere", f->directory);
	const char *const damages[] = {"", "x", cut, longer, two};
	struct applied *applied = applied_new();
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		write_content(f, damages[i]);
		reopen(f);
		assert_made_anew(f);
	}
	assert_int_equal(unlink(state_tickets_file(f->state)), 0);
	reopen(f);
	assert_made_anew(f);
	assert_int_equal(unlink(state_tickets_file(f->state)), 0);
	assert_true(state_save_all(f->state, applied, &err));
	assert_made_anew(f);
	assert_int_equal(unlink(state_tickets_file(f->state)), 0);
	assert_true(state_check_tickets(f->state, &err));
	assert_made_anew(f);
	/* A link is not followed, and not written through. */
	assert_int_equal(rename(state_tickets_file(f->state), elsewhere), 0);
	assert_int_equal(symlink("elsewhere", state_tickets_file(f->state)), 0);
	assert_true(state_check_tickets(f->state, &err));
	assert_made_anew(f);
	applied_free(applied);
}

/* Whoever has a running HAProxy is told that it has other keys. */
static void test_made_anew_is_due(void **test)
{
	struct fixture *f = *test;
	int64_t when;

	write_content(f, "x");
	(void)read_keys(f, &when);
	assert_int_equal(when, 0);
	(void)read_keys(f, &when);
	assert_true(when > 0);
}

static void test_is_nobody_elses(void **test)
{
	struct fixture *f = *test;

	assert_int_equal(chmod(state_tickets_file(f->state), 0664), 0);
	reopen(f);
	assert_int_equal(info_of(f).st_mode, S_IFREG | 0600);
}

static void test_directory_was_removed(void **test)
{
	struct fixture *f = *test;
	struct err err = {0};

	testing_remove_dir(f->directory);
	assert_true(state_reopen(f->state, &err));
	assert_made_anew(f);
}

static void test_failure_at_every_step(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *left_over = xasprintf("%s/tickets.keys.new", f->directory);
	struct ticket_keys rotated = {0};
	struct err err = {0};
	int n_failed = 0;
	int64_t when;

	set_time(f, 1000);
	for (int i = 0; i < MAX_STEPS; i++) {
		step_errno = i % 2 ? ENOSPC : EROFS;
		steps_left = i;
		bool is_ok = state_rotate_tickets(f->state, &rotated, &err);
		steps_left = -1;
		if (is_ok) {
			break;
		}
		n_failed++;
		assert_int_equal(err.kind, i % 2 ? ERR_INPUT : ERR_DENIED);
		assert_non_null(strstr(err.text, i % 2 ? "make room" : "make it writable"));
		assert_int_equal(rotated.keys[0][0], '\0');
		assert_int_equal(access(left_over, F_OK), -1);
		struct ticket_keys keys = read_keys(f, &when);
		assert_same(&keys, &f->keys);
		assert_int_equal(when, 1000);
	}
	assert_int_equal(n_failed, 3); /* write, its fsync, rename */
	assert_string_equal(rotated.keys[0], f->keys.keys[1]);
}

/* Somebody's writing was cut off. */
static void test_left_over(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *left_over = xasprintf("%s/tickets.keys.new", f->directory);
	struct ticket_keys rotated = {0};
	struct err err = {0};

	FILE *file = fopen(left_over, "we");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_true(state_rotate_tickets(f->state, &rotated, &err));
	assert_int_equal(access(left_over, F_OK), -1);
	assert_int_equal(info_of(f).st_mode, S_IFREG | 0600);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_there_from_the_start),
		TEST(test_kept),
		TEST(test_rotation),
		TEST(test_made_anew),
		TEST(test_made_anew_is_due),
		TEST(test_is_nobody_elses),
		TEST(test_directory_was_removed),
		TEST(test_failure_at_every_step),
		TEST(test_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
