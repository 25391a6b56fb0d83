/* Which Ingress belongs to us. Pure. */
#ifndef HG_MODEL_CLASS_H
#define HG_MODEL_CLASS_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"
#include "store/store.h"

/*
 * The name of an Ingress's class is spec.ingressClassName; where that is absent, and with
 * --legacy-class-annotation, the annotation kubernetes.io/ingress.class; else there is none. So
 * the spec wins when both are set, and without the option the annotation means nothing.
 *
 *   the class that the   the IngressClass object      without            with --ingress-class
 *   Ingress names        of that name                 --ingress-class    = that one  = another
 *   -------------------  ---------------------------  -----------------  ----------  ---------
 *   any                  has our controller           ours               ours        not
 *   any                  has another controller       not                not         not
 *   any                  does not exist               not                ours        not
 *   none                 (see the next lines)
 *
 *   An Ingress that names none belongs to the default classes: it is ours when at least one
 *   IngressClass is marked as the default, has our controller and, with --ingress-class, is that
 *   one. Whether somebody else has a default class too does not matter.
 *
 * All classes with our controller are served at once, unless --ingress-class chooses one. Names
 * are compared whole, case included; an empty name is one that no IngressClass has. A class is
 * marked as the default by the annotation ingressclass.kubernetes.io/is-default-class when its
 * value is "true" and nothing else.
 *
 * class_name_of(): NULL = it names none; borrowed from the Ingress.
 *
 * Source: https://kubernetes.io/docs/concepts/services-networking/ingress/#ingress-class, and
 * #default-ingress-class and #deprecated-annotation there.
 */
const char *class_name_of(
	const struct model_options *options, const struct ingress *ingress) MUST_USE;
bool class_is_ours(const struct model_options *options, const struct store *store,
	const struct ingress *ingress) MUST_USE;

/*
 * The IngressClass of an Ingress, whoever's it is; NULL = there is no such object. Of several
 * default classes of ours it is the one that the API server would write into a new Ingress: the
 * youngest, then the first by name. Borrowed from the store.
 */
const struct ingress_class *class_of(const struct model_options *options, const struct store *store,
	const struct ingress *ingress) MUST_USE;

/* Is this class served, when an Ingress is of it? */
bool class_has_our_controller(
	const struct model_options *options, const struct ingress_class *class) MUST_USE;

#endif
