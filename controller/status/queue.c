/* See queue.h. */
#include "status/queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum { READY, LATER, RUNNING };

struct key {
	const char *namespace;
	const char *name;
};

static uint32_t hash_key(const char *namespace, const char *name)
{
	return hash_more(hash_str(namespace), name, strlen(name));
}

static bool item_has_key(const void *item_ptr, const void *key_ptr)
{
	const struct queue_item *item = item_ptr;
	const struct key *key = key_ptr;

	return strcmp(item->name, key->name) == 0 && strcmp(item->namespace, key->namespace) == 0;
}

static struct queue_item *find(const struct queue *queue, const char *namespace, const char *name)
{
	struct key key = {namespace, name};

	return table_find(&queue->items, hash_key(namespace, name), &key, item_has_key);
}

void queue_init(
	struct queue *queue, const struct queue_limits *limits, uint64_t seed, uint64_t now_ms)
{
	*queue = (struct queue){.limits = *limits};
	bucket_init(&queue->bucket, limits->per_second, limits->burst, now_ms);
	TAILQ_INIT(&queue->ready);
	TAILQ_INIT(&queue->later);
	TAILQ_INIT(&queue->running);
	backoff_init(&queue->pause, QUEUE_RETRY_FIRST_MS, QUEUE_RETRY_MAX_MS, UINT32_MAX);
	backoff_seed(&queue->pause, seed);
}

static void free_item(struct queue_item *item)
{
	free(item->namespace);
	free(item);
}

void queue_clear(struct queue *queue)
{
	struct queue_item *item;

	TABLE_FOREACH (&queue->items, item) {
		free_item(item);
	}
	table_fini(&queue->items);
	TAILQ_INIT(&queue->ready);
	TAILQ_INIT(&queue->later);
	TAILQ_INIT(&queue->running);
	queue->n_running = 0;
}

void queue_fini(struct queue *queue)
{
	queue_clear(queue);
}

static void make_ready(struct queue *queue, struct queue_item *item)
{
	item->state = READY;
	item->is_again = false;
	TAILQ_INSERT_TAIL(&queue->ready, item, next);
}

/* Behind all that are due before it; nearly always at the end. */
static void make_later(struct queue *queue, struct queue_item *item, uint64_t due_ms)
{
	struct queue_item *before = TAILQ_LAST(&queue->later, queue_list);

	item->state = LATER;
	item->due_ms = due_ms;
	while (before != NULL && before->due_ms > due_ms) {
		before = TAILQ_PREV(before, queue_list, next);
	}
	if (before == NULL) {
		TAILQ_INSERT_HEAD(&queue->later, item, next);
	} else {
		TAILQ_INSERT_AFTER(&queue->later, before, item, next);
	}
}

bool queue_add(struct queue *queue, const char *namespace, const char *name, uint64_t due_ms)
{
	struct queue_item *item = find(queue, namespace, name);

	if (item != NULL) {
		item->is_again = item->state == RUNNING;
		return true;
	}
	if (queue->limits.max_items > 0 && queue->items.n_items >= queue->limits.max_items) {
		return false;
	}
	item = xcalloc(1, sizeof(*item));
	item->namespace = xstrpair(namespace, name, &item->name);
	backoff_init(&item->backoff, QUEUE_RETRY_FIRST_MS, QUEUE_OBJECT_MAX_MS, UINT32_MAX);
	backoff_seed(&item->backoff, queue->pause.random + hash_key(namespace, name));
	table_insert(&queue->items, hash_key(namespace, name), item);
	if (due_ms > 0) {
		make_later(queue, item, due_ms);
	} else {
		make_ready(queue, item);
	}
	return true;
}

bool queue_is_running(const struct queue *queue, const char *namespace, const char *name)
{
	const struct queue_item *item = find(queue, namespace, name);

	return item != NULL && item->state == RUNNING;
}

static void wake_due(struct queue *queue, uint64_t now_ms)
{
	struct queue_item *item;

	while ((item = TAILQ_FIRST(&queue->later)) != NULL && item->due_ms <= now_ms) {
		TAILQ_REMOVE(&queue->later, item, next);
		make_ready(queue, item);
	}
}

struct queue_item *queue_take(struct queue *queue, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	wake_due(queue, now_ms);
	struct queue_item *item = TAILQ_FIRST(&queue->ready);
	const struct queue_item *later = TAILQ_FIRST(&queue->later);

	if (queue->n_running >= queue->limits.max_running) {
		*ret_wait_ms = QUEUE_NEVER; /* the end of one of them is what is waited for */
		return NULL;
	}
	if (item == NULL) {
		*ret_wait_ms = later ? later->due_ms - now_ms : QUEUE_NEVER;
		return NULL;
	}
	if (now_ms < queue->paused_until_ms) {
		*ret_wait_ms = queue->paused_until_ms - now_ms;
		return NULL;
	}
	if (!bucket_take(&queue->bucket, now_ms, ret_wait_ms)) {
		return NULL;
	}
	TAILQ_REMOVE(&queue->ready, item, next);
	item->state = RUNNING;
	TAILQ_INSERT_TAIL(&queue->running, item, next);
	queue->n_running++;
	return item;
}

static void forget(struct queue *queue, struct queue_item *item)
{
	struct key key = {item->namespace, item->name};

	table_remove(&queue->items, hash_key(key.namespace, key.name), &key, item_has_key);
	free_item(item);
}

static uint32_t longer(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void queue_end(struct queue *queue, struct queue_item *item, enum queue_result result,
	uint32_t min_wait_ms, uint64_t now_ms)
{
	TAILQ_REMOVE(&queue->running, item, next);
	queue->n_running--;
	item->running = NULL;
	switch (result) {
	case QUEUE_SKIPPED:
		bucket_return(&queue->bucket);
		break;
	case QUEUE_OUTAGE:
		/* What was already on its way when the pause began tells nothing new. */
		if (now_ms >= queue->paused_until_ms) {
			queue->paused_until_ms =
				now_ms + longer(backoff_fail(&queue->pause, now_ms), min_wait_ms);
		}
		make_ready(queue, item);
		return;
	case QUEUE_CONFLICT:
		make_later(queue, item,
			now_ms + longer(backoff_fail(&item->backoff, now_ms), min_wait_ms));
		return;
	case QUEUE_OK:
	case QUEUE_REFUSED:
		backoff_reset(&queue->pause);
		break;
	}
	if (item->is_again) {
		backoff_reset(&item->backoff);
		make_ready(queue, item);
	} else {
		forget(queue, item);
	}
}

enum queue_result queue_result_of(long status)
{
	if (status >= 200 && status < 300) {
		return QUEUE_OK;
	}
	if (status == 0 || status == 401 || status == 429 || status >= 500) {
		return QUEUE_OUTAGE;
	}
	/* 403 is a missing permission, or a policy that refuses this one object. */
	return status == 409 || status == 403 ? QUEUE_CONFLICT : QUEUE_REFUSED;
}

size_t queue_count(const struct queue *queue)
{
	return queue->items.n_items;
}
