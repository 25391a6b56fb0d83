/* See routes.h. Called by status/routes.c. */
#include "model/routes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "model/model_priv.h"
#include "model/passthrough.h"

/* Whom to tell. */
struct listener {
	model_route_fn report;
	void *ctx;
};

static const char *follower_backend(const struct follower *follower)
{
	return follower != NULL && follower->backend != NULL ? follower->backend->public.name
							     : NULL;
}

static void fill_backends(struct model_route *route, const struct slot *slot)
{
	const struct policy_node *policy = slot->policy ? slot->policy->policy : NULL;
	const struct canary *canary = policies_canary(policy);
	const struct auth *auth = policies_auth(policy);

	route->backend = slot->backend ? slot->backend->public.name : MODEL_BACKEND_UNAVAILABLE;
	route->canary = follower_backend(canary ? &canary->follower : NULL);
	route->auth = follower_backend(auth ? &auth->follower : NULL);
}

/* Of a TCP service. */
static void report_port(const struct claim *claim, const struct listener *listener)
{
	CLEANUP(free_ptr) char *field = tcp_field(claim);
	struct model_route route = {.namespace = claim->ingress->namespace,
		.ingress = claim->ingress->name,
		.field = field};

	fill_backends(&route, claim->slot);
	listener->report(listener->ctx, &route);
}

static void report_claim(const struct claim *claim, const struct listener *listener)
{
	const struct slot *slot = claim->slot;
	struct model_route route = {
		.namespace = claim->ingress->namespace, .ingress = claim->ingress->name};
	bool is_default = claim->rule == CLAIM_DEFAULT_RULE;

	if (claim->ends_tls || (claim->passes && passthrough_find_bar(slot->claims) != NULL)) {
		return;
	}
	if (claim->is_tcp && !claim->passes) {
		report_port(claim, listener);
		return;
	}
	size_t host_len = strcspn(slot->key, "/");
	CLEANUP(free_ptr) char *host = xstrndup(slot->key, host_len);
	CLEANUP(free_ptr) char *path = xstrdup(slot->key + host_len);
	CLEANUP(free_ptr)
	char *field = is_default ? xstrdup("spec.defaultBackend")
				 : xasprintf("spec.rules[%" PRIu32 "].http.paths[%" PRIu32 "]",
					   claim->rule, claim->path);
	size_t path_len = strlen(path);

	route.field = field;
	route.host = host;
	if (claim->passes) {
		route.path_type = "Passthrough";
	} else if (!is_default) {
		bool is_exact = slot->map == MODEL_MAP_EXACT;
		if (!is_exact && path_len > 1) {
			path[path_len - 1] = '\0';
		}
		route.path = path;
		route.path_type = is_exact ? "Exact" : "Prefix";
	}
	if (slot->claims == claim) {
		fill_backends(&route, slot);
	} else {
		route.taken_namespace = slot->claims->ingress->namespace;
		route.taken_ingress = slot->claims->ingress->name;
	}
	listener->report(listener->ctx, &route);
}

void model_list_routes(const struct model *model, const char *namespace, const char *name,
	model_route_fn report, void *ctx)
{
	const struct ingress_node *ingress = model_find_ingress(model, namespace, name);
	const struct listener listener = {report, ctx};

	for (size_t i = 0; ingress != NULL && i < ingress->n_claims; i++) {
		if (ingress->claims[i].slot != NULL) {
			report_claim(&ingress->claims[i], &listener);
		}
	}
}

static void report_policy_of(const struct ingress_node *ingress, const struct policy_node *policy,
	const struct listener *listener)
{
	for (size_t i = 0; i < ingress->n_claims; i++) {
		const struct claim *claim = &ingress->claims[i];
		const struct slot *slot = claim->slot;
		if (slot != NULL && slot->claims == claim && slot->policy != NULL &&
			slot->policy->policy == policy) {
			report_claim(claim, listener);
		}
	}
}

/* A class's policy is that of many. */
static void report_policy(const struct model *model, const struct policy_node *policy,
	const struct listener *listener)
{
	const struct ingress_node *ingress = policies_ingress(policy);

	if (ingress != NULL) {
		report_policy_of(ingress, policy, listener);
		return;
	}
	TABLE_FOREACH (&model->ingresses, ingress) {
		report_policy_of(ingress, policy, listener);
	}
}

static bool backend_has_name(const void *item, const void *name)
{
	return strcmp(((const struct backend_node *)item)->public.name, name) == 0;
}

static const struct backend_node *find_backend(const struct model *model, const char *name)
{
	uint32_t hash = hash_str(name);
	const struct backend_node *backend =
		table_find(&model->backends, hash, name, backend_has_name);

	return backend != NULL ? backend
			       : table_find(&model->externals, hash, name, backend_has_name);
}

bool model_list_backend_routes(const struct model *model, const char *backend,
	struct model_backend_source *ret_source, model_route_fn report, void *ctx)
{
	const struct backend_node *node = find_backend(model, backend);
	const struct listener listener = {report, ctx};

	if (node == NULL) {
		return false;
	}
	const struct service_node *service = node->service;
	for (const struct claim *claim = service->claims; claim != NULL;
		claim = claim->next_of_service) {
		if (claim->slot != NULL && claim->slot->claims == claim &&
			claim->slot->backend == node) {
			report_claim(claim, &listener);
		}
	}
	for (const struct follower *follower = service->followers; follower != NULL;
		follower = follower->next_of_service) {
		if (follower->backend == node) {
			report_policy(model, follower->policy, &listener);
		}
	}
	*ret_source = (struct model_backend_source){service->namespace, service->name, node->port,
		node->external, node->public.n_servers};
	return true;
}
