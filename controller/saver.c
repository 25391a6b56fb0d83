/* See saver.h. */
#include "saver.h"

#include <stdlib.h>
#include <string.h>

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

struct saver {
	struct state *state;
	struct event *timer;
	saver_source_fn source;
	void *ctx;
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
	return false;
}

static void arm(struct saver *saver, uint64_t wait_ms)
{
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(saver->timer, &wait);
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct saver *saver = ctx;
	struct applied *applied = saver->source(saver->ctx);

	(void)fd;
	(void)what;
	if (applied == NULL || !has_unsaved(applied)) {
		return;
	}
	uint64_t start_ms = clock_now_ms();
	saver_save(saver, applied);
	uint64_t end_ms = clock_now_ms();
	/* Whatever comes meanwhile waits for the end of the pause. */
	if (has_unsaved(applied)) {
		arm(saver, backoff_fail(&saver->retry, end_ms));
	} else {
		backoff_reset(&saver->retry);
		arm(saver, (end_ms - start_ms) * SAVE_FACTOR + SAVE_FIRST_MS);
	}
}

struct saver *saver_new(
	struct event_base *base, struct state *state, saver_source_fn source, void *ctx)
{
	struct saver *saver = xcalloc(1, sizeof(*saver));

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
		event_free(saver->timer);
		free(saver);
	}
}

void saver_soon(struct saver *saver, const struct applied *applied)
{
	if (has_unsaved(applied) && !event_pending(saver->timer, EV_TIMEOUT, NULL)) {
		arm(saver, SAVE_FIRST_MS);
	}
}

void saver_save(struct saver *saver, struct applied *applied)
{
	struct err err = {0};

	if (!has_unsaved(applied)) {
		return;
	}
	if (state_save(saver->state, applied, &err)) {
		metrics_add(METRIC_STATE_WRITES, NULL, 1);
		metrics_add(METRIC_STATE_BYTES, NULL, (double)state_last_size(saver->state));
		return;
	}
	metrics_add(METRIC_STATE_ERRORS, NULL, 1);
	log_line(LOG_ERROR,
		"can't save the state: traffic goes on, but a restarted HAProxy would serve an "
		"older one",
		"error", err.text, NULL);
}

void saver_save_all(struct saver *saver, struct applied *applied)
{
	memset(applied->is_shard_unsaved, true, sizeof(applied->is_shard_unsaved));
	memset(applied->is_map_unsaved, true, sizeof(applied->is_map_unsaved));
	saver_save(saver, applied);
}

void saver_cancel(struct saver *saver)
{
	event_del(saver->timer);
}
