/*
 * JSON to objects, driven by the tables of object.c.
 *
 * Owns the layout of an object's block: the struct of its kind first, then lists (aligned) and
 * texts in the order of the tables' rows, padding zeroed, so that equal content means equal bytes.
 * Called by the reflector and by the manifests. Must not know what any field means. Input is
 * hostile: every type, bound and size is checked; recursion follows the tables, never the input.
 */
#include "kube/decode.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/decode_priv.h"
#include "kube/secret.h"
#include "kube/time.h"

/* Lists in lists in groups: what the tables have, with room. */
#define MAX_NESTING 8

#define NO_INDEX SIZE_MAX

struct decoder {
	struct buf out; /* the block so far */
	struct err *err;
};

/* A JSON object that rows are being applied to, and the struct that they fill. */
struct place {
	const struct place *up;	 /* NULL = the document */
	const struct field *via; /* row of `up` that led here */
	size_t index;		 /* in a list; NO_INDEX = not in one */
	struct json_object *json;
	size_t base; /* offset of the struct in the block */
};

typedef bool (*field_fn)(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value);

static bool decode_fields(
	struct decoder *decoder, const struct place *place, const struct field_table *table);
static bool decode_namespace(struct decoder *decoder, const struct place *place,
	const struct object_schema *schema, const char *default_namespace);
static bool grow(struct decoder *decoder, size_t size);

bool object_detect_kind(struct json_object *json, enum kube_kind *ret_kind)
{
	struct json_object *version = NULL;
	struct json_object *kind = NULL;

	if (!json_object_is_type(json, json_type_object) ||
		!json_object_object_get_ex(json, "apiVersion", &version) ||
		!json_object_object_get_ex(json, "kind", &kind) ||
		!json_object_is_type(version, json_type_string) ||
		!json_object_is_type(kind, json_type_string)) {
		return false;
	}
	for (int i = 0; i < KUBE_KIND_COUNT; i++) {
		if (strcmp(json_object_get_string(kind), kube_kinds[i].name) == 0 &&
			strcmp(json_object_get_string(version), kube_kinds[i].api_version) == 0) {
			*ret_kind = (enum kube_kind)i;
			return true;
		}
	}
	return false;
}

static bool decode_all(struct decoder *decoder, enum kube_kind kind, struct json_object *json,
	const char *default_namespace)
{
	const struct object_schema *schema = &object_schemas[kind];
	struct place document = {.index = NO_INDEX, .json = json};

	if (!json_object_is_type(json, json_type_object)) {
		return err_set(decoder->err, ERR_INPUT, "not a JSON object");
	}
	return grow(decoder, schema->table.item_size) &&
	       decode_fields(decoder, &document, &object_head_table) &&
	       decode_namespace(decoder, &document, schema, default_namespace) &&
	       decode_fields(decoder, &document, &schema->table);
}

struct object *object_decode(enum kube_kind kind, struct json_object *json,
	const char *default_namespace, struct err *err)
{
	struct decoder decoder = {.out = BUF_INIT(OBJECT_MAX_SIZE), .err = err};
	struct object *object = NULL;

	if (decode_all(&decoder, kind, json, default_namespace)) {
		/* A copy of the exact size: most objects are small and the store keeps many. */
		object = xmalloc(decoder.out.len);
		memcpy(object, decoder.out.data, decoder.out.len);
		object->size = (uint32_t)decoder.out.len;
		object->kind = (uint8_t)kind;
	}
	if (object != NULL && kind == KUBE_SECRET) {
		object = secret_read(object, json);
	}
	buf_fini(&decoder.out);
	return object;
}

/* ---- saying where ---- */

static bool is_plain(const char *segment)
{
	const char *c = segment;

	while (isalnum((unsigned char)*c)) {
		c++;
	}
	return c > segment && *c == '\0';
}

static void append_path(struct buf *text, const struct field *field)
{
	for (int i = 0; i < FIELD_MAX_PATH && field->path[i] != NULL; i++) {
		if (!is_plain(field->path[i])) {
			buf_printf(text, "[\"%s\"]", field->path[i]);
			continue;
		}
		buf_printf(text, "%s%s", text->len ? "." : "", field->path[i]);
	}
}

/* Fills the error with the field's whole path and the reason; false. */
static bool refuse(struct decoder *decoder, const struct place *place, const struct field *field,
	const char *reason)
{
	const struct place *chain[MAX_NESTING];
	size_t n = 0;
	struct buf path = BUF_INIT(ERR_TEXT_SIZE);

	for (; place->up != NULL; place = place->up) {
		assert(n < MAX_NESTING);
		chain[n++] = place;
	}
	while (n > 0) {
		n--;
		append_path(&path, chain[n]->via);
		if (chain[n]->index != NO_INDEX) {
			buf_printf(&path, "[%zu]", chain[n]->index);
		}
	}
	if (field != NULL) {
		append_path(&path, field);
	}
	err_set(decoder->err, ERR_INPUT, "%s: %s", buf_str(&path), reason);
	buf_fini(&path);
	return false;
}

/* ---- the block ---- */

/* Appends zeroed bytes. */
static bool grow(struct decoder *decoder, size_t size)
{
	static const char zeros[256];

	while (size > 0 && buf_is_ok(&decoder->out)) {
		size_t part = size < sizeof(zeros) ? size : sizeof(zeros);
		buf_append(&decoder->out, zeros, part);
		size -= part;
	}
	if (!buf_is_ok(&decoder->out)) {
		return err_set(decoder->err, ERR_INPUT, "the object is larger than %u bytes",
			OBJECT_MAX_SIZE);
	}
	return true;
}

static void put(struct decoder *decoder, size_t offset, const void *data, size_t size)
{
	assert(offset + size <= decoder->out.len);
	memcpy(decoder->out.data + offset, data, size);
}

static bool put_text(struct decoder *decoder, size_t offset, const char *text, size_t len)
{
	struct obj_text ref = {.offset = (uint32_t)decoder->out.len};

	if (!grow(decoder, len + 1)) {
		return false;
	}
	put(decoder, ref.offset, text, len);
	put(decoder, offset, &ref, sizeof(ref));
	return true;
}

/* Makes room for `n` structs and fills in the list. */
static bool put_list(struct decoder *decoder, size_t offset, size_t n, size_t item_size)
{
	size_t misaligned = decoder->out.len % OBJECT_LIST_ALIGNMENT;

	/* n is at most what fits into memory as JSON values, which are larger than our structs. */
	if (!grow(decoder, misaligned ? OBJECT_LIST_ALIGNMENT - misaligned : 0)) {
		return false;
	}
	struct obj_list list = {.offset = (uint32_t)decoder->out.len, .n = (uint32_t)n};
	if (!grow(decoder, n * item_size)) {
		return false;
	}
	put(decoder, offset, &list, sizeof(list));
	return true;
}

/* ---- the rows ---- */

/* The member of an object, NULL when absent or null. */
static struct json_object *member(struct json_object *json, const char *name)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(json, name, &value);
	return value;
}

static bool is_wanted(const struct field *field, struct json_object *container)
{
	if (field->only_if == NULL) {
		return true;
	}
	struct json_object *value = member(container, field->only_if);
	return json_object_is_type(value, json_type_string) &&
	       strcmp(json_object_get_string(value), field->only_if_is) == 0;
}

/* The value that a row reads, NULL when absent; false = something on the way is no object. */
static bool find_value(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object **ret_value)
{
	struct json_object *container = place->json;
	int last = 0;

	while (last + 1 < FIELD_MAX_PATH && field->path[last + 1] != NULL) {
		container = member(container, field->path[last]);
		if (container == NULL) {
			*ret_value = NULL;
			return true;
		}
		last++;
		if (!json_object_is_type(container, json_type_object)) {
			struct field way = {.path = {NULL}};
			memcpy(way.path, field->path, (size_t)last * sizeof(*way.path));
			return refuse(decoder, place, &way, "must be an object");
		}
	}
	*ret_value = is_wanted(field, container) ? member(container, field->path[last]) : NULL;
	return true;
}

static bool is_collection(struct json_object *value)
{
	return json_object_is_type(value, json_type_object) ||
	       json_object_is_type(value, json_type_array);
}

static bool check_text(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_string)) {
		/* `on` and 80 are no strings in YAML: the commonest mistake in manifests. */
		return refuse(decoder, place, field,
			is_collection(value) ? "must be a string" : "must be a string (in quotes)");
	}
	size_t len = (size_t)json_object_get_string_len(value);
	if (!field->takes_nul && memchr(json_object_get_string(value), '\0', len) != NULL) {
		return refuse(decoder, place, field, "has a NUL character");
	}
	if (field->max_len > 0 && len > field->max_len) {
		return refuse(decoder, place, field, "is too long");
	}
	if (field->is_required && len == 0) {
		return refuse(decoder, place, field, "must not be empty");
	}
	return true;
}

static bool decode_text(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	size_t len = (size_t)json_object_get_string_len(value);
	size_t start = decoder->out.len;

	if (!check_text(decoder, place, field, value) ||
		!put_text(
			decoder, place->base + field->offset, json_object_get_string(value), len)) {
		return false;
	}
	for (char *c = decoder->out.data + start; c < decoder->out.data + start + len; c++) {
		*c = *c == '\0' ? FIELD_NUL : *c;
	}
	return true;
}

static bool decode_first_text(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_array)) {
		return refuse(decoder, place, field, "must be a list");
	}
	if (json_object_array_length(value) == 0) {
		return true;
	}
	return decode_text(decoder, place, field, json_object_array_get_idx(value, 0));
}

static bool decode_texts(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	struct place item = {.up = place, .via = field};

	if (!json_object_is_type(value, json_type_array)) {
		return refuse(decoder, place, field, "must be a list");
	}
	size_t n = json_object_array_length(value);
	if (n == 0) {
		return true;
	}
	if (!put_list(decoder, place->base + field->offset, n, sizeof(struct obj_text))) {
		return false;
	}
	/* The row again, for one text: its place is the item itself. */
	struct field row = {.type = FIELD_TEXT, .max_len = field->max_len};
	item.base = decoder->out.len - n * sizeof(struct obj_text);
	for (; item.index < n; item.index++, item.base += sizeof(struct obj_text)) {
		if (!decode_text(
			    decoder, &item, &row, json_object_array_get_idx(value, item.index))) {
			return false;
		}
	}
	return true;
}

static bool decode_int(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	char reason[64];

	if (!json_object_is_type(value, json_type_int)) {
		return refuse(decoder, place, field, "must be a whole number");
	}
	/* Out of int64_t's range json-c gives the nearest end of it. */
	int64_t number = json_object_get_int64(value);
	if (number < field->min || number > field->max) {
		snprintf(reason, sizeof(reason), "must be from %d to %d", (int)field->min,
			(int)field->max);
		return refuse(decoder, place, field, reason);
	}
	int32_t stored = (int32_t)number;
	put(decoder, place->base + field->offset, &stored, sizeof(stored));
	return true;
}

static bool decode_bool(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	if (!json_object_is_type(value, json_type_boolean)) {
		return refuse(decoder, place, field, "must be true or false");
	}
	uint8_t stored = json_object_get_boolean(value) ? OBJ_TRUE : OBJ_FALSE;
	put(decoder, place->base + field->offset, &stored, sizeof(stored));
	return true;
}

static bool decode_enum(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	uint8_t stored = field->other;

	if (!check_text(decoder, place, field, value)) {
		return false;
	}
	for (const struct field_word *word = field->words; word->word != NULL; word++) {
		if (strcmp(word->word, json_object_get_string(value)) == 0) {
			stored = word->value;
		}
	}
	put(decoder, place->base + field->offset, &stored, sizeof(stored));
	return true;
}

static bool decode_time(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	int64_t seconds = 0;

	if (!check_text(decoder, place, field, value)) {
		return false;
	}
	if (!kube_time_parse(json_object_get_string(value), &seconds)) {
		return refuse(decoder, place, field, "must be a time like 2024-05-01T10:00:00Z");
	}
	put(decoder, place->base + field->offset, &seconds, sizeof(seconds));
	return true;
}

static bool decode_group(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	struct place inner = {.up = place,
		.via = field,
		.index = NO_INDEX,
		.json = value,
		.base = place->base + field->offset};

	if (!json_object_is_type(value, json_type_object)) {
		return refuse(decoder, place, field, "must be an object");
	}
	return decode_fields(decoder, &inner, field->rows);
}

static bool decode_list(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	struct place item = {.up = place, .via = field};

	if (!json_object_is_type(value, json_type_array)) {
		return refuse(decoder, place, field, "must be a list");
	}
	size_t n = json_object_array_length(value);
	if (n == 0) {
		return true;
	}
	if (!put_list(decoder, place->base + field->offset, n, field->rows->item_size)) {
		return false;
	}
	item.base = decoder->out.len - n * field->rows->item_size;
	for (; item.index < n; item.index++, item.base += field->rows->item_size) {
		item.json = json_object_array_get_idx(value, item.index);
		if (!json_object_is_type(item.json, json_type_object)) {
			return refuse(decoder, &item, NULL, "must be an object");
		}
		if (!decode_fields(decoder, &item, field->rows)) {
			return false;
		}
	}
	return true;
}

static int compare_entries(const void *a, const void *b)
{
	const struct lh_entry *const *first = a;
	const struct lh_entry *const *second = b;

	return strcmp(lh_entry_k(*first), lh_entry_k(*second));
}

static bool is_longer_than_kept(const struct field *field, struct json_object *value)
{
	return field->max_len > 0 && json_object_is_type(value, json_type_string) &&
	       (size_t)json_object_get_string_len(value) > field->max_len;
}

/* The entries of a map that are read, in the order of their keys. The caller frees the array. */
static struct lh_entry **collect_entries(
	const struct field *field, struct json_object *map, size_t *ret_n)
{
	size_t n_all = (size_t)json_object_object_length(map);
	struct lh_entry **entries = xcalloc(n_all, sizeof(struct lh_entry *));
	struct lh_entry *entry = lh_table_head(json_object_get_object(map));
	size_t n = 0;

	for (; entry != NULL; entry = lh_entry_next(entry)) {
		if (field->keeps == NULL || field->keeps(lh_entry_k(entry))) {
			entries[n++] = entry;
		}
	}
	qsort(entries, n, sizeof(struct lh_entry *), compare_entries);
	*ret_n = n;
	return entries;
}

/* Keys and values of a map, in the order of the keys. */
static bool put_entries(struct decoder *decoder, const struct place *place,
	struct lh_entry *const *entries, size_t n)
{
	size_t base = decoder->out.len - n * sizeof(struct obj_pair);

	for (size_t i = 0; i < n; i++, base += sizeof(struct obj_pair)) {
		const char *key = lh_entry_k(entries[i]);
		struct json_object *value = lh_entry_v(entries[i]);
		struct field row = {.path = {key}, .takes_nul = place->via->takes_nul};
		if (!put_text(decoder, base + offsetof(struct obj_pair, key), key, strlen(key))) {
			return false;
		}
		if (value == NULL || is_longer_than_kept(place->via, value)) {
			continue;
		}
		row.offset = (uint32_t)(base - place->base + offsetof(struct obj_pair, value));
		if (!decode_text(decoder, place, &row, value)) {
			return false;
		}
	}
	return true;
}

static bool decode_map(struct decoder *decoder, const struct place *place,
	const struct field *field, struct json_object *value)
{
	struct place inner = {.up = place, .via = field, .index = NO_INDEX};

	if (!json_object_is_type(value, json_type_object)) {
		return refuse(decoder, place, field, "must be an object");
	}
	size_t n;
	CLEANUP(free_ptr) struct lh_entry **entries = collect_entries(field, value, &n);
	return n == 0 ||
	       (put_list(decoder, place->base + field->offset, n, sizeof(struct obj_pair)) &&
		       put_entries(decoder, &inner, entries, n));
}

/* ---- the table ---- */

static const field_fn field_decoders[] = {
	[FIELD_TEXT] = decode_text,
	[FIELD_FIRST_TEXT] = decode_first_text,
	[FIELD_TEXTS] = decode_texts,
	[FIELD_INT] = decode_int,
	[FIELD_BOOL] = decode_bool,
	[FIELD_ENUM] = decode_enum,
	[FIELD_TIME] = decode_time,
	[FIELD_GROUP] = decode_group,
	[FIELD_LIST] = decode_list,
	[FIELD_MAP] = decode_map,
};

static bool decode_fields(
	struct decoder *decoder, const struct place *place, const struct field_table *table)
{
	for (size_t i = 0; i < table->n_fields; i++) {
		const struct field *field = &table->fields[i];
		struct json_object *value = NULL;
		if (!find_value(decoder, place, field, &value)) {
			return false;
		}
		if (value == NULL && field->is_required) {
			return refuse(decoder, place, field, "is missing");
		}
		if (value != NULL && !field_decoders[field->type](decoder, place, field, value)) {
			return false;
		}
	}
	return true;
}

/* The one field with a default, and with a meaning that depends on the kind. */
static bool decode_namespace(struct decoder *decoder, const struct place *place,
	const struct object_schema *schema, const char *default_namespace)
{
	static const struct field row = {.path = {"metadata", "namespace"},
		.type = FIELD_TEXT,
		.offset = offsetof(struct object, namespace),
		.max_len = 63};
	struct json_object *value = NULL;

	if (!schema->is_namespaced) {
		return true;
	}
	if (!find_value(decoder, place, &row, &value)) {
		return false;
	}
	bool is_empty = json_object_is_type(value, json_type_string) &&
			json_object_get_string_len(value) == 0;
	if (value != NULL && !is_empty) {
		return decode_text(decoder, place, &row, value);
	}
	if (default_namespace == NULL || *default_namespace == '\0') {
		return refuse(decoder, place, &row, "is missing");
	}
	return put_text(decoder, row.offset, default_namespace, strlen(default_namespace));
}
