/* SPDX-License-Identifier: ISC */
#include "smtp/downgrade.h"
#include "base/arena.h"
#include "base/check.h"
#include "message/header.h"

#include <stdlib.h>

#define DEPTH_MAX 64
#define BOUNDARY_MAX 256
/* A longer line is worked on in pieces; no boundary is that long. */
#define LINE_PIECE ((size_t)2048)
#define ENCODED_LINE 76

struct enclosure {
	char boundary[BOUNDARY_MAX];
	size_t n;
	bool digest; /* parts without a type are messages */
};

struct downgrade {
	struct buffer line;   /* a piece of a line, not yet judged */
	struct buffer header; /* of the part that begins */
	struct enclosure stack[DEPTH_MAX];
	size_t depth;
	bool in_header;
	bool at_line; /* the piece begins a line */
	bool encode;
	size_t column; /* of the encoded line */
	char blank;    /* a space or tab that may turn out to be the line's last byte; 0: none */
};

struct downgrade *downgrade_create(void)
{
	struct downgrade *d = calloc(1, sizeof(*d));

	if (d == NULL)
		out_of_memory();
	buffer_init(&d->line, LINE_PIECE + 2);
	buffer_init(&d->header, DOWNGRADE_HELD_MAX);
	d->in_header = true;
	d->at_line = true;
	return d;
}

void downgrade_destroy(struct downgrade **d)
{
	if (*d == NULL)
		return;
	buffer_free(&(*d)->line);
	buffer_free(&(*d)->header);
	free(*d);
	*d = NULL;
}

/* ---- quoted-printable */

static void put_text(struct downgrade *d, struct slice text, struct buffer *out)
{
	if (d->column + text.n >= ENCODED_LINE) {
		buffer_append(out, SL("=\r\n"));
		d->column = 0;
	}
	buffer_append(out, text);
	d->column += text.n;
}

static void put_byte(struct downgrade *d, char c, bool plain, struct buffer *out)
{
	static const char hex[] = "0123456789ABCDEF";
	unsigned char u = (unsigned char)c;
	const char code[3] = {'=', hex[u >> 4], hex[u & 15]};

	put_text(d, plain ? slice(&c, 1) : slice(code, sizeof(code)), out);
}

static void put_blank(struct downgrade *d, bool plain, struct buffer *out)
{
	if (d->blank != 0)
		put_byte(d, d->blank, plain, out);
	d->blank = 0;
}

static void encode_text(struct downgrade *d, struct slice text, struct buffer *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		put_blank(d, true, out);
		if (c == ' ' || c == '\t')
			d->blank = c;
		else
			put_byte(d, c, ascii_isprint(c) && c != '=', out);
	}
}

static void encode_line_end(struct downgrade *d, struct buffer *out)
{
	put_blank(d, false, out);
	buffer_append(out, SL("\r\n"));
	d->column = 0;
}

/* ---- the header of a part */

/* parameter - the value of ;name=value or ;name="value" in a field's body; quotes taken off. */
static bool parameter(struct arena *arena, struct slice body, struct slice name, struct slice *value)
{
	struct slice rest = body, word;

	for (ssize_t semi = slice_find(rest, ';'); semi >= 0; semi = slice_find(rest, ';')) {
		ssize_t equals;

		rest = slice_from(rest, (size_t)semi + 1);
		equals = slice_find(rest, '=');
		if (equals < 0)
			return false;
		word = slice_trim(slice_sub(rest, 0, (size_t)equals));
		if (!slice_caseeq(word, name))
			continue;
		*value = slice_trim(slice_from(rest, (size_t)equals + 1));
		if (value->n > 0 && value->p[0] == '"') {
			char *text = arena_alloc(arena, value->n);
			size_t n = 0;

			for (size_t i = 1; i < value->n && value->p[i] != '"'; i++) {
				if (value->p[i] == '\\' && i + 1 < value->n)
					i++;
				text[n++] = value->p[i];
			}
			*value = slice(text, n);
			return n > 0;
		}
		return slice_next(value, "; \t", &word) && (*value = word, true);
	}
	return false;
}

struct part {
	struct slice type; /* "text/plain", lower case */
	struct slice boundary;
	bool eight_bit;
};

static void look_at(struct arena *arena, const struct header_field *field, struct part *part)
{
	struct slice body, word;

	if (slice_caseeq(field->name, SL("Content-Type"))) {
		body = header_unfold(arena, field->body);
		word = body;
		if (slice_next(&word, "; \t", &part->type))
			part->type = arena_lower(arena, part->type);
		parameter(arena, body, SL("boundary"), &part->boundary);
	} else if (slice_caseeq(field->name, SL("Content-Transfer-Encoding"))) {
		body = header_unfold(arena, field->body);
		part->eight_bit = slice_next(&body, " \t;(", &word) &&
				  (slice_caseeq(word, SL("8bit")) || slice_caseeq(word, SL("binary")));
	}
}

static void read_header(struct arena *arena, struct slice head, struct part *part)
{
	struct header_field field;

	*part = (struct part){.type = SL_NULL};
	while (header_next(&head, true, &field) == HEADER_FIELD)
		look_at(arena, &field, part);
}

/* write_header - as it was, but for the encoding. */
static void write_header(struct slice head, const char *encoding, struct buffer *out)
{
	struct header_field field;

	while (header_next(&head, true, &field) == HEADER_FIELD) {
		if (slice_caseeq(field.name, SL("Content-Transfer-Encoding")))
			buffer_printf(out, "Content-Transfer-Encoding: %s\r\n", encoding);
		else
			buffer_append(out, field.raw);
	}
	buffer_append(out, head);
}

static bool enter_multipart(struct downgrade *d, const struct part *part)
{
	struct enclosure *e = &d->stack[d->depth];

	if (part->boundary.n == 0 || part->boundary.n > BOUNDARY_MAX || d->depth == DEPTH_MAX)
		return false;
	memcpy(e->boundary, part->boundary.p, part->boundary.n);
	e->n = part->boundary.n;
	e->digest = slice_eq(part->type, SL("multipart/digest"));
	d->depth++;
	return true;
}

/* end_header - the empty line is there: what is this part, and what happens to its body? */
static void end_header(struct downgrade *d, struct buffer *out)
{
	struct arena *arena = arena_create();
	struct slice head = buffer_slice(&d->header);
	struct part part;
	bool message, composite;

	read_header(arena, head, &part);
	message = slice_eq(part.type, SL("message/rfc822")) || slice_eq(part.type, SL("message/global")) ||
		  (part.type.n == 0 && d->depth > 0 && d->stack[d->depth - 1].digest);
	composite = message || slice_starts(part.type, SL("multipart/"));
	if (slice_starts(part.type, SL("multipart/")))
		enter_multipart(d, &part);
	if (part.eight_bit)
		write_header(head, composite ? "7bit" : "quoted-printable", out);
	else
		buffer_append(out, head);
	buffer_append(out, SL("\r\n"));
	buffer_reset(&d->header);
	d->encode = part.eight_bit && !composite;
	d->in_header = message;
	arena_destroy(&arena);
}

/* give_up_header - it is none, or too large: pass it on. */
static void give_up_header(struct downgrade *d, struct buffer *out)
{
	buffer_append(out, buffer_slice(&d->header));
	buffer_reset(&d->header);
	d->in_header = false;
	d->encode = false;
}

/* ---- lines */

/* boundary_at - which enclosure's boundary is this line? *close: it is the last one. -1: none. */
static ssize_t boundary_at(const struct downgrade *d, struct slice line, bool *close)
{
	if (!slice_starts(line, SL("--")))
		return -1;
	line = slice_from(line, 2);
	for (size_t i = d->depth; i > 0; i--) {
		const struct enclosure *e = &d->stack[i - 1];
		struct slice rest;

		if (!slice_starts(line, slice(e->boundary, e->n)))
			continue;
		rest = slice_from(line, e->n);
		*close = slice_starts(rest, SL("--"));
		if (slice_trim(*close ? slice_from(rest, 2) : rest).n == 0)
			return (ssize_t)(i - 1);
	}
	return -1;
}

static bool take_boundary(struct downgrade *d, struct slice line, struct buffer *out)
{
	bool close = false;
	ssize_t level = boundary_at(d, line, &close);

	if (level < 0)
		return false;
	if (d->in_header)
		give_up_header(d, out);
	d->depth = (size_t)level + (close ? 0 : 1);
	d->encode = false;
	d->in_header = !close;
	buffer_append(out, line);
	buffer_append(out, SL("\r\n"));
	return true;
}

static void take_header_line(struct downgrade *d, struct slice piece, bool ended, struct buffer *out)
{
	if (d->at_line && ended && piece.n == 0) {
		end_header(d, out);
		return;
	}
	if (d->header.len + piece.n + 2 > DOWNGRADE_HELD_MAX) {
		give_up_header(d, out);
		buffer_append(out, piece);
		if (ended)
			buffer_append(out, SL("\r\n"));
		return;
	}
	buffer_append(&d->header, piece);
	if (ended)
		buffer_append(&d->header, SL("\r\n"));
}

/* take_piece - text without line end; `ended`: the line ends behind it. */
static void take_piece(struct downgrade *d, struct slice piece, bool ended, struct buffer *out)
{
	bool boundary = d->at_line && ended && take_boundary(d, piece, out);

	if (!boundary && d->in_header) {
		take_header_line(d, piece, ended, out);
	} else if (!boundary && d->encode) {
		encode_text(d, piece, out);
		if (ended)
			encode_line_end(d, out);
	} else if (!boundary) {
		buffer_append(out, piece);
		if (ended)
			buffer_append(out, SL("\r\n"));
	}
	d->at_line = ended;
}

void downgrade_feed(struct downgrade *d, struct slice in, struct buffer *out)
{
	while (in.n > 0) {
		ssize_t lf = slice_find(in, '\n');
		size_t room = LINE_PIECE - d->line.len;
		size_t n = lf < 0 ? in.n : (size_t)lf;

		if (n > room) {
			buffer_append(&d->line, slice_sub(in, 0, room));
			in = slice_from(in, room);
			/* its last byte may be the CR of a line end */
			take_piece(d, slice_sub(buffer_slice(&d->line), 0, LINE_PIECE - 1), false, out);
			buffer_consume(&d->line, LINE_PIECE - 1);
			continue;
		}
		buffer_append(&d->line, slice_sub(in, 0, n));
		in = slice_from(in, n + (lf >= 0 ? 1 : 0));
		if (lf < 0)
			return;
		if (d->line.len > 0 && d->line.data[d->line.len - 1] == '\r')
			buffer_truncate(&d->line, d->line.len - 1);
		take_piece(d, buffer_slice(&d->line), true, out);
		buffer_reset(&d->line);
	}
}

void downgrade_end(struct downgrade *d, struct buffer *out)
{
	if (d->line.len > 0)
		take_piece(d, buffer_slice(&d->line), false, out);
	buffer_reset(&d->line);
	put_blank(d, false, out);
	if (d->in_header)
		give_up_header(d, out);
}
