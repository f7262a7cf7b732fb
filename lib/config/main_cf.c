/* SPDX-License-Identifier: ISC */
#include "config/main_cf.h"

#include "base/buffer.h"
#include "base/map.h"

void line_reader_init(struct line_reader *reader, struct slice text)
{
	*reader = (struct line_reader){.rest = text, .number = 1};
}

/* physical - the next physical line, its line break in *size but not in the slice. */
static bool physical(struct slice rest, struct slice *line, size_t *size)
{
	ssize_t at = slice_find(rest, '\n');

	if (rest.n == 0)
		return false;
	*line = at < 0 ? rest : slice_sub(rest, 0, (size_t)at);
	*size = at < 0 ? rest.n : (size_t)at + 1;
	return true;
}

static bool is_skipped(struct slice line)
{
	struct slice seen = slice_trim(line);

	return seen.n == 0 || seen.p[0] == '#';
}

static void advance(struct line_reader *reader, size_t size)
{
	reader->rest = slice_from(reader->rest, size);
	reader->offset += size;
	reader->number++;
}

static bool skip_to_first(struct line_reader *reader, struct slice *line, size_t *size)
{
	while (physical(reader->rest, line, size)) {
		if (!is_skipped(*line))
			return true;
		advance(reader, *size);
	}
	return false;
}

bool line_reader_next(struct line_reader *reader, struct arena *arena, struct logical_line *out)
{
	struct line_reader look;
	struct buffer joined;
	struct slice line;
	size_t size;

	if (!skip_to_first(reader, &line, &size))
		return false;
	buffer_init(&joined, reader->rest.n); /* a line is no longer than its file */
	buffer_append(&joined, line);
	*out = (struct logical_line){.first = reader->number, .begin = reader->offset};
	advance(reader, size);
	out->end = reader->offset;
	/* Comments inside belong to the line only when a continuation follows them. */
	look = *reader;
	while (physical(look.rest, &line, &size)) {
		bool skipped = is_skipped(line);

		if (!skipped && !ascii_isspace(line.p[0]))
			break;
		advance(&look, size);
		if (skipped)
			continue;
		buffer_append(&joined, line);
		*reader = look;
		out->end = look.offset;
	}
	out->text = slice_rtrim(arena_dup(arena, buffer_slice(&joined)));
	buffer_free(&joined);
	return true;
}

const char *main_cf_split(struct slice text, struct slice *name, struct slice *value)
{
	struct slice all = slice_trim(text);
	size_t n = 0;

	while (n < all.n && !ascii_isspace(all.p[n]) && all.p[n] != '=')
		n++;
	*name = slice_sub(all, 0, n);
	all = slice_trim(slice_from(all, n));
	if (name->n == 0)
		return "missing attribute name";
	if (all.n == 0 || all.p[0] != '=')
		return "missing '=' after attribute name";
	*value = slice_trim(slice_from(all, 1));
	return NULL;
}

static void add_entry(struct main_cf *cf, size_t *size, struct arena *arena,
		      struct main_cf_entry entry)
{
	if (cf->count == *size) {
		size_t more = *size ? 2 * *size : 64;
		struct main_cf_entry *entries = ARENA_ARRAY(arena, more, struct main_cf_entry);

		if (cf->count > 0)
			memcpy(entries, cf->entries, cf->count * sizeof(*entries));
		cf->entries = entries;
		*size = more;
	}
	cf->entries[cf->count++] = entry;
}

/* place_of - of an entry, as a pointer that a map can hold: its index plus one. */
static void *place_of(size_t index)
{
	return (void *)(uintptr_t)(index + 1);
}

void main_cf_parse(struct slice text, struct slice file, struct arena *arena,
		   struct config_problems *problems, struct main_cf *out)
{
	struct map *seen = map_create();
	struct line_reader reader;
	struct logical_line line;
	size_t size = 0;

	*out = (struct main_cf){.file = file};
	line_reader_init(&reader, text);
	while (line_reader_next(&reader, arena, &line)) {
		struct main_cf_entry entry = {.line = line.first};
		const char *wrong = main_cf_split(line.text, &entry.name, &entry.value);
		uintptr_t place;

		if (ascii_isspace(line.text.p[0])) {
			config_problem_add(problems, false, file, line.first, SL_NULL, "%s: \"%.*s\"",
					   LINE_BEGINS_WITH_SPACE, SL_ARG(line.text));
			continue;
		}
		if (slice_find(line.text, '\0') >= 0)
			wrong = "a NUL byte in the line";
		if (wrong) {
			config_problem_add(problems, true, file, line.first, SL_NULL,
					   "%s: \"%.*s\" (allowed: name = value)", wrong,
					   SL_ARG(line.text));
			continue;
		}
		entry.value = arena_dup(arena, entry.value);
		place = (uintptr_t)map_get(seen, entry.name);
		if (place == 0) {
			map_put(seen, entry.name, place_of(out->count));
			add_entry(out, &size, arena, entry);
			continue;
		}
		config_problem_add(problems, false, file, line.first, SL_NULL,
				   "overriding earlier entry: %.*s=%.*s", SL_ARG(entry.name),
				   SL_ARG(out->entries[place - 1].value));
		out->entries[place - 1] = entry;
	}
	map_destroy(&seen);
}

const struct main_cf_entry *main_cf_find(const struct main_cf *cf, struct slice name)
{
	for (size_t i = 0; i < cf->count; i++)
		if (slice_eq(cf->entries[i].name, name))
			return &cf->entries[i];
	return NULL;
}
