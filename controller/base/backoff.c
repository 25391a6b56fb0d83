/* See backoff.h. */
#include "base/backoff.h"

void backoff_init(struct backoff *backoff, uint32_t first_ms, uint32_t max_ms, uint32_t reset_ms)
{
	*backoff = (struct backoff){
		.first_ms = first_ms,
		.max_ms = max_ms,
		.reset_ms = reset_ms,
		.random = 1,
	};
}

void backoff_seed(struct backoff *backoff, uint64_t seed)
{
	backoff->random = seed | 1;
}

/* xorshift64: good enough to spread retries, and reproducible. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

uint32_t backoff_fail(struct backoff *backoff, uint64_t now_ms)
{
	if (backoff->step_ms == 0 || now_ms - backoff->last_ms > backoff->reset_ms) {
		backoff->step_ms = backoff->first_ms;
	}
	uint32_t wait_ms = backoff->step_ms;

	backoff->last_ms = now_ms;
	backoff->step_ms = wait_ms > backoff->max_ms / 2 ? backoff->max_ms : wait_ms * 2;
	return wait_ms + (uint32_t)(next_random(&backoff->random) % ((uint64_t)wait_ms + 1));
}

void backoff_reset(struct backoff *backoff)
{
	backoff->step_ms = 0;
}
