/* See auditor.h. */
#include "auditor.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"

/* Longest text of a key or value in the result. */
#define MAX_TEXT 1024

/* Times that one audit begins anew, because HAProxy was reloaded, lost or read back meanwhile. */
#define MAX_RESTARTS 5

struct result {
	uint64_t number; /* 0 = there is none yet */
	const char *word;
	struct err err;
	uint64_t took_us;
	struct audit_counts counts;
	size_t n_drift; /* in all, from before a restart, too */
	size_t n_by_kind[DRIFT_KIND_COUNT];
	struct buf found; /* JSON objects, with commas between them */
	size_t n_shown;
};

struct auditor {
	struct auditor_options options;
	struct event *timer; /* NULL = no interval */
	struct audit *audit; /* NULL = none is running */
	bool is_due;	     /* one is to be begun */
	uint64_t number;     /* of the one that is running, or of the last */
	unsigned n_restarts; /* of the one that is running or due */
	uint64_t start_us;
	struct result current; /* what is running has found so far */
	struct result last;
};

static void on_timer(evutil_socket_t fd, short what, void *ctx);
static void arm(struct auditor *auditor);
static void try_start(struct auditor *auditor);
static void on_drift(void *ctx, const struct drift *drift);
static void on_repair(void *ctx, struct model_delta *delta);
static void on_done(void *ctx, const struct audit_counts *counts, const struct err *err);
static void restart(struct auditor *auditor, const struct err *err);
static void end(struct auditor *auditor);

static void clear_result(struct result *result)
{
	buf_fini(&result->found);
	*result = (struct result){.word = "none"};
}

struct auditor *auditor_new(const struct auditor_options *options)
{
	struct auditor *auditor = xcalloc(1, sizeof(*auditor));

	auditor->options = *options;
	clear_result(&auditor->current);
	clear_result(&auditor->last);
	if (options->interval_seconds > 0) {
		auditor->timer = evtimer_new(options->base, on_timer, auditor);
		arm(auditor);
	}
	return auditor;
}

void auditor_free(struct auditor *auditor)
{
	if (auditor == NULL) {
		return;
	}
	audit_cancel(auditor->audit);
	if (auditor->timer != NULL) {
		event_free(auditor->timer);
	}
	clear_result(&auditor->current);
	clear_result(&auditor->last);
	free(auditor);
}

uint64_t auditor_request(struct auditor *auditor)
{
	bool was_running = auditor->audit != NULL;

	auditor->is_due = true;
	if (!was_running) {
		try_start(auditor);
	}
	return was_running || auditor->audit == NULL ? auditor->number + 1 : auditor->number;
}

void auditor_on_pass(struct auditor *auditor, const struct plan *plan)
{
	if (auditor->audit != NULL) {
		audit_on_pass(auditor->audit, plan);
	}
}

void auditor_on_rest(struct auditor *auditor)
{
	if (auditor->audit != NULL) {
		audit_on_rest(auditor->audit);
	} else {
		try_start(auditor);
	}
}

void auditor_on_doubt(struct auditor *auditor)
{
	struct err err = {0};

	if (auditor->audit != NULL) {
		audit_cancel(auditor->audit);
		auditor->audit = NULL;
		(void)err_set(&err, ERR_RETRY, "HAProxy was lost, reloaded or read back meanwhile");
		restart(auditor, &err);
	}
}

static void on_timer(evutil_socket_t fd, short what, void *ctx)
{
	struct auditor *auditor = ctx;

	(void)fd;
	(void)what;
	auditor->is_due = true;
	try_start(auditor);
}

/* Counted from the end of the last one. */
static void arm(struct auditor *auditor)
{
	const struct timeval wait = {.tv_sec = auditor->options.interval_seconds};

	if (auditor->timer != NULL) {
		event_add(auditor->timer, &wait);
	}
}

static void try_start(struct auditor *auditor)
{
	struct audit_target target;

	if (!auditor->is_due || auditor->audit != NULL ||
		!auditor->options.get_target(auditor->options.ctx, &target)) {
		return;
	}
	auditor->is_due = false;
	auditor->number++;
	auditor->start_us = clock_now_us();
	if (auditor->n_restarts == 0) {
		clear_result(&auditor->current);
	}
	auditor->audit = audit_start(
		&target, &(struct audit_callbacks){on_drift, on_repair, on_done, auditor});
}

static const char *or_nothing(const char *text)
{
	return text != NULL ? text : "";
}

static void show(struct result *result, const struct drift *drift)
{
	const struct log_pair pairs[] = {
		{"kind", drift_kind_names[drift->kind]},
		{"object", drift->object},
		{"expected", or_nothing(drift->expected)},
		{"found", or_nothing(drift->found)},
	};

	log_line(LOG_ERROR, "audit: HAProxy does not have what it confirmed: repairing it",
		pairs[0].key, pairs[0].value, pairs[1].key, pairs[1].value, pairs[2].key,
		pairs[2].value, pairs[3].key, pairs[3].value, NULL);
	buf_append_str(&result->found, result->n_shown++ > 0 ? ",{" : "{");
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_printf(&result->found, "%s\"%s\":", i > 0 ? "," : "", pairs[i].key);
		json_append_text(&result->found, pairs[i].value, MAX_TEXT);
	}
	buf_append_char(&result->found, '}');
}

static void on_drift(void *ctx, const struct drift *drift)
{
	struct auditor *auditor = ctx;
	struct result *result = &auditor->current;

	metrics_add(METRIC_AUDIT_DRIFT, drift_kind_names[drift->kind], 1);
	result->n_by_kind[drift->kind]++;
	result->n_drift++;
	if (result->n_shown < AUDITOR_MAX_SHOWN) {
		show(result, drift);
	}
}

static void on_repair(void *ctx, struct model_delta *delta)
{
	struct auditor *auditor = ctx;

	auditor->options.on_repair(auditor->options.ctx, delta);
}

static void on_done(void *ctx, const struct audit_counts *counts, const struct err *err)
{
	struct auditor *auditor = ctx;

	auditor->audit = NULL;
	auditor->current.counts = *counts;
	if (err != NULL && err->kind == ERR_RETRY) {
		restart(auditor, err);
		try_start(auditor);
		return;
	}
	if (err != NULL) {
		auditor->current.err = *err;
	}
	end(auditor);
}

/* The same one, as far as anybody knows who waits for it; not for ever. */
static void restart(struct auditor *auditor, const struct err *err)
{
	if (++auditor->n_restarts > MAX_RESTARTS) {
		auditor->current.err = *err;
		end(auditor);
		return;
	}
	auditor->number--;
	auditor->is_due = true;
}

static void log_result(const struct result *result)
{
	const struct audit_counts *counts = &result->counts;

	if (result->err.kind != ERR_NONE) {
		log_line(LOG_WARN, "audit could not be finished", "error", result->err.text, NULL);
	}
	if (result->n_drift > 0) {
		log_line(LOG_ERROR,
			"audit: HAProxy differed from what it had confirmed. Unless somebody else "
			"has changed it, this is a bug: please report it",
			"differences", log_num((int64_t)result->n_drift), "shown",
			log_num((int64_t)result->n_shown), NULL);
	}
	log_line(LOG_INFO, "audit", "result", result->word, "entries",
		log_num((int64_t)counts->n_entries), "backends",
		log_num((int64_t)counts->n_backends), "servers",
		log_num((int64_t)counts->n_servers), "certificates",
		log_num((int64_t)counts->n_certificates), "took_ms", log_ms(result->took_us), NULL);
}

/* The current result becomes the last one. */
static void end(struct auditor *auditor)
{
	struct result *result = &auditor->current;

	result->number = auditor->number;
	result->took_us = clock_now_us() - auditor->start_us;
	result->word = result->err.kind != ERR_NONE ? "failed"
		       : result->n_drift > 0	    ? "drift"
						    : "clean";
	metrics_add(METRIC_AUDITS, result->word, 1);
	metrics_set(METRIC_AUDIT_TIME, NULL, (double)result->took_us / 1e6);
	log_result(result);
	clear_result(&auditor->last);
	auditor->last = *result;
	*result = (struct result){.word = "none"};
	auditor->n_restarts = 0;
	arm(auditor);
	try_start(auditor);
}

static void write_kinds(const struct result *result, struct buf *json)
{
	bool is_first = true;

	for (int kind = 0; kind < DRIFT_KIND_COUNT; kind++) {
		if (result->n_by_kind[kind] > 0) {
			buf_printf(json, "%s\"%s\":%zu", is_first ? "" : ",",
				drift_kind_names[kind], result->n_by_kind[kind]);
			is_first = false;
		}
	}
}

void auditor_write(const struct auditor *auditor, struct buf *json)
{
	const struct result *last = &auditor->last;

	buf_printf(json,
		"{\"number\":%llu,\"result\":\"%s\",\"error\":", (unsigned long long)last->number,
		last->word);
	json_append_text(json, last->err.text, MAX_TEXT);
	buf_printf(json,
		",\"took_ms\":%llu,\"entries\":%zu,\"backends\":%zu,\"servers\":%zu,"
		"\"certificates\":%zu,\"drift\":{",
		(unsigned long long)(last->took_us / 1000), last->counts.n_entries,
		last->counts.n_backends, last->counts.n_servers, last->counts.n_certificates);
	write_kinds(last, json);
	buf_printf(json, "},\"found\":[%s]}", buf_str(&last->found));
}

void auditor_answer(struct auditor *auditor, bool is_start, struct buf *json)
{
	if (is_start) {
		buf_printf(json, "{\"number\":%llu}", (unsigned long long)auditor_request(auditor));
	} else {
		auditor_write(auditor, json);
	}
}
