/* What the log says about passes and reloads. */
#ifndef HG_PASS_LOG_H
#define HG_PASS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "haproxy/apply.h"
#include "history.h"
#include "plan/plan.h"

/* All borrowed. */
struct pass_outcome {
	const char *result; /* label of headgate_reconcile_total */
	const struct plan *plan;
	const struct apply_result *applied; /* NULL = there was nothing to do */
	size_t n_changes;
	uint64_t took_us;
	bool is_reload_news; /* nobody knows yet that a reload is needed, if it is */
};

/* One line: at level info if it says anything new. What did something is the last pass of
 * `history`. */
void pass_log(struct history *history, const struct pass_outcome *outcome);

/* All operations of a plan, at level debug. */
void pass_log_plan(const struct plan *plan);

/* HAProxy was reloaded, or refused to be, for these reasons: counted, and put into `history`. */
void pass_log_reload(struct history *history, uint32_t reasons, bool is_refused);

/* HAProxy is about to be reloaded. */
void pass_log_reloading(uint32_t reasons);

/* A pass has failed: counted. HAProxy has refused an operation, perhaps: a line about the first. */
void pass_log_refusal(const struct apply_result *applied);

/* Appends the names of reasons (bits 1 << PLAN_REASON_x) with commas between them. */
void pass_name_reasons(uint32_t reasons, struct buf *buf);

#endif
