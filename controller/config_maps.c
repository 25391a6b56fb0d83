/* See config_maps.h. Called by check_command.c and explain_command.c. */
#include "config_maps.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const struct {
	const char *flag;
	size_t namespace; /* offsets in struct model_options */
	size_t name;
} rows[CONFIG_MAPS_COUNT] = {
	{"configmap", offsetof(struct model_options, config_map_namespace),
		offsetof(struct model_options, config_map_name)},
	{"configmap-errorfiles", offsetof(struct model_options, pages_namespace),
		offsetof(struct model_options, pages_name)},
	{"configmap-patternfiles", offsetof(struct model_options, patterns_namespace),
		offsetof(struct model_options, patterns_name)},
	{"configmap-tcp-services", offsetof(struct model_options, tcp_namespace),
		offsetof(struct model_options, tcp_name)},
};

void config_maps_fini(struct config_maps *maps)
{
	for (size_t i = 0; i < CONFIG_MAPS_COUNT; i++) {
		free(maps->names[i]);
		maps->names[i] = NULL;
	}
}

static size_t find(const char *flag)
{
	size_t i = 0;

	while (i < CONFIG_MAPS_COUNT && strcmp(rows[i].flag, flag) != 0) {
		i++;
	}
	return i;
}

bool config_maps_has(const char *flag)
{
	return find(flag) < CONFIG_MAPS_COUNT;
}

static void set_member(struct model_options *options, size_t offset, const char *text)
{
	*(const char **)((char *)options + offset) = text;
}

bool config_maps_set(struct config_maps *maps, struct model_options *options, const char *flag,
	const char *value)
{
	size_t i = find(flag);
	size_t len = strcspn(value, "/");

	if (len == 0 || value[len] == '\0' || value[len + 1] == '\0') {
		fprintf(stderr, "headgate: --%s is '%s': use NAMESPACE/NAME\n", flag, value);
		return false;
	}
	free(maps->names[i]);
	maps->names[i] = xstrdup(value);
	maps->names[i][len] = '\0';
	set_member(options, rows[i].namespace, maps->names[i]);
	set_member(options, rows[i].name, maps->names[i] + len + 1);
	return true;
}
