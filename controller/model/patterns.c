/* See patterns.h. Called by build.c, policies.c, policy.c, model.c, explain_command.c and check.c.
 */
#include "model/patterns.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/map_faults.h"
#include "model/model_priv.h"
#include "option/value.h"
#include "store/store.h"

void patterns_fini(struct patterns *patterns)
{
	for (size_t i = 0; i < patterns->n_files; i++) {
		free(patterns->files[i].name);
		free(patterns->files[i].addresses);
	}
	free(patterns->files);
	free(patterns->fault);
	*patterns = (struct patterns){0};
}

/* What is wrong with it; NULL = nothing; owned. */
static char *read_file(struct patterns *patterns, const char *key, const char *text)
{
	char *reason = NULL;
	char *addresses = option_read_patterns(text, &reason);

	if (addresses != NULL) {
		patterns->files = xreallocarray(
			patterns->files, patterns->n_files + 1, sizeof(*patterns->files));
		patterns->files[patterns->n_files++] =
			(struct pattern_file){xstrdup(key), addresses};
	}
	return reason;
}

void patterns_read(
	struct patterns *patterns, const struct config_map *map, map_report_fn report, void *ctx)
{
	const struct obj_pair *pairs = obj_items(map, map->data);

	*patterns = (struct patterns){0};
	for (uint32_t i = 0; i < map->data.n; i++) {
		const char *key = obj_str(map, pairs[i].key);
		CLEANUP(free_ptr)
		char *reason = read_file(patterns, key, obj_str(map, pairs[i].value));
		report(ctx, key, reason);
	}
}

void patterns_follow(struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	struct buf faults = BUF_INIT(0);

	if (options->patterns_name == NULL) {
		return;
	}
	const struct config_map *map =
		store_config_map(store, options->patterns_namespace, options->patterns_name);
	patterns_fini(&model->patterns);
	if (map != NULL) {
		patterns_read(&model->patterns, map, map_faults_add, &faults);
	}
	model->patterns.fault = map_faults_take(
		&faults, map != NULL, options->patterns_namespace, options->patterns_name);
	policies_follow_patterns(model);
}

bool patterns_is_name(const char *value)
{
	return value != NULL && strncmp(value, OPTION_PATTERNS, strlen(OPTION_PATTERNS)) == 0;
}

const char *patterns_resolve(const struct patterns *patterns, const char *value)
{
	if (!patterns_is_name(value)) {
		return value;
	}
	for (size_t i = 0; i < patterns->n_files; i++) {
		if (strcmp(patterns->files[i].name, value + strlen(OPTION_PATTERNS)) == 0) {
			return patterns->files[i].addresses;
		}
	}
	return NULL;
}

const char *model_patterns_fault(const struct model *model)
{
	return model->patterns.fault;
}
