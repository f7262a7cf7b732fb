/* SPDX-License-Identifier: ISC */
#include "table/pattern.h"
#include "base/buffer.h"
#include "table/file_value.h"
#include "table/source.h"

/* No result is longer, however often a group is repeated in it. */
#define RESULT_LIMIT (1024 * 1024)
/* For fewer needles a key is not read: it may be longer than all patterns take. */
#define NEEDLES_WORTH 4

void pattern_warn(const struct table_content *content, const struct pattern_rule *rule,
		  const char *text, struct slice what)
{
	struct slice type = slice_sub(content->spec, 0, content->spec.n - content->name.n);

	if (type.n > 0)
		type.n--;
	table_set_warn(content->set, "%.*s map %.*s, line %u: %s%s%.*s%s", SL_ARG(type),
		       SL_ARG(content->name), rule->line, text, what.n ? " \"" : "", SL_ARG(what),
		       what.n ? "\"" : "");
}

bool pattern_delimited(struct slice *rest, struct slice *pattern, struct slice *flags)
{
	struct slice text = *rest;
	size_t i = 1, end;

	while (i < text.n && text.p[i] != text.p[0])
		i += text.p[i] == '\\' ? 2 : 1;
	if (i >= text.n)
		return false;
	for (end = i + 1; end < text.n && !ascii_isspace(text.p[end]);)
		end++;
	*pattern = slice_sub(text, 1, i);
	*flags = slice_sub(text, i + 1, end);
	*rest = slice_from(text, end);
	return true;
}

/* reference - what a $ at the front of the text means. */
enum reference { REF_DOLLAR, REF_NUMBER, REF_NAME, REF_BAD };

/* name_length - letters, digits and _ at the front. */
static size_t name_length(struct slice text)
{
	size_t n = 0;

	while (n < text.n && (ascii_isalnum(text.p[n]) || text.p[n] == '_'))
		n++;
	return n;
}

/* parse_reference - "$1", "${1}", "$(1)", "$$"; *length of all of it. */
static enum reference parse_reference(struct slice text, size_t *length, uint64_t *number)
{
	struct slice name;
	char open = text.n > 1 ? text.p[1] : '\0';

	if (open == '$') {
		*length = 2;
		return REF_DOLLAR;
	}
	if (open == '{' || open == '(') {
		ssize_t close = slice_find(text, open == '{' ? '}' : ')');

		if (close < 0)
			return REF_BAD;
		name = slice_sub(text, 2, (size_t)close);
		*length = (size_t)close + 1;
	} else {
		name = slice_sub(text, 1, 1 + name_length(slice_from(text, 1)));
		*length = 1 + name.n;
	}
	if (name.n == 0)
		return REF_BAD;
	return slice_u64(name, number) ? REF_NUMBER : REF_NAME;
}

/* check_result - find the highest $number; false: the result cannot be used. */
static bool check_result(struct table_content *content, const struct pattern_type *type,
			 struct pattern_rule *rule)
{
	struct slice rest = rule->result;
	ssize_t at;

	while ((at = slice_find(rest, '$')) >= 0) {
		uint64_t number = 0;
		size_t length;
		const char *problem = NULL;

		rest = slice_from(rest, (size_t)at);
		switch (parse_reference(rest, &length, &number)) {
		case REF_BAD:
			problem = "bad replacement syntax: skipping this rule";
			break;
		case REF_NAME:
			problem = "non-numeric replacement index: skipping this rule";
			break;
		case REF_NUMBER:
			if (content->flags & TABLE_NO_SUBST)
				problem = "$number is not allowed here: skipping this rule";
			else if (rule->negated)
				problem = "$number found in negative match replacement text: "
					  "skipping this rule";
			else if (number >= PATTERN_GROUPS || number > type->groups(rule->matcher))
				problem = "out of range replacement index: skipping this rule";
			break;
		case REF_DOLLAR:
			break;
		}
		if (problem != NULL) {
			pattern_warn(content, rule, problem, rule->result);
			return false;
		}
		rule->substitutes = true;
		rest = slice_from(rest, length);
	}
	return true;
}

static struct slice expand(const struct pattern_rule *rule, const struct pattern_match *match,
			   struct arena *arena)
{
	struct slice rest = rule->result, value;
	struct buffer out;
	ssize_t at;

	buffer_init(&out, RESULT_LIMIT);
	while ((at = slice_find(rest, '$')) >= 0) {
		uint64_t number = 0;
		size_t length = 0;

		buffer_append(&out, slice_sub(rest, 0, (size_t)at));
		rest = slice_from(rest, (size_t)at);
		if (parse_reference(rest, &length, &number) == REF_DOLLAR)
			buffer_append_byte(&out, '$');
		else if (number < match->count)
			buffer_append(&out, match->group[number]);
		rest = slice_from(rest, length);
	}
	buffer_append(&out, rest);
	value = buffer_overflowed(&out) ? SL_NULL : arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return value;
}

static void add_rule(struct table_content *content, const struct pattern_rule *rule)
{
	struct pattern_table *table = content->state;

	if (table->count == table->size) {
		size_t size = table->size ? table->size * 2 : 16;
		struct pattern_rule *rules = ARENA_ARRAY(content->arena, size, struct pattern_rule);

		if (table->count > 0)
			memcpy(rules, table->rules, table->count * sizeof(*rules));
		table->rules = rules;
		table->size = size;
	}
	table->rules[table->count++] = *rule;
	table->needles += rule->needle.count > 0;
}

/* take_keyword - "if" or "endif", in either case, followed by white space or the end. */
static bool take_keyword(struct slice *line, struct slice keyword)
{
	if (!slice_casestarts(*line, keyword))
		return false;
	if (line->n > keyword.n && ascii_isalnum(line->p[keyword.n]))
		return false;
	*line = slice_trim(slice_from(*line, keyword.n));
	return true;
}

/* close_if - endif: point the innermost open `if` here. */
static void close_if(struct table_content *content, struct pattern_rule *rule)
{
	struct pattern_table *table = content->state;

	for (size_t i = table->count; i > 0; i--) {
		struct pattern_rule *open = &table->rules[i - 1];

		if (open->kind == RULE_IF && open->end == SIZE_MAX) {
			open->end = table->count;
			rule->kind = RULE_ENDIF;
			add_rule(content, rule);
			return;
		}
	}
	pattern_warn(content, rule, "ignoring ENDIF without matching IF", SL_NULL);
}

/* parse_pattern - "!" and the pattern; false: leave the rule out. */
static bool parse_pattern(struct table_content *content, const struct pattern_type *type,
			  struct pattern_rule *rule, struct slice *rest)
{
	while (rest->n > 0 && rest->p[0] == '!') {
		rule->negated = !rule->negated;
		*rest = slice_trim(slice_from(*rest, 1));
	}
	if (rest->n == 0) {
		pattern_warn(content, rule, "no pattern: skipping this rule", SL_NULL);
		return false;
	}
	rule->matcher = type->compile(content, rule, rest);
	*rest = slice_trim(*rest);
	return rule->matcher != NULL;
}

static void parse_if(struct table_content *content, const struct pattern_type *type,
		     struct pattern_rule *rule, struct slice rest)
{
	rule->kind = RULE_IF;
	rule->end = SIZE_MAX;
	if (!parse_pattern(content, type, rule, &rest))
		return;
	if (rest.n > 0) {
		pattern_warn(content, rule,
			     type->strict ? "extra text after IF: skipping this rule:"
					  : "ignoring extra text after IF statement:",
			     rest);
		if (type->strict)
			return;
	}
	add_rule(content, rule);
}

static void parse_rule(struct table_content *content, const struct pattern_type *type,
		       unsigned number, struct slice line)
{
	struct pattern_rule rule = {.kind = RULE_RESULT, .line = number};

	if (take_keyword(&line, SL("if"))) {
		parse_if(content, type, &rule, line);
		return;
	}
	if (take_keyword(&line, SL("endif"))) {
		if (line.n > 0)
			pattern_warn(content, &rule,
				     type->strict ? "extra text after ENDIF: skipping this rule:"
						  : "ignoring extra text after ENDIF:",
				     line);
		if (line.n == 0 || !type->strict)
			close_if(content, &rule);
		return;
	}
	if (!parse_pattern(content, type, &rule, &line))
		return;
	rule.result = arena_dup(content->arena, line);
	if (line.n == 0) {
		pattern_warn(content, &rule,
			     type->strict ? "no lookup result: skipping this rule"
						: "no replacement text: using empty string",
			     SL_NULL);
		if (type->strict)
			return;
	}
	if (type->groups != NULL && !check_result(content, type, &rule))
		return;
	if ((content->flags & TABLE_FILES) && !file_value_encode(rule.result, content->arena, &rule.result)) {
		pattern_warn(content, &rule, "skipping this rule:", rule.result);
		return;
	}
	add_rule(content, &rule);
}

static void close_open_ifs(struct table_content *content)
{
	struct pattern_table *table = content->state;

	for (size_t i = 0; i < table->count; i++) {
		struct pattern_rule *rule = &table->rules[i];

		if (rule->kind == RULE_IF && rule->end == SIZE_MAX) {
			pattern_warn(content, rule, "IF has no matching ENDIF", SL_NULL);
			rule->end = table->count;
		}
	}
}

void pattern_load(struct table_content *content, const struct pattern_type *type)
{
	struct pattern_rule place = {.line = 0};
	struct source source;
	struct slice text, line;
	enum source_line kind;

	if (content->state == NULL)
		content->state = ARENA_NEW(content->arena, struct pattern_table);
	if (!table_content_text(content, &text))
		return;
	source_init(&source, text);
	while ((kind = source_next(&source, content->arena, &line)) != SOURCE_END) {
		place.line = source.first;
		if (kind == SOURCE_INDENTED)
			pattern_warn(content, &place,
				     "logical line must not start with white space", SL_NULL);
		else
			parse_rule(content, type, source.first, line);
	}
	close_open_ifs(content);
}

/* result_of - the value of the rule that matched. */
static enum table_result result_of(const struct table_content *content,
				   const struct pattern_rule *rule,
				   const struct pattern_match *match, struct arena *arena,
				   struct slice *value)
{
	*value = rule->substitutes ? expand(rule, match, arena) : arena_dup(arena, rule->result);
	if (!slice_is_null(*value))
		return TABLE_FOUND;
	*value = arena_printf(arena, "table %.*s: line %u: the result is too long",
			      SL_ARG(content->spec), rule->line);
	return TABLE_TEMP;
}

enum table_result pattern_lookup(struct table_content *content, const struct pattern_type *type,
				 struct slice key, struct arena *arena, struct slice *value)
{
	const struct pattern_table *table = content->state;
	bool search = table->needles >= NEEDLES_WORTH;
	struct needle_key pairs;
	struct pattern_match match;

	if (type->begin != NULL && !type->begin(content, key))
		return TABLE_MISSING;
	if (search)
		needle_key_read(key, &pairs);
	for (size_t i = 0; i < table->count; i++) {
		const struct pattern_rule *rule = &table->rules[i];
		enum pattern_outcome outcome = PATTERN_NO;

		if (rule->kind == RULE_ENDIF)
			continue;
		match.count = 0;
		if (!search || !needle_missing(&rule->needle, &pairs))
			outcome = type->match(content, rule->matcher, key,
					      rule->substitutes && !rule->negated ? &match : NULL);
		if (outcome == PATTERN_ERROR) {
			*value = arena_printf(arena,
					      "table %.*s: line %u: the pattern needs too much "
					      "time or memory for this key",
					      SL_ARG(content->spec), rule->line);
			return TABLE_TEMP;
		}
		if (outcome == PATTERN_OTHER || (outcome == PATTERN_YES) == rule->negated) {
			if (rule->kind == RULE_IF)
				i = rule->end;
			continue;
		}
		if (rule->kind == RULE_RESULT)
			return result_of(content, rule, &match, arena, value);
	}
	return TABLE_MISSING;
}
