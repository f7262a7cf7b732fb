/* SPDX-License-Identifier: ISC */
/*
 * token - what may stand on the right side of an alias, in a .forward or an :include: file
 * (aliases(5)): addresses, "|command", /file/name, :include:/file, \user. Pure.
 */
#ifndef LOCAL_TOKEN_H
#define LOCAL_TOKEN_H

#include "base/arena.h"

enum token_kind {
	TOKEN_ADDRESS, /* text: internal form; may lack a domain */
	TOKEN_LITERAL, /* \user: the same, not to be expanded any more */
	TOKEN_COMMAND, /* text: behind the bar */
	TOKEN_FILE,    /* text: absolute name; a / at its end: maildir */
	TOKEN_INCLUDE  /* text: the file's name */
};

struct token {
	enum token_kind kind;
	struct slice text;
};

struct tokens {
	struct token *items;
	size_t count;
	bool truncated; /* there were more than `max` */
};

/* token_list - of an alias' value: all lines of `text` together. */
void token_list(struct arena *arena, struct slice text, size_t max, struct tokens *out);
/* token_file - of a file's content: lines that begin with # are comments. */
void token_file(struct arena *arena, struct slice text, size_t max, struct tokens *out);

#endif
