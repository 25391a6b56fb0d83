/*
 * Deciding: the difference between what is wanted and what HAProxy has, as a list of operations,
 * reasons for a reload, or nothing. Pure: no I/O, no clock, no log; the same arguments give the
 * same plan.
 *
 * Operations are sorted by phase: prepare, switch, retire. Those that can be done live are in the
 * list even when a reload is needed for the rest: nobody waits for a reload who does not have to. A
 * map entry whose backend needs the reload is left as it is, and so is the backend that it leads to
 * meanwhile.
 */
#ifndef HG_PLAN_PLAN_H
#define HG_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"
#include "plan/applied.h"
#include "plan/caps.h"

/*
 * With so many backends wanted and none there, HAProxy reads them from its files rather than being
 * told of each: `add backend` of 3.4 walks along all that it has, so that n of them cost n * n (on
 * one machine 0.08 ms with 1,000, 0.9 ms with 10,000, 12 ms with 100,000), while a start costs
 * 0.13 ms for each.
 */
#define PLAN_COLD_BACKENDS 2500

enum plan_phase { PLAN_PREPARE, PLAN_SWITCH, PLAN_RETIRE, PLAN_PHASE_COUNT };

enum plan_op_kind {
#define OP(id, phase, name) PLAN_OP_##id,
#include "plan/ops.def"
	PLAN_OP_COUNT
};

struct plan_op_info {
	enum plan_phase phase;
	const char *name;
};

extern const struct plan_op_info plan_ops[PLAN_OP_COUNT];

enum plan_reason {
#define REASON(id, name, text) PLAN_REASON_##id,
#include "plan/reasons.def"
	PLAN_REASON_COUNT
};

extern const char *const plan_reason_names[PLAN_REASON_COUNT];

/* Those (bits) of a HAProxy that runs with other settings than are wanted. */
#define PLAN_REASONS_OF_SETTINGS                                                                   \
	(1u << PLAN_REASON_SETTINGS | 1u << PLAN_REASON_ERROR_PAGES |                              \
		1u << PLAN_REASON_TCP_SERVICES)

/* How an operation went; filled by haproxy/apply. */
enum plan_result {
	PLAN_PENDING = 0,
	PLAN_DONE,    /* confirmed by HAProxy */
	PLAN_BUSY,    /* requests still use the server or backend: try again later */
	PLAN_REFUSED, /* HAProxy said no, or something that we do not understand */
	PLAN_SKIPPED, /* not sent: what it builds on was refused */
	PLAN_LOST,    /* the connection broke: it may have been done or not */
};

/* Unused members are NULL. All texts but `pem` live as long as the plan. */
struct plan_op {
	enum plan_op_kind kind;
	enum plan_result result;
	enum model_map map;	 /* MAP_* */
	const char *backend;	 /* BACKEND_*, SERVER_* */
	const char *server;	 /* SERVER_* */
	const char *address;	 /* SERVER_ADD, SERVER_ADDRESS */
	const char *key;	 /* MAP_* */
	const char *value;	 /* MAP_ADD, MAP_SET */
	const char *certificate; /* CERT_*, CA_*, SHOWN_*: its name */
	const char *hosts;	 /* CERT_LIST: with blanks between them */
	const char *pem; /* *_SET; may have a key; borrowed from the model until its next change */
	const char *fingerprint; /* CERT_COMMIT of the default */
};

struct plan {
	struct plan_op *ops; /* sorted by phase */
	size_t n_ops;
	uint32_t reasons; /* bit 1 << PLAN_REASON_x; 0 = no reload */
	struct arena arena;
	size_t n_allocated;
};

/*
 * Plans for what `delta` names, or for everything when it is NULL. `plan` is zeroed memory; release
 * with plan_fini().
 */
void plan_make(struct plan *plan, const struct model *model, const struct applied *applied,
	const struct caps *caps, const struct model_delta *delta);
void plan_fini(struct plan *plan);

/* The reasons for a reload that a plan for everything would have. */
uint32_t plan_reasons(
	const struct model *model, const struct applied *applied, const struct caps *caps) MUST_USE;

static inline bool plan_is_noop(const struct plan *plan)
{
	return plan->n_ops == 0 && plan->reasons == 0;
}

/* Is nothing left to prepare, to switch or to reload for? */
bool plan_only_retires(const struct plan *plan) MUST_USE;

/* One line an operation, then "reload <reason>" lines, or "noop". For tests, debug log and
 * `headgate plan`. */
void plan_dump(const struct plan *plan, struct buf *buf);

#endif
