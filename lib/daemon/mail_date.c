/* SPDX-License-Identifier: ISC */
#include "daemon/mail_date.h"
#include "message/date.h"
#include "os/clock.h"
#include "os/zone.h"

struct slice mail_date(struct arena *arena, int64_t wall)
{
	struct tm tm;
	int64_t seconds = wall / OS_SECOND;

	os_local_time(seconds, &tm);
	return date_format(arena, seconds, (int)(tm.tm_gmtoff / 60), slice_str(tm.tm_zone));
}
