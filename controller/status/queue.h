/*
 * Objects that something is to be written about: when each is due, how many at once, and what comes
 * after a failure. A state machine without I/O and clock: the caller passes the time and does the
 * writing, and makes what is written when it is written - so the last value wins, and an object
 * that is added ten times while it waits is written once.
 *
 *   queue_add ──> ready ──queue_take──> running ──queue_end──> gone, or ready again when it was
 *                   ^                      │                    added meanwhile
 *                   └──── later <──failed──┘
 *
 * A failure that is one object's (409) waits with that object alone; one that is everybody's (no
 * answer, 429, 5xx) holds the whole queue back, so that an outage is asked after once in a while
 * and not once an object.
 */
#ifndef HG_STATUS_QUEUE_H
#define HG_STATUS_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/attr.h"
#include "base/backoff.h"
#include "base/table.h"
#include "status/bucket.h"

#define QUEUE_RETRY_FIRST_MS 500
#define QUEUE_RETRY_MAX_MS   60000  /* of the queue */
#define QUEUE_OBJECT_MAX_MS  600000 /* of one object */

/* Nothing becomes due by itself. */
#define QUEUE_NEVER UINT64_MAX

struct queue_limits {
	size_t max_items; /* 0 = no own limit: the caller knows one */
	unsigned max_running;
	uint32_t per_second;
	uint32_t burst;
};

/* The caller reads the two names and the user's pointer. */
struct queue_item {
	TAILQ_ENTRY(queue_item) next;
	char *namespace; /* owned */
	char *name;	 /* in the block of the namespace */
	void *running;	 /* the caller's, while it is running */
	uint64_t due_ms; /* while it waits for a second try */
	struct backoff backoff;
	uint8_t state; /* of queue.c */
	bool is_again; /* added while it was running */
};

TAILQ_HEAD(queue_list, queue_item);

struct queue {
	struct queue_limits limits;
	struct bucket bucket;
	struct table items; /* by namespace and name */
	struct queue_list ready;
	struct queue_list later; /* the next due one first */
	struct queue_list running;
	unsigned n_running;
	struct backoff pause;
	uint64_t paused_until_ms;
};

void queue_init(
	struct queue *queue, const struct queue_limits *limits, uint64_t seed, uint64_t now_ms);
void queue_fini(struct queue *queue);

/* Forgets all items, the running ones too; limits and pauses stay as they are. */
void queue_clear(struct queue *queue);

/* Due at once (0), or at that time, unless it waits already. false = the queue is full: nothing was
 * added. */
bool queue_add(struct queue *queue, const char *namespace, const char *name, uint64_t due_ms);
bool queue_is_running(const struct queue *queue, const char *namespace, const char *name) MUST_USE;

/* The next object that may be written now; NULL = none: *ret_wait_ms until it is worth asking. */
struct queue_item *queue_take(struct queue *queue, uint64_t now_ms, uint64_t *ret_wait_ms) MUST_USE;

enum queue_result {
	QUEUE_OK,
	QUEUE_SKIPPED,	/* nothing was to be written: the token goes back */
	QUEUE_REFUSED,	/* trying again is of no use */
	QUEUE_CONFLICT, /* this object's trouble */
	QUEUE_OUTAGE,	/* everybody's */
};

/* Ends what queue_take() began; `item` may be gone afterwards. `min_wait_ms` (Retry-After) makes
 * the wait longer. */
void queue_end(struct queue *queue, struct queue_item *item, enum queue_result result,
	uint32_t min_wait_ms, uint64_t now_ms);

/* What an HTTP status says about a write; 0 = no answer. */
enum queue_result queue_result_of(long status) MUST_USE;

size_t queue_count(const struct queue *queue) MUST_USE;

#endif
