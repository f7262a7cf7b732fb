/* SPDX-License-Identifier: ISC */
/* date - RFC 5322 3.3 dates. Time is an argument, and so is the zone. */
#ifndef MESSAGE_DATE_H
#define MESSAGE_DATE_H

#include "base/arena.h"

/* date_format - "Thu, 21 Nov 1996 09:55:06 -0600 (CST)", the day padded with a space below 10 as
 * Postfix writes it; the comment is left out when `zone` is empty. `seconds` since 1970, UTC. */
struct slice date_format(struct arena *arena, int64_t seconds, int offset_minutes,
			 struct slice zone);
/* date_parse - lenient: weekday and seconds optional, two-digit years, named zones, comments. */
bool date_parse(struct slice text, int64_t *seconds);
/* date_from_civil - seconds since 1970 of a proleptic Gregorian UTC date; month 1-12, day 1-31. */
int64_t date_from_civil(int64_t year, unsigned month, unsigned day);

#endif
