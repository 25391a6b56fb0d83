/* See reporter.h. Called by status.c. */
#include "status/reporter.h"

#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/table.h"
#include "status/event.h"
#include "status/queue.h"

#define WARN_INTERVAL_MS 30000
#define IDLE_SECONDS	 30

/* What has been said about an Ingress and is still true. */
struct said {
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	uint64_t *hashes;
	size_t n;
};

struct reporter {
	struct reporter_options options;
	struct queue queue;
	struct table said; /* struct said, by namespace and name */
	struct event *event;
	bool is_active;
	struct log_limit warn_limit;
};

/* An Event on its way. */
struct telling {
	struct reporter *reporter;
	struct queue_item *item;
	struct kube_request *request;
	uint64_t hash;
};

static uint32_t hash_key(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

static bool said_has_key(const void *item, const void *key_ptr)
{
	const struct said *said = item;
	const struct said *key = key_ptr;

	return strcmp(said->name, key->name) == 0 && strcmp(said->namespace, key->namespace) == 0;
}

static struct said *find_said(
	const struct reporter *reporter, const char *namespace, const char *name)
{
	struct said key = {.namespace = (char *)namespace, .name = (char *)name};

	return table_find(&reporter->said, hash_key(namespace, name), &key, said_has_key);
}

static void free_said(struct said *said)
{
	free(said->hashes);
	free(said->namespace);
	free(said);
}

static void drop_said(struct reporter *reporter, struct said *said)
{
	struct said key = *said;

	table_remove(&reporter->said, hash_key(key.namespace, key.name), &key, said_has_key);
	free_said(said);
}

static bool was_said(const struct said *said, uint64_t hash)
{
	for (size_t i = 0; said != NULL && i < said->n; i++) {
		if (said->hashes[i] == hash) {
			return true;
		}
	}
	return false;
}

static void note_said(
	struct reporter *reporter, const char *namespace, const char *name, uint64_t hash)
{
	struct said *said = find_said(reporter, namespace, name);

	if (said == NULL) {
		said = xcalloc(1, sizeof(*said));
		said->namespace = xstrpair(namespace, name, &said->name);
		table_insert(&reporter->said, hash_key(namespace, name), said);
	}
	said->hashes = xreallocarray(said->hashes, said->n + 1, sizeof(*said->hashes));
	said->hashes[said->n++] = hash;
}

/* What is no longer true is news again when it comes back. */
static void forget_untrue(
	struct reporter *reporter, struct said *said, const struct diag *diags, size_t n_diags)
{
	const struct ingress *ingress =
		store_ingress(reporter->options.store, said->namespace, said->name);
	size_t n_kept = 0;

	for (size_t i = 0; i < said->n; i++) {
		for (size_t d = 0; ingress != NULL && d < n_diags; d++) {
			if (event_hash(ingress, &diags[d]) == said->hashes[i]) {
				said->hashes[n_kept++] = said->hashes[i];
				break;
			}
		}
	}
	said->n = n_kept;
	if (n_kept == 0) {
		drop_said(reporter, said);
	}
}

static void wake(struct reporter *reporter)
{
	event_active(reporter->event, EV_TIMEOUT, 0);
}

static void add(struct reporter *reporter, const char *namespace, const char *name)
{
	if (queue_add(&reporter->queue, namespace, name, clock_now_ms() + REPORTER_DELAY_MS)) {
		wake(reporter);
	} else {
		metrics_add(METRIC_EVENTS, "dropped", 1);
	}
}

void reporter_tell(struct reporter *reporter, const char *namespace, const char *name,
	const struct diag *diags, size_t n_diags)
{
	struct said *said = find_said(reporter, namespace, name);

	if (said != NULL) {
		forget_untrue(reporter, said, diags, n_diags);
	}
	if (reporter->is_active && n_diags > 0) {
		add(reporter, namespace, name);
	}
}

static void warn(
	struct reporter *reporter, const struct telling *telling, const struct kube_result *result)
{
	unsigned n_skipped;

	if (!log_limit_pass(&reporter->warn_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		return;
	}
	CLEANUP(free_ptr)
	char *object = xasprintf("%s/%s", telling->item->namespace, telling->item->name);
	log_line(LOG_WARN, "can't write an Event", "ingress", object, "status",
		log_num(result->status), "error",
		result->error		? result->error
		: result->status == 403 ? "forbidden: let the controller create events.k8s.io"
					: "",
		"not_logged", log_num(n_skipped), NULL);
}

static void on_reply(void *ctx, const struct kube_result *result, const char *body)
{
	struct telling *telling = ctx;
	struct reporter *reporter = telling->reporter;
	struct queue_item *item = telling->item;
	/* 409: this has been said, by another replica or before we were started. */
	bool is_known = result->status == 409;
	enum queue_result outcome = is_known ? QUEUE_OK : queue_result_of(result->status);

	(void)body;
	metrics_add(METRIC_EVENTS, is_known ? "known" : outcome == QUEUE_OK ? "sent" : "error", 1);
	if (!is_known && outcome != QUEUE_OK) {
		warn(reporter, telling, result);
	}
	if (outcome == QUEUE_OK || outcome == QUEUE_REFUSED) {
		note_said(reporter, item->namespace, item->name, telling->hash);
		item->is_again = true; /* for its other diagnostics */
	}
	queue_end(&reporter->queue, item, outcome, (uint32_t)result->retry_after_seconds * 1000,
		clock_now_ms());
	free(telling);
	wake(reporter);
}

static void say(struct reporter *reporter, struct queue_item *item, const struct ingress *ingress,
	const struct diag *diag)
{
	struct buf body = BUF_INIT(0);
	CLEANUP(free_ptr)
	char *path = xasprintf("/apis/events.k8s.io/v1/namespaces/%s/events", item->namespace);
	struct telling *telling = xcalloc(1, sizeof(*telling));

	telling->reporter = reporter;
	telling->item = item;
	telling->hash = event_hash(ingress, diag);
	item->running = telling;
	event_write(ingress, diag, reporter->options.identity, clock_wall_us(), &body);
	telling->request = kube_client_call(
		reporter->options.client, &(struct kube_call){
						  .method = KUBE_POST,
						  .path_and_query = path,
						  .content_type = "application/json",
						  .body = buf_str(&body),
						  .idle_seconds = IDLE_SECONDS,
						  .on_reply = on_reply,
						  .ctx = telling,
					  });
	buf_fini(&body);
}

/* The first diagnostic that hasn't been said, if there is one. */
static void start(struct reporter *reporter, struct queue_item *item)
{
	const struct ingress *ingress =
		store_ingress(reporter->options.store, item->namespace, item->name);
	const struct said *said = find_said(reporter, item->namespace, item->name);
	size_t n = 0;
	size_t i = 0;
	struct diag *diags =
		model_ingress_diags(reporter->options.model, item->namespace, item->name, &n);

	while (ingress != NULL && i < n && was_said(said, event_hash(ingress, &diags[i]))) {
		i++;
	}
	if (ingress != NULL && i < n) {
		say(reporter, item, ingress, &diags[i]);
	} else {
		queue_end(&reporter->queue, item, QUEUE_SKIPPED, 0, clock_now_ms());
	}
	model_free_diags(diags, n);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	struct reporter *reporter = ctx;
	struct queue_item *item;
	uint64_t wait_ms = QUEUE_NEVER;

	(void)fd;
	(void)what;
	while (reporter->is_active && reporter->options.may_write(reporter->options.ctx) &&
		(item = queue_take(&reporter->queue, clock_now_ms(), &wait_ms)) != NULL) {
		start(reporter, item);
	}
	metrics_set(METRIC_EVENTS_WAITING, NULL, (double)queue_count(&reporter->queue));
	if (wait_ms != QUEUE_NEVER) {
		struct timeval wait = {
			(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
		event_add(reporter->event, &wait);
	}
}

static void give_up(struct reporter *reporter)
{
	struct queue_item *item = TAILQ_FIRST(&reporter->queue.running);

	for (; item != NULL; item = TAILQ_NEXT(item, next)) {
		struct telling *telling = item->running;
		kube_request_cancel(telling->request);
		free(telling);
	}
	queue_clear(&reporter->queue);
}

/* Whoever wrote before us may not have come to all of them. */
static void add_all(struct reporter *reporter)
{
	const struct object *object;
	uint32_t position = 0;

	while ((object = store_next(reporter->options.store, KUBE_INGRESS, &position)) != NULL) {
		size_t n = 0;
		struct diag *diags = model_ingress_diags(
			reporter->options.model, object_namespace(object), object_name(object), &n);
		model_free_diags(diags, n);
		if (n > 0) {
			add(reporter, object_namespace(object), object_name(object));
		}
	}
}

void reporter_set_active(struct reporter *reporter, bool is_active)
{
	reporter->is_active = is_active;
	if (is_active) {
		add_all(reporter);
	} else {
		give_up(reporter);
	}
	wake(reporter);
}

struct reporter *reporter_new(const struct reporter_options *options)
{
	static const struct queue_limits limits = {
		.max_items = REPORTER_MAX_OBJECTS,
		.max_running = REPORTER_MAX_RUNNING,
		.per_second = REPORTER_PER_SECOND,
		.burst = REPORTER_BURST,
	};
	struct reporter *reporter = xcalloc(1, sizeof(*reporter));
	uint64_t seed;

	evutil_secure_rng_get_bytes(&seed, sizeof(seed));
	reporter->options = *options;
	queue_init(&reporter->queue, &limits, seed, clock_now_ms());
	reporter->event = evtimer_new(options->base, on_event, reporter);
	return reporter;
}

void reporter_free(struct reporter *reporter)
{
	struct said *said;

	if (reporter == NULL) {
		return;
	}
	give_up(reporter);
	queue_fini(&reporter->queue);
	TABLE_FOREACH (&reporter->said, said) {
		free_said(said);
	}
	table_fini(&reporter->said);
	event_free(reporter->event);
	free(reporter);
}
