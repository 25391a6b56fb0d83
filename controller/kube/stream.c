/*
 * See stream.h. Called by kube/reflector.c; knows nothing of kinds and fields but the name "items".
 *
 * json-c parses the values, piece by piece as they come; what stands between them in a list is read
 * here:
 *
 *   START {  FIRST_KEY/KEY "name"  COLON :  VALUE …  COMMA , or }  END
 *                                    |
 *                                    +- "items": ITEMS [  FIRST_ITEM/ITEM …  ITEM_COMMA , or ]  ->
 * COMMA
 *
 * A watch is ITEM after ITEM with nothing but blanks between.
 */
#include "kube/stream.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum state {
	STATE_START,
	STATE_FIRST_KEY, /* a key or the closing brace */
	STATE_KEY,
	STATE_COLON,
	STATE_VALUE,
	STATE_COMMA,
	STATE_ITEMS,	  /* the bracket that opens the items, or null */
	STATE_FIRST_ITEM, /* an item or the closing bracket */
	STATE_ITEM,
	STATE_ITEM_COMMA,
	STATE_END,
	STATE_FAILED,
};

struct kube_stream {
	enum kube_stream_mode mode;
	enum state state;
	kube_document_fn on_document;
	void *ctx;
	struct json_tokener *tokener;
	bool is_inside;	      /* the tokener holds a part of a value */
	size_t value_size;    /* bytes of that value so far */
	size_t envelope_size; /* bytes of all keys and values of the envelope */
	char *key;	      /* of the member whose value comes next */
	struct json_object *envelope;
};

/* What is left of the chunk. */
struct input {
	const char *data;
	size_t len;
};

struct kube_stream *kube_stream_new(
	enum kube_stream_mode mode, kube_document_fn on_document, void *ctx)
{
	struct kube_stream *stream = xcalloc(1, sizeof(*stream));

	*stream = (struct kube_stream){.mode = mode, .on_document = on_document, .ctx = ctx};
	stream->state = mode == KUBE_STREAM_LIST ? STATE_START : STATE_ITEM;
	/* json-c counts the values inside the innermost container as one level more. */
	stream->tokener = json_tokener_new_ex(KUBE_STREAM_MAX_DEPTH + 1);
	stream->envelope = mode == KUBE_STREAM_LIST ? json_object_new_object() : NULL;
	if (stream->tokener == NULL || (mode == KUBE_STREAM_LIST && stream->envelope == NULL)) {
		abort(); /* no memory */
	}
	/* Strict, but more may follow the value: it is ours to read. */
	json_tokener_set_flags(
		stream->tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	return stream;
}

void kube_stream_free(struct kube_stream *stream)
{
	if (stream == NULL) {
		return;
	}
	json_tokener_free(stream->tokener);
	json_object_put(stream->envelope);
	free(stream->key);
	free(stream);
}

static bool step(struct kube_stream *stream, struct input *input, struct err *err);

bool kube_stream_feed(struct kube_stream *stream, const char *data, size_t len, struct err *err)
{
	struct input input = {data, len};

	if (stream->state == STATE_FAILED) {
		return err_set(err, ERR_PROTO, "the stream has failed before");
	}
	while (input.len > 0) {
		if (!step(stream, &input, err)) {
			stream->state = STATE_FAILED;
			return false;
		}
	}
	return true;
}

struct json_object *kube_stream_envelope(const struct kube_stream *stream)
{
	return stream->state == STATE_END ? stream->envelope : NULL;
}

bool kube_stream_is_inside(const struct kube_stream *stream)
{
	return stream->mode == KUBE_STREAM_LIST ? stream->state != STATE_END : stream->is_inside;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool fail_at(const struct input *input, const char *expected, struct err *err)
{
	unsigned char c = (unsigned char)input->data[0];

	if (c > ' ' && c < 0x7f) {
		return err_set(
			err, ERR_PROTO, "not JSON as expected: '%c' instead of %s", c, expected);
	}
	return err_set(
		err, ERR_PROTO, "not JSON as expected: byte 0x%02x instead of %s", c, expected);
}

/*
 * Feeds the tokener. True and *ret_is_whole: *ret_value (owned by the caller) is a complete value,
 * which may be NULL for JSON's null; true and not whole: the chunk is used up.
 */
static bool parse_value(struct kube_stream *stream, struct input *input, size_t max,
	struct json_object **ret_value, bool *ret_is_whole)
{
	size_t room = max - stream->value_size;
	size_t len = input->len < room ? input->len : room;
	struct json_object *value = json_tokener_parse_ex(stream->tokener, input->data, (int)len);
	enum json_tokener_error error = json_tokener_get_error(stream->tokener);
	bool is_whole = error == json_tokener_success;

	if (!is_whole && (error != json_tokener_continue || len < input->len)) {
		return false;
	}
	size_t used = is_whole ? json_tokener_get_parse_end(stream->tokener) : len;
	input->data += used;
	input->len -= used;
	stream->value_size += used;
	stream->is_inside = !is_whole;
	*ret_value = value;
	*ret_is_whole = is_whole;
	return true;
}

static bool explain_value(struct kube_stream *stream, size_t max, struct err *err)
{
	enum json_tokener_error error = json_tokener_get_error(stream->tokener);

	if (error == json_tokener_continue) {
		return err_set(err, ERR_PROTO, "a value is longer than %zu bytes", max);
	}
	return err_set(err, ERR_PROTO, "not JSON: %s", json_tokener_error_desc(error));
}

static void end_value(struct kube_stream *stream)
{
	stream->value_size = 0;
	json_tokener_reset(stream->tokener);
}

static bool step_item(struct kube_stream *stream, struct input *input, struct err *err)
{
	struct json_object *value = NULL;
	bool is_whole = false;

	if (!stream->is_inside && input->data[0] != '{') {
		return fail_at(input, "an object", err);
	}
	if (!parse_value(stream, input, KUBE_STREAM_MAX_DOCUMENT, &value, &is_whole)) {
		return explain_value(stream, KUBE_STREAM_MAX_DOCUMENT, err);
	}
	if (!is_whole) {
		return true;
	}
	end_value(stream);
	stream->state = stream->mode == KUBE_STREAM_LIST ? STATE_ITEM_COMMA : STATE_ITEM;
	bool goes_on = stream->on_document(stream->ctx, value);
	json_object_put(value);
	return goes_on;
}

/* A key or a value of the envelope: both count against its limit. */
static bool step_envelope(struct kube_stream *stream, struct input *input, struct err *err)
{
	size_t max = KUBE_STREAM_MAX_ENVELOPE - stream->envelope_size;
	struct json_object *value = NULL;
	bool is_whole = false;

	if (!parse_value(stream, input, max, &value, &is_whole)) {
		return explain_value(stream, KUBE_STREAM_MAX_ENVELOPE, err);
	}
	if (!is_whole) {
		return true;
	}
	stream->envelope_size += stream->value_size;
	end_value(stream);
	if (stream->state == STATE_VALUE) {
		if (value != NULL && strcmp(stream->key, "items") == 0) {
			json_object_put(value);
			return err_set(
				err, ERR_PROTO, "not a list: items is neither a list nor null");
		}
		json_object_object_add(stream->envelope, stream->key, value);
		stream->state = STATE_COMMA;
		return true;
	}
	free(stream->key);
	stream->key = xstrdup(json_object_get_string(value));
	json_object_put(value);
	stream->state = STATE_COLON;
	return true;
}

static bool step_key(struct kube_stream *stream, struct input *input, struct err *err)
{
	if (!stream->is_inside && input->data[0] != '"') {
		return fail_at(input, "a member's name", err);
	}
	return step_envelope(stream, input, err);
}

/* The one byte `c` leads to `next`, `other` (0 = none) to `other_next`. */
struct fork {
	char c;
	enum state next;
	char other;
	enum state other_next;
	const char *expected;
};

static bool step_mark(
	struct kube_stream *stream, struct input *input, const struct fork *fork, struct err *err)
{
	char c = input->data[0];

	if (c != fork->c && (c != fork->other || c == '\0')) {
		return fail_at(input, fork->expected, err);
	}
	stream->state = c == fork->c ? fork->next : fork->other_next;
	input->data++;
	input->len--;
	return true;
}

static bool step_colon(struct kube_stream *stream, struct input *input, struct err *err)
{
	static const struct fork colon = {':', STATE_VALUE, 0, STATE_FAILED, "a colon"};

	if (!step_mark(stream, input, &colon, err)) {
		return false;
	}
	if (strcmp(stream->key, "items") == 0) {
		stream->state = STATE_ITEMS;
	}
	return true;
}

/* `"items":null` is how Go writes a list that was never filled. */
static bool step_items(struct kube_stream *stream, struct input *input, struct err *err)
{
	static const struct fork bracket = {'[', STATE_FIRST_ITEM, 0, STATE_FAILED, "a list"};

	if (input->data[0] == 'n') {
		stream->state = STATE_VALUE;
		return true;
	}
	json_object_object_add(stream->envelope, stream->key, NULL);
	return step_mark(stream, input, &bracket, err);
}

/* One step in state order; each either uses at least one byte, changes the state, or fails. */
static bool step(struct kube_stream *stream, struct input *input, struct err *err)
{
	static const struct fork start = {'{', STATE_FIRST_KEY, 0, STATE_FAILED, "a list's brace"};
	static const struct fork comma = {',', STATE_KEY, '}', STATE_END, "a comma or brace"};
	static const struct fork item_comma = {
		',', STATE_ITEM, ']', STATE_COMMA, "a comma or bracket"};

	if (!stream->is_inside && is_blank(input->data[0])) {
		input->data++;
		input->len--;
		return true;
	}
	switch (stream->state) {
	case STATE_START:
		return step_mark(stream, input, &start, err);
	case STATE_FIRST_KEY:
		if (input->data[0] == '}') {
			return step_mark(stream, input, &comma, err);
		}
		stream->state = STATE_KEY;
		return true;
	case STATE_KEY:
		return step_key(stream, input, err);
	case STATE_COLON:
		return step_colon(stream, input, err);
	case STATE_VALUE:
		return step_envelope(stream, input, err);
	case STATE_COMMA:
		return step_mark(stream, input, &comma, err);
	case STATE_ITEMS:
		return step_items(stream, input, err);
	case STATE_FIRST_ITEM:
		if (input->data[0] == ']') {
			return step_mark(stream, input, &item_comma, err);
		}
		stream->state = STATE_ITEM;
		return true;
	case STATE_ITEM:
		return step_item(stream, input, err);
	case STATE_ITEM_COMMA:
		return step_mark(stream, input, &item_comma, err);
	case STATE_END:
		return fail_at(input, "the end", err);
	case STATE_FAILED:
		break;
	}
	return err_set(err, ERR_PROTO, "the stream has failed before");
}
