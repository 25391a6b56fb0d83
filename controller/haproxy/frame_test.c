/* Unit tests of frame.c. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "haproxy/frame.h"

/* Runs `data` through a frame in pieces of `piece` bytes; writes events as text: lines as [line],
 * ends as <text>, bad as !. */
static void run(struct buf *out, const char *data, size_t len, bool by_lines, size_t piece)
{
	struct frame frame = {0};
	size_t pos = 0;
	enum frame_event event = FRAME_MORE;

	frame_begin(&frame, by_lines, 100, 1000);
	while (event != FRAME_BAD && (pos < len || event != FRAME_MORE)) {
		size_t n = len - pos < piece ? len - pos : piece;
		size_t used;

		event = frame_step(&frame, data + pos, n, &used);
		assert_true(used <= n);
		pos += used;
		if (event == FRAME_LINE) {
			buf_printf(out, "[%s]", frame_text(&frame));
		} else if (event == FRAME_END) {
			buf_printf(out, "<%s>", frame_text(&frame));
			frame_begin(&frame, by_lines, 100, 1000);
		} else if (event == FRAME_BAD) {
			buf_append_char(out, '!');
		}
	}
	frame_fini(&frame);
}

struct sample {
	const char *stream;
	const char *as_text;
	const char *as_lines;
};

static const struct sample samples[] = {
	{"\n> ", "<>", "<>"},
	{"No such backend.\n> ", "<No such backend.>", "[No such backend.]<>"},
	{"New server registered.\n\n> ", "<New server registered.\n>",
		"[New server registered.]<>"},
	{"\n> \n> a\n> ", "<><><a>", "<><>[a]<>"},
	{"a\nb\n\n> c\n\n> ", "<a\nb\n><c\n>", "[a][b]<>[c]<>"},
	{"a\n>b\n>> \n> ", "<a\n>b\n>> >", "[a][>b][>> ]<>"},
	{"\n\n\n> ", "<\n\n>", "[][]<>"},
	{"> a\n> ", "<> a>", "[> a]<>"},
	{"\n>\n> ", "<\n>>", "[][>]<>"},
	{"unfinished\n>", "", ""},
};

static void test_answers_in_pieces_of_any_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		size_t len = strlen(samples[i].stream);

		for (size_t piece = 1; piece <= len; piece++) {
			struct buf text = BUF_INIT(0);
			struct buf lines = BUF_INIT(0);

			run(&text, samples[i].stream, len, false, piece);
			run(&lines, samples[i].stream, len, true, piece);
			assert_string_equal(buf_str(&text), samples[i].as_text);
			assert_string_equal(buf_str(&lines), samples[i].as_lines);
			buf_fini(&text);
			buf_fini(&lines);
		}
	}
}

static void test_limits(void **state)
{
	char data[1200];
	struct buf out = BUF_INIT(0);

	(void)state;
	memset(data, 'x', sizeof(data));
	memcpy(data + 100, "\n> ", 3);
	run(&out, data, 103, false, 7);
	assert_int_equal(out.len, 102);
	buf_clear(&out);
	data[100] = 'x';
	run(&out, data, sizeof(data), false, 7);
	assert_string_equal(buf_str(&out), "!");
	buf_clear(&out);
	run(&out, data, sizeof(data), true, sizeof(data));
	assert_string_equal(buf_str(&out), "!");
	buf_clear(&out);

	/* Short lines without end: the total is what stops them. */
	memset(data, '\n', sizeof(data));
	run(&out, data, sizeof(data), true, sizeof(data));
	assert_int_equal(buf_str(&out)[out.len - 1], '!');
	assert_int_equal(out.len, 2 * 1000 + 1);
	buf_fini(&out);
}

static void test_nul_is_bad(void **state)
{
	struct buf out = BUF_INIT(0);

	(void)state;
	run(&out, "a\0b\n> ", 6, false, 6);
	assert_string_equal(buf_str(&out), "!");
	buf_clear(&out);
	run(&out, "a\n\0\n> ", 6, true, 1);
	assert_string_equal(buf_str(&out), "[a]!");
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_in_pieces_of_any_size),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_nul_is_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
