/* SPDX-License-Identifier: ISC */
/*
 * alias_line - one logical line of an aliases(5) file, "name: value, value", by the lexical rules of
 * RFC 822. Pure.
 */
#ifndef TABLE_ALIAS_LINE_H
#define TABLE_ALIAS_LINE_H

#include "base/arena.h"
#include "base/slice.h"

enum alias_line {
	ALIAS_OK,
	ALIAS_NO_PAIR,  /* no name, no colon, or no value */
	ALIAS_NOT_LOCAL /* the name has an "@" that is not quoted */
};

/*
 * alias_line_parse - *name without its quotes, case kept; *value in standard form: one space after a
 * comma and between words, none elsewhere; comments, quoted strings stay. Both in the arena.
 */
enum alias_line alias_line_parse(struct slice line, struct arena *arena, struct slice *name,
				 struct slice *value);

#endif
