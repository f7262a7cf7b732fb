/* SPDX-License-Identifier: ISC */
/* sim_worker - work for threads, without threads: done at once or later, reported later still. */
#include "os/worker.h"
#include "base/check.h"
#include "os/sim_world.h"

#include <stdlib.h>

#define LATENCY_MAX (5 * OS_MILLISECOND)

struct os_workers {
	struct os_job *done;
	int wakeup;
	size_t under_way;
};

struct sim_work {
	struct sim_timer timer;
	struct os_workers *workers;
	struct os_job *job;
	bool ran;
};

static void finish(void *arg)
{
	struct sim_work *work = arg;
	struct os_workers *w = work->workers;

	if (!work->ran)
		work->job->fn(work->job->arg);
	work->job->next = w->done;
	w->done = work->job;
	w->under_way--;
	os_wakeup_raise(w->wakeup);
	free(work);
}

struct os_workers *os_workers_create(unsigned max, int wakeup)
{
	struct os_workers *w = calloc(1, sizeof(*w));

	(void)max;
	if (w == NULL)
		out_of_memory();
	w->wakeup = wakeup;
	return w;
}

void os_workers_destroy(struct os_workers **workers)
{
	if (*workers != NULL)
		CHECK((*workers)->under_way == 0);
	free(*workers);
	*workers = NULL;
}

void os_workers_start(struct os_workers *workers)
{
	(void)workers;
}

void os_workers_submit(struct os_workers *w, struct os_job *job)
{
	struct sim_work *work = calloc(1, sizeof(*work));

	if (work == NULL)
		out_of_memory();
	work->workers = w;
	work->job = job;
	work->ran = sim_random(2) == 0;
	if (work->ran)
		job->fn(job->arg);
	w->under_way++;
	sim_at(&work->timer, os_now() + (int64_t)sim_random((uint64_t)LATENCY_MAX), finish, work);
}

struct os_job *os_workers_done(struct os_workers *w)
{
	struct os_job *list = w->done;

	w->done = NULL;
	return list;
}
