/* SPDX-License-Identifier: ISC */
#include "dns/cache.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define KEEP_TIME (10 * OS_SECOND)
#define ENTRIES_MAX 512
#define RECORDS_MAX 64
#define KEY_SIZE 272

struct entry {
	struct list used;
	struct arena *arena; /* which this lies in */
	struct slice key;
	int64_t until; /* of the answer; KEEP_TIME at most after it came */
	int64_t expires;
	struct dns_answer answer;
};

struct dns_cache {
	struct map *entries;
	struct list used; /* longest unused first */
};

struct dns_cache *dns_cache_create(void)
{
	struct dns_cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		out_of_memory();
	cache->entries = map_create();
	list_init(&cache->used);
	return cache;
}

static void forget(struct dns_cache *cache, struct entry *e)
{
	struct arena *arena = e->arena;

	map_remove(cache->entries, e->key);
	list_remove(&e->used);
	arena_destroy(&arena);
}

static struct entry *longest_unused(const struct dns_cache *cache)
{
	return list_empty(&cache->used) ? NULL : CONTAINER_OF(cache->used.next, struct entry, used);
}

void dns_cache_destroy(struct dns_cache **cache)
{
	struct entry *e;

	if (*cache == NULL)
		return;
	while ((e = longest_unused(*cache)) != NULL)
		forget(*cache, e);
	map_destroy(&(*cache)->entries);
	free(*cache);
	*cache = NULL;
}

/* print_key - absent when the name is too long to be one. */
static struct slice print_key(const struct dns_question *question, char text[KEY_SIZE])
{
	int n = snprintf(text, KEY_SIZE, "%u %d ", question->type, question->hosts);

	CHECK(n > 0);
	if (question->name.n > KEY_SIZE - (size_t)n)
		return SL_NULL;
	for (size_t i = 0; i < question->name.n; i++) {
		char c = question->name.p[i];

		text[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
	}
	return slice(text, (size_t)n);
}

static void copy_answer(struct arena *arena, const struct dns_answer *from, struct dns_answer *to)
{
	*to = *from;
	to->canonical = arena_dup(arena, from->canonical);
	to->why = arena_dup(arena, from->why);
	to->records = ARENA_ARRAY(arena, from->record_count + 1, struct dns_record);
	for (size_t i = 0; i < from->record_count; i++) {
		to->records[i] = from->records[i];
		to->records[i].data = arena_dup(arena, from->records[i].data);
	}
}

bool dns_cache_get(struct dns_cache *cache, const struct dns_question *question, int64_t now,
		   struct arena *arena, struct dns_answer *answer)
{
	char text[KEY_SIZE];
	struct entry *e = map_get(cache->entries, print_key(question, text));

	if (e == NULL)
		return false;
	if (e->until <= now) {
		forget(cache, e);
		return false;
	}
	list_remove(&e->used);
	list_push_back(&cache->used, &e->used);
	copy_answer(arena, &e->answer, answer);
	answer->ttl = (uint32_t)((e->expires - now) / OS_SECOND);
	return true;
}

void dns_cache_put(struct dns_cache *cache, const struct dns_question *question, int64_t now,
		   const struct dns_answer *answer)
{
	char text[KEY_SIZE];
	struct slice key = print_key(question, text);
	struct arena *arena;
	struct entry *e = map_get(cache->entries, key);

	if (e != NULL)
		forget(cache, e);
	if (key.n == 0 || answer->ttl == 0 || answer->record_count > RECORDS_MAX ||
	    answer->status == DNS_TEMPFAIL || answer->status == DNS_INVALID)
		return;
	if (map_count(cache->entries) >= ENTRIES_MAX)
		forget(cache, longest_unused(cache));
	arena = arena_create();
	e = ARENA_NEW(arena, struct entry);
	e->arena = arena;
	e->key = arena_dup(arena, key);
	e->expires = now + (int64_t)answer->ttl * OS_SECOND;
	e->until = e->expires < now + KEEP_TIME ? e->expires : now + KEEP_TIME;
	copy_answer(arena, answer, &e->answer);
	map_put(cache->entries, e->key, e);
	list_push_back(&cache->used, &e->used);
}
