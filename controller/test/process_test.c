/* haproxy/process with a real HAProxy: started, adopted, attached to, reloaded, killed and stopped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "haproxy/process.h"
#include "test/running.h"

#define BROKEN "backend broken from http_profile\n\tno-such-keyword\n"

static int set_up(void **test)
{
	*test = xmalloc(sizeof(struct running));
	running_init(*test);
	return 0;
}

static int tear_down(void **test)
{
	running_fini(*test);
	free(*test);
	return 0;
}

static long master_of(const struct running *r)
{
	return getsid((pid_t)r->pid);
}

/* Goes on until a process has ended. */
static void wait_for_end(const struct running *r, long pid)
{
	static const struct timeval moment = {.tv_usec = 10000};

	alarm(60);
	while (running_is_alive(pid)) {
		event_base_loopexit(r->base, &moment);
		event_base_dispatch(r->base);
	}
	alarm(0);
}

static char *write_file(const struct running *r, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", r->directory, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return path;
}

static void reload(const struct running *r)
{
	struct err err = {0};

	if (!process_reload(r->process, &err)) {
		fail_msg("%s", err.text);
	}
}

static void test_start(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	assert_true(running_is_alive(r->pid));
	/* Ctrl-C in our terminal or the end of our session must not reach it. */
	assert_int_not_equal(getsid((pid_t)r->pid), getsid(0));
	assert_int_equal(r->n_events[PROCESS_DOWN], 0);
}

/* Somebody else listens there: what is wrong is said, not only that it ended. */
static void test_port_taken(void **test)
{
	static const char *const options[] = {"--http-bind", "--https-bind", "--stats-bind"};
	struct running *r = *test;
	const char **binds[] = {
		&r->options.http_bind, &r->options.https_bind, &r->options.stats_bind};
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	CLEANUP(free_ptr) char *taken = xasprintf("127.0.0.1:%u", ntohs(address.sin_port));
	CLEANUP(free_ptr) char *words = xasprintf("can't listen on '%s': Address already", taken);
	for (size_t i = 0; i < ARRAY_LEN(binds); i++) {
		const char *free_bind = *binds[i];
		int n = r->n_events[PROCESS_DOWN];
		*binds[i] = taken;
		running_start(r, true);
		running_wait(r, PROCESS_DOWN, n + 1);
		assert_non_null(strstr(r->text, "exit status 1; it can't listen on"));
		assert_non_null(strstr(r->text, words));
		assert_non_null(strstr(r->text, options[i]));
		running_forget(r);
		*binds[i] = free_bind;
	}
	close(fd);
}

static void test_worker_killed(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	kill((pid_t)worker, SIGKILL);
	running_wait(r, PROCESS_DOWN, 1);
	assert_non_null(strstr(r->text, "exit status"));
	running_wait(r, PROCESS_UP, 2);
	assert_int_not_equal(r->pid, worker);
	assert_true(running_is_alive(r->pid));
}

static void test_master_killed(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	long master = master_of(r);
	kill((pid_t)master, SIGKILL);
	running_wait(r, PROCESS_DOWN, 1);
	assert_string_equal(r->text, "signal 9");
	running_wait(r, PROCESS_UP, 2);
	assert_int_not_equal(r->pid, worker);
	assert_int_not_equal(master_of(r), master);
	wait_for_end(r, worker);
}

/* A worker that can't hear that its master has died (stopped, here) must not go on beside the next
 * one. */
static void test_hanging_worker_does_not_linger(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	long master = master_of(r);
	kill((pid_t)worker, SIGSTOP);
	kill((pid_t)master, SIGKILL);
	running_wait(r, PROCESS_UP, 2);
	assert_int_not_equal(r->pid, worker);
	wait_for_end(r, worker);
}

static void test_reload(void **test)
{
	struct running *r = *test;
	struct err err = {0};

	running_start(r, true);
	assert_false(process_reload(r->process, &err) && process_reload(r->process, &err));
	assert_int_equal(err.kind, ERR_RETRY);
	running_wait(r, PROCESS_RELOADED, 1);
	for (int i = 2; i <= 4; i++) {
		running_wait(r, PROCESS_UP, i - 1);
		long worker = r->pid;
		long master = master_of(r);
		reload(r);
		running_wait(r, PROCESS_RELOADED, i);
		assert_int_not_equal(r->pid, worker);
		assert_int_equal(master_of(r), master);
		wait_for_end(r, worker);
	}
	running_wait(r, PROCESS_UP, 4);
	assert_int_equal(r->n_events[PROCESS_DOWN], 0);
	assert_int_equal(r->n_events[PROCESS_RELOAD_FAILED], 0);
}

static void test_reload_with_broken_file(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	CLEANUP(free_ptr) char *path = write_file(r, "state/current/backends/broken.cfg", BROKEN);
	for (int i = 1; i <= 2; i++) {
		reload(r);
		running_wait(r, PROCESS_RELOAD_FAILED, i);
		assert_true(strlen(r->text) > 0);
		assert_true(running_is_alive(worker));
	}
	assert_int_equal(r->n_events[PROCESS_RELOADED], 0);
	/* The connection was lost, but it is still the same worker. */
	process_expect_worker(r->process);
	running_wait(r, PROCESS_UP, 2);
	assert_int_equal(r->pid, worker);
	assert_int_equal(unlink(path), 0);
	reload(r);
	running_wait(r, PROCESS_RELOADED, 1);
	assert_int_not_equal(r->pid, worker);
	assert_int_equal(r->n_events[PROCESS_DOWN], 0);
}

static void test_killed_during_reload(void **test)
{
	struct running *r = *test;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	reload(r);
	kill((pid_t)master_of(r), SIGKILL);
	running_wait(r, PROCESS_RELOAD_FAILED, 1);
	running_wait(r, PROCESS_DOWN, 1);
	running_wait(r, PROCESS_UP, 2);
	reload(r);
	running_wait(r, PROCESS_RELOADED, 1);
}

/* Starts HAProxy from a process that is killed as soon as it is up. */
static void start_and_die(struct running *r)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		event_reinit(r->base);
		running_start(r, true);
		running_wait(r, PROCESS_UP, 1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

static void test_adoption(void **test)
{
	struct running *r = *test;

	start_and_die(r);
	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	long master = master_of(r);
	running_forget(r);
	assert_true(running_is_alive(worker));
	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	assert_int_equal(r->pid, worker);
	reload(r);
	running_wait(r, PROCESS_RELOADED, 1);
	assert_int_equal(master_of(r), master);
	kill((pid_t)master, SIGKILL);
	running_wait(r, PROCESS_DOWN, 1);
	running_wait(r, PROCESS_UP, 3);
	assert_int_not_equal(master_of(r), master);
}

static void on_stopped(void *ctx)
{
	*(bool *)ctx = true;
}

static void test_stop(void **test)
{
	struct running *r = *test;
	bool is_stopped = false;

	running_start(r, true);
	running_wait(r, PROCESS_UP, 1);
	long master = master_of(r);
	process_stop(r->process, on_stopped, &is_stopped);
	assert_false(is_stopped);
	alarm(60);
	while (!is_stopped) {
		assert_int_equal(event_base_loop(r->base, EVLOOP_ONCE), 0);
	}
	alarm(0);
	assert_false(running_is_alive(master));
	assert_false(running_is_alive(r->pid));
	assert_int_equal(r->n_events[PROCESS_DOWN], 0);
}

static void test_attached(void **test)
{
	struct running *r = *test;
	bool is_stopped = false;

	/* Nothing there yet: it waits. */
	running_start(r, false);
	start_and_die(r);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	reload(r);
	running_wait(r, PROCESS_UP, 2);
	assert_int_equal(r->n_events[PROCESS_RELOADED], 1);
	assert_int_not_equal(r->pid, worker);
	/* A reload that somebody else asks for is noticed too. */
	worker = r->pid;
	kill((pid_t)master_of(r), SIGUSR2);
	running_wait(r, PROCESS_UP, 3);
	assert_int_not_equal(r->pid, worker);
	process_stop(r->process, on_stopped, &is_stopped);
	assert_true(is_stopped);
	assert_true(running_is_alive(r->pid));
}

/* A worker that is told to end waits for its connections. Whoever has one is told. */
static void test_attached_to_one_that_ends(void **test)
{
	static const struct timeval moment = {.tv_sec = 1};
	struct running *r = *test;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	start_and_die(r);
	running_start(r, false);
	running_wait(r, PROCESS_UP, 1);
	long worker = r->pid;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", r->runtime_socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	/* Taken, too, when it has answered. */
	assert_int_equal(write(fd, "prompt\n", 7), 7);
	char answer;
	assert_int_equal(read(fd, &answer, 1), 1);
	long master = master_of(r);
	alarm(60);
	/* A master of 2.6 that has just started loses a signal. */
	while (r->n_events[PROCESS_LEAVING] == 0) {
		kill((pid_t)master, SIGUSR1);
		event_base_loopexit(r->base, &moment);
		event_base_dispatch(r->base);
	}
	alarm(0);
	assert_true(running_is_alive(worker));
	close(fd);
	wait_for_end(r, worker);
	assert_int_equal(r->n_events[PROCESS_UP], 1);
}

static void test_attached_without_master_socket(void **test)
{
	struct running *r = *test;
	struct err err = {0};

	start_and_die(r);
	r->options.master_socket = NULL;
	running_start(r, false);
	running_wait(r, PROCESS_UP, 1);
	assert_false(process_reload(r->process, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "--master-socket"));
}

/* Waiting is right while there is no socket, and would be for ever when it can't be opened: that is
 * said, once. Root may open everything, so it is somebody else who tries. */
static void test_attached_without_permission(void **test)
{
	struct running *r = *test;
	uid_t user = geteuid();

	assert_int_equal(chmod(r->directory, 0), 0);
	assert_int_equal(seteuid(user == 0 ? 65534 : user), 0);
	running_start(r, false);
	running_wait(r, PROCESS_OUT_OF_REACH, 1);
	assert_int_equal(seteuid(user), 0);
	assert_non_null(strstr(r->text, "Permission denied; run the controller and HAProxy as"));
	assert_int_equal(chmod(r->directory, 0700), 0);
	start_and_die(r);
	running_wait(r, PROCESS_UP, 1);
	assert_int_equal(r->n_events[PROCESS_OUT_OF_REACH], 1);
}

static void test_attached_with_a_path_too_long(void **test)
{
	struct running *r = *test;
	struct err err = {0};
	char path[200];

	memset(path, 'x', sizeof(path) - 1);
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	r->options.runtime_socket = path;
	running_make(r, false);
	assert_false(process_start(r->process, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	assert_non_null(strstr(err.text, "choose a shorter one"));
}

/* Starting must fail with this in the text. */
static void assert_refused(struct running *r, const char *word)
{
	struct err err = {0};

	running_make(r, true);
	assert_false(process_start(r->process, &err));
	assert_int_equal(err.kind, ERR_INPUT);
	if (strstr(err.text, word) == NULL) {
		fail_msg("\"%s\" is not in: %s", word, err.text);
	}
	running_forget(r);
}

static void test_program_that_cannot_be_used(void **test)
{
	struct running *r = *test;
	CLEANUP(free_ptr)
	char *old = write_file(r, "old", "#!/bin/sh\necho 'HA-Proxy version 2.2.9-2 2021'\n");
	CLEANUP(free_ptr) char *plain = write_file(r, "plain", "text\n");
	CLEANUP(free_ptr)
	char *other = write_file(r, "other", "#!/bin/sh\necho 'nginx version: 1.22'\n");

	assert_int_equal(chmod(old, 0755), 0);
	assert_int_equal(chmod(other, 0755), 0);
	r->options.haproxy = "/no/such/haproxy";
	assert_refused(r, "No such file or directory; install HAProxy 2.6");
	r->options.haproxy = plain;
	assert_refused(r, "Permission denied; install HAProxy 2.6");
	r->options.haproxy = old;
	assert_refused(r, "is HAProxy 2.2; install HAProxy 2.6");
	r->options.haproxy = other;
	assert_refused(r, "is not HAProxy");
}

static void test_refused_configuration(void **test)
{
	struct running *r = *test;
	CLEANUP(free_ptr) char *path = write_file(r, "state/current/backends/broken.cfg", BROKEN);

	assert_refused(r, "broken.cfg:2");
	assert_int_equal(unlink(path), 0);
}

#define PROCESS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROCESS_TEST(test_start),
		PROCESS_TEST(test_port_taken),
		PROCESS_TEST(test_worker_killed),
		PROCESS_TEST(test_master_killed),
		PROCESS_TEST(test_hanging_worker_does_not_linger),
		PROCESS_TEST(test_reload),
		PROCESS_TEST(test_reload_with_broken_file),
		PROCESS_TEST(test_killed_during_reload),
		PROCESS_TEST(test_adoption),
		PROCESS_TEST(test_stop),
		PROCESS_TEST(test_attached),
		PROCESS_TEST(test_attached_to_one_that_ends),
		PROCESS_TEST(test_attached_without_master_socket),
		PROCESS_TEST(test_attached_without_permission),
		PROCESS_TEST(test_attached_with_a_path_too_long),
		PROCESS_TEST(test_program_that_cannot_be_used),
		PROCESS_TEST(test_refused_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
