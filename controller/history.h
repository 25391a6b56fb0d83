/*
 * What has happened lately, for people who ask (`headgate status`): the last pass that did
 * something, and the last reloads. Owned by reconcile; written by pass_log. Of constant size.
 */
#ifndef HG_HISTORY_H
#define HG_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define HISTORY_RELOADS 8

struct history_pass {
	int64_t at_us;	    /* wall clock; 0 = there was none */
	const char *result; /* label of headgate_reconcile_total */
	size_t n_changes;   /* objects that it took up */
	size_t n_done;	    /* operations that HAProxy confirmed */
	size_t n_busy;	    /* that it put off */
	uint64_t took_us;
};

struct history_reload {
	int64_t at_us;
	uint32_t reasons; /* bits 1 << PLAN_REASON_x */
	bool is_refused;
};

/* Zeroed = nothing has happened. */
struct history {
	struct history_pass pass;
	struct history_reload reloads[HISTORY_RELOADS]; /* a ring */
	size_t n_reloads;				/* since the start */
};

void history_add_reload(struct history *history, const struct history_reload *reload);

/* Appends `"last_pass":{…},"reloads":[…]`, the newest reload first; times are Unix seconds. */
void history_write(const struct history *history, struct buf *json);

#endif
