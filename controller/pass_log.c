/* See pass_log.h. */
#include "pass_log.h"

#include "base/log.h"

void pass_log(const struct pass_outcome *outcome)
{
	const struct apply_result *applied = outcome->applied;
	uint32_t wanted = outcome->plan->reasons;
	/* A server that drains is asked again and again: that is no news. */
	bool is_news = (applied && applied->n_done > 0) || (wanted != 0 && outcome->is_reload_news);
	struct buf reasons = BUF_INIT(0);

	pass_name_reasons(wanted, &reasons);
	log_line(is_news ? LOG_INFO : LOG_DEBUG, "pass", "result", outcome->result, "changes",
		log_num((int64_t)outcome->n_changes), "operations",
		log_num(applied ? (int64_t)applied->n_done : 0), "busy",
		log_num(applied ? (int64_t)applied->n_busy : 0), "took_ms",
		log_ms(outcome->took_us), "reload", reasons.len > 0 ? buf_str(&reasons) : "no",
		NULL);
	buf_fini(&reasons);
}

void pass_name_reasons(uint32_t reasons, struct buf *buf)
{
	for (int i = 0; i < PLAN_REASON_COUNT; i++) {
		if (reasons & (1u << i)) {
			buf_printf(buf, "%s%s", buf->len > 0 ? "," : "", plan_reason_names[i]);
		}
	}
}
