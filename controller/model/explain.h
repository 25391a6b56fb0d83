/*
 * Which route a request meets, and why: the look-ups of haproxy-cfg/30-http.cfg, made in the model.
 * Pure.
 */
#ifndef HG_MODEL_EXPLAIN_H
#define HG_MODEL_EXPLAIN_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "model/model.h"

/* As a client says it: any case, with a port or without. All borrowed. */
struct explain_request {
	const char *host; /* of the URL; a header Host goes before it */
	const char *path; /* begins with '/', without a query */
	bool is_https;
	const struct explain_header *headers;
	size_t n_headers;
};

struct explain_header {
	const char *name; /* in any case */
	const char *value;
};

/*
 * Appends what there is to say, a fact a line: the host and the path of the rule that is taken, its
 * Ingress, Service, servers and options, and who stands behind it; or how far the request gets, and
 * what would be found if something were different. False = it gets the answer for requests that no
 * rule is for.
 */
bool model_explain(const struct model *model, const struct explain_request *request,
	struct buf *text) MUST_USE;

#endif
