/*
 * At most so many of something at once, and so many a second from then on: a token bucket without a
 * clock.
 */
#ifndef HG_STATUS_BUCKET_H
#define HG_STATUS_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct bucket {
	uint32_t per_second;
	uint32_t burst;
	uint64_t level;	  /* thousandths of a token */
	uint64_t last_ms; /* when the level was right */
};

/* Begins full. Both numbers are at least 1. */
void bucket_init(struct bucket *bucket, uint32_t per_second, uint32_t burst, uint64_t now_ms);

/* Takes a token; false = there is none: *ret_wait_ms until there is one. */
bool bucket_take(struct bucket *bucket, uint64_t now_ms, uint64_t *ret_wait_ms) MUST_USE;

/* Gives one back that wasn't needed. */
void bucket_return(struct bucket *bucket);

#endif
