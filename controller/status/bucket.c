/* See bucket.h. */
#include "status/bucket.h"

#include <assert.h>

/* One token a second is this many thousandths a millisecond: one. */
#define TOKEN 1000u

void bucket_init(struct bucket *bucket, uint32_t per_second, uint32_t burst, uint64_t now_ms)
{
	assert(per_second > 0 && burst > 0);
	*bucket = (struct bucket){per_second, burst, (uint64_t)burst * TOKEN, now_ms};
}

static void fill(struct bucket *bucket, uint64_t now_ms)
{
	uint64_t full = (uint64_t)bucket->burst * TOKEN;
	uint64_t missing = full - bucket->level;
	uint64_t passed_ms = now_ms > bucket->last_ms ? now_ms - bucket->last_ms : 0;

	bucket->last_ms = now_ms;
	bucket->level = passed_ms >= missing / bucket->per_second + 1
				? full
				: bucket->level + passed_ms * bucket->per_second;
	bucket->level = bucket->level > full ? full : bucket->level;
}

bool bucket_take(struct bucket *bucket, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	fill(bucket, now_ms);
	if (bucket->level < TOKEN) {
		*ret_wait_ms =
			(TOKEN - bucket->level + bucket->per_second - 1) / bucket->per_second;
		return false;
	}
	bucket->level -= TOKEN;
	return true;
}

void bucket_return(struct bucket *bucket)
{
	uint64_t full = (uint64_t)bucket->burst * TOKEN;

	bucket->level = bucket->level + TOKEN > full ? full : bucket->level + TOKEN;
}
