/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/serve.h"

#include "base/check.h"
#include "fiber/fiber.h"
#include "ipc/proxymap.h"

#include <stdlib.h>

/* Lookups under way at once; a caller whose next one finds no room is not read until it does. */
#define IN_FLIGHT_MAX 2000
#define SEND_LIMIT (10 * OS_SECOND)

struct callers {
	struct serving *serving;
	struct fiber_sem room;
	size_t in_flight;
};

/* One connection. The last of its fibers to end frees it. */
struct caller {
	struct callers *all;
	struct ipc_conn *conn;
	struct fiber_mutex sending;
	size_t users;
	bool closed;
};

struct request {
	struct caller *caller;
	struct arena *arena;
	struct proxymap_lookup lookup;
};

struct callers *callers_create(struct serving *serving, struct arena *arena)
{
	struct callers *all = ARENA_NEW(arena, struct callers);

	all->serving = serving;
	fiber_sem_init(&all->room, IN_FLIGHT_MAX);
	return all;
}

size_t callers_busy(const struct callers *all)
{
	return all->in_flight;
}

static void leave(struct caller *caller)
{
	if (--caller->users > 0)
		return;
	ipc_conn_close(&caller->conn);
	free(caller);
}

static void send_answer(struct caller *caller, const struct proxymap_answer *answer)
{
	int64_t deadline = os_deadline(SEND_LIMIT);

	if (caller->closed || fiber_mutex_lock(&caller->sending, deadline, "caller") < 0)
		return;
	if (!caller->closed && proxymap_answer_send(caller->conn, answer, deadline) != IPC_OK)
		caller->closed = true;
	fiber_mutex_unlock(&caller->sending);
}

static void look_up(const struct request *q, struct proxymap_answer *answer)
{
	struct slice value;

	switch (serving_lookup(q->caller->all->serving, q->lookup.table, q->lookup.key, q->arena,
			       &value)) {
	case TABLE_FOUND:
		answer->status = PROXYMAP_STATUS_FOUND;
		answer->value = value;
		break;
	case TABLE_MISSING:
		answer->status = PROXYMAP_STATUS_MISSING;
		break;
	case TABLE_TEMP:
		answer->status = PROXYMAP_STATUS_TEMP;
		answer->why = value;
		break;
	}
}

static void run_request(void *arg)
{
	struct request *q = arg;
	struct caller *caller = q->caller;
	struct callers *all = caller->all;
	struct proxymap_answer answer = {.id = q->lookup.id};
	struct arena *arena = q->arena;

	look_up(q, &answer);
	send_answer(caller, &answer);
	arena_destroy(&arena);
	all->in_flight--;
	fiber_sem_give(&all->room);
	leave(caller);
}

/* start_request - takes the arena over when it succeeds. */
static bool start_request(struct caller *caller, struct arena *arena,
			  const struct proxymap_lookup *lookup)
{
	struct callers *all = caller->all;
	struct request *q = ARENA_NEW(arena, struct request);

	*q = (struct request){caller, arena, *lookup};
	if (fiber_sem_take(&all->room, OS_NEVER, "room for a lookup") < 0)
		return false;
	all->in_flight++;
	caller->users++;
	if (fiber_spawn("lookup", run_request, q) != NULL)
		return true;
	caller->users--;
	all->in_flight--;
	fiber_sem_give(&all->room);
	return false;
}

void callers_serve(struct callers *all, int fd)
{
	struct caller *caller = calloc(1, sizeof(*caller));

	if (caller == NULL)
		out_of_memory();
	caller->all = all;
	caller->conn = ipc_conn_create(fd);
	caller->users = 1;
	fiber_mutex_init(&caller->sending);
	ipc_conn_set_why(caller->conn, "lookups");
	while (!caller->closed) {
		struct arena *arena = arena_create();
		struct proxymap_lookup lookup;

		if (ipc_expect(caller->conn, &proxymap_lookup_message, arena, &lookup, OS_NEVER) !=
			IPC_OK ||
		    !start_request(caller, arena, &lookup)) {
			arena_destroy(&arena);
			break;
		}
	}
	caller->closed = true;
	leave(caller);
}
