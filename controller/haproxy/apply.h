/*
 * Carries out the operations of a plan: sorted by step, the steps of a group (rules[] in apply.c)
 * all pipelined, and the next group begun when every answer of the one before is there. The groups:
 * prepare; entries added and changed; entries deleted; servers taken out; backends taken out. What
 * HAProxy confirms is entered into `applied` at once, one operation at a time.
 *
 * What a refusal takes with it (result SKIPPED, nothing is sent):
 *   - an operation in PREPARE: the map entries that would lead to that backend, and hosts that
 * would appear without such an entry: requests stay where they were;
 *   - so that there is still something where they were: what RETIRE would take away from that
 * backend, and from the backends that entries go on leading to because they were not changed;
 *   - the disabling or deletion of a server: the taking out of its backend;
 *   - the making of a certificate: the taking out of certificates that are for one of the same
 * names; what is left of it in HAProxy is replaced by the next plan. A backend whose server is busy
 * is busy as well. Everything else goes on.
 *
 * Certificates are changed in transactions, of which HAProxy has one for everybody: the next is
 * begun when the one before is confirmed, and one that was refused is aborted.
 *
 * An operation that encode_op() can't write is refused without being sent. That is known at once,
 * so what builds on it in its own group is skipped too: everything in a backend that could not be
 * added, the enabling of a server that could not be added, a host without its entry, a deletion
 * that nothing prepared.
 *
 * What HAProxy refuses is known only when the rest of the group is on its way. Most of that it
 * refuses as well: it adds nothing to and enables nothing in what is not there, and deletes no
 * server that is not in maintenance and no backend that is published or has servers. What it does
 * carry out, until the caller has read everything back and made a new plan, as it must after a
 * refusal:
 *   - where it has a backend that `applied` lacks, only the adding of the backend is refused;
 * servers are added to it, which `applied` is not told;
 *   - a host appears although one of its paths was refused.
 * The enabling of a server is not among them: where its backend was there before, it waits until
 * the address is confirmed.
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

/* Backends that are added or deleted without waiting for an answer. Each takes HAProxy 3.4 longer
 * the more it has (12 ms with 100,000), nothing else is served meanwhile, and what it has read at
 * once it carries out before it writes an answer: more would pass CLI_DEADLINE_MS. */
#define APPLY_MAX_BACKENDS 16

struct apply;

/* Where a plan is carried out. */
struct apply_target {
	struct cli *cli;
	const char *map_dir; /* of the map files, as HAProxy knows it; copied */
	struct applied *applied;
};

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
 * `plan`, the cli and `applied` are borrowed until on_done, which is called from the event loop,
 * never from inside apply_start(). The object is freed by itself after on_done. Results are left in
 * plan->ops[].result: PENDING = not sent because the connection broke.
 */
struct apply *apply_start(const struct apply_target *target, struct plan *plan,
	apply_done_fn on_done, void *ctx) MUST_USE;

/* Stops without calling on_done; what is on its way may still be carried out, so `applied` must be
 * read back. Before cli_free(). */
void apply_cancel(struct apply *apply);

#endif
