/* SPDX-License-Identifier: ISC */
/* remote_wire - proxymap's answer as a table's answer; for the files of this folder. */
#ifndef TABLE_REMOTE_WIRE_H
#define TABLE_REMOTE_WIRE_H

#include "ipc/proxymap.h"
#include "table/table.h"

/* remote_outcome - `answer` counts when status is IPC_OK; its texts are in the arena. errno: of the
 * call. */
enum table_result remote_outcome(enum ipc_status status, struct slice table,
				 const struct proxymap_answer *answer, struct arena *arena,
				 struct slice *value);

#endif
