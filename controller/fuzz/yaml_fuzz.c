/*
 * Any bytes to YAML documents: an error says where, and what was accepted is within the limits
 */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "manifest/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Levels and values below; the recursion is bounded by the limit that is being checked. */
static size_t count(struct json_object *json, int depth)
{
	size_t n = 1;

	assert(depth <= YAML_MAX_DEPTH + 1);
	if (json_object_is_type(json, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(json); i++) {
			n += count(json_object_array_get_idx(json, i), depth + 1);
		}
	}
	if (json_object_is_type(json, json_type_object)) {
		json_object_object_foreach(json, key, value)
		{
			(void)key;
			n += count(value, depth + 1);
		}
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct json_object *documents = yaml_parse((const char *)data, size, &err);

	if (documents == NULL) {
		assert(err.kind == ERR_INPUT && strncmp(err.text, "line ", 5) == 0);
		return 0;
	}
	assert(err.kind == ERR_NONE);
	/* The array of documents is a level and a value of its own. */
	assert(count(documents, 0) <= YAML_MAX_VALUES + 1);
	json_object_put(documents);
	return 0;
}
