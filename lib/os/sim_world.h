/* SPDX-License-Identifier: ISC */
/* sim_world - what the simulated parts of lib/os share. */
#ifndef OS_SIM_WORLD_H
#define OS_SIM_WORLD_H

#include "base/heap.h"
#include "base/list.h"
#include "os/clock.h"
#include "os/sim.h"

#define SIM_FD_BASE (1 << 20)

/* Something that will happen. */
struct sim_timer {
	struct heap_node node;
	void (*fn)(void *arg);
	void *arg;
};

/* The one world of a test program. */
struct sim_world {
	uint64_t seed;
	uint64_t state; /* of the generator */
	int64_t now;
	struct heap timers;
	struct list sockets;
	int next_fd;
	uint16_t next_port;
	struct sim_fault fault;
	struct list holes;
	bool running;
};

extern struct sim_world sim_world;

/* sim_at - call fn(arg) when that time has come. A timer already set keeps the earlier time. */
void sim_at(struct sim_timer *t, int64_t when, void (*fn)(void *arg), void *arg);
void sim_cancel(struct sim_timer *t);
/* sim_step - let the first thing happen that is due by `limit`; time moves there. False: none is. */
bool sim_step(int64_t limit);
/* sim_stuck - nothing will ever happen again: say so and abort. */
_Noreturn void sim_stuck(void);
/* sim_net_clear - drop all sockets; how many there were. */
size_t sim_net_clear(void);

#endif
