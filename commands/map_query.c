/* SPDX-License-Identifier: ISC */
/* map_query - ask tables and list them. */
#include "base/buffer.h"
#include "address/utf8.h"
#include "commands/map_batch.h"
#include "commands/map_content.h"
#include "commands/map_tool.h"
#include "table/file_value.h"

#include <stdio.h>
#include <stdlib.h>

/* A line that is longer is cut somewhere. */
#define LINE_LIMIT ((size_t)1 << 30)
/* A logical header that is longer is cut here. */
#define HEADER_LIMIT ((size_t)1024 * 1024)
/* How deep parts of a message are followed, and how much of a boundary is compared. */
#define MIME_NESTING 100
#define MIME_BOUNDARY 2048

struct query {
	struct map_tool *tool;
	struct table **tables;
	size_t count;
	struct arena *arena; /* of one key */
	bool utf8;	     /* keys and values have to be that */
};

bool map_read_line(struct arena *arena, struct slice *line)
{
	struct buffer whole;
	char part[512];
	size_t n = 0;
	int c = EOF;

	buffer_init(&whole, LINE_LIMIT);
	while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
		if (n == sizeof(part)) {
			buffer_append(&whole, slice(part, n));
			n = 0;
		}
		part[n++] = (char)c;
	}
	if (c == EOF && n == 0 && whole.len == 0)
		return false;
	if (whole.len > 0 && buffer_append(&whole, slice(part, n)))
		*line = arena_dup(arena, buffer_slice(&whole));
	else
		*line = arena_dup(arena, slice(part, n));
	buffer_free(&whole);
	return true;
}

static unsigned table_flags(const struct map_tool *tool)
{
	unsigned flags = TABLE_DUP_WARN;

	if (!tool->keep_case)
		flags |= TABLE_FOLD;
	if (tool->nul)
		flags |= TABLE_KEEP_NUL;
	if (tool->no_nul)
		flags |= TABLE_NO_NUL;
	if (tool->file_content)
		flags |= TABLE_FILES;
	if (!map_checks_utf8(tool))
		flags |= TABLE_ASCII;
	return flags;
}

/* open_all - one that cannot be used ends the program when it is asked, not before. */
static void open_all(struct map_tool *tool, char **maps, struct query *query)
{
	size_t count = 0;

	while (maps[count] != NULL)
		count++;
	*query = (struct query){.tool = tool, .count = count, .arena = arena_create(), .utf8 = map_checks_utf8(tool)};
	query->tables = ARENA_ARRAY(tool->command.arena, count, struct table *);
	for (size_t i = 0; i < count; i++)
		query->tables[i] = table_open(tool->set, slice_str(maps[i]), table_flags(tool));
}

/* check_value - a warning where there is nothing in it; the end where it is not what it has to be. */
static void check_value(const struct query *query, struct slice name, struct slice key, struct slice *value)
{
	if (value->n == 0)
		map_warn("table %.*s: key %.*s: empty string result is not allowed; the table should say \"not found\"",
			 SL_ARG(name), SL_ARG(key));
	if (query->utf8 && !utf8_valid(*value))
		map_fatal("table %.*s: key %.*s: the value is not UTF-8 (-u allows that)", SL_ARG(name), SL_ARG(key));
	if (query->tool->file_content && !file_value_decode(*value, query->arena, value))
		map_fatal("table %.*s: key %.*s: the value is not base64", SL_ARG(name), SL_ARG(key));
}

/* look_up - the first table that has the key; a table that cannot answer ends the program. */
static bool look_up(const struct query *query, struct slice key, struct slice *value)
{
	if (query->utf8 && !utf8_valid(key)) {
		map_warn("the key is not UTF-8, so no table has it (-u allows such keys): %.*s", SL_ARG(key));
		return false;
	}
	for (size_t i = 0; i < query->count; i++) {
		switch (table_lookup(query->tables[i], key, query->arena, value)) {
		case TABLE_MISSING:
			continue;
		case TABLE_TEMP:
			map_fatal("%.*s", SL_ARG(*value));
		case TABLE_FOUND:
			check_value(query, table_name(query->tables[i]), key, value);
			return true;
		}
	}
	return false;
}

static bool query_and_print(struct query *query, struct slice key)
{
	struct slice value;
	bool found = look_up(query, key, &value);

	if (found)
		map_print_entry(query->tool, key, value);
	return found;
}

static bool query_lines(struct query *query)
{
	struct map_batch *batch = map_batch_create(query->tables, query->count, query->utf8);
	bool found = false;

	while (map_batch_read(batch)) {
		bool answered = !query->tool->file_content && map_batch_ask(batch);

		for (size_t i = 0; i < batch->count; i++) {
			const struct map_answer *answer = &batch->answers[i];

			if (!answered) {
				found |= query_and_print(query, answer->key);
				arena_reset(query->arena);
			} else if (answer->result == TABLE_FOUND) {
				map_print_entry(query->tool, answer->key, answer->value);
				found = true;
			}
		}
	}
	map_batch_destroy(&batch);
	return found;
}

struct message {
	struct query *query;
	bool found;
};

static void message_key(void *data, struct slice key)
{
	struct message *message = data;

	/* a copy, with a NUL behind it: a sanitizer's regexec() knows no REG_STARTEND */
	message->found |= query_and_print(message->query, arena_dup(message->query->arena, key));
	arena_reset(message->query->arena);
}

/* query_message - its logical header lines, or the lines of its body. */
static bool query_message(struct query *query)
{
	const struct map_tool *tool = query->tool;
	struct message message = {.query = query};
	struct map_content content = {.headers = tool->headers,
				      .body = tool->body,
				      .mime = tool->mime,
				      .nesting_max = MIME_NESTING,
				      .boundary_max = MIME_BOUNDARY,
				      .header_max = HEADER_LIMIT,
				      .key = message_key,
				      .data = &message};

	map_content_read(&content);
	return message.found;
}

int map_query(struct map_tool *tool, char **maps)
{
	struct query query;
	struct slice value;
	bool found;

	open_all(tool, maps, &query);
	if (slice_eq(slice_str(tool->query), SL("-"))) {
		found = !tool->headers && !tool->body ? query_lines(&query)
						 : query_message(&query);
	} else {
		found = look_up(&query, slice_str(tool->query), &value);
		if (found)
			map_print_value(tool, slice_str(tool->query), value);
	}
	arena_destroy(&query.arena);
	return found ? 0 : 1;
}

/* list_table - two arenas in turn, for the last key is needed to find the next. */
static void list_table(struct map_tool *tool, struct table *table)
{
	struct arena *arenas[2] = {arena_create(), arena_create()};
	struct slice key = SL_NULL, value;
	enum table_result result = TABLE_FOUND;
	size_t cursor = 0;

	for (unsigned turn = 0; result == TABLE_FOUND; turn = !turn) {
		arena_reset(arenas[turn]);
		result = table_next(table, &cursor, arenas[turn], &key, &value);
		if (result == TABLE_TEMP)
			map_fatal("%.*s", SL_ARG(value));
		if (result != TABLE_FOUND)
			break;
		if (tool->file_content && !file_value_decode(value, arenas[turn], &value))
			map_fatal("key %.*s: the value is not base64", SL_ARG(key));
		map_print_entry(tool, key, value);
	}
	arena_destroy(&arenas[0]);
	arena_destroy(&arenas[1]);
}

int map_list(struct map_tool *tool, char **maps)
{
	struct query query;

	open_all(tool, maps, &query);
	for (size_t i = 0; i < query.count; i++)
		list_table(tool, query.tables[i]);
	arena_destroy(&query.arena);
	return 0;
}
