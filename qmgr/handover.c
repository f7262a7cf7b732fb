/* SPDX-License-Identifier: ISC */
/*
 * handover - deliveries that go on while one qmgr follows another. The one that ends puts the messages
 * aside with a mark on each recipient that an agent is busy with; the agent claims it from the one that
 * comes (claim.c).
 */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/log.h"

#include <stdlib.h>

#define AWAY_TEXT "delivery was under way when the queue manager was replaced"

void recipient_mark_away(struct qmgr *q, struct message *m, uint32_t index)
{
	recipient_mark(q, m, index,
		       &(struct queue_mark){.outcome = QUEUE_DEFERRED,
					    .time = os_wall(),
					    .dsn = SL("4.3.0"),
					    .text = SL(AWAY_TEXT)});
	m->loaded->away = true;
}

bool recipient_marked_away(const struct queue_recipient *r)
{
	return r->outcome == QUEUE_DEFERRED && slice_eq(r->text, SL(AWAY_TEXT));
}

struct aside {
	struct queue *queue;
	struct queue_defer_item *items;
	bool *hold;
	size_t count;
};

static void aside_on_thread(void *arg)
{
	struct aside *a = arg;

	queue_defer(a->queue, a->items, a->count);
	for (size_t i = 0; i < a->count; i++)
		if (a->hold[i] && a->items[i].result == RES_OK)
			a->items[i].result =
			    queue_hold(a->queue, &a->items[i].location, &a->items[i].error);
}

/* is_left_behind - agents are busy with it; or somebody wanted it elsewhere as soon as they are not. */
static bool is_left_behind(const struct message *m, void *arg)
{
	(void)arg;
	return m->loaded && (m->loaded->away || (m->item.state == SCHED_ACTIVE && m->item.doom));
}

void handover_drain(struct qmgr *q)
{
	struct arena *arena = arena_create();
	struct aside a = {.queue = q->queue};
	size_t found;
	struct message **all = index_collect(q->index, is_left_behind, NULL, &found);

	a.items = ARENA_ARRAY(arena, found + 1, struct queue_defer_item);
	a.hold = ARENA_ARRAY(arena, found + 1, bool);
	for (size_t i = 0; i < found; i++) {
		struct queue_defer_item *item = &a.items[a.count];

		message_location(all[i], &item->location);
		if (all[i]->item.doom == SCHED_FATE_DELETE) {
			queue_gone(q->queue, &item->location);
			continue;
		}
		a.hold[a.count++] = all[i]->item.doom == SCHED_FATE_HOLD;
		item->next_time = os_wall(); /* our successor looks at it first thing */
		item->marks = deferral_marks(all[i], arena, &item->mark_count);
	}
	if (a.count > 0) {
		fiber_offload(aside_on_thread, &a, "put messages aside");
		log_info_text("%zu messages are left to delivery agents that are busy with them",
			      a.count);
	}
	for (size_t i = 0; i < a.count; i++) {
		if (a.items[i].result != RES_OK)
			log_warning_text("%s: cannot be put aside, and may be delivered again: %s",
					 a.items[i].location.id.text,
					 queue_reason_text(a.items[i].error.reason));
	}
	free(all);
	arena_destroy(&arena);
}
