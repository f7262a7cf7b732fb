/* SPDX-License-Identifier: ISC */
/*
 * cdb - constant databases made by postmap and postalias. Keys and values may end in a NUL, as another postmap
 * made them: both are tried.
 */
#include "table/cdb_read.h"
#include "table/table_type.h"

#include <errno.h>

static void cdb_load(struct table_content *content)
{
	const char *why;
	struct slice path;

	path = slice_ends(content->name, SL(".cdb")) ? arena_dup(content->arena, content->name)
						      : arena_printf(content->arena, "%.*s.cdb", SL_ARG(content->name));
	if (!table_content_open(content, path.p)) {
		int error = errno;

		if (error == ENOENT)
			table_content_fail(content, "open %s: No such file or directory (postmap or postalias makes it)",
					   path.p);
		errno = error;
		return;
	}
	content->state = cdb_reader_create(content->fd, content->arena, &why);
	if (content->state == NULL)
		table_content_fail(content, "%s: %s", path.p, why);
}

static struct slice without_nul(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\0')
		s.n--;
	return s;
}

static enum table_result outcome_result(const struct table_content *content, enum cdb_outcome outcome,
					const char *why, struct arena *arena, struct slice *value)
{
	if (outcome == CDB_FOUND) {
		*value = without_nul(*value);
		return TABLE_FOUND;
	}
	*value = SL_NULL;
	if (outcome == CDB_NONE)
		return TABLE_MISSING;
	*value = arena_printf(arena, "table %.*s: %s", SL_ARG(content->spec), why);
	return TABLE_TEMP;
}

static enum table_result cdb_lookup(struct table_content *content, struct slice key, struct arena *arena,
				    struct slice *value)
{
	struct slice with_nul = arena_dup(arena, key);
	enum cdb_outcome outcome = CDB_NONE;
	const char *why = "";

	with_nul.n++;
	if (!(content->flags & TABLE_KEEP_NUL))
		outcome = cdb_reader_get(content->state, key, arena, value, &why);
	if (outcome == CDB_NONE && !(content->flags & TABLE_NO_NUL))
		outcome = cdb_reader_get(content->state, with_nul, arena, value, &why);
	return outcome_result(content, outcome, why, arena, value);
}

static enum table_result cdb_next(struct table_content *content, size_t *cursor, struct arena *arena,
				  struct slice *key, struct slice *value)
{
	const char *why = "";
	enum cdb_outcome outcome = cdb_reader_step(content->state, cursor, arena, key, value, &why);

	if (outcome == CDB_FOUND)
		*key = without_nul(*key);
	return outcome_result(content, outcome, why, arena, value);
}

const struct table_type table_cdb = {
    .name = "cdb", .literal_keys = true, .load = cdb_load, .lookup = cdb_lookup, .next = cdb_next};
