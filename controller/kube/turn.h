/*
 * One at a time: whoever wants to do something expensive takes a turn, waits until it comes, and
 * gives it back. First come, first served. The reflectors of one client take turns at listing.
 */
#ifndef HG_KUBE_TURN_H
#define HG_KUBE_TURN_H

#include <stdbool.h>
#include <sys/queue.h>

/* It is your turn. Called from turn_take() itself when nobody is before you, otherwise from
 * somebody's turn_release(). */
typedef void (*turn_fn)(void *ctx);

/* Somebody who takes turns; lives in the caller's memory, zeroed before use. */
struct turn {
	TAILQ_ENTRY(turn) next;
	turn_fn on_turn;
	void *ctx;
	bool is_queued; /* waiting or at it */
};

struct turn_queue {
	TAILQ_HEAD(turn_list, turn) turns; /* the first one is at it */
};

void turn_queue_init(struct turn_queue *queue);

/* Must not be queued already. */
void turn_take(struct turn_queue *queue, struct turn *turn, turn_fn on_turn, void *ctx);

/* Gives the turn back, or stops waiting for it; nothing happens when not queued. */
void turn_release(struct turn_queue *queue, struct turn *turn);

#endif
