/* SPDX-License-Identifier: ISC */
/* cidr - networks in order; cidr_table(5). */
#include "base/ip.h"
#include "table/pattern.h"

static void *cidr_compile(struct table_content *content, struct pattern_rule *rule,
			  struct slice *rest)
{
	struct ip_net *net = ARENA_NEW(content->arena, struct ip_net);
	struct slice word;
	enum ip_net_error error;

	slice_next(rest, " \t\r\n\v\f", &word);
	/* [2001:db8::/32] is as good as [2001:db8::]/32 */
	if (word.n > 2 && word.p[0] == '[' && word.p[word.n - 1] == ']' && slice_find(word, '/') > 0)
		word = slice_sub(word, 1, word.n - 1);
	error = ip_net_parse(word, net);
	if (error == IP_NET_OK)
		return net;
	pattern_warn(content, rule, ip_net_error_text(error), word);
	return NULL;
}

/* The key is parsed once a lookup; its value waits in the table's state. */
static bool cidr_begin(struct table_content *content, struct slice key)
{
	struct pattern_table *table = content->state;

	return ip_parse(key, table->shared);
}

static enum pattern_outcome cidr_match(struct table_content *content, void *matcher,
				       struct slice key, struct pattern_match *groups)
{
	const struct pattern_table *table = content->state;
	const struct ip_addr *ip = table->shared;
	const struct ip_net *net = matcher;

	(void)key;
	(void)groups;
	if (net->addr.bits != ip->bits)
		return PATTERN_OTHER;
	return ip_net_contains(net, ip) ? PATTERN_YES : PATTERN_NO;
}

static const struct pattern_type cidr_pattern = {.compile = cidr_compile,
						 .match = cidr_match,
						 .begin = cidr_begin,
						 .strict = true};

static void cidr_load(struct table_content *content)
{
	struct pattern_table *table = ARENA_NEW(content->arena, struct pattern_table);

	table->shared = ARENA_NEW(content->arena, struct ip_addr);
	content->state = table;
	pattern_load(content, &cidr_pattern);
}

static enum table_result cidr_lookup(struct table_content *content, struct slice key,
				     struct arena *arena, struct slice *value)
{
	return pattern_lookup(content, &cidr_pattern, key, arena, value);
}

const struct table_type table_cidr = {.name = "cidr", .load = cidr_load, .lookup = cidr_lookup};
