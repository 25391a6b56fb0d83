/*
 * See process.h. A small machine around one timer: what the timer does depends on the phase.
 *
 *   ADOPT    somebody listens on the master's socket: ask who it is
 *   RUN      a master is watched (or, attached, taken for granted): ask the runtime socket which
 * worker answers RESTART  the master ended: start another one after a while STOP     the master was
 * told to end: be less polite after a while
 *
 * In RUN the question is asked often while an answer with another PID is waited for, and now and
 * then otherwise: somebody else may reload HAProxy as well.
 */
#include "haproxy/process.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "haproxy/ask.h"
#include "haproxy/bindable.h"
#include "haproxy/launch.h"
#include "haproxy/master.h"
#include "haproxy/pidwatch.h"
#include "haproxy/reload.h"

#define POLL_FIRST_MS 25
#define POLL_MAX_MS   1000
#define WATCH_MS      5000
#define ANSWER_MS     2000
#define ADOPT_MS      10000
#define N_REFUSALS    2	    /* one may be a socket that is being replaced */
#define STOP_MS	      1000  /* between two signals */
#define GRACE_MS      60000 /* from the first SIGUSR1 to SIGTERM, where options don't say, ... */
#define KILL_MS	      10000 /* ... and from there to SIGKILL */

/* The first restart comes soon, as nobody serves meanwhile; a minute of life makes it the first one
 * again. */
#define RESTART_FIRST_MS 100
#define RESTART_MAX_MS	 30000
#define RESTART_RESET_MS 60000

enum phase { PHASE_NEW, PHASE_ADOPT, PHASE_RUN, PHASE_RESTART, PHASE_STOP, PHASE_COUNT };

struct process {
	struct event_base *base;
	struct process_options options; /* every string is a copy */
	process_event_fn on_event;
	void *ctx;
	enum phase phase;
	struct event *timer;
	struct ask *ask;	 /* the question under way; NULL = none */
	struct pidwatch *master; /* NULL = none is known, or not ours */
	struct pidwatch *worker; /* the one announced last, while it lives; NULL when not ours */
	struct reload *reload;	 /* the reload under way; NULL = none */
	struct backoff restarts;
	long worker_pid; /* announced last; 0 = none since the last start */
	uint64_t announced_ms;
	unsigned poll_ms;
	unsigned n_refused; /* times in a row that the worker announced last took no connection */
	uint64_t adopt_end_ms; /* until then a master may be missing while its worker answers */
	bool is_expected;      /* announce whoever answers, the one announced last included */
	bool is_reloaded;      /* the reload worked; its worker has yet to answer */
	bool is_out_of_reach;  /* PROCESS_OUT_OF_REACH was said */
	uint64_t stop_ms;      /* when the master was told to end */
	void (*on_stopped)(void *ctx);
	void *stop_ctx;
};

static bool attach(struct process *process, struct err *err);
static bool adopt_or_launch(struct process *process, struct err *err);
static void look_now(struct process *process);
static void set_timer(struct process *process, unsigned delay_ms);
static void on_timer(evutil_socket_t fd, short what, void *arg);
static void stop_harder(struct process *process);
static void on_reload(void *arg, bool is_ok, const char *text);

static void copy_options(struct process_options *to, const struct process_options *from)
{
#define COPY(member) to->member = from->member != NULL ? xstrdup(from->member) : NULL
	COPY(haproxy);
	COPY(config_dir);
	COPY(backends_dir);
	COPY(settings_file);
	COPY(state_dir);
	COPY(run_dir);
	COPY(runtime_socket);
	COPY(master_socket);
	COPY(http_bind);
	COPY(stats_bind);
	COPY(stats_name);
	COPY(stats_hash);
	COPY(stats_tls_bind);
	COPY(stats_certificate);
	COPY(https_bind);
	COPY(server_header);
#undef COPY
	to->grace_ms = from->grace_ms;
	to->is_strict_sni = from->is_strict_sni;
	to->is_proxy_accepted = from->is_proxy_accepted;
}

static void free_options(struct process_options *options)
{
	const char *const strings[] = {options->haproxy, options->config_dir, options->backends_dir,
		options->settings_file, options->state_dir, options->run_dir,
		options->runtime_socket, options->master_socket, options->http_bind,
		options->stats_bind, options->stats_name, options->stats_hash,
		options->stats_tls_bind, options->stats_certificate, options->https_bind,
		options->server_header};

	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		free((void *)(uintptr_t)strings[i]);
	}
}

static bool is_ours(const struct process *process)
{
	return process->options.haproxy != NULL;
}

struct process *process_new(struct event_base *base, const struct process_options *options,
	process_event_fn on_event, void *ctx)
{
	struct process *process = xcalloc(1, sizeof(*process));

	assert(options->runtime_socket != NULL);
	assert(options->haproxy == NULL || options->master_socket != NULL);
	process->base = base;
	process->on_event = on_event;
	process->ctx = ctx;
	process->poll_ms = POLL_FIRST_MS;
	process->timer = evtimer_new(base, on_timer, process);
	copy_options(&process->options, options);
	backoff_init(&process->restarts, RESTART_FIRST_MS, RESTART_MAX_MS, RESTART_RESET_MS);
	return process;
}

/* HAProxy goes on: only the watching ends. */
void process_free(struct process *process)
{
	if (process == NULL) {
		return;
	}
	ask_cancel(process->ask);
	reload_cancel(process->reload);
	pidwatch_free(process->master);
	pidwatch_free(process->worker);
	event_free(process->timer);
	free_options(&process->options);
	free(process);
}

bool process_start(struct process *process, struct err *err)
{
	assert(process->phase == PHASE_NEW);
	return is_ours(process) ? adopt_or_launch(process, err) : attach(process, err);
}

bool process_reload(struct process *process, struct err *err)
{
	if (process->options.master_socket == NULL) {
		return err_set(err, ERR_INPUT,
			"HAProxy can't be reloaded without its master's socket; name it with "
			"--master-socket");
	}
	if (process->phase != PHASE_RUN) {
		return err_set(err, ERR_RETRY, "HAProxy can't be reloaded now: it isn't running");
	}
	if (process->reload != NULL || process->is_reloaded) {
		return err_set(err, ERR_RETRY, "HAProxy is being reloaded already");
	}
	process->reload =
		reload_start(process->base, process->options.master_socket, on_reload, process);
	return true;
}

void process_expect_worker(struct process *process)
{
	/* Lost again so soon: something is wrong with it, so give it time instead of turning in a
	 * circle. */
	bool is_again = clock_now_ms() < process->announced_ms + WATCH_MS;
	unsigned longer_ms =
		process->poll_ms * 2 < POLL_MAX_MS ? process->poll_ms * 2 : POLL_MAX_MS;

	process->poll_ms = is_again ? longer_ms : POLL_FIRST_MS;
	process->is_expected = true;
	if (process->phase == PHASE_RUN && process->ask == NULL) {
		set_timer(process, process->poll_ms);
	}
}

void process_stop(struct process *process, void (*on_done)(void *ctx), void *ctx)
{
	ask_cancel(process->ask);
	process->ask = NULL;
	reload_cancel(process->reload);
	process->reload = NULL;
	evtimer_del(process->timer);
	process->phase = PHASE_STOP;
	if (process->master == NULL) {
		on_done(ctx);
		return;
	}
	process->on_stopped = on_done;
	process->stop_ctx = ctx;
	process->stop_ms = clock_now_ms();
	stop_harder(process);
}

static void notify(struct process *process, enum process_event event, long pid, const char *text)
{
	/* The event before may have led to process_stop(). */
	if (process->phase != PHASE_STOP) {
		process->on_event(process->ctx, event, pid, text);
	}
}

static void set_timer(struct process *process, unsigned delay_ms)
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = delay_ms % 1000 * 1000};

	evtimer_add(process->timer, &delay);
}

/* Asks on a socket; false = nobody listens there. */
static bool ask(struct process *process, const char *path, const char *command, ask_done_fn on_done,
	struct err *err)
{
	struct ask_question question = {.path = path, .command = command, .silence_ms = ANSWER_MS};

	assert(process->ask == NULL);
	process->ask = ask_start(process->base, &question, on_done, process, err);
	return process->ask != NULL;
}

/* ---- RUN: which worker answers ---- */

static void run(struct process *process)
{
	process->phase = PHASE_RUN;
	process->poll_ms = POLL_FIRST_MS;
	look_now(process);
}

static void on_worker_end(void *arg, const char *text)
{
	struct process *process = arg;

	(void)text;
	process->worker = NULL;
}

static void announce(struct process *process, long pid)
{
	bool is_reloaded = process->is_reloaded;

	process->worker_pid = pid;
	process->announced_ms = clock_now_ms();
	process->is_expected = false;
	process->is_reloaded = false;
	process->is_out_of_reach = false;
	if (is_ours(process)) {
		pidwatch_free(process->worker);
		process->worker = pidwatch_start(process->base, (pid_t)pid, on_worker_end, process);
	}
	set_timer(process, WATCH_MS);
	if (is_reloaded) {
		notify(process, PROCESS_RELOADED, pid, "");
	}
	notify(process, PROCESS_UP, pid, "");
}

static void look_again(struct process *process)
{
	bool is_waiting = process->is_expected || process->is_reloaded || process->worker_pid == 0;

	set_timer(process, is_waiting ? process->poll_ms : WATCH_MS);
	process->poll_ms = process->poll_ms * 2 < POLL_MAX_MS ? process->poll_ms * 2 : POLL_MAX_MS;
}

static void on_worker_answer(void *arg, const char *text, const struct err *err)
{
	struct process *process = arg;
	long pid = text != NULL ? master_parse_worker_pid(text) : 0;
	bool is_other = pid != process->worker_pid;

	(void)err;
	process->ask = NULL;
	process->n_refused = 0;
	/* During a reload both answer; the outcome decides which one it is. After it, only another
	 * one counts. */
	bool is_wanted = process->reload == NULL &&
			 (is_other || (process->is_expected && !process->is_reloaded));
	if (pid != 0 && is_wanted) {
		announce(process, pid);
	} else {
		look_again(process);
	}
}

/* A worker that was told to end refuses connections and waits for those that it has: one of them is
 * our caller's. (Of ours we know: we have told it.) */
static void notice_refusal(struct process *process)
{
	bool is_quiet = process->worker_pid != 0 && !process->is_expected &&
			process->reload == NULL && !process->is_reloaded;

	if (is_ours(process) || !is_quiet) {
		return;
	}
	if (++process->n_refused < N_REFUSALS) {
		set_timer(process, POLL_MAX_MS);
		return;
	}
	process->n_refused = 0;
	notify(process, PROCESS_LEAVING, process->worker_pid, "it takes no connections");
}

static void look_now(struct process *process)
{
	struct err err = {0};

	if (process->ask != NULL) {
		return;
	}
	if (ask(process, process->options.runtime_socket, "show info", on_worker_answer, &err)) {
		return;
	}
	look_again(process);
	if (err.kind == ERR_RETRY) {
		notice_refusal(process);
	}
	/* A socket that isn't there yet is what is waited for; one that was made for another user
	 * is not. */
	if (err.kind != ERR_RETRY && !process->is_out_of_reach) {
		process->is_out_of_reach = true;
		notify(process, PROCESS_OUT_OF_REACH, 0, err.text);
	}
}

static void on_reload(void *arg, bool is_ok, const char *text)
{
	struct process *process = arg;

	process->reload = NULL;
	process->is_reloaded = is_ok;
	process->poll_ms = POLL_FIRST_MS;
	look_now(process);
	if (!is_ok) {
		notify(process, PROCESS_RELOAD_FAILED, process->worker_pid, text);
	}
}

/* ---- starting ---- */

static bool check_socket(const char *path, struct err *err)
{
	if (path != NULL && !ask_is_path(path, err)) {
		return false;
	}
	if (path == NULL || access(path, F_OK) != 0 || access(path, R_OK | W_OK) == 0) {
		return true;
	}
	return err_set(err, ERR_DENIED,
		"socket %s: %s; run the controller and HAProxy as the same user", path,
		strerror(errno));
}

static bool attach(struct process *process, struct err *err)
{
	if (!check_socket(process->options.runtime_socket, err) ||
		!check_socket(process->options.master_socket, err)) {
		return false;
	}
	run(process);
	return true;
}

static void on_master_end(void *arg, const char *text);

static bool watch_master(struct process *process, pid_t pid)
{
	process->master = pidwatch_start(process->base, pid, on_master_end, process);
	return process->master != NULL;
}

static bool launch(struct process *process, struct err *err)
{
	pid_t pid = launch_start(&process->options, err);

	if (pid == 0) {
		return false;
	}
	if (!watch_master(process, pid)) {
		kill(pid, SIGTERM);
		return err_set(err, ERR_RETRY, "can't watch the process %ld", (long)pid);
	}
	process->worker_pid = 0;
	run(process);
	return true;
}

static void restart_later(struct process *process)
{
	process->phase = PHASE_RESTART;
	set_timer(process, backoff_fail(&process->restarts, clock_now_ms()));
}

static void restart(struct process *process)
{
	struct err err = {0};

	/* Its worker ends when the master does; one that hangs would go on taking connections. */
	if (process->worker != NULL) {
		pidwatch_signal(process->worker, SIGKILL);
	}
	if (!launch(process, &err)) {
		restart_later(process);
		notify(process, PROCESS_DOWN, 0, err.text);
	}
}

/* With what a master that could not begin says on its standard error only. */
static void notify_end(struct process *process, const char *text)
{
	char fault[MASTER_TEXT_SIZE];

	if (strcmp(text, "exit status 1") == 0 &&
		bindable_find_fault(&process->options, fault, sizeof(fault))) {
		CLEANUP(free_ptr) char *longer = xasprintf("%s; it %s", text, fault);
		notify(process, PROCESS_DOWN, 0, longer);
		return;
	}
	notify(process, PROCESS_DOWN, 0, text);
}

static void on_master_end(void *arg, const char *text)
{
	struct process *process = arg;
	bool is_reloading = process->reload != NULL || process->is_reloaded;

	process->master = NULL;
	ask_cancel(process->ask);
	process->ask = NULL;
	evtimer_del(process->timer);
	if (process->phase == PHASE_STOP) {
		process->on_stopped(process->stop_ctx);
		return;
	}
	reload_cancel(process->reload);
	process->reload = NULL;
	process->is_reloaded = false;
	if (process->worker != NULL) {
		pidwatch_signal(process->worker, SIGTERM);
	}
	restart_later(process);
	if (is_reloading) {
		notify(process, PROCESS_RELOAD_FAILED, 0, "HAProxy ended during the reload");
	}
	notify_end(process, text);
}

/* ---- ADOPT ---- */

static void adopt_later(struct process *process, const char *text)
{
	unsigned delay_ms = backoff_fail(&process->restarts, clock_now_ms());

	set_timer(process, delay_ms);
	/* A master that reloads just now drops the question once or twice; that is no news. */
	if (delay_ms > POLL_MAX_MS) {
		notify(process, PROCESS_DOWN, 0, text);
	}
}

static void on_master_answer(void *arg, const char *text, const struct err *err)
{
	struct process *process = arg;
	struct master_status status;

	process->ask = NULL;
	if (text == NULL) {
		adopt_later(process, err->text);
	} else if (!master_parse_status(text, &status) ||
		   !watch_master(process, (pid_t)status.pid)) {
		adopt_later(process,
			"who listens on the master's socket is not a HAProxy master of this "
			"machine; end it or choose another --run-dir");
	} else {
		backoff_reset(&process->restarts);
		run(process);
	}
}

/* Does a worker answer? It ends with its master, so there is one, even if it can't be reached just
 * now. */
static bool has_worker(struct process *process)
{
	struct ask_question question = {.path = process->options.runtime_socket,
		.command = "show info",
		.silence_ms = ANSWER_MS};
	struct err err = {0};
	struct ask *probe = ask_start(process->base, &question, on_worker_answer, process, &err);

	ask_cancel(probe);
	return probe != NULL;
}

/* ERR_RETRY: nobody is there. While 2.6 starts or reloads, its master can't be reached though it is
 * there. */
static bool find_master(struct process *process, struct err *err)
{
	process->phase = PHASE_ADOPT;
	if (ask(process, process->options.master_socket, "show proc", on_master_answer, err)) {
		return true;
	}
	if (err->kind != ERR_RETRY || clock_now_ms() >= process->adopt_end_ms ||
		!has_worker(process)) {
		return false;
	}
	set_timer(process, POLL_FIRST_MS);
	return true;
}

static void adopt(struct process *process)
{
	struct err err = {0};

	if (!find_master(process, &err)) {
		restart(process);
	}
}

static bool adopt_or_launch(struct process *process, struct err *err)
{
	const struct process_options *options = &process->options;
	struct err ask_err = {0};

	if (mkdir(options->run_dir, 0755) != 0 && errno != EEXIST) {
		return err_set(err, errno == EACCES ? ERR_DENIED : ERR_INPUT,
			"can't make the run directory %s: %s; make it or choose another with "
			"--run-dir",
			options->run_dir, strerror(errno));
	}
	process->adopt_end_ms = clock_now_ms() + ADOPT_MS;
	if (find_master(process, &ask_err)) {
		return true;
	}
	if (ask_err.kind != ERR_RETRY) {
		*err = ask_err;
		return false;
	}
	return launch_check(options, err) && launch(process, err);
}

/* ---- STOP ---- */

/* A master that replaces itself just now (2.6, right after its start) loses a signal: it is sent
 * until it has worked. */
static void stop_harder(struct process *process)
{
	uint64_t passed_ms = clock_now_ms() - process->stop_ms;
	uint64_t grace_ms = process->options.grace_ms != 0 ? process->options.grace_ms : GRACE_MS;
	int signal = passed_ms < grace_ms	      ? SIGUSR1
		     : passed_ms < grace_ms + KILL_MS ? SIGTERM
						      : SIGKILL;

	pidwatch_signal(process->master, signal);
	if (signal == SIGKILL && process->worker != NULL) {
		pidwatch_signal(process->worker, SIGKILL);
	}
	set_timer(process, STOP_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	static void (*const actions[PHASE_COUNT])(struct process *) = {
		[PHASE_ADOPT] = adopt,
		[PHASE_RUN] = look_now,
		[PHASE_RESTART] = restart,
		[PHASE_STOP] = stop_harder,
	};
	struct process *process = arg;

	(void)fd;
	(void)what;
	assert(actions[process->phase] != NULL);
	actions[process->phase](process);
}
