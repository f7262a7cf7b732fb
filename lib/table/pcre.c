/* SPDX-License-Identifier: ISC */
/* pcre - Perl-compatible expressions in order; pcre_table(5). Compiled to machine code if allowed. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/check.h"
#include "table/pattern.h"

#include <stdio.h>

/* Bounds of one match: backtracking steps, kilobytes of heap, nesting. */
#define MATCH_LIMIT 200000
#define HEAP_LIMIT 4096
#define DEPTH_LIMIT 20000
#define JIT_STACK_MAX ((size_t)512 * 1024)

struct matcher {
	struct matcher *next;
	pcre2_code *code;
	uint32_t groups;
};

struct pcre_state {
	struct matcher *all;
	pcre2_match_context *context;
	pcre2_match_data *data;
	pcre2_jit_stack *stack;
};

static struct pcre_state *state_of(const struct table_content *content)
{
	const struct pattern_table *table = content->state;

	return table->shared;
}

static bool parse_flags(struct slice text, uint32_t *flags)
{
	*flags = PCRE2_CASELESS | PCRE2_DOTALL;
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case 'i':
			*flags ^= PCRE2_CASELESS;
			break;
		case 'm':
			*flags ^= PCRE2_MULTILINE;
			break;
		case 's':
			*flags ^= PCRE2_DOTALL;
			break;
		case 'x':
			*flags ^= PCRE2_EXTENDED;
			break;
		case 'A':
			*flags ^= PCRE2_ANCHORED;
			break;
		case 'E':
			*flags ^= PCRE2_DOLLAR_ENDONLY;
			break;
		case 'U':
			*flags ^= PCRE2_UNGREEDY;
			break;
		case 'X': /* of PCRE 1 only: pcre_compile tells */
			break;
		default:
			return false;
		}
	}
	return true;
}

static void *compile(struct table_content *content, struct pattern_rule *rule,
		     struct slice pattern, uint32_t flags)
{
	struct pcre_state *state = state_of(content);
	struct matcher *matcher = ARENA_NEW(content->arena, struct matcher);
	PCRE2_SIZE at = 0;
	int error;

	matcher->code = pcre2_compile((PCRE2_SPTR)(pattern.p ? pattern.p : ""), pattern.n, flags,
				      &error, &at, NULL);
	if (matcher->code == NULL) {
		PCRE2_UCHAR why[256];
		char text[320];

		pcre2_get_error_message(error, why, sizeof(why));
		snprintf(text, sizeof(text), "error at offset %zu: %s:", at, (const char *)why);
		pattern_warn(content, rule, text, pattern);
		return NULL;
	}
	pcre2_pattern_info(matcher->code, PCRE2_INFO_CAPTURECOUNT, &matcher->groups);
	/* where memory may not become executable this fails, and the interpreter does the work */
	pcre2_jit_compile(matcher->code, PCRE2_JIT_COMPLETE);
	if (!(flags & PCRE2_EXTENDED))
		rule->needle = needle_of(pattern, NEEDLE_PERL);
	matcher->next = state->all;
	state->all = matcher;
	return matcher;
}

static void *pcre_compile(struct table_content *content, struct pattern_rule *rule,
			  struct slice *rest)
{
	struct slice pattern, options;
	uint32_t flags;

	if (ascii_isalnum(rest->p[0]) || !pattern_delimited(rest, &pattern, &options)) {
		pattern_warn(content, rule, "ignoring unrecognized request", *rest);
		return NULL;
	}
	if (!parse_flags(options, &flags)) {
		pattern_warn(content, rule, "unknown regexp option: skipping this rule", options);
		return NULL;
	}
	if (slice_find(options, 'X') >= 0)
		pattern_warn(content, rule, "ignoring flag X: PCRE2 always complains of unknown escapes", SL_NULL);
	return compile(content, rule, pattern, flags);
}

static void copy_groups(const struct pcre_state *state, const struct matcher *matcher,
			struct slice key, struct pattern_match *groups)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(state->data);

	groups->count = matcher->groups + 1 < PATTERN_GROUPS ? matcher->groups + 1 : PATTERN_GROUPS;
	for (size_t i = 0; i < groups->count; i++) {
		groups->group[i] = SL_NULL;
		/* \K in a look-ahead may set a start behind the end; slice_sub makes that empty */
		if (at[2 * i] != PCRE2_UNSET)
			groups->group[i] = slice_sub(key, at[2 * i], at[2 * i + 1]);
	}
}

static enum pattern_outcome pcre_match(struct table_content *content, void *matched,
				       struct slice key, struct pattern_match *groups)
{
	const struct pcre_state *state = state_of(content);
	const struct matcher *matcher = matched;
	int rc = pcre2_match(matcher->code, (PCRE2_SPTR)(key.p ? key.p : ""), key.n, 0, 0,
			     state->data, state->context);

	if (rc == PCRE2_ERROR_NOMATCH)
		return PATTERN_NO;
	if (rc < 0)
		return PATTERN_ERROR;
	if (groups != NULL)
		copy_groups(state, matcher, key, groups);
	return PATTERN_YES;
}

static unsigned pcre_groups(const void *matcher)
{
	return ((const struct matcher *)matcher)->groups;
}

static const struct pattern_type pcre_pattern = {
    .compile = pcre_compile, .match = pcre_match, .groups = pcre_groups};

static void pcre_load(struct table_content *content)
{
	struct pattern_table *table = ARENA_NEW(content->arena, struct pattern_table);
	struct pcre_state *state = ARENA_NEW(content->arena, struct pcre_state);

	table->shared = state;
	content->state = table;
	state->context = pcre2_match_context_create(NULL);
	state->data = pcre2_match_data_create(PATTERN_GROUPS, NULL);
	if (state->context == NULL || state->data == NULL)
		out_of_memory();
	pcre2_set_match_limit(state->context, MATCH_LIMIT);
	pcre2_set_heap_limit(state->context, HEAP_LIMIT);
	pcre2_set_depth_limit(state->context, DEPTH_LIMIT);
	/* fibers have small stacks, so the machine code gets one of its own */
	state->stack = pcre2_jit_stack_create(32 * 1024, JIT_STACK_MAX, NULL);
	if (state->stack != NULL)
		pcre2_jit_stack_assign(state->context, NULL, state->stack);
	pattern_load(content, &pcre_pattern);
}

static enum table_result pcre_lookup(struct table_content *content, struct slice key,
				     struct arena *arena, struct slice *value)
{
	return pattern_lookup(content, &pcre_pattern, key, arena, value);
}

static void pcre_unload(struct table_content *content)
{
	struct pcre_state *state = state_of(content);

	for (struct matcher *matcher = state->all; matcher != NULL; matcher = matcher->next)
		pcre2_code_free(matcher->code);
	pcre2_match_data_free(state->data);
	pcre2_match_context_free(state->context);
	pcre2_jit_stack_free(state->stack);
}

const struct table_type table_pcre = {
    .name = "pcre", .load = pcre_load, .lookup = pcre_lookup, .unload = pcre_unload};
