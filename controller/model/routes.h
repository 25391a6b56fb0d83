/*
 * From Ingresses to backends and back, for whoever asks: the stats page of HAProxy has names of
 * backends, and an Ingress has hosts and paths. Nothing is kept for it: the answers are read out of
 * the model's links. Pure.
 */
#ifndef HG_MODEL_ROUTES_H
#define HG_MODEL_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/model.h"

/* A path of an Ingress, or what spec.defaultBackend is there for, as it is looked up. */
struct model_route {
	const char *namespace; /* of the Ingress */
	const char *ingress;
	const char *field; /* "spec.rules[0].http.paths[1]", "spec.defaultBackend" */
	const char *host;  /* "*.a.test"; "*" for every host that no rule has; NULL for a TCP
			      service */
	const char *path;  /* NULL for spec.defaultBackend. A Prefix has no '/' at its end. */
	/* "Exact", or "Prefix", which ImplementationSpecific is, too; "Passthrough": all TLS
	 * connections of the host (passthrough.h) */
	const char *path_type;
	/* Where its requests go: MODEL_BACKEND_UNAVAILABLE when there is no such Service or port.
	 * NULL = nowhere, as another Ingress goes first. */
	const char *backend;
	const char *taken_namespace; /* that other one; NULL = it has its place */
	const char *taken_ingress;
	const char *canary; /* the backend that takes a part of its requests; NULL = none */
	const char *auth;   /* the backend that is asked who may come in; NULL = none */
};

/* The route and its texts are borrowed for the call. */
typedef void (*model_route_fn)(void *ctx, const struct model_route *route);

/* The routes of an Ingress, in spec order; none for one that is not ours. */
void model_list_routes(const struct model *model, const char *namespace, const char *name,
	model_route_fn report, void *ctx);

/* What a backend is. Borrowed until the next model_update(). */
struct model_backend_source {
	const char *namespace; /* of the Service */
	const char *service;
	int32_t port;
	const char *external; /* "host:port" that is looked up at each request; NULL = it has
				 servers */
	size_t n_servers;
};

/*
 * What it is, and the routes whose requests go to it, all or a part or for the question who may
 * come in, in no particular order; a route that leads to it in two ways is reported for each. False
 * = there is none of this name: `report` is not called.
 */
bool model_list_backend_routes(const struct model *model, const char *backend,
	struct model_backend_source *ret_source, model_route_fn report, void *ctx) MUST_USE;

#endif
