/* The inside of plan, shared by plan.c (backends, maps, certificates, the order of everything) and
 * plan_servers.c. */
#ifndef HG_PLAN_PLAN_PRIV_H
#define HG_PLAN_PLAN_PRIV_H

#include <stdbool.h>

#include "base/table.h"
#include "plan/plan.h"

/* What a plan is made from. */
struct planner {
	struct plan *plan;
	const struct model *model;
	const struct applied *applied;
	const struct caps *caps;
	bool adds_live;		 /* new backends are added by commands, else by a reload, */
	enum plan_reason reason; /* for this reason */
	/* Sets of char * in the plan's arena: */
	struct table held_hosts;    /* virtual hosts with an entry that has to wait for a reload */
	struct table held_backends; /* backends that such an entry leads to until then */
	struct table led_to;	    /* backends that an entry is going to lead to */
};

/* plan.c: `address` may be NULL. */
void plan_add_server_op(struct planner *planner, enum plan_op_kind kind, const char *backend,
	const char *server, const char *address);

/* plan_servers.c: one that HAProxy does not have, one that nobody wants, and all of a backend. */
void plan_new_server(
	struct planner *planner, const char *backend, const struct model_server *server);
void plan_old_server(
	struct planner *planner, const char *backend, const struct applied_server *server);
void plan_servers(struct planner *planner, const struct model_backend *wanted,
	const struct applied_backend *have);

/* Nobody is served yet, and there is much to begin with. */
bool plan_is_cold(const struct planner *planner) MUST_USE;

/* Why it has to be reloaded (bits) as it runs with other settings than are wanted, and has not
 * refused these. A HAProxy of which it is not known what it was started with would not be told more
 * by a reload. */
uint32_t plan_settings_reasons(const struct planner *planner) MUST_USE;

/*
 * HAProxy has no route yet, and does not ask clients for certificates as it should: it gets its
 * routes by the reload that makes it do so. Also when it has refused to, which is tried again: what
 * was meant for few must not be open for all.
 */
bool plan_waits_for_settings(const struct planner *planner) MUST_USE;

#endif
