/* SPDX-License-Identifier: ISC */
/*
 * threads - a few worker threads of one table's own, so that what blocks there keeps nobody else
 * waiting. A job may be given up before it has ended; its thread, and its memory, are busy until it
 * does.
 */
#ifndef PROXYMAP_THREADS_H
#define PROXYMAP_THREADS_H

#include <stdbool.h>
#include <stdint.h>

struct threads;

/* threads_create - in a fiber; at most `max` threads, which start when first needed. */
struct threads *threads_create(unsigned max);
/*
 * threads_run - run(job) on a thread. True: it has ended. False: it has not by the deadline, or the
 * fiber was cancelled; then, when it ends, finish(job) is called in the main thread, outside any
 * fiber's wait.
 */
bool threads_run(struct threads *t, void (*run)(void *job), void (*finish)(void *job), void *job,
		 int64_t deadline);

#endif
