/*
 * For fuzz targets: operations and maps by their names, so that a seed means the same when rows are
 * put into their tables. What is no name chooses by its first byte: mutations find them all.
 */
#ifndef HG_FUZZ_NAMED_H
#define HG_FUZZ_NAMED_H

#include <string.h>

#include "plan/plan.h"

static inline enum plan_op_kind named_op(const char *name, size_t len)
{
	for (int i = 0; i < PLAN_OP_COUNT; i++) {
		if (strlen(plan_ops[i].name) == len && memcmp(plan_ops[i].name, name, len) == 0) {
			return (enum plan_op_kind)i;
		}
	}
	return (enum plan_op_kind)(len > 0 ? (unsigned char)name[0] % PLAN_OP_COUNT : 0);
}

static inline enum model_map named_map(const char *file)
{
	for (int i = 0; i < MODEL_MAP_COUNT; i++) {
		if (strcmp(model_map_files[i], file) == 0) {
			return (enum model_map)i;
		}
	}
	return (enum model_map)((unsigned char)file[0] % MODEL_MAP_COUNT);
}

#endif
