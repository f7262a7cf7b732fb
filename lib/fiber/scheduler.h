/* SPDX-License-Identifier: ISC */
/*
 * scheduler - what the files of lib/fiber share; nobody else includes it.
 *
 * A fiber is READY (in the run queue), RUNNING, WAITING (perhaps in a timer heap and in one list of
 * waiters), or ENDED. fiber_park makes the running one WAITING; fiber_wake makes a waiting one
 * READY with a result, once: whoever comes second finds it READY and does nothing. So a waker may hand
 * something over (a mutex, a unit of a semaphore) exactly when fiber_wake returns true.
 */
#ifndef FIBER_SCHEDULER_H
#define FIBER_SCHEDULER_H

#include "base/heap.h"
#include "fiber/context.h"
#include "fiber/fiber.h"
#include "os/worker.h"

enum fiber_phase {
	FIBER_READY,
	FIBER_RUNNING,
	FIBER_WAITING,
	FIBER_ENDED
};

/* Lies at the top of its own stack, so that an idle session touches no page more. */
struct fiber {
	struct fiber_context context;
	struct list all;    /* scheduler.all */
	struct list run;    /* scheduler.ready */
	struct list waiter; /* of a condition, mutex, semaphore, or of this fiber's end */
	struct list parked; /* scheduler.parked while its stack was not trimmed */
	struct heap_node timer;
	struct list joiners;
	void (*fn)(void *arg);
	void *arg;
	char *stack;
	uint64_t id;
	const char *name;
	const char *state;
	const char *why;
	int64_t since;
	int64_t born;
	void *asan_fake_stack;
	unsigned valgrind_stack;
	enum fiber_phase phase;
	int wake_error; /* what the wait that just ended returns: 0 or an errno value */
	int budget;     /* calls left in this slice */
	bool cancelled;
	bool joinable;
	bool deaf; /* this wait does not hear fiber_cancel */
	char peer[64];
};

/* A stack without a fiber; lies where the fiber would. */
struct spare_stack {
	struct list link; /* scheduler.warm or scheduler.cold */
	char *stack;
	int64_t since;
};

/* Buffers of streams that nobody uses just now, all of one size. */
struct spare_chunk {
	struct spare_chunk *next;
};

struct spare_chunks {
	struct spare_chunk *first;
	size_t count;
};

struct scheduler {
	struct fibers_options options;
	struct fiber_context context; /* of the loop itself */
	struct list all;
	struct list ready;
	struct list parked; /* longest waiting first */
	struct list zombies; /* ended, to be joined */
	size_t ready_count;
	struct heap timers;
	struct fiber *running;
	struct fiber *main;
	struct list warm; /* spare stacks with their pages, last used first */
	struct list cold; /* those without, but for the top one */
	struct spare_chunks small_chunks, large_chunks;
	int64_t now; /* monotonic, of the last look at the clock between two slices */
	struct fibers_stats stats;
	uint64_t order; /* state of the seeded choice of the next fiber; 0: first in, first out */
	int poller;
	int wakeup;
	struct fiber_fd wakeup_fd;
	struct os_workers *workers;
	bool draining;
	void *asan_fake_stack;
	const void *thread_stack;
	size_t thread_stack_size;
};

/* scheduler_here - of this thread; a broken invariant outside fibers_run. */
struct scheduler *scheduler_here(void);

/* fiber_park - wait; 0 or an errno value: what fiber_wake was given, ETIMEDOUT, ECANCELED. */
int fiber_park(int64_t deadline, const char *why);
/* fiber_park_deaf - the same, not to be cancelled, with no deadline. */
void fiber_park_deaf(const char *why);
/* fiber_wake - true when it was waiting, and wakes by this. */
bool fiber_wake(struct fiber *f, int error);
/* fiber_failed - set errno and return -1 for an errno value, 0 for 0. */
int fiber_failed(int error);

/* scheduler_make_ready - into the run queue. */
void scheduler_make_ready(struct scheduler *s, struct fiber *f);
/* fiber_dispatch - an event of the poller. */
void fiber_dispatch(struct scheduler *s, const struct os_event *event);
/* offload_finish - wake those whose work is done; offload_end - end the threads. */
void offload_finish(struct scheduler *s);
void offload_end(struct scheduler *s);

/*
 * stack_take, stack_give - a fiber's memory, from the pool or mapped; stack_drop_pool - unmap them.
 * stack_cool - what nobody used since then gives its pages back; stack_idle_since - the longest of
 * those that still have theirs, OS_NEVER: none.
 */
struct fiber *stack_take(struct scheduler *s);
void stack_give(struct scheduler *s, struct fiber *f);
void stack_drop_pool(struct scheduler *s);
void stack_cool(struct scheduler *s, int64_t since);
int64_t stack_idle_since(const struct scheduler *s);
/* chunk_drop_all - the spare buffers are freed. */
void chunk_drop_all(struct scheduler *s);
/* stack_limit - usable bytes below the fiber's own struct. */
size_t stack_limit(const struct scheduler *s);

/* Hooks for AddressSanitizer and valgrind; nothing in an ordinary build. */
void hook_leave(void **fake_stack, const void *stack, size_t size);
void hook_enter(void *fake_stack, const void **stack, size_t *size);
void hook_stack_new(struct fiber *f, size_t size);
void hook_stack_gone(struct fiber *f, size_t size);

#endif
