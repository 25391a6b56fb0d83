/* See writer.h. Called by status.c. Must not know who decides that it may write. */
#include "status/writer.h"

#include <event2/util.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "status/queue.h"

#define WARN_INTERVAL_MS 30000
#define IDLE_SECONDS	 30

struct writer {
	struct writer_options options;
	struct wishes wishes;
	struct queue queue;
	struct event *event; /* more may be written */
	bool is_active;
	struct log_limit warn_limit;
};

/* A write under way. */
struct write {
	struct writer *writer;
	struct queue_item *item;
	struct kube_request *request;
	uint32_t before;
	uint32_t after;
};

static void wake(struct writer *writer)
{
	event_active(writer->event, EV_TIMEOUT, 0);
}

void writer_look(struct writer *writer, const char *namespace, const char *name)
{
	bool is_running = queue_is_running(&writer->queue, namespace, name);

	/* What must be forgotten is forgotten by those that don't write, too. */
	if (wish_of(&writer->wishes, namespace, name, is_running) != WISH_NOTHING &&
		writer->is_active) {
		/* Keys are unique and of the store: it is their limit. */
		(void)queue_add(&writer->queue, namespace, name, 0);
		wake(writer);
	}
}

void writer_look_at_all(struct writer *writer)
{
	const struct object *object;
	uint32_t position = 0;

	if (!writer->is_active) {
		return;
	}
	while ((object = store_next(writer->wishes.store, KUBE_INGRESS, &position)) != NULL) {
		writer_look(writer, object_namespace(object), object_name(object));
	}
}

void writer_look_again(struct writer *writer)
{
	wishes_forget_written(&writer->wishes);
	writer_look_at_all(writer);
}

void writer_let_go(struct writer *writer, const char *namespace, const char *name)
{
	wishes_note_let_go(&writer->wishes, namespace, name);
	writer_look(writer, namespace, name);
}

void writer_publish(struct writer *writer, struct addresses *published)
{
	if (wishes_set_published(&writer->wishes, published)) {
		writer_look_at_all(writer);
	}
}

const struct addresses *writer_published(const struct writer *writer)
{
	return writer->wishes.is_publishing ? &writer->wishes.published : NULL;
}

static void warn(struct writer *writer, const struct write *write, const struct kube_result *result)
{
	unsigned n_skipped;

	if (!log_limit_pass(&writer->warn_limit, clock_now_ms(), WARN_INTERVAL_MS, &n_skipped)) {
		return;
	}
	CLEANUP(free_ptr)
	char *object = xasprintf("%s/%s", write->item->namespace, write->item->name);
	log_line(LOG_WARN, "can't write the status of an Ingress", "ingress", object, "status",
		log_num(result->status), "error",
		result->error		? result->error
		: result->status == 403 ? "forbidden: let the controller patch ingresses/status"
					: "",
		"not_logged", log_num(n_skipped), NULL);
}

static void on_reply(void *ctx, const struct kube_result *result, const char *body)
{
	struct write *write = ctx;
	struct writer *writer = write->writer;
	struct queue_item *item = write->item;
	enum queue_result outcome = queue_result_of(result->status);

	(void)body;
	if (outcome == QUEUE_OK) {
		metrics_add(METRIC_STATUS_WRITES, "success", 1);
		wishes_note_written(
			&writer->wishes, item->namespace, item->name, write->before, write->after);
		/* What it is to be may have changed meanwhile. */
		item->is_again = item->is_again || wish_of(&writer->wishes, item->namespace,
							   item->name, true) != WISH_NOTHING;
	} else if (result->status != 404) {
		metrics_add(METRIC_STATUS_WRITES,
			outcome == QUEUE_CONFLICT && result->status == 409 ? "conflict" : "error",
			1);
		warn(writer, write, result);
	}
	queue_end(&writer->queue, item, outcome, (uint32_t)result->retry_after_seconds * 1000,
		clock_now_ms());
	free(write);
	wake(writer);
}

static void start(struct writer *writer, struct queue_item *item)
{
	struct buf path = BUF_INIT(0);
	struct buf body = BUF_INIT(0);
	enum wish wish = wish_of(&writer->wishes, item->namespace, item->name, false);

	if (wish == WISH_NOTHING) {
		queue_end(&writer->queue, item, QUEUE_SKIPPED, 0, clock_now_ms());
		return;
	}
	struct write *write = xcalloc(1, sizeof(*write));
	*write = (struct write){
		.writer = writer,
		.item = item,
		.before = wish_status(&writer->wishes, item->namespace, item->name),
		.after = wish_outcome(&writer->wishes, wish),
	};
	item->running = write;
	buf_printf(&path, "%s/namespaces/%s/%s/%s/status", kube_kinds[KUBE_INGRESS].path,
		item->namespace, kube_kinds[KUBE_INGRESS].resource, item->name);
	wish_write(&writer->wishes, wish, &body);
	write->request = kube_client_call(
		writer->options.client, &(struct kube_call){
						.method = KUBE_PATCH,
						.path_and_query = buf_str(&path),
						.content_type = "application/merge-patch+json",
						.body = buf_str(&body),
						.idle_seconds = IDLE_SECONDS,
						.on_reply = on_reply,
						.ctx = write,
					});
	buf_fini(&path);
	buf_fini(&body);
}

static void on_event(evutil_socket_t fd, short what, void *ctx)
{
	struct writer *writer = ctx;
	struct queue_item *item;
	uint64_t wait_ms = QUEUE_NEVER;

	(void)fd;
	(void)what;
	while (writer->is_active && writer->options.may_write(writer->options.ctx) &&
		(item = queue_take(&writer->queue, clock_now_ms(), &wait_ms)) != NULL) {
		start(writer, item);
	}
	metrics_set(METRIC_STATUS_WAITING, NULL, (double)queue_count(&writer->queue));
	if (wait_ms != QUEUE_NEVER) {
		struct timeval wait = {
			(time_t)(wait_ms / 1000), (suseconds_t)(wait_ms % 1000 * 1000)};
		event_add(writer->event, &wait);
	}
}

static void give_up(struct writer *writer)
{
	struct queue_item *item = TAILQ_FIRST(&writer->queue.running);

	for (; item != NULL; item = TAILQ_NEXT(item, next)) {
		struct write *write = item->running;
		kube_request_cancel(write->request);
		free(write);
	}
	queue_clear(&writer->queue);
	wishes_forget_written(&writer->wishes);
}

void writer_set_active(struct writer *writer, bool is_active)
{
	writer->is_active = is_active;
	if (is_active) {
		writer_look_at_all(writer);
	} else {
		give_up(writer);
	}
	wake(writer);
}

struct writer *writer_new(const struct writer_options *options)
{
	static const struct queue_limits limits = {
		.max_running = WRITER_MAX_RUNNING,
		.per_second = WRITER_PER_SECOND,
		.burst = WRITER_BURST,
	};
	struct writer *writer = xcalloc(1, sizeof(*writer));
	uint64_t seed;

	evutil_secure_rng_get_bytes(&seed, sizeof(seed));
	writer->options = *options;
	writer->wishes = (struct wishes){.store = options->store, .model = options->model};
	queue_init(&writer->queue, &limits, seed, clock_now_ms());
	writer->event = evtimer_new(options->base, on_event, writer);
	return writer;
}

void writer_free(struct writer *writer)
{
	if (writer == NULL) {
		return;
	}
	give_up(writer);
	queue_fini(&writer->queue);
	wishes_fini(&writer->wishes);
	event_free(writer->event);
	free(writer);
}
