/* SPDX-License-Identifier: ISC */
#include "os/clock.h"
#include "base/check.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * OS_SECOND + ts.tv_nsec / 1000;
}

int64_t os_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t os_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

void os_random(void *buf, size_t n)
{
	char *p = buf;

	while (n > 0) {
		ssize_t r = getrandom(p, n, 0);

		CHECK(r > 0 || errno == EINTR);
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
}

uint64_t os_schedule_seed(void)
{
	return 0;
}
