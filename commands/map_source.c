/* SPDX-License-Identifier: ISC */
#include "commands/map_source.h"
#include "commands/map_tool.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE ((size_t)1 << 20)
/* A logical line is never longer; what holds one is at most twice as large. */
#define LINE_LIMIT ((size_t)1 << 30)

void map_source_open(struct map_source *s, const char *name, int fd)
{
	*s = (struct map_source){.name = name, .fd = fd};
}

void map_source_close(struct map_source *s)
{
	free(s->text);
	s->text = NULL;
}

/* begins_line - a physical line with this byte in front continues nothing, whatever came before it. */
static bool begins_line(char c)
{
	return !ascii_isspace(c) && c != '#';
}

/* whole_lines - the bytes in front that are logical lines with their ends. */
static size_t whole_lines(const struct map_source *s)
{
	if (s->ended)
		return s->have;
	for (size_t i = s->have; i > 1; i--)
		if (s->text[i - 2] == '\n' && begins_line(s->text[i - 1]))
			return i - 1;
	return 0;
}

static void make_room(struct map_source *s)
{
	if (s->room - s->have >= PIECE)
		return;
	if (s->have >= LINE_LIMIT)
		map_fatal("%s: a line is too long", s->name);
	s->room = s->room > 0 ? 2 * s->room : 2 * PIECE;
	s->text = realloc(s->text, s->room);
	if (s->text == NULL)
		map_fatal("out of memory");
}

static void read_piece(struct map_source *s)
{
	ssize_t n;

	make_room(s);
	n = os_read(s->fd, s->text + s->have, PIECE);
	if (n < 0)
		map_fatal("read %s: %s", s->name, strerror(errno));
	s->have += (size_t)n;
	s->ended = n == 0;
}

/* refill - false: there is nothing more. */
static bool refill(struct map_source *s)
{
	if (s->ended)
		return false;
	s->have -= s->whole;
	if (s->have > 0)
		memmove(s->text, s->text + s->whole, s->have);
	do
		read_piece(s);
	while ((s->whole = whole_lines(s)) == 0 && !s->ended);
	s->source.rest = slice(s->text, s->whole);
	return true;
}

enum source_line map_source_next(struct map_source *s, struct arena *arena, struct slice *line)
{
	enum source_line kind;

	while ((kind = source_next(&s->source, arena, line)) == SOURCE_END)
		if (!refill(s))
			break;
	return kind;
}
