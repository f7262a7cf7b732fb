/* SPDX-License-Identifier: ISC */
/*
 * sim_runs - run a scenario as the main fiber: once with the kernel; with -DSIMULATED, against the
 * simulated network and clock, once for each of many seeds. SIM_SEED=N in the environment runs that
 * one only, SIM_RUNS=N so many.
 */
#ifndef TESTS_SIM_RUNS_H
#define TESTS_SIM_RUNS_H

#include "fiber/fiber.h"

#ifdef SIMULATED
#include "os/sim.h"

#include <stdlib.h>

#ifndef SIM_RUNS
#define SIM_RUNS 250
#endif

static inline uint64_t sim_setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static inline void sim_runs(void (*scenario)(void *arg))
{
	uint64_t first = sim_setting("SIM_SEED", 1);
	uint64_t runs = getenv("SIM_SEED") != NULL ? 1 : sim_setting("SIM_RUNS", SIM_RUNS);

	for (uint64_t seed = first; seed < first + runs; seed++) {
		sim_init(seed);
		assert_int_equal(fibers_run(NULL, scenario, NULL), 0);
		assert_int_equal(sim_end(), 0);
	}
}
#else
static inline void sim_runs(void (*scenario)(void *arg))
{
	assert_int_equal(fibers_run(NULL, scenario, NULL), 0);
}
#endif

#endif
