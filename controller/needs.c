/* See needs.h. */
#include "needs.h"

struct follower {
	const struct needs *needs;
	struct model *model;
	struct store *store;
};

static void forget_unneeded(
	const struct follower *follower, const char *namespace, const char *name)
{
	const struct secret *secret = store_secret(follower->store, namespace, name);

	if (secret != NULL && !model_needs_secret(follower->model, namespace, name) &&
		(follower->needs->on_need != NULL || secret->state == SECRET_ABSENT)) {
		store_forget(follower->store, KUBE_SECRET, namespace, name);
	}
}

static void on_need(void *ctx, const char *namespace, const char *name, enum model_need need)
{
	const struct follower *follower = ctx;

	if (follower->needs->on_need != NULL) {
		follower->needs->on_need(follower->needs->ctx, namespace, name, need);
	}
	forget_unneeded(follower, namespace, name);
}

void needs_are_known(struct needs *needs)
{
	needs->on_known(needs->ctx);
	needs->on_known = NULL;
}

bool needs_are_waiting(const struct needs *needs)
{
	return needs->is_waiting != NULL && needs->is_waiting(needs->ctx);
}

void needs_follow(const struct needs *needs, struct model *model, struct store *store,
	const struct store_changes *changes)
{
	struct follower follower = {needs, model, store};

	model_report_needs(model, on_need, &follower);
	for (size_t i = 0; i < changes->n; i++) {
		if (changes->items[i].kind == KUBE_SECRET) {
			forget_unneeded(
				&follower, changes->items[i].namespace, changes->items[i].name);
		}
	}
}
