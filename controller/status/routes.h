/*
 * Routes and the backends that they lead to, as JSON: a part of GET /ingresses/NAMESPACE/NAME, and
 * GET /backends/NAME. Pure.
 */
#ifndef HG_STATUS_ROUTES_H
#define HG_STATUS_ROUTES_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"

/* Further routes are counted, not listed. */
#define ROUTES_MAX_LISTED 1000

/*
 * Appends the members `routes` and, where there are more than ROUTES_MAX_LISTED, `more_routes`,
 * with a comma before them:
 *
 *   [{field, host, path, pathType, backend, canary, auth}]
 *
 * as struct model_route has them; what that has not is absent. One that another Ingress goes before
 * has `taken_by` ("namespace/name") in place of `backend`.
 */
void routes_write(
	struct buf *buf, const struct model *model, const char *namespace, const char *name);

/*
 * Appends one JSON object: backend, namespace, service, port, servers (how many) or external
 * ("host:port"), and its routes as above, each with `ingress` ("namespace/name") before the rest.
 * False = there is no such backend: an object with the one member `error`.
 */
bool routes_write_backend(struct buf *buf, const struct model *model, const char *backend) MUST_USE;

#endif
