/* SPDX-License-Identifier: ISC */
/*
 * list - the address lists of To:, Cc:, From: and the like (RFC 5322 3.4, with its obsolete forms
 *and what people write). The parser only finds addresses and says where their bytes are; comments,
 * display names, groups, commas and folding are left where they stand, so a rewriting pass replaces
 * single addresses and every byte that it did not replace survives.
 *
 *	address_list_parse(arena, body, 0, &list);
 *	for (size_t i = 0; i < list.count; i++)
 *		if (rewrite(list.items[i].address, &new))
 *			list.items[i].replacement = new;
 *	body = address_list_render(arena, &list);	(the same slice when nothing was replaced)
 */
#ifndef ADDRESS_LIST_H
#define ADDRESS_LIST_H

#include "base/arena.h"

struct address_item {
	struct slice raw; /* where it stands in the body: what lies inside <> or a bare addr-spec */
	struct slice address; /* internal form; source route and comments gone; may lack a domain */
	struct slice name;    /* display name as written, trimmed; null slice when there is none */
	bool angle;	      /* stood in <> */
	bool quoted_local;    /* its local part was a quoted string */
	bool in_group;	      /* stands inside "group: ... ;" */
	struct slice
	    replacement; /* for the caller: new address, internal form; or the null slice */
};

struct address_list {
	struct slice body;
	struct address_item *items;
	size_t count;
	bool truncated; /* there were more than `max` addresses; those behind are not listed */
	bool malformed; /* an unclosed quote, comment, <, or stray bytes: read as well as it goes */
};

/*
 * address_list_parse - every address of a header body (folded or not, with or without its last line
 * end). `max` bounds the count, 0 means 100,000. "<>" is no item. Words that stand side by side
 * without a comma are separate addresses unless "<" follows them.
 */
void address_list_parse(struct arena *arena, struct slice body, size_t max,
			struct address_list *out);
/* address_list_render - the body with each item that has a replacement (quoted here) put in place.
 */
struct slice address_list_render(struct arena *arena, const struct address_list *list);
/* address_list_skip - end of the comment, quoted string or literal that begins at s.p[at], or s.n
 * when it does not end. For scanners of other structured headers. */
size_t address_list_skip(struct slice s, size_t at);

#endif
