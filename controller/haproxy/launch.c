/* See launch.h. */
#include "haproxy/launch.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "haproxy/bindable.h"
#include "haproxy/left_out.h"
#include "haproxy/master.h"

#define MAX_OUTPUT (1024 * 1024)
#define CHUNK	   16384
#define REMEDY	   "install HAProxy 2.6 or later, or name the program with --haproxy"

/* The environment of the new process: ours, with the variables of haproxy-cfg set. */
struct environment {
	char **values; /* NULL at the end */
	size_t n_values;
};

static void environment_init(
	struct environment *environment, const struct process_options *options);
static void environment_fini(struct environment *environment);
static pid_t spawn(const char *const *args, const struct process_options *options, int output_fd,
	struct err *err);
static bool run(const char *const *args, const struct process_options *options, struct buf *output,
	int *ret_status, struct err *err);

static bool check_version(const struct process_options *options, struct err *err)
{
	const char *const args[] = {options->haproxy, "-v", NULL};
	struct buf output = BUF_INIT(MAX_OUTPUT);
	unsigned major = 0;
	unsigned minor = 0;
	int status = 0;
	bool is_ok = run(args, options, &output, &status, err);

	if (is_ok && !master_parse_version(buf_str(&output), &major, &minor)) {
		is_ok = err_set(err, ERR_INPUT,
			"%s is not HAProxy (-v doesn't say its version); " REMEDY,
			options->haproxy);
	} else if (is_ok && (major < LAUNCH_MIN_MAJOR ||
				    (major == LAUNCH_MIN_MAJOR && minor < LAUNCH_MIN_MINOR))) {
		is_ok = err_set(err, ERR_INPUT, "%s is HAProxy %u.%u; " REMEDY, options->haproxy,
			major, minor);
	}
	buf_fini(&output);
	return is_ok;
}

static bool check_config(const struct process_options *options, struct err *err)
{
	const char *const args[] = {options->haproxy, "-c", "-f", options->settings_file, "-f",
		options->config_dir, "-f", options->backends_dir, NULL};
	struct buf output = BUF_INIT(MAX_OUTPUT);
	char alert[MASTER_TEXT_SIZE];
	int status = 0;
	bool is_ok = run(args, options, &output, &status, err);

	if (is_ok && status != 0) {
		if (!master_find_alert(buf_str(&output), alert, sizeof(alert))) {
			snprintf(
				alert, sizeof(alert), "it says no reason (exit status %d)", status);
		}
		is_ok = err_set(err, ERR_INPUT,
			"HAProxy refuses the configuration: %s; mend --http-bind or --stats-bind "
			"where the line takes its value from them, else the files in %s "
			"(--config-dir)",
			alert, options->config_dir);
	}
	buf_fini(&output);
	return is_ok;
}

bool launch_check(const struct process_options *options, struct err *err)
{
	return check_version(options, err) && check_config(options, err);
}

pid_t launch_start(const struct process_options *options, struct err *err)
{
	CLEANUP(free_ptr) char *master = xasprintf("%s,mode,600", options->master_socket);
	CLEANUP(free_ptr) char *left_out = left_out_write(options);
	const char *const files[] = {
		options->settings_file, left_out, options->config_dir, options->backends_dir};
	const char *args[4 + 2 * ARRAY_LEN(files) + 1] = {options->haproxy, "-W", "-S", master};
	size_t n = 4;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		if (files[i] != NULL) {
			args[n++] = "-f";
			args[n++] = files[i];
		}
	}
	return spawn(args, options, -1, err);
}

/* Does this "NAME=value" set the same name as the other one? */
static bool is_same_name(const char *a, const char *b)
{
	size_t len = strcspn(b, "=");

	return strncmp(a, b, len + 1) == 0;
}

static void environment_set(struct environment *environment, const char *name, const char *value)
{
	if (value == NULL) {
		return;
	}
	char *text = xasprintf("%s=%s", name, value);
	size_t i = 0;

	while (i < environment->n_values && !is_same_name(environment->values[i], text)) {
		i++;
	}
	if (i < environment->n_values) {
		free(environment->values[i]);
	} else {
		environment->n_values++;
	}
	environment->values[i] = text;
}

static void environment_set_bind(
	struct environment *environment, const char *name, const char *binds)
{
	CLEANUP(free_ptr) char *chosen = bindable_choose(binds, bindable_has_ipv6());

	environment_set(environment, name, chosen);
}

static void environment_init(struct environment *environment, const struct process_options *options)
{
	static const size_t n_ours = 15;
	size_t n = 0;

	while (environ[n] != NULL) {
		n++;
	}
	environment->values = xcalloc(n + n_ours + 1, sizeof(char *));
	environment->n_values = n;
	for (size_t i = 0; i < n; i++) {
		environment->values[i] = xstrdup(environ[i]);
	}
	environment_set(environment, "HEADGATE_STATE_DIR", options->state_dir);
	environment_set(environment, "HEADGATE_RUN_DIR", options->run_dir);
	/* Beside the configuration, as in the repository and where it is installed; else where
	 * haproxy-cfg says. */
	CLEANUP(free_ptr) char *lua = xasprintf("%s/../lua", options->config_dir);
	environment_set(environment, "HEADGATE_LUA_DIR", access(lua, X_OK) == 0 ? lua : NULL);
	environment_set_bind(environment, "HEADGATE_HTTP_BIND", options->http_bind);
	environment_set(environment, "HEADGATE_HTTP_IPV6",
		bindable_has_chosen_ipv6(options->http_bind) ? "true" : "false");
	environment_set_bind(environment, "HEADGATE_HTTPS_BIND", options->https_bind);
	environment_set_bind(environment, "HEADGATE_STATS_BIND", options->stats_bind);
	environment_set_bind(environment, "HEADGATE_STATS_TLS_BIND", options->stats_tls_bind);
	environment_set(environment, "HEADGATE_STATS_NAME", options->stats_name);
	environment_set(environment, "HEADGATE_STATS_HASH", options->stats_hash);
	environment_set(environment, "HEADGATE_STATS_CERTIFICATE", options->stats_certificate);
	/* Without the file HAProxy would not start, for the sake of names that few ask for: then
	 * they have no address. */
	if (getenv("HEADGATE_NAMESERVER") == NULL && access("/etc/resolv.conf", R_OK) != 0) {
		environment_set(environment, "HEADGATE_NAMESERVER", "127.0.0.1:53");
	}
	environment_set(environment, "HEADGATE_SERVER_HEADER", options->server_header);
	environment_set(
		environment, "HEADGATE_STRICT_SNI", options->is_strict_sni ? "true" : "false");
	environment_set(environment, "HEADGATE_ACCEPT_PROXY",
		options->is_proxy_accepted ? "true" : "false");
}

static void environment_fini(struct environment *environment)
{
	for (size_t i = 0; i < environment->n_values; i++) {
		free(environment->values[i]);
	}
	free(environment->values);
}

/* A session of its own, so that what is sent to our terminal or process group doesn't reach it, and
 * no signal ignored or blocked. */
static void set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/*
 * HAProxy makes what it logs to non-blocking. That flag belongs to the open file: were it ours as
 * well, our own lines would be lost whenever their reader is slow. So HAProxy gets an open file of
 * its own, where there can be two (a pipe, a terminal) and the flag matters. -1 = it has to be
 * ours.
 */
static int open_again(int fd)
{
	char path[32];
	struct stat status;

	if (fstat(fd, &status) != 0 || !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	/* Non-blocking while it is opened: a pipe may have lost its reader. */
	int again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again >= 0) {
		(void)fcntl(again, F_SETFL, 0);
	}
	return again;
}

/* `output_fd` >= 0: both outputs go there. Else to ours; the copies are to be closed afterwards. */
static void set_outputs(posix_spawn_file_actions_t *actions, int output_fd, int ret_copies[2])
{
	static const int outputs[2] = {STDOUT_FILENO, STDERR_FILENO};

	for (int i = 0; i < 2; i++) {
		ret_copies[i] = output_fd >= 0 ? -1 : open_again(outputs[i]);
		int from = output_fd >= 0 ? output_fd : ret_copies[i];
		if (from >= 0) {
			posix_spawn_file_actions_adddup2(actions, from, outputs[i]);
		}
	}
}

static void close_copies(const int copies[2])
{
	for (int i = 0; i < 2; i++) {
		if (copies[i] >= 0) {
			close(copies[i]);
		}
	}
}

static pid_t spawn(const char *const *args, const struct process_options *options, int output_fd,
	struct err *err)
{
	int copies[2];
	struct environment environment;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid = 0;

	environment_init(&environment, options);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	set_attributes(&attributes);
	/* Before the input, whose place one of these may have when ours was closed. */
	set_outputs(&actions, output_fd, copies);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	/* POSIX forgot the const: the arguments are not changed. */
	int code = posix_spawnp(
		&pid, args[0], &actions, &attributes, (char *const *)args, environment.values);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close_copies(copies);
	environment_fini(&environment);
	if (code != 0) {
		err_set(err, ERR_INPUT, "can't run %s: %s; " REMEDY, args[0], strerror(code));
		return 0;
	}
	return pid;
}

/* Reads until the end of the output; false = too late. What doesn't fit is dropped: only the first
 * lines matter. */
static bool read_output(int fd, struct buf *output)
{
	uint64_t end_ms = clock_now_ms() + LAUNCH_CHECK_MS;

	for (;;) {
		uint64_t now_ms = clock_now_ms();
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		char chunk[CHUNK];

		if (now_ms >= end_ms || poll(&wait, 1, (int)(end_ms - now_ms)) == 0) {
			return false;
		}
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n == 0 || (n < 0 && errno != EINTR)) {
			return true;
		}
		if (n > 0) {
			buf_append(output, chunk, (size_t)n);
		}
	}
}

static bool run(const char *const *args, const struct process_options *options, struct buf *output,
	int *ret_status, struct err *err)
{
	int fds[2];
	int status = 0;

	if (pipe2(fds, O_CLOEXEC) != 0) {
		return err_set(err, ERR_RETRY, "can't make a pipe: %s", strerror(errno));
	}
	pid_t pid = spawn(args, options, fds[1], err);
	close(fds[1]);
	bool is_in_time = pid != 0 && read_output(fds[0], output);
	close(fds[0]);
	if (pid == 0) {
		return false;
	}
	if (!is_in_time) {
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (!is_in_time) {
		return err_set(err, ERR_INPUT, "%s %s has not ended after %d s", args[0], args[1],
			LAUNCH_CHECK_MS / 1000);
	}
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return true;
}
