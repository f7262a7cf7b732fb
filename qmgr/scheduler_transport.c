/* SPDX-License-Identifier: ISC */
#include "qmgr/scheduler_state.h"

#include "base/check.h"

#include <math.h>
#include <stdlib.h>

/* Peers behind a large job that are looked at together with it, as candidates to pass it. */
#define LOOK_AHEAD 32

struct sched_transport *sched_transport_get(struct sched *s, struct slice name)
{
	struct sched_transport *t = map_get(s->transports, name);

	if (t)
		return t;
	t = sched_alloc(sizeof(*t));
	t->sched = s;
	t->name_copy = sched_strdup(name);
	t->name = slice(t->name_copy, name.n);
	t->destinations = map_create();
	heap_init(&t->jobs);
	list_init(&t->dirty);
	s->conf.transport(s->conf.arg, t->name, &t->conf);
	map_put(s->transports, name, t);
	return t;
}

static void destination_free(struct sched_destination *d)
{
	heap_remove(&d->transport->sched->destination_timers, &d->timer);
	heap_free(&d->waiting);
	free(d->name_copy);
	free(d->reason);
	free(d);
}

void sched_transport_free(struct sched_transport *t)
{
	struct slice key;
	size_t cursor = 0;
	void *d;

	while (map_next(t->destinations, &cursor, &key, &d))
		destination_free(d);
	map_destroy(&t->destinations);
	heap_remove(&t->sched->transport_timers, &t->timer);
	heap_free(&t->jobs);
	list_remove(&t->dirty);
	free(t->name_copy);
	free(t->reason);
	free(t);
}

/* initial_window - concurrency that a destination begins with. */
static int initial_window(const struct sched_transport *t)
{
	int window = t->conf.initial_concurrency;

	if (t->conf.destination_rate_delay > 0)
		return 1;
	if (t->conf.concurrency_limit > 0 && window > t->conf.concurrency_limit)
		window = t->conf.concurrency_limit;
	return window < 1 ? 1 : window;
}

struct sched_destination *sched_destination_get(struct sched_transport *t, struct slice name)
{
	struct sched_destination *d = map_get(t->destinations, name);

	if (d)
		return d;
	d = sched_alloc(sizeof(*d));
	d->transport = t;
	d->name_copy = sched_strdup(name);
	d->name = slice(d->name_copy, name.n);
	d->window = initial_window(t);
	heap_init(&d->waiting);
	list_init(&d->peers);
	map_put(t->destinations, name, d);
	return d;
}

void sched_destination_release(struct sched_destination *d)
{
	if (d->todo > 0 || d->busy > 0 || d->window == 0 || heap_contains(&d->timer))
		return;
	CHECK(heap_first(&d->waiting) == NULL);
	map_remove(d->transport->destinations, d->name);
	destination_free(d);
}

void sched_transport_touch(struct sched_transport *t)
{
	if (list_empty(&t->dirty))
		list_push_back(&t->sched->dirty, &t->dirty);
}

static void set_timer(struct heap *heap, struct heap_node *node, int64_t at)
{
	heap_remove(heap, node);
	node->key = at;
	heap_insert(heap, node);
}

/* ---- concurrency */

/* feedback - how much one delivery counts at this concurrency. */
static double feedback(const struct sched_feedback *f, int concurrency)
{
	switch (f->divisor) {
	case FEEDBACK_SQRT:
		return f->value / sqrt((double)concurrency);
	case FEEDBACK_CONCURRENCY:
		return f->value / (double)concurrency;
	case FEEDBACK_CONSTANT:
		break;
	}
	return f->value;
}

/* widen - after success, unless the window is already far ahead of what is under way. */
static void widen(struct sched_destination *d)
{
	const struct sched_transport_conf *conf = &d->transport->conf;

	d->failed_cohorts = 0;
	if (d->window >= d->busy + conf->initial_concurrency || conf->destination_rate_delay > 0)
		return;
	d->success += feedback(&conf->positive, d->window);
	while (d->success >= 1) {
		d->window++;
		d->failure = 0;
		d->success -= 1;
	}
	if (conf->concurrency_limit > 0 && d->window > conf->concurrency_limit)
		d->window = conf->concurrency_limit;
}

/* narrow - after a connection or handshake that failed. */
static void narrow(struct sched_destination *d, struct slice reason)
{
	const struct sched_transport_conf *conf = &d->transport->conf;

	d->failed_cohorts += 1.0 / (double)d->window;
	/* A little less than the sum asks for: n times 1/n may fall short of 1. */
	if (conf->failed_cohort_limit > 0 &&
	    d->failed_cohorts >= (double)conf->failed_cohort_limit - 1e-9) {
		sched_destination_kill(d, reason);
		return;
	}
	d->failure -= feedback(&conf->negative, d->window);
	while (d->failure < 0) {
		d->window--;
		d->failure += 1;
		d->success = 0;
	}
	if (d->window < 1)
		d->window = 1;
}

void sched_destination_feedback(struct sched_destination *d, bool dead, struct slice reason)
{
	if (d->window == 0)
		return; /* the others of a cohort that killed it */
	if (dead)
		narrow(d, reason);
	else
		widen(d);
}

void sched_destination_kill(struct sched_destination *d, struct slice reason)
{
	struct sched *s = d->transport->sched;

	free(d->reason);
	d->reason = sched_strdup(reason);
	d->window = 0;
	set_timer(&s->destination_timers, &d->timer, s->now + s->conf.minimal_backoff);
	sched_destination_suspend(d);
}

void sched_destination_revive(struct sched_destination *d)
{
	heap_remove(&d->transport->sched->destination_timers, &d->timer);
	if (d->window == 0) {
		d->window = initial_window(d->transport);
		d->success = d->failure = d->failed_cohorts = 0;
	}
	d->pause_until = 0;
	sched_destination_wake(d);
	sched_destination_release(d);
}

int sched_destination_room(const struct sched_destination *d)
{
	if (d->pause_until > d->transport->sched->now)
		return 0;
	return d->window > d->busy ? d->window - d->busy : 0;
}

/*
 * Only as many peers as there is room for are woken, in their jobs' order; a thousand jobs may wait
 * for one destination. If the first is a large job, some behind it are woken as well, so that
 * they can be found as candidates to pass it.
 */
void sched_destination_wake(struct sched_destination *d)
{
	int room = sched_destination_room(d);
	struct heap_node *node;

	for (int n = 0; n < room && (node = heap_first(&d->waiting)) != NULL; n++) {
		struct sched_peer *p = CONTAINER_OF(node, struct sched_peer, wait);

		if (n == 0 && p->job->todo > (size_t)d->transport->conf.minimum_slots)
			room += LOOK_AHEAD;
		sched_peer_ready(p);
	}
}

/* ---- transports */

void sched_transport_throttle(struct sched_transport *t, struct slice reason)
{
	struct sched *s = t->sched;
	struct slice key;
	size_t cursor = 0;
	void *d;

	if (t->reason == NULL) {
		t->reason = sched_strdup(reason);
		set_timer(&s->transport_timers, &t->timer, s->now + s->conf.transport_retry);
	}
	while (map_next(t->destinations, &cursor, &key, &d)) {
		sched_destination_suspend(d);
		sched_destination_release(d);
	}
}

void sched_transport_revive(struct sched_transport *t)
{
	heap_remove(&t->sched->transport_timers, &t->timer);
	free(t->reason);
	t->reason = NULL;
	t->pause_until = 0;
	sched_transport_touch(t);
}

void sched_timers_run(struct sched *s)
{
	struct heap_node *node;

	while ((node = heap_first(&s->destination_timers)) != NULL && node->key <= s->now)
		sched_destination_revive(CONTAINER_OF(node, struct sched_destination, timer));
	while ((node = heap_first(&s->transport_timers)) != NULL && node->key <= s->now)
		sched_transport_revive(CONTAINER_OF(node, struct sched_transport, timer));
}

static void flush_destinations(struct sched_transport *t)
{
	struct slice key;
	size_t cursor = 0;
	void *value;

	while (map_next(t->destinations, &cursor, &key, &value)) {
		struct sched_destination *d = value;

		if (d->window == 0)
			sched_destination_revive(d);
	}
}

void sched_flush_marks(struct sched *s)
{
	struct slice key;
	size_t cursor = 0;
	void *value;

	while (map_next(s->transports, &cursor, &key, &value)) {
		struct sched_transport *t = value;

		if (t->reason)
			sched_transport_revive(t);
		flush_destinations(t);
	}
}
