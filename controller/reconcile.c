/* See reconcile.h. */
#include "reconcile.h"

#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "base/alloc.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "haproxy/apply.h"
#include "haproxy/cli.h"
#include "haproxy/observe.h"
#include "auditor.h"
#include "pending.h"
#include "last_good.h"
#include "needs.h"
#include "pass_log.h"
#include "plan/plan.h"
#include "ports.h"
#include "saver.h"
#include "self_check.h"
#include "settings.h"
#include "trial.h"

/* A new Service below HAProxy 3.4 waits until others have come along, but never for long. */
#define RELOAD_QUIET_MS	   200
#define RELOAD_LONGEST_MS  1000
#define RELOAD_INTERVAL_MS 1000

#define BUSY_FIRST_MS  20 /* something still drains: look again, at first soon */
#define BUSY_MAX_MS    1000
#define RETRY_FIRST_MS 500 /* HAProxy refused something, or can't be reached */
#define RETRY_MAX_MS   30000

enum reconcile_phase {
	PHASE_DOWN,
	PHASE_READING,
	PHASE_IDLE,
	PHASE_APPLYING,
	PHASE_RELOADING,
	PHASE_STOPPED
};

struct reconcile {
	struct event_base *base;
	struct store *store;
	struct model_options model_options;
	struct model *model;
	struct state *state;
	struct process *process;
	struct cli *cli;
	const char *runtime_socket;
	bool is_self_check;
	reconcile_settings_fn on_settings;
	struct needs needs;
	struct last_good last_good;
	void *settings_ctx;
	struct listener listener;

	enum reconcile_phase phase;
	struct observe *observe; /* PHASE_READING */
	struct apply *apply;	 /* PHASE_APPLYING */
	struct applied *applied; /* NULL = unknown */
	struct caps caps;
	long pid; /* of the worker that `applied` was read back from */
	struct auditor *auditor;
	struct pending pending;
	struct pending repairs; /* keys that an audit has found, for the next pass */
	struct plan plan;	/* of the running pass */
	uint64_t pass_start_us;
	size_t n_changes; /* store keys that the running pass took up */
	bool is_woken;	  /* something was touched that no pass has taken up */

	bool is_converged; /* once a plan for everything had nothing to prepare or to switch */
	bool must_verify;  /* read back after the pass, to see that HAProxy has what we think */

	struct event *pass_event; /* next turn of the loop, or after a wait */
	struct event *read_event; /* read back after a wait */
	uint64_t read_at_ms;	  /* when that will be */
	struct event *reload_event;
	struct saver *saver;
	struct trial trial;
	struct ports *ports;
	uint64_t reload_wanted_ms; /* when the oldest waiting change asked for it; 0 = none waits */
	uint64_t last_reload_ms;
	uint32_t reload_reasons;
	bool is_reload_due; /* its time came in the middle of a pass */
	unsigned busy_wait_ms;
	struct backoff retry;
	struct backoff reload_retry;
	struct history history;
};

static void start_pass(struct reconcile *reconcile);

static void arm(struct event *event, uint64_t wait_ms)
{
	struct timeval wait = {(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};

	event_add(event, &wait);
}

/* Never later than what is planned already. */
static void read_back_within(struct reconcile *reconcile, uint64_t wait_ms)
{
	uint64_t at_ms = clock_now_ms() + wait_ms;

	if (!event_pending(reconcile->read_event, EV_TIMEOUT, NULL) ||
		reconcile->read_at_ms > at_ms) {
		reconcile->read_at_ms = at_ms;
		arm(reconcile->read_event, wait_ms);
	}
}

/* Looks again at the next turn of the loop, so that everything one read of a socket brings is one
 * pass. */
static void wake(void *ctx)
{
	struct reconcile *reconcile = ctx;

	reconcile->is_woken = true;
	if (reconcile->phase == PHASE_IDLE) {
		event_active(reconcile->pass_event, EV_TIMEOUT, 0);
	} else if (reconcile->phase == PHASE_READING && reconcile->observe == NULL) {
		/* What one object can't get must not keep the others waiting. */
		read_back_within(reconcile, RETRY_FIRST_MS);
	}
}

static void forget_applied(struct reconcile *reconcile)
{
	auditor_on_doubt(reconcile->auditor);
	applied_free(reconcile->applied);
	reconcile->applied = NULL;
	reconcile->pending.is_everything = true;
}

static void end_running(struct reconcile *reconcile)
{
	if (reconcile->observe != NULL) {
		observe_cancel(reconcile->observe);
		reconcile->observe = NULL;
	}
	if (reconcile->apply != NULL) {
		apply_cancel(reconcile->apply);
		reconcile->apply = NULL;
	}
	plan_fini(&reconcile->plan);
}

static void on_observed(void *ctx, struct observation *observation, const struct err *err);

static void read_back(struct reconcile *reconcile)
{
	end_running(reconcile);
	forget_applied(reconcile);
	reconcile->phase = PHASE_READING;
	metrics_add(METRIC_READBACKS, NULL, 1);
	reconcile->observe = observe_start(reconcile->cli, state_map_dir(reconcile->state),
		trial_expects_configuration(&reconcile->trial), on_observed, reconcile);
}

static void on_read_event(evutil_socket_t fd, short what, void *ctx)
{
	struct reconcile *reconcile = ctx;

	(void)fd;
	(void)what;
	if (cli_is_connected(reconcile->cli) && reconcile->phase != PHASE_RELOADING) {
		read_back(reconcile);
	}
}

/* `applied` is in doubt, and HAProxy can be asked: later, more and more so if it keeps happening.
 */
static void doubt(struct reconcile *reconcile)
{
	end_running(reconcile);
	forget_applied(reconcile);
	reconcile->phase = PHASE_READING;
	read_back_within(reconcile, backoff_fail(&reconcile->retry, clock_now_ms()));
}

static void on_observed(void *ctx, struct observation *observation, const struct err *err)
{
	struct reconcile *reconcile = ctx;

	reconcile->observe = NULL;
	if (observation == NULL) {
		log_line(LOG_WARN, "can't read back what HAProxy has", "error", err->text, NULL);
		if (cli_is_connected(reconcile->cli)) {
			doubt(reconcile);
		}
		return;
	}
	trial_settle(&reconcile->trial, reconcile->model, observation);
	reconcile->applied = observation->applied;
	observation->applied = NULL;
	reconcile->caps = observation->caps;
	reconcile->pid = observation->pid;
	log_line(LOG_INFO, "read back HAProxy", "version", reconcile->caps.version, "pid",
		log_num(observation->pid), "live_backends",
		reconcile->caps.can_add_backend ? "yes" : "no", NULL);
	reconcile->phase = PHASE_IDLE;
	if (reconcile->listener.worker != NULL) {
		reconcile->listener.worker(reconcile->listener.ctx, reconcile->cli,
			&reconcile->caps, observation->pid);
	}
	auditor_on_rest(reconcile->auditor);
	wake(reconcile);
}

static void on_lost(void *ctx, const char *text)
{
	struct reconcile *reconcile = ctx;

	metrics_set(METRIC_HAPROXY_UP, NULL, 0);
	if (reconcile->phase == PHASE_STOPPED) {
		return;
	}
	log_line(LOG_WARN, "lost HAProxy's runtime socket", "reason", text, NULL);
	end_running(reconcile);
	forget_applied(reconcile);
	event_del(reconcile->read_event);
	/* During a reload the process tells when the new worker is there. */
	if (reconcile->phase != PHASE_RELOADING) {
		reconcile->phase = PHASE_DOWN;
		process_expect_worker(reconcile->process);
	}
}

static void connect_worker(struct reconcile *reconcile)
{
	struct err err = {0};

	end_running(reconcile);
	auditor_on_doubt(reconcile->auditor);
	cli_disconnect(reconcile->cli);
	if (!cli_connect(reconcile->cli, reconcile->runtime_socket, &err)) {
		log_line(LOG_WARN, "can't connect to HAProxy", "error", err.text, NULL);
		forget_applied(reconcile);
		reconcile->phase = PHASE_DOWN;
		process_expect_worker(reconcile->process);
		return;
	}
	metrics_set(METRIC_HAPROXY_UP, NULL, 1);
	read_back(reconcile);
}

/* In the middle of a pass `applied` is true but half-way: the pass' end comes back here. What
 * another version's HAProxy has is on disk as that version wrote it. */
static struct applied *saveable(void *ctx)
{
	const struct reconcile *reconcile = ctx;
	bool is_ours = !reconcile->caps.awaits_configuration;

	return reconcile->phase == PHASE_IDLE && is_ours ? reconcile->applied : NULL;
}

/* ---- reloading ---- */

static void reload_failed(struct reconcile *reconcile, const char *text)
{
	uint32_t wait_ms = backoff_fail(&reconcile->reload_retry, clock_now_ms());
	struct err err = {0};

	pass_log_reload(&reconcile->history, reconcile->reload_reasons, true);
	log_line(LOG_ERROR, "HAProxy was not reloaded: the old worker goes on", "error", text,
		"retry_ms", log_num(wait_ms), NULL);
	trial_fail(&reconcile->trial, text, &reconcile->caps);
	arm(reconcile->reload_event, wait_ms);
	if (reconcile->applied == NULL) {
		reconcile->phase = PHASE_DOWN;
		process_expect_worker(reconcile->process);
		return;
	}
	/* What is on disk must be what is served. */
	if (!saver_save_all(reconcile->saver, reconcile->applied, &err)) {
		saver_soon(reconcile->saver, reconcile->applied);
	}
	reconcile->phase = PHASE_IDLE;
	if (reconcile->caps.awaits_configuration) {
		read_back(reconcile);
	} else {
		wake(reconcile);
	}
}

static void reload(struct reconcile *reconcile)
{
	struct applied *wanted = applied_from_model(reconcile->model, reconcile->applied);
	struct err err = {0};

	pass_log_reloading(reconcile->reload_reasons);
	reconcile->phase = PHASE_RELOADING;
	bool is_saved =
		trial_begin(&reconcile->trial, reconcile->model, reconcile->reload_reasons, &err) &&
		saver_save_all(reconcile->saver, wanted, &err);
	applied_free(wanted);
	if (!is_saved || !process_reload(reconcile->process, &err)) {
		reload_failed(reconcile, err.text);
	}
}

static void on_reload_event(evutil_socket_t fd, short what, void *ctx)
{
	struct reconcile *reconcile = ctx;

	(void)fd;
	(void)what;
	bool is_waiting = needs_are_waiting(&reconcile->needs);
	if (reconcile->phase != PHASE_IDLE || reconcile->reload_reasons == 0 || is_waiting) {
		/* A pass, running or waiting, comes back here; so does reading back. */
		reconcile->is_reload_due = reconcile->phase == PHASE_APPLYING || is_waiting;
		return;
	}
	reconcile->is_reload_due = false;
	/* What asked for it may be gone again, and so may a port. */
	if (ports_follow(reconcile->ports, reconcile->applied, false)) {
		wake(reconcile);
	}
	reconcile->reload_reasons =
		plan_reasons(reconcile->model, reconcile->applied, &reconcile->caps);
	if (reconcile->reload_reasons != 0) {
		reload(reconcile);
	}
}

/* Quiet for a moment, or waited long enough; and never two reloads close to each other. */
static void reload_soon(struct reconcile *reconcile, uint32_t reasons)
{
	uint64_t now_ms = clock_now_ms();

	if (reconcile->reload_reasons == 0) {
		reconcile->reload_wanted_ms = now_ms;
	}
	reconcile->reload_reasons = reasons;
	uint64_t at_ms = now_ms + RELOAD_QUIET_MS;
	if (at_ms > reconcile->reload_wanted_ms + RELOAD_LONGEST_MS) {
		at_ms = reconcile->reload_wanted_ms + RELOAD_LONGEST_MS;
	}
	if (at_ms < reconcile->last_reload_ms + RELOAD_INTERVAL_MS) {
		at_ms = reconcile->last_reload_ms + RELOAD_INTERVAL_MS;
	}
	/* After a refused reload the timer stands further away, unless HAProxy was away when it
	 * came. */
	if (reconcile->reload_retry.step_ms == 0 ||
		!event_pending(reconcile->reload_event, EV_TIMEOUT, NULL)) {
		arm(reconcile->reload_event, at_ms > now_ms ? at_ms - now_ms : 0);
	}
}

static void on_reloaded(struct reconcile *reconcile)
{
	pass_log_reload(&reconcile->history, reconcile->reload_reasons, false);
	reconcile->reload_reasons = 0;
	reconcile->last_reload_ms = clock_now_ms();
	backoff_reset(&reconcile->reload_retry);
	/* PROCESS_UP follows and connects to the new worker. */
}

/* ---- passes ---- */

/* Takes up what was touched: store to model to keys that the plan looks at. False = there is more
 * to come, and nothing to be acted on before. */
static bool take_changes(struct reconcile *reconcile)
{
	struct store_changes changes = store_take_changes(reconcile->store);

	model_update(reconcile->model, reconcile->store, &changes);
	(void)ports_follow(reconcile->ports, reconcile->applied, settings_are_among(&changes));
	needs_follow(&reconcile->needs, reconcile->model, reconcile->store, &changes);
	last_good_recall(&reconcile->last_good, reconcile->applied, time(NULL));
	if (reconcile->on_settings != NULL && settings_are_among(&changes)) {
		reconcile->on_settings(reconcile->settings_ctx);
	}
	reconcile->n_changes = changes.n;
	/* What has not been listed is not wrong. */
	bool is_complete =
		store_is_complete(reconcile->store) && !needs_are_waiting(&reconcile->needs);
	listener_tell(&reconcile->listener, reconcile->model, &changes, is_complete);
	store_changes_fini(&changes);
	if (!is_complete) {
		return false;
	}
	if (reconcile->is_self_check && !store_is_held(reconcile->store)) {
		self_check_tell(reconcile->model, &reconcile->model_options, reconcile->store);
	}
	struct model_delta delta = model_take_delta(reconcile->model);
	pending_take(&reconcile->pending, &delta);
	pending_take(&reconcile->pending, &reconcile->repairs.delta);
	reconcile->pending.is_everything |= reconcile->repairs.is_everything;
	reconcile->repairs.is_everything = false;
	return true;
}

static void retry_busy(struct reconcile *reconcile)
{
	unsigned wait_ms = reconcile->busy_wait_ms ? reconcile->busy_wait_ms * 2 : BUSY_FIRST_MS;

	reconcile->busy_wait_ms = wait_ms > BUSY_MAX_MS ? BUSY_MAX_MS : wait_ms;
	arm(reconcile->pass_event, reconcile->busy_wait_ms);
}

/* The pass did what it could; `applied` is NULL when there was nothing to do. */
static void pass_succeeded(struct reconcile *reconcile, const struct apply_result *applied)
{
	bool was_everything = reconcile->pending.is_everything;
	bool is_busy = applied != NULL && applied->n_busy > 0;
	uint64_t took_us = clock_now_us() - reconcile->pass_start_us;
	const char *result = is_busy ? "busy" : applied != NULL ? "success" : "noop";

	metrics_add(METRIC_RECONCILES, result, 1);
	metrics_observe(METRIC_RECONCILE_TIME, (double)took_us / 1e6);
	pass_log(&reconcile->history, &(struct pass_outcome){.result = result,
					      .plan = &reconcile->plan,
					      .applied = applied,
					      .n_changes = reconcile->n_changes,
					      .took_us = took_us,
					      .is_reload_news = reconcile->reload_reasons == 0});
	backoff_reset(&reconcile->retry);
	if (was_everything && plan_only_retires(&reconcile->plan)) {
		reconcile->is_converged = true;
		reconcile->must_verify = false;
	} else if (was_everything && reconcile->plan.reasons == 0) {
		reconcile->must_verify = !reconcile->is_converged;
	}
	if (reconcile->plan.reasons != 0) {
		reload_soon(reconcile, reconcile->plan.reasons);
	}
	reconcile->is_woken |= pending_keep_busy(&reconcile->pending, &reconcile->plan);
	plan_fini(&reconcile->plan);
	if (was_everything) {
		/* What lists, reading back and the plan took goes back to the system. */
		malloc_trim(0);
	}
	reconcile->phase = PHASE_IDLE;
	saver_soon(reconcile->saver, reconcile->applied);
	if (!is_busy) {
		reconcile->busy_wait_ms = 0;
	}
	if (reconcile->must_verify) {
		read_back(reconcile);
		return;
	}
	auditor_on_rest(reconcile->auditor);
	if (is_busy) {
		retry_busy(reconcile);
	}
	if (reconcile->is_reload_due) {
		event_active(reconcile->reload_event, EV_TIMEOUT, 0);
	}
	if (reconcile->is_woken) {
		wake(reconcile);
	}
}

static void on_applied(void *ctx, const struct apply_result *result)
{
	struct reconcile *reconcile = ctx;

	reconcile->apply = NULL;
	if (result->n_refused == 0 && !result->is_lost) {
		pass_succeeded(reconcile, result);
		return;
	}
	pass_log_refusal(result);
	if (!result->is_lost) {
		doubt(reconcile);
	}
}

static void start_pass(struct reconcile *reconcile)
{
	reconcile->pass_start_us = clock_now_us();
	reconcile->is_woken = false;
	if (!take_changes(reconcile)) {
		return;
	}
	struct pending *pending = &reconcile->pending;
	const struct model_delta *delta = pending->is_everything ? NULL : &pending->delta;
	plan_make(&reconcile->plan, reconcile->model, reconcile->applied, &reconcile->caps, delta);
	if (reconcile->plan.n_ops == 0) {
		pass_succeeded(reconcile, NULL);
		return;
	}
	pass_log_plan(&reconcile->plan);
	reconcile->phase = PHASE_APPLYING;
	auditor_on_pass(reconcile->auditor, &reconcile->plan);
	const struct apply_target target = {
		reconcile->cli, state_map_dir(reconcile->state), reconcile->applied};
	reconcile->apply = apply_start(&target, &reconcile->plan, on_applied, reconcile);
}

static void on_pass_event(evutil_socket_t fd, short what, void *ctx)
{
	struct reconcile *reconcile = ctx;

	(void)fd;
	(void)what;
	if (reconcile->phase == PHASE_IDLE && store_is_complete(reconcile->store)) {
		start_pass(reconcile);
	} else if (reconcile->needs.on_known != NULL &&
		   store_lacks_only(reconcile->store, KUBE_SECRET)) {
		(void)take_changes(reconcile);
		needs_are_known(&reconcile->needs);
	}
}

/* ---- audits ---- */

static bool get_audit_target(void *ctx, struct audit_target *ret_target)
{
	const struct reconcile *reconcile = ctx;

	if (reconcile->phase != PHASE_IDLE || reconcile->applied == NULL ||
		reconcile->caps.awaits_configuration || !cli_is_connected(reconcile->cli) ||
		needs_are_waiting(&reconcile->needs)) {
		return false;
	}
	*ret_target = (struct audit_target){reconcile->cli, reconcile->runtime_socket,
		state_map_dir(reconcile->state), reconcile->applied, reconcile->model,
		reconcile->caps, reconcile->pid};
	return true;
}

static void on_repair(void *ctx, struct model_delta *delta)
{
	struct reconcile *reconcile = ctx;

	/* Not into what is pending: a pass may be running, and when it ends that is done. */
	pending_take(&reconcile->repairs, delta);
	wake(reconcile);
}

/* ---- the outside ---- */

struct reconcile *reconcile_new(const struct reconcile_options *options)
{
	struct reconcile *reconcile = xcalloc(1, sizeof(*reconcile));

	reconcile->base = options->base;
	reconcile->store = options->store;
	reconcile->model_options = options->model;
	reconcile->model = model_new(&options->model);
	reconcile->state = options->state;
	state_use_model(options->state, reconcile->model);
	reconcile->trial.state = options->state;
	reconcile->runtime_socket = options->runtime_socket;
	reconcile->is_self_check = options->is_self_check;
	reconcile->on_settings = options->on_settings;
	reconcile->needs = options->needs;
	reconcile->last_good =
		(struct last_good){options->store, reconcile->model, options->state, false};
	reconcile->settings_ctx = options->settings_ctx;
	reconcile->listener = options->listener;
	reconcile->pending.is_everything = true;
	reconcile->cli = cli_new(options->base, on_lost, reconcile);
	reconcile->pass_event = evtimer_new(options->base, on_pass_event, reconcile);
	reconcile->read_event = evtimer_new(options->base, on_read_event, reconcile);
	reconcile->reload_event = evtimer_new(options->base, on_reload_event, reconcile);
	reconcile->ports = ports_new(&(struct ports_options){options->base, reconcile->model,
		options->store, options->has_ipv6, wake, reconcile});
	reconcile->saver = saver_new(options->base, options->state, saveable, reconcile);
	backoff_init(&reconcile->retry, RETRY_FIRST_MS, RETRY_MAX_MS, BACKOFF_KUBE_RESET_MS);
	backoff_init(&reconcile->reload_retry, RETRY_FIRST_MS, RETRY_MAX_MS, BACKOFF_KUBE_RESET_MS);
	reconcile->auditor = auditor_new(&(struct auditor_options){options->base,
		options->audit_interval_seconds, get_audit_target, on_repair, reconcile});
	store_on_change(options->store, wake, reconcile);
	metrics_set(METRIC_HAPROXY_UP, NULL, 0);
	return reconcile;
}

void reconcile_free(struct reconcile *reconcile)
{
	if (reconcile == NULL) {
		return;
	}
	reconcile->phase = PHASE_STOPPED;
	end_running(reconcile);
	auditor_free(reconcile->auditor);
	cli_free(reconcile->cli);
	event_free(reconcile->pass_event);
	event_free(reconcile->read_event);
	event_free(reconcile->reload_event);
	ports_free(reconcile->ports);
	saver_free(reconcile->saver);
	applied_free(reconcile->applied);
	pending_fini(&reconcile->pending);
	pending_fini(&reconcile->repairs);
	state_use_model(reconcile->state, NULL);
	model_free(reconcile->model);
	free(reconcile);
}

void reconcile_set_process(struct reconcile *reconcile, struct process *process)
{
	reconcile->process = process;
}

void reconcile_on_process(
	struct reconcile *reconcile, enum process_event event, long pid, const char *text)
{
	switch (event) {
	case PROCESS_UP:
		log_line(LOG_INFO, "HAProxy is up", "pid", log_num(pid), NULL);
		if (reconcile->phase != PHASE_STOPPED) {
			connect_worker(reconcile);
		}
		break;
	case PROCESS_DOWN:
		metrics_add(METRIC_HAPROXY_RESTARTS, NULL, 1);
		log_line(LOG_ERROR, "HAProxy ended", "reason", text, NULL);
		break;
	case PROCESS_RELOADED:
		log_line(LOG_INFO, "HAProxy was reloaded", "pid", log_num(pid), NULL);
		on_reloaded(reconcile);
		break;
	case PROCESS_RELOAD_FAILED:
		reload_failed(reconcile, text);
		break;
	case PROCESS_LEAVING:
		/* It waits for its connections before it ends, and ours is one. */
		cli_disconnect(reconcile->cli);
		on_lost(reconcile, text);
		break;
	case PROCESS_OUT_OF_REACH:
		log_line(LOG_ERROR, "HAProxy can't be asked", "reason", text, NULL);
		break;
	}
}

void reconcile_resync(struct reconcile *reconcile)
{
	trial_forget(&reconcile->trial);
	if (reconcile->phase == PHASE_IDLE) {
		read_back(reconcile);
	} else if (reconcile->phase == PHASE_READING && reconcile->observe == NULL) {
		read_back_within(reconcile, 0);
	} else {
		/* A running pass is looked over when it is done. */
		reconcile->must_verify = true;
	}
}

void reconcile_stop(struct reconcile *reconcile)
{
	if (saveable(reconcile) != NULL && store_is_complete(reconcile->store)) {
		saver_flush(reconcile->saver, reconcile->applied);
	}
	reconcile->phase = PHASE_STOPPED;
	end_running(reconcile);
	auditor_on_doubt(reconcile->auditor);
	/* HAProxy's worker waits for its connections before it ends, and ours is one. */
	cli_disconnect(reconcile->cli);
}

const char *reconcile_missing(const struct reconcile *reconcile)
{
	if (reconcile->phase == PHASE_STOPPED) {
		return "stopping";
	}
	if (!store_is_complete(reconcile->store)) {
		return "not every kind of object has been listed";
	}
	if (reconcile->phase == PHASE_DOWN) {
		return "HAProxy does not answer";
	}
	return reconcile->is_converged ? NULL
				       : "HAProxy has not been read back equal to what is wanted";
}

struct auditor *reconcile_auditor(struct reconcile *reconcile)
{
	return reconcile->auditor;
}

const struct model *reconcile_model(const struct reconcile *reconcile)
{
	return reconcile->model;
}

void reconcile_write(const struct reconcile *reconcile, struct buf *json)
{
	const char *missing = reconcile_missing(reconcile);

	buf_printf(json, "\"haproxy\":\"%s\",\"pid\":%ld,\"has_live_backends\":%s,",
		reconcile->caps.version, reconcile->pid,
		reconcile->caps.can_add_backend ? "true" : "false");
	buf_printf(json, "\"has_other_configuration\":%s,",
		trial_expects_configuration(&reconcile->trial) ? "false" : "true");
	buf_printf(json, "\"missing\":\"%s\",\"pending_keys\":%zu,\"pending_reload\":\"",
		missing ? missing : "", pending_count(&reconcile->pending));
	pass_name_reasons(reconcile->reload_reasons, json);
	buf_append_str(json, "\",");
	history_write(&reconcile->history, json);
}
