/* See running.h. */
#include "test/running.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/dir_testing.h"

#define WATCHDOG_SECONDS 60

static void die(const char *what, const char *text)
{
	fprintf(stderr, "%s: %s\n", what, text);
	abort();
}

void running_init(struct running *running)
{
	struct err err = {0};
	const char *program = getenv("HAPROXY");

	*running = (struct running){0};
	/* Workers whose master was killed become our children, so that they can be seen to have
	 * ended. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	setenv("HEADGATE_HAPROXY_LOG_LEVEL", "err", 1);
	snprintf(running->directory, sizeof(running->directory), "/tmp/headgate-test.XXXXXX");
	running->config_dir = realpath("haproxy-cfg", NULL);
	if (mkdtemp(running->directory) == NULL || running->config_dir == NULL) {
		die("temporary directory or haproxy-cfg",
			"not there; run tests from the repository's top");
	}
	running->state_dir = xasprintf("%s/state", running->directory);
	running->run_dir = xasprintf("%s/run", running->directory);
	running->runtime_socket = xasprintf("%s/runtime.sock", running->run_dir);
	running->master_socket = xasprintf("%s/master.sock", running->run_dir);
	running->http_socket = xasprintf("%s/http.sock", running->run_dir);
	running->stats_socket = xasprintf("%s/stats.sock", running->run_dir);
	running->http_bind = xasprintf("unix@%s", running->http_socket);
	running->stats_bind = xasprintf("unix@%s", running->stats_socket);
	running->https_socket = xasprintf("%s/https.sock", running->run_dir);
	running->https_bind = xasprintf("unix@%s", running->https_socket);
	running->base = event_base_new();
	running->state = state_open(running->state_dir, &err);
	if (running->state == NULL) {
		die("state", err.text);
	}
	running->options =
		(struct process_options){.haproxy = program != NULL ? program : "haproxy",
			.config_dir = running->config_dir,
			.backends_dir = state_backends_dir(running->state),
			.settings_file = state_settings_file(running->state),
			.state_dir = running->state_dir,
			.run_dir = running->run_dir,
			.runtime_socket = running->runtime_socket,
			.master_socket = running->master_socket,
			.http_bind = running->http_bind,
			.stats_bind = running->stats_bind,
			.https_bind = running->https_bind};
}

void running_fini(struct running *running)
{
	running_forget(running);
	for (int i = 0; i < running->n_sessions; i++) {
		/* The master began the session, so its number is also that of the group. */
		kill((pid_t)-running->sessions[i], SIGKILL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0) {
	}
	state_close(running->state);
	event_base_free(running->base);
	testing_remove_dir(running->directory);
	free(running->state_dir);
	free(running->run_dir);
	free(running->runtime_socket);
	free(running->master_socket);
	free(running->http_socket);
	free(running->stats_socket);
	free(running->http_bind);
	free(running->stats_bind);
	free(running->https_socket);
	free(running->https_bind);
	free(running->config_dir);
}

static void remember_session(struct running *running, long pid)
{
	long session = getsid((pid_t)pid);
	int i = 0;

	while (i < running->n_sessions && running->sessions[i] != session) {
		i++;
	}
	if (session > 0 && session != getsid(0) && i < (int)ARRAY_LEN(running->sessions)) {
		running->sessions[i] = session;
		running->n_sessions = i + 1 > running->n_sessions ? i + 1 : running->n_sessions;
	}
}

static void on_event(void *ctx, enum process_event event, long pid, const char *text)
{
	struct running *running = ctx;
	struct err err = {0};

	/* On a slow machine a master that starts can be out of reach for longer than a reload waits
	 * for it: asked again, as the controller does. */
	if (event == PROCESS_RELOAD_FAILED && strstr(text, "can't be reached") != NULL &&
		process_reload(running->process, &err)) {
		return;
	}
	running->n_events[event]++;
	if (pid != 0) {
		running->pid = pid;
		remember_session(running, pid);
	}
	snprintf(running->text, sizeof(running->text), "%s", text);
	event_base_loopbreak(running->base);
}

void running_make(struct running *running, bool is_ours)
{
	struct process_options options = running->options;

	if (!is_ours) {
		options.haproxy = NULL;
	}
	memset(running->n_events, 0, sizeof(running->n_events));
	running->process = process_new(running->base, &options, on_event, running);
}

void running_start(struct running *running, bool is_ours)
{
	struct err err = {0};

	running_make(running, is_ours);
	if (!process_start(running->process, &err)) {
		die("process_start", err.text);
	}
}

void running_forget(struct running *running)
{
	process_free(running->process);
	running->process = NULL;
}

void running_wait(struct running *running, enum process_event event, int n)
{
	alarm(WATCHDOG_SECONDS);
	while (running->n_events[event] < n) {
		if (event_base_loop(running->base, EVLOOP_ONCE) != 0) {
			die("running_wait", "nothing is left to wait for");
		}
	}
	alarm(0);
}

bool running_is_alive(long pid)
{
	char path[64];
	char state = 'Z';

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		return false;
	}
	bool is_read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
	fclose(file);
	return is_read && state != 'Z' && state != 'X';
}
