/* Tests of the certificates in haproxy/state on a real directory. */
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
#include "base/buf.h"
#include "haproxy/state.h"
#include "haproxy/state_testing.h"

static bool is_link_impossible;

int linkat(int old_fd, const char *old_path, int fd, const char *path, int flags)
{
	if (is_link_impossible) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, old_fd, old_path, fd, path, flags);
}

static int tear_down(void **test)
{
	is_link_impossible = false;
	testing_remove_state(*test);
	return 0;
}

static char *path_of(const struct fixture *f, const char *name)
{
	return xasprintf("%s/%s", state_map_dir(f->state), name);
}

/* NULL = it is not there. */
static char *content(const struct fixture *f, const char *name)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	FILE *file = fopen(path, "re");
	char *text = xcalloc(1, 65536);

	if (file == NULL) {
		free(text);
		return NULL;
	}
	assert_true(fread(text, 1, 65535, file) < 65535);
	fclose(file);
	return text;
}

static void assert_content(const struct fixture *f, const char *name, const char *expected)
{
	CLEANUP(free_ptr) char *text = content(f, name);

	if (expected == NULL) {
		assert_null(text);
	} else {
		assert_non_null(text);
		assert_string_equal(text, expected);
	}
}

static struct stat info_of(const struct fixture *f, const char *name)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	struct stat info = {0};

	assert_int_equal(stat(path, &info), 0);
	return info;
}

static void save(struct fixture *f, bool is_full)
{
	struct err err = {0};

	if (!(is_full ? state_save_all(f->state, f->applied, &err)
		      : state_save(f->state, f->applied, &err))) {
		fail_msg("%s", err.text);
	}
	assert_false(f->applied->are_certificates_unsaved);
}

/* As a controller left it that has ended since: nobody in this process has the content. */
static void put(const struct fixture *f, const char *name, const char *text)
{
	CLEANUP(free_ptr) char *path = path_of(f, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
}

static char *list_of(const struct fixture *f, const char *more)
{
	return xasprintf("%s/certs/default.pem " APPLIED_DEFAULT_HOSTS "\n%s",
		state_map_dir(f->state), more);
}

static void test_first_generation_has_a_default(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *pem = content(f, "certs/default.pem");
	CLEANUP(free_ptr) char *list = list_of(f, "");

	assert_non_null(pem);
	assert_non_null(strstr(pem, "-----BEGIN CERTIFICATE-----\n"));
	assert_non_null(strstr(pem, "-----BEGIN PRIVATE KEY-----\n"));
	assert_null(strstr(pem, "\n\n"));
	assert_content(f, "certs.list", list);
	assert_int_equal(info_of(f, "certs").st_mode & 0777, 0700);
	assert_int_equal(info_of(f, "certs/default.pem").st_mode & 0777, 0600);
}

static void test_default_stays(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *pem = content(f, "certs/default.pem");
	struct err err = {0};

	save(f, false);
	assert_content(f, "certs/default.pem", pem);
	applied_set_certificate(
		f->applied, MODEL_CERTIFICATE_DEFAULT, APPLIED_DEFAULT_HOSTS, "somebody's");
	save(f, false);
	save(f, true);
	assert_content(f, "certs/default.pem", pem);
	is_link_impossible = true;
	save(f, true);
	save(f, false);
	assert_content(f, "certs/default.pem", pem);
	assert_int_equal(info_of(f, "certs/default.pem").st_mode & 0777, 0600);
	state_close(f->state);
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	assert_content(f, "certs/default.pem", pem);
}

/* The last good one of a Secret that can't be used now: HAProxy and the disk are all that has it.
 */
static void test_last_good_is_never_lost(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr)
	char *line = xasprintf("%s/certs/a_x_0.pem a.test *.a.test\n", state_map_dir(f->state));
	CLEANUP(free_ptr) char *list = list_of(f, line);
	CLEANUP(free_ptr) char *empty_list = list_of(f, "");

	put(f, "certs/a_x_0.pem", "the only copy\n");
	applied_set_certificate(f->applied, "a_x_0", "a.test *.a.test", NULL);
	ino_t inode = info_of(f, "certs/a_x_0.pem").st_ino;
	for (int i = 0; i < 8; i++) {
		is_link_impossible = i >= 4;
		f->applied->are_certificates_unsaved = i % 2;
		save(f, i % 4 == 3);
		if (i > 0) {
			assert_content(f, "certs.list", list);
		}
		assert_content(f, "certs/a_x_0.pem", "the only copy\n");
		struct stat info = info_of(f, "certs/a_x_0.pem");
		assert_int_equal(info.st_mode & 0777, 0600);
		assert_int_equal(info.st_ino == inode, i < 4);
	}
	applied_remove_certificate(f->applied, "a_x_0");
	save(f, false);
	assert_content(f, "certs.list", empty_list);
	assert_content(f, "certs/a_x_0.pem", NULL);
}

static void test_without_content(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *list = list_of(f, "");

	/* Nobody has it, and half made. */
	put(f, "certs/a_y_0.pem", "half made\n");
	applied_set_certificate(f->applied, "a_x_0", "a.test", NULL);
	applied_set_certificate(f->applied, "a_y_0", NULL, NULL);
	save(f, false);
	assert_content(f, "certs.list", list);
	assert_content(f, "certs/a_x_0.pem", NULL);
	assert_content(f, "certs/a_y_0.pem", NULL);
}

static void test_unwritable(void **test)
{
	struct fixture *f = *test;
	struct err err = {0};

	applied_set_certificate(f->applied, "a_x_0", "a.test\nb", NULL);
	assert_false(state_save(f->state, f->applied, &err));
	assert_non_null(strstr(err.text, "a_x_0"));
}

/* A directory of a controller that knew no certificates. */
static void test_is_added_to_an_old_directory(void **test)
{
	struct fixture *f = *test;
	CLEANUP(free_ptr) char *list = path_of(f, "certs.list");
	CLEANUP(free_ptr) char *pem = path_of(f, "certs/default.pem");
	CLEANUP(free_ptr) char *folder = path_of(f, "certs");
	struct err err = {0};

	applied_set_entry(f->applied, MODEL_MAP_HOSTS, "a.test", "a.test");
	save(f, false);
	state_close(f->state);
	assert_int_equal(unlink(list), 0);
	assert_int_equal(unlink(pem), 0);
	assert_int_equal(rmdir(folder), 0);
	f->state = state_open(f->directory, &err);
	assert_non_null(f->state);
	assert_int_equal(access(pem, R_OK), 0);
	assert_int_equal(access(list, R_OK), 0);
	assert_content(f, "hosts.map", "a.test a.test\n");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, testing_open_state, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_generation_has_a_default),
		TEST(test_default_stays),
		TEST(test_last_good_is_never_lost),
		TEST(test_without_content),
		TEST(test_unwritable),
		TEST(test_is_added_to_an_old_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
