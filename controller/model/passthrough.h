/*
 * TLS connections that go to pods as they are (option ssl-passthrough): each host of such an
 * Ingress is a claim on its key of passthrough.map, beside those on its paths. Pure.
 *
 * A connection says a host and no path, so a host has one answer: that of the Ingress that goes
 * first of all that have the host, in the order in which paths are given away. Does that one not
 * ask, TLS ends here for all of them, so nobody's requests go to another's pods because somebody
 * came later; does it ask, it takes from the others what it could take by naming their paths. So
 * every Ingress stands in line, with a claim that leads nowhere (ends_tls) when it doesn't ask. All
 * of this is there with --enable-ssl-passthrough only.
 *
 * What only requests have holds for plain HTTP alone. Rules about who may come in would not hold,
 * so an Ingress that has one doesn't pass through, and bars the host for those of its namespace.
 *
 * Private to the model.
 */
#ifndef HG_MODEL_PASSTHROUGH_H
#define HG_MODEL_PASSTHROUGH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct claim;
struct diag;
struct ingress_node;
struct model;
struct store;

/* Decides whether the hosts of an Ingress may pass through, from its options; what is against it
 * becomes faults. */
void passthrough_judge(const struct model *model, struct ingress_node *node);

/* Does the Ingress ask for it? */
bool passthrough_is_wanted(const struct ingress_node *node) MUST_USE;

/* Is this claim what a request for / of its host meets? */
bool passthrough_is_root(const struct claim *claim) MUST_USE;

/* The claim of a rule whose other claims, at least one, have been entered; `root`, NULL = none, is
 * the one that connections go where. The node has room for it. */
void passthrough_enter(struct model *model, const struct store *store, struct ingress_node *node,
	const struct claim *root, uint32_t rule);

/* The claim that keeps the one that goes first for its host from passing it through; NULL = none
 * does, or it doesn't ask. */
const struct claim *passthrough_find_bar(const struct claim *winner) MUST_USE;

/* What is to be said of such a claim; false = nothing. */
bool passthrough_diag(const struct claim *claim, struct diag *ret_diag);

#endif
