/*
 * The policies that routes have, and the lists of addresses that they name: what is in policy.map,
 * auth.map, canary.map, networks.map and addresses.map. How a policy becomes text is in policy.h,
 * auth.h and canary.h.
 *
 *   slot ──has──> policy node ──names──> list node ──has──> entries
 *                      └──lets the users in of──> secret node (tls.h)
 *
 * A policy belongs to an Ingress, "<namespace>/<ingress>"; to an Ingress and one of its Services,
 * when that says something about requests, "<namespace>/<ingress>/<service>"; or, for Ingresses
 * that say nothing themselves, to their class, "*" followed by "/<class>": a class's ConfigMap is
 * one record however many routes it is about. It is there while a slot has it, and a list while a
 * policy names it. Called by slot.c, build.c and model.c.
 */
#ifndef HG_MODEL_POLICIES_H
#define HG_MODEL_POLICIES_H

#include "base/attr.h"
#include "model/model.h"

struct auth;
struct canary;
struct claim;
struct diag;
struct ingress_node;
struct model;
struct policy_node;
struct secret_node;
struct store;

/* The policy of a claim, to be released once for each time it was taken; NULL = it has none. Its
 * record is written by the next policies_flush(). */
struct policy_node *policies_take(struct model *model, const struct claim *claim) MUST_USE;
/* NULL is allowed. */
void policies_release(struct model *model, struct policy_node *policy);

const char *policies_id(const struct policy_node *policy) MUST_USE;

/* Writes the records of the policies that were taken or released since the last time. The Ingresses
 * that they belong to are what they are going to be. */
void policies_flush(struct model *model, const struct store *store);

/* There is something new of a Secret whose users policies let in. */
void policies_follow_secret(struct model *model, const struct secret_node *secret);

/* What is wrong with who may come in; false = nothing. */
bool policies_users_diag(const struct policy_node *policy, struct diag *ret_diag);

/* There is something new of the files of patterns. */
void policies_follow_patterns(struct model *model);

/* Which list of clients it lacks, as there is no such file of patterns; false = none. */
bool policies_patterns_diag(const struct policy_node *policy, struct diag *ret_diag);

/* It is written again by the next policies_flush(). */
void policies_touch(struct model *model, struct policy_node *policy);

/* Something else is wrong with whom it asks: the Ingresses that have it say so. */
void policies_touch_ingresses(struct model *model, const struct policy_node *policy);

/* Whom it asks; NULL = nobody. `policy` may be NULL. */
const struct auth *policies_auth(const struct policy_node *policy) MUST_USE;
/* Who takes a part of its requests; NULL = nobody. `policy` may be NULL. */
const struct canary *policies_canary(const struct policy_node *policy) MUST_USE;
/* NULL = it is a class's. */
const struct ingress_node *policies_ingress(const struct policy_node *policy) MUST_USE;
bool policies_is_of_class(const struct policy_node *policy) MUST_USE;

/* For the five maps; as model_find_entry() and model_next_entry(). */
const char *policies_find_entry(
	const struct model *model, enum model_map map, const char *key) MUST_USE;
bool policies_next_entry(const struct model *model, enum model_map map, uint32_t *position,
	const char **ret_key, const char **ret_value) MUST_USE;
size_t policies_count(const struct model *model, enum model_map map) MUST_USE;

void policies_free(struct model *model);

#endif
