/* See frame.h. */
#include "haproxy/frame.h"

#include <string.h>

static bool take(struct frame *frame, const char *data, size_t len);
static bool start_line(struct frame *frame);
static enum frame_event see_byte(struct frame *frame, char c, size_t *used);
static enum frame_event break_line(struct frame *frame, bool has_mark);
static enum frame_event end_answer(struct frame *frame);

void frame_fini(struct frame *frame)
{
	buf_fini(&frame->text);
}

void frame_begin(struct frame *frame, bool by_lines, size_t max, size_t max_total)
{
	struct buf text = frame->text;

	buf_clear(&text);
	text.max = max;
	*frame = (struct frame){.text = text, .left = max_total, .is_by_lines = by_lines};
}

enum frame_event frame_step(struct frame *frame, const char *data, size_t len, size_t *ret_used)
{
	enum frame_event event = FRAME_MORE;
	size_t used = 0;

	*ret_used = 0;
	if (frame->is_reported && !start_line(frame)) {
		return FRAME_BAD;
	}
	if (frame->is_ended) {
		return FRAME_END;
	}
	while (used < len && event == FRAME_MORE) {
		if (frame->n_prompt > 0) {
			event = see_byte(frame, data[used], &used);
			continue;
		}
		const char *feed = memchr(data + used, '\n', len - used);
		size_t n = feed ? (size_t)(feed - data) - used : len - used;
		if (!take(frame, data + used, n)) {
			return FRAME_BAD;
		}
		frame->n_prompt = feed ? 1 : 0;
		used += n + (feed ? 1 : 0);
	}
	*ret_used = used;
	return event;
}

const char *frame_text(const struct frame *frame)
{
	return buf_str(&frame->text);
}

static bool take(struct frame *frame, const char *data, size_t len)
{
	if (len > frame->left || (len > 0 && memchr(data, '\0', len) != NULL)) {
		return false;
	}
	frame->left -= len;
	buf_append(&frame->text, data, len);
	return buf_is_ok(&frame->text);
}

static bool start_line(struct frame *frame)
{
	bool has_mark = frame->has_mark;

	buf_clear(&frame->text);
	frame->is_reported = false;
	frame->has_mark = false;
	return !has_mark || take(frame, ">", 1);
}

/* A byte after a line feed, or after a line feed and '>'. It is used up only when it belongs to the
 * prompt. */
static enum frame_event see_byte(struct frame *frame, char c, size_t *used)
{
	if (frame->n_prompt == 1 && c == '>') {
		frame->n_prompt = 2;
		(*used)++;
		return FRAME_MORE;
	}
	if (frame->n_prompt == 2 && c == ' ') {
		(*used)++;
		return end_answer(frame);
	}
	return break_line(frame, frame->n_prompt == 2);
}

/* What looked like the beginning of a prompt was a line feed, and perhaps the '>' of the next line.
 */
static enum frame_event break_line(struct frame *frame, bool has_mark)
{
	frame->n_prompt = 0;
	if (!frame->is_by_lines) {
		return take(frame, "\n>", has_mark ? 2 : 1) ? FRAME_MORE : FRAME_BAD;
	}
	if (frame->left == 0) {
		return FRAME_BAD;
	}
	frame->left--;
	frame->has_mark = has_mark;
	frame->is_reported = true;
	return FRAME_LINE;
}

static enum frame_event end_answer(struct frame *frame)
{
	frame->n_prompt = 0;
	if (!frame->is_by_lines || frame->text.len == 0) {
		return FRAME_END;
	}
	frame->is_ended = true;
	frame->is_reported = true;
	return FRAME_LINE;
}
