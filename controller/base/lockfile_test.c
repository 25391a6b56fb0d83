/* base/lockfile: one holder, and who comes after it. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/lockfile.h"

static char dir[] = "/tmp/headgate-lockfile-XXXXXX";
static char path[sizeof(dir) + sizeof("/lock")];

static int make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static void test_one_holder(void **state)
{
	struct err err = {0};
	int fd = lockfile_take(path, 0, &err);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(lockfile_take(path, 50, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "another controller"));
	close(fd);
	fd = lockfile_take(path, 0, &err);
	assert_true(fd >= 0);
	close(fd);
}

/* The child of a process that was killed has the lock until it ends: as long as the pipe is open.
 */
static void test_child_holds_on(void **state)
{
	struct err err = {0};
	int pipe_fds[2];
	int fd = lockfile_take(path, 0, &err);
	char byte;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(pipe_fds[0]);
	close(fd);
	assert_int_equal(lockfile_take(path, 0, &err), -1);
	close(pipe_fds[1]);
	fd = lockfile_take(path, 60000, &err);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static void test_no_directory(void **state)
{
	struct err err = {0};

	(void)state;
	assert_int_equal(lockfile_take("/nonexistent/lock", 0, &err), -1);
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "/nonexistent/lock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder),
		cmocka_unit_test(test_child_holds_on),
		cmocka_unit_test(test_no_directory),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
