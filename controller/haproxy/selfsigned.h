/*
 * The certificate for a HAProxy that was given none: self-signed, so that there is a TLS listener
 * and clients are told plainly that this is not the certificate they look for.
 */
#ifndef HG_HAPROXY_SELFSIGNED_H
#define HG_HAPROXY_SELFSIGNED_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

/* Its subject; "invalid" is a domain that never exists (RFC 2606). */
#define SELFSIGNED_NAME "headgate.invalid"

/* Ten years: nobody trusts it anyway, and nobody renews it. */
#define SELFSIGNED_DAYS 3650

/*
 * Appends certificate and key (EC P-256) as PEM without blank lines. `buf` must be marked secret
 * (asserted). Reads the clock for the validity. False: OpenSSL failed (ERR_RETRY), the text has its
 * words.
 */
bool selfsigned_make(struct buf *buf, struct err *err) MUST_USE;

#endif
