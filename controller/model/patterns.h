/*
 * Files of patterns (--configmap-patternfiles): the ConfigMap's keys, as lists of addresses that
 * the options of type CLIENTS (option/value.h) name by "patterns/<key>". Private to the model.
 *
 * The lists become entries of maps like those that are written out (policy.h): no file reaches
 * HAProxy. One that is not there, or can't be used, is no list: nobody may come in where allow-list
 * or deny-list name it, and nobody is exempt where rate-limit-whitelist does. An empty one is a
 * list without an address.
 */
#ifndef HG_MODEL_PATTERNS_H
#define HG_MODEL_PATTERNS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "model/map_faults.h"

struct config_map;
struct model;
struct store;

struct pattern_file {
	char *name;	 /* owned */
	char *addresses; /* owned; as option_read_patterns() says them */
};

/* All zeros: there is none. */
struct patterns {
	struct pattern_file *files; /* owned; those that can be used */
	size_t n_files;
	char *fault; /* owned; what is wrong with the others; NULL = nothing */
};

/* Reads them anew; the policies that name one are written again by the next policies_flush(). */
void patterns_follow(struct model *model, const struct store *store);

/* Reads all keys of a ConfigMap. The caller frees them with patterns_fini(). */
void patterns_read(
	struct patterns *patterns, const struct config_map *map, map_report_fn report, void *ctx);
void patterns_fini(struct patterns *patterns);

/* Does the value of an option, or NULL, name a file? */
bool patterns_is_name(const char *value) MUST_USE;

/* The addresses that a value means: the value itself, or those of the file that it names. NULL =
 * there is no such file, or it is NULL. Borrowed from either. */
const char *patterns_resolve(const struct patterns *patterns, const char *value) MUST_USE;

#endif
