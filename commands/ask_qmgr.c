/* SPDX-License-Identifier: ISC */
#include "commands/ask_qmgr.h"
#include "os/clock.h"
#include "os/process.h"

#define CONNECT_PATIENCE (10 * OS_SECOND)
#define CHANGE_PATIENCE (10 * OS_SECOND) /* one queue manager follows another within that */
#define PAUSE (100 * OS_MILLISECOND)

bool ask_qmgr_flush(const char *path, const struct qmgr_queue_flush *flush, struct arena *arena,
		    struct qmgr_control_done *done, int64_t deadline)
{
	int64_t give_up = os_deadline(CHANGE_PATIENCE);

	for (;;) {
		enum ipc_status status;
		struct ipc_conn *conn;

		if (ipc_connect_blocking(path, os_deadline(CONNECT_PATIENCE), &conn) != IPC_OK)
			return false;
		status = qmgr_queue_flush_call(conn, flush, arena, done, deadline);
		ipc_conn_close(&conn);
		if (status == IPC_OK)
			return true;
		if ((status != IPC_END && status != IPC_LOST) || os_now() > give_up)
			return false;
		os_sleep(PAUSE);
	}
}
