/*
 * When HAProxy is audited (haproxy/audit): every so often and when somebody asks; one audit at a
 * time. It logs and counts what is found, and keeps the last result for whoever wants to read it.
 * Owned by reconcile, which says when HAProxy can be asked.
 */
#ifndef HG_AUDITOR_H
#define HG_AUDITOR_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "haproxy/audit.h"

/* Differences that are logged one by one, and kept to be read; more are only counted. */
#define AUDITOR_MAX_SHOWN 20

struct auditor;

struct auditor_options {
	struct event_base *base;
	unsigned interval_seconds; /* 0 = only when asked */
	/* False = HAProxy can't be asked now; auditor_on_rest() is called when it can. */
	bool (*get_target)(void *ctx, struct audit_target *ret_target);
	/* `applied` has been corrected: plan for these keys, which are taken (emptied). */
	void (*on_repair)(void *ctx, struct model_delta *delta);
	void *ctx;
};

struct auditor *auditor_new(const struct auditor_options *options) MUST_USE;
void auditor_free(struct auditor *auditor);

/*
 * Audits as soon as possible; when one is running already, once more after it, as that one may have
 * passed by what the caller has in mind. Returns the number of that audit: auditor_write() has its
 * result when it has the number or a higher one.
 */
uint64_t auditor_request(struct auditor *auditor);

/* A pass is about to carry out this plan. */
void auditor_on_pass(struct auditor *auditor, const struct plan *plan);

/* No pass runs, and `applied` is what HAProxy has. */
void auditor_on_rest(struct auditor *auditor);

/* `applied` is about to be thrown away. What is running begins anew with the next one. */
void auditor_on_doubt(struct auditor *auditor);

/*
 * Appends the result of the last audit as one JSON object:
 *
 *   {"number":3,"result":"drift","error":"","took_ms":12,"entries":40,"backends":10,"servers":20,
 *    "certificates":2,"drift":{"entry-missing":1},
 *    "found":[{"kind":"entry-missing","object":"hosts.map a.test","expected":"a.test","found":""}]}
 *
 * result: "clean", "drift" (found, and being repaired), "failed" (see error), "none" yet. At most
 * AUDITOR_MAX_SHOWN are in `found`.
 */
void auditor_write(const struct auditor *auditor, struct buf *json);

/* Requests one and appends {"number":N}, or appends the result. */
void auditor_answer(struct auditor *auditor, bool is_start, struct buf *json);

#endif
