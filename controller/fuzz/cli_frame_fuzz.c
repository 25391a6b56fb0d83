/*
 * The framing of answers: however the stream is cut, the events are the same, and they are those of
 * a plain search for the prompt.
 *
 * Input: one byte for the mode (1 = by lines), one for the size of the pieces, then the stream.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "haproxy/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_TEXT 64
#define MAX_ALL	 256

static const char prompt[] = "\n> ";

/* Runs the frame over pieces; false = it was bad. Events are written as 'L' or 'E', the text and a
 * NUL. */
static bool run_frame(struct buf *out, const char *stream, size_t len, bool by_lines, size_t piece)
{
	struct frame frame = {0};
	enum frame_event event = FRAME_MORE;
	size_t pos = 0;

	frame_begin(&frame, by_lines, MAX_TEXT, MAX_ALL);
	while (event != FRAME_BAD && (pos < len || event != FRAME_MORE)) {
		size_t n = len - pos < piece ? len - pos : piece;
		size_t used = 0;

		event = frame_step(&frame, stream + pos, n, &used);
		assert(used <= n && (event != FRAME_MORE || used == n));
		pos += used;
		if (event == FRAME_LINE || event == FRAME_END) {
			buf_append_char(out, event == FRAME_LINE ? 'L' : 'E');
			buf_append(out, frame_text(&frame), strlen(frame_text(&frame)) + 1);
		}
		if (event == FRAME_END) {
			frame_begin(&frame, by_lines, MAX_TEXT, MAX_ALL);
		}
	}
	frame_fini(&frame);
	return event != FRAME_BAD;
}

/* One answer without prompt, as events; false = over a limit. */
static bool expect_answer(struct buf *out, const char *text, size_t len, bool by_lines)
{
	if (memchr(text, '\0', len) != NULL || len > MAX_ALL) {
		return false;
	}
	if (!by_lines) {
		buf_append_char(out, 'E');
		buf_append(out, text, len);
		buf_append_char(out, '\0');
		return len <= MAX_TEXT;
	}
	while (len > 0) {
		const char *feed = memchr(text, '\n', len);
		size_t line_len = feed ? (size_t)(feed - text) : len;

		if (line_len > MAX_TEXT) {
			return false;
		}
		buf_append_char(out, 'L');
		buf_append(out, text, line_len);
		buf_append_char(out, '\0');
		text += line_len + (feed ? 1 : 0);
		len -= line_len + (feed ? 1 : 0);
	}
	buf_append(out, "E", 2);
	return true;
}

/* Compares the complete answers of the stream with the events; false = one of them must be bad. */
static bool expect(struct buf *out, const char *stream, size_t len, bool by_lines)
{
	const char *end;

	while ((end = memmem(stream, len, prompt, 3)) != NULL) {
		size_t text_len = (size_t)(end - stream);

		if (!expect_answer(out, stream, text_len, by_lines)) {
			return false;
		}
		stream = end + 3;
		len -= text_len + 3;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3) {
		return 0;
	}
	bool by_lines = data[0] & 1;
	size_t piece = (size_t)data[1] + 1;
	const char *stream = (const char *)data + 2;
	struct buf at_once = BUF_INIT(0);
	struct buf in_pieces = BUF_INIT(0);
	struct buf expected = BUF_INIT(0);

	size -= 2;
	bool is_ok = run_frame(&at_once, stream, size, by_lines, size);
	assert(run_frame(&in_pieces, stream, size, by_lines, piece) == is_ok);
	assert(at_once.len == in_pieces.len);
	assert(at_once.len == 0 || memcmp(at_once.data, in_pieces.data, at_once.len) == 0);
	if (expect(&expected, stream, size, by_lines)) {
		/* An answer that is not complete yet may add lines, or be bad. */
		assert(at_once.len >= expected.len);
		assert(expected.len == 0 || memcmp(at_once.data, expected.data, expected.len) == 0);
	} else {
		assert(!is_ok);
	}
	buf_fini(&at_once);
	buf_fini(&in_pieces);
	buf_fini(&expected);
	return 0;
}
