/*
 * Which Secrets are kept: those that the model refers to. Called by reconcile after each update of
 * the model. What nobody refers to any more is forgotten: at once where Secrets come by need, and
 * where all of them are there anyway (manifests), when it is gone there too.
 */
#ifndef HG_NEEDS_H
#define HG_NEEDS_H

#include <stdbool.h>

#include "model/model.h"
#include "store/store.h"

struct needs {
	model_need_fn on_need; /* NULL = all Secrets are there */
	/* What is needed is known, as far as it can be before they are listed; NULL = told. */
	void (*on_known)(void *ctx);
	/* Something that is needed has been asked for and not been answered yet: whoever would act
	 * on its absence waits. NULL = never. */
	bool (*is_waiting)(void *ctx);
	void *ctx;
};

/* Tells on_known, once. */
void needs_are_known(struct needs *needs);

bool needs_are_waiting(const struct needs *needs) MUST_USE;

void needs_follow(const struct needs *needs, struct model *model, struct store *store,
	const struct store_changes *changes);

#endif
