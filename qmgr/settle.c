/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/events.h"

#include <stdlib.h>

#define DEFER_TOGETHER 64 /* messages that share directory syncs */

/* What is to be done with a message at the end of a round. */
struct settling {
	struct qmgr *q;
	struct message *message;
	struct sched_action action;

	/* for the worker thread */
	struct queue_location location;
	int64_t when;
	enum result result;
	struct queue_error error;
};

/* A message that waits to be put aside; on the stack of the fiber that waits. */
struct putting {
	struct list link;
	struct queue_defer_item item;
	struct fiber_cond done_cond;
	bool done;
};

/* ---- what is left to do */

static size_t still_deferred(const struct message *m)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	size_t n = 0;

	for (size_t i = 0; i < env->recipient_count; i++)
		n += recipient_undone(&env->recipients[i]);
	return n;
}

/* count_away - those of them that agents are busy with. */
static size_t count_away(const struct qmgr *q, const struct message *m)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	size_t n = 0;

	for (uint32_t i = 0; i < env->recipient_count; i++)
		n += recipient_undone(&env->recipients[i]) && recipient_away(q, m, i);
	return n;
}

/*
 * try_when - what waits for nothing but agents waits for their claims to end, or, where none has come yet,
 * until it must have come.
 */
static int64_t try_when(const struct qmgr *q, const struct message *m, int64_t until)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	int64_t now = os_now();
	bool awaited = false;

	for (uint32_t i = 0; i < env->recipient_count; i++)
		awaited = awaited || (recipient_marked_away(&env->recipients[i]) &&
				      !recipient_claimed(q, m, i) && now < q->claims_until);
	if (m->loaded->again)
		until = now;
	else if (count_away(q, m) == still_deferred(m))
		until = now + q->settings->maximal_backoff_time;
	return awaited && q->claims_until < until ? q->claims_until : until;
}

/* ---- putting aside */

struct defer_job {
	struct queue *queue;
	struct putting *requests[DEFER_TOGETHER];
	struct queue_defer_item items[DEFER_TOGETHER];
	size_t count;
};

static void defer_on_thread(void *arg)
{
	struct defer_job *job = arg;

	queue_defer(job->queue, job->items, job->count);
}

static void defer_some(struct qmgr *q, struct defer_job *job)
{
	struct list *l;

	job->queue = q->queue;
	job->count = 0;
	while (job->count < DEFER_TOGETHER && (l = list_pop_front(&q->defers)) != NULL) {
		job->requests[job->count] = CONTAINER_OF(l, struct putting, link);
		job->items[job->count] = job->requests[job->count]->item;
		job->count++;
	}
	fiber_offload(defer_on_thread, job, "put messages aside");
	for (size_t i = 0; i < job->count; i++) {
		job->requests[i]->item = job->items[i];
		job->requests[i]->done = true;
		fiber_cond_signal(&job->requests[i]->done_cond);
	}
	fiber_cond_signal(&q->dirty);
}

void settle_deferrer(void *arg)
{
	struct qmgr *q = arg;
	struct defer_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		out_of_memory();
	for (;;) {
		if (!list_empty(&q->defers))
			defer_some(q, job);
		else if (fiber_cond_wait(&q->defer_work, OS_NEVER, "something to put aside") < 0)
			break;
	}
	free(job);
}

struct queue_mark *deferral_marks(const struct message *m, struct arena *arena, size_t *count)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	struct queue_mark *marks = ARENA_ARRAY(arena, env->recipient_count + 1, struct queue_mark);

	*count = 0;
	for (uint32_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (r->outcome != QUEUE_DEFERRED)
			continue;
		marks[(*count)++] = (struct queue_mark){.recipient = i,
							.outcome = QUEUE_DEFERRED,
							.time = r->status_time,
							.dsn = r->dsn,
							.text = r->text,
							.relay = r->relay,
							.mta = r->mta,
							.remote = r->remote,
							.final = r->final};
	}
	return marks;
}

/* put_aside - durable in deferred/ when it returns, unless the disk refuses; then it stays where it is. */
static void put_aside(struct settling *s, int64_t until)
{
	struct message *m = s->message;
	struct putting p = {.done = false};

	message_location(m, &p.item.location);
	/* A successor looks at what agents are busy with first thing. */
	p.item.next_time = os_wall() + (count_away(s->q, m) > 0 ? 0 : until - os_now());
	p.item.marks = deferral_marks(m, m->loaded->arena, &p.item.mark_count);
	fiber_cond_init(&p.done_cond);
	list_push_back(&s->q->defers, &p.link);
	fiber_cond_signal(&s->q->defer_work);
	while (!p.done)
		(void)fiber_cond_wait(&p.done_cond, OS_NEVER, "deferring");
	if (p.item.result == RES_OK)
		message_set_location(m, &p.item.location);
	else
		queue_problem(&p.item.location.id, "cannot be put aside", &p.item.error);
}

/* ---- the end of a message */

static void settled(struct settling *s, enum sched_state state, int64_t until)
{
	struct message *m = s->message;

	loaded_free(s->q, m);
	event_take(s->q, &(struct sched_event){.type = SCHED_EV_SETTLED,
					       .item = &m->item,
					       .state = state,
					       .until = until});
	if (state == SCHED_NONE)
		index_remove(s->q->index, m);
}

static void remove_message(struct settling *s, bool log)
{
	message_location(s->message, &s->location);
	queue_gone(s->q->queue, &s->location);
	fiber_cond_signal(&s->q->dirty);
	if (log)
		LOG(message_removed, .queue_id = queue_id_slice(&s->location.id));
	settled(s, SCHED_NONE, 0);
}

/* expire - what was deferred has failed for good. */
static void expire(struct settling *s)
{
	const struct queue_envelope *env = s->message->loaded->m.envelope;

	if (still_deferred(s->message) == count_away(s->q, s->message))
		return;
	LOG(message_expired, .queue_id = queue_id_slice(&env->id), .from = env->sender,
	    .status = s->message->item.expire ? SL("force-expired") : SL("expired"));
	for (uint32_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (r->outcome != QUEUE_DEFERRED || recipient_away(s->q, s->message, i))
			continue;
		recipient_mark(s->q, s->message, i,
			       &(struct queue_mark){.outcome = QUEUE_FAILED,
						    .time = r->status_time,
						    .dsn = r->dsn,
						    .text = r->text,
						    .relay = r->relay,
						    .mta = r->mta,
						    .remote = r->remote,
						    .final = r->final});
	}
}

static void warn_of_delay(struct settling *s)
{
	struct message *m = s->message;
	int64_t expires = m->loaded->m.envelope->arrival + s->q->settings->maximal_queue_lifetime;

	if (report_delays(s->q, m, expires) != RES_OK)
		return;
	m->item.warned = true;
	message_location(m, &s->location);
	queue_mark(s->q->queue, &s->location,
		   &(struct queue_mark){.recipient = QUEUE_WHOLE,
					.time = os_wall(),
					.warned = os_wall()});
}

static void settle_normal(struct settling *s)
{
	struct message *m = s->message;
	int64_t soon = os_now() + s->q->settings->minimal_backoff_time;
	enum result owed;

	if (m->loaded == NULL) { /* its bytes went away between two loads */
		settled(s, SCHED_DEFERRED, soon);
		return;
	}
	if (s->action.expired)
		expire(s);
	owed = report_successes(s->q, m);
	if (report_failures(s->q, m) != RES_OK)
		owed = RES_TEMP;
	if (s->action.warn)
		warn_of_delay(s);
	if (owed == RES_OK && still_deferred(m) == 0) {
		remove_message(s, true);
		return;
	}
	if (owed == RES_OK && s->action.until > 0)
		soon = s->action.until;
	if (owed == RES_OK)
		soon = try_when(s->q, m, soon);
	if (m->loaded->changed || owed != RES_OK || m->place != QUEUE_IN_DEFERRED)
		put_aside(s, soon);
	settled(s, SCHED_DEFERRED, soon);
}

/* ---- late outcomes */

void settle_none(struct qmgr *q, struct message *m, enum sched_state state, int64_t until)
{
	struct settling s = {.q = q, .message = m};

	settled(&s, state, until);
}

static void keep_reasons(struct settling *s);

void settle_late(struct qmgr *q, struct message *m, enum sched_state state, int64_t until)
{
	struct settling s = {.q = q, .message = m};
	enum result owed = report_successes(q, m);
	bool untried = false;

	if (report_failures(q, m) != RES_OK)
		owed = RES_TEMP;
	if (owed == RES_OK && still_deferred(m) == 0) {
		remove_message(&s, true);
		return;
	}
	for (size_t i = 0; i < m->loaded->m.envelope->recipient_count; i++)
		untried = untried || m->loaded->m.envelope->recipients[i].outcome == QUEUE_PENDING;
	if (state == SCHED_HELD || (state == SCHED_INCOMING && untried)) {
		message_location(m, &s.location);
		keep_reasons(&s);
		settled(&s, state, until);
		return;
	}
	if (state == SCHED_INCOMING || q->late_until < until)
		until = q->late_until;
	if (untried)
		until = os_now();
	else if (owed != RES_OK)
		until = os_now() + q->settings->minimal_backoff_time;
	else
		until = try_when(q, m, until);
	put_aside(&s, until);
	settled(&s, SCHED_DEFERRED, until);
}

/* ---- by somebody's order */

static void hold_on_thread(void *arg)
{
	struct settling *s = arg;

	s->result = queue_hold(s->q->queue, &s->location, &s->error);
}

static void release_on_thread(void *arg)
{
	struct settling *s = arg;

	s->result = queue_release(s->q->queue, &s->location, s->when, &s->error);
}

/* keep_reasons - of a round that was broken off. */
static void keep_reasons(struct settling *s)
{
	size_t count = 0;
	struct queue_mark *marks;

	if (s->message->loaded == NULL)
		return;
	marks = deferral_marks(s->message, s->message->loaded->arena, &count);
	for (size_t i = 0; i < count; i++)
		queue_mark(s->q->queue, &s->location, &marks[i]);
}

static void move(struct settling *s, void (*on_thread)(void *arg), enum sched_state then)
{
	message_location(s->message, &s->location);
	keep_reasons(s);
	fiber_offload(on_thread, s, "move message");
	fiber_cond_signal(&s->q->dirty);
	if (s->result == RES_OK) {
		message_set_location(s->message, &s->location);
	} else {
		queue_problem(&s->location.id, "cannot be moved", &s->error);
		if (s->message->place == QUEUE_IN_HOLD)
			then = SCHED_HELD;
		else if (then == SCHED_HELD)
			then = SCHED_DEFERRED;
	}
	settled(s, then, os_now() + s->q->settings->minimal_backoff_time);
}

static void requeue_on_thread(void *arg)
{
	struct settling *s = arg;

	s->result = queue_requeue(s->q->queue, &s->location, &s->error);
}

/* may_requeue - nothing of it is in an agent's hands, and nothing is owed for what is done. */
static bool may_requeue(struct settling *s)
{
	struct message *m = s->message;

	if (m->loaded == NULL && loaded_open(s->q, m, &s->error) != RES_OK)
		return false;
	return count_away(s->q, m) == 0 && report_successes(s->q, m) == RES_OK &&
	       report_failures(s->q, m) == RES_OK && still_deferred(m) > 0;
}

/* requeue - by way of maildrop/, where cleanup gets it from again; else it is only tried again now. */
static void requeue(struct settling *s)
{
	bool asked = may_requeue(s);

	message_location(s->message, &s->location);
	if (asked)
		fiber_offload(requeue_on_thread, s, "requeue message");
	fiber_cond_signal(&s->q->dirty);
	if (asked && s->result == RES_OK) {
		settled(s, SCHED_NONE, 0);
		return;
	}
	if (asked)
		queue_problem(&s->location.id, "cannot be requeued", &s->error);
	s->when = os_wall();
	if (s->message->place == QUEUE_IN_HOLD)
		move(s, release_on_thread, SCHED_INCOMING);
	else
		settled(s, SCHED_INCOMING, 0);
}

static void settle_fiber(void *arg)
{
	struct settling *s = arg;
	struct qmgr *q = s->q;

	switch (s->action.fate) {
	case SCHED_FATE_NORMAL:
		settle_normal(s);
		break;
	case SCHED_FATE_DELETE:
		remove_message(s, false);
		break;
	case SCHED_FATE_HOLD:
		move(s, hold_on_thread, SCHED_HELD);
		break;
	case SCHED_FATE_REQUEUE:
		requeue(s);
		break;
	case SCHED_FATE_RELEASE:
		s->when = os_wall();
		if (s->message->place == QUEUE_IN_HOLD)
			move(s, release_on_thread, SCHED_INCOMING);
		else
			settled(s, SCHED_INCOMING, 0);
		break;
	case SCHED_FATE_LATE: /* see settle_start */
		break;
	}
	free(s);
	work_end(q);
}

void settle_start(struct qmgr *q, const struct sched_action *action)
{
	struct settling *s;

	if (action->fate == SCHED_FATE_LATE) { /* who asked for it does the work */
		q->late_until = action->until;
		return;
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		out_of_memory();
	s->q = q;
	s->message = (struct message *)action->item;
	s->action = *action;
	work_begin(q);
	if (fiber_spawn("settle", settle_fiber, s) == NULL)
		out_of_memory();
}
