/* What a plan leaves to a reload as a whole. See plan_priv.h; called by plan.c. */
#include <string.h>

#include "plan/plan_priv.h"

static bool has_no_backend(const struct applied *applied)
{
	for (size_t i = 0; i < APPLIED_SHARDS; i++) {
		if (applied->backends[i].n_items > 0) {
			return false;
		}
	}
	return true;
}

static bool has_no_entry(const struct applied *applied)
{
	for (int map = 0; map < MODEL_MAP_COUNT; map++) {
		if (applied->entries[map].n_items > 0) {
			return false;
		}
	}
	return true;
}

bool plan_is_cold(const struct planner *planner)
{
	struct model_counts wanted;

	if (!has_no_backend(planner->applied)) {
		return false;
	}
	model_count(planner->model, &wanted);
	return wanted.n_backends >= PLAN_COLD_BACKENDS;
}

uint32_t plan_settings_reasons(const struct planner *planner)
{
	const char *wanted = model_settings_digest(planner->model);
	const char *have = planner->applied->settings;

	if (have[0] == '\0' || strcmp(have, wanted) == 0 ||
		strcmp(planner->caps->refused_settings, wanted) == 0) {
		return 0;
	}
	bool is_only_pages = strncmp(have, wanted, MODEL_DIGEST_HALF) == 0;
	bool are_same_pages = strcmp(have + MODEL_DIGEST_HALF, wanted + MODEL_DIGEST_HALF) == 0;
	return (is_only_pages ? 0 : 1u << PLAN_REASON_SETTINGS) |
	       (are_same_pages ? 0 : 1u << PLAN_REASON_ERROR_PAGES);
}

bool plan_waits_for_settings(const struct planner *planner)
{
	const char *have = planner->applied->settings;

	return model_verifies_clients(planner->model) && have[0] != '\0' &&
	       strncmp(have, model_settings_digest(planner->model), MODEL_DIGEST_HALF) != 0 &&
	       has_no_backend(planner->applied) && has_no_entry(planner->applied);
}
