/* SPDX-License-Identifier: ISC */
#include "table/remote_wire.h"

#include <errno.h>

/* no_answer - what stands between us and proxymap, for people. */
static struct slice no_answer(enum ipc_status status, struct slice table, struct arena *arena)
{
	const char *text = ipc_status_text(status);

	if (status == IPC_REFUSED)
		return arena_printf(arena, "table %.*s: the key or the table's name is too long",
				    SL_ARG(table));
	if (status == IPC_LOST && errno != 0)
		text = strerror(errno);
	return arena_printf(arena, "table %.*s: proxymap: %s", SL_ARG(table), text);
}

enum table_result remote_outcome(enum ipc_status status, struct slice table,
				 const struct proxymap_answer *answer, struct arena *arena,
				 struct slice *value)
{
	*value = SL_NULL;
	if (status != IPC_OK) {
		*value = no_answer(status, table, arena);
		return TABLE_TEMP;
	}
	switch (answer->status) {
	case PROXYMAP_STATUS_FOUND:
		/* an empty text comes as the absent slice */
		*value = answer->value.n > 0 ? answer->value : SL("");
		return TABLE_FOUND;
	case PROXYMAP_STATUS_MISSING:
		return TABLE_MISSING;
	case PROXYMAP_STATUS_TEMP:
		break;
	}
	*value = answer->why.n > 0
		     ? answer->why
		     : arena_printf(arena, "table %.*s: proxymap gives no reason", SL_ARG(table));
	return TABLE_TEMP;
}
