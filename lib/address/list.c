/* SPDX-License-Identifier: ISC */
#include "address/list.h"
#include "address/address.h"

#define LIST_MAX_DEFAULT 100000

struct parser {
	struct arena *arena;
	struct slice body;
	size_t at;
	char *text; /* room for all unquoted addresses, and a space before each word */
	size_t used;
	struct address_list *out;
	size_t room;	/* of out->items */
	size_t pending; /* items from here on are words that may turn out to be a display name */
	size_t max;
	bool in_group;
};

/* skip_quoted - past the closing byte of a quoted string or literal; false when it does not end. */
static bool skip_quoted(struct slice s, size_t *at, char close)
{
	for (size_t i = *at + 1; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == close) {
			*at = i + 1;
			return true;
		}
	}
	*at = s.n;
	return false;
}

static bool skip_comment(struct slice s, size_t *at)
{
	size_t depth = 0;

	for (size_t i = *at; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n) {
			i++;
		} else if (s.p[i] == '(') {
			depth++;
		} else if (s.p[i] == ')' && --depth == 0) {
			*at = i + 1;
			return true;
		}
	}
	*at = s.n;
	return false;
}

static bool skip_any(struct slice s, size_t *at)
{
	switch (s.p[*at]) {
	case '(':
		return skip_comment(s, at);
	case '"':
		return skip_quoted(s, at, '"');
	case '[':
		return skip_quoted(s, at, ']');
	default:
		++*at;
		return true;
	}
}

size_t address_list_skip(struct slice s, size_t at)
{
	if (at < s.n)
		skip_any(s, &at);
	return at;
}

/* skip_cfws - white space, folding and comments; returns where it stopped. */
static size_t skip_cfws(struct parser *p, size_t at)
{
	while (at < p->body.n) {
		if (p->body.p[at] == '(') {
			if (!skip_comment(p->body, &at))
				p->out->malformed = true;
		} else if (ascii_isspace(p->body.p[at])) {
			at++;
		} else {
			break;
		}
	}
	return at;
}

static bool is_special(char c)
{
	return c == ',' || c == ';' || c == ':' || c == '<' || c == '>' || c == '(' || c == ')';
}

static void take_byte(struct parser *p, char c)
{
	p->text[p->used++] = c;
}

static void take_quoted_string(struct parser *p)
{
	size_t end = p->at;

	if (!skip_quoted(p->body, &end, '"')) {
		p->out->malformed = true;
		end = p->body.n + 1; /* as if the quote stood behind the last byte */
	}
	for (size_t i = p->at + 1; i + 1 < end; i++) {
		char c = p->body.p[i];

		if (c == '\\' && i + 2 < end)
			c = p->body.p[++i];
		/* Folding inside a quoted string is no part of it. */
		if (c != '\r' && c != '\n')
			take_byte(p, c);
	}
	p->at = end > p->body.n ? p->body.n : end;
}

static void take_literal(struct parser *p)
{
	size_t end = p->at;

	if (!skip_quoted(p->body, &end, ']'))
		p->out->malformed = true;
	for (; p->at < end; p->at++)
		if (!ascii_isspace(p->body.p[p->at]))
			take_byte(p, p->body.p[p->at]);
}

static void take_atom(struct parser *p)
{
	while (p->at < p->body.n) {
		char c = p->body.p[p->at];

		if (is_special(c) || ascii_isspace(c) || c == '"' || c == '[' || c == '@' ||
		    c == '.')
			break;
		if (c == '\\' && p->at + 1 < p->body.n)
			c = p->body.p[++p->at];
		take_byte(p, c);
		p->at++;
	}
}

static bool is_joint(char c)
{
	return c == '@' || c == '.';
}

/* take_token - one word or joint; true when it was a joint. */
static bool take_token(struct parser *p, struct address_item *item, bool in_domain)
{
	char c = p->body.p[p->at];

	if (c == '"') {
		take_quoted_string(p);
		item->quoted_local |= !in_domain;
	} else if (c == '[') {
		take_literal(p);
	} else if (is_joint(c)) {
		take_byte(p, c);
		p->at++;
		return true;
	} else {
		take_atom(p);
	}
	return false;
}

/* take_run - words held together by "@" and "."; white space and comments may stand around those.
 */
static void take_run(struct parser *p, struct address_item *item)
{
	size_t start = p->at, from = p->used, next;
	bool joint, in_domain = false;

	for (;;) {
		in_domain |= p->body.p[p->at] == '@';
		joint = take_token(p, item, in_domain);
		next = skip_cfws(p, p->at);
		if (next >= p->body.n || is_special(p->body.p[next]))
			break;
		if (!joint && next != p->at && !is_joint(p->body.p[next]))
			break;
		p->at = next;
	}
	item->raw = slice_sub(p->body, start, p->at);
	item->address = slice(p->text + from, p->used - from);
	item->name = SL_NULL;
	item->replacement = SL_NULL;
	item->in_group = p->in_group;
}

static bool add_item(struct parser *p, const struct address_item *item)
{
	struct address_list *out = p->out;

	if (out->count == p->max) {
		out->truncated = true;
		return false;
	}
	if (out->count == p->room) {
		struct address_item *more =
		    ARENA_ARRAY(p->arena, p->room * 2 + 4, struct address_item);

		if (out->count > 0)
			memcpy(more, out->items, out->count * sizeof(*more));
		out->items = more;
		p->room = p->room * 2 + 4;
	}
	out->items[out->count++] = *item;
	return true;
}

/* pending_name - the words gathered since the last separator, as they stand. */
static struct slice pending_name(const struct parser *p)
{
	const struct address_item *first, *last;

	if (p->pending == p->out->count)
		return SL_NULL;
	first = &p->out->items[p->pending];
	last = &p->out->items[p->out->count - 1];
	return slice(first->raw.p, (size_t)(last->raw.p + last->raw.n - first->raw.p));
}

/* skip_route - past "@a,@b:" inside <>; stays where it is when there is no route. */
static void skip_route(struct parser *p, size_t end)
{
	size_t i = p->at;

	if (i >= end || p->body.p[i] != '@')
		return;
	while (i < end) {
		if (p->body.p[i] == ':') {
			p->at = skip_cfws(p, i + 1);
			return;
		}
		skip_any(p->body, &i);
	}
}

static size_t find_angle_end(struct parser *p)
{
	size_t i = p->at;

	while (i < p->body.n && p->body.p[i] != '>')
		if (!skip_any(p->body, &i))
			break;
	if (i >= p->body.n)
		p->out->malformed = true;
	return i;
}

/* take_angle_words - what stands in <>, which ought to be one run; more are joined with a space. */
static void take_angle_words(struct parser *p, struct address_item *item, size_t end)
{
	size_t from = p->used;

	while (p->at < end) {
		if (is_special(p->body.p[p->at])) {
			p->out->malformed = true;
			take_byte(p, p->body.p[p->at++]);
		} else {
			if (p->used > from) {
				p->out->malformed = true;
				take_byte(p, ' ');
			}
			take_run(p, item);
		}
		p->at = skip_cfws(p, p->at);
	}
	item->address = slice(p->text + from, p->used - from);
}

static bool take_angle(struct parser *p)
{
	struct address_item item = {.angle = true};
	struct slice name = pending_name(p), whole = p->body;
	size_t end;

	p->out->count = p->pending;
	p->at++;
	end = find_angle_end(p);
	item.raw = slice_trim(slice_sub(whole, p->at, end));
	/* Nothing inside <> may reach beyond it. */
	p->body = slice_sub(whole, 0, end);
	p->at = skip_cfws(p, p->at);
	skip_route(p, end);
	if (p->at < end) {
		struct slice raw = item.raw;

		take_angle_words(p, &item, end);
		item.raw = raw;
	}
	p->body = whole;
	p->at = end < whole.n ? end + 1 : end;
	item.name = name;
	item.in_group = p->in_group;
	if (item.address.n > 0 && !add_item(p, &item))
		return false;
	p->pending = p->out->count;
	return true;
}

/* take_separator - one of ",;:>)" */
static void take_separator(struct parser *p, char c)
{
	if (c == ':') {
		p->out->count = p->pending; /* it was the group's name */
		p->in_group = true;
	} else if (c == ';') {
		p->in_group = false;
	} else if (c != ',') {
		p->out->malformed = true;
	}
	p->pending = p->out->count;
	p->at++;
}

void address_list_parse(struct arena *arena, struct slice body, size_t max,
			struct address_list *out)
{
	struct parser p = {.arena = arena, .body = body, .out = out};

	*out = (struct address_list){.body = body};
	p.max = max > 0 ? max : LIST_MAX_DEFAULT;
	p.text = arena_alloc(arena, 2 * body.n + 1);
	while ((p.at = skip_cfws(&p, p.at)) < body.n) {
		struct address_item item = {0};
		char c = body.p[p.at];

		if (c == '<') {
			if (!take_angle(&p))
				break;
		} else if (is_special(c)) {
			take_separator(&p, c);
		} else {
			take_run(&p, &item);
			if (!add_item(&p, &item))
				break;
		}
	}
}

static char *copy_to(char *to, struct slice s)
{
	if (s.n > 0)
		memcpy(to, s.p, s.n);
	return to + s.n;
}

static bool any_replaced(const struct address_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!slice_is_null(list->items[i].replacement))
			return true;
	return false;
}

struct slice address_list_render(struct arena *arena, const struct address_list *list)
{
	struct slice *external;
	size_t n = list->body.n, from = 0;
	char *text, *to;

	if (!any_replaced(list))
		return list->body;
	external = ARENA_ARRAY(arena, list->count, struct slice);
	for (size_t i = 0; i < list->count; i++) {
		external[i] = address_quote(arena, list->items[i].replacement);
		n += external[i].n;
	}
	text = to = arena_alloc(arena, n + 1);
	for (size_t i = 0; i < list->count; i++) {
		const struct address_item *item = &list->items[i];
		size_t start = (size_t)(item->raw.p - list->body.p);

		if (slice_is_null(item->replacement))
			continue;
		to = copy_to(to, slice_sub(list->body, from, start));
		to = copy_to(to, external[i]);
		from = start + item->raw.n;
	}
	to = copy_to(to, slice_from(list->body, from));
	return slice(text, (size_t)(to - text));
}
