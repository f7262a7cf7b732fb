/* SPDX-License-Identifier: ISC */
#ifndef DAEMON_MAIL_DATE_H
#define DAEMON_MAIL_DATE_H

#include "base/arena.h"

/* mail_date - a wall-clock time (microseconds) as an RFC 5322 date in the machine's time zone. */
struct slice mail_date(struct arena *arena, int64_t wall);

#endif
