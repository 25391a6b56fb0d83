/*
 * What is wrong with one of the ConfigMaps whose keys the operator chooses (error pages, files of
 * patterns, TCP services), in one text. Private to the model, but for map_report_fn.
 */
#ifndef HG_MODEL_MAP_FAULTS_H
#define HG_MODEL_MAP_FAULTS_H

#include <stdbool.h>

#include "base/attr.h"

struct buf;

/* What is wrong with a key and the remedy, in words that stand behind "data[key] "; NULL = nothing
 * is. Both are borrowed for the call. */
typedef void (*map_report_fn)(void *ctx, const char *key, const char *reason);

/* A map_report_fn whose `ctx` is a `struct buf`, which gathers the faults. */
void map_faults_add(void *faults, const char *key, const char *reason);

/* What was gathered, with the ConfigMap's name before it, or that it isn't there; NULL = nothing is
 * wrong. The caller frees it; `faults` is empty afterwards. */
char *map_faults_take(
	struct buf *faults, bool is_there, const char *namespace, const char *name) MUST_USE;

#endif
