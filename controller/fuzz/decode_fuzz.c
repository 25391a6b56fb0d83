/*
 * JSON text to an object and over every text and list of the result: nothing may lie outside the
 * block, and the same document must give the same bytes again. The first byte of the input chooses
 * a kind for documents that do not say theirs.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kube/decode.h"
#include "kube/decode_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct object *object, size_t base, const struct field_table *table);

static void check_text(const struct object *object, size_t offset)
{
	struct obj_text text;

	memcpy(&text, (const char *)object + offset, sizeof(text));
	if (text.offset != 0) {
		assert(text.offset >= sizeof(*object) && text.offset < object->size);
		assert(memchr(obj_str(object, text), '\0', object->size - text.offset) != NULL);
	}
}

static void check_list(const struct object *object, size_t offset, const struct field *field)
{
	struct obj_list list;
	size_t item_size = field->type == FIELD_MAP	? sizeof(struct obj_pair)
			   : field->type == FIELD_TEXTS ? sizeof(struct obj_text)
							: field->rows->item_size;

	memcpy(&list, (const char *)object + offset, sizeof(list));
	assert(list.offset % 8 == 0);
	assert((list.n == 0) == (list.offset == 0));
	assert(list.offset + list.n * item_size <= object->size);
	for (size_t i = 0; i < list.n; i++) {
		size_t base = list.offset + i * item_size;
		if (field->type == FIELD_MAP) {
			check_text(object, base + offsetof(struct obj_pair, key));
			check_text(object, base + offsetof(struct obj_pair, value));
		} else if (field->type == FIELD_TEXTS) {
			check_text(object, base);
		} else {
			walk(object, base, field->rows);
		}
	}
}

static void check_int(const struct object *object, size_t offset, const struct field *field)
{
	int32_t number;

	memcpy(&number, (const char *)object + offset, sizeof(number));
	assert(number == 0 || (number >= field->min && number <= field->max));
}

static void walk(const struct object *object, size_t base, const struct field_table *table)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		switch (field->type) {
		case FIELD_TEXT:
		case FIELD_FIRST_TEXT:
			check_text(object, base + field->offset);
			break;
		case FIELD_INT:
			check_int(object, base + field->offset, field);
			break;
		case FIELD_GROUP:
			walk(object, base + field->offset, field->rows);
			break;
		case FIELD_LIST:
		case FIELD_MAP:
		case FIELD_TEXTS:
			check_list(object, base + field->offset, field);
			break;
		default:
			break;
		}
	}
}

static struct json_object *parse(const uint8_t *data, size_t size)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *json = json_tokener_parse_ex(tokener, (const char *)data, (int)size);

	json_tokener_free(tokener);
	return json;
}

/* Parses anew for each object: the values of a Secret are wiped when they have been read. */
static struct object *decode(enum kube_kind kind, const uint8_t *data, size_t size, struct err *err)
{
	struct json_object *json = parse(data, size);
	struct object *object = object_decode(kind, json, "default", err);

	json_object_put(json);
	return object;
}

static void check_object(enum kube_kind kind, const uint8_t *data, size_t size)
{
	struct err err = {0};
	struct object *object = decode(kind, data, size, &err);

	assert((object == NULL) == (err.kind == ERR_INPUT));
	if (object == NULL) {
		return;
	}
	assert(object->kind == kind && object->size <= OBJECT_MAX_SIZE);
	assert(*object_name(object) != '\0');
	walk(object, 0, &object_head_table);
	walk(object, 0, &object_schemas[kind].table);
	struct object *again = decode(kind, data, size, &err);
	assert(again != NULL && object_equals(object, again));
	free(again);
	free(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1) {
		return 0;
	}
	enum kube_kind kind = (enum kube_kind)(data[0] % KUBE_KIND_COUNT);
	enum kube_kind said;
	struct json_object *json = parse(data + 1, size - 1);
	bool is_json = json != NULL;
	if (object_detect_kind(json, &said)) {
		kind = said;
	}
	json_object_put(json);
	if (is_json) {
		check_object(kind, data + 1, size - 1);
	}
	return 0;
}
