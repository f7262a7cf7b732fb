/* SPDX-License-Identifier: ISC */
#include "table/source.h"
#include "table/table_type.h"

struct table_list {
	struct table **tables;
	size_t count;
};

static size_t count_words(struct slice value)
{
	struct slice word;
	size_t n = 0;

	while (source_word(&value, &word))
		n++;
	return n;
}

struct table_list *table_list_create(struct table_set *set, struct slice value, unsigned flags)
{
	struct arena *arena = table_set_arena(set);
	struct table_list *list = ARENA_NEW(arena, struct table_list);
	struct slice word;

	list->tables = ARENA_ARRAY(arena, count_words(value) + 1, struct table *);
	while (source_word(&value, &word))
		list->tables[list->count++] = table_open(set, word, flags);
	return list;
}

bool table_list_empty(const struct table_list *list)
{
	return list->count == 0;
}

struct slice table_list_error(const struct table_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!slice_is_null(table_error(list->tables[i])))
			return table_error(list->tables[i]);
	return SL_NULL;
}

enum table_result table_list_lookup(struct table_list *list, struct slice key, bool partial,
				    struct arena *arena, struct slice *value)
{
	*value = SL_NULL;
	/* no table has a name for nothing, and lmdb refuses such a key */
	if (key.n == 0)
		return TABLE_MISSING;
	for (size_t i = 0; i < list->count; i++) {
		struct table *table = list->tables[i];
		enum table_result result;

		if (partial && !table_has_literal_keys(table))
			continue;
		result = table_lookup(table, key, arena, value);
		if (result == TABLE_FOUND && value->n == 0) {
			*value = arena_printf(arena,
					      "table %.*s: lookup of %.*s returns an empty string "
					      "result; it should say \"not found\"",
					      SL_ARG(table_name(table)), SL_ARG(key));
			return TABLE_TEMP;
		}
		if (result != TABLE_MISSING)
			return result;
	}
	return TABLE_MISSING;
}
