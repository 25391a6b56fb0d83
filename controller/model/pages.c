/* See pages.h. Called by sets.c and `headgate check`. */
#include "model/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/map_faults.h"
#include "model/model_priv.h"
#include "store/store.h"

#define FILE_DIGEST_LEN 16

void pages_fini(struct pages *pages)
{
	for (size_t i = 0; i < PAGE_COUNT; i++) {
		free(pages->items[i].name);
		free(pages->items[i].content);
	}
	free(pages->fault);
	*pages = (struct pages){0};
}

static char *name_of(const char *status, const char *content)
{
	char digest[CERT_DIGEST_SIZE];

	certificate_digest(digest, &content, 1);
	return xasprintf("page-%s-%.*s.http", status, FILE_DIGEST_LEN, digest);
}

/* What is wrong with it; NULL = nothing; owned. */
static char *read_page(struct pages *pages, const char *key, const char *text)
{
	size_t i = page_find(key);
	char *reason = NULL;

	if (i == PAGE_COUNT) {
		return xstrdup("is no status that HAProxy has a page for: remove it");
	}
	char *content = page_read(key, text, &reason);
	if (content != NULL) {
		pages->items[i].name = name_of(key, content);
		pages->items[i].content = content;
	}
	return reason;
}

void pages_read(struct pages *pages, const struct config_map *map, map_report_fn report, void *ctx)
{
	const struct obj_pair *pairs = obj_items(map, map->data);

	*pages = (struct pages){0};
	for (uint32_t i = 0; i < map->data.n; i++) {
		const char *key = obj_str(map, pairs[i].key);
		CLEANUP(free_ptr)
		char *reason = read_page(pages, key, obj_str(map, pairs[i].value));
		report(ctx, key, reason);
	}
}

void pages_follow(struct model *model, const struct store *store)
{
	const struct model_options *options = &model->options;
	struct buf faults = BUF_INIT(0);
	const struct config_map *map = NULL;

	pages_fini(&model->pages);
	if (options->pages_name == NULL || store == NULL) {
		return;
	}
	map = store_config_map(store, options->pages_namespace, options->pages_name);
	if (map != NULL) {
		pages_read(&model->pages, map, map_faults_add, &faults);
	}
	model->pages.fault = map_faults_take(
		&faults, map != NULL, options->pages_namespace, options->pages_name);
}

const char *model_pages_fault(const struct model *model)
{
	return model->pages.fault;
}
