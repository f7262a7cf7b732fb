/* SPDX-License-Identifier: ISC */
/*
 * os/clock - time and chance. Two implementations, chosen at link time: the kernel's, and one of
 * virtual time and seeded chance for simulated runs (sim_clock.c).
 *
 * All times in the suite are int64_t microseconds. A deadline is a point of monotonic time;
 * OS_NEVER is the deadline that never comes (only an idle listener may wait for it).
 */
#ifndef OS_CLOCK_H
#define OS_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define OS_NEVER INT64_MAX
#define OS_SECOND INT64_C(1000000)
#define OS_MILLISECOND INT64_C(1000)

/* os_now - monotonic time, for deadlines and durations. */
int64_t os_now(void);
/* os_wall - time since 1970-01-01 UTC, for what people and other programs read. */
int64_t os_wall(void);
/* os_random - n bytes that nobody can guess. */
void os_random(void *buf, size_t n);
/* os_schedule_seed - not 0 in simulated runs: choose among equals by it, not by order of arrival. */
uint64_t os_schedule_seed(void);

/* os_deadline - now plus a duration; OS_NEVER when that passes the end of time. */
static inline int64_t os_deadline(int64_t duration)
{
	int64_t at;

	return __builtin_add_overflow(os_now(), duration, &at) ? OS_NEVER : at;
}

#endif
