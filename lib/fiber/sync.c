/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* wait_in - at the end of a list of waiters. */
static int wait_in(struct list *waiters, int64_t deadline, const char *why)
{
	struct fiber *f = scheduler_here()->running;

	CHECK(f != NULL);
	list_push_back(waiters, &f->waiter);
	return fiber_failed(fiber_park(deadline, why));
}

/* wake_first - the longest waiting, which is returned; NULL when there is none. */
static struct fiber *wake_first(struct list *waiters)
{
	struct fiber *f;

	if (list_empty(waiters))
		return NULL;
	f = CONTAINER_OF(waiters->next, struct fiber, waiter);
	CHECK(fiber_wake(f, 0));
	return f;
}

void fiber_cond_init(struct fiber_cond *c)
{
	list_init(&c->waiters);
}

int fiber_cond_wait(struct fiber_cond *c, int64_t deadline, const char *why)
{
	return wait_in(&c->waiters, deadline, why);
}

void fiber_cond_signal(struct fiber_cond *c)
{
	(void)wake_first(&c->waiters);
}

void fiber_cond_broadcast(struct fiber_cond *c)
{
	while (wake_first(&c->waiters) != NULL)
		;
}

void fiber_mutex_init(struct fiber_mutex *m)
{
	m->owner = NULL;
	list_init(&m->waiters);
}

int fiber_mutex_lock(struct fiber_mutex *m, int64_t deadline, const char *why)
{
	struct fiber *f = scheduler_here()->running;

	CHECK(f != NULL && m->owner != f);
	if (m->owner != NULL)
		return wait_in(&m->waiters, deadline, why);
	if (f->cancelled)
		return fiber_failed(ECANCELED);
	m->owner = f;
	return 0;
}

void fiber_mutex_unlock(struct fiber_mutex *m)
{
	CHECK(m->owner == scheduler_here()->running);
	m->owner = wake_first(&m->waiters);
}

void fiber_sem_init(struct fiber_sem *s, size_t count)
{
	s->count = count;
	list_init(&s->waiters);
}

int fiber_sem_take(struct fiber_sem *s, int64_t deadline, const char *why)
{
	if (s->count == 0)
		return wait_in(&s->waiters, deadline, why);
	if (fiber_cancelled())
		return fiber_failed(ECANCELED);
	s->count--;
	return 0;
}

void fiber_sem_give(struct fiber_sem *s)
{
	if (wake_first(&s->waiters) == NULL)
		s->count++;
}

void fiber_channel_init(struct fiber_channel *c, size_t size)
{
	CHECK(size > 0);
	*c = (struct fiber_channel){.size = size};
	c->slots = calloc(size, sizeof(*c->slots));
	if (c->slots == NULL)
		out_of_memory();
	fiber_cond_init(&c->not_empty);
	fiber_cond_init(&c->not_full);
}

void fiber_channel_free(struct fiber_channel *c)
{
	CHECK(list_empty(&c->not_empty.waiters) && list_empty(&c->not_full.waiters));
	free(c->slots);
	c->slots = NULL;
	c->count = 0;
}

int fiber_channel_put(struct fiber_channel *c, void *item, int64_t deadline, const char *why)
{
	while (!c->closed && c->count == c->size)
		if (fiber_cond_wait(&c->not_full, deadline, why) < 0)
			return -1;
	if (c->closed)
		return fiber_failed(EPIPE);
	c->slots[(c->first + c->count++) % c->size] = item;
	fiber_cond_signal(&c->not_empty);
	return 0;
}

int fiber_channel_get(struct fiber_channel *c, void **item, int64_t deadline, const char *why)
{
	while (!c->closed && c->count == 0)
		if (fiber_cond_wait(&c->not_empty, deadline, why) < 0)
			return -1;
	if (c->count == 0)
		return fiber_failed(EPIPE);
	*item = c->slots[c->first];
	c->first = (c->first + 1) % c->size;
	c->count--;
	fiber_cond_signal(&c->not_full);
	return 0;
}

void fiber_channel_close(struct fiber_channel *c)
{
	c->closed = true;
	fiber_cond_broadcast(&c->not_empty);
	fiber_cond_broadcast(&c->not_full);
}
