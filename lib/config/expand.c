/* SPDX-License-Identifier: ISC */
#include "config/expand.h"

#include "base/buffer.h"
#include "config/level.h"

struct expander {
	const struct expansion *how;
	struct arena *arena;
	const char *error; /* set once, then everything returns */
	size_t references; /* followed so far: `$b$b` a hundred deep would take for ever */
};

static bool expand_into(struct expander *e, struct slice text, unsigned depth, struct buffer *out);

__attribute__((format(printf, 2, 3))) static bool fail(struct expander *e, const char *format, ...)
{
	struct buffer text;
	va_list ap;

	buffer_init(&text, 1024);
	va_start(ap, format);
	if (!buffer_vprintf(&text, format, ap))
		buffer_append(&text, SL("the expression is wrong, and long"));
	va_end(ap);
	if (e->error == NULL)
		e->error = arena_dup(e->arena, buffer_slice(&text)).p;
	buffer_free(&text);
	return false;
}

static bool put(struct expander *e, struct buffer *out, struct slice s)
{
	if (!buffer_append(out, s))
		return fail(e, "the value is longer than %zu bytes", EXPAND_LIMIT);
	return true;
}

static struct slice skip_space(struct slice s)
{
	while (s.n > 0 && ascii_isspace(s.p[0]))
		s = slice_from(s, 1);
	return s;
}

static size_t name_length(struct slice s)
{
	size_t n = 0;

	while (n < s.n && (ascii_isalnum(s.p[n]) || s.p[n] == '_'))
		n++;
	return n;
}

/*
 * take_group - s begins with `open`: what stands up to the matching `close` goes to *body, what
 * follows to *rest. False when it is not closed.
 */
static bool take_group(struct slice s, char open, char close, struct slice *body,
		       struct slice *rest)
{
	size_t level = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == open)
			level++;
		else if (s.p[i] == close && --level == 0) {
			*body = slice_sub(s, 1, i);
			*rest = slice_from(s, i + 1);
			return true;
		}
	}
	return false;
}

static bool put_value(struct expander *e, struct slice name, unsigned depth, struct buffer *out)
{
	struct slice value = e->how->lookup(e->how->context, name);

	if (++e->references > EXPAND_REFERENCES)
		return fail(e, "more than %u references to other parameters",
			    (unsigned)EXPAND_REFERENCES);
	if (e->how->once)
		return put(e, out, value);
	if (depth >= EXPAND_DEPTH)
		return fail(e,
			    "parameters refer to each other in a circle, or deeper than %u: $%.*s",
			    (unsigned)EXPAND_DEPTH, SL_ARG(name));
	return expand_into(e, value, depth + 1, out);
}

/*
 * take_branches - `s` is what follows the `?` or `:`. A text in braces may have a second one behind
 * a colon (only after `?`); one without braces is all that is left. White space inside belongs to the text.
 */
static bool take_branches(struct expander *e, struct slice s, bool second_allowed,
			  struct slice *first, struct slice *second)
{
	struct slice rest;

	*second = SL_NULL;
	rest = skip_space(s);
	if (rest.n == 0 || rest.p[0] != '{') {
		*first = s;
		return true;
	}
	s = rest;
	if (!take_group(s, '{', '}', first, &rest))
		return fail(e, "a } is missing in \"%.*s\"", SL_ARG(s));
	rest = skip_space(rest);
	if (rest.n == 0)
		return true;
	if (!second_allowed || rest.p[0] != ':')
		return fail(e, "unexpected text \"%.*s\" behind {%.*s}%s", SL_ARG(rest),
			    SL_ARG(*first), second_allowed ? "; a colon is allowed there" : "");
	return take_branches(e, slice_from(rest, 1), false, second, &rest);
}

/* choose - `s` begins with `?` or `:`, or is empty (then the condition itself is the value). */
static bool choose(struct expander *e, bool condition, struct slice s, unsigned depth,
		   struct buffer *out)
{
	struct slice first;
	struct slice second;
	bool when;

	if (s.n == 0)
		return !condition || put(e, out, SL("true"));
	when = s.p[0] == '?';
	if (!when && s.p[0] != ':')
		return fail(e, "unexpected text \"%.*s\"; ? or : is allowed there", SL_ARG(s));
	if (!take_branches(e, slice_from(s, 1), when, &first, &second))
		return false;
	if (condition == when)
		return expand_into(e, first, depth + 1, out);
	return expand_into(e, second, depth + 1, out);
}

static const struct {
	const char *text;
	bool less, equal, greater; /* for which outcomes it holds */
} operators[] = {
    /* the longer ones first */
    {"==", false, true, false}, {"!=", true, false, true}, {"<=", true, true, false},
    {">=", false, true, true},	{"<", true, false, false}, {">", false, false, true},
};

static bool all_digits(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_isdigit(s.p[i]))
			return false;
	return s.n > 0;
}

static int compare_words(struct slice a, struct slice b)
{
	uint64_t x;
	uint64_t y;

	if (!all_digits(a) || !all_digits(b) || !slice_u64(a, &x) || !slice_u64(b, &y))
		return slice_cmp(a, b);
	return (x > y) - (x < y);
}

static bool compare(struct expander *e, struct slice a, struct slice b, bool level, int *order)
{
	int64_t x;
	int64_t y;

	if (!level) {
		*order = compare_words(a, b);
		return true;
	}
	if (!compatibility_level_parse(a, &x))
		return fail(e, "bad compatibility level \"%.*s\": MAJOR[.MINOR[.PATCH]] is allowed",
			    SL_ARG(a));
	if (!compatibility_level_parse(b, &y))
		return fail(e, "bad compatibility level \"%.*s\": MAJOR[.MINOR[.PATCH]] is allowed",
			    SL_ARG(b));
	*order = (x > y) - (x < y);
	return true;
}

/* take_operand - `{text}`, expanded. */
static bool take_operand(struct expander *e, struct slice *rest, unsigned depth, struct slice *out)
{
	struct slice body;
	struct buffer text;
	bool ok;

	*rest = skip_space(*rest);
	if (rest->n == 0 || rest->p[0] != '{')
		return fail(e, "{ is missing before \"%.*s\"", SL_ARG(*rest));
	if (!take_group(*rest, '{', '}', &body, rest))
		return fail(e, "a } is missing in \"%.*s\"", SL_ARG(*rest));
	buffer_init(&text, EXPAND_LIMIT);
	ok = expand_into(e, body, depth + 1, &text);
	if (ok)
		*out = arena_dup(e->arena, buffer_slice(&text));
	buffer_free(&text);
	return ok;
}

static bool take_operator(struct expander *e, struct slice *rest, size_t *which, bool *level)
{
	*rest = skip_space(*rest);
	for (*which = 0; *which < sizeof(operators) / sizeof(operators[0]); ++*which) {
		struct slice text = slice_str(operators[*which].text);

		if (!slice_starts(*rest, text))
			continue;
		*rest = slice_from(*rest, text.n);
		*level = slice_starts(*rest, SL("level"));
		if (*level)
			*rest = slice_from(*rest, 5);
		return true;
	}
	return fail(
	    e,
	    "an operator is missing before \"%.*s\": == != < <= > >= are allowed, and these "
	    "with level behind them",
	    SL_ARG(*rest));
}

/* comparison - `{a} op {b}` and what hangs on it; `s` is the inside of the outer braces. */
static bool comparison(struct expander *e, struct slice s, unsigned depth, struct buffer *out)
{
	struct slice a;
	struct slice b;
	size_t which = 0;
	bool level = false;
	int order = 0;

	if (!take_operand(e, &s, depth, &a) || !take_operator(e, &s, &which, &level) ||
	    !take_operand(e, &s, depth, &b) || !compare(e, a, b, level, &order))
		return false;
	return choose(e,
		      order < 0	  ? operators[which].less
		      : order > 0 ? operators[which].greater
				  : operators[which].equal,
		      skip_space(s), depth, out);
}

/* reference - the inside of ${...}. */
static bool reference(struct expander *e, struct slice s, unsigned depth, struct buffer *out)
{
	struct slice name;

	s = skip_space(s);
	if (s.n > 0 && s.p[0] == '{')
		return comparison(e, s, depth, out);
	name = slice_sub(s, 0, name_length(s));
	if (name.n == 0)
		return fail(e, "a parameter name is missing in \"${%.*s}\"", SL_ARG(s));
	s = skip_space(slice_from(s, name.n));
	if (s.n == 0)
		return put_value(e, name, depth, out);
	if (s.p[0] != '?' && s.p[0] != ':')
		return fail(e, "bad parameter name \"%.*s%.*s\": letters, digits and _ are allowed",
			    SL_ARG(name), SL_ARG(s));
	/* The condition looks at the value as written, as Postfix does: `$empty` is not empty. */
	return choose(e, e->how->lookup(e->how->context, name).n > 0, s, depth, out);
}

/* dollar - *text begins with `$`; what it stands for goes to out, *text moves behind it. */
static bool dollar(struct expander *e, struct slice *text, unsigned depth, struct buffer *out)
{
	struct slice rest = slice_from(*text, 1);
	struct slice whole = *text;
	struct slice body;
	size_t n;

	if (rest.n > 0 && rest.p[0] == '$') {
		*text = slice_from(rest, 1);
		return put(e, out, SL("$"));
	}
	if (rest.n > 0 && (rest.p[0] == '{' || rest.p[0] == '(')) {
		if (!take_group(rest, rest.p[0], rest.p[0] == '{' ? '}' : ')', &body, text))
			return fail(e, "\"%.*s\" is not closed", SL_ARG(whole));
		return reference(e, body, depth, out);
	}
	n = name_length(rest);
	if (n == 0)
		return fail(e,
			    "a parameter name is missing behind the $ in \"%.*s\" (write $$ for a "
			    "dollar sign)",
			    SL_ARG(whole));
	*text = slice_from(rest, n);
	return put_value(e, slice_sub(rest, 0, n), depth, out);
}

static bool expand_into(struct expander *e, struct slice text, unsigned depth, struct buffer *out)
{
	if (depth > EXPAND_DEPTH)
		return fail(e, "nested deeper than %u", (unsigned)EXPAND_DEPTH);
	while (text.n > 0) {
		ssize_t at = slice_find(text, '$');

		if (at < 0)
			return put(e, out, text);
		if (!put(e, out, slice_sub(text, 0, (size_t)at)))
			return false;
		text = slice_from(text, (size_t)at);
		if (!dollar(e, &text, depth, out))
			return false;
	}
	return true;
}

const char *expand_text(const struct expansion *how, struct slice text, struct arena *arena,
			struct slice *out)
{
	struct expander e = {.how = how, .arena = arena};
	struct buffer result;

	if (slice_find(text, '$') < 0) {
		*out = arena_dup(arena, text);
		return NULL;
	}
	buffer_init(&result, EXPAND_LIMIT);
	if (expand_into(&e, text, 0, &result))
		*out = arena_dup(arena, buffer_slice(&result));
	buffer_free(&result);
	return e.error;
}
