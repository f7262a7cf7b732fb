/* SPDX-License-Identifier: ISC */
/*
 * config/problem - what is wrong with a configuration, all of it at once, each with its place.
 */
#ifndef CONFIG_PROBLEM_H
#define CONFIG_PROBLEM_H

#include "base/arena.h"

struct config_problem {
	bool fatal;		/* false: a warning, the value still counts */
	struct slice file;	/* absent: the value came from a command line or a default */
	unsigned line;		/* 1-based; 0: none */
	struct slice parameter; /* or the master.cf service; absent: the line as a whole */
	struct slice text;	/* what was read, and what is allowed */
};

/* config_problems - grows as needed; its memory, and that of the texts, is the arena's. */
struct config_problems {
	struct arena *arena;
	struct config_problem *items;
	size_t count;
	size_t size;
	size_t fatal; /* how many of them are */
};

void config_problems_init(struct config_problems *all, struct arena *arena);
/* config_problem_add - `file` and `parameter` are copied; the text is formatted. */
void config_problem_add(struct config_problems *all, bool fatal, struct slice file, unsigned line,
			struct slice parameter, const char *format, ...)
    __attribute__((format(printf, 6, 7)));
/* config_problem_text - "FILE, line N: PARAMETER: TEXT", with what is absent left out. */
struct slice config_problem_text(struct arena *arena, const struct config_problem *problem);

#endif
