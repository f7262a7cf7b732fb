/* SPDX-License-Identifier: ISC */
/* remote_fiber - proxymap is asked from fibers. */
#include "base/check.h"
#include "ipc/proxymap.h"
#include "table/remote.h"
#include "table/remote_wire.h"

#include <errno.h>
#include <stdlib.h>

struct fiber_remote {
	struct table_remote remote;
	struct ipc_mux *mux;
	int64_t limit;
};

static enum table_result lookup(struct table_remote *remote, struct slice table, struct slice key,
				struct arena *arena, struct slice *value)
{
	struct fiber_remote *r = CONTAINER_OF(remote, struct fiber_remote, remote);
	struct proxymap_lookup question = {.table = table, .key = key};
	struct proxymap_answer answer;
	enum ipc_status status;

	errno = 0;
	status = ipc_mux_call(r->mux, &proxymap_lookup_message, &question, &proxymap_answer_message,
			      arena, &answer, os_deadline(r->limit));
	return remote_outcome(status, table, &answer, arena, value);
}

static void destroy(struct table_remote *remote)
{
	struct fiber_remote *r = CONTAINER_OF(remote, struct fiber_remote, remote);

	ipc_mux_destroy(&r->mux);
	free(r);
}

struct table_remote *table_remote_create(const char *path, int64_t limit)
{
	struct fiber_remote *r = calloc(1, sizeof(*r));

	if (r == NULL)
		out_of_memory();
	*r = (struct fiber_remote){
	    .remote = {lookup, destroy}, .mux = ipc_mux_create(path), .limit = limit};
	return &r->remote;
}
