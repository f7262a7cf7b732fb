/* SPDX-License-Identifier: ISC */
/*
 * template - the % language of the tables that ask a server: `query`, `query_filter`, `search_base`
 * and `result_format` of ldap_table(5), mysql_table(5), pgsql_table(5), sqlite_table(5). Pure.
 *
 *   %s %u %d   all of a text, its local part, its domain: of the key in a query, of the value in a
 *              result format
 *   %S %U %D   the same of the key, in both
 *   %1 .. %9   labels of the key's domain, %1 the last one; empty labels do not count
 *   %%         a per cent sign
 *
 * The last @ parts an address. A text without one is its own local part and has no domain; an empty
 * part counts as one that is not there. A template that asks for what is not there gives nothing.
 */
#ifndef COMMON_TEMPLATE_H
#define COMMON_TEMPLATE_H

#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

/* A key, or a value, and its parts; they point into it. */
struct lookup_text {
	struct slice all;
	struct slice local;
	struct slice domain;
	bool qualified; /* there is an @ */
};

void lookup_text_split(struct slice text, struct lookup_text *out);
/* lookup_text_is_utf8 - well-formed, and without a NUL: what a server that wants UTF-8 can be
 * asked. */
bool lookup_text_is_utf8(const struct lookup_text *text);

/*
 * template_check - true when every % begins one of the above. When not, *bad is what it begins: the
 * % and the byte behind it.
 */
bool template_check(struct slice template, struct slice *bad);

/*
 * template_fits_query, template_fits_result - has the key all parts that the template takes from
 * the key? When not, nobody needs to be asked.
 */
bool template_fits_query(struct slice template, const struct lookup_text *key);
bool template_fits_result(struct slice template, const struct lookup_text *key);

/*
 * What makes a part of the key safe for the language of the query: appends it to `out`, escaped.
 * False: it cannot be said in that language.
 */
typedef bool template_quote(void *context, struct slice part, struct buffer *out);

/*
 * template_query - append the query for a key. RES_PERM: the key lacks a part, or cannot be quoted:
 * no server has it. RES_TEMP: the query is longer than the buffer may get.
 */
enum result template_query(struct slice template, const struct lookup_text *key,
			   template_quote *quote, void *context, struct buffer *out);

/*
 * template_result - append what the result format makes of one value. False, and nothing is
 * appended: the value is empty, or lacks a part, or the key does, or the buffer is full
 * (buffer_overflowed).
 */
bool template_result(struct slice template, const struct lookup_text *key, struct slice value,
		     struct buffer *out);

#endif
