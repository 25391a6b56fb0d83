/* See turn.h. Called by kube/reflector.c; the queue itself belongs to kube/client.c. Knows nothing
 * of what the turns are for. */
#include "kube/turn.h"

#include <assert.h>
#include <stddef.h>

void turn_queue_init(struct turn_queue *queue)
{
	TAILQ_INIT(&queue->turns);
}

void turn_take(struct turn_queue *queue, struct turn *turn, turn_fn on_turn, void *ctx)
{
	bool is_first = TAILQ_EMPTY(&queue->turns);

	assert(!turn->is_queued);
	turn->on_turn = on_turn;
	turn->ctx = ctx;
	turn->is_queued = true;
	TAILQ_INSERT_TAIL(&queue->turns, turn, next);
	if (is_first) {
		on_turn(ctx);
	}
}

void turn_release(struct turn_queue *queue, struct turn *turn)
{
	if (!turn->is_queued) {
		return;
	}
	bool was_first = TAILQ_FIRST(&queue->turns) == turn;

	TAILQ_REMOVE(&queue->turns, turn, next);
	turn->is_queued = false;
	struct turn *first = TAILQ_FIRST(&queue->turns);
	if (was_first && first != NULL) {
		first->on_turn(first->ctx);
	}
}
