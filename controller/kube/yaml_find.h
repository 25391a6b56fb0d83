/*
 * Looking things up in a YAML document that libyaml has loaded: what config.c needs of YAML and no
 * more.
 *
 * All results are borrowed from the document; NULL = not there. A null value (`key:`, `~`, `null`)
 * counts as not there.
 */
#ifndef HG_KUBE_YAML_FIND_H
#define HG_KUBE_YAML_FIND_H

#include <stdbool.h>
#include <yaml.h>

#include "base/attr.h"
#include "base/err.h"

/* Loads the first document of a text. false + err (ERR_INPUT) with the line. */
bool yaml_find_load(
	const char *text, size_t len, yaml_document_t *ret_document, struct err *err) MUST_USE;

/* Deletes the document after wiping its texts. */
void yaml_find_delete(yaml_document_t *document);

/* A member of a mapping; NULL also when `mapping` is no mapping. */
yaml_node_t *yaml_find_member(
	yaml_document_t *document, const yaml_node_t *mapping, const char *key) MUST_USE;

/* The member of a list of mappings whose "name" is `name`. */
yaml_node_t *yaml_find_named(
	yaml_document_t *document, const yaml_node_t *list, const char *name) MUST_USE;

/* The text of a scalar; NULL = none, or not a scalar. May hold NUL bytes when the length says so.
 */
const char *yaml_find_text(const yaml_node_t *node, size_t *ret_len) MUST_USE;

#endif
