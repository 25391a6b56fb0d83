/*
 * How long to wait before the next try: a state machine without clock and I/O.
 *
 * The constants are those of client-go's reflector: the first wait is 800 ms, each further one
 * doubles up to 30 s, each is stretched by a random factor between 1 and 2, and two minutes of
 * success start over.
 */
#ifndef HG_BASE_BACKOFF_H
#define HG_BASE_BACKOFF_H

#include <stdint.h>

#define BACKOFF_KUBE_FIRST_MS 800
#define BACKOFF_KUBE_MAX_MS   30000
#define BACKOFF_KUBE_RESET_MS 120000

struct backoff {
	uint32_t first_ms; /* shortest wait, before jitter */
	uint32_t max_ms;   /* longest wait, before jitter */
	uint32_t reset_ms; /* a failure this long after the one before starts over */
	uint32_t step_ms;  /* next wait before jitter; 0 = at the start */
	uint64_t last_ms;  /* time of the last failure */
	uint64_t random;   /* state of the jitter */
};

void backoff_init(struct backoff *backoff, uint32_t first_ms, uint32_t max_ms, uint32_t reset_ms);

/* Different seeds keep many clients from coming back in step. */
void backoff_seed(struct backoff *backoff, uint64_t seed);

/* Something failed at `now_ms` (monotonic): the milliseconds to wait, jitter included. */
uint32_t backoff_fail(struct backoff *backoff, uint64_t now_ms);

/* Something worked in a way that makes the past irrelevant. */
void backoff_reset(struct backoff *backoff);

#endif
