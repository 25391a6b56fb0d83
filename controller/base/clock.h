/* The two clocks of the program: monotonic for waiting and measuring, wall time for certificates
 * and logs. */
#ifndef HG_BASE_CLOCK_H
#define HG_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds and microseconds of CLOCK_MONOTONIC. */
uint64_t clock_now_ms(void);
uint64_t clock_now_us(void);

/* Microseconds of Unix time, for what others read. */
int64_t clock_wall_us(void);

#endif
