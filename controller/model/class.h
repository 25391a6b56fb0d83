/* Which Ingress belongs to us. Pure. */
#ifndef HG_MODEL_CLASS_H
#define HG_MODEL_CLASS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

/*
 * Source: https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class.
 *
 * - An Ingress that names a class is ours when the IngressClass of that name has our controller
 * name, and, with --ingress-class, is that one. Where no IngressClass object of the name exists,
 * --ingress-class alone decides.
 * - An Ingress that names none is ours when an IngressClass of ours is marked as the default.
 */
bool class_is_ours(const struct model_options *options, const struct store *store,
	const struct ingress *ingress) MUST_USE;

#endif
