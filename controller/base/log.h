/*
 * Structured log lines on stderr: logfmt (`time=… level=info msg="…" key=value`) or one JSON object
 * a line.
 *
 * The variable arguments are key and value strings in turn, ended by NULL; values are quoted and
 * escaped here, so any bytes are safe; what is longer than LOG_MAX_VALUE_LEN bytes is cut and ends
 * in "...". Never pass a Secret's content. The level and the format are the only global state of
 * the program besides the metrics.
 */
#ifndef HG_BASE_LOG_H
#define HG_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"

#define LOG_MAX_VALUE_LEN 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

void log_set_level(enum log_level level);
void log_set_format(enum log_format format);

/* Accepts "debug", "info", "warn", "error"; false = unknown. */
bool log_level_parse(const char *text, enum log_level *ret_level) MUST_USE;
bool log_is_on(enum log_level level);

/* log_line(LOG_INFO, "listed", "kind", "Service", "objects", "12", NULL) */
void log_line(enum log_level level, const char *msg, ...) __attribute__((sentinel));

/* The same line without time and output, for tests and for callers that build pairs in a loop. */
struct log_pair {
	const char *key;
	const char *value;
};
void log_pairs(enum log_level level, const char *msg, const struct log_pair *pairs, size_t n_pairs);
void log_format_line(
	struct buf *buf, enum log_format format, const struct log_pair *pairs, size_t n_pairs);

/*
 * At most one line each `interval_ms` for something that a peer can cause again and again. True =
 * log now; *ret_skipped then has the number of times it was held back before.
 */
struct log_limit {
	uint64_t next_ms;
	unsigned skipped;
};
bool log_limit_pass(struct log_limit *limit, uint64_t now_ms, unsigned interval_ms,
	unsigned *ret_skipped) MUST_USE;

/* Decimal text of a number in a small rotating store: valid for the next 15 calls. For log
 * arguments. */
const char *log_num(int64_t number);

/* Milliseconds with three decimals from microseconds; same store. */
const char *log_ms(uint64_t microseconds);

#endif
