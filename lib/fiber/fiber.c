/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "base/check.h"

#include <errno.h>

uint64_t fiber_id(const struct fiber *f)
{
	return f->id;
}

struct fiber *fiber_find(uint64_t id)
{
	LIST_FOREACH(node, &scheduler_here()->all)
		if (CONTAINER_OF(node, struct fiber, all)->id == id)
			return CONTAINER_OF(node, struct fiber, all);
	return NULL;
}

void fiber_cancel(struct fiber *f)
{
	if (f->phase == FIBER_ENDED)
		return;
	f->cancelled = true;
	if (!f->deaf)
		(void)fiber_wake(f, ECANCELED);
}

void fiber_uncancel(void)
{
	scheduler_here()->running->cancelled = false;
}

bool fiber_cancelled(void)
{
	return scheduler_here()->running->cancelled;
}

int fiber_sleep(int64_t deadline, const char *why)
{
	int error = fiber_park(deadline, why);

	return error == ETIMEDOUT ? 0 : fiber_failed(error);
}

void fiber_set_peer(struct slice peer)
{
	struct fiber *f = scheduler_here()->running;
	size_t n = peer.n < sizeof(f->peer) ? peer.n : sizeof(f->peer) - 1;

	if (n > 0)
		memcpy(f->peer, peer.p, n);
	f->peer[n] = '\0';
}

void fiber_set_state(const char *state)
{
	scheduler_here()->running->state = state;
}

void fiber_foreach(bool (*fn)(const struct fiber_info *info, void *arg), void *arg)
{
	LIST_FOREACH(node, &scheduler_here()->all) {
		const struct fiber *f = CONTAINER_OF(node, struct fiber, all);
		struct fiber_info info = {.id = f->id,
					  .name = f->name,
					  .peer = f->peer,
					  .state = f->state,
					  .why = f->why,
					  .since = f->since,
					  .born = f->born,
					  .cancelled = f->cancelled};

		if (f->phase == FIBER_READY)
			info.why = "ready";
		if (!fn(&info, arg))
			break;
	}
}
