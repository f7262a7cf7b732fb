/* SPDX-License-Identifier: ISC */
/*
 * os/sim - a network and a clock for tests. A program linked with libsimnet.a before libos.a runs its fibers
 * in virtual time, which moves only when all of them wait; sockets live in memory and reach each
 * other by address within the program, so that the scripted peers of a daemon's session are fibers beside
 * it. How bytes are cut and delayed, in which order fibers run, what os_random gives: all
 * comes from the seed, and the same seed gives the same run. When a run fails, its seed is printed.
 *
 * The descriptors of simulated sockets begin at 2^20; os_socket_close takes these and real ones. (A
 * simulated disk that brings an os_close of its own hands those it does not know on to it.)
 */
#ifndef OS_SIM_H
#define OS_SIM_H

#include "os/socket.h"

/* sim_init - a new world; before fibers_run. */
void sim_init(uint64_t seed);
/* sim_end - the world is gone; returns how many descriptors were still open in it. */
size_t sim_end(void);

/* What the bytes that one end sends must suffer, instead of what the seed has chosen. */
struct sim_fault {
	size_t chunk_max;    /* at most so many bytes arrive at once; 0: as the seed says */
	int64_t delay_max;   /* each chunk comes up to so much later than the one before; -1: as the seed says */
	int64_t reset_after; /* the connection is reset when so many bytes are sent; -1: never */
	int64_t hole_after;  /* what is sent after so many bytes vanishes; -1: never */
};

#define SIM_FAULT_NONE ((struct sim_fault){0, -1, -1, -1})

void sim_set_fault(int fd, const struct sim_fault *fault);
/* sim_set_fault_all - for every connection end made from now on. */
void sim_set_fault_all(const struct sim_fault *fault);
/* sim_hole - connecting to this address neither works nor fails. */
void sim_hole(const struct os_addr *addr);
/* sim_raise - a signal arrives. */
void sim_raise(int signo);
/* sim_random - 0 to n - 1, from the seed: for scripts that want to vary. */
uint64_t sim_random(uint64_t n);

#endif
