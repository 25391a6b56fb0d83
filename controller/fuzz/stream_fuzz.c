/*
 * The list and watch splitter: cut in any way, bytes that are understood in one piece give the same
 * documents and the same envelope. The first byte of the input chooses the mode, the second one the
 * cuts.
 *
 * Bytes that are refused in one piece may get further when cut: json-c forgets at a cut that a sign
 * can't follow a digit and takes `1-` for 1. Still they give what came before the fault. And where
 * it takes the beginning of `2.+5` in one piece, it may notice at a cut that this is no number.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	struct buf documents;
	bool is_ok;
	bool is_inside;
};

static bool collect(void *ctx, struct json_object *document)
{
	struct buf *documents = ctx;

	assert(json_object_is_type(document, json_type_object));
	buf_append_str(documents, json_object_to_json_string(document));
	buf_append_char(documents, '\n');
	return true;
}

/* Each piece in memory of its own, so that a read past its end is seen. */
static bool feed_piece(struct kube_stream *stream, const uint8_t *data, size_t len)
{
	struct err err = {0};
	char *piece = xmalloc(len);

	memcpy(piece, data, len);
	bool is_ok = kube_stream_feed(stream, piece, len, &err);
	assert(is_ok == (err.kind == ERR_NONE));
	free(piece);
	return is_ok;
}

/* `step` 0 = in one piece; else pieces of 1 to `step` bytes. */
static struct result feed(
	enum kube_stream_mode mode, const uint8_t *data, size_t size, unsigned step)
{
	struct result result = {.is_ok = true};
	struct kube_stream *stream = kube_stream_new(mode, collect, &result.documents);
	unsigned random = step;

	for (size_t at = 0; at < size && result.is_ok;) {
		size_t len = size - at;
		if (step > 0) {
			random = random * 1103515245u + 12345u;
			size_t wanted = 1 + (random >> 16) % step;
			len = wanted < len ? wanted : len;
		}
		result.is_ok = feed_piece(stream, data + at, len);
		at += len;
	}
	struct json_object *envelope = kube_stream_envelope(stream);
	assert(mode == KUBE_STREAM_LIST || envelope == NULL);
	if (envelope != NULL) {
		buf_append_str(&result.documents, json_object_to_json_string(envelope));
	}
	result.is_inside = kube_stream_is_inside(stream);
	kube_stream_free(stream);
	return result;
}

/* Is there a beginning of a number that JSON doesn't have: a point, sign or exponent beside
 * another, but for the sign of an exponent? */
static bool has_odd_number(const uint8_t *data, size_t size)
{
	static const char marks[] = "+-.eE";

	for (size_t i = 1; i < size; i++) {
		bool is_exponent = data[i - 1] == 'e' || data[i - 1] == 'E';
		bool is_sign = data[i] == '+' || data[i] == '-';
		if (memchr(marks, data[i - 1], sizeof(marks) - 1) != NULL &&
			memchr(marks, data[i], sizeof(marks) - 1) != NULL &&
			!(is_exponent && is_sign)) {
			return true;
		}
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2) {
		return 0;
	}
	enum kube_stream_mode mode = data[0] == 'W' ? KUBE_STREAM_WATCH : KUBE_STREAM_LIST;
	struct result whole = feed(mode, data + 2, size - 2, 0);
	struct result cut = feed(mode, data + 2, size - 2, 1 + data[1] % 32);

	bool is_forgiven = whole.is_ok && !cut.is_ok && has_odd_number(data + 2, size - 2);

	if (is_forgiven) {
		assert(strncmp(buf_str(&whole.documents), buf_str(&cut.documents),
			       cut.documents.len) == 0);
	} else if (whole.is_ok) {
		assert(cut.is_ok && cut.is_inside == whole.is_inside);
		assert(strcmp(buf_str(&whole.documents), buf_str(&cut.documents)) == 0);
	} else {
		assert(whole.documents.len <= cut.documents.len);
		assert(strncmp(buf_str(&whole.documents), buf_str(&cut.documents),
			       whole.documents.len) == 0);
	}
	buf_fini(&whole.documents);
	buf_fini(&cut.documents);
	return 0;
}
