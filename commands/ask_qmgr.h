/* SPDX-License-Identifier: ISC */
/* ask_qmgr - have the queue manager try waiting mail now. */
#ifndef COMMANDS_ASK_QMGR_H
#define COMMANDS_ASK_QMGR_H

#include "ipc/qmgr.h"

/*
 * ask_qmgr_flush - over the socket at `path`; blocking. A queue manager that is being replaced (reload) closes
 * the connection before it answers: its successor is asked, for flushing twice does no harm. False: nobody
 * listens, or no answer came by the deadline. *done is in the arena.
 */
bool ask_qmgr_flush(const char *path, const struct qmgr_queue_flush *flush, struct arena *arena,
		    struct qmgr_control_done *done, int64_t deadline);

#endif
