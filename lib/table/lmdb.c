/* SPDX-License-Identifier: ISC */
/*
 * lmdb - databases made by postmap and postalias; lmdb_table(5). hash: and btree: come here too.
 * Keys and values end in a NUL, or do not: Postfix's postmap can be built or told to do either, so
 * both are tried.
 */
#include "table/lmdb_read.h"
#include "table/table_type.h"

#include <errno.h>

static void lmdb_load(struct table_content *content)
{
	struct lmdb_reader *reader;
	const char *why;
	struct slice path;

	path = slice_ends(content->name, SL(".lmdb"))
		   ? arena_dup(content->arena, content->name)
		   : arena_printf(content->arena, "%.*s.lmdb", SL_ARG(content->name));
	if (!table_content_open(content, path.p)) {
		int error = errno;

		if (error == ENOENT)
			table_content_fail(content, "open %s: No such file or directory "
						    "(postmap or postalias makes it)",
					   path.p);
		errno = error;
		return;
	}
	if (lmdb_reader_create(content->fd, &reader, &why) == LMDB_FOUND)
		content->state = reader;
	else
		table_content_fail(content, "%s: %s", path.p, why);
}

static enum table_result outcome_result(const struct table_content *content,
					enum lmdb_outcome outcome, const char *why,
					struct arena *arena, struct slice *value)
{
	if (outcome == LMDB_FOUND)
		return TABLE_FOUND;
	*value = SL_NULL;
	if (outcome == LMDB_NONE)
		return TABLE_MISSING;
	*value = arena_printf(arena, "table %.*s: %s", SL_ARG(content->spec), why);
	return TABLE_TEMP;
}

/* without_nul - values written with a NUL lose it. */
static struct slice without_nul(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\0')
		s.n--;
	return s;
}

static enum table_result lmdb_lookup(struct table_content *content, struct slice key,
				     struct arena *arena, struct slice *value)
{
	struct slice with_nul = arena_dup(arena, key);
	enum lmdb_outcome outcome = LMDB_NONE;
	const char *why = "";

	with_nul.n++;
	if (!(content->flags & TABLE_NO_NUL))
		outcome = lmdb_get(content->state, with_nul, arena, value, &why);
	if (outcome == LMDB_NONE && !(content->flags & TABLE_KEEP_NUL))
		outcome = lmdb_get(content->state, key, arena, value, &why);
	if (outcome == LMDB_FOUND)
		*value = without_nul(*value);
	return outcome_result(content, outcome, why, arena, value);
}

/* lmdb_next - *key still holds the key of the last step when *cursor is not 0. */
static enum table_result lmdb_next(struct table_content *content, size_t *cursor,
				   struct arena *arena, struct slice *key, struct slice *value)
{
	const char *why;
	enum lmdb_outcome outcome;
	struct slice last = *cursor == 0 ? SL_NULL : *key;

	/* the last step took a NUL off; arena_dup puts one behind what it copies */
	if (*cursor == 2) {
		last = arena_dup(arena, last);
		last.n++;
	}
	outcome = lmdb_after(content->state, last, arena, key, value, &why);
	if (outcome == LMDB_FOUND) {
		struct slice bare = without_nul(*key);

		*cursor = bare.n < key->n ? 2 : 1;
		*key = bare;
		*value = without_nul(*value);
	}
	return outcome_result(content, outcome, why, arena, value);
}

static void lmdb_hold(struct table_content *content)
{
	lmdb_reader_hold(content->state);
}

static bool lmdb_release(struct table_content *content)
{
	return lmdb_reader_release(content->state);
}

static void lmdb_unload(struct table_content *content)
{
	struct lmdb_reader *reader = content->state;

	lmdb_reader_destroy(&reader);
}

const struct table_type table_lmdb = {.name = "lmdb",
				      .literal_keys = true,
				      .live = true,
				      .load = lmdb_load,
				      .lookup = lmdb_lookup,
				      .hold = lmdb_hold,
				      .release = lmdb_release,
				      .next = lmdb_next,
				      .unload = lmdb_unload};
