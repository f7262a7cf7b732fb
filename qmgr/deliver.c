/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "ipc/delivery.h"
#include "log/events.h"

#include <stdlib.h>

#define RECIPIENTS_MAX 1000 /* of one request: bound of delivery.ipc */
#define TRIES_MOST 3

struct delivery {
	struct list link; /* in q->deliveries */
	struct fiber *fiber;
	struct qmgr *q;
	struct sched_delivery *d;
	struct message *message;
	struct arena *arena;
	bool *reported;  /* by place in d->recipients */
	size_t left;     /* not reported */
	size_t deferred;
	bool begun;      /* the agent has said something */
	bool sent;       /* the agent has the request, or will find it waiting */
	bool abandoned;
	bool away;       /* and what has no outcome is marked as under way elsewhere */
};

static struct queue_recipient *recipient_at(struct message *m, uint32_t index)
{
	return &m->loaded->m.envelope->recipients[index];
}

bool recipient_undone(const struct queue_recipient *r)
{
	return r->outcome == QUEUE_PENDING || r->outcome == QUEUE_DEFERRED;
}

void recipient_mark(struct qmgr *q, struct message *m, uint32_t index, const struct queue_mark *mark)
{
	struct queue_recipient *r = recipient_at(m, index);
	struct arena *arena = m->loaded->arena;
	struct queue_mark copy = *mark;
	struct queue_location loc;

	r->outcome = mark->outcome;
	r->status_time = mark->time;
	r->dsn = arena_dup(arena, mark->dsn);
	r->text = arena_dup(arena, mark->text);
	r->relay = arena_dup(arena, mark->relay);
	r->mta = arena_dup(arena, mark->mta);
	r->remote = arena_dup(arena, mark->remote);
	r->final = arena_dup(arena, mark->final);
	if (mark->outcome == QUEUE_DEFERRED) {
		m->loaded->changed = true; /* goes to disk with queue_defer, all at once */
		return;
	}
	copy.recipient = index;
	message_location(m, &loc);
	queue_mark(q->queue, &loc, &copy);
	fiber_cond_signal(&q->dirty);
}

/* log_unsent - the status line of a recipient that no agent has spoken of. */
static void log_unsent(const struct message *m, const struct queue_recipient *r, struct slice dsn,
		       struct slice text)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	int64_t now = os_wall();
	int64_t a = m->loaded->active_since - env->arrival;

	LOG(delivery, .queue_id = queue_id_slice(&env->id), .to = r->address,
	    .orig_to = r->original.n && !slice_eq(r->original, r->address) ? r->original : SL_NULL,
	    .relay = SL("none"), .delay = now - env->arrival, .a = a,
	    .b = now - m->loaded->active_since, .dsn = dsn, .status = SL("deferred"), .text = text);
}

static void defer_one(struct qmgr *q, struct message *m, uint32_t index, struct slice reason)
{
	ssize_t blank = slice_find(reason, ' ');
	struct slice dsn = slice_sub(reason, 0, blank < 0 ? 0 : (size_t)blank);
	struct slice text = slice_from(reason, blank < 0 ? 0 : (size_t)blank + 1);

	log_unsent(m, recipient_at(m, index), dsn, text);
	recipient_mark(q, m, index,
		       &(struct queue_mark){.outcome = QUEUE_DEFERRED,
					    .time = os_wall(),
					    .dsn = dsn,
					    .text = text});
	q->deferred++;
}

/* is_ours - to be tried; since it was scheduled an agent may have claimed it, or told its outcome. */
static bool is_ours(struct qmgr *q, struct message *m, uint32_t index)
{
	const struct queue_recipient *r = recipient_at(m, index);

	if (!recipient_undone(r))
		return false;
	if (!recipient_claimed(q, m, index))
		return true;
	if (!recipient_marked_away(r))
		recipient_mark_away(q, m, index);
	return false;
}

void deliver_suspend(struct qmgr *q, const struct sched_action *action)
{
	const struct sched_delivery *d = action->delivery;
	struct message *m = (struct message *)d->item;
	size_t deferred = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (!is_ours(q, m, d->recipients[i]))
			continue;
		defer_one(q, m, d->recipients[i], action->reason);
		deferred++;
	}
	event_take(q, &(struct sched_event){.type = SCHED_EV_DELIVERED,
					    .delivery = action->delivery,
					    .deferred = deferred});
}

/* ---- the request */

static uint16_t port_number(struct slice text)
{
	uint64_t n;

	return slice_u64(text, &n) && n <= UINT16_MAX ? (uint16_t)n : 0;
}

static void request_fill(const struct delivery *dv, struct delivery_deliver *m)
{
	const struct loaded *loaded = dv->message->loaded;
	const struct queue_envelope *env = loaded->m.envelope;
	struct mail_recipient *out = ARENA_ARRAY(dv->arena, dv->d->count, struct mail_recipient);
	size_t count = 0;

	*m = (struct delivery_deliver){
	    .queue_id = queue_id_slice(&env->id),
	    .content = loaded->m.fd,
	    .offset = loaded->m.content_offset,
	    .size = loaded->m.content_size,
	    .flags = env->flags,
	    .sender = env->sender,
	    .ret = (enum mail_ret)env->ret,
	    .envid = env->envid,
	    .transport = dv->d->transport,
	    .nexthop = dv->d->nexthop,
	    .arrival = env->arrival,
	    .active = loaded->active_since,
	    .tries = env->tries,
	    .client = {env->client_name, env->client_address, port_number(env->client_port),
		       env->reverse_client_name, env->helo, env->protocol},
	    .sasl = {env->sasl_method, env->sasl_username, env->sasl_sender},
	    .log_ident = env->log_ident,
	    .rewrite_context = env->rewrite_context,
	    .recipients = out,
	};
	for (size_t i = 0; i < dv->d->count; i++) {
		const struct queue_recipient *r = recipient_at(dv->message, dv->d->recipients[i]);

		if (dv->reported[i])
			continue;
		out[count++] = (struct mail_recipient){.index = dv->d->recipients[i],
						       .address = r->address,
						       .orig = r->original,
						       .orcpt = r->orcpt,
						       .notify = r->notify};
	}
	m->recipients_count = count;
}

/* ---- outcomes */

static ssize_t place_of(const struct delivery *dv, uint32_t index)
{
	for (size_t i = 0; i < dv->d->count; i++) {
		if (dv->d->recipients[i] == index)
			return (ssize_t)i;
	}
	return -1;
}

/* outcome_of - what the status means for the queue; soft_bounce makes failures temporary. */
static enum queue_outcome outcome_of(const struct qmgr *q, const struct delivery_outcome *r,
				     uint32_t notify)
{
	switch (r->status) {
	case DELIVERY_STATUS_SENT:
	case DELIVERY_STATUS_EXPANDED:
	case DELIVERY_STATUS_DELIVERABLE:
		if (!(notify & QUEUE_NOTIFY_SUCCESS) || r->dsn_passed_on)
			return QUEUE_REPORTED;
		return r->status == DELIVERY_STATUS_EXPANDED ? QUEUE_EXPANDED : QUEUE_SENT;
	case DELIVERY_STATUS_BOUNCED:
	case DELIVERY_STATUS_UNDELIVERABLE:
		return q->settings->soft_bounce ? QUEUE_DEFERRED : QUEUE_FAILED;
	case DELIVERY_STATUS_DEFERRED:
		break;
	}
	return QUEUE_DEFERRED;
}

enum queue_outcome recipient_take(struct qmgr *q, struct message *m, const struct delivery_outcome *r)
{
	struct queue_mark mark = {.time = os_wall(), .dsn = r->dsn, .text = r->text, .relay = r->relay,
				  .mta = r->mta, .remote = r->remote, .final = r->final};

	mark.outcome = outcome_of(q, r, recipient_at(m, r->index)->notify);
	if (mark.outcome == QUEUE_REPORTED && report_keeps_record(m))
		mark.outcome = QUEUE_SENT;
	q->deferred += mark.outcome == QUEUE_DEFERRED;
	q->bounced += mark.outcome == QUEUE_FAILED;
	q->delivered += mark.outcome != QUEUE_DEFERRED && mark.outcome != QUEUE_FAILED;
	recipient_mark(q, m, r->index, &mark);
	return mark.outcome;
}

/* take_result - false when it speaks of a recipient that was not asked for. */
static bool take_result(struct delivery *dv, const struct delivery_outcome *r)
{
	ssize_t place = place_of(dv, r->index);

	if (place < 0 || dv->reported[place])
		return false;
	dv->reported[place] = true;
	dv->left--;
	dv->deferred += recipient_take(dv->q, dv->message, r) == QUEUE_DEFERRED;
	return true;
}

bool recipient_in_flight(const struct qmgr *q, const struct message *m, uint32_t index)
{
	LIST_FOREACH(l, &q->deliveries) {
		const struct delivery *dv = CONTAINER_OF(l, struct delivery, link);

		if (dv->message == m && place_of(dv, index) >= 0)
			return true;
	}
	return false;
}

/* defer_rest - what the agent did not speak of is not known: it is tried again. */
static void defer_rest(struct delivery *dv, struct slice reason)
{
	for (size_t i = 0; i < dv->d->count; i++) {
		if (dv->reported[i])
			continue;
		defer_one(dv->q, dv->message, dv->d->recipients[i], reason);
		dv->deferred++;
	}
	dv->left = 0;
}

/* converse - request and answers over one connection; anything but IPC_OK: it is of no use any more. */
static enum ipc_status converse(struct delivery *dv, struct agent *a,
				const struct delivery_deliver *request,
				struct delivery_deliver_done *done)
{
	int64_t deadline = os_deadline(dv->q->settings->daemon_timeout);
	enum ipc_status status = delivery_deliver_send(
	    a->conn, request, os_deadline(dv->q->settings->ipc_timeout));
	struct ipc_frame frame;

	dv->sent = dv->sent || status == IPC_OK;
	while (status == IPC_OK) {
		struct delivery_rcpt_result result;

		status = ipc_receive(a->conn, &frame, deadline);
		if (status != IPC_OK)
			break;
		dv->begun = true;
		if (frame.type == DELIVERY_DELIVER_DONE)
			return delivery_deliver_done_decode(&frame, dv->arena, done) ? IPC_OK
										   : IPC_GARBAGE;
		if (!delivery_rcpt_result_decode(&frame, dv->arena, &result) ||
		    !take_result(dv, &result.outcome)) {
			ipc_frame_drop(&frame);
			status = IPC_GARBAGE;
		}
	}
	return status;
}

/*
 * attempt - a kept connection may have ended while it was idle, and so may a new one at the moment at which
 * its agent was replaced (what that left unread is a reset: IPC_LOST): as long as nothing has come over
 * it, the request is made again over a new one.
 */
static struct agent *attempt(struct delivery *dv, struct delivery_deliver_done *done,
			     enum ipc_status *status, const char **why)
{
	struct delivery_deliver request;
	struct agent *a = agent_take(dv->q, dv->d->transport, dv->d->nexthop, false, why);

	request_fill(dv, &request);
	for (int tries = 1; a; tries++) {
		bool used = a->used;

		*status = converse(dv, a, &request, done);
		if (*status == IPC_OK)
			return a;
		agent_drop(a);
		a = NULL;
		*why = NULL;
		if (dv->begun || tries == TRIES_MOST || !(used || *status == IPC_LOST) ||
		    *status == IPC_REFUSED || *status == IPC_CANCELLED)
			break;
		a = agent_take(dv->q, dv->d->transport, dv->d->nexthop, true, why);
	}
	return NULL;
}

/* transport_down - nobody serves the socket: the whole transport waits for a while. */
static void transport_down(struct delivery *dv, const char *why)
{
	struct slice path = arena_printf(dv->arena, "private/%.*s", SL_ARG(dv->d->transport));

	LOG(service_problem, .service = path, .problem = slice_str(why));
	defer_rest(dv, SL("4.3.0 mail transport unavailable"));
	event_take(dv->q, &(struct sched_event){.type = SCHED_EV_THROTTLE,
						.transport = dv->d->transport,
						.reason = SL("4.3.0 mail transport unavailable")});
}

/*
 * leave_behind - the agent finishes without us, or never began. Nothing is decided about the message: its
 * successor does that.
 */
static void leave_behind(struct delivery *dv)
{
	for (size_t i = 0; i < dv->d->count && dv->sent && dv->away; i++)
		if (!dv->reported[i])
			recipient_mark_away(dv->q, dv->message, dv->d->recipients[i]);
}

void deliver_abandon(struct qmgr *q, bool away)
{
	LIST_FOREACH(l, &q->deliveries) {
		struct delivery *dv = CONTAINER_OF(l, struct delivery, link);

		dv->abandoned = true;
		dv->away = away;
		fiber_cancel(dv->fiber);
	}
}

/* unreadable - its file cannot be opened for the agent. */
static void unreadable(struct delivery *dv, const struct queue_error *error)
{
	struct queue_id id;

	message_id(dv->message, &id);
	if (error->reason != QUEUE_GONE)
		queue_problem(&id, "cannot read message", error);
	defer_rest(dv, SL("4.3.0 cannot read message"));
}

static void delivery_run(struct delivery *dv, struct sched_event *e)
{
	struct delivery_deliver_done done = {0};
	enum ipc_status status = IPC_LOST;
	const char *why = "";
	struct queue_error error;
	enum result rc = content_take(dv->q, dv->message, &error);
	struct agent *a = NULL;

	if (rc == RES_OK) {
		a = attempt(dv, &done, &status, &why);
		content_give(dv->q, dv->message);
	}
	if (a) {
		/* The outcome of what it forgot is unknown. */
		defer_rest(dv, SL("4.3.0 delivery agent gave no outcome"));
		e->dead = done.host_dead;
		if (e->dead)
			e->reason = arena_printf(dv->arena, "%.*s %.*s",
						 SL_ARG(done.dead_dsn.n ? done.dead_dsn : SL("4.4.1")),
						 SL_ARG(done.dead_text));
		if (delivery_noted_send(a->conn, NULL, os_deadline(dv->q->settings->ipc_timeout)) ==
		    IPC_OK)
			agent_give(dv->q, dv->d->transport, a,
				   done.session_open ? done.nexthop : SL_NULL);
		else
			agent_drop(a);
		return;
	}
	if (dv->abandoned) {
		leave_behind(dv);
		return;
	}
	if (rc != RES_OK) {
		unreadable(dv, &error);
		return;
	}
	if (why != NULL) {
		transport_down(dv, why);
		return;
	}
	LOG(service_problem, .service = arena_printf(dv->arena, "private/%.*s", SL_ARG(dv->d->transport)),
	    .problem = slice_str(ipc_status_text(status)));
	defer_rest(dv, SL("4.3.0 unknown mail transport error"));
}

static void deliver_fiber(void *arg)
{
	struct delivery *dv = arg;
	struct arena *arena = dv->arena; /* which dv lies in */
	struct qmgr *q = dv->q;
	struct sched_event e = {.type = SCHED_EV_DELIVERED, .delivery = dv->d};

	delivery_run(dv, &e);
	list_remove(&dv->link);
	e.deferred = dv->deferred;
	if (dv->left == 0)
		event_take(q, &e);
	arena_destroy(&arena);
	work_end(q);
}

void deliver_start(struct qmgr *q, const struct sched_action *action)
{
	struct arena *arena = arena_create();
	struct delivery *dv = ARENA_NEW(arena, struct delivery);

	CHECK(action->delivery->count <= RECIPIENTS_MAX);
	dv->q = q;
	dv->d = action->delivery;
	dv->message = (struct message *)action->item;
	dv->arena = arena;
	dv->left = dv->d->count;
	dv->reported = ARENA_ARRAY(arena, dv->left, bool);
	for (size_t i = 0; i < dv->d->count; i++) {
		dv->reported[i] = !is_ours(q, dv->message, dv->d->recipients[i]);
		dv->left -= dv->reported[i];
	}
	if (dv->left == 0) {
		event_take(q, &(struct sched_event){.type = SCHED_EV_DELIVERED,
						    .delivery = dv->d});
		arena_destroy(&arena);
		return;
	}
	work_begin(q);
	list_push_back(&q->deliveries, &dv->link);
	dv->fiber = fiber_spawn("deliver", deliver_fiber, dv);
	if (dv->fiber == NULL) {
		list_remove(&dv->link);
		work_end(q);
		defer_rest(dv, SL("4.3.0 out of memory"));
		event_take(q, &(struct sched_event){.type = SCHED_EV_DELIVERED,
						    .delivery = dv->d,
						    .deferred = dv->deferred});
		arena_destroy(&arena);
	}
}
