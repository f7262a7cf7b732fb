/* SPDX-License-Identifier: ISC */
#include "message/content.h"

void content_scan_init(struct content_scan *scan)
{
	*scan = (struct content_scan){0};
}

/* has_8bit - eight bytes at a time. */
static bool has_8bit(struct slice s)
{
	uint64_t seen = 0, word;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		seen |= word;
	}
	for (; i < s.n; i++)
		seen |= (unsigned char)s.p[i];
	return (seen & 0x8080808080808080u) != 0;
}

static bool has_bare_cr(struct slice line)
{
	/* The last CR may belong to the line end, or be decided by the next input. */
	return line.n > 0 && memchr(line.p, '\r', line.n) != NULL;
}

static void count_line(struct content_scan *scan, uint64_t length)
{
	if (length > scan->longest_line)
		scan->longest_line = length;
}

/* scan_text - bytes of one line, or of a part of one, without LF. */
static void scan_text(struct content_scan *scan, struct slice text)
{
	if (text.n == 0)
		return;
	if (scan->after_cr)
		scan->bare_cr = true;
	if (scan->line == 0 && text.p[0] == '.')
		scan->leading_dot = true;
	scan->after_cr = text.p[text.n - 1] == '\r';
	if (has_bare_cr(slice_sub(text, 0, text.n - 1)))
		scan->bare_cr = true;
	scan->line += text.n;
}

static void scan_line_end(struct content_scan *scan)
{
	if (!scan->after_cr)
		scan->bare_lf = true;
	count_line(scan, scan->line - (scan->after_cr ? 1 : 0));
	scan->ends_crlf = scan->after_cr;
	scan->after_cr = false;
	scan->line = 0;
	scan->lines++;
}

void content_scan_feed(struct content_scan *scan, struct slice in)
{
	if (in.n == 0)
		return;
	scan->bytes += in.n;
	scan->eight_bit = scan->eight_bit || has_8bit(in);
	scan->nul = scan->nul || memchr(in.p, '\0', in.n) != NULL;
	scan->ends_crlf = false;
	while (in.n > 0) {
		ssize_t lf = slice_find(in, '\n');

		scan_text(scan, lf < 0 ? in : slice_sub(in, 0, (size_t)lf));
		if (lf < 0)
			break;
		scan_line_end(scan);
		in = slice_from(in, (size_t)lf + 1);
		if (in.n > 0)
			scan->ends_crlf = false;
	}
}

void content_scan_end(struct content_scan *scan)
{
	if (scan->after_cr)
		scan->bare_cr = true;
	count_line(scan, scan->line);
}

void content_canon_init(struct content_canon *canon)
{
	*canon = (struct content_canon){0};
}

static void put(struct content_canon *canon, struct slice s, struct buffer *out)
{
	buffer_append(out, s);
	canon->written += s.n;
}

/* put_text - bytes of a line before its line end; every CR in it is bare. */
static void put_text(struct content_canon *canon, struct slice text, struct buffer *out)
{
	while (text.n > 0) {
		ssize_t cr = slice_find(text, '\r');
		size_t n = cr < 0 ? text.n : (size_t)cr;

		put(canon, slice_sub(text, 0, n), out);
		text = slice_from(text, n);
		if (cr >= 0) {
			canon->bare_cr = true;
			put(canon, SL(" "), out);
			text = slice_from(text, 1);
		}
	}
}

/* take_line - one line with its LF, for which an earlier input may have left a CR. */
static void take_line(struct content_canon *canon, struct slice line, struct buffer *out)
{
	size_t text = line.n - 1;
	bool crlf = text == 0 ? canon->after_cr : line.p[text - 1] == '\r';

	if (canon->after_cr && text > 0)
		put_text(canon, SL("\r"), out);
	if (crlf && text > 0)
		text--;
	canon->bare_lf |= !crlf;
	put_text(canon, slice_sub(line, 0, text), out);
	put(canon, SL("\r\n"), out);
	canon->after_cr = false;
	canon->in_line = false;
}

/* take_part - the front of a line whose end is not yet here. */
static void take_part(struct content_canon *canon, struct slice part, struct buffer *out)
{
	if (canon->after_cr)
		put_text(canon, SL("\r"), out);
	canon->after_cr = part.p[part.n - 1] == '\r';
	put_text(canon, slice_sub(part, 0, part.n - (canon->after_cr ? 1 : 0)), out);
	canon->in_line = true;
}

/* clean_run - length of the front of `in` that is canonical already: whole lines without stray CR.
 */
static size_t clean_run(struct slice in)
{
	size_t run = 0;

	while (run < in.n) {
		struct slice rest = slice_from(in, run);
		ssize_t lf = slice_find(rest, '\n');

		if (lf < 1 || rest.p[lf - 1] != '\r' ||
		    memchr(rest.p, '\r', (size_t)lf - 1) != NULL)
			break;
		run += (size_t)lf + 1;
	}
	return run;
}

void content_canon_feed(struct content_canon *canon, struct slice in, struct buffer *out)
{
	while (in.n > 0) {
		size_t run = canon->after_cr ? 0 : clean_run(in);
		ssize_t lf;

		if (run > 0) {
			put(canon, slice_sub(in, 0, run), out);
			canon->in_line = false;
			in = slice_from(in, run);
			continue;
		}
		lf = slice_find(in, '\n');
		if (lf < 0) {
			take_part(canon, in, out);
			return;
		}
		take_line(canon, slice_sub(in, 0, (size_t)lf + 1), out);
		in = slice_from(in, (size_t)lf + 1);
	}
}

void content_canon_end(struct content_canon *canon, struct buffer *out)
{
	if (canon->after_cr)
		put_text(canon, SL("\r"), out);
	if (canon->in_line)
		put(canon, SL("\r\n"), out);
	canon->after_cr = canon->in_line = false;
}
