/* See haproxy_command.h. The controller reaches this HAProxy over its two sockets. */
#include "haproxy_command.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "command_flags.h"
#include "draining.h"
#include "supervise.h"
#include "version.h"

#define DEFAULT_PROGRAM "haproxy"
#define LOOK_MS		100 /* between two looks at the state directory */
#define N_SIGNALS	2

struct command {
	struct event_base *base;
	const struct flags *flags;
	char *backends_dir;
	char *settings_file;
	struct process *process; /* NULL = the state directory is waited for */
	struct event *look;
	struct event *signals[N_SIGNALS];
	bool is_waiting;	   /* and it was said */
	struct draining *draining; /* NULL = was not told to end, or ends without delay */
	bool is_stopping;
	bool is_stopped;
	enum exit_status status;
};

void haproxy_print_help(void)
{
	command_flags_print_help(stdout, "haproxy",
		"Usage: headgate haproxy [OPTION]...\n"
		"Run HAProxy in a container of its own: start it on the state directory, again "
		"when "
		"it ends, and end\n"
		"it in order on SIGTERM. The controller is 'headgate run' without --haproxy, with "
		"the same directories.\n",
		"Exit status: 0 ended in order, 2 wrong usage, 3 unusable input, 5 HAProxy is "
		"missing or unfit.\n");
}

static void on_stopped(void *ctx)
{
	struct command *command = ctx;

	command->is_stopped = true;
	event_base_loopbreak(command->base);
}

static void stop(struct command *command)
{
	if (command->is_stopping || command->process == NULL) {
		/* Asked twice: now. */
		event_base_loopbreak(command->base);
		return;
	}
	command->is_stopping = true;
	process_stop(command->process, on_stopped, command);
}

static void on_drained(void *ctx)
{
	stop(ctx);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
	struct command *command = ctx;

	(void)what;
	log_line(LOG_INFO, "signal", "name", strsignal((int)number), NULL);
	bool is_first = command->draining == NULL && !command->is_stopping;
	if (number == SIGTERM && is_first && command->process != NULL &&
		command->flags->drain_delay_seconds > 0) {
		command->draining =
			draining_start(command->base, command->flags, on_drained, command);
	} else {
		draining_free(command->draining);
		command->draining = NULL;
		stop(command);
	}
}

static void on_event(void *ctx, enum process_event event, long pid, const char *text)
{
	static const struct {
		enum log_level level;
		const char *msg;
	} rows[] = {
		[PROCESS_UP] = {LOG_INFO, "HAProxy answers"},
		[PROCESS_DOWN] = {LOG_ERROR, "HAProxy has ended and is started again"},
		[PROCESS_RELOADED] = {LOG_INFO, "HAProxy was reloaded"},
		[PROCESS_RELOAD_FAILED] = {LOG_ERROR, "HAProxy refuses the reload"},
		[PROCESS_LEAVING] = {LOG_INFO, "HAProxy is ending"},
		[PROCESS_OUT_OF_REACH] = {LOG_ERROR, "HAProxy can't be reached"},
	};

	(void)ctx;
	log_line(rows[event].level, rows[event].msg, "pid", log_num(pid),
		text[0] != '\0' ? "text" : NULL, text, NULL);
}

static void start(struct command *command)
{
	struct process_options options =
		supervise_options(command->flags, command->backends_dir, command->settings_file);
	struct err err = {0};

	if (options.haproxy == NULL) {
		options.haproxy = DEFAULT_PROGRAM;
	}
	command->process = process_new(command->base, &options, on_event, command);
	if (!process_start(command->process, &err)) {
		log_line(LOG_ERROR, err.text, NULL);
		command->status = EXIT_STATUS_HAPROXY;
		event_base_loopbreak(command->base);
	}
}

/* The directory of backends is the last that a new state directory gets to be complete: `current`
 * is a link that is made when all is there. */
static void on_look(evutil_socket_t fd, short what, void *ctx)
{
	const struct timeval later = {.tv_usec = LOOK_MS * 1000};
	struct command *command = ctx;

	(void)fd;
	(void)what;
	if (access(command->backends_dir, R_OK | X_OK) == 0 &&
		access(command->settings_file, R_OK) == 0) {
		start(command);
		return;
	}
	if (!command->is_waiting) {
		command->is_waiting = true;
		log_line(LOG_INFO, "waiting for the state directory ('headgate init' makes it)",
			"directory", command->backends_dir, "error", strerror(errno), NULL);
	}
	event_add(command->look, &later);
}

static void run_loop(struct command *command)
{
	static const int numbers[N_SIGNALS] = {SIGTERM, SIGINT};
	const struct timeval now = {0};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < N_SIGNALS; i++) {
		command->signals[i] = evsignal_new(command->base, numbers[i], on_signal, command);
		event_add(command->signals[i], NULL);
	}
	command->look = evtimer_new(command->base, on_look, command);
	event_add(command->look, &now);
	event_base_dispatch(command->base);
	event_free(command->look);
	for (int i = 0; i < N_SIGNALS; i++) {
		event_free(command->signals[i]);
	}
	draining_free(command->draining);
	process_free(command->process);
}

enum exit_status haproxy_command(const struct flags *flags)
{
	struct command command = {.base = event_base_new(), .flags = flags};
	struct err err = {0};

	log_set_level(flags->log_level);
	log_set_format(flags->log_format);
	command.backends_dir = xasprintf("%s/current/backends", flags_get(flags, FLAG_STATE_DIR));
	command.settings_file = xasprintf("%s/settings.cfg", flags_get(flags, FLAG_STATE_DIR));
	int lock_fd = supervise_lock(flags, &err);
	if (lock_fd < 0) {
		log_line(LOG_ERROR, err.text, NULL);
		command.status = EXIT_STATUS_INPUT;
	} else {
		log_line(LOG_INFO, "running HAProxy", "version", HEADGATE_VERSION, NULL);
		run_loop(&command);
		log_line(LOG_INFO, "ended", "status", log_num(command.status), NULL);
		close(lock_fd);
	}
	event_base_free(command.base);
	free_ptr(&command.backends_dir);
	free_ptr(&command.settings_file);
	return command.status;
}
