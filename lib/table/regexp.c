/* SPDX-License-Identifier: ISC */
/* regexp - POSIX regular expressions in order; regexp_table(5). */
#include "table/pattern.h"

#include <regex.h>

/* Longer keys are not matched at all: regexec's time grows fast with them. */
#define KEY_LIMIT ((size_t)256 * 1024)

struct matcher {
	struct matcher *next; /* all compiled ones, to be freed */
	regex_t regex;
};

static bool parse_flags(struct slice text, int *flags)
{
	*flags = REG_EXTENDED | REG_ICASE;
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case 'i':
			*flags ^= REG_ICASE;
			break;
		case 'm':
			*flags ^= REG_NEWLINE;
			break;
		case 'x':
			*flags ^= REG_EXTENDED;
			break;
		default:
			return false;
		}
	}
	return true;
}

static void *regexp_compile(struct table_content *content, struct pattern_rule *rule,
			    struct slice *rest)
{
	struct pattern_table *table = content->state;
	struct matcher *matcher = ARENA_NEW(content->arena, struct matcher);
	struct slice pattern, options;
	char *text;
	int flags, error;

	if (ascii_isalnum(rest->p[0]) || !pattern_delimited(rest, &pattern, &options)) {
		pattern_warn(content, rule, "ignoring unrecognized request", *rest);
		return NULL;
	}
	if (!parse_flags(options, &flags)) {
		pattern_warn(content, rule, "unknown regexp option: skipping this rule", options);
		return NULL;
	}
	text = arena_str(content->arena, pattern);
	error = text == NULL ? REG_BADPAT : regcomp(&matcher->regex, text, flags);
	if (error != 0) {
		char why[256] = "NUL byte in pattern";

		if (text != NULL)
			regerror(error, &matcher->regex, why, sizeof(why));
		pattern_warn(content, rule, why, pattern);
		return NULL;
	}
	if (flags & REG_EXTENDED)
		rule->needle = needle_of(pattern, NEEDLE_POSIX);
	matcher->next = table->shared;
	table->shared = matcher;
	return matcher;
}

static enum pattern_outcome regexp_match(struct table_content *content, void *state,
					 struct slice key, struct pattern_match *groups)
{
	struct matcher *matcher = state;
	regmatch_t found[PATTERN_GROUPS];
	size_t count = groups != NULL ? PATTERN_GROUPS : 1;

	(void)content;
	if (key.n > KEY_LIMIT)
		return PATTERN_ERROR;
	found[0].rm_so = 0;
	found[0].rm_eo = (regoff_t)key.n;
	switch (regexec(&matcher->regex, key.p ? key.p : "", count, found, REG_STARTEND)) {
	case 0:
		break;
	case REG_NOMATCH:
		return PATTERN_NO;
	default:
		return PATTERN_ERROR;
	}
	if (groups == NULL)
		return PATTERN_YES;
	groups->count = PATTERN_GROUPS;
	for (size_t i = 0; i < PATTERN_GROUPS; i++) {
		groups->group[i] = SL_NULL;
		if (found[i].rm_so >= 0 && i <= matcher->regex.re_nsub)
			groups->group[i] = slice_sub(key, (size_t)found[i].rm_so,
						     (size_t)found[i].rm_eo);
	}
	return PATTERN_YES;
}

static unsigned regexp_groups(const void *state)
{
	const struct matcher *matcher = state;

	return (unsigned)matcher->regex.re_nsub;
}

static const struct pattern_type regexp_pattern = {.compile = regexp_compile,
						   .match = regexp_match,
						   .groups = regexp_groups};

static void regexp_load(struct table_content *content)
{
	pattern_load(content, &regexp_pattern);
}

static enum table_result regexp_lookup(struct table_content *content, struct slice key,
				       struct arena *arena, struct slice *value)
{
	return pattern_lookup(content, &regexp_pattern, key, arena, value);
}

static void regexp_unload(struct table_content *content)
{
	const struct pattern_table *table = content->state;

	for (struct matcher *matcher = table->shared; matcher != NULL; matcher = matcher->next)
		regfree(&matcher->regex);
}

const struct table_type table_regexp = {
    .name = "regexp", .load = regexp_load, .lookup = regexp_lookup, .unload = regexp_unload};
