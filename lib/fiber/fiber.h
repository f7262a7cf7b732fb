/* SPDX-License-Identifier: ISC */
/*
 * fiber - stackful coroutines: code that reads as if it blocked, thousands of sessions in one
 * thread. One scheduler a thread, over the poller of lib/os; linked with the simulated lib/os, the
 * same code runs in virtual time and seeded order.
 *
 * Every wait takes a deadline (monotonic microseconds, OS_NEVER for none) and `why`: a short
 * constant text that status listings show. A wait returns 0 when what it waited for has come, or -1
 * with errno ETIMEDOUT (deadline passed) or ECANCELED (fiber_cancel). A deadline that has passed
 * still takes what is there without waiting.
 *
 * Nothing here may be called from another thread, nor outside fibers_run, unless it says so.
 */
#ifndef FIBER_FIBER_H
#define FIBER_FIBER_H

#include "base/list.h"
#include "base/slice.h"
#include "os/clock.h"
#include "os/socket.h"

#include <signal.h>

struct fiber;

/* ---- the scheduler */

struct fibers_options {
	size_t stack_size;  /* virtual bytes a fiber; 0: 192 kB. Only touched pages cost memory */
	unsigned workers;   /* threads for fiber_offload; 0: 4. They start when first needed */
	int64_t slice_warn; /* a longer run without a wait is counted and reported; 0: 20 ms */
	/* slow_slice - told of such a run, in the scheduler; must not wait. May be NULL. */
	void (*slow_slice)(const char *name, const char *last_wait, int64_t duration, void *arg);
	void *slow_slice_arg;
};

/*
 * fibers_run - run fn(arg) as the first fiber ("main"); returns when it has ended and, after it, all
 * other fibers, which are cancelled then. options may be NULL. -1 and errno when the poller or
 * the first stack cannot be had.
 */
int fibers_run(const struct fibers_options *options, void (*fn)(void *arg), void *arg);
/* fibers_stop - cancel the main fiber. */
void fibers_stop(void);

struct fibers_stats {
	size_t alive;         /* fibers that have not ended */
	size_t stacks_pooled; /* mapped and waiting for a fiber */
	uint64_t spawned;
	uint64_t slices;
	uint64_t slow_slices;
};

void fibers_get_stats(struct fibers_stats *stats);

/* ---- fibers */

/*
 * fiber_spawn - make a fiber that runs fn(arg), after the caller's next wait. `name` is not copied.
 * The handle is good until the fiber ends. NULL and errno (ENOMEM) when no stack can be had.
 */
struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg);
/* fiber_spawn_joinable - the handle is good until fiber_join has returned 0, which is a must. */
struct fiber *fiber_spawn_joinable(const char *name, void (*fn)(void *arg), void *arg);
/* fiber_join - wait for the end; after -1 it may be, and must be, tried again. */
int fiber_join(struct fiber *f, int64_t deadline, const char *why);

/* fiber_self - the running fiber; NULL outside. */
struct fiber *fiber_self(void);
/* fiber_id - never used again in this process; fiber_find gives NULL when that fiber has ended. */
uint64_t fiber_id(const struct fiber *f);
struct fiber *fiber_find(uint64_t id);

/*
 * fiber_cancel - the present wait, or the next, returns -1 ECANCELED, and so does every later one
 * until the fiber calls fiber_uncancel (to say goodbye with a short deadline). Offloaded work is
 * awaited even so. Cancelling an already cancelled fiber does nothing.
 */
void fiber_cancel(struct fiber *f);
void fiber_uncancel(void);
bool fiber_cancelled(void);

/* fiber_yield - let the others run; not a wait: no cancellation. */
void fiber_yield(void);
/* fiber_sleep - until the deadline: 0 then, -1 ECANCELED before. */
int fiber_sleep(int64_t deadline, const char *why);

/* What listings show besides `why`. The peer's text is copied (63 bytes), the state must be constant. */
void fiber_set_peer(struct slice peer);
void fiber_set_state(const char *state);

struct fiber_info {
	uint64_t id;
	const char *name;
	const char *peer;  /* "" when never set */
	const char *state; /* "" when never set */
	const char *why;   /* what it waits for; "running", "ready" */
	int64_t since;     /* monotonic: when that wait began */
	int64_t born;
	bool cancelled;
};

/* fiber_foreach - oldest first; fn must not wait. fn returning false ends the walk. */
void fiber_foreach(bool (*fn)(const struct fiber_info *info, void *arg), void *arg);

/* fiber_stack_used - bytes of its stack that a fiber has ever touched, to the page: for tests. */
size_t fiber_stack_used(const struct fiber *f);

/* ---- descriptors */

/*
 * A descriptor that fibers wait on, registered once with the poller, at its first wait; readiness is kept
 * here, so that a read or write that would not block costs no more than itself. At most one
 * fiber waits for reading and one for writing. Initialise, and close before the memory goes.
 */
struct fiber_fd {
	int fd;
	uint32_t ready; /* OS_READABLE, OS_WRITABLE: not known to block */
	bool registered;
	bool listener;
	bool stream; /* a short read or write means that the next would block: set by lib/fiber/stream, lib/ipc */
	bool hangup; /* the poller told of the end: it will not again */
	bool more;   /* what is sent now may wait for what follows at once, or for the end, to go with it */
	struct fiber *reader;
	struct fiber *writer;
};

/* fiber_fd_init - fd is non-blocking, and from now on closed by fiber_fd_close. */
void fiber_fd_init(struct fiber_fd *f, int fd);
/* fiber_fd_init_listener - one that other processes accept from too: only one of them is woken. */
void fiber_fd_init_listener(struct fiber_fd *f, int fd);
/* fiber_fd_close - nobody may wait on it any more; f->fd becomes -1; again: no effect. */
void fiber_fd_close(struct fiber_fd *f);
/* fiber_fd_release - as close, but the descriptor stays open and is returned. */
int fiber_fd_release(struct fiber_fd *f);
/*
 * fiber_wait_fd - until one of `events` (OS_READABLE or OS_WRITABLE or both) is ready. The readiness
 * stays until fiber_fd_blocked says that a call has met EAGAIN. (With a library that
 * reads by itself: fiber_fd_blocked first, then let it read to the end, then wait.)
 */
int fiber_wait_fd(struct fiber_fd *f, uint32_t events, int64_t deadline, const char *why);
void fiber_fd_blocked(struct fiber_fd *f, uint32_t events);

/*
 * System calls of lib/os that wait instead of EAGAIN: same results, and -1 ETIMEDOUT, ECANCELED.
 * They count against the fiber's budget, so that a busy peer cannot keep the others waiting. Each also
 * checks for cancellation and, when it has to wait, for the deadline.
 */
ssize_t fiber_recv(struct fiber_fd *f, void *buf, size_t n, int64_t deadline, const char *why);
/* fiber_send, fiber_sendv - some bytes; see fiber_send_full for all of them. */
ssize_t fiber_send(struct fiber_fd *f, const void *buf, size_t n, int64_t deadline, const char *why);
ssize_t fiber_sendv(struct fiber_fd *f, const struct iovec *iov, int count, int64_t deadline,
		    const char *why);
/* fiber_send_full - 0 when all went out. iov is changed. `pass` (or -1) goes with the first byte. */
int fiber_send_full(struct fiber_fd *f, struct iovec *iov, int count, int pass, int64_t deadline,
		    const char *why);
/*
 * fiber_try_recv, fiber_try_send - without any wait: -1 EAGAIN, at no cost when that is known already.
 * For libraries that do their own waiting above: then fiber_wait_fd.
 */
ssize_t fiber_try_recv(struct fiber_fd *f, void *buf, size_t n);
ssize_t fiber_try_send(struct fiber_fd *f, const void *buf, size_t n);
/* fiber_spend - one call done; yields when the slice's budget is used up. For calls not made by the above. */
void fiber_spend(void);
ssize_t fiber_recv_fd(struct fiber_fd *f, void *buf, size_t n, int *got, int64_t deadline,
		      const char *why);
ssize_t fiber_sendfile(struct fiber_fd *f, int file, off_t *offset, size_t n, int64_t deadline,
		       const char *why);
/* fiber_accept - the new descriptor. Connections that died in the backlog are skipped. */
int fiber_accept(struct fiber_fd *f, struct os_addr *peer, int64_t deadline, const char *why);
/* fiber_connect - a connected stream socket; `from` (may be NULL) is bound first. */
int fiber_connect(const struct os_addr *to, const struct os_addr *from, int64_t deadline,
		  const char *why);

/* ---- waiting for each other; all FIFO */

/* A condition: test, wait, test again. Nothing runs in between, so no lock goes with it. */
struct fiber_cond {
	struct list waiters;
};

void fiber_cond_init(struct fiber_cond *c);
int fiber_cond_wait(struct fiber_cond *c, int64_t deadline, const char *why);
/* fiber_cond_signal - wake the longest waiting, if any. */
void fiber_cond_signal(struct fiber_cond *c);
void fiber_cond_broadcast(struct fiber_cond *c);

/* A mutex, for sections that wait; handed on to the longest waiting. */
struct fiber_mutex {
	struct fiber *owner;
	struct list waiters;
};

void fiber_mutex_init(struct fiber_mutex *m);
int fiber_mutex_lock(struct fiber_mutex *m, int64_t deadline, const char *why);
void fiber_mutex_unlock(struct fiber_mutex *m);

/* A counting semaphore. */
struct fiber_sem {
	size_t count;
	struct list waiters;
};

void fiber_sem_init(struct fiber_sem *s, size_t count);
int fiber_sem_take(struct fiber_sem *s, int64_t deadline, const char *why);
void fiber_sem_give(struct fiber_sem *s);

/* A bounded queue of pointers. After close, put fails with EPIPE and get with EPIPE once empty. */
struct fiber_channel {
	void **slots;
	size_t size;
	size_t first;
	size_t count;
	bool closed;
	struct fiber_cond not_empty;
	struct fiber_cond not_full;
};

void fiber_channel_init(struct fiber_channel *c, size_t size);
/* fiber_channel_free - nobody may wait on it; what is still in it is the caller's to know. */
void fiber_channel_free(struct fiber_channel *c);
int fiber_channel_put(struct fiber_channel *c, void *item, int64_t deadline, const char *why);
int fiber_channel_get(struct fiber_channel *c, void **item, int64_t deadline, const char *why);
void fiber_channel_close(struct fiber_channel *c);

/* ---- threads and signals */

/*
 * fiber_offload - run fn(arg), which may block but must call nothing of this header, on a worker
 * thread; returns when it is done, cancelled or not. fn passes its result, and errno, through arg.
 */
void fiber_offload(void (*fn)(void *arg), void *arg, const char *why);
/* fiber_offload_start - start all worker threads now: before a sandbox that forbids it. */
void fiber_offload_start(void);

/*
 * Signals as events. fiber_signals_open blocks the set's ordinary delivery in this thread (and in
 * threads started later). One fiber waits; fiber_signal_wait returns the signal's number, or -1.
 */
struct fiber_signals {
	struct fiber_fd fd;
};

int fiber_signals_open(struct fiber_signals *s, const sigset_t *set);
void fiber_signals_close(struct fiber_signals *s);
int fiber_signal_wait(struct fiber_signals *s, int64_t deadline, const char *why);

#endif
