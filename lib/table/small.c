/* SPDX-License-Identifier: ISC */
/*
 * small - tables that are all in their name, or in none: static:value, randmap:{value, ...}, environ:, internal:,
 * fail:.
 */
#include "base/list.h"
#include "os/clock.h"
#include "table/source.h"
#include "table/table_type.h"

#include <stdlib.h>

/* static: every key has the same value; { } around it allow white space at its ends. */
static void static_load(struct table_content *content)
{
	struct slice *value = ARENA_NEW(content->arena, struct slice);

	*value = content->name;
	if (value->n > 0 && value->p[0] == '{' && !source_braced(content->name, value))
		table_content_fail(content, "bad syntax: need static:{ text }");
	else
		table_content_files(content, value);
	content->state = value;
}

static enum table_result static_lookup(struct table_content *content, struct slice key, struct arena *arena,
				       struct slice *value)
{
	(void)key;
	*value = arena_dup(arena, *(struct slice *)content->state);
	return TABLE_FOUND;
}

/* randmap: every key has one of the values, another one each time. */
struct choice {
	struct list link;
	struct slice value;
};

struct choices {
	struct list all;
	uint64_t count;
	uint64_t random; /* the state of xorshift64: nothing secret depends on it */
};

static void randmap_load(struct table_content *content)
{
	struct choices *choices = ARENA_NEW(content->arena, struct choices);
	struct slice rest, word;

	list_init(&choices->all);
	content->state = choices;
	if (source_braced(content->name, &rest))
		for (; source_word(&rest, &word); choices->count++) {
			struct choice *choice = ARENA_NEW(content->arena, struct choice);

			choice->value = word;
			if (!table_content_files(content, &choice->value))
				return;
			list_push_back(&choices->all, &choice->link);
		}
	if (choices->count == 0)
		table_content_fail(content, "bad syntax: need randmap:{value, ...}");
	os_random(&choices->random, sizeof(choices->random));
	choices->random |= 1; /* 0 would stay 0 */
}

static enum table_result randmap_lookup(struct table_content *content, struct slice key, struct arena *arena,
					struct slice *value)
{
	struct choices *choices = content->state;
	uint64_t skip;

	(void)key;
	choices->random ^= choices->random << 13;
	choices->random ^= choices->random >> 7;
	choices->random ^= choices->random << 17;
	skip = (choices->random >> 11) % choices->count;
	LIST_FOREACH(node, &choices->all)
		if (skip-- == 0) {
			*value = arena_dup(arena, CONTAINER_OF(node, struct choice, link)->value);
			break;
		}
	return TABLE_FOUND;
}

/* environ: the variables of this process; the name says nothing. */
static enum table_result environ_lookup(struct table_content *content, struct slice key, struct arena *arena,
					struct slice *value)
{
	const char *name = arena_str(arena, key), *found = name != NULL ? getenv(name) : NULL;

	(void)content;
	if (found == NULL)
		return TABLE_MISSING;
	*value = arena_dup(arena, slice_str(found));
	return TABLE_FOUND;
}

/* internal: a table that nobody has put anything into, for what a process keeps to itself it does not ask for here. */
static enum table_result internal_lookup(struct table_content *content, struct slice key, struct arena *arena,
					 struct slice *value)
{
	(void)content;
	(void)key;
	(void)arena;
	(void)value;
	return TABLE_MISSING;
}

static enum table_result internal_next(struct table_content *content, size_t *cursor, struct arena *arena,
				       struct slice *key, struct slice *value)
{
	(void)cursor;
	*key = SL_NULL;
	return internal_lookup(content, *key, arena, value);
}

static void no_load(struct table_content *content)
{
	(void)content;
}

static void fail_load(struct table_content *content)
{
	table_content_fail(content, "always fails");
}

const struct table_type table_static = {
    .name = "static", .literal_keys = true, .load = static_load, .lookup = static_lookup};
const struct table_type table_randmap = {
    .name = "randmap", .literal_keys = true, .load = randmap_load, .lookup = randmap_lookup};
const struct table_type table_environ = {
    .name = "environ", .literal_keys = true, .load = no_load, .lookup = environ_lookup};
const struct table_type table_internal = {.name = "internal",
					  .literal_keys = true,
					  .load = no_load,
					  .lookup = internal_lookup,
					  .next = internal_next};
const struct table_type table_fail = {.name = "fail", .literal_keys = true, .load = fail_load};
