/* SPDX-License-Identifier: ISC */
/*
 * map - hash table from byte strings to pointers. Keys are copied; values are the caller's. The
 * hash is seeded per process, so that a stranger cannot choose keys that collide.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/slice.h"

struct map;

struct map *map_create(void);
/* map_destroy - frees keys and table, not the values; sets *map to NULL. */
void map_destroy(struct map **map);
size_t map_count(const struct map *map);

/* map_get - NULL when absent. */
void *map_get(const struct map *map, struct slice key);
/* map_put - returns the value that was there before, or NULL. `value` must not be NULL. */
void *map_put(struct map *map, struct slice key, void *value);
/* map_remove - returns the value that was there, or NULL. */
void *map_remove(struct map *map, struct slice key);

/*
 * map_next - walk in no particular order: start with *cursor = 0, until it returns false. The entry
 * just returned may be removed while walking; nothing may be added.
 */
bool map_next(const struct map *map, size_t *cursor, struct slice *key, void **value);

/* map_seed - set once at start from a random source; before that a fixed seed is used. */
void map_seed(uint64_t k0, uint64_t k1);

/* siphash - SipHash-2-4 (Aumasson, Bernstein 2012) of s under the 128-bit key k0, k1. */
uint64_t siphash(struct slice s, uint64_t k0, uint64_t k1);

#endif
