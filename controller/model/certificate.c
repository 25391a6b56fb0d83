/*
 * Certificates: which ones clients are to get. See model.h for what readers see.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "model/model_priv.h"

static bool certificate_has_name(const void *item, const void *name)
{
	return strcmp(((const struct certificate_node *)item)->public.name, name) == 0;
}

const struct model_certificate *model_find_certificate(const struct model *model, const char *name)
{
	const struct certificate_node *node =
		table_find(&model->certificates, hash_str(name), name, certificate_has_name);

	return node ? &node->public : NULL;
}

const struct model_certificate *model_next_certificate(
	const struct model *model, uint32_t *position)
{
	const struct certificate_node *node = table_next(&model->certificates, position);

	return node ? &node->public : NULL;
}

bool model_keeps_certificate(const struct model *model, const char *name)
{
	(void)model;
	(void)name;
	return false;
}

void model_free_certificates(struct model *model)
{
	struct certificate_node *node;

	TABLE_FOREACH (&model->certificates, node) {
		free(node);
	}
	table_fini(&model->certificates);
}
