/* SPDX-License-Identifier: ISC */
/* map_source - the logical lines of a table's source, read a piece at a time: it may be of any size. */
#ifndef COMMANDS_MAP_SOURCE_H
#define COMMANDS_MAP_SOURCE_H

#include "table/source.h"

struct map_source {
	const char *name; /* for messages */
	int fd;		  /* the caller's */
	char *text;	  /* `have` bytes that were read, of which `source` has the first, whole lines */
	size_t have;
	size_t room;
	size_t whole;
	bool ended;
	struct source source;
};

void map_source_open(struct map_source *s, const char *name, int fd);
/* map_source_next - as source_next(); `line` is good until the next call. source.first is its number. */
enum source_line map_source_next(struct map_source *s, struct arena *arena, struct slice *line);
void map_source_close(struct map_source *s);

#endif
