/* SPDX-License-Identifier: ISC */
/*
 * os/worker - threads that run what would block. Two implementations, chosen at link time: threads
 * (worker.c), and, in simulated runs, the caller itself, with a result that comes later in virtual
 * time (sim_worker.c).
 */
#ifndef OS_WORKER_H
#define OS_WORKER_H

struct os_workers;

/* A piece of work; the submitter's memory until os_workers_done has returned it. */
struct os_job {
	void (*fn)(void *arg);
	void *arg;
	void *owner; /* the submitter's */
	struct os_job *next;
};

/* os_workers_create - at most `max` threads, started when needed; os_wakeup_raise(wakeup) on results. */
struct os_workers *os_workers_create(unsigned max, int wakeup);
/* os_workers_destroy - waits for the threads; nothing may be under way. Sets *workers to NULL. */
void os_workers_destroy(struct os_workers **workers);
/* os_workers_start - all threads now. */
void os_workers_start(struct os_workers *workers);
/* os_workers_submit - in order; where no thread can be had at all, the caller runs it. */
void os_workers_submit(struct os_workers *workers, struct os_job *job);
/* os_workers_done - finished jobs as a list, or NULL. */
struct os_job *os_workers_done(struct os_workers *workers);

#endif
