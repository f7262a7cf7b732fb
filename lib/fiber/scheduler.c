/* SPDX-License-Identifier: ISC */
#include "fiber/scheduler.h"
#include "base/check.h"
#include "os/stack.h"

#include <errno.h>

#define DEFAULT_STACK ((size_t)192 * 1024)
#define DEFAULT_WORKERS 4
#define DEFAULT_SLICE_WARN (20 * OS_MILLISECOND)
/* Calls that a fiber may make before others get their turn. */
#define SLICE_BUDGET 64
/* A fiber that waited so long gives the untouched part of its stack back. */
#define TRIM_AFTER OS_SECOND
/* Left alone below the stack pointer when trimming: the psABI's red zone, and then some. */
#define TRIM_MARGIN 512
#define EVENT_BATCH 256

/* The one global of lib/fiber: which scheduler this thread runs. */
static _Thread_local struct scheduler *here;

struct scheduler *scheduler_here(void)
{
	CHECK(here != NULL);
	return here;
}

struct fiber *fiber_self(void)
{
	return here != NULL ? here->running : NULL;
}

int fiber_failed(int error)
{
	if (error == 0)
		return 0;
	errno = error;
	return -1;
}

void scheduler_make_ready(struct scheduler *s, struct fiber *f)
{
	f->phase = FIBER_READY;
	list_push_back(&s->ready, &f->run);
	s->ready_count++;
}

bool fiber_wake(struct fiber *f, int error)
{
	struct scheduler *s = scheduler_here();

	if (f->phase != FIBER_WAITING)
		return false;
	heap_remove(&s->timers, &f->timer);
	list_remove(&f->waiter);
	list_remove(&f->parked);
	f->wake_error = error;
	scheduler_make_ready(s, f);
	return true;
}

/* leave - from the running fiber back to the loop. */
static void leave(struct scheduler *s, struct fiber *f)
{
	bool ended = f->phase == FIBER_ENDED;

	hook_leave(ended ? NULL : &f->asan_fake_stack, s->thread_stack, s->thread_stack_size);
	fiber_context_switch(&f->context, &s->context);
	hook_enter(f->asan_fake_stack, NULL, NULL);
}

static int park(int64_t deadline, const char *why, bool deaf)
{
	struct scheduler *s = scheduler_here();
	struct fiber *f = s->running;
	int error = 0;

	CHECK(f != NULL);
	f->since = os_now();
	if (f->cancelled && !deaf)
		error = ECANCELED;
	else if (deadline <= f->since)
		error = ETIMEDOUT;
	if (error != 0) {
		list_remove(&f->waiter);
		return error;
	}
	f->why = why;
	f->deaf = deaf;
	f->phase = FIBER_WAITING;
	if (deadline != OS_NEVER) {
		f->timer.key = deadline;
		heap_insert(&s->timers, &f->timer);
	}
	list_push_back(&s->parked, &f->parked);
	leave(s, f);
	return f->wake_error;
}

int fiber_park(int64_t deadline, const char *why)
{
	return park(deadline, why, false);
}

void fiber_park_deaf(const char *why)
{
	(void)park(OS_NEVER, why, true);
}

void fiber_yield(void)
{
	struct scheduler *s = scheduler_here();
	struct fiber *f = s->running;

	CHECK(f != NULL);
	f->since = os_now();
	f->why = "ready";
	scheduler_make_ready(s, f);
	leave(s, f);
}

void fiber_spend(void)
{
	struct fiber *f = scheduler_here()->running;

	CHECK(f != NULL);
	if (--f->budget <= 0)
		fiber_yield();
}

/* fiber_main - the bottom of every fiber's stack. */
static void fiber_main(void)
{
	struct scheduler *s = here;
	struct fiber *f = s->running;

	hook_enter(NULL, &s->thread_stack, &s->thread_stack_size);
	f->fn(f->arg);
	f->phase = FIBER_ENDED;
	leave(s, f);
	CHECK(!"an ended fiber runs again");
}

static struct fiber *spawn(struct scheduler *s, const char *name, void (*fn)(void *arg), void *arg)
{
	struct fiber *f = stack_take(s);

	if (f == NULL)
		return NULL;
	f->fn = fn;
	f->arg = arg;
	f->name = name;
	f->state = "";
	f->why = "ready";
	f->id = ++s->stats.spawned;
	f->born = f->since = os_now();
	f->cancelled = s->draining;
	list_init(&f->waiter);
	list_init(&f->parked);
	list_init(&f->joiners);
	list_push_back(&s->all, &f->all);
	s->stats.alive++;
	fiber_context_make(&f->context, f->stack, stack_limit(s), fiber_main);
	scheduler_make_ready(s, f);
	return f;
}

struct fiber *fiber_spawn(const char *name, void (*fn)(void *arg), void *arg)
{
	return spawn(scheduler_here(), name, fn, arg);
}

struct fiber *fiber_spawn_joinable(const char *name, void (*fn)(void *arg), void *arg)
{
	struct fiber *f = spawn(scheduler_here(), name, fn, arg);

	if (f != NULL)
		f->joinable = true;
	return f;
}

int fiber_join(struct fiber *f, int64_t deadline, const char *why)
{
	struct scheduler *s = scheduler_here();
	int error = 0;

	CHECK(f->joinable && f != s->running);
	if (f->phase != FIBER_ENDED) {
		list_push_back(&f->joiners, &s->running->waiter);
		error = fiber_park(deadline, why);
	}
	if (error == 0) {
		list_remove(&f->all);
		stack_give(s, f);
	}
	return fiber_failed(error);
}

/* cancel_all - the main fiber has ended: so must the others. */
static void cancel_all(struct scheduler *s)
{
	s->draining = true;
	LIST_FOREACH(node, &s->all)
		fiber_cancel(CONTAINER_OF(node, struct fiber, all));
}

static void bury(struct scheduler *s, struct fiber *f)
{
	struct list *node;

	s->stats.alive--;
	list_remove(&f->all);
	while ((node = list_pop_front(&f->joiners)) != NULL)
		(void)fiber_wake(CONTAINER_OF(node, struct fiber, waiter), 0);
	if (f == s->main) {
		s->main = NULL;
		cancel_all(s);
	}
	if (f->joinable)
		list_push_back(&s->zombies, &f->all);
	else
		stack_give(s, f);
}

/* next_ready - in order of arrival, or, in simulated runs, any. */
static struct fiber *next_ready(struct scheduler *s)
{
	struct list *node = s->ready.next;

	if (s->order != 0) {
		s->order ^= s->order << 13;
		s->order ^= s->order >> 7;
		s->order ^= s->order << 17;
		for (uint64_t skip = s->order % s->ready_count % 64; skip > 0; skip--)
			node = node->next;
	}
	list_remove(node);
	s->ready_count--;
	return CONTAINER_OF(node, struct fiber, run);
}

static void run_slice(struct scheduler *s, struct fiber *f)
{
	const char *last_wait = f->why;
	int64_t began = s->now;

	f->phase = FIBER_RUNNING;
	f->budget = SLICE_BUDGET;
	f->why = "running";
	f->since = began;
	s->running = f;
	hook_leave(&s->asan_fake_stack, f->stack, stack_limit(s));
	fiber_context_switch(&s->context, &f->context);
	hook_enter(s->asan_fake_stack, NULL, NULL);
	s->running = NULL;
	s->stats.slices++;
	s->now = os_now();
	if (s->now - began > s->options.slice_warn) {
		s->stats.slow_slices++;
		if (s->options.slow_slice != NULL)
			s->options.slow_slice(f->name, last_wait, s->now - began,
					      s->options.slow_slice_arg);
	}
	if (f->phase == FIBER_ENDED)
		bury(s, f);
}

static struct fiber *longest_parked(const struct scheduler *s)
{
	return list_empty(&s->parked) ? NULL : CONTAINER_OF(s->parked.next, struct fiber, parked);
}

/* trim_stacks - pages below what a long wait needs, and those of spare ones, go back to the system. */
static void trim_stacks(struct scheduler *s, int64_t now)
{
	struct fiber *f;

	while ((f = longest_parked(s)) != NULL && f->since + TRIM_AFTER <= now) {
		char *sp = fiber_context_sp(&f->context);

		list_remove(&f->parked);
		if (sp != NULL)
			os_stack_drop(f->stack, sp - TRIM_MARGIN);
	}
	stack_cool(s, now - TRIM_AFTER);
}

static void fire_timers(struct scheduler *s, int64_t now)
{
	struct heap_node *node;

	while ((node = heap_first(&s->timers)) != NULL && node->key <= now)
		(void)fiber_wake(CONTAINER_OF(node, struct fiber, timer), ETIMEDOUT);
}

/* poll_deadline - how long the loop may sleep. */
static int64_t poll_deadline(const struct scheduler *s)
{
	const struct heap_node *timer = heap_first(&s->timers);
	const struct fiber *parked = longest_parked(s);
	int64_t until = timer != NULL ? timer->key : OS_NEVER;
	int64_t idle = stack_idle_since(s);

	if (s->ready_count > 0)
		return 0;
	if (parked != NULL && parked->since < idle)
		idle = parked->since;
	/* in virtual time nothing is saved by trimming, and its wake-ups would hide a deadlock */
	if (s->order == 0 && idle < until - TRIM_AFTER)
		until = idle + TRIM_AFTER;
	return until;
}

static void poll(struct scheduler *s)
{
	struct os_event events[EVENT_BATCH];
	int n = os_poll_wait(s->poller, events, EVENT_BATCH, poll_deadline(s));

	CHECK(n >= 0);
	for (int i = 0; i < n; i++)
		fiber_dispatch(s, &events[i]);
	s->now = os_now();
	fire_timers(s, s->now);
	if (s->order == 0)
		trim_stacks(s, s->now);
}

/* loop - rounds of: all that are ready now, one slice each; then what has happened meanwhile. */
static void loop(struct scheduler *s)
{
	s->now = os_now();
	while (s->stats.alive > 0) {
		for (size_t n = s->ready_count; n > 0; n--)
			run_slice(s, next_ready(s));
		if (s->stats.alive > 0)
			poll(s);
	}
}

static void set_options(struct scheduler *s, const struct fibers_options *options)
{
	size_t page = os_page_size();

	if (options != NULL)
		s->options = *options;
	if (s->options.stack_size == 0)
		s->options.stack_size = DEFAULT_STACK;
	s->options.stack_size = (s->options.stack_size + page - 1) / page * page;
	if (s->options.workers == 0)
		s->options.workers = DEFAULT_WORKERS;
	if (s->options.slice_warn == 0)
		s->options.slice_warn = DEFAULT_SLICE_WARN;
}

static int open_poller(struct scheduler *s)
{
	s->poller = os_poll_create();
	if (s->poller < 0)
		return -1;
	s->wakeup = os_wakeup_create();
	if (s->wakeup < 0) {
		os_socket_close(s->poller);
		return -1;
	}
	fiber_fd_init(&s->wakeup_fd, s->wakeup);
	return os_poll_add(s->poller, s->wakeup, OS_READABLE, &s->wakeup_fd);
}

static void close_all(struct scheduler *s)
{
	struct list *node;

	offload_end(s);
	while ((node = list_pop_front(&s->zombies)) != NULL)
		stack_give(s, CONTAINER_OF(node, struct fiber, all));
	stack_drop_pool(s);
	chunk_drop_all(s);
	heap_free(&s->timers);
	os_socket_close(s->wakeup);
	os_socket_close(s->poller);
}

int fibers_run(const struct fibers_options *options, void (*fn)(void *arg), void *arg)
{
	struct scheduler s = {.order = os_schedule_seed()};
	int saved = 0;

	CHECK(here == NULL);
	list_init(&s.all);
	list_init(&s.ready);
	list_init(&s.parked);
	list_init(&s.warm);
	list_init(&s.cold);
	list_init(&s.zombies);
	heap_init(&s.timers);
	set_options(&s, options);
	if (open_poller(&s) < 0)
		return -1;
	here = &s;
	s.main = spawn(&s, "main", fn, arg);
	if (s.main == NULL)
		saved = errno;
	loop(&s);
	close_all(&s);
	here = NULL;
	return fiber_failed(saved);
}

void fibers_stop(void)
{
	struct scheduler *s = scheduler_here();

	if (s->main != NULL)
		fiber_cancel(s->main);
}

void fibers_get_stats(struct fibers_stats *stats)
{
	*stats = scheduler_here()->stats;
}
