/* SPDX-License-Identifier: ISC */
/*
 * handover - deliveries that go on while one qmgr follows another. The one that ends puts the messages
 * aside with a mark on each recipient that an agent is busy with; the agent tells the outcome to whoever
 * serves qmgr's socket then.
 */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/log.h"

#include <stdlib.h>

#define AWAY_TEXT "delivery was under way when the queue manager was replaced"
#define AWAY_TIME (45 * OS_SECOND)
#define LOOK_AGAIN (60 * OS_SECOND) /* how long a message may be read, or settled */

const struct queue_mark away_mark = {
    .outcome = QUEUE_DEFERRED, .dsn = SL("4.3.0"), .text = SL(AWAY_TEXT)};

static bool is_away_at(const struct queue_recipient *r, int64_t now)
{
	return r->outcome == QUEUE_DEFERRED && r->status_time <= now &&
	       r->status_time + AWAY_TIME > now && slice_eq(r->text, SL(AWAY_TEXT));
}

bool recipient_away(const struct queue_recipient *r)
{
	return is_away_at(r, os_wall());
}

int64_t away_until(const struct message *m)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	int64_t now = os_wall();
	int64_t first = 0;

	for (size_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (is_away_at(r, now) && (first == 0 || r->status_time + AWAY_TIME < first))
			first = r->status_time + AWAY_TIME;
	}
	return first;
}

/* ---- the one that ends */

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

/* next_time - as soon as possible when others of its recipients wait to be tried. */
static int64_t next_time(const struct message *m)
{
	const struct queue_envelope *env = m->loaded->m.envelope;

	for (size_t i = 0; i < env->recipient_count; i++)
		if (env->recipients[i].outcome == QUEUE_PENDING)
			return os_wall();
	return away_until(m) ? away_until(m) : os_wall();
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
		item->next_time = next_time(all[i]);
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

/* ---- the one that comes */

/* apply - to what is loaded; what is being delivered again here will have an outcome of its own. */
static void apply(struct qmgr *q, struct message *m, const struct qmgr_late_outcomes *late)
{
	const struct queue_envelope *env = m->loaded->m.envelope;

	for (size_t i = 0; i < late->outcomes_count; i++) {
		const struct delivery_outcome *o = &late->outcomes[i];

		if (o->index >= env->recipient_count || !recipient_undone(&env->recipients[o->index]))
			continue;
		if (recipient_in_flight(q, m, o->index))
			log_info_text("%s: a late outcome is ignored: the recipient is being "
				      "delivered again", env->id.text);
		else
			recipient_take(q, m, o);
	}
}

/* apply_waiting - read the message, and decide what becomes of it now. */
static void apply_waiting(struct qmgr *q, struct message *m, const struct qmgr_late_outcomes *late)
{
	enum sched_state state = (enum sched_state)m->item.state;
	int64_t until = m->item.node.key;
	struct queue_error error;
	enum result rc;

	work_begin(q);
	event_take(q, &(struct sched_event){.type = SCHED_EV_CONTROL,
					    .item = &m->item,
					    .fate = SCHED_FATE_LATE});
	rc = loaded_open(q, m, &error);
	if (rc == RES_OK) {
		apply(q, m, late);
		settle_late(q, m, state, until);
	} else {
		settle_none(q, m, rc == RES_PERM ? SCHED_NONE : state, until);
	}
	work_end(q);
}

static void sync_on_thread(void *arg)
{
	queue_sync(((struct qmgr *)arg)->queue, NULL);
}

/*
 * handover_outcomes - a message that is just being read or settled is looked at again afterwards. Who is
 * about to end takes nothing: its marks are written already.
 */
enum ipc_status handover_outcomes(struct qmgr *q, const struct qmgr_late_outcomes *late)
{
	int64_t deadline = os_deadline(LOOK_AGAIN);
	struct queue_id id;

	if (!queue_id_parse(late->queue_id, &id, NULL, NULL))
		return IPC_OK;
	for (;;) {
		struct message *m = index_find(q->index, &id);

		if (q->stopping)
			return IPC_LOST;
		if (m == NULL)
			return IPC_OK;
		if (m->item.state == SCHED_DEFERRED || m->item.state == SCHED_HELD ||
		    m->item.state == SCHED_INCOMING) {
			apply_waiting(q, m, late);
			break;
		}
		if (m->item.state == SCHED_ACTIVE && m->loaded) {
			apply(q, m, late);
			break;
		}
		if (fiber_cond_wait(&q->quiet, deadline, "the message to be settled") < 0)
			return IPC_LOST;
	}
	fiber_offload(sync_on_thread, q, "sync done marks");
	return IPC_OK;
}
