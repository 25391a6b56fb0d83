/*
 * The keys with which TLS session tickets are encrypted, as text: what is in the file that HAProxy
 * reads when it starts, and what it is told while it runs. Pure but for the random bytes; the file
 * is haproxy/state's, when to rotate is rotation.c's.
 *
 * There are three. The last but one encrypts, all of them decrypt, and the last is there so that it
 * is known before it is used: a new key comes in at the end, and the oldest goes. So a ticket can
 * be used for at least the time from one rotation to the next, and never after two more.
 *
 * Who knows a key can read what was said in sessions of its tickets: whoever holds a struct
 * ticket_keys wipes it (tickets_wipe), and buffers are marked secret.
 *
 * Sources: HAProxy configuration manual, `tls-ticket-keys`; management guide, `set ssl tls-key`;
 * RFC 5077, section 5.5.
 */
#ifndef HG_HAPROXY_TICKETS_H
#define HG_HAPROXY_TICKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* HAProxy's TLS_TICKETS_NO. */
#define TICKETS_N_KEYS 3

/* Name, HMAC key and AES-256 key, and the same in base64. */
#define TICKETS_KEY_SIZE 80
#define TICKETS_KEY_LEN	 108

/* All of the file: a line a key. */
#define TICKETS_TEXT_LEN ((size_t)TICKETS_N_KEYS * (TICKETS_KEY_LEN + 1))

/* The oldest first. */
struct ticket_keys {
	char keys[TICKETS_N_KEYS][TICKETS_KEY_LEN + 1];
};

/* New keys only. ERR_RETRY: OpenSSL has no random bytes; `ret_keys` is untouched. */
bool tickets_make(struct ticket_keys *ret_keys, struct err *err) MUST_USE;

/* The oldest out, a new one in. ERR_RETRY as above: then nothing has changed. */
bool tickets_rotate(struct ticket_keys *keys, struct err *err) MUST_USE;

void tickets_wipe(struct ticket_keys *keys);

/* Is it one key, as tickets_make() makes them? */
bool tickets_is_key(const char *text) MUST_USE;

/* The file's content; `buf` must be marked secret (asserted). */
void tickets_format(struct buf *buf, const struct ticket_keys *keys);

/* False: it is not what tickets_format() writes, byte by byte; `ret_keys` is untouched. */
bool tickets_parse(const char *text, size_t len, struct ticket_keys *ret_keys) MUST_USE;

/* Seconds until keys written at `written` are to be rotated, 0 = now. Both are Unix time; a time in
 * the future (the clock was changed) counts as now. */
int64_t tickets_wait_seconds(int64_t written, int64_t now, int64_t period_seconds) MUST_USE;

#endif
