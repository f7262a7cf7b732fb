/* SPDX-License-Identifier: ISC */
#include "table/source.h"
#include "base/buffer.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

void source_init(struct source *source, struct slice text)
{
	*source = (struct source){.rest = text};
}

/* take_line - one physical line without its line end. */
static struct slice take_line(struct source *source)
{
	ssize_t end = slice_find(source->rest, '\n');
	size_t n = end < 0 ? source->rest.n : (size_t)end;
	struct slice line = slice_sub(source->rest, 0, n);

	source->rest = slice_from(source->rest, end < 0 ? n : n + 1);
	source->line++;
	return line;
}

static bool is_ignored(struct slice line)
{
	struct slice text = slice_trim(line);

	return text.n == 0 || text.p[0] == '#';
}

/* peek_continues - is the next physical line that counts a continuation? Stands before it then. */
static bool peek_continues(struct source *source)
{
	while (source->rest.n > 0) {
		struct source ahead = *source;
		struct slice line = take_line(&ahead);

		if (!is_ignored(line))
			return is_blank(line.p[0]);
		*source = ahead;
	}
	return false;
}

/* join - the current line and its continuations, in one piece. */
static struct slice join(struct source *source, struct arena *arena, struct slice first)
{
	struct buffer all;
	struct slice line;

	buffer_init(&all, SIZE_MAX / 2);
	buffer_append(&all, first);
	do
		buffer_append(&all, take_line(source));
	while (peek_continues(source));
	line = arena_dup(arena, buffer_slice(&all));
	buffer_free(&all);
	return line;
}

enum source_line source_next(struct source *source, struct arena *arena, struct slice *line)
{
	enum source_line kind;

	*line = SL_NULL;
	do {
		if (source->rest.n == 0)
			return SOURCE_END;
		*line = take_line(source);
	} while (is_ignored(*line));
	source->first = source->line;
	kind = is_blank(line->p[0]) ? SOURCE_INDENTED : SOURCE_LINE;
	if (peek_continues(source))
		*line = join(source, arena, *line);
	*line = slice_rtrim(*line);
	return kind;
}

enum source_split source_split(struct slice line, struct slice *key, struct slice *value)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < line.n; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		else if (quoted && line.p[i] == '\\' && i + 1 < line.n)
			i++;
		else if (!quoted && ascii_isspace(line.p[i]))
			break;
	}
	*key = slice_sub(line, 0, i);
	*value = slice_trim(slice_from(line, i));
	if (quoted)
		return SPLIT_UNBALANCED;
	return key->n == 0 || value->n == 0 ? SPLIT_NO_VALUE : SPLIT_OK;
}

/* brace_end - index behind the } that closes the { at the front; 0 when there is none. */
static size_t brace_end(struct slice text)
{
	size_t depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '{')
			depth++;
		else if (text.p[i] == '}' && --depth == 0)
			return i + 1;
		if (depth == 0)
			return 0;
	}
	return 0;
}

bool source_braced(struct slice text, struct slice *inside)
{
	text = slice_trim(text);
	if (text.n < 2 || brace_end(text) != text.n)
		return false;
	*inside = slice_trim(slice_sub(text, 1, text.n - 1));
	return true;
}

bool source_word(struct slice *rest, struct slice *word)
{
	size_t depth = 0, start = 0, i;

	while (start < rest->n && (ascii_isspace(rest->p[start]) || rest->p[start] == ','))
		start++;
	for (i = start; i < rest->n; i++) {
		char c = rest->p[i];

		if (c == '{')
			depth++;
		else if (c == '}' && depth > 0)
			depth--;
		else if (depth == 0 && (ascii_isspace(c) || c == ','))
			break;
	}
	*word = slice_sub(*rest, start, i);
	*rest = slice_from(*rest, i);
	return word->n > 0;
}
