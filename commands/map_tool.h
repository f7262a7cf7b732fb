/* SPDX-License-Identifier: ISC */
/*
 * map_tool - what postmap and postalias share: options, queries, listing, deleting, and making an
 * LMDB file from a source. They differ in how a source line is read and an entry is shown.
 */
#ifndef COMMANDS_MAP_TOOL_H
#define COMMANDS_MAP_TOOL_H

#include "commands/command.h"
#include "table/table.h"

/* One line of a source was understood, is to be left out, or ends the work. */
enum map_line { MAP_LINE_OK, MAP_LINE_SKIP };

struct map_tool {
	const char *options;   /* getopt's */
	const char *usage;     /* what stands behind "usage: NAME " */
	const char *separator; /* between key and value of what is printed */
	bool aliases;
	/* parse - key and value of a logical line, into the arena; a warning was given when skipped. */
	enum map_line (*parse)(const char *file, unsigned line_number, struct slice line,
			       struct arena *arena, struct slice *key, struct slice *value);

	/* from the command line */
	struct command command;
	const char *query;
	const char *delete;
	bool list;
	bool incremental;
	bool keep_case;
	bool keep_root;
	bool default_mode;
	bool replace;
	bool ignore_existing;
	bool file_content; /* -F */
	bool nul;
	bool no_nul;
	bool json;
	bool mime;
	bool no_utf8;	   /* -u */
	bool utf8_content; /* -U: headers and bodies are checked, too */
	/* -h, -b: what `-q -` reads is a message, and its headers, the lines of its body, or both are the keys */
	bool headers;
	bool body;

	struct table_set *set;
	struct table_remote *remote;
};

int map_tool_main(struct map_tool *tool, int argc, char **argv);

void map_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void map_fatal(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* map_query - print the first value of `query` ("-": of every key from standard input). */
int map_query(struct map_tool *tool, char **maps);
int map_list(struct map_tool *tool, char **maps);
/* map_build, map_delete - only lmdb (and hash, btree, which stand for it). */
void map_build(struct map_tool *tool, const char *map);
int map_delete(struct map_tool *tool, char **maps);

/* map_print_entry, map_print_value - of -s and -q: a line each. */
void map_print_entry(const struct map_tool *tool, struct slice key, struct slice value);
void map_print_value(const struct map_tool *tool, struct slice key, struct slice value);

/* map_checks_utf8 - keys, values and sources have to be UTF-8. */
bool map_checks_utf8(const struct map_tool *tool);

/* map_read_line - a line of standard input without its end; false at end of file. */
bool map_read_line(struct arena *arena, struct slice *line);

#endif
