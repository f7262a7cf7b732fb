/* SPDX-License-Identifier: ISC */
/*
 * combine - tables made of tables: unionmap:{type:name, ..} puts the answers of all together with
 * commas; pipemap:{type:name, ..} asks each with the answer of the one before.
 */
#include "table/source.h"
#include "table/table_type.h"

#define MEMBERS_MAX 64

struct members {
	size_t count;
	struct table *tables[MEMBERS_MAX];
};

static void combine_load(struct table_content *content)
{
	struct members *members = ARENA_NEW(content->arena, struct members);
	struct slice rest, word;

	if (!source_braced(content->name, &rest)) {
		table_content_fail(content, "bad syntax: need {type:name, ...}");
		return;
	}
	while (source_word(&rest, &word)) {
		struct table *table;

		if (members->count == MEMBERS_MAX) {
			table_content_fail(content, "more than %d tables", MEMBERS_MAX);
			return;
		}
		table = table_open(content->set, word, content->flags);
		members->tables[members->count++] = table;
	}
	if (members->count == 0)
		table_content_fail(content, "bad syntax: need {type:name, ...}");
	content->state = members;
}

/* combine_error - a member may become usable, or cease to be. */
static struct slice combine_error(const struct table_content *content)
{
	const struct members *members = content->state;
	struct slice error = SL_NULL;

	for (size_t i = 0; i < members->count && slice_is_null(error); i++)
		error = table_error(members->tables[i]);
	return error;
}

static enum table_result union_lookup(struct table_content *content, struct slice key,
				      struct arena *arena, struct slice *value)
{
	const struct members *members = content->state;
	struct slice all = SL_NULL, one;

	for (size_t i = 0; i < members->count; i++) {
		switch (table_lookup(members->tables[i], key, arena, &one)) {
		case TABLE_TEMP:
			*value = one;
			return TABLE_TEMP;
		case TABLE_MISSING:
			break;
		case TABLE_FOUND:
			all = slice_is_null(all) ? one
						 : arena_printf(arena, "%.*s,%.*s", SL_ARG(all),
								SL_ARG(one));
			break;
		}
	}
	*value = all;
	return slice_is_null(all) ? TABLE_MISSING : TABLE_FOUND;
}

static enum table_result pipe_lookup(struct table_content *content, struct slice key,
				     struct arena *arena, struct slice *value)
{
	const struct members *members = content->state;

	for (size_t i = 0; i < members->count; i++) {
		enum table_result result = table_lookup(members->tables[i], key, arena, value);

		if (result != TABLE_FOUND)
			return result;
		key = *value;
	}
	return TABLE_FOUND;
}

const struct table_type table_unionmap = {.name = "unionmap",
					  .literal_keys = true,
					  .load = combine_load,
					  .error = combine_error,
					  .lookup = union_lookup};
const struct table_type table_pipemap = {.name = "pipemap",
					 .literal_keys = true,
					 .load = combine_load,
					 .error = combine_error,
					 .lookup = pipe_lookup};
