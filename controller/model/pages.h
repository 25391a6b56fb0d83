/*
 * Error pages (--configmap-errorfiles): the ConfigMap's values by status, as files that the
 * settings name by what is in them. Private to the model.
 *
 * A page that can't be used is left out: HAProxy answers in its own words then.
 */
#ifndef HG_MODEL_PAGES_H
#define HG_MODEL_PAGES_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/map_faults.h"
#include "option/page.h"

struct config_map;
struct model;
struct store;

/* All zeros: there is none. */
struct pages {
	struct {
		char *name; /* of the file; NULL = none */
		char *content;
	} items[PAGE_COUNT]; /* owned; as page_statuses */
	char *fault;	     /* owned; what is wrong with all of them; NULL = nothing */
};

/* Reads them anew; `store` NULL: there is none. */
void pages_follow(struct model *model, const struct store *store);

/* Reads all keys of a ConfigMap. The caller frees them with pages_fini(). */
void pages_read(struct pages *pages, const struct config_map *map, map_report_fn report, void *ctx);
void pages_fini(struct pages *pages);

#endif
