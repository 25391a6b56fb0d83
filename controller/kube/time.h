/* Times as the API server writes them. Pure. */
#ifndef HG_KUBE_TIME_H
#define HG_KUBE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/*
 * RFC 3339 section 5.6 ("2024-05-01T10:00:00Z", any zone) to Unix seconds; a fraction is cut off.
 * false = not such a time, and for a leap second, which the API server refuses as well.
 */
bool kube_time_parse(const char *text, int64_t *ret_seconds) MUST_USE;

/* Room for "2024-05-01T10:00:00.000000Z". */
#define KUBE_TIME_SIZE 40

/* The API's MicroTime: RFC 3339 in UTC with six decimals, from Unix microseconds. */
void kube_time_write(int64_t unix_us, char text[KUBE_TIME_SIZE]);

#endif
