/*
 * libyaml's events to json-c values, with a stack of open collections instead of recursion.
 *
 * Called by manifest/file.c. Must not know what the documents mean. An alias adds a reference to
 * the value of its anchor, not a copy; what keeps that from blowing up in a reader's hands is that
 * every value knows how many values and levels it stands for.
 */
#include "manifest/yaml.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/table.h"
#include "manifest/scalar.h"

#define TAG_PREFIX "tag:yaml.org,2002:"

/* libyaml compares each with all others of its document. */
#define MAX_DIRECTIVES 100

/* A complete value. */
struct node {
	struct json_object *value; /* one reference is the node's; NULL = null */
	size_t n_values;	   /* it and everything in it */
	size_t height;		   /* levels: 1 for a scalar */
};

/* A collection whose end has not come yet. */
struct frame {
	struct json_object *value; /* array or object */
	char *anchor;		   /* NULL = none */
	char *key;		   /* of the value to come; NULL = a key is next */
	bool is_merge;		   /* the key is `<<` */
	bool has_merge;
	struct json_object *merge; /* value of `<<`, applied at the end */
	size_t n_values;
	size_t height;
};

struct anchor {
	char *name;
	struct node node;
};

struct builder {
	yaml_parser_t parser;
	struct json_object *documents;
	struct frame frames[YAML_MAX_DEPTH];
	size_t depth;	      /* open frames */
	struct table anchors; /* struct anchor, of this document */
	size_t n_values;      /* of all documents */
	size_t line;	      /* of the event at hand */
	struct err *err;
};

typedef bool (*event_fn)(struct builder *builder, const yaml_event_t *event);

static bool build(struct builder *builder, const char *text, size_t len);
static void clear_anchors(struct builder *builder);
static void pop_frame(struct builder *builder);

/* Lines that begin with a tag directive, by any line break that YAML knows; sometimes too many,
 * never too few. */
static size_t count_directives(const char *text, size_t len)
{
	static const char directive[] = "%TAG";
	const char *end = text + len;
	const char *at = text;
	size_t n = 0;

	while ((at = memmem(at, (size_t)(end - at), directive, strlen(directive))) != NULL) {
		unsigned char before = at > text ? (unsigned char)at[-1] : '\n';
		n += before == '\n' || before == '\r' || before >= 0x80;
		at++;
	}
	return n;
}

static bool check_size(const char *text, size_t len, struct err *err)
{
	if (len > YAML_MAX_SIZE) {
		return err_set(err, ERR_INPUT, "line 1: the text is longer than 64 MiB");
	}
	if (count_directives(text, len) > MAX_DIRECTIVES) {
		return err_set(
			err, ERR_INPUT, "line 1: more than %d tag directives", MAX_DIRECTIVES);
	}
	return true;
}

struct json_object *yaml_parse(const char *text, size_t len, struct err *err)
{
	struct json_object *documents = json_object_new_array();
	struct builder builder = {.documents = documents, .err = err};

	assert(documents != NULL);
	if (!check_size(text, len, err)) {
		json_object_put(documents);
		return NULL;
	}
	int has_memory = yaml_parser_initialize(&builder.parser);
	assert(has_memory);
	bool is_ok = build(&builder, text, len);
	while (builder.depth > 0) {
		pop_frame(&builder);
	}
	clear_anchors(&builder);
	yaml_parser_delete(&builder.parser);
	if (!is_ok) {
		json_object_put(documents);
		return NULL;
	}
	return documents;
}

size_t yaml_line(struct json_object *json)
{
	bool is_collection = json_object_is_type(json, json_type_object) ||
			     json_object_is_type(json, json_type_array);

	return is_collection ? (uintptr_t)json_object_get_userdata(json) : 0;
}

/* ---- errors ---- */

static bool refuse(struct builder *builder, const char *reason)
{
	return err_set(builder->err, ERR_INPUT, "line %zu: %s", builder->line, reason);
}

/* libyaml's complaint. Errors of its reader (not UTF-8) have an offset and no line. */
static bool refuse_syntax(struct builder *builder, const char *text, size_t len)
{
	const yaml_parser_t *parser = &builder->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	builder->line = parser->problem_mark.line + 1;
	if (parser->error == YAML_READER_ERROR) {
		size_t end = parser->problem_offset < len ? parser->problem_offset : len;
		builder->line = 1;
		for (size_t i = 0; i < end; i++) {
			builder->line += text[i] == '\n';
		}
	}
	refuse(builder, problem);
	if (parser->context != NULL) {
		err_set(builder->err, ERR_INPUT, "line %zu: %s %s", builder->line, problem,
			parser->context);
	}
	return false;
}

/* ---- anchors ---- */

static bool anchor_has_name(const void *item, const void *name)
{
	return strcmp(((const struct anchor *)item)->name, name) == 0;
}

static void free_anchor(struct anchor *anchor)
{
	if (anchor != NULL) {
		json_object_put(anchor->node.value);
		free(anchor->name);
		free(anchor);
	}
}

static void forget_anchor(struct builder *builder, const char *name)
{
	free_anchor(table_remove(&builder->anchors, hash_str(name), name, anchor_has_name));
}

static void remember_anchor(struct builder *builder, const char *name, const struct node *node)
{
	struct anchor *anchor = xcalloc(1, sizeof(*anchor));

	forget_anchor(builder, name);
	anchor->name = xstrdup(name);
	anchor->node = *node;
	anchor->node.value = json_object_get(node->value);
	table_insert(&builder->anchors, hash_str(name), anchor);
}

static void clear_anchors(struct builder *builder)
{
	struct anchor *anchor;

	TABLE_FOREACH (&builder->anchors, anchor) {
		free_anchor(anchor);
	}
	table_fini(&builder->anchors);
}

/* ---- collections ---- */

static struct frame *top_frame(struct builder *builder)
{
	return builder->depth > 0 ? &builder->frames[builder->depth - 1] : NULL;
}

static bool wants_key(struct builder *builder)
{
	const struct frame *top = top_frame(builder);

	return top != NULL && top->key == NULL && json_object_is_type(top->value, json_type_object);
}

static void pop_frame(struct builder *builder)
{
	struct frame *frame = &builder->frames[--builder->depth];

	json_object_put(frame->value);
	json_object_put(frame->merge);
	free(frame->anchor);
	free(frame->key);
	*frame = (struct frame){0};
}

static bool is_mergeable(struct json_object *value)
{
	if (json_object_is_type(value, json_type_object)) {
		return true;
	}
	if (!json_object_is_type(value, json_type_array)) {
		return false;
	}
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		if (!json_object_is_type(json_object_array_get_idx(value, i), json_type_object)) {
			return false;
		}
	}
	return true;
}

/* Takes the node's reference over, also on failure. */
static bool add_member(struct builder *builder, struct frame *frame, const struct node *node)
{
	if (!frame->is_merge) {
		json_object_object_add(frame->value, frame->key, node->value);
	} else if (is_mergeable(node->value)) {
		frame->merge = node->value;
		frame->has_merge = true;
	} else {
		json_object_put(node->value);
		return refuse(builder, "the merge key << takes a mapping or a list of mappings");
	}
	free(frame->key);
	frame->key = NULL;
	return true;
}

/* Puts a complete value where it belongs; takes its reference over. */
static bool add_node(struct builder *builder, const struct node *node)
{
	struct frame *frame = top_frame(builder);

	if (builder->depth + node->height > YAML_MAX_DEPTH + 1) {
		json_object_put(node->value);
		return refuse(builder, "nested deeper than 64 levels");
	}
	if (frame == NULL) {
		if (node->value != NULL) {
			json_object_array_add(builder->documents, node->value);
		}
		return true;
	}
	frame->n_values += node->n_values;
	if (node->height > frame->height) {
		frame->height = node->height;
	}
	if (json_object_is_type(frame->value, json_type_array)) {
		json_object_array_add(frame->value, node->value);
		return true;
	}
	return add_member(builder, frame, node);
}

static bool count_values(struct builder *builder, size_t n)
{
	builder->n_values += n;
	if (builder->n_values > YAML_MAX_VALUES) {
		return refuse(builder, "more than 1000000 values");
	}
	return true;
}

/* Members of `from` that `into` does not have. */
static void merge_members(struct json_object *into, struct json_object *from)
{
	json_object_object_foreach(from, key, value)
	{
		if (!json_object_object_get_ex(into, key, NULL)) {
			json_object_object_add(into, key, json_object_get(value));
		}
	}
}

/* What a mapping says itself wins; of several merged mappings the first. */
static void apply_merge(struct frame *frame)
{
	if (json_object_is_type(frame->merge, json_type_object)) {
		merge_members(frame->value, frame->merge);
		return;
	}
	for (size_t i = 0; frame->merge && i < json_object_array_length(frame->merge); i++) {
		merge_members(frame->value, json_object_array_get_idx(frame->merge, i));
	}
}

static bool begin_collection(struct builder *builder, struct json_object *value,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	assert(value != NULL);
	const char *own_tag =
		json_object_is_type(value, json_type_array) ? TAG_PREFIX "seq" : TAG_PREFIX "map";
	const char *problem = NULL;

	if (wants_key(builder)) {
		problem = "a key must be a scalar";
	} else if (tag != NULL && strcmp((const char *)tag, own_tag) != 0) {
		problem = "a tag that Kubernetes manifests do not have";
	} else if (builder->depth == YAML_MAX_DEPTH) {
		problem = "nested deeper than 64 levels";
	}
	if (problem != NULL) {
		json_object_put(value);
		return refuse(builder, problem);
	}
	json_object_set_userdata(value, (void *)(uintptr_t)builder->line, NULL);
	struct frame *frame = &builder->frames[builder->depth++];
	*frame = (struct frame){.value = value};
	if (anchor != NULL) {
		/* From here on the name means this collection, which can't be in itself. */
		forget_anchor(builder, (const char *)anchor);
		frame->anchor = xstrdup((const char *)anchor);
	}
	return count_values(builder, 1);
}

static bool handle_sequence_start(struct builder *builder, const yaml_event_t *event)
{
	return begin_collection(builder, json_object_new_array(), event->data.sequence_start.anchor,
		event->data.sequence_start.tag);
}

static bool handle_mapping_start(struct builder *builder, const yaml_event_t *event)
{
	return begin_collection(builder, json_object_new_object(), event->data.mapping_start.anchor,
		event->data.mapping_start.tag);
}

static bool handle_collection_end(struct builder *builder, const yaml_event_t *event)
{
	struct frame *frame = top_frame(builder);
	struct node node = {.value = json_object_get(frame->value),
		.n_values = frame->n_values + 1,
		.height = frame->height + 1};

	(void)event;
	apply_merge(frame);
	if (frame->anchor != NULL) {
		remember_anchor(builder, frame->anchor, &node);
	}
	pop_frame(builder);
	return add_node(builder, &node);
}

/* ---- scalars ---- */

/* The type that a tag asks for; false = not one of ours. */
static bool find_tag(const char *tag, enum scalar_type *ret_type)
{
	static const struct {
		const char *tag;
		enum scalar_type type;
	} tags[] = {
		{"!", SCALAR_TEXT},
		{TAG_PREFIX "str", SCALAR_TEXT},
		{TAG_PREFIX "null", SCALAR_NULL},
		{TAG_PREFIX "bool", SCALAR_BOOL},
		{TAG_PREFIX "int", SCALAR_INT},
		{TAG_PREFIX "float", SCALAR_FLOAT},
	};

	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		if (strcmp(tag, tags[i].tag) == 0) {
			*ret_type = tags[i].type;
			return true;
		}
	}
	return false;
}

static bool decode_scalar(
	struct builder *builder, const yaml_event_t *event, struct json_object **ret_value)
{
	const char *text = (const char *)event->data.scalar.value;
	size_t len = event->data.scalar.length;
	const char *tag = (const char *)event->data.scalar.tag;
	enum scalar_type wanted = SCALAR_TEXT;

	if (tag != NULL && !find_tag(tag, &wanted)) {
		return refuse(builder, "a tag that Kubernetes manifests do not have");
	}
	bool is_plain = tag == NULL && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (!is_plain && wanted == SCALAR_TEXT) {
		*ret_value = json_object_new_string_len(text, (int)len);
		assert(*ret_value != NULL);
		return true;
	}
	struct json_object *value;
	enum scalar_type type = scalar_decode(text, len, &value);
	bool is_whole_float = wanted == SCALAR_FLOAT && type == SCALAR_INT;
	if (!is_plain && type != wanted && !is_whole_float) {
		json_object_put(value);
		return refuse(builder, "the value is not what its tag says");
	}
	*ret_value = value;
	return true;
}

static bool handle_key(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct frame *frame = top_frame(builder);
	bool is_merge =
		strcmp(text, "<<") == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (strlen(text) != event->data.scalar.length) {
		return refuse(builder, "a key has a NUL character");
	}
	if (is_merge ? frame->has_merge : json_object_object_get_ex(frame->value, text, NULL)) {
		return err_set(builder->err, ERR_INPUT, "line %zu: the key '%.100s' is there twice",
			builder->line, text);
	}
	frame->is_merge = is_merge;
	frame->key = xstrdup(text);
	return count_values(builder, 1);
}

static bool handle_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *anchor = (const char *)event->data.scalar.anchor;
	struct node node = {.n_values = 1, .height = 1};

	if (!decode_scalar(builder, event, &node.value)) {
		return false;
	}
	if (anchor != NULL) {
		remember_anchor(builder, anchor, &node);
	}
	if (wants_key(builder)) {
		json_object_put(node.value);
		return handle_key(builder, event);
	}
	return add_node(builder, &node) && count_values(builder, 1);
}

static bool handle_alias(struct builder *builder, const yaml_event_t *event)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor =
		table_find(&builder->anchors, hash_str(name), name, anchor_has_name);

	if (anchor == NULL) {
		return err_set(builder->err, ERR_INPUT,
			"line %zu: nothing complete before has the anchor '%.100s'", builder->line,
			name);
	}
	if (wants_key(builder)) {
		return refuse(builder, "an alias can't be a key");
	}
	if (!count_values(builder, anchor->node.n_values)) {
		return false;
	}
	struct node node = anchor->node;
	node.value = json_object_get(node.value);
	return add_node(builder, &node);
}

/* ---- events ---- */

static bool handle_document_end(struct builder *builder, const yaml_event_t *event)
{
	(void)event;
	clear_anchors(builder);
	return true;
}

static bool handle_nothing(struct builder *builder, const yaml_event_t *event)
{
	(void)builder;
	(void)event;
	return true;
}

static const event_fn handlers[] = {
	[YAML_NO_EVENT] = handle_nothing,
	[YAML_STREAM_START_EVENT] = handle_nothing,
	[YAML_STREAM_END_EVENT] = handle_nothing,
	[YAML_DOCUMENT_START_EVENT] = handle_nothing,
	[YAML_DOCUMENT_END_EVENT] = handle_document_end,
	[YAML_ALIAS_EVENT] = handle_alias,
	[YAML_SCALAR_EVENT] = handle_scalar,
	[YAML_SEQUENCE_START_EVENT] = handle_sequence_start,
	[YAML_SEQUENCE_END_EVENT] = handle_collection_end,
	[YAML_MAPPING_START_EVENT] = handle_mapping_start,
	[YAML_MAPPING_END_EVENT] = handle_collection_end,
};

static bool build(struct builder *builder, const char *text, size_t len)
{
	bool is_over = false;

	/* Without this, two bytes in front would make the text UTF-16. */
	yaml_parser_set_encoding(&builder->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)text, len);
	while (!is_over) {
		yaml_event_t event;
		if (!yaml_parser_parse(&builder->parser, &event)) {
			return refuse_syntax(builder, text, len);
		}
		builder->line = event.start_mark.line + 1;
		bool is_ok = handlers[event.type](builder, &event);
		is_over = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
		if (!is_ok) {
			return false;
		}
	}
	return true;
}
