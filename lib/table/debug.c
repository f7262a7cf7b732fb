/* SPDX-License-Identifier: ISC */
/* debug - debug:type:name is the table type:name, and the log tells what it is asked and what it says. */
#include "table/table_type.h"

static void debug_load(struct table_content *content)
{
	content->state = table_open(content->set, content->name, content->flags);
}

static struct slice debug_error(const struct table_content *content)
{
	return table_error(content->state);
}

static enum table_result debug_lookup(struct table_content *content, struct slice key, struct arena *arena,
				      struct slice *value)
{
	enum table_result result = table_lookup(content->state, key, arena, value);

	table_set_warn(content->set, "%.*s lookup: \"%.*s\" = %s%.*s%s", SL_ARG(content->spec), SL_ARG(key),
		       result == TABLE_FOUND ? "\""
		       : result == TABLE_TEMP ? "error: "
					      : "not found",
		       SL_ARG(*value), result == TABLE_FOUND ? "\"" : "");
	return result;
}

static enum table_result debug_next(struct table_content *content, size_t *cursor, struct arena *arena,
				    struct slice *key, struct slice *value)
{
	return table_next(content->state, cursor, arena, key, value);
}

const struct table_type table_debug = {.name = "debug",
				       .literal_keys = true,
				       .load = debug_load,
				       .error = debug_error,
				       .lookup = debug_lookup,
				       .next = debug_next};
