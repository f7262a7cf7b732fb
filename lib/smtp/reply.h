/* SPDX-License-Identifier: ISC */
/*
 * reply - SMTP replies, both ways (RFC 5321 4.2, enhanced status codes RFC 2034 and 3463). The
 * lines of a reply's text are separated by LF in memory.
 */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/result.h"

#define REPLY_LINE_MAX \
	512 /* RFC 5321 4.5.3.1.5, CRLF included: longer text is sent in more lines */

struct smtp_reply {
	unsigned code;	     /* 100 to 599 */
	struct slice status; /* "5.1.1"; null slice when there is none */
	struct slice text;   /* without code and status; lines separated by LF */
};

/* smtp_reply - fill one in: smtp_reply(550, "5.1.1", SL("User unknown")); status may be NULL. */
static inline struct smtp_reply smtp_reply(unsigned code, const char *status, struct slice text)
{
	return (struct smtp_reply){code, slice_str(status), text};
}

/* smtp_reply_split - "550 5.1.1 text" (as tables and policy servers give it) into its parts; false
 * when it does not begin with a code of 3 digits. Points into `text`. */
bool smtp_reply_split(struct slice text, struct smtp_reply *out);

/*
 * smtp_reply_format - the bytes for the wire. Each line gets code, "-" or " ", and the enhanced
 * code (when there is one and the code is 2xx, 4xx, 5xx). Bytes that are no printable ASCII (or,
 * with utf8, UTF-8) become "?": nothing in `text` can begin another reply.
 */
bool smtp_reply_format(struct buffer *out, const struct smtp_reply *reply, bool utf8);

/* smtp_reply_result - 2xx, 3xx: ok, 4xx: temp, 5xx: perm; anything else, an enhanced code of
 * another class included, is as the basic code says; an unknown code is temp. */
enum result smtp_reply_result(const struct smtp_reply *reply);

/* Client side: a reply is read line by line. */
enum reply_step {
	REPLY_MORE, /* that was not the last line */
	REPLY_DONE, /* *out of reply_parser_line is set */
	REPLY_BAD /* not a reply, or too many lines: give the connection up */
};

struct reply_parser {
	struct buffer *text;
	size_t max_lines;
	size_t lines;
	unsigned code;
	char status[12]; /* "5.123.123", or "" */
};

/*
 * reply_parser_begin - for one reply. `text` is where lines are gathered; reset here, and *out
 * points into it. Text beyond its limit is dropped; max_lines bounds the lines (0: 1000).
 */
void reply_parser_begin(struct reply_parser *p, struct buffer *text, size_t max_lines);
/*
 * reply_parser_line - one line without its line end. The last line's code counts. An enhanced code is recognised on the first
 * line when its class fits the basic code, and is taken off the lines that repeat it. Control bytes
 * in text become "?".
 */
enum reply_step reply_parser_line(struct reply_parser *p, struct slice line,
				  struct smtp_reply *out);

#endif
