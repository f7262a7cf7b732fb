/* SPDX-License-Identifier: ISC */
/*
 * claim - recipients that an agent has in hand since before this qmgr came. A claim stands for as
 * long as the agent's connection does; the agent ends it when it has told the outcomes, or by
 * dying.
 */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/log.h"

#include <stdlib.h>

#define DIED_TEXT "delivery agent ended without an outcome"

struct claim {
	struct list link; /* in q->claims */
	struct fiber *session;
	struct arena *arena;
	struct queue_id id;
	uint32_t *recipients;
	struct delivery_outcome *outcomes;
	bool *told; /* by place in recipients */
	size_t count;
};

static ssize_t place_of(const struct claim *c, uint32_t index)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->recipients[i] == index)
			return (ssize_t)i;
	return -1;
}

/* ---- which recipients: q->claimed has a key for each, and how many claim it in place of a value
 */

#define KEY_MAX (sizeof(((struct queue_id *)0)->text) + sizeof(uint32_t))

static struct slice key_of(const struct queue_id *id, uint32_t index, char out[KEY_MAX])
{
	struct slice text = queue_id_slice(id);

	memcpy(out, &index, sizeof(index));
	memcpy(out + sizeof(index), text.p, text.n);
	return slice(out, sizeof(index) + text.n);
}

static void count(struct qmgr *q, const struct claim *c, int step)
{
	for (size_t i = 0; i < c->count; i++) {
		char room[KEY_MAX];
		struct slice key = key_of(&c->id, c->recipients[i], room);
		uintptr_t n = (uintptr_t)map_get(q->claimed, key) + (uintptr_t)step;

		if (n > 0)
			map_put(q->claimed, key, (void *)n);
		else
			map_remove(q->claimed, key);
	}
}

bool recipient_claimed(const struct qmgr *q, const struct message *m, uint32_t index)
{
	char room[KEY_MAX];
	struct queue_id id;

	if (map_count(q->claimed) == 0)
		return false;
	message_id(m, &id);
	return map_get(q->claimed, key_of(&id, index, room)) != NULL;
}

bool recipient_away(const struct qmgr *q, const struct message *m, uint32_t index)
{
	const struct queue_recipient *r = &m->loaded->m.envelope->recipients[index];

	return recipient_claimed(q, m, index) ||
	       (os_now() < q->claims_until && recipient_marked_away(r));
}

struct claim *claim_make(struct qmgr *q, const struct qmgr_claim *m)
{
	struct arena *arena;
	struct queue_id id;
	struct claim *c;

	if (!queue_id_parse(m->queue_id, &id, NULL, NULL))
		return NULL;
	arena = arena_create();
	c = ARENA_NEW(arena, struct claim);
	c->arena = arena;
	c->id = id;
	c->session = fiber_self();
	c->count = m->recipients_count;
	c->recipients = ARENA_ARRAY(arena, c->count + 1, uint32_t);
	c->outcomes = ARENA_ARRAY(arena, c->count + 1, struct delivery_outcome);
	c->told = ARENA_ARRAY(arena, c->count + 1, bool);
	for (size_t i = 0; i < c->count; i++)
		c->recipients[i] = m->recipients[i].index;
	list_push_back(&q->claims, &c->link);
	count(q, c, 1);
	return c;
}

bool claim_tell(struct claim *c, const struct delivery_outcome *o)
{
	ssize_t place = place_of(c, o->index);
	struct delivery_outcome *copy;

	if (place < 0 || c->told[place])
		return false;
	copy = &c->outcomes[place];
	*copy = *o;
	copy->dsn = arena_dup(c->arena, o->dsn);
	copy->text = arena_dup(c->arena, o->text);
	copy->relay = arena_dup(c->arena, o->relay);
	copy->mta = arena_dup(c->arena, o->mta);
	copy->remote = arena_dup(c->arena, o->remote);
	copy->final = arena_dup(c->arena, o->final);
	c->told[place] = true;
	return true;
}

/* forget - it stands no more. */
static void forget(struct qmgr *q, struct claim *c)
{
	list_remove(&c->link);
	count(q, c, -1);
	fiber_cond_broadcast(&q->quiet);
}

/* set_free - the agent said nothing of it, and never will. */
static void set_free(struct qmgr *q, struct message *m, uint32_t index)
{
	const struct queue_recipient *r = &m->loaded->m.envelope->recipients[index];

	if (r->outcome != QUEUE_PENDING && !recipient_marked_away(r))
		return; /* it was tried here meanwhile */
	recipient_mark(q, m, index,
		       &(struct queue_mark){.outcome = QUEUE_DEFERRED,
					    .time = os_wall(),
					    .dsn = SL("4.3.0"),
					    .text = SL(DIED_TEXT)});
	m->loaded->again = true;
}

/* apply - to what is loaded; what is being delivered again here will have an outcome of its own. */
static void apply(struct qmgr *q, struct message *m, struct claim *c)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	size_t freed = 0;

	forget(q, c);
	for (size_t i = 0; i < c->count; i++) {
		uint32_t index = c->recipients[i];

		if (index >= env->recipient_count || !recipient_undone(&env->recipients[index]))
			continue;
		if (recipient_in_flight(q, m, index)) {
			log_info_text("%s: a late outcome is ignored: the recipient is being "
				      "delivered again",
				      env->id.text);
		} else if (c->told[i]) {
			recipient_take(q, m, &c->outcomes[i]);
		} else if (!recipient_claimed(q, m, index)) {
			set_free(q, m, index);
			freed++;
		}
	}
	if (freed > 0)
		log_info_text("%s: a delivery agent ended without telling the outcome for %zu "
			      "recipients: tried again",
			      env->id.text, freed);
}

/* apply_waiting - read the message, and decide what becomes of it now. */
static enum ipc_status apply_waiting(struct qmgr *q, struct message *m, struct claim *c)
{
	enum sched_state state = (enum sched_state)m->item.state;
	int64_t until = m->item.node.key;
	struct queue_error error;
	enum result rc;

	work_begin(q);
	event_take(q, &(struct sched_event){
			  .type = SCHED_EV_CONTROL, .item = &m->item, .fate = SCHED_FATE_LATE});
	rc = loaded_open(q, m, &error);
	if (rc == RES_OK) {
		apply(q, m, c);
		settle_late(q, m, state, until);
	} else {
		forget(q, c);
		settle_none(q, m, rc == RES_PERM ? SCHED_NONE : state,
			    os_now() + q->settings->minimal_backoff_time);
	}
	work_end(q);
	return rc == RES_TEMP ? IPC_LOST : IPC_OK;
}

/* try_apply - false: the message is just being read or settled, look at it again afterwards. */
static bool try_apply(struct qmgr *q, struct claim *c, enum ipc_status *status)
{
	struct message *m = index_find(q->index, &c->id);

	*status = IPC_OK;
	if (m == NULL) {
		forget(q, c);
	} else if (m->item.state == SCHED_DEFERRED || m->item.state == SCHED_HELD ||
		   m->item.state == SCHED_INCOMING) {
		*status = apply_waiting(q, m, c);
	} else if (m->item.state == SCHED_ACTIVE && m->loaded) {
		apply(q, m, c);
	} else {
		return false;
	}
	return true;
}

static void sync_on_thread(void *arg)
{
	queue_sync(((struct qmgr *)arg)->queue, NULL);
}

static void claim_free(struct claim **c)
{
	struct arena *arena = (*c)->arena; /* which it lies in */

	arena_destroy(&arena);
	*c = NULL;
}

/* Who is about to end takes nothing: its marks are written already. */
enum ipc_status claim_end(struct qmgr *q, struct claim **c)
{
	enum ipc_status status;

	while (!q->closed) {
		if (try_apply(q, *c, &status)) {
			claim_free(c);
			if (status == IPC_OK)
				fiber_offload(sync_on_thread, q, "sync done marks");
			return status;
		}
		if (fiber_cond_wait(&q->quiet, OS_NEVER, "the message to be settled") < 0)
			fiber_uncancel(); /* asked to drain; this belongs to a delivery */
	}
	claim_drop(q, c);
	return IPC_LOST;
}

void claim_drop(struct qmgr *q, struct claim **c)
{
	forget(q, *c);
	claim_free(c);
}

void claims_abandon(struct qmgr *q)
{
	LIST_FOREACH(l, &q->claims)
	fiber_cancel(CONTAINER_OF(l, struct claim, link)->session);
}
