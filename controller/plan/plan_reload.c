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

/* Are these digests the same in this part? */
static bool is_same_part(const char *have, const char *wanted, enum model_digest_part part)
{
	size_t start = (size_t)part * MODEL_DIGEST_PART;

	return strncmp(have + start, wanted + start, MODEL_DIGEST_PART) == 0;
}

uint32_t plan_settings_reasons(const struct planner *planner)
{
	const char *wanted = model_settings_digest(planner->model);
	const char *have = planner->applied->settings;

	if (have[0] == '\0' || strcmp(have, wanted) == 0 ||
		strcmp(planner->caps->refused_settings, wanted) == 0) {
		return 0;
	}
	static const enum plan_reason reasons[MODEL_DIGEST_PART_COUNT] = {
		[MODEL_DIGEST_OTHERS] = PLAN_REASON_SETTINGS,
		[MODEL_DIGEST_PAGES] = PLAN_REASON_ERROR_PAGES,
		[MODEL_DIGEST_TCP] = PLAN_REASON_TCP_SERVICES,
	};
	uint32_t bits = 0;
	for (int part = 0; part < MODEL_DIGEST_PART_COUNT; part++) {
		if (!is_same_part(have, wanted, (enum model_digest_part)part)) {
			bits |= 1u << reasons[part];
		}
	}
	return bits;
}

bool plan_waits_for_settings(const struct planner *planner)
{
	const char *have = planner->applied->settings;
	const char *wanted = model_settings_digest(planner->model);
	/* That TLS ends here for a while is better than that nobody is served. */
	bool passes = model_passes_through(planner->model) &&
		      strcmp(planner->caps->refused_settings, wanted) != 0;

	return (model_verifies_clients(planner->model) || passes) && have[0] != '\0' &&
	       !is_same_part(have, wanted, MODEL_DIGEST_OTHERS) &&
	       has_no_backend(planner->applied) && has_no_entry(planner->applied);
}
