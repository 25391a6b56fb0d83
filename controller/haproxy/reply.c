/* See reply.h. */
#include "haproxy/reply.h"

#include <stdbool.h>
#include <string.h>

/* HAProxy's buffer for messages, one of which goes in only if two more bytes are left. */
#define MESSAGES_SIZE 1024
#define MESSAGES_LEFT 2

enum how { EXACT, PREFIX, NAMED, CUT };

struct reply {
	enum plan_op_kind kind;
	enum how how;
	const char *text;
	enum plan_result result;
};

static const struct reply replies[] = {
#define REPLY(op, how, text, result) {PLAN_OP_##op, how, text, PLAN_##result},
#include "haproxy/reply.def"
};

/* Is it the text of the table with the name in the place of '%'? */
static bool is_named(const char *known, const char *name, const char *line, size_t len)
{
	size_t before_len = strcspn(known, "%");
	const char *after = known + before_len + 1;
	size_t after_len = strlen(after);
	size_t name_len = name ? strlen(name) : 0;

	return name_len > 0 && len == before_len + name_len + after_len &&
	       memcmp(line, known, before_len) == 0 &&
	       memcmp(line + before_len, name, name_len) == 0 &&
	       memcmp(line + before_len + name_len, after, after_len) == 0;
}

/* Is there no room for this line after what the answer has already? */
static bool is_cut(const char *known, size_t answer_len)
{
	return answer_len + strlen(known) + sizeof("\n") - 1 + MESSAGES_LEFT > MESSAGES_SIZE;
}

/* `offset` is where the line, the last one, begins in the answer. */
static bool is_reply(
	const struct reply *reply, const char *name, const char *line, size_t len, size_t offset)
{
	if (reply->how == NAMED) {
		return is_named(reply->text, name, line, len);
	}
	if (reply->how == CUT) {
		return is_cut(reply->text, offset + len + sizeof("\n") - 1);
	}
	size_t known_len = strlen(reply->text);

	if (len < known_len || (reply->how == EXACT && len != known_len)) {
		return false;
	}
	return memcmp(line, reply->text, known_len) == 0;
}

enum plan_result reply_classify(enum plan_op_kind kind, const char *name, const char *text)
{
	size_t len;
	const char *line = reply_last_line(text, &len);

	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (replies[i].kind == kind &&
			is_reply(&replies[i], name, line, len, (size_t)(line - text))) {
			return replies[i].result;
		}
	}
	return PLAN_REFUSED;
}

const char *reply_last_line(const char *text, size_t *ret_len)
{
	size_t end = strlen(text);

	while (end > 0 && text[end - 1] == '\n') {
		end--;
	}
	size_t start = end;
	while (start > 0 && text[start - 1] != '\n') {
		start--;
	}
	*ret_len = end - start;
	return text + start;
}
