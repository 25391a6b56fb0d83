/* See plan_priv.h: the servers of one backend. */
#include <string.h>

#include "model/variant.h"
#include "plan/plan_priv.h"

/* Nobody's (RFC 5737): no request is sent there, as the server is not enabled yet. */
#define NOWHERE "192.0.2.1:9"

/* Checks of a run-time server begin when they are asked for; to ask twice does no harm. */
static void plan_enable(struct planner *planner, const char *backend, const char *server)
{
	struct variant variant;

	(void)!variant_parse(backend, &variant);
	if (variant.parts[VARIANT_CHECK] != VARIANT_UNCHECKED) {
		plan_add_server_op(planner, PLAN_OP_SERVER_CHECK, backend, server, NULL);
	}
	plan_add_server_op(planner, PLAN_OP_SERVER_ENABLE, backend, server, NULL);
}

void plan_new_server(
	struct planner *planner, const char *backend, const struct model_server *server)
{
	struct variant variant;

	if (server->is_draining) {
		return;
	}
	(void)!variant_parse(backend, &variant);
	if (variant.parts[VARIANT_COOKIE] && planner->caps->has_late_cookies) {
		plan_add_server_op(planner, PLAN_OP_SERVER_ADD, backend, server->name, NOWHERE);
		plan_add_server_op(
			planner, PLAN_OP_SERVER_ADDRESS, backend, server->name, server->address);
	} else {
		plan_add_server_op(
			planner, PLAN_OP_SERVER_ADD, backend, server->name, server->address);
	}
	plan_enable(planner, backend, server->name);
}

void plan_old_server(
	struct planner *planner, const char *backend, const struct applied_server *server)
{
	if (server->admin != APPLIED_MAINT) {
		plan_add_server_op(planner, PLAN_OP_SERVER_DISABLE, backend, server->name, NULL);
	}
	plan_add_server_op(planner, PLAN_OP_SERVER_DEL, backend, server->name, NULL);
}

/* What it has to finish is at the address where it is. */
static void plan_draining_server(struct planner *planner, const char *backend,
	const struct model_server *wanted, const struct applied_server *have)
{
	if (have->admin == APPLIED_MAINT || strcmp(wanted->address, have->address) != 0) {
		plan_old_server(planner, backend, have);
	} else if (have->admin == APPLIED_READY) {
		plan_add_server_op(planner, PLAN_OP_SERVER_DRAIN, backend, wanted->name, NULL);
	}
}

static void plan_kept_server(struct planner *planner, const char *backend,
	const struct model_server *wanted, const struct applied_server *have)
{
	if (wanted->is_draining) {
		plan_draining_server(planner, backend, wanted, have);
		return;
	}
	if (strcmp(wanted->address, have->address) != 0) {
		plan_add_server_op(
			planner, PLAN_OP_SERVER_ADDRESS, backend, wanted->name, wanted->address);
	}
	if (have->admin != APPLIED_READY) {
		plan_enable(planner, backend, wanted->name);
	}
}

/* Both lists are sorted by name: one step through both. */
void plan_servers(struct planner *planner, const struct model_backend *wanted,
	const struct applied_backend *have)
{
	size_t i = 0;
	uint32_t j = 0;

	while (i < wanted->n_servers || j < have->n_servers) {
		int order = 0;
		if (i == wanted->n_servers) {
			order = 1;
		} else if (j == have->n_servers) {
			order = -1;
		} else {
			order = strcmp(wanted->servers[i].name, have->servers[j].name);
		}
		if (order < 0) {
			plan_new_server(planner, wanted->name, &wanted->servers[i++]);
		} else if (order > 0) {
			plan_old_server(planner, wanted->name, &have->servers[j++]);
		} else {
			plan_kept_server(
				planner, wanted->name, &wanted->servers[i++], &have->servers[j++]);
		}
	}
}
