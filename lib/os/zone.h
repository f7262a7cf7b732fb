/* SPDX-License-Identifier: ISC */
/* os/zone - the machine's time zone. */
#ifndef OS_ZONE_H
#define OS_ZONE_H

#include <stdint.h>
#include <time.h>

/* os_zone_open - read the zone's rules (TZ, /etc/localtime) while the files can be reached. */
void os_zone_open(void);
/*
 * os_local_time - seconds since 1970 as local date and time; tm_gmtoff is the offset in seconds, tm_zone
 * the zone's name (static, of the C library).
 */
void os_local_time(int64_t seconds, struct tm *out);

#endif
