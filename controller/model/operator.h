/*
 * What the operator asks for that no Ingress does: the backend of requests that nobody else asks
 * for, and the certificate for names that no other one is for. The keys default-backend-service and
 * ssl-certificate of the controller's ConfigMap name them, else the flags. Pure.
 *
 * Each is an Ingress node of its own, so that what is wrong with it is told like what is wrong with
 * an Ingress. Their namespaces are those of Service and Secret; their names are what no Ingress is
 * called: the flag ("--default-backend"), or the key ("data[ssl-certificate]").
 *
 * Private to the model.
 */
#ifndef HG_MODEL_OPERATOR_H
#define HG_MODEL_OPERATOR_H

#include "base/attr.h"

struct ingress_node;
struct model;
struct store;

/* Both become what options and ConfigMap say now. To be called in each update: the first one has
 * to bring what the options say. */
void operator_follow(struct model *model, const struct store *store);

/* Something else may be wrong with the Secret of the default certificate now. */
void operator_touch_certificate(struct model *model);

/* NULL = neither of the two is called so. */
const struct ingress_node *operator_find(
	const struct model *model, const char *namespace, const char *name) MUST_USE;

#endif
