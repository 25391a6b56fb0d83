/*
 * TCP services in the model: each port of their ConfigMap is an Ingress node of its own with one
 * claim, on the key PORT of tcp.map, so that what is wrong with a Service is told like what is
 * wrong with that of an Ingress. Its namespace is that of the Service; its name, "data[5432]", is
 * what no Ingress is called. Pure.
 *
 * What a port leads to is a map entry: another Service is a write. That there is a port is a part
 * of the settings (globals.h): HAProxy listens where it is told to when it starts.
 *
 * Private to the model.
 */
#ifndef HG_MODEL_TCP_H
#define HG_MODEL_TCP_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/tcp_read.h"

struct claim;
struct ingress_node;
struct model;
struct store;
struct tcp_node;

/* All zeros: there is none. */
struct tcp {
	struct tcp_services services;
	struct model_held_port *held; /* owned: what model_hold_ports() has said */
	size_t n_held;
	char *fault;		 /* owned; what is wrong with the ConfigMap; NULL = nothing */
	struct tcp_node **nodes; /* owned; as the services that tcp_follow() has seen */
	size_t n_nodes;
};

/* Reads the ConfigMap anew; `store` NULL: there is none. */
void tcp_read(struct model *model, const struct store *store);

/* The nodes become what tcp_read() has found. `has_other_options`: those of the controller's
 * ConfigMap, which hold for them, may have changed. */
void tcp_follow(struct model *model, const struct store *store, bool has_other_options);

void tcp_free(struct model *model);

/* Where the port of a claim is written; the caller frees it. */
char *tcp_field(const struct claim *claim) MUST_USE;

/* NULL = no port is called so. */
const struct ingress_node *tcp_find(
	const struct model *model, const char *namespace, const char *name) MUST_USE;

/* One after the other: start with *position = 0, ends with NULL. By port. */
const struct ingress_node *tcp_next(const struct model *model, size_t *position) MUST_USE;

#endif
