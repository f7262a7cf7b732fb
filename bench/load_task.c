/* SPDX-License-Identifier: ISC */
/*
 * load_task - tasks: many sessions in one thread, each with a stack of its own, so that their code reads as
 * if it blocked. What a generator costs is taken from the suite under test, and threads cost it twice: to
 * switch between them, and to wake them, which the sender of each reply pays for.
 */
#include "load.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#define STACK (256 * 1024)
#define GUARD 4096
#define NEVER UINT64_MAX

struct task {
	ucontext_t context;
	void (*body)(void *);
	void *arg;
	uint64_t until; /* parked: when it is woken at the latest */
	bool parked, ended;
	bool event;  /* one has come that it has not waited for yet */
	bool hangup; /* none will come any more */
};

static struct {
	struct task *tasks, *current;
	unsigned count, alive;
	int poller;
	ucontext_t loop;
} t;

static void run_body(void)
{
	struct task *self = t.current;

	self->body(self->arg);
	self->ended = true;
	t.alive--;
	swapcontext(&self->context, &t.loop);
}

static void start(struct task *task, void (*body)(void *), void *arg)
{
	char *stack = mmap(NULL, STACK + GUARD, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED || mprotect(stack, GUARD, PROT_NONE) != 0)
		abort();
	getcontext(&task->context);
	task->context.uc_stack.ss_sp = stack + GUARD;
	task->context.uc_stack.ss_size = STACK;
	task->body = body;
	task->arg = arg;
	makecontext(&task->context, run_body, 0);
}

/* park - until an event or the time has come */
static void park(uint64_t until)
{
	struct task *self = t.current;

	self->parked = true;
	self->until = until;
	swapcontext(&self->context, &t.loop);
}

bool task_running(void)
{
	return t.current != NULL;
}

static void control(int fd, int operation, uint32_t events)
{
	struct epoll_event event = {.events = events | EPOLLIN | EPOLLRDHUP | EPOLLET,
				    .data.ptr = t.current};

	if (epoll_ctl(t.poller, operation, fd, &event) != 0)
		abort();
}

void task_watch(int fd)
{
	t.current->event = t.current->hangup = false;
	control(fd, EPOLL_CTL_ADD, 0);
}

bool task_wait(uint64_t until)
{
	struct task *self = t.current;

	if (!self)
		return false;
	if (!self->event && !self->hangup)
		park(until);
	if (!self->event && !self->hangup)
		return false;
	self->event = false;
	return true;
}

bool task_wait_room(int fd, uint64_t until)
{
	bool room;

	if (!t.current)
		return false;
	control(fd, EPOLL_CTL_MOD, EPOLLOUT); /* tells at once what is ready now */
	room = task_wait(until);
	control(fd, EPOLL_CTL_MOD, 0);
	return room;
}

void task_sleep(uint64_t until)
{
	while (now() < until)
		park(until);
}

/* run_ready - each task that need not wait; when the first of the others must be woken */
static uint64_t run_ready(void)
{
	uint64_t first = NEVER;

	for (unsigned i = 0; i < t.count; i++) {
		struct task *task = &t.tasks[i];

		if (!task->ended && !task->parked) {
			t.current = task;
			swapcontext(&t.loop, &task->context);
			t.current = NULL;
		}
		if (!task->ended && task->parked && task->until < first)
			first = task->until;
	}
	return first;
}

static void note(struct task *task, uint32_t events)
{
	task->event = true;
	task->hangup |= (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
	task->parked = false;
}

/* poll_events - wait for some until `first`, and wake whom they are for, and who has waited long enough */
static void poll_events(uint64_t first)
{
	struct epoll_event events[256];
	uint64_t present = now(), left = first > present ? first - present : 0;
	struct timespec limit = {.tv_sec = (time_t)(left / 1000000000u),
				 .tv_nsec = (long)(left % 1000000000u)};
	int n = epoll_pwait2(t.poller, events, 256, first == NEVER ? NULL : &limit, NULL);

	for (int i = 0; i < n; i++)
		note(events[i].data.ptr, events[i].events);
	present = now();
	for (unsigned i = 0; i < t.count && first <= present; i++)
		if (t.tasks[i].until <= present)
			t.tasks[i].parked = false;
}

void run_tasks(unsigned count, void (*body)(void *), void *args, size_t size)
{
	t.tasks = calloc(count, sizeof(*t.tasks));
	t.count = t.alive = count;
	t.poller = epoll_create1(EPOLL_CLOEXEC);
	if (!t.tasks || t.poller < 0)
		abort();
	for (unsigned i = 0; i < count; i++)
		start(&t.tasks[i], body, (char *)args + i * size);
	for (;;) {
		uint64_t first = run_ready();

		if (t.alive == 0)
			break;
		poll_events(first);
	}
}
