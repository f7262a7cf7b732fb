/* SPDX-License-Identifier: ISC */
/*
 * index - every message by its id: open addressing over pointers, so that a waiting one stays small. They lie
 * in slabs of their own: among the memory of loaded ones, which come and go, they would keep it from
 * being given back.
 */
#include "qmgr/qmgr.h"

#include "base/check.h"

#include <stdlib.h>

#define SLAB 512 /* messages */

struct slab {
	struct slab *next;
	struct message messages[SLAB];
};

struct message_index {
	struct message **slots; /* a power of two; NULL: free */
	size_t size;
	size_t count;
	struct slab *slabs;
	struct message *vacant;
};

/* slab_add - more vacant messages. */
static void slab_add(struct message_index *ix)
{
	struct slab *slab = malloc(sizeof(*slab));

	if (slab == NULL)
		out_of_memory();
	slab->next = ix->slabs;
	ix->slabs = slab;
	for (size_t i = 0; i < SLAB; i++) {
		slab->messages[i].vacant = ix->vacant;
		ix->vacant = &slab->messages[i];
	}
}

static struct message *message_take(struct message_index *ix)
{
	struct message *m;

	if (ix->vacant == NULL)
		slab_add(ix);
	m = ix->vacant;
	ix->vacant = m->vacant;
	memset(m, 0, sizeof(*m));
	return m;
}

static void message_give_back(struct message_index *ix, struct message *m)
{
	struct slab *slab, *next;

	m->vacant = ix->vacant;
	ix->vacant = m;
	if (ix->count > 0 || ix->slabs->next == NULL)
		return;
	/* an empty queue is a light one; a slab that was the only one is used again at once */
	for (slab = ix->slabs; slab != NULL; slab = next) {
		next = slab->next;
		free(slab);
	}
	ix->slabs = NULL;
	ix->vacant = NULL;
}

static size_t hash(int64_t id_time, uint64_t id_serial)
{
	uint64_t h = (uint64_t)id_time * UINT64_C(0x9E3779B97F4A7C15);

	h ^= h >> 29;
	h = (h + id_serial) * UINT64_C(0xBF58476D1CE4E5B9);
	return (size_t)(h ^ (h >> 32));
}

struct message_index *index_create(void)
{
	struct message_index *ix = calloc(1, sizeof(*ix));

	if (ix == NULL)
		out_of_memory();
	ix->size = 1024;
	ix->slots = calloc(ix->size, sizeof(struct message *));
	if (ix->slots == NULL)
		out_of_memory();
	return ix;
}

/* place_of - where the message is, or would be put. */
static size_t place_of(const struct message_index *ix, int64_t id_time, uint64_t id_serial)
{
	size_t at = hash(id_time, id_serial) & (ix->size - 1);

	while (ix->slots[at] &&
	       (ix->slots[at]->id_time != id_time || ix->slots[at]->id_serial != id_serial))
		at = (at + 1) & (ix->size - 1);
	return at;
}

static void grow(struct message_index *ix)
{
	struct message **old = ix->slots;
	size_t size = ix->size;

	ix->size *= 2;
	ix->slots = calloc(ix->size, sizeof(struct message *));
	if (ix->slots == NULL)
		out_of_memory();
	for (size_t i = 0; i < size; i++) {
		if (old[i])
			ix->slots[place_of(ix, old[i]->id_time, old[i]->id_serial)] = old[i];
	}
	free(old);
}

struct message *index_find(const struct message_index *ix, const struct queue_id *id)
{
	struct queue_id same;
	int64_t when;
	uint64_t serial;

	if (!queue_id_parse(queue_id_slice(id), &same, &when, &serial))
		return NULL;
	return ix->slots[place_of(ix, when, serial)];
}

struct message *index_add(struct message_index *ix, const struct queue_id *id)
{
	struct message *m;
	struct queue_id same;
	int64_t when;
	uint64_t serial;
	size_t at;

	if (!queue_id_parse(queue_id_slice(id), &same, &when, &serial))
		return NULL;
	if (ix->count * 4 >= ix->size * 3)
		grow(ix);
	at = place_of(ix, when, serial);
	if (ix->slots[at])
		return NULL;
	m = message_take(ix);
	m->id_time = when;
	m->id_serial = serial;
	ix->slots[at] = m;
	ix->count++;
	return m;
}

void index_remove(struct message_index *ix, struct message *m)
{
	size_t at = place_of(ix, m->id_time, m->id_serial);

	CHECK(ix->slots[at] == m);
	ix->slots[at] = NULL;
	ix->count--;
	message_give_back(ix, m);
	/* What was pushed on by the one removed moves back. */
	for (at = (at + 1) & (ix->size - 1); ix->slots[at]; at = (at + 1) & (ix->size - 1)) {
		struct message *moved = ix->slots[at];

		ix->slots[at] = NULL;
		ix->slots[place_of(ix, moved->id_time, moved->id_serial)] = moved;
	}
}

size_t index_count(const struct message_index *ix)
{
	return ix->count;
}

struct message **index_collect(const struct message_index *ix,
			       bool (*want)(const struct message *m, void *arg), void *arg,
			       size_t *count)
{
	struct message **all = calloc(ix->count + 1, sizeof(struct message *));

	if (all == NULL)
		out_of_memory();
	*count = 0;
	for (size_t i = 0; i < ix->size; i++) {
		if (ix->slots[i] && want(ix->slots[i], arg))
			all[(*count)++] = ix->slots[i];
	}
	return all;
}

void message_id(const struct message *m, struct queue_id *id)
{
	queue_id_make(m->id_time, m->id_serial, id);
}

void message_location(const struct message *m, struct queue_location *loc)
{
	*loc = (struct queue_location){
	    .place = (enum queue_place)m->place, .serial = m->serial, .offset = m->offset};
	message_id(m, &loc->id);
}

void message_set_location(struct message *m, const struct queue_location *loc)
{
	m->place = (uint8_t)loc->place;
	m->serial = loc->serial;
	m->offset = loc->offset & ((UINT64_C(1) << 56) - 1);
}
