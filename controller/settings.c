/* See settings.h. */
#include "settings.h"

#include <assert.h>

#include "model/sets.h"

static void on_report(void *ctx, const struct option_report *report)
{
	(void)ctx;
	if (report->verdict != OPTION_APPLIED) {
		log_line(report->verdict == OPTION_REFUSED ? LOG_WARN : LOG_INFO,
			"a key of the controller's ConfigMap can't be used", "key", report->key,
			"reason", report->reason, NULL);
	}
}

void settings_apply(const struct config_map *config_map, enum log_level default_log_level)
{
	enum log_level level = default_log_level;
	struct option_set *set = NULL;

	if (config_map != NULL) {
		set = sets_read(
			OPTION_SCOPE_CONTROLLER, config_map, config_map->data, on_report, NULL);
	}
	if (set != NULL && set->values[OPTION_LOG_LEVEL] != NULL) {
		/* Its words are those of the option. */
		bool is_known = log_level_parse(set->values[OPTION_LOG_LEVEL], &level);
		assert(is_known);
	}
	log_set_level(level);
	option_set_free(set);
}

bool settings_are_among(const struct store_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		if (changes->items[i].kind == KUBE_CONFIG_MAP ||
			changes->items[i].kind == KUBE_INGRESS_CLASS) {
			return true;
		}
	}
	return false;
}
