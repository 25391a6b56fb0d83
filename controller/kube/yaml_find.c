/* See yaml_find.h. Called by kube/config.c; knows nothing of kubeconfig. */
#include "kube/yaml_find.h"

#include <openssl/crypto.h>
#include <string.h>

#include "base/alloc.h"

static bool is_null(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE) {
		return node->type == YAML_NO_NODE;
	}
	const char *text = (const char *)node->data.scalar.value;

	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static bool explain(const yaml_parser_t *parser, struct err *err)
{
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_READER_ERROR) {
		return err_set(err, ERR_INPUT, "byte %zu: %s", parser->problem_offset, problem);
	}
	return err_set(err, ERR_INPUT, "line %zu: %s", parser->problem_mark.line + 1, problem);
}

bool yaml_find_load(const char *text, size_t len, yaml_document_t *ret_document, struct err *err)
{
	yaml_parser_t parser;
	bool is_ok;

	if (!yaml_parser_initialize(&parser)) {
		return err_set(err, ERR_RETRY, "no memory for YAML");
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	is_ok = yaml_parser_load(&parser, ret_document);
	if (!is_ok) {
		(void)explain(&parser, err);
	}
	yaml_parser_delete(&parser);
	return is_ok;
}

void yaml_find_delete(yaml_document_t *document)
{
	for (yaml_node_t *node = document->nodes.start; node < document->nodes.top; node++) {
		if (node->type == YAML_SCALAR_NODE) {
			OPENSSL_cleanse(node->data.scalar.value, node->data.scalar.length);
		}
	}
	yaml_document_delete(document);
}

static bool text_is(const yaml_node_t *node, const char *text)
{
	return node != NULL && node->type == YAML_SCALAR_NODE &&
	       strlen(text) == node->data.scalar.length &&
	       memcmp(node->data.scalar.value, text, node->data.scalar.length) == 0;
}

yaml_node_t *yaml_find_member(
	yaml_document_t *document, const yaml_node_t *mapping, const char *key)
{
	if (mapping == NULL || mapping->type != YAML_MAPPING_NODE) {
		return NULL;
	}
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
		pair < mapping->data.mapping.pairs.top; pair++) {
		if (text_is(yaml_document_get_node(document, pair->key), key)) {
			yaml_node_t *value = yaml_document_get_node(document, pair->value);
			return value == NULL || is_null(value) ? NULL : value;
		}
	}
	return NULL;
}

yaml_node_t *yaml_find_named(yaml_document_t *document, const yaml_node_t *list, const char *name)
{
	if (list == NULL || list->type != YAML_SEQUENCE_NODE) {
		return NULL;
	}
	for (const yaml_node_item_t *item = list->data.sequence.items.start;
		item < list->data.sequence.items.top; item++) {
		yaml_node_t *entry = yaml_document_get_node(document, *item);
		if (text_is(yaml_find_member(document, entry, "name"), name)) {
			return entry;
		}
	}
	return NULL;
}

const char *yaml_find_text(const yaml_node_t *node, size_t *ret_len)
{
	if (node == NULL || node->type != YAML_SCALAR_NODE) {
		return NULL;
	}
	*ret_len = node->data.scalar.length;
	return (const char *)node->data.scalar.value;
}
