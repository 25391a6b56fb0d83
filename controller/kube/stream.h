/*
 * Splits the API server's answers into documents while they arrive, so that a list of any length
 * costs the memory of one object: a list's `items` one by one, and a watch's events one by one.
 * Chunks may be cut anywhere.
 *
 * Pure decoding: no I/O.
 */
#ifndef HG_KUBE_STREAM_H
#define HG_KUBE_STREAM_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"

struct kube_stream;

enum kube_stream_mode {
	KUBE_STREAM_LIST, /* {"kind":"XList","metadata":{…},"items":[…]}, members in any order */
	KUBE_STREAM_WATCH, /* one JSON document after another */
};

/*
 * The longest item or event, in bytes of JSON. The API server keeps at most 1.5 MiB of an object,
 * but JSON writes characters such as < and control characters with six bytes: a tenant can make an
 * object that takes more than 9 MB here, and must not be able to end the stream for everybody with
 * it.
 */
#define KUBE_STREAM_MAX_DOCUMENT (16u * 1024 * 1024)

/* All members of a list but its items. */
#define KUBE_STREAM_MAX_ENVELOPE (256u * 1024)

/* Arrays and objects inside each other, in an item, an event, or one member of the envelope. */
#define KUBE_STREAM_MAX_DEPTH 64

/*
 * One item or event, always a JSON object; borrowed for the call. false = stop feeding
 * (kube_stream_feed returns false without filling err).
 */
typedef bool (*kube_document_fn)(void *ctx, struct json_object *document);

struct kube_stream *kube_stream_new(
	enum kube_stream_mode mode, kube_document_fn on_document, void *ctx) MUST_USE;
void kube_stream_free(struct kube_stream *stream);

/*
 * false + err (ERR_PROTO) = not JSON, not of the expected form, or over one of the limits above.
 * The stream is of no use afterwards; every further call fails.
 */
bool kube_stream_feed(
	struct kube_stream *stream, const char *data, size_t len, struct err *err) MUST_USE;

/*
 * A list: everything but the items ({"metadata":{"resourceVersion":…,"continue":…}}) once the
 * closing brace has come, else NULL. It has a member "items", without a value, when the list had
 * one. A watch: NULL. Borrowed.
 */
struct json_object *kube_stream_envelope(const struct kube_stream *stream) MUST_USE;

/* Is there an unfinished document? (A watch that ends here was cut.) */
bool kube_stream_is_inside(const struct kube_stream *stream) MUST_USE;

#endif
