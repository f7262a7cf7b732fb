/* SPDX-License-Identifier: ISC */
/*
 * os/sim_disk - a disk in memory behind os/file.h. It keeps two states: what the system calls show
 * (volatile) and what would be there after a power cut (durable). Bytes become durable by fdatasync
 * or fsync of their file, names by os_sync_dir of their directory. A cut keeps any subset of the
 * rest: single sectors of single writes, and single changes of names (a rename is one change).
 *
 * A program that links libsimfile.a before libos.a runs on it. One thread only. Descriptors and locks
 * belong to one simulated process; sim_disk_kill ends it.
 */
#ifndef OS_SIM_DISK_H
#define OS_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_SECTOR 512

/* sim_disk_reset - an empty disk with a root directory ("/"), no faults; seed: for all chances. */
void sim_disk_reset(uint64_t seed);

/* sim_disk_calls - system calls made since the last reset. */
uint64_t sim_disk_calls(void);

/*
 * sim_disk_power_off_at - the n-th call from the reset on, and all later ones, fail with EIO and do
 * nothing, until sim_disk_power_on. 0: never. A sync that is cut may have done any part of its work.
 */
void sim_disk_power_off_at(uint64_t n);
bool sim_disk_is_off(void);

enum sim_loss {
	SIM_LOSE_ALL,   /* nothing survives that was not synced */
	SIM_LOSE_NONE,  /* all of it does */
	SIM_LOSE_ANY,   /* sectors and names each by chance, in any order */
	SIM_LOSE_LATEST /* names in the order of a metadata journal: a prefix; sectors by chance */
};

/* sim_disk_power_on - after a cut: the durable state, with what `loss` lets survive, is the disk. */
void sim_disk_power_on(enum sim_loss loss);

/* sim_disk_kill - the process is gone: descriptors closed, locks released, no byte lost. */
void sim_disk_kill(void);

/* sim_disk_fail_at - the n-th call from the reset on, and the `count` - 1 after it, fail so. */
void sim_disk_fail_at(uint64_t n, uint64_t count, int errnum);

/* sim_disk_lie - syncs say yes and do nothing: what a test of durability must notice. */
void sim_disk_lie(bool lie);

/* sim_disk_capacity - bytes that files may use; writes beyond it fail with ENOSPC. 0: no limit. */
void sim_disk_capacity(uint64_t bytes);
uint64_t sim_disk_used(void);

#endif
