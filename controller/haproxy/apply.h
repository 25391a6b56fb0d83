/*
 * Carries out the operations of a plan: phase by phase, and inside a phase step by step (rules[] in
 * apply.c), each step pipelined and the next one sent when every answer of the one before is there.
 * What HAProxy confirms is entered into `applied` at once, one operation at a time.
 *
 * What a refusal takes with it (result SKIPPED, nothing is sent):
 *   - an operation in PREPARE: the operations that build on it (everything in a backend that could
 * not be added, the enabling of a server that could not be added or moved), the map entries that
 * would lead to that backend, and hosts that would appear without such an entry: requests stay
 * where they were;
 *   - so that there is still something where they were: what RETIRE would take away from that
 * backend, and from the backends that entries go on leading to because they were not changed;
 *   - an operation in RETIRE: the deletion that it should have made possible.
 * A backend whose server is busy is busy as well. Everything else goes on.
 *
 * An operation that encode_op() can't write is refused without being sent.
 */
#ifndef HG_HAPROXY_APPLY_H
#define HG_HAPROXY_APPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "haproxy/cli.h"
#include "plan/applied.h"
#include "plan/plan.h"

/* Bytes of commands whose answers are awaited: enough to keep HAProxy busy, little enough to stay
 * small. */
#define APPLY_WINDOW ((size_t)1 << 20)

struct apply;

struct apply_result {
	size_t n_sent;
	size_t n_done;
	size_t n_busy;	  /* to be tried again soon: a server or backend that requests still use */
	size_t n_refused; /* unexpected: `applied` must be read back */
	size_t n_skipped;
	bool is_lost;			     /* the connection broke: `applied` must be read back */
	const struct plan_op *first_refused; /* borrowed from the plan; NULL = none */
	const char *first_text; /* HAProxy's words; borrowed for the call; NULL = none */
};

typedef void (*apply_done_fn)(void *ctx, const struct apply_result *result);

/*
 * `plan` and `applied` are borrowed until on_done, which is called from the event loop, never from
 * inside apply_start(). The object is freed by itself after on_done. Results are left in
 * plan->ops[].result: PENDING = not sent because the connection broke.
 */
struct apply *apply_start(struct cli *cli, const char *map_dir, struct plan *plan,
	struct applied *applied, apply_done_fn on_done, void *ctx) MUST_USE;

/* Stops without calling on_done; what is on its way may still be carried out, so `applied` must be
 * read back. Before cli_free(). */
void apply_cancel(struct apply *apply);

#endif
