/* See pass_log.h. */
#include "pass_log.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

void pass_log(struct history *history, const struct pass_outcome *outcome)
{
	const struct apply_result *applied = outcome->applied;
	uint32_t wanted = outcome->plan->reasons;
	/* A server that drains is asked again and again: that is no news. */
	bool is_news = (applied && applied->n_done > 0) || (wanted != 0 && outcome->is_reload_news);
	struct buf reasons = BUF_INIT(0);

	if (is_news) {
		history->pass = (struct history_pass){.at_us = clock_wall_us(),
			.result = outcome->result,
			.n_changes = outcome->n_changes,
			.n_done = applied ? applied->n_done : 0,
			.n_busy = applied ? applied->n_busy : 0,
			.took_us = outcome->took_us};
	}
	pass_name_reasons(wanted, &reasons);
	log_line(is_news ? LOG_INFO : LOG_DEBUG, "pass", "result", outcome->result, "changes",
		log_num((int64_t)outcome->n_changes), "operations",
		log_num(applied ? (int64_t)applied->n_done : 0), "busy",
		log_num(applied ? (int64_t)applied->n_busy : 0), "took_ms",
		log_ms(outcome->took_us), "reload", reasons.len > 0 ? buf_str(&reasons) : "no",
		NULL);
	buf_fini(&reasons);
}

void pass_log_plan(const struct plan *plan)
{
	struct buf text = BUF_INIT(0);

	if (log_is_on(LOG_DEBUG)) {
		plan_dump(plan, &text);
		log_line(LOG_DEBUG, "plan", "operations", buf_str(&text), NULL);
	}
	buf_fini(&text);
}

void pass_log_reload(struct history *history, uint32_t reasons, bool is_refused)
{
	for (int i = 0; i < PLAN_REASON_COUNT && !is_refused; i++) {
		if (reasons & (1u << i)) {
			metrics_add(METRIC_RELOADS, plan_reason_names[i], 1);
		}
	}
	if (is_refused) {
		metrics_add(METRIC_RELOAD_ERRORS, NULL, 1);
	}
	history_add_reload(history, &(struct history_reload){clock_wall_us(), reasons, is_refused});
}

void pass_log_reloading(uint32_t reasons)
{
	struct buf names = BUF_INIT(0);

	pass_name_reasons(reasons, &names);
	log_line(LOG_INFO, "reloading HAProxy", "reason", buf_str(&names), NULL);
	buf_fini(&names);
}

void pass_log_refusal(const struct apply_result *applied)
{
	metrics_add(METRIC_RECONCILES, "error", 1);
	metrics_add(METRIC_RECONCILE_ERRORS, NULL, 1);
	if (applied->first_refused != NULL) {
		const struct plan_op *op = applied->first_refused;
		log_line(LOG_ERROR, "HAProxy refused a change: reading back what it has",
			"operation", plan_ops[op->kind].name, "object",
			op->certificate ? op->certificate
			: op->key	? op->key
					: op->backend,
			"answer", applied->first_text, "refused",
			log_num((int64_t)applied->n_refused), NULL);
	}
}

void pass_name_reasons(uint32_t reasons, struct buf *buf)
{
	size_t start = buf->len;

	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		if (reasons & (1u << i)) {
			buf_printf(buf, "%s%s", buf->len > start ? "," : "", plan_reason_names[i]);
		}
	}
}
