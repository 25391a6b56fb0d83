/* See status.h. */
#include "status/status.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "status/leader.h"
#include "status/reporter.h"
#include "status/writer.h"

/* Looks at everything again, in case that somebody's write and ours crossed. */
#define RESCAN_SECONDS 300

#define WARN_INTERVAL_MS 60000

struct status {
	struct status_options options; /* the Service's names are owned */
	char *identity;
	struct leader *leader;
	struct writer *writer;
	struct reporter *reporter;
	struct event *rescan;
	struct log_limit warn_limit;
	bool has_read_service; /* once, when Services had been listed */
};

static char *copy_or_null(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

/* Host name and random digits: a pod that is started again in place is another process. */
static char *make_identity(void)
{
	char host[64] = "";
	uint64_t random;

	(void)gethostname(host, sizeof(host) - 1);
	evutil_secure_rng_get_bytes(&random, sizeof(random));
	return xasprintf("%s_%016llx", host, (unsigned long long)random);
}

static void on_leader(void *ctx, bool is_leader)
{
	struct status *status = ctx;

	writer_set_active(status->writer, is_leader);
	reporter_set_active(status->reporter, is_leader);
}

static bool may_write(void *ctx)
{
	const struct status *status = ctx;

	return leader_is_held(status->leader);
}

static void on_status(void *ctx, const char *namespace, const char *name)
{
	struct status *status = ctx;

	writer_look(status->writer, namespace, name);
}

static void on_rescan(evutil_socket_t fd, short what, void *ctx)
{
	struct status *status = ctx;

	(void)fd;
	(void)what;
	writer_look_again(status->writer);
}

/* A Service that is missing says nothing: what was published stays. */
static void read_service(struct status *status)
{
	const struct status_options *options = &status->options;
	const struct service *service =
		store_service(options->store, options->service_namespace, options->service_name);
	struct addresses addresses;
	unsigned n_skipped;

	status->has_read_service = true;
	if (service != NULL) {
		addresses_of_service(&addresses, service);
		writer_publish(status->writer, &addresses);
	} else if (log_limit_pass(
			   &status->warn_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		log_line(LOG_WARN,
			model_watches(options->model, options->service_namespace)
				? "the Service of --publish-service is not there: no status is "
				  "changed"
				: "the namespace of --publish-service is not watched, no status is "
				  "changed: add it to --watch-namespace",
			"namespace", options->service_namespace, "service", options->service_name,
			NULL);
	}
}

void status_on_changes(struct status *status, const struct store_changes *changes)
{
	const struct status_options *options = &status->options;
	bool has_class_change = false;

	for (size_t i = 0; i < changes->n; i++) {
		const struct store_change *change = &changes->items[i];
		if (change->kind == KUBE_INGRESS) {
			writer_look(status->writer, change->namespace, change->name);
		} else if (change->kind == KUBE_INGRESS_CLASS) {
			has_class_change = true;
		} else if (change->kind == KUBE_SERVICE && options->service_name != NULL &&
			   strcmp(change->name, options->service_name) == 0 &&
			   strcmp(change->namespace, options->service_namespace) == 0) {
			read_service(status);
		}
	}
	/* One that was never there is told of, too. */
	if (options->service_name != NULL && !status->has_read_service &&
		store_is_known(options->store, KUBE_SERVICE)) {
		read_service(status);
	}
	if (has_class_change) {
		writer_look_at_all(status->writer);
	}
}

void status_on_let_go(struct status *status, const char *namespace, const char *name)
{
	writer_let_go(status->writer, namespace, name);
}

void status_on_diags(struct status *status, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags)
{
	reporter_tell(status->reporter, namespace, name, diags, n_diags);
}

const struct addresses *status_published(const struct status *status)
{
	return writer_published(status->writer);
}

static void publish_constant(struct status *status, const char *text)
{
	struct addresses addresses;
	struct err err = {0};

	if (addresses_parse(&addresses, text, &err)) {
		writer_publish(status->writer, &addresses);
	}
}

struct status *status_new(const struct status_options *options)
{
	struct status *status = xcalloc(1, sizeof(*status));
	struct timeval interval = {.tv_sec = RESCAN_SECONDS};

	status->options = *options;
	status->options.service_namespace = copy_or_null(options->service_namespace);
	status->options.service_name = copy_or_null(options->service_name);
	status->identity = make_identity();
	status->writer = writer_new(&(struct writer_options){
		options->base, options->client, options->store, options->model, may_write, status});
	status->reporter = reporter_new(&(struct reporter_options){options->base, options->client,
		options->store, options->model, status->identity, may_write, status});
	if (options->addresses != NULL) {
		publish_constant(status, options->addresses);
	}
	status->leader = leader_new(&(struct leader_options){
		.base = options->base,
		.client = options->client,
		.namespace = options->lease_namespace,
		.name = options->lease_name,
		.identity = status->identity,
		.duration_seconds = options->lease_seconds,
		.on_change = on_leader,
		.ctx = status,
	});
	status->rescan = event_new(options->base, -1, EV_PERSIST, on_rescan, status);
	event_add(status->rescan, &interval);
	store_on_status(options->store, on_status, status);
	return status;
}

void status_free(struct status *status)
{
	if (status == NULL) {
		return;
	}
	store_on_status(status->options.store, NULL, NULL);
	leader_free(status->leader);
	reporter_free(status->reporter);
	writer_free(status->writer);
	event_free(status->rescan);
	free((char *)status->options.service_namespace);
	free((char *)status->options.service_name);
	free(status->identity);
	free(status);
}

void status_stop(struct status *status, status_done_fn done, void *ctx)
{
	leader_release(status->leader, done, ctx);
}
