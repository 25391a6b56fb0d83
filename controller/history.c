/* See history.h. */
#include "history.h"

#include "pass_log.h"

#define US_A_SECOND 1000000

void history_add_reload(struct history *history, const struct history_reload *reload)
{
	history->reloads[history->n_reloads++ % HISTORY_RELOADS] = *reload;
}

static void write_pass(const struct history_pass *pass, struct buf *json)
{
	if (pass->at_us == 0) {
		buf_append_str(json, "null");
		return;
	}
	buf_printf(json,
		"{\"at\":%lld,\"result\":\"%s\",\"changes\":%zu,\"operations\":%zu,\"busy\":%zu,"
		"\"took_us\":%llu}",
		(long long)(pass->at_us / US_A_SECOND), pass->result, pass->n_changes, pass->n_done,
		pass->n_busy, (unsigned long long)pass->took_us);
}

static void write_reload(const struct history_reload *reload, struct buf *json)
{
	struct buf reasons = BUF_INIT(0);

	pass_name_reasons(reload->reasons, &reasons);
	buf_printf(json, "{\"at\":%lld,\"reasons\":\"%s\",\"result\":\"%s\"}",
		(long long)(reload->at_us / US_A_SECOND), buf_str(&reasons),
		reload->is_refused ? "refused" : "success");
	buf_fini(&reasons);
}

void history_write(const struct history *history, struct buf *json)
{
	size_t n = history->n_reloads < HISTORY_RELOADS ? history->n_reloads : HISTORY_RELOADS;

	buf_append_str(json, "\"last_pass\":");
	write_pass(&history->pass, json);
	buf_printf(json, ",\"n_reloads\":%zu,\"reloads\":[", history->n_reloads);
	for (size_t i = 0; i < n; i++) {
		size_t at = (history->n_reloads - 1 - i) % HISTORY_RELOADS;
		buf_append_str(json, i > 0 ? "," : "");
		write_reload(&history->reloads[at], json);
	}
	buf_append_char(json, ']');
}
