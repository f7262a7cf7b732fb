/* SPDX-License-Identifier: ISC */
/*
 * source - the text that tables are made from: logical lines, keys and values (postmap(1), "input
 * file format"). Pure: bytes in, slices out.
 */
#ifndef TABLE_SOURCE_H
#define TABLE_SOURCE_H

#include "base/arena.h"
#include "base/slice.h"

struct source {
	struct slice rest;
	unsigned line;  /* physical lines read so far */
	unsigned first; /* number of the current logical line's first physical line */
};

enum source_line {
	SOURCE_LINE,    /* a logical line */
	SOURCE_INDENTED, /* the first line of the text is indented: it continues nothing; skip it */
	SOURCE_END
};

void source_init(struct source *source, struct slice text);

/*
 * source_next - the next logical line: a line and those after it that begin with white space, joined
 * without their line ends; empty lines and comments (# first) left out, in between too. White space
 * at the end is gone. A line that had to be joined is in the arena, else *line points into the text.
 */
enum source_line source_next(struct source *source, struct arena *arena, struct slice *line);

enum source_split {
	SPLIT_OK,
	SPLIT_UNBALANCED, /* an opening " without its end */
	SPLIT_NO_VALUE,
};

/*
 * source_split - key and value of a line. White space within "" belongs to the key, \ quotes the
 * next byte there; quotes and backslashes stay in the key. Both are parts of `line`.
 */
enum source_split source_split(struct slice line, struct slice *key, struct slice *value);

/*
 * source_braced - the text within { } around all of `text`, without white space at either end; false
 * when it is not in braces that belong together.
 */
bool source_braced(struct slice text, struct slice *inside);

/*
 * source_word - cut the next word off *rest: words end at white space and commas, except within {}.
 * A word with unbalanced braces runs to the end. False when nothing is left.
 */
bool source_word(struct slice *rest, struct slice *word);

#endif
