/*
 * Whom a policy asks whether a request may come in (options auth-*, docs/authentication.md): the
 * entry of auth.map that goes with the policy's record.
 *
 *   <backend>|<host:port of what is outside of the cluster>|{"<option>":"<value>",...}
 *
 * A URL whose host is <service>.<namespace>.svc, or that with .cluster.local behind, names a
 * Service: its backend is the one that a rule without options of its own would have, it has its
 * endpoints, and follows them. Any other host is outside: MODEL_BACKEND_EXTERNAL looks it up at
 * each request, where the operator allows that.
 *
 * A Service of another namespace than the Ingress's has to allow it (auth-namespaces), unless the
 * operator has named it himself, in a ConfigMap.
 *
 * No entry is there while the service can't be asked: nobody comes in then. Called by policies.c,
 * build.c and slot.c.
 */
#ifndef HG_MODEL_AUTH_H
#define HG_MODEL_AUTH_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/diag.h"
#include "model/follower.h"
#include "option/option.h"

struct backend_node;
struct class_node;
struct ingress_node;
struct model;
struct policy_node;
struct service_node;
struct store;

enum auth_status {
	AUTH_OK,
	AUTH_NO_SERVICE,
	AUTH_SERVICE_TYPE,
	AUTH_NO_PORT,
	AUTH_NOT_ALLOWED, /* by the Service, for this namespace */
	AUTH_OUTSIDE,	  /* of the cluster, and the operator does not allow that */
};

/* What a policy with auth-url has. */
struct auth {
	struct follower follower; /* its Service: NULL = outside */
	char *value;		  /* of auth.map; owned; NULL = no entry */
	char *name;		  /* of the service, for diagnostics; owned */
	int32_t port;
	enum auth_status status;
};

/* Whose policy it is, and what it says. */
struct auth_owner {
	struct policy_node *policy;
	const char *namespace; /* of the Ingress; NULL = the policy is a class's */
	struct class_node *class;
	const struct option_set *const *sets; /* Service, Ingress, class; may be NULL */
	size_t n_sets;
};

/*
 * The auth of a policy, to be freed with auth_free(); NULL = it has none. `old`: what it had, taken
 * by this call.
 */
struct auth *auth_make(struct model *model, const struct store *store,
	const struct auth_owner *owner, struct auth *old) MUST_USE;
void auth_free(struct model *model, struct auth *auth);

/* Nobody may come in, whatever is in the store: an option says what can't be done. */
bool auth_is_refused(const struct auth *auth) MUST_USE;

/* What is said about it on the Ingresses of the policy. */
bool auth_same_diag(const struct auth *a, const struct auth *b) MUST_USE;

/* What is wrong with it; false = nothing, or it is NULL. The caller frees the texts. */
bool auth_diag(const struct auth *auth, bool is_of_class, struct diag *ret_diag) MUST_USE;

#endif
