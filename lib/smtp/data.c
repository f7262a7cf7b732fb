/* SPDX-License-Identifier: ISC */
#include "smtp/data.h"

enum state {
	LINE_START,    /* after CRLF: a dot here is stuffing, or the end */
	LF_LINE_START, /* after a bare LF that was taken as a line end: never the end */
	TEXT,
	CR,	/* a CR that is not yet put out */
	DOT,	/* CRLF "." */
	DOT_CR, /* CRLF "." CR */
	LF_DOT	/* bare LF "." */
};

void data_reader_init(struct data_reader *r, enum data_bare mode)
{
	*r = (struct data_reader){.mode = mode, .state = LINE_START};
}

static void put(struct data_reader *r, struct slice s, struct buffer *out)
{
	buffer_append(out, s);
	r->written += s.n;
}

static void put_bare_cr(struct data_reader *r, struct buffer *out)
{
	r->bare_cr = true;
	put(r, SL(" "), out);
}

/* text_byte - a byte of a line whose leading dot, if any, has been dealt with. */
static void text_byte(struct data_reader *r, char c, struct buffer *out)
{
	r->state = TEXT;
	if (c == '\r') {
		r->state = CR;
	} else if (c != '\n') {
		put(r, slice(&c, 1), out);
	} else if (r->mode == DATA_BARE_NORMALIZE) {
		r->bare_lf = true;
		put(r, SL("\r\n"), out);
		r->state = LF_LINE_START;
	} else {
		r->bare_lf = true;
		put(r, SL(" "), out);
	}
}

static void cr_byte(struct data_reader *r, char c, struct buffer *out)
{
	if (c == '\n') {
		put(r, SL("\r\n"), out);
		r->state = LINE_START;
		return;
	}
	put_bare_cr(r, out);
	text_byte(r, c, out);
}

static void dot_byte(struct data_reader *r, char c, struct buffer *out)
{
	if (c == '\r') {
		r->state = DOT_CR;
		return;
	}
	/* The dot is stuffing, save alone before a bare LF: no sender that stuffs writes that. */
	if (c == '\n')
		put(r, SL("."), out);
	text_byte(r, c, out);
}

static void dot_cr_byte(struct data_reader *r, char c, struct buffer *out)
{
	if (c == '\n') {
		r->ended = true;
		return;
	}
	put_bare_cr(r, out);
	text_byte(r, c, out);
}

/* lf_dot_byte - who ends lines in bare LF may stuff dots or not: two are one, one is one. */
static void lf_dot_byte(struct data_reader *r, char c, struct buffer *out)
{
	put(r, SL("."), out);
	r->state = TEXT;
	if (c != '.')
		text_byte(r, c, out);
}

static void step(struct data_reader *r, char c, struct buffer *out)
{
	switch ((enum state)r->state) {
	case LINE_START:
	case LF_LINE_START:
		if (c == '.')
			r->state = r->state == LINE_START ? DOT : LF_DOT;
		else
			text_byte(r, c, out);
		break;
	case TEXT:
		text_byte(r, c, out);
		break;
	case CR:
		cr_byte(r, c, out);
		break;
	case DOT:
		dot_byte(r, c, out);
		break;
	case DOT_CR:
		dot_cr_byte(r, c, out);
		break;
	case LF_DOT:
		lf_dot_byte(r, c, out);
		break;
	}
}

/* clean_lines - bytes at the front that go out as they are: whole lines that end in CRLF, without
 * other CR or LF, up to one that begins with a dot. */
static size_t clean_lines(struct slice in)
{
	size_t n = 0;

	while (n < in.n) {
		struct slice rest = slice_from(in, n);
		ssize_t lf = slice_find(rest, '\n');

		if (lf < 1 || rest.p[lf - 1] != '\r' ||
		    memchr(rest.p, '\r', (size_t)lf - 1) != NULL)
			break;
		n += (size_t)lf + 1;
		if (n < in.n && in.p[n] == '.')
			break;
	}
	return n;
}

/* plain_run - bytes at the front before the first CR or LF. */
static size_t plain_run(struct slice in)
{
	ssize_t lf = slice_find(in, '\n');
	size_t n = lf < 0 ? in.n : (size_t)lf;
	ssize_t cr = slice_find(slice_sub(in, 0, n), '\r');

	return cr < 0 ? n : (size_t)cr;
}

/* bulk - put out what needs no care; returns how much of `in` that was. */
static size_t bulk(struct data_reader *r, struct slice in, struct buffer *out)
{
	size_t n;

	if (r->state != TEXT && (r->state != LINE_START || in.p[0] == '.'))
		return 0;
	n = clean_lines(in);
	if (n > 0) {
		r->state = LINE_START;
	} else {
		n = plain_run(in);
		if (n > 0)
			r->state = TEXT;
	}
	if (n > 0)
		put(r, slice_sub(in, 0, n), out);
	return n;
}

bool data_reader_feed(struct data_reader *r, struct slice *in, struct buffer *out)
{
	while (in->n > 0 && !r->ended) {
		size_t n = bulk(r, *in, out);

		if (n == 0) {
			step(r, in->p[0], out);
			n = 1;
		}
		r->taken += n;
		*in = slice_from(*in, n);
	}
	return r->ended;
}

void bdat_reader_init(struct bdat_reader *r)
{
	*r = (struct bdat_reader){0};
	content_canon_init(&r->canon);
}

void bdat_reader_chunk(struct bdat_reader *r, uint64_t size, bool last)
{
	r->left = size;
	r->last = last;
}

bool bdat_reader_feed(struct bdat_reader *r, struct slice *in, struct buffer *out)
{
	size_t n = in->n < r->left ? in->n : (size_t)r->left;

	content_canon_feed(&r->canon, slice_sub(*in, 0, n), out);
	*in = slice_from(*in, n);
	r->left -= n;
	if (r->left > 0)
		return false;
	if (r->last)
		content_canon_end(&r->canon, out);
	return true;
}

void data_writer_init(struct data_writer *w, size_t line_limit)
{
	*w = (struct data_writer){.line_limit = line_limit};
}

static void write_line_end(struct data_writer *w, struct buffer *out)
{
	buffer_append(out, SL("\r\n"));
	w->column = 0;
	w->after_cr = false;
}

/* write_text - bytes without CR and LF; an empty run is none. */
static void write_text(struct data_writer *w, struct slice text, struct buffer *out)
{
	if (text.n > 0 && w->column == 0 && text.p[0] == '.')
		buffer_append(out, SL("."));
	while (text.n > 0) {
		size_t n = text.n;

		if (w->line_limit > 0 && w->column >= w->line_limit) {
			buffer_append(out, SL("\r\n "));
			w->column = 1;
		}
		if (w->line_limit > w->column && n > w->line_limit - w->column)
			n = w->line_limit - w->column;
		buffer_append(out, slice_sub(text, 0, n));
		w->column += n;
		text = slice_from(text, n);
	}
}

static void write_held_cr(struct data_writer *w, struct buffer *out)
{
	if (w->after_cr)
		write_text(w, SL(" "), out);
	w->after_cr = false;
}

void data_writer_feed(struct data_writer *w, struct slice in, struct buffer *out)
{
	while (in.n > 0) {
		size_t n = plain_run(in);

		if (n > 0) {
			write_held_cr(w, out);
			write_text(w, slice_sub(in, 0, n), out);
		} else if (in.p[0] == '\n') {
			write_line_end(w, out);
			n = 1;
		} else {
			write_held_cr(w, out);
			w->after_cr = true;
			n = 1;
		}
		in = slice_from(in, n);
	}
}

void data_writer_end(struct data_writer *w, struct buffer *out)
{
	write_held_cr(w, out);
	if (w->column > 0)
		write_line_end(w, out);
	buffer_append(out, SL(".\r\n"));
}
