/* SPDX-License-Identifier: ISC */
#include "blocking/proxymap/threads.h"

#include "base/check.h"
#include "fiber/fiber.h"
#include "os/worker.h"

#include <stdlib.h>

struct threads {
	struct os_workers *workers;
	struct fiber_fd wakeup;
};

struct work {
	struct os_job job; /* job.owner: this */
	void (*finish)(void *job);
	bool done;
	bool given_up;
	struct fiber_cond ended;
};

static void finish_work(struct work *w)
{
	w->done = true;
	if (!w->given_up) {
		fiber_cond_signal(&w->ended);
		return;
	}
	w->finish(w->job.arg);
	free(w);
}

static void take_results(void *arg)
{
	struct threads *t = arg;

	for (;;) {
		struct os_job *job, *next;

		fiber_fd_blocked(&t->wakeup, OS_READABLE);
		os_wakeup_clear(t->wakeup.fd);
		for (job = os_workers_done(t->workers); job != NULL; job = next) {
			next = job->next;
			finish_work(job->owner);
		}
		if (fiber_wait_fd(&t->wakeup, OS_READABLE, OS_NEVER, "results of threads") < 0)
			return;
	}
}

struct threads *threads_create(unsigned max)
{
	struct threads *t = calloc(1, sizeof(*t));
	int wakeup = os_wakeup_create();

	if (t == NULL)
		out_of_memory();
	CHECK(wakeup >= 0);
	fiber_fd_init(&t->wakeup, wakeup);
	t->workers = os_workers_create(max, wakeup);
	if (fiber_spawn("thread-results", take_results, t) == NULL)
		out_of_memory();
	return t;
}

bool threads_run(struct threads *t, void (*run)(void *job), void (*finish)(void *job), void *job,
		 int64_t deadline)
{
	struct work *w = calloc(1, sizeof(*w));
	bool done;

	if (w == NULL)
		out_of_memory();
	w->job = (struct os_job){.fn = run, .arg = job, .owner = w};
	w->finish = finish;
	fiber_cond_init(&w->ended);
	os_workers_submit(t->workers, &w->job);
	while (!w->done)
		if (fiber_cond_wait(&w->ended, deadline, "a thread") < 0 && !w->done)
			break;
	done = w->done;
	if (done)
		free(w);
	else
		w->given_up = true;
	return done;
}
