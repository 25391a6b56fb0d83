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
	ENDPOINTS_SERVICE_TYPE,	 /* ExternalName, which is not allowed */
	ENDPOINTS_EXTERNAL_NAME, /* ExternalName, of a name that is no host name */
	ENDPOINTS_NO_PORT
};

/* A port by number when `number` is not 0, else by name; where that is NULL, the first one. */
struct endpoints_reference {
	int32_t number;
	const char *name;
};

/* `service` may be NULL. TCP ports only. A Service of type ExternalName need not list its ports: a
 * number then stands for itself. */
enum endpoints_port endpoints_find_port(const struct service *service,
	struct endpoints_reference reference, bool can_be_external, int32_t *ret_number) MUST_USE;

/* May be called with NULL. */
bool endpoints_is_external(const struct service *service) MUST_USE;

/* What the port's appProtocol asks for. `service` may be NULL. */
enum model_transport endpoints_transport(const struct service *service, int32_t number) MUST_USE;

/* "host:port", and ":https" or ":h2c" as appProtocol says, for a port that endpoints_find_port()
 * found. To be freed. */
char *endpoints_external(const struct service *service, int32_t number) MUST_USE;

struct endpoints_servers {
	struct model_server *items; /* one block, sorted by name, with the names and addresses
				       behind; NULL when n is 0 */
	size_t n;
	char *refused; /* an address that was refused (address.h), the first in order of text; NULL
			  = none */
};

/*
 * The servers for port `number` of a Service: the ready endpoints of all its EndpointSlices, each
 * address once, and a pod with usable addresses of both families by the Service's first one (IPv4
 * when it does not say). Endpoints that are terminating and still serving drain, or take the
 * requests when none is ready.
 *
 * A server is named after its pod; where that is no name for HAProxy, or another address has it
 * already, after its address. The transport that the port's appProtocol asks for is added
 * (MODEL_SUFFIX_*). Release with endpoints_fini().
 *
 * Sources: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#conditions,
 * KEP-1669 (terminating endpoints), KEP-3726 (appProtocol).
 */
struct endpoints_servers endpoints_collect(const struct store *store, const struct service *service,
	int32_t number, bool can_use_loopback) MUST_USE;

/* The same servers? What was refused does not count. */
bool endpoints_equal(const struct endpoints_servers *a, const struct endpoints_servers *b) MUST_USE;
void endpoints_fini(struct endpoints_servers *servers);

#endif
