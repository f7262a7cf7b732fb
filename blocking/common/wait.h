/* SPDX-License-Identifier: ISC */
/* wait - what threads that wait for a server share: one descriptor until a deadline, and reasons.
 */
#ifndef COMMON_WAIT_H
#define COMMON_WAIT_H

#include "base/arena.h"

#include <stdint.h>

/*
 * wait_fd - until the descriptor has one of these events of poll(2). The events; 0: the deadline
 * (monotonic microseconds) has passed, or the descriptor is none.
 */
short wait_fd(int fd, short events, int64_t deadline);
/*
 * wait_budget - what is left until the deadline, in whole units of so many microseconds, rounded
 * up; 0: nothing is left. For libraries that want milliseconds or seconds.
 */
int wait_budget(int64_t deadline, int64_t unit);

/* reason_line - what a library said, on one line of printable text, without the end of a sentence.
 */
struct slice reason_line(struct arena *arena, const char *text);

#endif
