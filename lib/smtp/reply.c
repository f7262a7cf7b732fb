/* SPDX-License-Identifier: ISC */
#include "smtp/reply.h"
#include "address/utf8.h"
#include "smtp/status.h"

#define MAX_LINES_DEFAULT 1000

/* reply_code - three digits, the first 2 to 5; 0: none. */
static unsigned reply_code(struct slice s)
{
	uint64_t code;

	if (s.n < 3 || !slice_u64(slice_sub(s, 0, 3), &code) || code < 200 || code > 599)
		return 0;
	return (unsigned)code;
}

/* split_status - *status gets the code at the front of *text if its class fits `code`. */
static void split_status(struct slice *text, unsigned code, struct slice *status)
{
	struct enhanced_status parsed;
	struct slice rest;

	*status = SL_NULL;
	if (!enhanced_parse(*text, &parsed, &rest) || parsed.class != code / 100)
		return;
	*status = slice_rtrim(slice_sub(*text, 0, text->n - rest.n));
	*text = rest;
}

bool smtp_reply_split(struct slice text, struct smtp_reply *out)
{
	unsigned code;

	text = slice_trim(text);
	code = reply_code(text);
	if (code == 0 || (text.n > 3 && text.p[3] != ' ' && text.p[3] != '\t'))
		return false;
	out->code = code;
	out->text = slice_trim(slice_from(text, 3));
	split_status(&out->text, code, &out->status);
	return true;
}

/* next_line - up to `room` bytes off the front of *rest: a line, or what fits of it. */
static struct slice next_line(struct slice *rest, size_t room)
{
	ssize_t lf = slice_find(*rest, '\n');
	struct slice line = lf < 0 ? *rest : slice_sub(*rest, 0, (size_t)lf);
	ssize_t blank;
	size_t cut = room;

	if (line.n <= room) {
		*rest = lf < 0 ? SL_NULL : slice_from(*rest, (size_t)lf + 1);
		return line.n > 0 && line.p[line.n - 1] == '\r' ? slice_sub(line, 0, line.n - 1)
								: line;
	}
	blank = slice_rfind(slice_sub(line, 0, room), ' ');
	if (blank > 0) {
		*rest = slice_from(*rest, (size_t)blank + 1);
		return slice_sub(line, 0, (size_t)blank);
	}
	while (cut > room - 4 && ((unsigned char)line.p[cut] & 0xc0) == 0x80)
		cut--;
	*rest = slice_from(*rest, cut);
	return slice_sub(line, 0, cut);
}

static void put_safe(struct buffer *out, struct slice line, bool utf8)
{
	utf8 = utf8 && utf8_valid(line);
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (!ascii_isprint(c) && !(utf8 && (unsigned char)c > 127))
			c = c == '\t' ? ' ' : '?';
		buffer_append_byte(out, c);
	}
}

/* sendable_status - an enhanced code that may stand beside the basic one, or the null slice. */
static struct slice sendable_status(const struct smtp_reply *reply, unsigned code)
{
	struct slice text = reply->status, status;

	if (code / 100 == 3)
		return SL_NULL;
	split_status(&text, code, &status);
	return text.n == 0 ? status : SL_NULL;
}

bool smtp_reply_format(struct buffer *out, const struct smtp_reply *reply, bool utf8)
{
	unsigned code = reply->code >= 200 && reply->code <= 599 ? reply->code : 451;
	struct slice status = sendable_status(reply, code), rest = reply->text, line;
	size_t room = REPLY_LINE_MAX - strlen("250-") - status.n - strlen(" \r\n");
	bool more;

	do {
		line = next_line(&rest, room);
		more = rest.n > 0;
		buffer_append_number(out, code, 3);
		buffer_append_byte(out, more ? '-' : ' ');
		buffer_append(out, status);
		if (status.n > 0 && line.n > 0)
			buffer_append_byte(out, ' ');
		put_safe(out, line, utf8);
		buffer_append(out, SL("\r\n"));
	} while (more);
	return !buffer_overflowed(out);
}

enum result smtp_reply_result(const struct smtp_reply *reply)
{
	switch (reply->code / 100) {
	case 2:
	case 3:
		return RES_OK;
	case 5:
		return RES_PERM;
	default:
		return RES_TEMP;
	}
}

void reply_parser_begin(struct reply_parser *p, struct buffer *text, size_t max_lines)
{
	*p = (struct reply_parser){.text = text,
				   .max_lines = max_lines > 0 ? max_lines : MAX_LINES_DEFAULT};
	buffer_reset(text);
}

/* take_status - remember the first line's code, and take it off this line. */
static void take_status(struct reply_parser *p, struct slice *text)
{
	struct slice status;

	split_status(text, p->code, &status);
	if (p->lines == 0 && status.n > 0 && status.n < sizeof(p->status)) {
		memcpy(p->status, status.p, status.n);
		p->status[status.n] = '\0';
	}
}

enum reply_step reply_parser_line(struct reply_parser *p, struct slice line, struct smtp_reply *out)
{
	struct slice text = slice_from(line, 4);

	if (p->lines == p->max_lines)
		return REPLY_BAD;
	p->code = reply_code(line);
	if (p->code == 0 || (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
		return REPLY_BAD;
	take_status(p, &text);
	if (p->lines++ > 0)
		buffer_append_byte(p->text, '\n');
	put_safe(p->text, slice_rtrim(text), true);
	if (line.n > 3 && line.p[3] == '-')
		return REPLY_MORE;
	out->code = p->code;
	out->text = buffer_slice(p->text);
	/* The first line's code is void when the last line is of another class. */
	out->status = p->status[0] == (char)('0' + p->code / 100) ? slice_str(p->status) : SL_NULL;
	return REPLY_DONE;
}
