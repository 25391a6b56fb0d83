/* What the files of cert/ share. */
#ifndef HG_CERT_CERT_PRIV_H
#define HG_CERT_CERT_PRIV_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* Unix seconds; false = it is no time. */
bool cert_read_time(const ASN1_TIME *time, int64_t *ret_seconds) MUST_USE;

#endif
