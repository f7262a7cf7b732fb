/* SPDX-License-Identifier: ISC */
#include "os/zone.h"
#include "base/check.h"

void os_zone_open(void)
{
	struct tm tm;

	/* the rules are read at the first conversion, not by tzset alone */
	tzset();
	os_local_time(0, &tm);
}

void os_local_time(int64_t seconds, struct tm *out)
{
	time_t t = (time_t)seconds;

	CHECK(localtime_r(&t, out) != NULL);
}
