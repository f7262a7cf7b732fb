/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/events.h"

#include <stdlib.h>

/* An event that came while another was taken; its reason and transport live in `arena`. */
struct later {
	struct list link;
	struct sched_event event;
};

static void act(struct qmgr *q, const struct sched_action *a)
{
	switch (a->type) {
	case SCHED_LOAD:
		load_start(q, a);
		break;
	case SCHED_DELIVER:
		deliver_start(q, a);
		break;
	case SCHED_SUSPEND:
		deliver_suspend(q, a);
		break;
	case SCHED_SETTLE:
		settle_start(q, a);
		break;
	}
}

static void step(struct qmgr *q, const struct sched_event *event)
{
	size_t count;
	const struct sched_action *actions = sched_step(q->sched, os_now(), event, &count);

	for (size_t i = 0; i < count; i++)
		act(q, &actions[i]);
}

/*
 * Actions only start fibers, or come back here with an event; that one waits until the actions of
 * the first are done, for a step gives up the actions of the one before.
 */
void event_take(struct qmgr *q, const struct sched_event *event)
{
	struct list *l;

	if (q->stepping) {
		struct later *later = calloc(1, sizeof(*later));

		if (later == NULL)
			out_of_memory();
		CHECK(event->count == 0 && event->reason.n == 0 && event->transport.n == 0);
		later->event = *event;
		list_push_back(&q->events, &later->link);
		return;
	}
	q->stepping = true;
	step(q, event);
	while ((l = list_pop_front(&q->events)) != NULL) {
		struct later *later = CONTAINER_OF(l, struct later, link);

		step(q, &later->event);
		free(later);
	}
	q->stepping = false;
	fiber_cond_signal(&q->timer);
}

void event_timer(void *arg)
{
	struct qmgr *q = arg;

	while (!fiber_cancelled()) {
		if (fiber_cond_wait(&q->timer, sched_wake(q->sched), "next try") < 0 &&
		    sched_wake(q->sched) <= os_now())
			event_take(q, &(struct sched_event){.type = SCHED_EV_TIMER});
	}
}

void event_known(struct qmgr *q, const struct queue_entry *entry)
{
	struct message *m = index_add(q->index, &entry->location.id);
	struct sched_event e = {.type = SCHED_EV_ADD, .state = SCHED_INCOMING};
	int64_t to_monotonic = os_now() - os_wall();

	if (m == NULL)
		return;
	message_set_location(m, &entry->location);
	m->item.arrival = m->id_time + to_monotonic;
	if (entry->location.place == QUEUE_IN_DEFERRED) {
		e.state = SCHED_DEFERRED;
		e.until = entry->time + to_monotonic;
	} else if (entry->location.place == QUEUE_IN_HOLD) {
		e.state = SCHED_HELD;
	}
	e.item = &m->item;
	event_take(q, &e);
}

static void log_damages(struct qmgr *q)
{
	struct list *l;

	while ((l = list_pop_front(&q->damages)) != NULL) {
		struct damage *d = CONTAINER_OF(l, struct damage, link);

		LOG(queue_damaged, .name = slice_str(d->name), .size = d->bytes,
		    .reason = slice_str(d->why));
		free(d);
	}
}

void event_found(struct qmgr *q)
{
	struct queue_entry *found;
	size_t count;

	pthread_mutex_lock(&q->found_lock);
	log_damages(q);
	found = q->found;
	count = q->found_count;
	q->found = NULL;
	q->found_count = q->found_size = 0;
	pthread_mutex_unlock(&q->found_lock);
	for (size_t i = 0; i < count; i++)
		event_known(q, &found[i]);
	free(found);
}

void work_begin(struct qmgr *q)
{
	q->under_way++;
}

void work_end(struct qmgr *q)
{
	q->under_way--;
	fiber_cond_broadcast(&q->quiet);
}
