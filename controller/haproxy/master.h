/*
 * What HAProxy's master and worker say about themselves, understood. Pure: texts in, numbers out;
 * who asks is haproxy/process and haproxy/reload.
 *
 * Source: HAProxy management guide, section 9.4 (`show proc`, `reload`) and 9.3 (`show info`).
 */
#ifndef HG_HAPROXY_MASTER_H
#define HG_HAPROXY_MASTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

#define MASTER_TEXT_SIZE 512

struct master_status {
	long pid;
	long worker_pid; /* of the one in charge; 0 = none now */
	long n_reloads;	 /* that were tried */
	long n_failed;	 /* reloads that failed since one worked */
};

enum master_outcome {
	MASTER_UNKNOWN, /* no word about it (2.6 answers nothing) */
	MASTER_RELOADED,
	MASTER_REFUSED,
	MASTER_BUSY, /* starting, or with somebody else's reload: ask again */
};

/* The answer of `show proc`. false = not one; `ret_status` is untouched then. */
bool master_parse_status(const char *text, struct master_status *ret_status) MUST_USE;

/* The answer of `reload`. */
enum master_outcome master_parse_reload(const char *text) MUST_USE;

/* The first line with [ALERT] in HAProxy's messages, without what precedes the words; false = there
 * is none. */
bool master_find_alert(const char *text, char *ret_alert, size_t size) MUST_USE;

/* The answer of `show info` on the runtime socket: the worker's PID; 0 = not understood. */
long master_parse_worker_pid(const char *text) MUST_USE;

/* The first line of `haproxy -v`, "HAProxy version 2.6.12-1 2026/10/17 …"; false = not one. */
bool master_parse_version(const char *text, unsigned *ret_major, unsigned *ret_minor) MUST_USE;

#endif
