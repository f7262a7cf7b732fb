/* SPDX-License-Identifier: ISC */
#include "commands/map_content.h"
#include "base/buffer.h"
#include "commands/map_tool.h"

/* What a body is, by its Content-Type. */
enum kind { KIND_TEXT, KIND_MULTIPART, KIND_DIGEST, KIND_MESSAGE };

struct level {
	struct slice boundary;
	bool digest; /* its parts are messages unless they say otherwise (RFC 2046 5.1.5) */
};

struct reader {
	const struct map_content *content;
	struct arena *arena; /* of the message */
	struct arena *line_arena;
	struct level *levels;
	size_t depth;
	bool in_head;
	enum kind kind; /* of the body behind the head at hand */
	struct slice boundary;
	struct buffer header;
};

/* is_header - "name:", of printable bytes. White space before the colon is forgiven, and taken out of what is kept. */
static bool is_header(struct slice line, struct slice *name, struct slice *rest)
{
	size_t i = 0;

	while (i < line.n && line.p[i] > ' ' && line.p[i] < 127 && line.p[i] != ':')
		i++;
	*name = slice_sub(line, 0, i);
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	*rest = slice_from(line, i);
	return name->n > 0 && rest->n > 0 && rest->p[0] == ':';
}

/* ---- Content-Type */

/* skip_blank - white space and comments (RFC 822). */
static struct slice skip_blank(struct slice text)
{
	size_t depth = 0, i;

	for (i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\' && depth > 0)
			i++;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth == 0 && !ascii_isspace(c))
			break;
	}
	return slice_from(text, i < text.n ? i : text.n);
}

/* next_token - a token or what "" hold, without the quotes; empty at a special, which stays. */
static struct slice next_token(struct slice *text, struct arena *arena)
{
	struct buffer out;
	struct slice token;
	size_t i = 0;

	*text = skip_blank(*text);
	if (text->n == 0 || text->p[0] != '"') {
		while (i < text->n && text->p[i] > ' ' && strchr("()<>@,;:\\\"/[]?=", text->p[i]) == NULL)
			i++;
		token = slice_sub(*text, 0, i);
		*text = slice_from(*text, i);
		return token;
	}
	buffer_init(&out, text->n);
	for (i = 1; i < text->n && text->p[i] != '"'; i++) {
		if (text->p[i] == '\\' && i + 1 < text->n)
			i++;
		buffer_append_byte(&out, text->p[i]);
	}
	*text = slice_from(*text, i + 1);
	token = arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return token;
}

/* take_special - this byte, if it comes next. */
static bool take_special(struct slice *text, char c)
{
	*text = skip_blank(*text);
	if (text->n == 0 || text->p[0] != c)
		return false;
	*text = slice_from(*text, 1);
	return true;
}

/* take_boundary - the parameter of that name; absent without it. */
static struct slice take_boundary(struct reader *r, struct slice text)
{
	while (take_special(&text, ';')) {
		struct slice name = next_token(&text, r->line_arena), value;

		if (!take_special(&text, '='))
			continue;
		value = next_token(&text, r->line_arena);
		if (slice_caseeq(name, SL("boundary")))
			return arena_dup(r->arena, slice_sub(value, 0, r->content->boundary_max));
	}
	return SL_NULL;
}

static void take_content_type(struct reader *r, struct slice text)
{
	struct slice type = next_token(&text, r->line_arena), subtype = SL_NULL;

	r->boundary = SL_NULL;
	r->kind = KIND_TEXT;
	if (take_special(&text, '/'))
		subtype = next_token(&text, r->line_arena);
	if (slice_caseeq(type, SL("message"))) {
		r->kind = slice_caseeq(subtype, SL("rfc822")) ? KIND_MESSAGE : KIND_TEXT;
	} else if (slice_caseeq(type, SL("multipart"))) {
		r->boundary = take_boundary(r, text);
		if (!slice_is_null(r->boundary))
			r->kind = slice_caseeq(subtype, SL("digest")) ? KIND_DIGEST : KIND_MULTIPART;
	}
}

/* ---- lines */

static void give(struct reader *r, bool header, struct slice key)
{
	if (header ? r->content->headers : r->content->body)
		r->content->key(r->content->data, key);
}

/* end_header - the header that was gathered is whole. */
static void end_header(struct reader *r)
{
	struct slice text = buffer_slice(&r->header);
	ssize_t colon = slice_find(text, ':');

	if (text.n == 0)
		return;
	if (r->content->mime && colon > 0 &&
	    slice_caseeq(slice_rtrim(slice_sub(text, 0, (size_t)colon)), SL("content-type")))
		take_content_type(r, slice_from(text, (size_t)colon + 1));
	give(r, true, text);
	buffer_reset(&r->header);
}

static void begin_head(struct reader *r, enum kind kind)
{
	r->in_head = true;
	r->kind = kind;
	r->boundary = SL_NULL;
}

/* end_head - what comes behind it: parts, another message, or text. */
static void end_head(struct reader *r)
{
	end_header(r);
	r->in_head = false;
	if (r->kind == KIND_MESSAGE) {
		begin_head(r, KIND_TEXT);
	} else if (r->kind != KIND_TEXT && r->depth < r->content->nesting_max) {
		r->levels[r->depth].boundary = r->boundary;
		r->levels[r->depth++].digest = r->kind == KIND_DIGEST;
	}
}

/* at_boundary - "--boundary" of this level or of one around it: what was open within it has ended. */
static bool at_boundary(struct reader *r, struct slice line)
{
	if (r->depth == 0 || !slice_starts(line, SL("--")))
		return false;
	line = slice_from(line, 2);
	for (size_t i = r->depth; i > 0; i--) {
		const struct level *level = &r->levels[i - 1];

		if (!slice_starts(line, level->boundary))
			continue;
		end_header(r);
		if (slice_starts(slice_from(line, level->boundary.n), SL("--"))) {
			r->depth = i - 1;
			r->in_head = false;
		} else {
			r->depth = i;
			begin_head(r, level->digest ? KIND_MESSAGE : KIND_TEXT);
		}
		return true;
	}
	return false;
}

/* head_line - false: it is none; the head has ended, and the line is another's. */
static bool head_line(struct reader *r, struct slice line)
{
	struct slice name, rest;

	if (r->header.len > 0 && line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t')) {
		buffer_append_byte(&r->header, '\n');
		buffer_append(&r->header, line);
		return true;
	}
	end_header(r);
	if (!is_header(line, &name, &rest))
		return false;
	buffer_append(&r->header, name);
	buffer_append(&r->header, rest);
	return true;
}

/* take_line - false: nothing behind it can be a key. */
static bool take_line(struct reader *r, struct slice line)
{
	if (r->content->mime && at_boundary(r, line)) {
		give(r, false, line);
		return true;
	}
	if (r->in_head) {
		if (head_line(r, line))
			return true;
		end_head(r);
		if (!r->content->body && !r->content->mime)
			return false;
		if (line.n == 0)
			return true;
		if (r->in_head && head_line(r, line))
			return true;
	}
	give(r, false, line);
	return true;
}

void map_content_read(const struct map_content *content)
{
	struct reader r = {.content = content, .arena = arena_create(), .line_arena = arena_create()};
	struct slice line;
	bool more = true;

	r.levels = ARENA_ARRAY(r.arena, content->nesting_max + 1, struct level);
	buffer_init(&r.header, content->header_max);
	begin_head(&r, KIND_TEXT);
	for (; more && map_read_line(r.line_arena, &line); arena_reset(r.line_arena))
		more = take_line(&r, line);
	end_header(&r);
	buffer_free(&r.header);
	arena_destroy(&r.line_arena);
	arena_destroy(&r.arena);
}
