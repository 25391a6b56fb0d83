/* A Service's endpoints become the servers of a backend. Pure. */
#ifndef HG_MODEL_ENDPOINTS_H
#define HG_MODEL_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "kube/object.h"
#include "model/model.h"
#include "store/store.h"

/* What a reference to a Service's port leads to. */
enum endpoints_port {
	ENDPOINTS_OK,
	ENDPOINTS_NO_SERVICE,
	ENDPOINTS_SERVICE_TYPE,
	ENDPOINTS_NO_PORT
};

/* `service` may be NULL. By number when `number` is not 0, else by name. TCP ports only. */
enum endpoints_port endpoints_find_port(const struct service *service, int32_t number,
	const char *name, int32_t *ret_number) MUST_USE;

struct endpoints_servers {
	struct model_server *items; /* one block, sorted by name, with the names and addresses
				       behind; NULL when n is 0 */
	size_t n;
};

/*
 * The servers for port `number` of a Service: the ready endpoints of all its EndpointSlices, each
 * address once.
 *
 * A server is named after its pod; where that is no name for HAProxy, or another address has it
 * already, after its address. Source:
 * https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions.
 */
struct endpoints_servers endpoints_collect(
	const struct store *store, const struct service *service, int32_t number) MUST_USE;
bool endpoints_equal(const struct endpoints_servers *a, const struct endpoints_servers *b) MUST_USE;
void endpoints_fini(struct endpoints_servers *servers);

#endif
