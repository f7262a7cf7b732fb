/* SPDX-License-Identifier: ISC */
/* sim_clock - virtual time and seeded chance. */
#include "os/sim_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Not 0, so that a forgotten deadline is found; the wall clock stands at 2026-01-01 then. */
#define TIME_BEGINS (1000 * OS_SECOND)
#define WALL_BEGINS (INT64_C(1767225600) * OS_SECOND)

struct sim_world sim_world;

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
static uint64_t next_random(void)
{
	uint64_t z = sim_world.state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

uint64_t sim_random(uint64_t n)
{
	return n > 1 ? next_random() % n : 0;
}

/* tell_seed - a run that did not end by sim_end has failed. */
static void tell_seed(void)
{
	char text[100];
	int n;

	if (!sim_world.running)
		return;
	n = snprintf(text, sizeof(text), "simulated run with seed %llu failed; SIM_SEED=%llu repeats it\n",
		     (unsigned long long)sim_world.seed, (unsigned long long)sim_world.seed);
	(void)!write(2, text, (size_t)n);
	sim_world.running = false;
}

static void on_abort(int signo)
{
	tell_seed();
	signal(signo, SIG_DFL);
	raise(signo);
}

void sim_init(uint64_t seed)
{
	static bool once;

	if (!once) {
		once = true;
		atexit(tell_seed);
		signal(SIGABRT, on_abort);
	}
	if (sim_world.running)
		(void)sim_end();
	sim_world = (struct sim_world){.seed = seed,
				       .state = seed,
				       .now = TIME_BEGINS,
				       .next_fd = SIM_FD_BASE,
				       .next_port = 40000,
				       .fault = SIM_FAULT_NONE,
				       .running = true};
	heap_init(&sim_world.timers);
	list_init(&sim_world.sockets);
	list_init(&sim_world.holes);
}

size_t sim_end(void)
{
	size_t left = sim_net_clear();

	heap_free(&sim_world.timers);
	sim_world.running = false;
	return left;
}

int64_t os_now(void)
{
	return sim_world.now;
}

int64_t os_wall(void)
{
	return sim_world.now - TIME_BEGINS + WALL_BEGINS;
}

void os_random(void *buf, size_t n)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)next_random();
}

uint64_t os_schedule_seed(void)
{
	return next_random() | 1;
}

void sim_at(struct sim_timer *t, int64_t when, void (*fn)(void *arg), void *arg)
{
	if (heap_contains(&t->node)) {
		if (t->node.key <= when)
			return;
		heap_remove(&sim_world.timers, &t->node);
	}
	t->fn = fn;
	t->arg = arg;
	t->node.key = when;
	heap_insert(&sim_world.timers, &t->node);
}

void sim_cancel(struct sim_timer *t)
{
	heap_remove(&sim_world.timers, &t->node);
}

bool sim_step(int64_t limit)
{
	struct heap_node *first = heap_first(&sim_world.timers);
	struct sim_timer *t;

	if (first == NULL || first->key > limit)
		return false;
	t = CONTAINER_OF(first, struct sim_timer, node);
	heap_remove(&sim_world.timers, first);
	if (first->key > sim_world.now)
		sim_world.now = first->key;
	t->fn(t->arg);
	return true;
}

void sim_stuck(void)
{
	static const char text[] = "simulated run: all fibers wait for what will never come\n";

	(void)!write(2, text, sizeof(text) - 1);
	abort();
}
