/* See saver.h. */
#include "saver.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

/* A burst is over by then. */
#define SAVE_FIRST_MS 20

/* What saving took, times this, is the pause that follows. */
#define SAVE_FACTOR 20

/* A full disk is not empty a moment later. */
#define RETRY_FIRST_MS 500
#define RETRY_MAX_MS   5000
#define RETRY_RESET_MS 120000

/* Writing gives way to serving. */
#define CHILD_NICE 10

/* What the child has to say, in one write. */
struct verdict {
	bool is_ok;
	size_t size; /* bytes written */
	struct err err;
};

struct saver {
	struct event_base *base;
	struct state *state;
	struct event *timer;
	saver_source_fn source;
	void *ctx;
	pid_t child;	      /* 0 = none is writing */
	int child_fd;	      /* its verdict comes from here */
	struct event *answer; /* of the child */
	uint64_t start_ms;    /* when it began */
	bool must_save_all;   /* a save failed: the marks that it had taken over are gone */
	struct backoff retry;
};

static bool has_unsaved(const struct applied *applied)
{
	for (int i = 0; i < APPLIED_SHARDS; i++) {
		if (applied->is_shard_unsaved[i]) {
			return true;
		}
	}
	for (int i = 0; i < MODEL_MAP_COUNT; i++) {
		if (applied->is_map_unsaved[i]) {
			return true;
		}
	}
	return applied->are_certificates_unsaved;
}

static void arm(struct saver *saver, uint64_t wait_ms)
{
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(saver->timer, &wait);
}

static void count(struct saver *saver, const struct verdict *verdict)
{
	if (verdict->is_ok) {
		metrics_add(METRIC_STATE_WRITES, NULL, 1);
		metrics_add(METRIC_STATE_BYTES, NULL, (double)verdict->size);
		return;
	}
	struct err err = {0};
	saver->must_save_all = true;
	metrics_add(METRIC_STATE_ERRORS, NULL, 1);
	if (!state_reopen(saver->state, &err)) {
		log_line(
			LOG_ERROR, "can't make the state directory again", "error", err.text, NULL);
	}
	log_line(LOG_ERROR,
		"can't save the state: traffic goes on, but a restarted HAProxy would serve an "
		"older one",
		"error", verdict->err.text, NULL);
}

static struct verdict save_here(struct saver *saver, struct applied *applied, bool is_full)
{
	struct verdict verdict = {0};

	verdict.is_ok = is_full ? state_save_all(saver->state, applied, &verdict.err)
				: state_save(saver->state, applied, &verdict.err);
	verdict.size = state_last_size(saver->state);
	return verdict;
}

/* In the child: it must not outlive us, as the next controller would write beside it. */
static void NORETURN save_and_exit(
	struct saver *saver, struct applied *applied, int fd, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) {
		_exit(EXIT_FAILURE);
	}
	setpriority(PRIO_PROCESS, 0, CHILD_NICE);
	struct verdict verdict = save_here(saver, applied, saver->must_save_all);
	ssize_t n = write(fd, &verdict, sizeof(verdict));
	_exit(n == sizeof(verdict) ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* The child keeps every signal blocked: their handlers would speak to the parent's loop. */
static pid_t fork_quietly(void)
{
	sigset_t all;
	sigset_t before;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid != 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
	}
	return pid;
}

static struct verdict read_verdict(struct saver *saver)
{
	struct verdict verdict;
	int status = 0;
	ssize_t n;

	do {
		n = read(saver->child_fd, &verdict, sizeof(verdict));
	} while (n < 0 && errno == EINTR);
	close(saver->child_fd);
	while (waitpid(saver->child, &status, 0) < 0 && errno == EINTR) {
	}
	saver->child = 0;
	if (n != sizeof(verdict)) {
		verdict = (struct verdict){0};
		err_set(&verdict.err, ERR_RETRY, "the process that writes it ended with status %d",
			status);
	}
	if (verdict.is_ok) {
		saver->must_save_all = false;
	}
	state_follow(saver->state);
	return verdict;
}

static void on_answer(evutil_socket_t fd, short what, void *ctx)
{
	struct saver *saver = ctx;

	(void)fd;
	(void)what;
	struct verdict verdict = read_verdict(saver);
	event_free(saver->answer);
	saver->answer = NULL;
	count(saver, &verdict);
	uint64_t now_ms = clock_now_ms();
	/* Whatever comes meanwhile waits for the end of the pause. */
	if (verdict.is_ok) {
		backoff_reset(&saver->retry);
		arm(saver, (now_ms - saver->start_ms) * SAVE_FACTOR + SAVE_FIRST_MS);
	} else {
		arm(saver, backoff_fail(&saver->retry, now_ms));
	}
}

static void forget_marks(struct applied *applied)
{
	memset(applied->is_shard_unsaved, 0, sizeof(applied->is_shard_unsaved));
	memset(applied->is_map_unsaved, 0, sizeof(applied->is_map_unsaved));
	applied->are_certificates_unsaved = false;
}

static void start_child(struct saver *saver, struct applied *applied)
{
	pid_t parent = getpid();
	int fds[2];

	saver->start_ms = clock_now_ms();
	if (pipe2(fds, O_CLOEXEC) != 0) {
		arm(saver, backoff_fail(&saver->retry, saver->start_ms));
		return;
	}
	pid_t pid = fork_quietly();
	if (pid == 0) {
		save_and_exit(saver, applied, fds[1], parent);
	}
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		arm(saver, backoff_fail(&saver->retry, saver->start_ms));
		return;
	}
	forget_marks(applied);
	saver->child = pid;
	saver->child_fd = fds[0];
	saver->answer = event_new(saver->base, fds[0], EV_READ, on_answer, saver);
	event_add(saver->answer, NULL);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct saver *saver = ctx;
	struct applied *applied = saver->source(saver->ctx);

	(void)fd;
	(void)what;
	if (applied != NULL && saver->child == 0 &&
		(saver->must_save_all || has_unsaved(applied))) {
		start_child(saver, applied);
	}
}

/* A save on its way ends before this returns. */
static void wait_for_child(struct saver *saver)
{
	event_del(saver->timer);
	if (saver->child != 0) {
		struct verdict verdict = read_verdict(saver);
		event_free(saver->answer);
		saver->answer = NULL;
		count(saver, &verdict);
	}
}

struct saver *saver_new(
	struct event_base *base, struct state *state, saver_source_fn source, void *ctx)
{
	struct saver *saver = xcalloc(1, sizeof(*saver));

	saver->base = base;
	saver->state = state;
	saver->source = source;
	saver->ctx = ctx;
	saver->timer = evtimer_new(base, on_timer, saver);
	backoff_init(&saver->retry, RETRY_FIRST_MS, RETRY_MAX_MS, RETRY_RESET_MS);
	return saver;
}

void saver_free(struct saver *saver)
{
	if (saver != NULL) {
		wait_for_child(saver);
		event_free(saver->timer);
		free(saver);
	}
}

void saver_soon(struct saver *saver, const struct applied *applied)
{
	bool is_needed = saver->must_save_all || has_unsaved(applied);

	if (is_needed && saver->child == 0 && !event_pending(saver->timer, EV_TIMEOUT, NULL)) {
		arm(saver, SAVE_FIRST_MS);
	}
}

bool saver_save_all(struct saver *saver, struct applied *applied, struct err *err)
{
	wait_for_child(saver);
	struct verdict verdict = save_here(saver, applied, true);
	saver->must_save_all = false;
	count(saver, &verdict);
	if (!verdict.is_ok) {
		*err = verdict.err;
	}
	return verdict.is_ok;
}

void saver_flush(struct saver *saver, struct applied *applied)
{
	wait_for_child(saver);
	if (saver->must_save_all || has_unsaved(applied)) {
		struct verdict verdict = save_here(saver, applied, saver->must_save_all);
		count(saver, &verdict);
	}
}
