/* SPDX-License-Identifier: ISC */
#include "commands/map_batch.h"
#include "address/utf8.h"
#include "base/check.h"
#include "commands/map_tool.h"

#include <stdlib.h>

/* Bounds of a batch; values that take more than that are asked for one by one. */
#define KEYS_MAX ((size_t)250000)
#define KEY_BYTES_MAX ((size_t)32 << 20)
#define VALUE_BYTES_MAX ((size_t)64 << 20)

/* What is compared: the 8 bytes behind those that all keys have in common. */
struct place {
	uint64_t prefix;
	uint32_t index;
};

struct map_batch *map_batch_create(struct table **tables, size_t table_count, bool utf8)
{
	struct map_batch *batch = calloc(1, sizeof(*batch));

	if (batch == NULL)
		out_of_memory();
	*batch = (struct map_batch){
	    .tables = tables, .table_count = table_count, .utf8 = utf8, .arena = arena_create()};
	return batch;
}

void map_batch_destroy(struct map_batch **batch)
{
	arena_destroy(&(*batch)->arena);
	free((*batch)->answers);
	free(*batch);
	*batch = NULL;
}

static struct map_answer *next_answer(struct map_batch *batch)
{
	size_t n = batch->count;

	/* sizes from 1024 on, doubled */
	if (n == 0 || (n >= 1024 && (n & (n - 1)) == 0))
		batch->answers = realloc(batch->answers, (n == 0 ? 1024 : 2 * n) * sizeof(*batch->answers));
	if (batch->answers == NULL)
		out_of_memory();
	return &batch->answers[n];
}

bool map_batch_read(struct map_batch *batch)
{
	size_t bytes = 0;

	arena_reset(batch->arena);
	for (batch->count = 0; batch->count < KEYS_MAX && bytes < KEY_BYTES_MAX; batch->count++) {
		struct map_answer *answer = next_answer(batch);

		if (!map_read_line(batch->arena, &answer->key))
			break;
		bytes += answer->key.n;
	}
	return batch->count > 0;
}

static size_t common_bytes(const struct map_batch *batch)
{
	struct slice first = batch->answers[0].key;
	size_t n = first.n;

	for (size_t i = 1; i < batch->count; i++) {
		struct slice key = batch->answers[i].key;
		size_t same = 0;

		while (same < n && same < key.n && key.p[same] == first.p[same])
			same++;
		n = same;
	}
	return n;
}

static uint64_t prefix_of(struct slice key, size_t common)
{
	uint64_t prefix = 0;

	for (size_t i = common; i < common + 8; i++)
		prefix = prefix << 8 | (i < key.n ? (uint8_t)key.p[i] : 0);
	return prefix;
}

static int compare(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->prefix > y->prefix) - (x->prefix < y->prefix);
}

/* in_order - roughly by key; that of equal prefixes does not matter. */
static struct place *in_order(const struct map_batch *batch)
{
	struct place *places = malloc(batch->count * sizeof(*places));
	size_t common = common_bytes(batch);

	if (places == NULL)
		out_of_memory();
	for (size_t i = 0; i < batch->count; i++)
		places[i] = (struct place){.prefix = prefix_of(batch->answers[i].key, common), .index = (uint32_t)i};
	qsort(places, batch->count, sizeof(*places), compare);
	return places;
}

/* ask_one - false: not without words. */
static bool ask_one(struct map_batch *batch, struct map_answer *answer, size_t *bytes)
{
	answer->result = TABLE_MISSING;
	if (batch->utf8 && !utf8_valid(answer->key))
		return false;
	for (size_t i = 0; i < batch->table_count && answer->result == TABLE_MISSING; i++)
		answer->result = table_lookup(batch->tables[i], answer->key, batch->arena, &answer->value);
	if (answer->result == TABLE_MISSING)
		return true;
	*bytes += answer->value.n;
	return answer->result == TABLE_FOUND && answer->value.n > 0 && *bytes <= VALUE_BYTES_MAX &&
	       (!batch->utf8 || utf8_valid(answer->value));
}

bool map_batch_ask(struct map_batch *batch)
{
	struct place *places = in_order(batch);
	size_t bytes = 0;
	bool good = true;

	for (size_t i = 0; i < batch->table_count; i++)
		table_hold(batch->tables[i]);
	for (size_t i = 0; i < batch->count && good; i++)
		good = ask_one(batch, &batch->answers[places[i].index], &bytes);
	for (size_t i = 0; i < batch->table_count; i++)
		good &= table_release(batch->tables[i]);
	free(places);
	return good;
}
