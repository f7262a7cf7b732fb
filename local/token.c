/* SPDX-License-Identifier: ISC */
#include "local/token.h"
#include "address/list.h"

struct reader {
	struct arena *arena;
	struct slice in;
	size_t at;
	size_t max;
	size_t room;
	struct tokens *out;
};

static bool is_separator(char c)
{
	return c == ',' || ascii_isspace(c);
}

static void add(struct reader *r, enum token_kind kind, struct slice text)
{
	struct tokens *t = r->out;

	if (t->count >= r->max) {
		t->truncated = true;
		return;
	}
	if (t->count == r->room) {
		size_t room = r->room > 0 ? 2 * r->room : 8;
		struct token *more = ARENA_ARRAY(r->arena, room, struct token);

		if (t->count > 0)
			memcpy(more, t->items, t->count * sizeof(*more));
		t->items = more;
		r->room = room;
	}
	t->items[t->count++] = (struct token){kind, text};
}

static char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->in.n ? r->in.p[r->at + ahead] : '\0';
}

/* word_end - of a word that begins here: the next separator outside quotes. */
static size_t word_end(const struct reader *r)
{
	bool quoted = false;
	size_t at;

	for (at = r->at; at < r->in.n; at++) {
		char c = r->in.p[at];

		if (c == '"')
			quoted = !quoted;
		else if (!quoted && is_separator(c))
			break;
		else if (quoted && c == '\\' && at + 1 < r->in.n)
			at++;
	}
	return at;
}

/*
 * word - its quotes and their backslashes taken off: "|a b", |"a b", :include:"/x y" are all one
 * word.
 */
static struct slice word(struct reader *r)
{
	size_t end = word_end(r), n = 0;
	char *text = arena_alloc(r->arena, end - r->at + 1);
	bool quoted = false;

	for (; r->at < end; r->at++) {
		char c = r->in.p[r->at];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && r->at + 1 < end)
			c = r->in.p[++r->at];
		text[n++] = c;
	}
	return slice(text, n);
}

/* begins_special - does a destination that is no address begin here? */
static bool begins_special(const struct reader *r, size_t at)
{
	struct slice rest = slice_from(r->in, at);

	if (rest.n > 0 && rest.p[0] == '"')
		rest = slice_from(rest, 1);
	else if (rest.n > 1 && rest.p[0] == '\\')
		return true;
	return slice_casestarts(rest, SL(":include:")) ||
	       (rest.n > 0 && (rest.p[0] == '|' || rest.p[0] == '/'));
}

static void special(struct reader *r)
{
	bool literal = peek(r, 0) == '\\';
	struct slice text;

	if (literal)
		r->at++;
	text = word(r);
	if (literal)
		add(r, TOKEN_LITERAL, text);
	else if (text.p[0] == '|')
		add(r, TOKEN_COMMAND, slice_trim(slice_from(text, 1)));
	else if (text.p[0] == '/')
		add(r, TOKEN_FILE, text);
	else
		add(r, TOKEN_INCLUDE, slice_trim(slice_from(text, SL(":include:").n)));
}

/* addresses - a run of them, up to a comma or line end outside quotes, or something special. */
static void addresses(struct reader *r)
{
	size_t from = r->at, angle = 0;
	struct address_list list;

	while (r->at < r->in.n) {
		char c = r->in.p[r->at];

		if (c == '"' || c == '(') {
			r->at = address_list_skip(r->in, r->at);
			continue;
		}
		if (c == '<')
			angle++;
		if (c == '>' && angle > 0)
			angle--;
		if (angle == 0 && (c == ',' || c == '\n'))
			break;
		if (angle == 0 && ascii_isspace(c) && begins_special(r, r->at + 1))
			break;
		r->at++;
	}
	address_list_parse(r->arena, slice_sub(r->in, from, r->at), r->max, &list);
	for (size_t i = 0; i < list.count; i++)
		if (list.items[i].address.n > 0)
			add(r, TOKEN_ADDRESS, list.items[i].address);
	if (list.truncated)
		r->out->truncated = true;
}

static void read_tokens(struct reader *r)
{
	while (r->at < r->in.n && !r->out->truncated) {
		if (is_separator(r->in.p[r->at]))
			r->at++;
		else if (r->in.p[r->at] == '(')
			r->at = address_list_skip(r->in, r->at);
		else if (begins_special(r, r->at))
			special(r);
		else
			addresses(r);
	}
}

void token_list(struct arena *arena, struct slice text, size_t max, struct tokens *out)
{
	struct reader r = {.arena = arena, .in = text, .max = max, .out = out};

	*out = (struct tokens){0};
	read_tokens(&r);
}

void token_file(struct arena *arena, struct slice text, size_t max, struct tokens *out)
{
	struct reader r = {.arena = arena, .max = max, .out = out};

	*out = (struct tokens){0};
	while (text.n > 0 && !out->truncated) {
		ssize_t end = slice_find(text, '\n');
		size_t n = end < 0 ? text.n : (size_t)end;

		r.in = slice_sub(text, 0, n);
		r.at = 0;
		if (n > 0 && r.in.p[0] != '#')
			read_tokens(&r);
		text = slice_from(text, n + 1);
	}
}
