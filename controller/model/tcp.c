/* See tcp.h. Called by sets.c, build.c, model.c, report.c, routes.c and dump.c. */
#include "model/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/map_faults.h"
#include "model/model_priv.h"
#include "store/store.h"

struct tcp_node {
	struct ingress_node ingress; /* first: a claim's is one of these */
	uint16_t port;
	char *text;  /* owned: the Service as it is written */
	char *field; /* owned */
};

/* ---- the ConfigMap ---- */

static void hold(
	struct tcp_service *service, const struct model_held_port *held, struct buf *faults)
{
	CLEANUP(free_ptr) char *key = xasprintf("%u", service->port);
	CLEANUP(free_ptr)
	char *fault = xasprintf("can't be listened on: %s: %s; it is tried again by itself",
		strerror(held->error),
		held->error == EACCES ? "use a port above 1023, which the Service for clients can "
					"map it to"
				      : "end what else has the port, or use another");

	service->is_held = true;
	map_faults_add(faults, key, fault);
}

/* Those of them that HAProxy can't have. */
static void hold_ports(struct tcp *tcp, struct buf *faults)
{
	for (size_t i = 0; i < tcp->services.n; i++) {
		for (size_t k = 0; k < tcp->n_held; k++) {
			if (tcp->held[k].port == tcp->services.items[i].port) {
				hold(&tcp->services.items[i], &tcp->held[k], faults);
			}
		}
	}
}

void tcp_read(struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	struct buf faults = BUF_INIT(0);
	const struct config_map *map = NULL;

	tcp_services_fini(&model->tcp.services);
	free(model->tcp.fault);
	model->tcp.fault = NULL;
	if (options->tcp_name == NULL || store == NULL) {
		return;
	}
	map = store_config_map(store, options->tcp_namespace, options->tcp_name);
	if (map != NULL) {
		tcp_services_read(
			&model->tcp.services, map, options->listeners, map_faults_add, &faults);
		hold_ports(&model->tcp, &faults);
	}
	model->tcp.fault =
		map_faults_take(&faults, map != NULL, options->tcp_namespace, options->tcp_name);
}

const char *model_tcp_fault(const struct model *model)
{
	return model->tcp.fault;
}

size_t model_ports(const struct model *model, uint16_t ret_ports[MODEL_MAX_PORTS])
{
	const struct tcp_services *services = &model->tcp.services;

	for (size_t i = 0; i < services->n; i++) {
		ret_ports[i] = services->items[i].port;
	}
	return services->n;
}

void model_hold_ports(struct model *model, const struct store *store,
	const struct model_held_port *held, size_t n)
{
	static const struct store_changes none;
	struct tcp *tcp = &model->tcp;

	free(tcp->held);
	tcp->held = xcalloc(n + 1, sizeof(*held));
	tcp->n_held = n;
	for (size_t i = 0; i < n; i++) {
		tcp->held[i] = held[i];
	}
	model->are_settings_read = false;
	model_update(model, store, &none);
}

size_t model_held_ports(const struct model *model, const struct model_held_port **ret_held)
{
	*ret_held = model->tcp.held;
	return model->tcp.n_held;
}

/* ---- nodes ---- */

static struct tcp_node *node_new(
	struct model *model, const struct store *store, const struct tcp_service *service)
{
	const struct model_options *options = &model->options;
	struct tcp_node *node = xcalloc(1, sizeof(*node));
	CLEANUP(free_ptr) char *name = xasprintf("data[%u]", service->port);

	node->port = service->port;
	node->text = xstrdup(service->text);
	node->field =
		xasprintf("ConfigMap %s/%s %s", options->tcp_namespace, options->tcp_name, name);
	node->ingress.namespace = xstrpair(service->namespace, name, &node->ingress.name);
	node->ingress.created_seconds = INT64_MAX;
	node->ingress.class = sets_take_own_class(model, store);
	return node;
}

static void enter_claim(struct model *model, const struct store *store, struct tcp_node *node,
	const struct tcp_service *service)
{
	char *end = NULL;
	long number = strtol(service->service_port, &end, 10);
	bool is_number = *end == '\0';
	CLEANUP(free_ptr) char *key = xasprintf("%u", service->port);
	struct claim *claim = xcalloc(1, sizeof(*claim));

	*claim = (struct claim){
		.ingress = &node->ingress,
		.rule = CLAIM_DEFAULT_RULE,
		.is_tcp = true,
		.port_number = is_number ? (int32_t)number : 0,
		.port_name = is_number ? NULL : xstrdup(service->service_port),
	};
	node->ingress.claims = claim;
	node->ingress.n_claims = 1;
	claim_enter(model, store, claim, service->service, MODEL_MAP_TCP, key);
}

static void node_free(struct tcp_node *node)
{
	free(node->ingress.namespace);
	free(node->text);
	free(node->field);
	free(node);
}

static void node_drop(struct model *model, const struct store *store, struct tcp_node *node)
{
	model_touch_ingress(model, node->ingress.namespace, node->ingress.name);
	ingress_drop_claims(model, store, &node->ingress);
	node_free(node);
}

/* Takes the node of this very service out of those that were; NULL = there is none. */
static struct tcp_node *take_node(struct tcp *was, const struct tcp_service *service)
{
	for (size_t i = 0; i < was->n_nodes; i++) {
		struct tcp_node *node = was->nodes[i];
		if (node != NULL && node->port == service->port &&
			strcmp(node->text, service->text) == 0) {
			was->nodes[i] = NULL;
			return node;
		}
	}
	return NULL;
}

/* What is new comes before what was goes: where both lead to one backend, it stays. */
void tcp_follow(struct model *model, const struct store *store, bool has_other_options)
{
	struct tcp was = model->tcp;
	struct tcp *now = &model->tcp;

	now->nodes = xcalloc(now->services.n, sizeof(struct tcp_node *));
	now->n_nodes = 0;
	for (size_t i = 0; i < now->services.n; i++) {
		const struct tcp_service *service = &now->services.items[i];
		struct tcp_node *node = take_node(&was, service);
		bool is_new = node == NULL;

		if (is_new) {
			node = node_new(model, store, service);
		}
		now->nodes[now->n_nodes++] = node;
		if (is_new) {
			enter_claim(model, store, node, service);
		} else if (has_other_options) {
			slot_decide(model, store, node->ingress.claims[0].slot);
		}
	}
	for (size_t i = 0; i < was.n_nodes; i++) {
		if (was.nodes[i] != NULL) {
			node_drop(model, store, was.nodes[i]);
		}
	}
	free(was.nodes);
}

void tcp_free(struct model *model)
{
	for (size_t i = 0; i < model->tcp.n_nodes; i++) {
		struct tcp_node *node = model->tcp.nodes[i];
		free(node->ingress.claims[0].port_name);
		free(node->ingress.claims);
		node_free(node);
	}
	free(model->tcp.nodes);
	free(model->tcp.held);
	free(model->tcp.fault);
	tcp_services_fini(&model->tcp.services);
}

char *tcp_field(const struct claim *claim)
{
	return xstrdup(((const struct tcp_node *)claim->ingress)->field);
}

const struct ingress_node *tcp_find(
	const struct model *model, const char *namespace, const char *name)
{
	const struct ingress_node *node;
	size_t position = 0;

	while ((node = tcp_next(model, &position)) != NULL) {
		if (strcmp(node->name, name) == 0 && strcmp(node->namespace, namespace) == 0) {
			return node;
		}
	}
	return NULL;
}

const struct ingress_node *tcp_next(const struct model *model, size_t *position)
{
	return *position < model->tcp.n_nodes ? &model->tcp.nodes[(*position)++]->ingress : NULL;
}
