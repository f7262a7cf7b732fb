/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"

void fiber_offload_start(void)
{
	struct scheduler *s = scheduler_here();

	if (s->workers == NULL)
		s->workers = os_workers_create(s->options.workers, s->wakeup);
	os_workers_start(s->workers);
}

void fiber_offload(void (*fn)(void *arg), void *arg, const char *why)
{
	struct scheduler *s = scheduler_here();
	/* on this stack: the fiber does not go on before the thread has let go of it */
	struct os_job job = {.fn = fn, .arg = arg, .owner = s->running};

	if (s->workers == NULL)
		s->workers = os_workers_create(s->options.workers, s->wakeup);
	os_workers_submit(s->workers, &job);
	fiber_park_deaf(why);
}

void offload_finish(struct scheduler *s)
{
	struct os_job *job, *next;

	os_wakeup_clear(s->wakeup);
	if (s->workers == NULL)
		return;
	for (job = os_workers_done(s->workers); job != NULL; job = next) {
		next = job->next;
		(void)fiber_wake(job->owner, 0);
	}
}

void offload_end(struct scheduler *s)
{
	os_workers_destroy(&s->workers);
}
