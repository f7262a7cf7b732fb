/* SPDX-License-Identifier: ISC */
/* layout - the folders of a queue directory: who owns them, and who may enter. */
#ifndef DAEMON_LAYOUT_H
#define DAEMON_LAYOUT_H

#include "base/arena.h"
#include "daemon/sandbox.h"

/* One thing that is not as it should be; `text` lives until the callback returns. */
typedef void layout_report(void *arg, struct slice text);

/*
 * layout_check - compare $queue_directory with what it should be, tell `report` (may be NULL) of each
 * difference, and count them. With `mend` (as root) what can be put right is, silently; what remains is
 * reported and counted.
 */
size_t layout_check(const struct settings *settings, const struct sandbox_accounts *accounts,
		    bool mend, layout_report *report, void *arg);

#endif
