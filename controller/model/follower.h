/*
 * What a policy leads to besides the backends of its routes: a Service that it asks (auth.h), or
 * one that takes a part of its requests (canary.h). The Service knows who follows it, so that the
 * policy is written again when the Service is another one.
 */
#ifndef HG_MODEL_FOLLOWER_H
#define HG_MODEL_FOLLOWER_H

struct backend_node;
struct model;
struct policy_node;
struct service_node;

struct follower {
	struct policy_node *policy;
	struct service_node *service; /* as service_take() gave it; NULL = none */
	struct backend_node *backend; /* as backend_take() gave it; NULL = none */
	struct follower *prev_of_service;
	struct follower *next_of_service;
};

/* Its policy and its Service are filled in. The list has its address until it leaves. */
void follower_enter(struct follower *follower);

/* Gives back its backend and its Service, if it has any. */
void follower_leave(struct model *model, struct follower *follower);

/* The Service is another one now: the policies that follow it are to be written again. */
void follower_touch_all(struct model *model, const struct service_node *service);

#endif
