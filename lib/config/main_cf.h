/* SPDX-License-Identifier: ISC */
/*
 * config/main_cf - main.cf as text: logical lines `name = value`. Pure; nothing is expanded here.
 *
 * A line that begins with white space continues the one before; empty lines and lines whose first
 * visible byte is `#` are skipped wherever they stand, and do not end a logical line. The pieces of
 * a continued line are joined as they are, the line break dropped.
 */
#ifndef CONFIG_MAIN_CF_H
#define CONFIG_MAIN_CF_H

#include "config/problem.h"

/* Where a logical line lies in the file, for what edits it. */
struct logical_line {
	struct slice text; /* joined, white space at the end taken off */
	unsigned first;	   /* number of its first physical line, 1-based */
	size_t begin;	   /* byte range in the file: from its first physical line ... */
	size_t end;	   /* ... up to behind the line break of its last one */
};

struct line_reader {
	struct slice rest;
	size_t offset;
	unsigned number;
};

void line_reader_init(struct line_reader *reader, struct slice text);
/* line_reader_next - the next logical line, its text in the arena; false at the end. */
bool line_reader_next(struct line_reader *reader, struct arena *arena, struct logical_line *line);

/*
 * main_cf_split - `name = value`, white space around both taken off. NULL, or what is wrong with
 * the line, as Postfix words it ("missing '=' after attribute name", "missing attribute name").
 */
const char *main_cf_split(struct slice text, struct slice *name, struct slice *value);

struct main_cf_entry {
	struct slice name;
	struct slice value; /* as written, never absent */
	unsigned line;
};

struct main_cf {
	struct slice file;
	struct main_cf_entry
	    *entries; /* in file order; a repeated name stands once, with its last value */
	size_t count;
};

/* What is said of a first line that looks like a continued one; it is skipped, as in Postfix. */
#define LINE_BEGINS_WITH_SPACE "logical line must not start with whitespace"

/*
 * main_cf_parse - `text` must live as long as the arena. A name given twice: a warning. A line that
 * is no `name = value`: a fatal problem; the others are still read.
 */
void main_cf_parse(struct slice text, struct slice file, struct arena *arena,
		   struct config_problems *problems, struct main_cf *out);
/* main_cf_find - NULL when the file does not have the name. */
const struct main_cf_entry *main_cf_find(const struct main_cf *cf, struct slice name);

#endif
