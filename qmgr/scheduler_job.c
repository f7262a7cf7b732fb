/* SPDX-License-Identifier: ISC */
#include "qmgr/scheduler_state.h"

#include "base/check.h"

#include <stdlib.h>

/* Jobs that are looked at as candidates to pass a large one: the first ones, roughly. */
#define CANDIDATES 200

/* ---- making jobs of recipients */

static int compare(const void *a, const void *b)
{
	const struct sched_recipient *x = *(const struct sched_recipient *const *)a;
	const struct sched_recipient *y = *(const struct sched_recipient *const *)b;
	int rc = slice_cmp(x->transport, y->transport);

	if (rc == 0)
		rc = slice_cmp(x->destination, y->destination);
	if (rc == 0)
		rc = slice_cmp(x->nexthop, y->nexthop);
	if (rc == 0)
		rc = slice_cmp(x->address, y->address);
	if (rc == 0)
		rc = x->index < y->index ? -1 : 1;
	return rc;
}

static struct sched_job *job_get(struct sched *s, struct sched_message *m, struct slice transport)
{
	struct sched_job *job;

	LIST_FOREACH(l, &m->jobs) {
		job = CONTAINER_OF(l, struct sched_job, link);
		if (slice_eq(job->transport->name, transport))
			return job;
	}
	job = ARENA_NEW(m->arena, struct sched_job);
	job->message = m;
	job->transport = sched_transport_get(s, transport);
	job->turn.key = ++s->turns * SCHED_TURN;
	job->entered = s->now;
	list_init(&job->peers);
	list_init(&job->ready);
	list_push_back(&m->jobs, &job->link);
	return job;
}

/*
 * peer_get - recipients come sorted, so that a destination's last peer is the job's last one. More
 * than one peer for a destination (after a second load) does no harm.
 */
static struct sched_peer *peer_get(struct sched_job *job, struct slice destination)
{
	struct sched_peer *p;

	if (!list_empty(&job->peers)) {
		p = CONTAINER_OF(job->peers.prev, struct sched_peer, job_link);
		if (!list_empty(&p->dest_link) && slice_eq(p->dest->name, destination))
			return p;
	}
	p = ARENA_NEW(job->message->arena, struct sched_peer);
	p->job = job;
	p->dest = sched_destination_get(job->transport, destination);
	list_init(&p->todo);
	list_init(&p->ready_link);
	list_push_back(&job->peers, &p->job_link);
	list_push_back(&p->dest->peers, &p->dest_link);
	return p;
}

void sched_peer_ready(struct sched_peer *p)
{
	struct sched_transport *t = p->job->transport;

	heap_remove(&p->dest->waiting, &p->wait);
	if (list_empty(&p->ready_link))
		list_push_back(&p->job->ready, &p->ready_link);
	if (!heap_contains(&p->job->turn))
		heap_insert(&t->jobs, &p->job->turn);
	sched_transport_touch(t);
}

/* peer_enqueue - one more batch to do. */
static void peer_enqueue(struct sched_peer *p, struct sched_batch *b)
{
	b->peer = p;
	b->pub.transport = p->job->transport->name;
	list_push_back(&p->todo, &b->link);
	p->job->todo++;
	p->dest->todo++;
	if (list_empty(&p->ready_link) && !heap_contains(&p->wait))
		sched_peer_ready(p);
}

/* peer_take - the first batch; a peer that has no more leaves its destination. */
static struct sched_batch *peer_take(struct sched_peer *p)
{
	struct list *l = list_pop_front(&p->todo);

	CHECK(l != NULL);
	p->job->todo--;
	p->dest->todo--;
	if (list_empty(&p->todo)) {
		list_remove(&p->ready_link);
		heap_remove(&p->dest->waiting, &p->wait);
		list_remove(&p->dest_link);
		if (list_empty(&p->job->ready))
			heap_remove(&p->job->transport->jobs, &p->job->turn);
	}
	return CONTAINER_OF(l, struct sched_batch, link);
}

/* ---- what cannot go now */

/* blocked_reason - null slice when mail may be sent that way. */
static struct slice blocked_reason(const struct sched_destination *d, const struct sched_item *item)
{
	const struct sched_transport *t = d->transport;

	if (t->reason)
		return slice_str(t->reason);
	if (d->window == 0)
		return slice_str(d->reason);
	if (t->conf.defer && !item->flushed)
		return SL("4.3.2 deferred transport");
	return SL_NULL;
}

static void suspend_here(struct sched *s, struct sched_batch *b, struct slice reason)
{
	struct sched_message *m = b->peer->job->message;
	struct sched_action *a = sched_act(s, SCHED_SUSPEND);

	b->suspended = true;
	m->under_way++;
	a->item = m->item;
	a->delivery = &b->pub;
	a->reason = arena_dup(m->arena, reason);
}

/*
 * batch_divert - a batch (in no list) whose way is blocked goes through the service `retry`, which
 * writes the log and the outcome as any agent does; if that is blocked too, the daemon does it.
 */
static void batch_divert(struct sched *s, struct sched_batch *b, struct slice reason)
{
	struct sched_message *m = b->peer->job->message;
	struct sched_transport *retry = sched_transport_get(s, SL("retry"));
	struct sched_destination *d;
	struct sched_peer *p;

	if (b->peer->job->transport == retry || retry->reason || retry->conf.defer) {
		suspend_here(s, b, reason);
		return;
	}
	d = sched_destination_get(retry, reason);
	if (d->window == 0) {
		suspend_here(s, b, reason);
		return;
	}
	p = peer_get(job_get(s, m, retry->name), reason);
	b->pub.nexthop = p->dest->name;
	peer_enqueue(p, b);
}

/* delayed_text - "4.4.1 connect to ..." becomes "4.4.1 delivery temporarily suspended: ...". */
static struct slice delayed_text(struct arena *arena, struct slice reason)
{
	ssize_t blank = slice_find(reason, ' ');

	if (blank < 0)
		return reason;
	if (slice_eq(reason, SL("4.3.2 deferred transport")))
		return reason;
	return arena_printf(arena, "%.*s delivery temporarily suspended:%.*s",
			    SL_ARG(slice_sub(reason, 0, (size_t)blank)),
			    SL_ARG(slice_from(reason, (size_t)blank)));
}

void sched_destination_suspend(struct sched_destination *d)
{
	struct sched *s = d->transport->sched;
	struct arena *arena = arena_create();
	struct slice reason = SL_NULL;

	LIST_FOREACH_SAFE(l, &d->peers) {
		struct sched_peer *p = CONTAINER_OF(l, struct sched_peer, dest_link);

		reason = blocked_reason(d, p->job->message->item);
		while (!slice_is_null(reason) && !list_empty(&p->todo))
			batch_divert(s, peer_take(p), delayed_text(arena, reason));
	}
	arena_destroy(&arena);
}

/* ---- adding */

static struct sched_batch *batch_make(struct sched_message *m,
				      const struct sched_recipient *const *from, size_t count)
{
	struct sched_batch *b = ARENA_NEW(m->arena, struct sched_batch);
	uint32_t *indices = ARENA_ARRAY(m->arena, count, uint32_t);

	for (size_t i = 0; i < count; i++)
		indices[i] = from[i]->index;
	b->pub.item = m->item;
	b->pub.nexthop = arena_dup(m->arena, from[0]->nexthop);
	b->pub.recipients = indices;
	b->pub.count = count;
	list_init(&b->link);
	return b;
}

/* batch_add - to its destination, or, when that is blocked, where such mail goes. */
static void batch_add(struct sched *s, struct sched_message *m,
		      const struct sched_recipient *const *from, size_t count)
{
	struct sched_batch *b = batch_make(m, from, count);
	struct sched_peer *p = peer_get(job_get(s, m, from[0]->transport), from[0]->destination);
	struct slice reason = blocked_reason(p->dest, m->item);

	if (slice_is_null(reason)) {
		peer_enqueue(p, b);
		return;
	}
	b->peer = p;
	b->pub.transport = p->job->transport->name;
	if (list_empty(&p->todo))
		list_remove(&p->dest_link);
	batch_divert(s, b, delayed_text(m->arena, reason));
	sched_destination_release(p->dest);
}

static bool same_way(const struct sched_recipient *a, const struct sched_recipient *b)
{
	return slice_eq(a->transport, b->transport) && slice_eq(a->destination, b->destination) &&
	       slice_eq(a->nexthop, b->nexthop);
}

void sched_job_add(struct sched *s, struct sched_message *m,
		   const struct sched_recipient *recipients, size_t count)
{
	const struct sched_recipient **sorted = sched_alloc((count + 1) * sizeof(*sorted));
	size_t i, j;

	for (i = 0; i < count; i++)
		sorted[i] = &recipients[i];
	qsort(sorted, count, sizeof(*sorted), compare);
	for (i = 0; i < count; i = j) {
		int limit = sched_transport_get(s, sorted[i]->transport)->conf.recipient_limit;

		j = i + 1;
		while (j < count && (limit <= 0 || j - i < (size_t)limit) &&
		       same_way(sorted[i], sorted[j]))
			j++;
		batch_add(s, m, sorted + i, j - i);
	}
	free(sorted);
}

void sched_jobs_free(struct sched *s, struct sched_message *m)
{
	LIST_FOREACH(jl, &m->jobs) {
		struct sched_job *job = CONTAINER_OF(jl, struct sched_job, link);

		LIST_FOREACH(pl, &job->peers) {
			struct sched_peer *p = CONTAINER_OF(pl, struct sched_peer, job_link);

			if (list_empty(&p->todo))
				continue;
			while (!list_empty(&p->todo)) {
				size_t n = peer_take(p)->pub.count;

				s->recipients -= n;
				m->in_core -= n;
			}
			sched_destination_release(p->dest);
		}
		heap_remove(&job->transport->jobs, &job->turn);
	}
}

/* ---- choosing */

/*
 * candidate_find - the job that gains most by passing `job`: greatest age for each batch it has
 * to do, among those that the slots which the job can ever have suffice for.
 */
static struct sched_job *candidate_find(struct sched_transport *t, struct sched_job *job,
					size_t max_slots)
{
	struct sched_job *best = NULL;
	double best_score = 0;

	for (size_t i = 0; i < t->jobs.count && i < CANDIDATES; i++) {
		struct sched_job *c = CONTAINER_OF(t->jobs.nodes[i], struct sched_job, turn);
		double score;

		if (c == job || c->todo == 0 || c->todo > max_slots || c->message->more)
			continue;
		score = (double)(t->sched->now - c->entered + 1) / (double)c->todo;
		if (best == NULL || score > best_score) {
			best = c;
			best_score = score;
		}
	}
	return best;
}

static bool has_room(const struct sched_job *job)
{
	LIST_FOREACH(l, &job->ready) {
		if (sched_destination_room(CONTAINER_OF(l, struct sched_peer, ready_link)->dest) > 0)
			return true;
	}
	return false;
}

/*
 * preempt - may another job pass this one, the first in line? Each slot_cost batches that a job
 * has sent earn it one slot to give away; one that passes uses as many as it has batches, of which
 * loan and discount are granted in advance.
 */
static struct sched_job *preempt(struct sched_transport *t, struct sched_job *job)
{
	const struct sched_transport_conf *conf = &t->conf;
	size_t cost = conf->slot_cost < 2 ? 0 : (size_t)conf->slot_cost;
	size_t ever, earned;
	struct sched_job *c;
	int64_t needed;

	if (cost == 0 || t->jobs.count < 2)
		return job;
	ever = (job->selected + job->todo) / cost;
	earned = job->selected / cost;
	ever = ever > job->slots_used ? ever - job->slots_used : 0;
	if (ever < (size_t)conf->minimum_slots)
		return job;
	c = candidate_find(t, job, ever);
	if (c == NULL || !has_room(c))
		return job;
	needed = (int64_t)c->todo * (100 - conf->slot_discount) / 100 - conf->slot_loan;
	if (needed > (int64_t)earned - (int64_t)job->slots_used)
		return job;
	job->slots_used += c->todo;
	heap_remove(&t->jobs, &c->turn);
	c->turn.key = job->turn.key - 1;
	heap_insert(&t->jobs, &c->turn);
	return c;
}

/* job_select - the next batch whose destination has room, destinations in turn; NULL: none has. */
static struct sched_batch *job_select(struct sched_job *job)
{
	while (!list_empty(&job->ready)) {
		struct sched_peer *p = CONTAINER_OF(job->ready.next, struct sched_peer, ready_link);

		list_remove(&p->ready_link);
		if (sched_destination_room(p->dest) > 0) {
			list_push_back(&job->ready, &p->ready_link);
			job->selected++;
			return peer_take(p);
		}
		p->wait.key = job->turn.key;
		heap_insert(&p->dest->waiting, &p->wait);
	}
	heap_remove(&job->transport->jobs, &job->turn);
	return NULL;
}

static struct sched_batch *transport_select(struct sched_transport *t)
{
	struct heap_node *first;
	struct sched_batch *b = NULL;

	while (b == NULL && (first = heap_first(&t->jobs)) != NULL)
		b = job_select(preempt(t, CONTAINER_OF(first, struct sched_job, turn)));
	return b;
}

static bool transport_open(const struct sched_transport *t)
{
	int limit = t->conf.transport_rate_delay > 0 ? 1 : t->conf.process_limit;

	return t->reason == NULL && t->pause_until <= t->sched->now &&
	       (limit <= 0 || t->busy < limit);
}

static void batch_start(struct sched *s, struct sched_batch *b)
{
	struct sched_destination *d = b->peer->dest;
	struct sched_action *a = sched_act(s, SCHED_DELIVER);

	d->busy++;
	if (d->busy > d->peak)
		d->peak = d->busy;
	d->transport->busy++;
	b->peer->job->message->under_way++;
	s->deliveries++;
	a->item = b->pub.item;
	a->delivery = &b->pub;
}

void sched_jobs_run(struct sched *s)
{
	struct list *l;

	while (!s->draining && (l = list_pop_front(&s->dirty)) != NULL) {
		struct sched_transport *t = CONTAINER_OF(l, struct sched_transport, dirty);
		struct sched_batch *b = transport_open(t) ? transport_select(t) : NULL;

		if (b == NULL)
			continue;
		batch_start(s, b);
		list_push_back(&s->dirty, &t->dirty);
	}
}

/* pause_until - set a rate delay's timer. */
static void pause_until(struct heap *timers, struct heap_node *timer, int64_t *until, int64_t at)
{
	*until = at;
	heap_remove(timers, timer);
	timer->key = at;
	heap_insert(timers, timer);
}

void sched_batch_done(struct sched *s, struct sched_batch *b)
{
	struct sched_destination *d = b->peer->dest;
	struct sched_transport *t = d->transport;

	d->busy--;
	t->busy--;
	s->deliveries--;
	if (t->conf.destination_rate_delay > 0 && d->window > 0)
		pause_until(&s->destination_timers, &d->timer, &d->pause_until,
			    s->now + t->conf.destination_rate_delay);
	if (t->conf.transport_rate_delay > 0 && t->reason == NULL)
		pause_until(&s->transport_timers, &t->timer, &t->pause_until,
			    s->now + t->conf.transport_rate_delay);
	sched_destination_wake(d);
	sched_transport_touch(t);
}
