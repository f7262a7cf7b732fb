/* SPDX-License-Identifier: ISC */
/* literal - tables with literal keys that are held in memory: texthash, inline. */
#include "base/map.h"
#include "table/file_value.h"
#include "table/source.h"
#include "table/table_type.h"

struct entry {
	struct slice key;
	struct slice value;
};

struct literal {
	struct map *map; /* key -> struct entry */
	struct arena *arena;
	struct entry **order;
	size_t count;
	size_t size;
};

static struct literal *literal_create(struct table_content *content)
{
	struct literal *literal = ARENA_NEW(content->arena, struct literal);

	literal->map = map_create();
	literal->arena = content->arena;
	content->state = literal;
	return literal;
}

static void literal_unload(struct table_content *content)
{
	struct literal *literal = content->state;

	map_destroy(&literal->map);
}

static void remember(struct literal *literal, struct entry *entry)
{
	if (literal->count == literal->size) {
		size_t size = literal->size ? literal->size * 2 : 32;
		struct entry **order = ARENA_ARRAY(literal->arena, size, struct entry *);

		if (literal->count > 0)
			memcpy(order, literal->order, literal->count * sizeof(*order));
		literal->order = order;
		literal->size = size;
	}
	literal->order[literal->count++] = entry;
}

/* literal_put - false when the key is there already; then only `replace` changes its value. */
static bool literal_put(struct table_content *content, struct slice key, struct slice value,
			bool replace)
{
	struct literal *literal = content->state;
	struct entry *entry;

	if (content->flags & (TABLE_FOLD | TABLE_FOLD_ALL))
		key = table_content_fold(content, content->arena, key);
	entry = map_get(literal->map, key);
	if (entry != NULL) {
		if (replace)
			entry->value = arena_dup(content->arena, value);
		return false;
	}
	entry = ARENA_NEW(content->arena, struct entry);
	entry->key = arena_dup(content->arena, key);
	entry->value = arena_dup(content->arena, value);
	map_put(literal->map, entry->key, entry);
	remember(literal, entry);
	return true;
}

static enum table_result literal_lookup(struct table_content *content, struct slice key,
					struct arena *arena, struct slice *value)
{
	struct literal *literal = content->state;
	struct entry *entry = map_get(literal->map, key);

	if (entry == NULL)
		return TABLE_MISSING;
	*value = arena_dup(arena, entry->value);
	return TABLE_FOUND;
}

static enum table_result literal_next(struct table_content *content, size_t *cursor,
				      struct arena *arena, struct slice *key, struct slice *value)
{
	struct literal *literal = content->state;

	if (*cursor >= literal->count)
		return TABLE_MISSING;
	*key = arena_dup(arena, literal->order[*cursor]->key);
	*value = arena_dup(arena, literal->order[*cursor]->value);
	++*cursor;
	return TABLE_FOUND;
}

static const char *source_name(const struct table_content *content)
{
	return content->path != NULL ? content->path : "inline text";
}

/* texthash_line - a duplicate key spoils the table, unless it is only to be warned of. */
static void texthash_line(struct table_content *content, const struct source *source,
			  struct slice line)
{
	const char *problem = NULL;
	struct slice key, value;

	switch (source_split(line, &key, &value)) {
	case SPLIT_UNBALANCED:
		problem = "unbalanced \" -- ignoring this line";
		break;
	case SPLIT_NO_VALUE:
		problem = "expected format: key whitespace value -- ignoring this line";
		break;
	case SPLIT_OK:
		if (key.p[key.n - 1] == ':')
			table_set_warn(content->set,
				       "%s, line %u: record is in \"key: value\" format; "
				       "is this an alias file?",
				       source_name(content), source->first);
		if ((content->flags & TABLE_FILES) && !file_value_encode(value, content->arena, &value)) {
			table_set_warn(content->set, "%s, line %u: %.*s: skipping this entry", source_name(content),
				       source->first, SL_ARG(value));
			return;
		}
		if (literal_put(content, key, value, false))
			return;
		if (!(content->flags & TABLE_DUP_WARN)) {
			table_content_fail(content, "%s, line %u: duplicate entry: \"%.*s\"",
					   source_name(content), source->first, SL_ARG(key));
			return;
		}
		table_set_warn(content->set, "%s, line %u: duplicate entry: \"%.*s\"", source_name(content),
			       source->first, SL_ARG(key));
		return;
	}
	table_set_warn(content->set, "%s, line %u: %s", source_name(content), source->first, problem);
}

static void texthash_load(struct table_content *content)
{
	struct source source;
	struct slice text, line;
	enum source_line kind;

	if (!table_content_text(content, &text))
		return;
	literal_create(content);
	source_init(&source, text);
	while ((kind = source_next(&source, content->arena, &line)) != SOURCE_END) {
		if (kind == SOURCE_LINE)
			texthash_line(content, &source, line);
		else
			table_set_warn(content->set,
				       "%s, line %u: logical line must not start with white space",
				       source_name(content), source.first);
	}
}

/* inline_entry - "key=value" or "{ key = value }"; white space around either is dropped. */
static bool inline_entry(struct table_content *content, struct slice word)
{
	bool braced = source_braced(word, &word);
	ssize_t equals = slice_find(word, '=');
	struct slice key, value;

	if (equals <= 0)
		return false;
	key = slice_sub(word, 0, (size_t)equals);
	value = slice_from(word, (size_t)equals + 1);
	if (braced) {
		key = slice_trim(key);
		value = slice_trim(value);
	}
	if (key.n == 0)
		return false;
	if (!table_content_files(content, &value))
		return false;
	literal_put(content, key, value, true);
	return true;
}

static void inline_load(struct table_content *content)
{
	struct slice rest, word;
	bool any = false;

	if (!source_braced(content->name, &rest)) {
		table_content_fail(content, "bad syntax: need \"inline:{ key=value, ... }\"");
		return;
	}
	literal_create(content);
	while (source_word(&rest, &word)) {
		any = true;
		if (!inline_entry(content, word)) {
			if (!slice_is_null(content->error))
				return;
			table_content_fail(content, "bad entry \"%.*s\": need key=value",
					   SL_ARG(word));
			return;
		}
	}
	if (!any)
		table_content_fail(content, "bad syntax: empty table");
}

const struct table_type table_texthash = {.name = "texthash",
					  .literal_keys = true,
					  .load = texthash_load,
					  .lookup = literal_lookup,
					  .next = literal_next,
					  .unload = literal_unload};
const struct table_type table_inline = {.name = "inline",
					.literal_keys = true,
					.load = inline_load,
					.lookup = literal_lookup,
					.next = literal_next,
					.unload = literal_unload};
