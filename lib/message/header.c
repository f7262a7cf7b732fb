/* SPDX-License-Identifier: ISC */
#include "message/header.h"
#include "message/content.h"

static bool is_ftext(char c)
{
	return c > ' ' && c < 127 && c != ':';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

bool header_valid_name(struct slice name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_ftext(name.p[i]))
			return false;
	return name.n > 0;
}

/* take_empty_line - the line end at the front of *input, if there is one. */
static bool take_empty_line(struct slice *input)
{
	size_t n = slice_starts(*input, SL("\r\n")) ? 2 : slice_starts(*input, SL("\n")) ? 1 : 0;

	*input = slice_from(*input, n);
	return n > 0;
}

enum name_scan { NAME_FOUND, NAME_NONE, NAME_CUT };

/* scan_name - ftext, blanks (obsolete syntax), colon. */
static enum name_scan scan_name(struct slice s, size_t *name_end, size_t *colon)
{
	size_t i = 0;

	while (i < s.n && is_ftext(s.p[i]))
		i++;
	*name_end = i;
	while (i > 0 && i < s.n && is_blank(s.p[i]))
		i++;
	*colon = i;
	if (i == s.n)
		return NAME_CUT;
	return s.p[i] == ':' && *name_end > 0 ? NAME_FOUND : NAME_NONE;
}

/* field_end - behind the last line of the field; 0 when more input must tell. */
static size_t field_end(struct slice s, size_t from, bool last)
{
	for (;;) {
		ssize_t lf = slice_find(slice_from(s, from), '\n');

		if (lf < 0)
			return last ? s.n : 0;
		from += (size_t)lf + 1;
		if (from == s.n)
			return last ? s.n : 0;
		if (!is_blank(s.p[from]))
			return from;
	}
}

static struct slice without_line_end(struct slice s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

enum header_step header_next(struct slice *input, bool last, struct header_field *field)
{
	size_t name_end, colon, end;

	if (input->n == 0)
		return HEADER_MORE;
	if (take_empty_line(input))
		return HEADER_EMPTY;
	if (input->n == 1 && input->p[0] == '\r' && !last)
		return HEADER_MORE;
	switch (scan_name(*input, &name_end, &colon)) {
	case NAME_NONE:
		return HEADER_BODY;
	case NAME_CUT:
		return last ? HEADER_BODY : HEADER_MORE;
	case NAME_FOUND:
		break;
	}
	end = field_end(*input, colon + 1, last);
	if (end == 0)
		return HEADER_MORE;
	field->raw = slice_sub(*input, 0, end);
	field->name = slice_sub(*input, 0, name_end);
	field->body = without_line_end(slice_sub(*input, colon + 1, end));
	*input = slice_from(*input, end);
	return HEADER_FIELD;
}

size_t header_count(struct slice head, struct slice name)
{
	struct header_field field;
	size_t count = 0;

	while (header_next(&head, true, &field) == HEADER_FIELD)
		count += slice_caseeq(field.name, name);
	return count;
}

struct slice header_unfold(struct arena *arena, struct slice body)
{
	char *p;
	size_t n = 0;

	body = slice_trim(body);
	if (slice_find(body, '\n') < 0 && slice_find(body, '\r') < 0)
		return body;
	p = arena_alloc(arena, body.n + 1);
	for (size_t i = 0; i < body.n; i++) {
		char c = body.p[i];

		if (c == '\n' || (c == '\r' && i + 1 < body.n && body.p[i + 1] == '\n'))
			continue;
		p[n++] = c == '\r' ? ' ' : c;
	}
	return slice(p, n);
}

/* A word of a field that is being written, with the blanks before it. */
struct piece {
	struct slice blanks;
	struct slice word;
	bool folded; /* a line end stood before the blanks */
};

static bool next_piece(struct slice *rest, struct piece *piece)
{
	size_t i = 0, word;

	while (i < rest->n && (rest->p[i] == '\n' || rest->p[i] == '\r'))
		i++;
	piece->folded = i > 0;
	*rest = slice_from(*rest, i);
	for (i = 0; i < rest->n && is_blank(rest->p[i]); i++)
		;
	word = i;
	while (i < rest->n && !is_blank(rest->p[i]) && rest->p[i] != '\n' && rest->p[i] != '\r')
		i++;
	piece->blanks = slice_sub(*rest, 0, word);
	piece->word = slice_sub(*rest, word, i);
	*rest = slice_from(*rest, i);
	return piece->blanks.n + piece->word.n > 0;
}

/* put_word - bytes of a word; control bytes become spaces, and what passes the hard limit is
 * broken. */
static void put_word(struct buffer *out, struct slice word, size_t *column)
{
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];

		if (*column >= HEADER_LINE_MAX) {
			buffer_append(out, SL("\r\n "));
			*column = 1;
		}
		buffer_append_byte(out, (unsigned char)c < ' ' || c == 127 ? ' ' : c);
		++*column;
	}
}

static void put_piece(struct buffer *out, const struct piece *piece, size_t *column, bool first)
{
	size_t n = piece->blanks.n + piece->word.n;

	if (!first && piece->blanks.n > 0 && piece->word.n > 0 &&
	    (piece->folded || *column + n > HEADER_LINE_WANTED)) {
		buffer_append(out, SL("\r\n"));
		*column = 0;
	} else if (!first && piece->folded && piece->blanks.n == 0) {
		/* A line end without a blank behind it would end the field. */
		buffer_append(out, SL(" "));
		++*column;
	}
	if (piece->blanks.n > HEADER_LINE_WANTED)
		put_word(out, SL(" "), column);
	else
		for (size_t i = 0; i < piece->blanks.n; i++, ++*column)
			buffer_append_byte(out, piece->blanks.p[i]);
	put_word(out, piece->word, column);
}

bool header_append(struct buffer *out, struct slice name, struct slice body)
{
	size_t column = name.n + 2;
	struct piece piece;
	bool first = true;

	body = slice_trim(body);
	buffer_append(out, name);
	buffer_append(out, SL(": "));
	while (next_piece(&body, &piece)) {
		put_piece(out, &piece, &column, first);
		first = false;
	}
	buffer_append(out, SL("\r\n"));
	return !buffer_overflowed(out);
}

bool header_append_raw(struct buffer *out, struct slice raw)
{
	struct content_canon canon;

	content_canon_init(&canon);
	content_canon_feed(&canon, raw, out);
	content_canon_end(&canon, out);
	return !buffer_overflowed(out);
}
