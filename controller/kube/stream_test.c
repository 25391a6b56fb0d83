/* The splitter gives the same documents however the bytes are cut, and never more than one at a
 * time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "kube/stream.h"

/* Documents and envelope of one answer, as text. */
struct outcome {
	struct buf documents; /* one a line */
	struct buf envelope;
	size_t n_documents;
	size_t stop_after; /* 0 = never */
	bool is_ok;
	bool is_inside;
	struct err err;
};

static bool collect(void *ctx, struct json_object *document)
{
	struct outcome *outcome = ctx;

	assert_true(json_object_is_type(document, json_type_object));
	buf_append_str(&outcome->documents,
		json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
	buf_append_char(&outcome->documents, '\n');
	outcome->n_documents++;
	return outcome->stop_after == 0 || outcome->n_documents < outcome->stop_after;
}

static void note_end(struct outcome *outcome, const struct kube_stream *stream)
{
	struct json_object *envelope = kube_stream_envelope(stream);

	outcome->is_inside = kube_stream_is_inside(stream);
	if (envelope != NULL) {
		buf_append_str(&outcome->envelope,
			json_object_to_json_string_ext(envelope, JSON_C_TO_STRING_PLAIN));
	}
}

/* In two pieces cut at `cut`, or byte by byte when `cut` is past the end. */
static void feed_text(struct outcome *outcome, enum kube_stream_mode mode, const char *text,
	size_t len, size_t cut)
{
	struct kube_stream *stream = kube_stream_new(mode, collect, outcome);

	if (cut <= len) {
		outcome->is_ok = kube_stream_feed(stream, text, cut, &outcome->err) &&
				 kube_stream_feed(stream, text + cut, len - cut, &outcome->err);
	} else {
		outcome->is_ok = true;
		for (size_t i = 0; i < len && outcome->is_ok; i++) {
			/* An own allocation each, so that a read past the piece is seen. */
			char *byte = xmalloc(1);
			byte[0] = text[i];
			outcome->is_ok = kube_stream_feed(stream, byte, 1, &outcome->err);
			free(byte);
		}
	}
	note_end(outcome, stream);
	kube_stream_free(stream);
}

static void outcome_fini(struct outcome *outcome)
{
	buf_fini(&outcome->documents);
	buf_fini(&outcome->envelope);
}

struct example {
	enum kube_stream_mode mode;
	const char *text;
	const char *documents;
	const char *envelope;
};

static const struct example examples[] = {
	{KUBE_STREAM_LIST,
		"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		"\"12\",\"continue\":\"abc\"},\"items\":[{\"a\":1},{\"b\":\"\\u00e9 "
		"\xc3\xa9\"}]}\n",
		"{\"a\":1}\n{\"b\":\"\xc3\xa9 \xc3\xa9\"}\n",
		"{\"kind\":\"ServiceList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":"
		"\"12\",\"continue\":\"abc\"},\"items\":null}"},
	/* items first, blanks everywhere, numbers and words as members */
	{KUBE_STREAM_LIST,
		" {\r\n\t\"items\" : [ {\"a\" : [ ] } , { } ] , \"n\" : 12 , "
		"\"m\":-1.5e3,\"t\":true,"
		"\"f\" : false ,\"z\":null } ",
		"{\"a\":[]}\n{}\n",
		"{\"items\":null,\"n\":12,\"m\":-1.5e3,\"t\":true,\"f\":false,\"z\":null}"},
	{KUBE_STREAM_LIST, "{\"items\":[],\"metadata\":{}}", "",
		"{\"items\":null,\"metadata\":{}}"},
	{KUBE_STREAM_LIST, "{\"items\":null,\"metadata\":{}}", "",
		"{\"items\":null,\"metadata\":{}}"},
	{KUBE_STREAM_LIST, "{}", "", "{}"},
	/* "items" anywhere else is just a name */
	{KUBE_STREAM_LIST,
		"{\"metadata\":{\"items\":[{\"no\":1}]},\"x\":\"items\",\"items\":[{\"items\":[{"
		"\"in\":"
		"1}],\"s\":\"]},{\\\"items\\\":[\"}]}",
		"{\"items\":[{\"in\":1}],\"s\":\"]},{\\\"items\\\":[\"}\n",
		"{\"metadata\":{\"items\":[{\"no\":1}]},\"x\":\"items\",\"items\":null}"},
	/* a name with an escape in it */
	{KUBE_STREAM_LIST, "{\"it\\u0065ms\":[{\"a\":1}]}", "{\"a\":1}\n", "{\"items\":null}"},
	{KUBE_STREAM_WATCH,
		"{\"type\":\"ADDED\",\"object\":{\"n\":1}}\n{\"type\":\"BOOKMARK\",\"object\":{}}\n"
		"\n {\"s\":\"}{\\\\\"}{\"glued\":[{},{}]}",
		"{\"type\":\"ADDED\",\"object\":{\"n\":1}}\n{\"type\":\"BOOKMARK\",\"object\":{}}\n"
		"{\"s\":\"}{\\\\\"}\n{\"glued\":[{},{}]}\n",
		""},
};

static void test_same_for_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *example = &examples[i];
		size_t len = strlen(example->text);
		for (size_t cut = 0; cut <= len + 1; cut++) {
			struct outcome outcome = {0};
			feed_text(&outcome, example->mode, example->text, len, cut);
			assert_true(outcome.is_ok);
			assert_false(outcome.is_inside);
			assert_string_equal(buf_str(&outcome.documents), example->documents);
			assert_string_equal(buf_str(&outcome.envelope), example->envelope);
			outcome_fini(&outcome);
		}
	}
}

/* What has come before the cut is there, and nothing of what was cut off. */
static void test_truncated_gives_prefix(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(examples); i++) {
		const struct example *example = &examples[i];
		bool is_list = example->mode == KUBE_STREAM_LIST;
		size_t end = strlen(example->text);
		while (is_list && example->text[end - 1] != '}') {
			end--;
		}
		for (size_t len = 0; len < end; len++) {
			struct outcome outcome = {0};
			feed_text(&outcome, example->mode, example->text, len, 0);
			assert_true(outcome.is_ok);
			assert_memory_equal(example->documents, buf_str(&outcome.documents),
				outcome.documents.len);
			assert_string_equal(buf_str(&outcome.envelope), "");
			assert_true(outcome.is_inside || !is_list);
			outcome_fini(&outcome);
		}
	}
}

static void test_watch_knows_that_it_was_cut(void **state)
{
	static const char text[] = "{\"a\":1}\n{\"b\":2}\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct outcome outcome = {0};
		bool is_between = len == 0 || len == 7 || len == 8 || len >= 15;
		feed_text(&outcome, KUBE_STREAM_WATCH, text, len, 0);
		assert_int_equal(outcome.is_inside, !is_between);
		outcome_fini(&outcome);
	}
}

static void test_refused(void **state)
{
	static const struct {
		enum kube_stream_mode mode;
		const char *text;
	} cases[] = {
		{KUBE_STREAM_LIST, "<html><body>502</body></html>"},
		{KUBE_STREAM_LIST, "\xef\xbb\xbf{}"},
		{KUBE_STREAM_LIST, "[]"},
		{KUBE_STREAM_LIST, "null"},
		{KUBE_STREAM_LIST, "{\"items\":{}}"},
		{KUBE_STREAM_LIST, "{\"items\":nan}"},
		{KUBE_STREAM_LIST, "{\"items\":[1]}"},
		{KUBE_STREAM_LIST, "{\"items\":[null]}"},
		{KUBE_STREAM_LIST, "{\"items\":[{}{}]}"},
		{KUBE_STREAM_LIST, "{\"items\":[{},]}"},
		{KUBE_STREAM_LIST, "{\"items\":[,{}]}"},
		{KUBE_STREAM_LIST, "{\"items\":[}"},
		{KUBE_STREAM_LIST, "{\"a\":1,}"},
		{KUBE_STREAM_LIST, "{\"a\" 1}"},
		{KUBE_STREAM_LIST, "{\"a\":}"},
		{KUBE_STREAM_LIST, "{,}"},
		{KUBE_STREAM_LIST, "{a:1}"},
		{KUBE_STREAM_LIST, "{'a':1}"},
		{KUBE_STREAM_LIST, "{\"a\":01x}"},
		{KUBE_STREAM_LIST, "{}{}"},
		{KUBE_STREAM_LIST, "{} x"},
		{KUBE_STREAM_LIST, "/* c */ {}"},
		{KUBE_STREAM_WATCH, "[]"},
		{KUBE_STREAM_WATCH, "1\n"},
		{KUBE_STREAM_WATCH, "null\n"},
		{KUBE_STREAM_WATCH, "{\"a\":1},{\"a\":2}"},
		{KUBE_STREAM_WATCH, "{\"a\":1]"},
		{KUBE_STREAM_WATCH, "{\"a\":\"b\" \"c\"}"},
		{KUBE_STREAM_WATCH, "{\"a\":tru}"},
		{KUBE_STREAM_WATCH, "Error: gateway timeout"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);
		for (size_t cut = 0; cut <= len + 1; cut++) {
			struct outcome outcome = {0};
			feed_text(&outcome, cases[i].mode, cases[i].text, len, cut);
			assert_false(outcome.is_ok);
			assert_int_equal(outcome.err.kind, ERR_PROTO);
			assert_string_equal(buf_str(&outcome.envelope), "");
			outcome_fini(&outcome);
		}
	}
}

static void test_nul_byte_is_refused(void **state)
{
	static const char list[] = "{\"items\":[{\"a\":\"b\0c\"}]}";
	static const char between[] = "{}\0{}";
	struct outcome outcome = {0};

	(void)state;
	feed_text(&outcome, KUBE_STREAM_LIST, list, sizeof(list) - 1, 0);
	assert_false(outcome.is_ok);
	feed_text(&outcome, KUBE_STREAM_WATCH, between, sizeof(between) - 1, 0);
	assert_false(outcome.is_ok);
	outcome_fini(&outcome);
}

/* `depth` containers inside each other, a number in the innermost. */
static void nest(struct buf *text, size_t depth)
{
	buf_append_str(text, "{\"a\":");
	for (size_t i = 1; i < depth; i++) {
		buf_append_char(text, '[');
	}
	buf_append_char(text, '1');
	for (size_t i = 1; i < depth; i++) {
		buf_append_char(text, ']');
	}
	buf_append_char(text, '}');
}

static void test_depth(void **state)
{
	static const size_t depths[] = {
		KUBE_STREAM_MAX_DEPTH, KUBE_STREAM_MAX_DEPTH + 1, 1000, 1000000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
		struct buf text = {0};
		struct outcome outcome = {0};
		nest(&text, depths[i]);
		feed_text(&outcome, KUBE_STREAM_WATCH, buf_str(&text), text.len, 0);
		assert_int_equal(outcome.is_ok, depths[i] <= KUBE_STREAM_MAX_DEPTH);
		buf_fini(&text);
		outcome_fini(&outcome);
	}
}

/* Feeds `prefix`, then letters for ever; returns how many bytes went in before the stream failed.
 */
static size_t feed_for_ever(enum kube_stream_mode mode, const char *prefix)
{
	struct outcome outcome = {0};
	struct kube_stream *stream = kube_stream_new(mode, collect, &outcome);
	char letters[4096];
	size_t fed = 0;

	memset(letters, 'x', sizeof(letters));
	assert_true(kube_stream_feed(stream, prefix, strlen(prefix), &outcome.err));
	while (kube_stream_feed(stream, letters, sizeof(letters), &outcome.err)) {
		fed += sizeof(letters);
		assert_true(fed <= 2 * KUBE_STREAM_MAX_DOCUMENT);
	}
	assert_int_equal(outcome.err.kind, ERR_PROTO);
	assert_non_null(strstr(outcome.err.text, "longer than"));
	kube_stream_free(stream);
	outcome_fini(&outcome);
	return fed;
}

static void test_endless_values_are_refused(void **state)
{
	(void)state;
	assert_in_range(feed_for_ever(KUBE_STREAM_WATCH, "{\"a\":\""),
		KUBE_STREAM_MAX_DOCUMENT - 8192, KUBE_STREAM_MAX_DOCUMENT);
	assert_in_range(feed_for_ever(KUBE_STREAM_LIST, "{\"items\":[{\"a\":\""),
		KUBE_STREAM_MAX_DOCUMENT - 8192, KUBE_STREAM_MAX_DOCUMENT);
	assert_in_range(feed_for_ever(KUBE_STREAM_LIST, "{\"kind\":\""),
		KUBE_STREAM_MAX_ENVELOPE - 8192, KUBE_STREAM_MAX_ENVELOPE);
	assert_in_range(feed_for_ever(KUBE_STREAM_LIST, "{\""), KUBE_STREAM_MAX_ENVELOPE - 8192,
		KUBE_STREAM_MAX_ENVELOPE);
}

/* A member more and a member more: the limit is for all of them together. */
static void test_envelope_is_bounded_as_a_whole(void **state)
{
	struct outcome outcome = {0};
	struct kube_stream *stream = kube_stream_new(KUBE_STREAM_LIST, collect, &outcome);
	size_t fed = 0;
	char member[64];

	(void)state;
	assert_true(kube_stream_feed(stream, "{", 1, &outcome.err));
	for (unsigned i = 0; fed <= 2 * KUBE_STREAM_MAX_ENVELOPE; i++) {
		int len = snprintf(member, sizeof(member), "%s\"member%u\":{}", i ? "," : "", i);
		if (!kube_stream_feed(stream, member, (size_t)len, &outcome.err)) {
			break;
		}
		fed += (size_t)len;
	}
	assert_in_range(fed, KUBE_STREAM_MAX_ENVELOPE,
		KUBE_STREAM_MAX_ENVELOPE + KUBE_STREAM_MAX_ENVELOPE / 4);
	kube_stream_free(stream);
	outcome_fini(&outcome);
}

static void test_many_items_cost_no_more_than_one(void **state)
{
	struct outcome outcome = {0};
	struct kube_stream *stream = kube_stream_new(KUBE_STREAM_LIST, collect, &outcome);
	static const char item[] = "{\"metadata\":{\"name\":\"x\"}},";

	(void)state;
	assert_true(kube_stream_feed(stream, "{\"items\":[", 10, &outcome.err));
	for (int i = 0; i < 20000; i++) {
		assert_true(kube_stream_feed(stream, item, sizeof(item) - 1, &outcome.err));
		buf_clear(&outcome.documents);
	}
	assert_true(kube_stream_feed(stream, "{}]}", 4, &outcome.err));
	assert_int_equal(outcome.n_documents, 20001);
	assert_non_null(kube_stream_envelope(stream));
	kube_stream_free(stream);
	outcome_fini(&outcome);
}

static void test_reader_can_stop(void **state)
{
	struct outcome outcome = {.stop_after = 2};

	(void)state;
	feed_text(&outcome, KUBE_STREAM_WATCH, "{\"a\":1}{\"b\":2}{\"c\":3}", 21, 0);
	assert_false(outcome.is_ok);
	assert_int_equal(outcome.err.kind, ERR_NONE);
	assert_int_equal(outcome.n_documents, 2);
	outcome_fini(&outcome);
}

static void test_failed_stays_failed(void **state)
{
	struct outcome outcome = {0};
	struct kube_stream *stream = kube_stream_new(KUBE_STREAM_WATCH, collect, &outcome);

	(void)state;
	assert_false(kube_stream_feed(stream, "x", 1, &outcome.err));
	assert_false(kube_stream_feed(stream, "{}", 2, &outcome.err));
	assert_int_equal(outcome.n_documents, 0);
	kube_stream_free(stream);
	outcome_fini(&outcome);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_for_every_cut),
		cmocka_unit_test(test_truncated_gives_prefix),
		cmocka_unit_test(test_watch_knows_that_it_was_cut),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nul_byte_is_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_endless_values_are_refused),
		cmocka_unit_test(test_envelope_is_bounded_as_a_whole),
		cmocka_unit_test(test_many_items_cost_no_more_than_one),
		cmocka_unit_test(test_reader_can_stop),
		cmocka_unit_test(test_failed_stays_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
