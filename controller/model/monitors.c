/* See monitors.h. Called by sets.c, which reads the option, and build.c. */
#include "model/monitors.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/model_priv.h"
#include "model/named_secret.h"

#define UNTIL_THEN "until then nobody may read the metrics"

void monitors_follow(struct model *model, const struct store *store, const char *reference)
{
	struct monitors *monitors = &model->monitors;

	if (monitors->secret != NULL) {
		monitors->secret->is_of_monitors = false;
	}
	named_secret_set(model, store, &monitors->reference, &monitors->secret, reference);
	if (monitors->secret != NULL) {
		monitors->secret->is_of_monitors = true;
	}
}

static char *fault_of(const struct secret_node *secret)
{
	if (secret->users_fault != NULL) {
		return xasprintf("Secret %s/%s: %s; %s", secret->namespace, secret->name,
			secret->users_fault,
			secret->users_version ? "meanwhile its other users may read the metrics"
					      : UNTIL_THEN);
	}
	if (secret->is_unwatched) {
		return xasprintf("Secret %s/%s: " MODEL_UNWATCHED_FAULT "; " UNTIL_THEN,
			secret->namespace, secret->name);
	}
	return secret->users_version != NULL
		       ? NULL
		       : xasprintf("there is no Secret %s/%s with users: create it, of type "
				   "Opaque, with a key a user and a hash as its value; " UNTIL_THEN,
				 secret->namespace, secret->name);
}

void monitors_judge(struct model *model)
{
	struct monitors *monitors = &model->monitors;

	free(monitors->fault);
	monitors->fault = NULL;
	if (monitors->secret != NULL) {
		monitors->fault = fault_of(monitors->secret);
	} else if (monitors->reference != NULL) {
		monitors->fault =
			xstrdup("names no Secret: write namespace/name of one; " UNTIL_THEN);
	}
}

void monitors_free(struct model *model)
{
	free(model->monitors.reference);
	free(model->monitors.fault);
	model->monitors = (struct monitors){0};
}

enum model_guard model_guards_metrics(const struct model *model)
{
	if (model->options.config_map_name != NULL && !model->are_settings_read) {
		return MODEL_GUARD_UNKNOWN;
	}
	return model->monitors.reference != NULL ? MODEL_GUARD_USERS : MODEL_GUARD_NONE;
}

bool model_find_monitors(
	const struct model *model, const char **ret_namespace, const char **ret_name)
{
	const struct secret_node *secret = model->monitors.secret;

	if (secret == NULL || secret->users_version == NULL) {
		return false;
	}
	*ret_namespace = secret->namespace;
	*ret_name = secret->name;
	return true;
}

const char *model_monitors_fault(const struct model *model)
{
	return model->monitors.fault;
}
