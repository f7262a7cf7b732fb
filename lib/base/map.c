/* SPDX-License-Identifier: ISC */
/* Open addressing with linear probing and backward-shift deletion; at most 3/4 full. */
#include "base/map.h"
#include "base/check.h"

#include <stdlib.h>

#define FIRST_CAPACITY 16

struct entry {
	uint64_t hash;
	char *key;
	size_t key_len;
	void *value; /* NULL: the place is free */
};

struct map {
	struct entry *entries;
	size_t capacity; /* a power of two */
	size_t count;
};

static uint64_t seed[2] = {0x736f6d6570736575ULL, 0x646f72616e646f6dULL};

void map_seed(uint64_t k0, uint64_t k1)
{
	seed[0] = k0;
	seed[1] = k1;
}

static uint64_t rotl(uint64_t x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static uint64_t load_le(const unsigned char *p, size_t n)
{
	uint64_t m = 0;

	for (size_t i = 0; i < n; i++)
		m |= (uint64_t)p[i] << (8 * i);
	return m;
}

static void sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	sip_round(v);
	v[0] ^= m;
}

uint64_t siphash(struct slice s, uint64_t k0, uint64_t k1)
{
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575ULL, k1 ^ 0x646f72616e646f6dULL,
			 k0 ^ 0x6c7967656e657261ULL, k1 ^ 0x7465646279746573ULL};
	const unsigned char *p = (const unsigned char *)s.p;
	size_t whole = s.n & ~(size_t)7;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(v, load_le(p + i, 8));
	sip_word(v, load_le(whole < s.n ? p + whole : NULL, s.n & 7) | (uint64_t)(s.n & 0xff) << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static struct entry *entries_create(size_t capacity)
{
	struct entry *e = calloc(capacity, sizeof(*e));

	if (e == NULL)
		out_of_memory();
	return e;
}

struct map *map_create(void)
{
	struct map *map = malloc(sizeof(*map));

	if (map == NULL)
		out_of_memory();
	map->capacity = FIRST_CAPACITY;
	map->count = 0;
	map->entries = entries_create(FIRST_CAPACITY);
	return map;
}

void map_destroy(struct map **map)
{
	if (*map == NULL)
		return;
	for (size_t i = 0; i < (*map)->capacity; i++)
		if ((*map)->entries[i].value != NULL)
			free((*map)->entries[i].key);
	free((*map)->entries);
	free(*map);
	*map = NULL;
}

size_t map_count(const struct map *map)
{
	return map->count;
}

/* find - the place of the key, or the free place where it would go. */
static size_t find(const struct map *map, struct slice key, uint64_t hash)
{
	size_t mask = map->capacity - 1;
	size_t i = (size_t)hash & mask;

	for (;; i = (i + 1) & mask) {
		const struct entry *e = &map->entries[i];

		if (e->value == NULL)
			return i;
		if (e->hash == hash && slice_eq(slice(e->key, e->key_len), key))
			return i;
	}
}

static void grow(struct map *map)
{
	struct entry *old = map->entries;
	size_t old_capacity = map->capacity;

	map->capacity *= 2;
	map->entries = entries_create(map->capacity);
	for (size_t i = 0; i < old_capacity; i++)
		if (old[i].value != NULL)
			map->entries[find(map, slice(old[i].key, old[i].key_len), old[i].hash)] =
			    old[i];
	free(old);
}

void *map_get(const struct map *map, struct slice key)
{
	return map->entries[find(map, key, siphash(key, seed[0], seed[1]))].value;
}

void *map_put(struct map *map, struct slice key, void *value)
{
	uint64_t hash = siphash(key, seed[0], seed[1]);
	struct entry *e;
	void *before;

	CHECK(value != NULL);
	if (map->count >= map->capacity / 4 * 3)
		grow(map);
	e = &map->entries[find(map, key, hash)];
	before = e->value;
	e->value = value;
	if (before != NULL)
		return before;
	e->hash = hash;
	e->key_len = key.n;
	e->key = malloc(key.n > 0 ? key.n : 1);
	if (e->key == NULL)
		out_of_memory();
	if (key.n > 0)
		memcpy(e->key, key.p, key.n);
	map->count++;
	return NULL;
}

/* close_gap - move later entries of the probe run back, so that no search stops at a hole. */
static void close_gap(struct map *map, size_t hole)
{
	size_t mask = map->capacity - 1;

	for (size_t i = (hole + 1) & mask; map->entries[i].value != NULL; i = (i + 1) & mask) {
		size_t home = (size_t)map->entries[i].hash & mask;

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		map->entries[hole] = map->entries[i];
		map->entries[i].value = NULL;
		hole = i;
	}
}

void *map_remove(struct map *map, struct slice key)
{
	size_t i = find(map, key, siphash(key, seed[0], seed[1]));
	void *before = map->entries[i].value;

	if (before == NULL)
		return NULL;
	free(map->entries[i].key);
	map->entries[i].value = NULL;
	map->count--;
	close_gap(map, i);
	return before;
}

/* first_free - a place no run of probes crosses; there is always one, for the table is never full. */
static size_t first_free(const struct map *map)
{
	size_t i = 0;

	while (map->entries[i].value != NULL)
		i++;
	return i;
}

bool map_next(const struct map *map, size_t *cursor, struct slice *key, void **value)
{
	/*
	 * Down from a free place, so that every run is met from its end: a removal only moves entries
	 * that were seen already. The cursor holds that place plus one above bit 32, steps below.
	 */
	size_t mask = map->capacity - 1, start, steps;

	if (*cursor == 0)
		*cursor = (first_free(map) + 1) << 32;
	start = (*cursor >> 32) - 1;
	for (steps = (*cursor & 0xffffffff) + 1; steps < map->capacity; steps++) {
		const struct entry *e = &map->entries[(start - steps) & mask];

		if (e->value == NULL)
			continue;
		*key = slice(e->key, e->key_len);
		*value = e->value;
		*cursor = (start + 1) << 32 | steps;
		return true;
	}
	return false;
}
