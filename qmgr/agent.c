/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct agent_pool {
	struct list idle; /* used last in front */
};

static struct agent_pool *pool_of(struct qmgr *q, struct slice transport)
{
	struct agent_pool *pool = map_get(q->agents, transport);

	if (pool)
		return pool;
	pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		out_of_memory();
	list_init(&pool->idle);
	map_put(q->agents, transport, pool);
	return pool;
}

void agent_drop(struct agent *a)
{
	list_remove(&a->link);
	ipc_conn_close(&a->conn);
	free(a->nexthop_copy);
	free(a);
}

/*
 * idle_find - the one that is connected to nexthop; else the last used without a session; else the
 * one whose session has been idle for longest.
 */
static struct agent *idle_find(struct agent_pool *pool, struct slice nexthop)
{
	struct agent *best = NULL;

	LIST_FOREACH(l, &pool->idle) {
		struct agent *a = CONTAINER_OF(l, struct agent, link);

		if (a->nexthop.n > 0 && slice_eq(a->nexthop, nexthop))
			return a;
		if (best == NULL || best->nexthop.n > 0)
			best = a;
	}
	return best;
}

static struct agent *idle_take(struct agent_pool *pool, struct slice nexthop)
{
	struct agent *a;

	while ((a = idle_find(pool, nexthop)) != NULL) {
		list_remove(&a->link);
		if (ipc_conn_quiet(a->conn)) {
			a->used = true;
			return a;
		}
		agent_drop(a);
	}
	return NULL;
}

/* connect_patiently - a full backlog (EAGAIN) means that the agent is busy, not that it is away. */
static enum ipc_status connect_patiently(const char *path, int64_t deadline, struct ipc_conn **conn)
{
	int64_t pause = 5 * OS_MILLISECOND;

	for (;;) {
		enum ipc_status status = ipc_connect(path, deadline, conn);

		if (status != IPC_LOST || errno != EAGAIN || os_now() >= deadline)
			return status;
		if (fiber_sleep(os_deadline(pause), "room for a connection") < 0)
			return IPC_CANCELLED;
		pause = pause < 200 * OS_MILLISECOND ? pause * 2 : pause;
	}
}

static struct agent *agent_connect(struct qmgr *q, struct slice transport, const char **why)
{
	char path[300];
	struct ipc_conn *conn;
	struct agent *a;
	enum ipc_status status;

	if (transport.n > 200 || slice_find(transport, '/') >= 0) {
		*why = "bad transport name";
		return NULL;
	}
	snprintf(path, sizeof(path), "private/%.*s", SL_ARG(transport));
	status = connect_patiently(path, os_deadline(q->settings->ipc_timeout), &conn);
	if (status != IPC_OK) {
		*why = status == IPC_LOST ? strerror(errno) : ipc_status_text(status);
		return NULL;
	}
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		out_of_memory();
	list_init(&a->link);
	a->conn = conn;
	ipc_conn_set_why(conn, "delivery agent");
	return a;
}

struct agent *agent_take(struct qmgr *q, struct slice transport, struct slice nexthop, bool fresh,
			 const char **why)
{
	struct agent *a = fresh ? NULL : idle_take(pool_of(q, transport), nexthop);

	return a ? a : agent_connect(q, transport, why);
}

void agent_give(struct qmgr *q, struct slice transport, struct agent *a, struct slice nexthop)
{
	if (daemon_draining(q->context)) {
		agent_drop(a);
		return;
	}
	free(a->nexthop_copy);
	a->nexthop_copy = NULL;
	a->nexthop = SL_NULL;
	if (nexthop.n > 0) {
		a->nexthop_copy = strndup(nexthop.p, nexthop.n);
		if (a->nexthop_copy == NULL)
			out_of_memory();
		a->nexthop = slice(a->nexthop_copy, nexthop.n);
	}
	a->idle_since = os_now();
	list_push_front(&pool_of(q, transport)->idle, &a->link);
}

void agents_prune(struct qmgr *q, bool all)
{
	int64_t before = os_now() - q->settings->max_idle;
	struct slice key;
	size_t cursor = 0;
	void *value;

	while (map_next(q->agents, &cursor, &key, &value)) {
		struct agent_pool *pool = value;

		LIST_FOREACH_SAFE(l, &pool->idle) {
			struct agent *a = CONTAINER_OF(l, struct agent, link);

			if (all || a->idle_since < before || !ipc_conn_usable(a->conn))
				agent_drop(a);
		}
	}
}
