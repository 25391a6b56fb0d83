/*
 * See run.h. Made from top to bottom of the picture in docs/architecture.md, torn down in the
 * opposite order. Whatever can be found wrong is found before HAProxy is started.
 */
#include "run.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "admin/admin.h"
#include "base/alloc.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "class_settings.h"
#include "draining.h"
#include "entrance.h"
#include "expiry.h"
#include "gauges.h"
#include "haproxy/bindable.h"
#include "haproxy/encode.h"
#include "haproxy/process.h"
#include "haproxy/state.h"
#include "kube/client.h"
#include "kube/config.h"
#include "kube/secrets.h"
#include "manifest/manifest.h"
#include "reconcile.h"
#include "rotation.h"
#include "settings.h"
#include "sources.h"
#include "standing.h"
#include "status/routes.h"
#include "status/status.h"
#include "status/verdict.h"
#include "store/store.h"
#include "supervise.h"
#include "version.h"

/* A token that was just renewed may be refused once; a wrong one always is. */
#define MAX_REFUSALS 3

#define N_SIGNALS 4

struct run {
	const struct flags *flags;
	struct event_base *base;
	struct state *state;
	int lock_fd; /* of the run directory; -1 = HAProxy is not ours to start */
	struct store *store;
	struct kube_config *kube_config; /* until the client takes it */
	struct kube_client *client;
	struct secrets *secrets;	    /* NULL with manifests */
	struct sources *sources;	    /* NULL with manifests */
	struct model_options model_options; /* borrows from the flags */
	struct class_settings *class_settings;
	struct manifests *manifests;
	struct status *publisher; /* NULL = nothing is written to the API server */
	struct reconcile *reconcile;
	struct rotation *rotation; /* NULL = stopping */
	struct process *process;
	struct admin *admin;
	struct entrance *entrance;
	struct event *signals[N_SIGNALS];
	struct event *expiry_timer;
	unsigned n_refusals;
	struct draining *draining; /* NULL = was not told to end, or ends without delay */
	bool is_stopping;
	unsigned n_stopping; /* parts that are still to end: HAProxy, the Lease */
	bool is_stopped;     /* all have ended, or were never ours to end */
	enum exit_status status;
};

static bool fail(struct run *run, enum exit_status status, const struct err *err)
{
	log_line(LOG_ERROR, err->text, NULL);
	run->status = status;
	return false;
}

static void on_stopped(void *ctx)
{
	struct run *run = ctx;

	if (--run->n_stopping == 0) {
		run->is_stopped = true;
		event_base_loopbreak(run->base);
	}
}

static void stop(struct run *run)
{
	if (run->is_stopping) {
		/* Asked twice: now. */
		event_base_loopbreak(run->base);
		return;
	}
	run->is_stopping = true;
	run->n_stopping = run->publisher ? 2 : 1;
	if (run->publisher != NULL) {
		status_stop(run->publisher, on_stopped, run);
	}
	rotation_free(run->rotation);
	run->rotation = NULL;
	reconcile_stop(run->reconcile);
	process_stop(run->process, on_stopped, run);
}

static void on_drained(void *ctx)
{
	stop(ctx);
}

/* SIGTERM comes when a pod is to end, and requests still come to it. Asked twice: without delay. */
static void end_signal(struct run *run, int number)
{
	bool is_first = run->draining == NULL && !run->is_stopping;

	if (number == SIGTERM && is_first && run->flags->drain_delay_seconds > 0) {
		run->draining = draining_start(run->base, run->flags, on_drained, run);
		return;
	}
	draining_free(run->draining);
	run->draining = NULL;
	stop(run);
}

static void on_signal(evutil_socket_t number, short what, void *ctx)
{
	struct run *run = ctx;

	(void)what;
	log_line(LOG_INFO, "signal", "name", strsignal((int)number), NULL);
	if (number == SIGHUP) {
		reconcile_resync(run->reconcile);
	} else if (number == SIGUSR1) {
		(void)auditor_request(reconcile_auditor(run->reconcile));
	} else {
		end_signal(run, (int)number);
	}
}

static void on_denied(
	void *ctx, const struct reflector_target *target, long status, const char *text)
{
	struct run *run = ctx;

	/* Every kind is refused at the same time: one that is never split is counted. Without a
	 * route on disk nobody would miss HAProxy; otherwise last-good traffic goes on while
	 * somebody mends the token. */
	if (target->kind != KUBE_INGRESS_CLASS || status != 401 || state_has_routes(run->state) ||
		++run->n_refusals < MAX_REFUSALS || run->is_stopping) {
		return;
	}
	struct err err = {0};
	err_set(&err, ERR_DENIED, "%s", text);
	fail(run, EXIT_STATUS_REFUSED, &err);
	stop(run);
}

static void on_process(void *ctx, enum process_event event, long pid, const char *text)
{
	struct run *run = ctx;
	struct err err = {0};

	reconcile_on_process(run->reconcile, event, pid, text);
	/* It will be started again. */
	if (event == PROCESS_DOWN && !state_check_tickets(run->state, &err)) {
		log_line(LOG_ERROR, "HAProxy may have no TLS ticket keys", "error", err.text, NULL);
	}
}

static void on_worker(void *ctx, struct cli *cli, const struct caps *caps, long pid)
{
	struct run *run = ctx;

	if (run->rotation != NULL) {
		rotation_on_worker(run->rotation, cli, caps, pid);
	}
}

static void on_settings(void *ctx)
{
	struct run *run = ctx;
	const struct flags *flags = run->flags;

	if (flags->config_map_name != NULL) {
		settings_apply((const struct config_map *)store_find(run->store, KUBE_CONFIG_MAP,
				       flags->config_map_namespace, flags->config_map_name),
			flags->log_level);
	}
	bool must_list = class_settings_refresh(run->class_settings);
	if (run->sources != NULL) {
		sources_follow_classes(run->sources, must_list);
	}
}

static void on_changes(void *ctx, const struct store_changes *changes)
{
	struct run *run = ctx;

	if (run->publisher != NULL) {
		status_on_changes(run->publisher, changes);
	}
}

static void on_let_go(void *ctx, const char *namespace, const char *name)
{
	struct run *run = ctx;

	if (run->publisher != NULL) {
		status_on_let_go(run->publisher, namespace, name);
	}
}

static void on_diags(void *ctx, const char *namespace, const char *name, const struct diag *diags,
	size_t n_diags)
{
	struct run *run = ctx;

	if (run->publisher != NULL) {
		status_on_diags(run->publisher, namespace, name, diags, n_diags);
	}
}

static bool write_verdict(void *ctx, const char *namespace, const char *name, struct buf *json)
{
	const struct run *run = ctx;
	const struct verdict_sources sources = {run->store, reconcile_model(run->reconcile),
		run->publisher ? status_published(run->publisher) : NULL};

	return verdict_write(json, &sources, namespace, name);
}

static bool write_backend(void *ctx, const char *name, struct buf *json)
{
	return routes_write_backend(
		json, reconcile_model(((const struct run *)ctx)->reconcile), name);
}

static void answer_audit(void *ctx, bool is_start, struct buf *json)
{
	auditor_answer(reconcile_auditor(((const struct run *)ctx)->reconcile), is_start, json);
}

static void write_standing(void *ctx, struct buf *json)
{
	const struct run *run = ctx;

	standing_write(json, run->store, run->reconcile);
}

static bool has_manifests(const struct flags *flags)
{
	return flags_get(flags, FLAG_MANIFESTS) != NULL;
}

static void on_need(void *ctx, const char *namespace, const char *name, enum model_need need)
{
	static const enum secrets_need needs[] = {[MODEL_NEED_NONE] = SECRETS_NEED_NONE,
		[MODEL_NEED_TLS] = SECRETS_NEED_LISTED,
		[MODEL_NEED_ANY] = SECRETS_NEED_ANY};
	struct run *run = ctx;

	/* The default certificate, of a namespace that was not known when the list began. */
	if (!store_takes(run->store, KUBE_SECRET, namespace)) {
		need = MODEL_NEED_NONE;
	}
	secrets_need(run->secrets, namespace, name, needs[need]);
	if (need == MODEL_NEED_ANY) {
		sources_watch_others(run->sources);
	}
}

static void on_needs_known(void *ctx)
{
	const struct run *run = ctx;
	const char *namespace;
	const char *name;
	bool has_default =
		model_find_default_secret(reconcile_model(run->reconcile), &namespace, &name);

	sources_watch_certificates(run->sources, has_default ? namespace : NULL);
}

static bool is_waiting(void *ctx)
{
	const struct run *run = ctx;

	return secrets_are_waiting(run->secrets);
}

static const char *get_missing(void *ctx)
{
	const struct run *run = ctx;

	return run->draining != NULL ? "stopping" : reconcile_missing(run->reconcile);
}

static void refresh_metrics(void *ctx)
{
	const struct run *run = ctx;

	gauges_refresh(run->store, reconcile_model(run->reconcile));
	expiry_refresh_metrics(run->store, time(NULL));
}

/* The names of maps and certificates hold this path, so it has to be one that HAProxy can be told.
 */
static bool check_state_directory(const struct state *state, struct err *err)
{
	struct buf name = BUF_INIT(0);
	/* In haproxy-cfg it is an argument, in parentheses, of a quoted text. */
	bool is_ok = encode_cli_map(&name, MODEL_MAP_HOSTS, state_map_dir(state)) &&
		     encode_cli_list(&name, state_map_dir(state)) &&
		     strpbrk(state_map_dir(state), ",()'\"") == NULL;

	buf_fini(&name);
	return is_ok || err_set(err, ERR_INPUT,
				"state directory %s has a character that HAProxy can't be told: "
				"choose another with --state-dir",
				state_map_dir(state));
}

static bool open_directories(struct run *run)
{
	const struct flags *flags = run->flags;
	struct err err = {0};

	if (flags_get(flags, FLAG_HAPROXY) != NULL) {
		run->lock_fd = supervise_lock(flags, &err);
		if (run->lock_fd < 0) {
			return fail(run, EXIT_STATUS_INPUT, &err);
		}
	}
	run->state = state_open(flags_get(flags, FLAG_STATE_DIR), &err);
	return (run->state != NULL && check_state_directory(run->state, &err)) ||
	       fail(run, EXIT_STATUS_INPUT, &err);
}

static bool read_kube_config(struct run *run)
{
	const char *path = flags_get(run->flags, FLAG_KUBECONFIG);
	struct err err = {0};

	if (flags_get(run->flags, FLAG_MANIFESTS) != NULL) {
		return true;
	}
	run->kube_config = path ? kube_config_load(path, &err) : kube_config_in_cluster(NULL, &err);
	return run->kube_config != NULL || fail(run, EXIT_STATUS_INPUT, &err);
}

static void make_reconcile(struct run *run)
{
	const struct flags *flags = run->flags;

	run->model_options = (struct model_options){
		.ingress_class = flags_get(flags, FLAG_INGRESS_CLASS),
		.controller_name = flags_get(flags, FLAG_CONTROLLER_NAME),
		.parameters_namespace = flags->own_namespace,
		.config_map_namespace = flags->config_map_namespace,
		.config_map_name = flags->config_map_name,
		.pages_namespace = flags->pages_namespace,
		.pages_name = flags->pages_name,
		.patterns_namespace = flags->patterns_namespace,
		.patterns_name = flags->patterns_name,
		.tcp_namespace = flags->tcp_namespace,
		.tcp_name = flags->tcp_name,
		.listeners = flags->listeners,
		.has_legacy_class = flags->has_legacy_class,
		.certificate_namespace = flags->certificate_namespace,
		.certificate_secret = flags->certificate_secret,
		.has_ssl_redirect = !flags->is_ssl_redirect_off,
		.has_passthrough = flags->has_passthrough,
		.default_namespace = flags->default_namespace,
		.default_service = flags->default_service,
		.default_port = flags->default_port,
		.can_use_external = flags->allows_external_name,
		.can_use_loopback = flags_get(flags, FLAG_MANIFESTS) != NULL,
		.watched_namespaces = (const char *const *)flags->watch_namespaces,
		.n_watched_namespaces = flags->n_watch_namespaces,
	};
	run->store = store_new();
	run->class_settings =
		class_settings_new(&run->model_options, run->store, flags->config_map_name);
	struct needs needs = {on_need, on_needs_known, is_waiting, run};
	if (has_manifests(flags)) {
		needs = (struct needs){0};
	}
	run->reconcile = reconcile_new(&(struct reconcile_options){
		.base = run->base,
		.store = run->store,
		.model = run->model_options,
		.state = run->state,
		.runtime_socket = flags_get(flags, FLAG_RUNTIME_SOCKET),
		.is_self_check = flags->is_self_check,
		.has_ipv6 = bindable_has_chosen_ipv6(flags_get(flags, FLAG_HTTP_BIND)),
		.audit_interval_seconds = flags->audit_seconds,
		.on_settings = on_settings,
		.settings_ctx = run,
		.listener = {on_changes, on_let_go, on_diags, on_worker, run, 0, 0, 0, 0, 0},
		.needs = needs,
	});
	run->rotation = rotation_new(run->base, run->state, flags->rotation_seconds);
}

static void ask_metrics(void *ctx, const char *authorization, admin_answer_fn answer, void *request)
{
	const struct run *run = ctx;

	entrance_ask_metrics(run->entrance, authorization, answer, request);
}

static bool open_admin(struct run *run)
{
	struct admin_callbacks callbacks = {get_missing, refresh_metrics, write_verdict,
		write_backend, write_standing, answer_audit, ask_metrics, run};
	struct err err = {0};

	run->admin =
		admin_open(run->base, flags_get(run->flags, FLAG_ADMIN_BIND), &callbacks, &err);
	if (run->admin == NULL) {
		err_wrap(&err, "--admin-bind");
		return fail(run, EXIT_STATUS_INPUT, &err);
	}
	return true;
}

static bool start_haproxy(struct run *run)
{
	const struct process_options options = supervise_options(
		run->flags, state_backends_dir(run->state), state_settings_file(run->state));
	struct err err = {0};

	run->process = process_new(run->base, &options, on_process, run);
	reconcile_set_process(run->reconcile, run->process);
	return process_start(run->process, &err) || fail(run, EXIT_STATUS_HAPROXY, &err);
}

static void start_publisher(struct run *run)
{
	const struct flags *flags = run->flags;

	if (flags->lease_name == NULL) {
		return;
	}
	run->publisher = status_new(&(struct status_options){
		.base = run->base,
		.client = run->client,
		.store = run->store,
		.model = reconcile_model(run->reconcile),
		.lease_namespace = flags->lease_namespace,
		.lease_name = flags->lease_name,
		.lease_seconds = flags->lease_seconds,
		.service_namespace = flags->publish_namespace,
		.service_name = flags->publish_name,
		.addresses = flags_get(flags, FLAG_PUBLISH_ADDRESS),
	});
}

static bool start_source(struct run *run)
{
	const char *directory = flags_get(run->flags, FLAG_MANIFESTS);
	struct err err = {0};

	if (directory != NULL) {
		run->manifests = manifests_open(run->base, directory, run->store, &err);
		return run->manifests != NULL || fail(run, EXIT_STATUS_INPUT, &err);
	}
	run->client = kube_client_new(run->base, run->kube_config, &err);
	run->kube_config = NULL;
	if (run->client == NULL) {
		return fail(run, EXIT_STATUS_INPUT, &err);
	}
	run->secrets = secrets_new(run->base, run->client, run->store);
	run->sources = sources_start(&(struct sources_options){
		.base = run->base,
		.client = run->client,
		.store = run->store,
		.flags = run->flags,
		.secrets = run->secrets,
		.class_settings = run->class_settings,
		.on_denied = on_denied,
		.ctx = run,
	});
	start_publisher(run);
	return true;
}

static void on_expiry(evutil_socket_t fd, short what, void *ctx)
{
	struct run *run = ctx;

	(void)fd;
	(void)what;
	expiry_look(run->store, time(NULL));
}

static void watch_expiry(struct run *run)
{
	const struct timeval interval = {.tv_sec = EXPIRY_LOOK_SECONDS};

	run->expiry_timer = event_new(run->base, -1, EV_PERSIST, on_expiry, run);
	event_add(run->expiry_timer, &interval);
}

static void catch_signals(struct run *run)
{
	static const int numbers[N_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < N_SIGNALS; i++) {
		run->signals[i] = evsignal_new(run->base, numbers[i], on_signal, run);
		event_add(run->signals[i], NULL);
	}
}

static void tear_down(struct run *run)
{
	if (run->expiry_timer != NULL) {
		event_free(run->expiry_timer);
	}
	for (int i = 0; i < N_SIGNALS; i++) {
		if (run->signals[i] != NULL) {
			event_free(run->signals[i]);
		}
	}
	sources_free(run->sources);
	draining_free(run->draining);
	status_free(run->publisher);
	secrets_free(run->secrets);
	kube_client_free(run->client);
	kube_config_free(run->kube_config);
	manifests_close(run->manifests);
	admin_close(run->admin);
	entrance_close(run->entrance);
	rotation_free(run->rotation);
	reconcile_free(run->reconcile);
	process_free(run->process);
	class_settings_free(run->class_settings);
	store_free(run->store);
	state_close(run->state);
	if (run->lock_fd >= 0) {
		close(run->lock_fd);
	}
	event_base_free(run->base);
	metrics_reset();
}

static void seed(void)
{
	uint64_t random = 0;

	/* Without entropy the fixed seed works too. */
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random)) {
		hash_seed(random);
	}
}

enum exit_status run(const struct flags *flags)
{
	struct run run = {.flags = flags, .base = event_base_new(), .lock_fd = -1};

	log_set_level(flags->log_level);
	log_set_format(flags->log_format);
	seed();
	gauges_begin();
	bool is_ready = read_kube_config(&run) && open_directories(&run);
	if (is_ready) {
		make_reconcile(&run);
		catch_signals(&run);
		watch_expiry(&run);
		run.entrance = entrance_open(run.base, flags_get(flags, FLAG_RUNTIME_SOCKET),
			run.store, reconcile_model(run.reconcile));
		is_ready = open_admin(&run) && start_haproxy(&run);
	}
	if (is_ready && !start_source(&run)) {
		/* HAProxy may have been started for nothing. */
		stop(&run);
		is_ready = false;
		/* A loop can't be broken before it runs. */
		if (!run.is_stopped) {
			event_base_dispatch(run.base);
		}
	}
	if (is_ready) {
		bool is_ours = flags_get(flags, FLAG_HAPROXY) != NULL;
		log_line(LOG_INFO, "running", "version", HEADGATE_VERSION, "haproxy",
			is_ours ? flags_get(flags, FLAG_HAPROXY)
				: "started by others: waited for at the runtime socket",
			"runtime_socket", flags_get(flags, FLAG_RUNTIME_SOCKET), NULL);
		event_base_dispatch(run.base);
		log_line(LOG_INFO, "ended", "status", log_num(run.status), NULL);
	}
	tear_down(&run);
	return run.status;
}
