/* SPDX-License-Identifier: ISC */
/*
 * map_sort - puts the entries of a table in the order of their keys, for a file that is written in that
 * order is half as large and made in a fraction of the time. It needs a bounded amount of memory: what passes
 * it is sorted in runs, which wait in a nameless file. What cannot be done is fatal.
 */
#ifndef COMMANDS_MAP_SORT_H
#define COMMANDS_MAP_SORT_H

#include "base/slice.h"

struct map_sort;

struct map_entry {
	struct slice key;   /* at most 65535 bytes */
	struct slice value; /* below 4 GB */
	uint32_t number;    /* how many were added before it */
	bool replaces;	    /* as it was added */
};

/* map_sort_create - runs go where the file `near` lies; `memory`: bytes of entries in a run. */
struct map_sort *map_sort_create(const char *near, size_t memory);
void map_sort_add(struct map_sort *sort, struct slice key, struct slice value, bool replaces);
/*
 * map_sort_next - by the bytes of the keys, equal ones as they were added; the entry is good until the
 * next call. False at the end. Nothing can be added after the first call.
 */
bool map_sort_next(struct map_sort *sort, struct map_entry *entry);
void map_sort_destroy(struct map_sort **sort);

#endif
