/* SPDX-License-Identifier: ISC */
#include "table/match_list.h"
#include "base/ip.h"
#include "base/list.h"
#include "table/source.h"
#include "table/table_type.h"

/* Files that name files that name files: how deep, and how many patterns in all. */
#define NESTING_MAX 8

enum pattern_kind {
	PATTERN_NAME,    /* a literal, lower case; may be an address as text too */
	PATTERN_NETWORK, /* an address or net/mask */
	PATTERN_TABLE,
	PATTERN_BROKEN /* error tells */
};

struct pattern {
	struct list link;
	enum pattern_kind kind;
	bool negated;
	struct slice name;
	struct ip_net net;
	struct table *table;
	struct slice error;
};

struct match_list {
	struct table_set *set;
	struct arena *arena;
	unsigned flags;
	struct list patterns;
};

/* One key under test: which parts of it count depends on the caller. */
struct match_key {
	struct slice string; /* lower case; equal to a literal, or a table's key */
	struct slice host;   /* lower case; a name with parents; absent: none */
	struct slice text;   /* an address as text; absent: none */
	struct ip_addr ip;   /* bits is 0: none */
};

static void add_words(struct match_list *list, struct slice value, unsigned depth);

static struct pattern *add_pattern(struct match_list *list, enum pattern_kind kind, bool negated)
{
	struct pattern *pattern = ARENA_NEW(list->arena, struct pattern);

	pattern->kind = kind;
	pattern->negated = negated;
	list_push_back(&list->patterns, &pattern->link);
	return pattern;
}

static void add_broken(struct match_list *list, struct slice word, const char *why)
{
	struct pattern *pattern = add_pattern(list, PATTERN_BROKEN, false);

	pattern->error = arena_printf(list->arena, "bad pattern \"%.*s\": %s", SL_ARG(word), why);
	table_set_warn(list->set, "%.*s", SL_ARG(pattern->error));
}

/* add_file - the lines of a file are patterns, in place of its name. */
static void add_file(struct match_list *list, struct slice word, unsigned depth)
{
	struct table_content file = {.set = list->set,
				     .arena = list->arena,
				     .name = word,
				     .spec = word,
				     .fd = -1};
	struct source source;
	struct slice text, line;

	if (depth >= NESTING_MAX) {
		add_broken(list, word, "files nested too deeply");
		return;
	}
	if (!table_content_text(&file, &text)) {
		add_broken(list, word, file.error.p);
	} else {
		source_init(&source, text);
		while (source_next(&source, list->arena, &line) != SOURCE_END)
			add_words(list, line, depth + 1);
	}
	table_set_watch(list->set, &file);
}

/* looks_like_network - digits, dots, colons, brackets and a mask, and no name. */
static bool looks_like_network(struct slice word)
{
	bool digits = true;

	if (word.p[0] == '[' || slice_find(word, '/') >= 0)
		return true;
	for (size_t i = 0; i < word.n; i++)
		digits &= ascii_isdigit(word.p[i]) || word.p[i] == '.';
	return digits && word.p[0] != '.';
}

static void add_network(struct match_list *list, struct slice word, bool negated)
{
	struct ip_net net;
	enum ip_net_error error = ip_net_parse(word, &net);

	if (error == IP_NET_OK) {
		struct pattern *pattern = add_pattern(list, PATTERN_NETWORK, negated);

		pattern->net = net;
		pattern->name = arena_lower(list->arena, word);
		return;
	}
	/* [mail.example] is no address, but a fine name for a destination */
	if (slice_find(word, '/') >= 0 || word.p[0] != '[')
		add_broken(list, word, ip_net_error_text(error));
	else
		add_pattern(list, PATTERN_NAME, negated)->name = arena_lower(list->arena, word);
}

/* is_table - "type:name": a colon behind a word of letters and digits. */
static bool is_table(struct slice word)
{
	ssize_t colon = slice_find(word, ':');
	struct ip_addr ip;

	if (colon <= 0 || ip_parse(word, &ip))
		return false;
	for (ssize_t i = 0; i < colon; i++)
		if (!ascii_isalnum(word.p[i]) && word.p[i] != '_')
			return false;
	return true;
}

static void add_word(struct match_list *list, struct slice word, unsigned depth)
{
	bool negated = false;
	struct ip_net net;

	while (word.n > 0 && word.p[0] == '!') {
		negated = !negated;
		word = slice_from(word, 1);
	}
	if (word.n == 0)
		add_broken(list, SL("!"), "no pattern behind it");
	else if (word.p[0] == '/' && !negated)
		add_file(list, word, depth);
	else if (word.p[0] == '/')
		add_broken(list, word, "a file cannot be negated; write ! within it");
	else if (is_table(word) && ip_net_parse(word, &net) != IP_NET_OK)
		add_pattern(list, PATTERN_TABLE, negated)->table =
		    table_open(list->set, word, TABLE_FOLD);
	else if (looks_like_network(word) || ip_net_parse(word, &net) == IP_NET_OK)
		add_network(list, word, negated);
	else
		add_pattern(list, PATTERN_NAME, negated)->name = arena_lower(list->arena, word);
}

/* add_words - recursion ends at NESTING_MAX, in add_file. */
static void add_words(struct match_list *list, struct slice value, unsigned depth)
{
	struct slice word;

	while (source_word(&value, &word))
		add_word(list, word, depth);
}

struct match_list *match_list_create(struct table_set *set, struct slice value, unsigned flags)
{
	struct arena *arena = table_set_arena(set);
	struct match_list *list = ARENA_NEW(arena, struct match_list);

	list->set = set;
	list->arena = arena;
	list->flags = flags;
	list_init(&list->patterns);
	add_words(list, value, 0);
	return list;
}

bool match_list_empty(const struct match_list *list)
{
	return list_empty(&list->patterns);
}

/* name_matches - equal, or a pattern for a parent domain of the host. */
static bool name_matches(const struct match_list *list, struct slice pattern,
			 const struct match_key *key)
{
	struct slice host = key->host, tail;

	if (slice_eq(pattern, key->string) || slice_eq(pattern, key->text))
		return true;
	if (slice_is_null(host))
		return false;
	if (slice_eq(pattern, host))
		return true;
	if (host.n <= pattern.n || pattern.n == 0)
		return false;
	tail = slice_from(host, host.n - pattern.n);
	if (!slice_eq(tail, pattern))
		return false;
	if (pattern.p[0] == '.')
		return !(list->flags & MATCH_PARENT);
	return (list->flags & MATCH_PARENT) && host.p[host.n - pattern.n - 1] == '.';
}

/* ask - one key of a table. The value does not matter. */
static enum table_result ask(struct table *table, struct slice key, struct arena *arena,
			     struct slice *reason)
{
	struct slice value;
	enum table_result result = table_lookup(table, key, arena, &value);

	if (result == TABLE_TEMP)
		*reason = value;
	return result;
}

/* ask_host - the name, then its parents, with the dot in front unless MATCH_PARENT. */
static enum table_result ask_host(const struct match_list *list, struct table *table,
				  struct slice host, struct arena *arena, struct slice *reason)
{
	bool first = true;

	while (host.n > 0) {
		enum table_result result = TABLE_MISSING;
		ssize_t dot;

		if (first || table_has_literal_keys(table))
			result = ask(table, host, arena, reason);
		if (result != TABLE_MISSING)
			return result;
		first = false;
		dot = slice_find(slice_from(host, 1), '.');
		if (dot < 0)
			break;
		host = slice_from(host, (size_t)dot + 1 + ((list->flags & MATCH_PARENT) ? 1 : 0));
	}
	return TABLE_MISSING;
}

static enum table_result table_matches(const struct match_list *list, struct table *table,
				       const struct match_key *key, struct arena *arena,
				       struct slice *reason)
{
	enum table_result result = TABLE_MISSING;

	if (!slice_is_null(key->string))
		result = ask(table, key->string, arena, reason);
	if (result == TABLE_MISSING && !slice_is_null(key->host))
		result = ask_host(list, table, key->host, arena, reason);
	if (result == TABLE_MISSING && !slice_is_null(key->text))
		result = ask(table, key->text, arena, reason);
	return result;
}

static enum table_result pattern_matches(const struct match_list *list,
					 const struct pattern *pattern,
					 const struct match_key *key, struct arena *arena,
					 struct slice *reason)
{
	bool yes = false;

	switch (pattern->kind) {
	case PATTERN_NAME:
		yes = name_matches(list, pattern->name, key);
		break;
	case PATTERN_NETWORK:
		yes = key->ip.bits != 0 ? ip_net_contains(&pattern->net, &key->ip)
					: slice_eq(pattern->name, key->string);
		break;
	case PATTERN_TABLE:
		return table_matches(list, pattern->table, key, arena, reason);
	case PATTERN_BROKEN:
		*reason = pattern->error;
		return TABLE_TEMP;
	}
	return yes ? TABLE_FOUND : TABLE_MISSING;
}

static enum table_result match(struct match_list *list, const struct match_key *key,
			       struct arena *arena, struct slice *reason)
{
	struct slice unused;

	if (reason == NULL)
		reason = &unused;
	*reason = SL_NULL;
	LIST_FOREACH(node, &list->patterns)
	{
		const struct pattern *pattern = CONTAINER_OF(node, struct pattern, link);
		enum table_result result = pattern_matches(list, pattern, key, arena, reason);

		if (result == TABLE_TEMP)
			return TABLE_TEMP;
		if (result == TABLE_FOUND)
			return pattern->negated ? TABLE_MISSING : TABLE_FOUND;
	}
	return TABLE_MISSING;
}

enum table_result match_list_string(struct match_list *list, struct slice string,
				    struct arena *arena, struct slice *reason)
{
	struct match_key key = {.string = arena_lower(arena, string)};

	return match(list, &key, arena, reason);
}

enum table_result match_list_host(struct match_list *list, struct slice name, struct arena *arena,
				  struct slice *reason)
{
	struct match_key key = {.host = arena_lower(arena, name)};

	return match(list, &key, arena, reason);
}

enum table_result match_list_address(struct match_list *list, struct slice name,
				     struct slice address, struct arena *arena,
				     struct slice *reason)
{
	struct match_key key = {.text = arena_lower(arena, address)};

	if (name.n > 0 && !slice_eq(name, SL("unknown")))
		key.host = arena_lower(arena, name);
	if (!ip_parse(address, &key.ip))
		key.ip.bits = 0;
	return match(list, &key, arena, reason);
}

unsigned match_list_parent_flag(struct slice parent_domain_matches_subdomains,
				struct slice parameter)
{
	struct slice word;

	while (source_word(&parent_domain_matches_subdomains, &word))
		if (slice_eq(word, parameter))
			return MATCH_PARENT;
	return 0;
}
