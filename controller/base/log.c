/* See log.h. */
#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOG_MAX_PAIRS 24
#define LOG_NUM_SLOTS 16

/* Longer values are cut, so that a line is always whole: with a value of every pair at its longest
 * it still fits. */
#define LOG_MAX_LINE_SIZE ((LOG_MAX_PAIRS + 3) * (LOG_MAX_VALUE_LEN * 6 + 128))

static enum log_level current_level = LOG_INFO;
static enum log_format current_format = LOG_FORMAT_LOGFMT;

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level)
{
	current_level = level;
}

void log_set_format(enum log_format format)
{
	current_format = format;
}

bool log_level_parse(const char *text, enum log_level *ret_level)
{
	for (int i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret_level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool log_is_on(enum log_level level)
{
	return level >= current_level;
}

void log_line(enum log_level level, const char *msg, ...)
{
	struct log_pair pairs[LOG_MAX_PAIRS];
	size_t n_pairs = 0;
	va_list args;

	if (!log_is_on(level)) {
		return;
	}
	va_start(args, msg);
	const char *key;
	while (n_pairs < LOG_MAX_PAIRS && (key = va_arg(args, const char *)) != NULL) {
		const char *value = va_arg(args, const char *);
		pairs[n_pairs++] = (struct log_pair){key, value ? value : ""};
	}
	va_end(args);
	log_pairs(level, msg, pairs, n_pairs);
}

void log_pairs(enum log_level level, const char *msg, const struct log_pair *pairs, size_t n_pairs)
{
	struct log_pair all[LOG_MAX_PAIRS + 3];
	struct timespec now;
	struct tm utc;
	char date[32];
	char stamp[48];

	if (!log_is_on(level)) {
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(stamp, sizeof(stamp), "%s.%03ldZ", date, now.tv_nsec / 1000000);
	all[0] = (struct log_pair){"time", stamp};
	all[1] = (struct log_pair){"level", level_names[level]};
	all[2] = (struct log_pair){"msg", msg};
	if (n_pairs > LOG_MAX_PAIRS) {
		n_pairs = LOG_MAX_PAIRS;
	}
	if (n_pairs > 0) {
		memcpy(all + 3, pairs, n_pairs * sizeof(*pairs));
	}
	struct buf line = BUF_INIT(LOG_MAX_LINE_SIZE);
	log_format_line(&line, current_format, all, n_pairs + 3);
	buf_append_char(&line, '\n');
	/* A log that can't be written must not stop the controller. */
	ssize_t written = write(STDERR_FILENO, buf_str(&line), line.len);
	(void)written;
	buf_fini(&line);
}

static void append_escaped(struct buf *buf, const char *text)
{
	size_t len = strnlen(text, LOG_MAX_VALUE_LEN + 1);
	const char *end = len > LOG_MAX_VALUE_LEN ? "...\"" : "\"";

	buf_append_char(buf, '"');
	for (size_t i = 0; i < len && i < LOG_MAX_VALUE_LEN; i++) {
		const unsigned char *c = (const unsigned char *)text + i;
		if (*c == '"' || *c == '\\') {
			buf_append_char(buf, '\\');
			buf_append_char(buf, (char)*c);
		} else if (*c == '\n') {
			buf_append_str(buf, "\\n");
		} else if (*c < 0x20 || *c >= 0x7f) {
			/* Bytes, not characters: hostile input need not be UTF-8. */
			buf_printf(buf, "\\u%04x", *c);
		} else {
			buf_append_char(buf, (char)*c);
		}
	}
	buf_append_str(buf, end);
}

static bool needs_quotes(const char *text)
{
	if (*text == '\0') {
		return true;
	}
	for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f || *c == '"' || *c == '=' || *c == '\\') {
			return true;
		}
	}
	return strlen(text) > LOG_MAX_VALUE_LEN;
}

void log_format_line(
	struct buf *buf, enum log_format format, const struct log_pair *pairs, size_t n_pairs)
{
	bool is_json = format == LOG_FORMAT_JSON;

	if (is_json) {
		buf_append_char(buf, '{');
	}
	for (size_t i = 0; i < n_pairs; i++) {
		if (i > 0) {
			buf_append_char(buf, is_json ? ',' : ' ');
		}
		if (is_json) {
			append_escaped(buf, pairs[i].key);
			buf_append_char(buf, ':');
			append_escaped(buf, pairs[i].value);
		} else {
			buf_append_str(buf, pairs[i].key);
			buf_append_char(buf, '=');
			if (needs_quotes(pairs[i].value)) {
				append_escaped(buf, pairs[i].value);
			} else {
				buf_append_str(buf, pairs[i].value);
			}
		}
	}
	if (is_json) {
		buf_append_char(buf, '}');
	}
}

bool log_limit_pass(
	struct log_limit *limit, uint64_t now_ms, unsigned interval_ms, unsigned *ret_skipped)
{
	if (now_ms < limit->next_ms) {
		limit->skipped++;
		return false;
	}
	*ret_skipped = limit->skipped;
	limit->skipped = 0;
	limit->next_ms = now_ms + interval_ms;
	return true;
}

static char *num_slot(size_t *ret_size)
{
	static char slots[LOG_NUM_SLOTS][32];
	static unsigned next;

	*ret_size = sizeof(slots[0]);
	return slots[next++ % LOG_NUM_SLOTS];
}

const char *log_num(int64_t number)
{
	size_t size;
	char *slot = num_slot(&size);

	snprintf(slot, size, "%" PRId64, number);
	return slot;
}

const char *log_ms(uint64_t microseconds)
{
	size_t size;
	char *slot = num_slot(&size);

	snprintf(slot, size, "%" PRIu64 ".%03" PRIu64, microseconds / 1000, microseconds % 1000);
	return slot;
}
