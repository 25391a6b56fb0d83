/*
 * The options of a class: the ConfigMap that spec.parameters of its IngressClass refers to. Pure.
 *
 *   apiGroup   absent or ""            kind   ConfigMap
 *   scope      Namespace, with the controller's own namespace as `namespace`; or Cluster (the
 *              default), which has none: then the controller's own is meant
 *   name       of the ConfigMap
 *
 * ConfigMaps are read in the controller's own namespace only: one that anybody can write to would
 * give its writers a say in the routes of others, and reading them everywhere takes a right that
 * the controller doesn't need. Its keys are options (option/option.def).
 *
 * What is wrong (another kind, another namespace, no such ConfigMap, an unknown key, a value that
 * is none) is a fault of the class. The options that can't be read are as if they were not there;
 * the others hold, and so do the routes of the class.
 *
 * Source: https://kubernetes.io/docs/concepts/services-networking/ingress/#ingressclass-scope.
 */
#ifndef HG_MODEL_PARAMETERS_H
#define HG_MODEL_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "model/model.h"
#include "option/option.h"
#include "store/store.h"

/* `field` names the member of the IngressClass or the key of the ConfigMap; `text` says what is
 * wrong and ends with the remedy, and may hold any bytes of the objects. Both are borrowed. */
typedef void (*parameters_fault_fn)(
	void *ctx, const struct ingress_class *class, const char *field, const char *text);

/* The options of a class, NULL = none; the caller frees them with option_set_free(). Nothing is
 * wrong with a class without parameters, nor with NULL (there is no IngressClass). `fault` may be
 * NULL. */
struct option_set *parameters_read(const struct model_options *options, const struct store *store,
	const struct ingress_class *class, parameters_fault_fn fault, void *ctx) MUST_USE;

/* Does an IngressClass with our controller refer to this ConfigMap? */
bool parameters_refer_to(const struct model_options *options, const struct store *store,
	const char *namespace, const char *name) MUST_USE;

#endif
