/*
 * The Service that takes a part of the requests of an Ingress (options canary-*, docs/canary.md):
 * the entry of canary.map that goes with the record of the Ingress's policy.
 *
 *   <backend>|<weight>[|{JSON}]      shop_svc_next_80|20|{"canary-by-header":"X-Canary"}
 *
 * The weight is of a hundred. The object is there where a header or a cookie can choose, and has
 * canary-by-header, canary-by-header-value (in base64) and canary-by-cookie. All is in one entry,
 * so that nobody meets one Service with the weight of another while both change.
 *
 * The Service is one of the Ingress's namespace; its backend is the one that a rule of that Ingress
 * for it would have, and has its endpoints. There is no entry while there is no such Service or
 * port: all requests go where the routes say. The same holds, in HAProxy, while none of its pods
 * takes requests. Called by policies.c and report.c.
 */
#ifndef HG_MODEL_CANARY_H
#define HG_MODEL_CANARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/follower.h"

struct ingress_node;
struct model;
struct policy_node;
struct store;

enum canary_status {
	CANARY_OK,
	CANARY_NO_SERVICE,
	CANARY_SERVICE_TYPE,  /* ExternalName, and the operator does not allow that */
	CANARY_EXTERNAL_NAME, /* ExternalName, of what is no host name */
	CANARY_NO_PORT,
};

/* What a policy with canary-service has. */
struct canary {
	struct follower follower; /* its backend: NULL = no entry */
	char *value;		  /* of canary.map; owned; NULL = no entry */
	char *port;		  /* as it is written, a number or a name; owned */
	enum canary_status status;
};

/*
 * The canary of a policy of this Ingress, to be freed with canary_free(); NULL = it has none.
 * `ingress`: NULL for a class's policy. `old`: what it had, taken by this call.
 */
struct canary *canary_make(struct model *model, const struct store *store,
	struct policy_node *policy, struct ingress_node *ingress, struct canary *old) MUST_USE;
void canary_free(struct model *model, struct canary *canary);

/* Value of its entry of canary.map; NULL = there is none. `canary` may be NULL. */
const char *canary_value(const struct canary *canary) MUST_USE;

/* What is wrong with it; false = nothing, or it is NULL. The caller frees the texts. */
bool canary_diag(const struct canary *canary, struct diag *ret_diag) MUST_USE;

#endif
