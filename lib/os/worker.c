/* SPDX-License-Identifier: ISC */
#include "os/worker.h"
#include "base/check.h"
#include "os/socket.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

/* Enough for a chain of file system calls, and for libraries that take big frames. */
#define WORKER_STACK ((size_t)512 * 1024)

struct job_queue {
	struct os_job *first;
	struct os_job **last;
};

struct os_workers {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job_queue waiting;
	struct job_queue done;
	pthread_t *threads;
	unsigned max;
	unsigned count;
	unsigned idle;
	unsigned backlog; /* jobs in `waiting` */
	int wakeup;
	bool ending;
};

static void job_put(struct job_queue *q, struct os_job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct os_job *job_take(struct job_queue *q)
{
	struct os_job *job = q->first;

	q->first = job->next;
	if (q->first == NULL)
		q->last = &q->first;
	return job;
}

/* next_job - wait for one; NULL when the pool ends. Called with the lock held. */
static struct os_job *next_job(struct os_workers *w)
{
	while (w->waiting.first == NULL && !w->ending) {
		w->idle++;
		pthread_cond_wait(&w->work, &w->lock);
		w->idle--;
	}
	if (w->waiting.first == NULL)
		return NULL;
	w->backlog--;
	return job_take(&w->waiting);
}

static void *worker_main(void *arg)
{
	struct os_workers *w = arg;
	struct os_job *job;

	pthread_mutex_lock(&w->lock);
	while ((job = next_job(w)) != NULL) {
		pthread_mutex_unlock(&w->lock);
		job->fn(job->arg);
		pthread_mutex_lock(&w->lock);
		job_put(&w->done, job);
		os_wakeup_raise(w->wakeup);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* start_thread - one more; signals stay the main thread's business. */
static bool start_thread(struct os_workers *w)
{
	pthread_attr_t attr;
	sigset_t all, saved;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &saved);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, WORKER_STACK);
	rc = pthread_create(&w->threads[w->count], &attr, worker_main, w);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &saved, NULL);
	if (rc == 0)
		w->count++;
	return rc == 0;
}

struct os_workers *os_workers_create(unsigned max, int wakeup)
{
	struct os_workers *w = calloc(1, sizeof(*w));

	if (w == NULL)
		out_of_memory();
	w->threads = calloc(max, sizeof(*w->threads));
	if (w->threads == NULL)
		out_of_memory();
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	w->waiting.last = &w->waiting.first;
	w->done.last = &w->done.first;
	w->max = max;
	w->wakeup = wakeup;
	return w;
}

void os_workers_destroy(struct os_workers **workers)
{
	struct os_workers *w = *workers;

	if (w == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_broadcast(&w->work);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->count; i++)
		pthread_join(w->threads[i], NULL);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	free(w->threads);
	free(w);
	*workers = NULL;
}

void os_workers_start(struct os_workers *w)
{
	while (w->count < w->max && start_thread(w))
		;
}

void os_workers_submit(struct os_workers *w, struct os_job *job)
{
	pthread_mutex_lock(&w->lock);
	if (w->idle <= w->backlog && w->count < w->max)
		(void)start_thread(w);
	if (w->count > 0) {
		w->backlog++;
		job_put(&w->waiting, job);
		pthread_cond_signal(&w->work);
	}
	pthread_mutex_unlock(&w->lock);
	if (w->count == 0) {
		job->fn(job->arg);
		job_put(&w->done, job);
		os_wakeup_raise(w->wakeup);
	}
}

struct os_job *os_workers_done(struct os_workers *w)
{
	struct os_job *list;

	pthread_mutex_lock(&w->lock);
	list = w->done.first;
	w->done.first = NULL;
	w->done.last = &w->done.first;
	pthread_mutex_unlock(&w->lock);
	return list;
}
