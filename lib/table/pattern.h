/* SPDX-License-Identifier: ISC */
/*
 * pattern - what regexp, pcre and cidr tables have in common: rules in order, if and endif, ! for "does
 * not match", results with $number.
 */
#ifndef TABLE_PATTERN_H
#define TABLE_PATTERN_H

#include "table/needle.h"
#include "table/table_type.h"

struct pattern_rule {
	enum { RULE_RESULT, RULE_IF, RULE_ENDIF } kind;
	bool negated;
	bool substitutes;    /* the result holds $number or $$ */
	unsigned line;
	size_t end;          /* RULE_IF: index of its endif, or the number of rules */
	struct slice result; /* RULE_RESULT */
	void *matcher;       /* of the type; NULL for RULE_ENDIF */
	struct needle needle; /* compile may set it: without this in a key there is no match */
};

struct pattern_table {
	struct pattern_rule *rules;
	size_t count;
	size_t size;
	size_t needles; /* rules that have one */
	void *shared; /* of the type */
};

/* The parts of the key that () in a pattern matched; [0] is the whole match. */
#define PATTERN_GROUPS 32
struct pattern_match {
	size_t count;
	struct slice group[PATTERN_GROUPS];
};

enum pattern_outcome {
	PATTERN_NO,
	PATTERN_YES,
	PATTERN_OTHER, /* the key is of another kind: neither the pattern nor its negation fits */
	PATTERN_ERROR
};

struct pattern_type {
	/*
	 * compile - the pattern at the front of *rest, moved past it. `rule` has negated set. NULL:
	 * the rule is left out, a warning was given with pattern_warn.
	 */
	void *(*compile)(struct table_content *content, struct pattern_rule *rule,
			 struct slice *rest);
	/* match - `groups` may be NULL when they are not wanted. */
	enum pattern_outcome (*match)(struct table_content *content, void *matcher, struct slice key,
				      struct pattern_match *groups);
	/* begin - look at the key before the first rule; NULL: nothing to do. False: never matches. */
	bool (*begin)(struct table_content *content, struct slice key);
	/* groups - how many () the pattern has; NULL: results are not expanded. */
	unsigned (*groups)(const void *matcher);
	bool strict; /* a rule without result, if and endif with more behind them are left out, rather than mended */
};

void pattern_load(struct table_content *content, const struct pattern_type *type);
enum table_result pattern_lookup(struct table_content *content, const struct pattern_type *type,
				 struct slice key, struct arena *arena, struct slice *value);
void pattern_warn(const struct table_content *content, const struct pattern_rule *rule,
		  const char *text, struct slice what);

/*
 * pattern_delimited - /pattern/flags at the front of *rest: both without delimiters, which may be any
 * byte but a letter, digit, white space; a backslash keeps the next byte from ending the pattern, and
 * stays. False: no second delimiter.
 */
bool pattern_delimited(struct slice *rest, struct slice *pattern, struct slice *flags);

#endif
