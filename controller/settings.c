/* See settings.h. */
#include "settings.h"

#include <string.h>

void settings_apply(const struct config_map *config_map, enum log_level default_log_level)
{
	enum log_level level = default_log_level;
	size_t n = config_map ? config_map->data.n : 0;
	const struct config_map_item *items =
		config_map ? obj_items(config_map, config_map->data) : NULL;

	for (size_t i = 0; i < n; i++) {
		const char *key = obj_str(config_map, items[i].key);
		const char *value = obj_str(config_map, items[i].value);
		if (strcmp(key, "log-level") != 0) {
			log_line(LOG_WARN, "unknown key in the controller's ConfigMap: remove it",
				"key", key, NULL);
		} else if (!log_level_parse(value, &level)) {
			log_line(LOG_WARN, "not a log level: use debug, info, warn or error", "key",
				key, "value", value, NULL);
		}
	}
	log_set_level(level);
}
