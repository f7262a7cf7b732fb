/* SPDX-License-Identifier: ISC */
#include "table/needle.h"

struct scan {
	struct slice rest;
	enum needle_syntax syntax;
	bool beside; /* `last` is the letter before what comes now, in whatever matches */
	char last;
	size_t found;
	struct needle needle; /* the last pairs that were found: what comes first is often the name of a header */
};

static uint16_t pair(char a, char b)
{
	return (uint16_t)(((unsigned)ascii_lower(a) & 63u) << 6 | ((unsigned)ascii_lower(b) & 63u));
}

static void take_letter(struct scan *s, char c)
{
	if (s->beside)
		s->needle.pairs[s->found++ % NEEDLE_PAIRS] = pair(s->last, c);
	s->beside = true;
	s->last = c;
}

static void skip(struct scan *s, size_t n)
{
	s->rest = slice_from(s->rest, n);
}

static char at(const struct scan *s, size_t i)
{
	return i < s->rest.n ? s->rest.p[i] : '\0';
}

/* skip_class - "[...]": a ] in front belongs to it, as do [:alpha:], [.x.], [=x=]. False: it has no end. */
static bool skip_class(struct scan *s)
{
	size_t i = 1;

	if (at(s, i) == '^')
		i++;
	if (at(s, i) == ']')
		i++;
	for (; i < s->rest.n; i++) {
		char c = s->rest.p[i], kind = at(s, i + 1);

		if (c == ']') {
			skip(s, i + 1);
			return true;
		}
		if (c == '\\' && s->syntax == NEEDLE_PERL) {
			/* \Q...\E in a class quotes its end, too */
			if (kind == 'Q' || kind == 'E')
				return false;
			i++;
		} else if (c == '[' && (kind == ':' || kind == '.' || kind == '=')) {
			for (i += 2; i + 1 < s->rest.n && (s->rest.p[i] != kind || s->rest.p[i + 1] != ']'); i++)
				;
			i++;
		}
	}
	return false;
}

/* known_group - what begins with "(": those that change what stands behind them, or hold unpaired ( are not known. */
static bool known_group(const struct scan *s)
{
	if (s->syntax == NEEDLE_POSIX || (at(s, 1) != '?' && at(s, 1) != '*'))
		return true;
	return at(s, 1) == '?' && strchr(":=!<>|P", at(s, 2)) != NULL && at(s, 2) != '\0';
}

/* skip_group - "(...)" with all in it. */
static bool skip_group(struct scan *s)
{
	size_t depth = 0;

	do {
		switch (at(s, 0)) {
		case '(':
			if (!known_group(s))
				return false;
			depth++;
			skip(s, 1);
			break;
		case ')':
			depth--;
			skip(s, 1);
			break;
		case '[':
			if (!skip_class(s))
				return false;
			break;
		case '\\':
			if (s->syntax == NEEDLE_PERL && (at(s, 1) == 'Q' || at(s, 1) == 'E'))
				return false;
			skip(s, 2);
			break;
		default:
			skip(s, 1);
		}
	} while (depth > 0 && s->rest.n > 0);
	return depth == 0;
}

/* take_escape - "\." is a letter; some others are known to be none. False: who knows. */
static bool take_escape(struct scan *s, bool *letter, char *c)
{
	*c = at(s, 1);
	*letter = false;
	skip(s, 2);
	if (*c != '\0' && strchr(".[]()*+?{}|^$\\/-@:;,!\"#%&=~_", *c) != NULL) {
		*letter = true;
		return true;
	}
	if (s->syntax == NEEDLE_POSIX)
		return ascii_isalnum(*c) || (*c != '\0' && strchr("<>`'", *c) != NULL);
	return *c != '\0' && strchr("wWdDsSbBAzZGhHvVRnrtfaeK", *c) != NULL;
}

/* skip_interval - "{1,2}"; false: who knows what else it may mean. */
static bool skip_interval(struct scan *s)
{
	size_t i = 1;

	while (ascii_isdigit(at(s, i)) || at(s, i) == ',')
		i++;
	if (at(s, i) != '}')
		return false;
	skip(s, i + 1);
	return true;
}

/* take_quantifiers - *once: what stands before them comes at least once. False: they have no end. */
static bool take_quantifiers(struct scan *s, bool *any, bool *once)
{
	*any = false;
	*once = true;
	for (;; *any = true) {
		switch (at(s, 0)) {
		case '+':
			/* "+?" is lazy for the one, and "not at all, perhaps" for the other */
			*once = *once && !*any;
			skip(s, 1);
			break;
		case '*':
		case '?':
			*once = false;
			skip(s, 1);
			break;
		case '{':
			*once = false;
			if (!skip_interval(s))
				return false;
			break;
		default:
			return true;
		}
	}
}

/* take_element - one thing that matches something, and what says how often. False: nothing is known of the pattern. */
static bool take_element(struct scan *s)
{
	char c = at(s, 0);
	bool letter = false, any, once;

	switch (c) {
	case '\0':
	case '|':
	case ')':
	case '*':
	case '+':
	case '?':
	case '{':
		return false;
	case '\\':
		if (!take_escape(s, &letter, &c))
			return false;
		break;
	case '[':
		if (!skip_class(s))
			return false;
		break;
	case '(':
		if (!skip_group(s))
			return false;
		break;
	default:
		letter = c != '.' && c != '^' && c != '$' && c > 0 && c != '\n';
		skip(s, 1);
	}
	if (!take_quantifiers(s, &any, &once))
		return false;
	if (letter && once)
		take_letter(s, c);
	s->beside = letter && !any;
	return true;
}

struct needle needle_of(struct slice pattern, enum needle_syntax syntax)
{
	struct scan scan = {.rest = pattern, .syntax = syntax};

	while (scan.rest.n > 0)
		if (!take_element(&scan))
			return (struct needle){0};
	scan.needle.count = scan.found < NEEDLE_PAIRS ? (unsigned)scan.found : NEEDLE_PAIRS;
	return scan.needle;
}

void needle_key_read(struct slice key, struct needle_key *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i + 1 < key.n; i++) {
		uint16_t p = pair(key.p[i], key.p[i + 1]);

		out->bits[p >> 6] |= UINT64_C(1) << (p & 63);
	}
}

bool needle_missing(const struct needle *needle, const struct needle_key *key)
{
	for (unsigned i = needle->count; i > 0; i--)
		if (!(key->bits[needle->pairs[i - 1] >> 6] >> (needle->pairs[i - 1] & 63) & 1))
			return true;
	return false;
}
