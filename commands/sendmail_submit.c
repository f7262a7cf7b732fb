/* SPDX-License-Identifier: ISC */
/* sendmail_submit - a message from standard input, in a mailbox user's form, to postdrop. */
#include "address/address.h"
#include "address/list.h"
#include "commands/sendmail.h"
#include "message/header.h"
#include "message/header_name.h"
#include "os/file.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define READ_SIZE ((size_t)65536)
#define HEADER_LIMIT ((size_t)4 << 20) /* -t keeps the header until the recipients are known */

/* Standard input, line by line; a line longer than the buffer comes in pieces. */
struct input {
	struct buffer data;
	bool eof;
	bool fix_cr; /* CRLF is LF */
	bool in_line; /* the last piece did not end a line */
};

struct submission {
	struct sendmail *sendmail;
	struct input input;
	struct drop drop;
	struct buffer header; /* -t: until its end */
};

static bool read_more(struct submission *s)
{
	struct input *in = &s->input;
	ssize_t n;

	if (!buffer_reserve(&in->data, READ_SIZE))
		return false;
	n = os_read(STDIN_FILENO, in->data.data + in->data.len, READ_SIZE);
	if (n < 0)
		sendmail_fatal(s->sendmail, EX_IOERR, "read standard input: %s", strerror(errno));
	in->data.len += (size_t)n;
	in->eof = n == 0;
	return n > 0;
}

/* next_line - with its LF, if it has one; good until the next call. False at the end. */
static bool next_line(struct submission *s, size_t *consumed, struct slice *line)
{
	struct input *in = &s->input;

	buffer_consume(&in->data, *consumed);
	*consumed = 0;
	for (;;) {
		struct slice all = buffer_slice(&in->data);
		ssize_t lf = slice_find(all, '\n');

		if (lf >= 0 || all.n >= READ_SIZE || in->eof) {
			*line = slice_sub(all, 0, lf >= 0 ? (size_t)lf + 1 : all.n);
			*consumed = line->n;
			return line->n > 0;
		}
		read_more(s);
	}
}

static struct slice without_end(struct slice line)
{
	if (slice_ends(line, SL("\n")))
		line.n--;
	if (slice_ends(line, SL("\r")))
		line.n--;
	return line;
}

/* choose_fix - sendmail_fix_line_endings: always, strict (as the first line has it), never. */
static bool choose_fix(const struct settings *settings, struct slice first)
{
	if (slice_caseeq(settings->sendmail_fix_line_endings, SL("never")))
		return false;
	if (slice_caseeq(settings->sendmail_fix_line_endings, SL("strict")))
		return slice_ends(first, SL("\r\n"));
	return true;
}

/* put_line - one piece of a line, to postdrop or to the header that is kept. */
static void put_line(struct submission *s, struct slice line, struct buffer *keep)
{
	bool ended = slice_ends(line, SL("\n"));
	struct slice text = line;

	if (ended && s->input.fix_cr)
		text = without_end(line);
	else if (ended)
		text.n--;
	if (keep != NULL) {
		buffer_append(keep, text);
		if (ended && !buffer_append_byte(keep, '\n'))
			sendmail_fatal(s->sendmail, EX_DATAERR, "message header is too long");
		return;
	}
	drop_content(&s->drop, text);
	if (ended)
		drop_content(&s->drop, SL("\n"));
}

/* ends_input - a dot alone, unless it is data. */
static bool ends_input(const struct submission *s, struct slice line)
{
	return !s->sendmail->dot_is_data && !s->input.in_line && slice_eq(without_end(line), SL("."));
}

static bool is_mbox_line(struct slice line)
{
	return slice_starts(line, SL("From ")) || slice_starts(line, SL(">From "));
}

/* ---- recipients */

static void add_list(struct submission *s, struct slice text)
{
	struct arena *arena = s->sendmail->command.arena;
	struct address_list list;

	address_list_parse(arena, text, 0, &list);
	for (size_t i = 0; i < list.count; i++)
		drop_recipient(&s->drop, list.items[i].address, s->sendmail->notify);
}

static bool is_resent(struct slice header)
{
	struct header_field field;

	while (header_next(&header, true, &field) == HEADER_FIELD)
		if ((header_lookup(field.name)->flags & (HEADER_IS_EXTRACTED | HEADER_IS_RESENT)) ==
		    (HEADER_IS_EXTRACTED | HEADER_IS_RESENT))
			return true;
	return false;
}

/* add_from_header - To:, Cc:, Bcc:, or when a resent one is there, only those. */
static void add_from_header(struct submission *s, struct slice header)
{
	unsigned resent = is_resent(header) ? HEADER_IS_RESENT : 0;
	struct header_field field;

	while (header_next(&header, true, &field) == HEADER_FIELD) {
		unsigned flags = header_lookup(field.name)->flags;

		if ((flags & HEADER_IS_EXTRACTED) && (flags & HEADER_IS_RESENT) == resent)
			add_list(s, field.body);
	}
}

static void require_recipients(struct submission *s)
{
	if (s->drop.recipients > 0 || s->drop.broken)
		return;
	drop_abort(&s->drop);
	sendmail_fatal(s->sendmail, EX_USAGE, "No recipient addresses found in message header");
}

/* ---- the message */

static void copy_rest(struct submission *s, size_t *consumed)
{
	struct slice line;

	while (next_line(s, consumed, &line) && !ends_input(s, line)) {
		put_line(s, line, NULL);
		s->input.in_line = !slice_ends(line, SL("\n"));
	}
}

/* keep_header - up to and with the first line that is no part of it. False: the input ended. */
static bool keep_header(struct submission *s, size_t *consumed)
{
	struct slice line, text;

	while (next_line(s, consumed, &line) && !ends_input(s, line)) {
		bool whole = !s->input.in_line;

		put_line(s, line, &s->header);
		s->input.in_line = !slice_ends(line, SL("\n"));
		text = without_end(line);
		if (whole && !ascii_isspace(line.p[0]) && slice_find(text, ':') <= 0)
			return true;
		if (whole && text.n == 0)
			return true;
	}
	return false;
}

/* begin_input - the first line decides about line ends; mailbox separators in front are dropped. */
static bool begin_input(struct submission *s, size_t *consumed)
{
	struct slice line;

	if (!next_line(s, consumed, &line))
		return false;
	s->input.fix_cr = choose_fix(s->sendmail->command.settings, line);
	while (is_mbox_line(line))
		if (!next_line(s, consumed, &line))
			return false;
	*consumed = 0; /* the line is read again */
	return true;
}

static void copy_message(struct submission *s)
{
	size_t consumed = 0;
	bool more = begin_input(s, &consumed);

	if (s->sendmail->extract_recipients) {
		more = more && keep_header(s, &consumed);
		add_from_header(s, buffer_slice(&s->header));
		require_recipients(s);
		drop_content(&s->drop, buffer_slice(&s->header));
	}
	if (more)
		copy_rest(s, &consumed);
}

/* write_probe - -bv: a message that nobody will get, as its report shows it. */
static void write_probe(struct submission *s)
{
	struct arena *arena = s->sendmail->command.arena;
	struct slice from = address_quote(arena, s->sendmail->envelope.sender);
	bool first = true;

	drop_content(&s->drop, arena_printf(arena, "From: %.*s\nSubject: probe\nTo:", SL_ARG(from)));
	for (char **r = s->sendmail->recipients; *r != NULL; r++) {
		struct address_list list;

		address_list_parse(arena, slice_str(*r), 0, &list);
		for (size_t i = 0; i < list.count; i++) {
			struct slice to = address_quote(arena, list.items[i].address);

			drop_content(&s->drop,
				     arena_printf(arena, "%s\t%.*s", first ? "" : ",\n", SL_ARG(to)));
			first = false;
		}
	}
	drop_content(&s->drop, SL("\n\n"));
}

void sendmail_submit(struct sendmail *sendmail)
{
	struct submission s = {.sendmail = sendmail};
	int status;

	if (!sendmail->extract_recipients && sendmail->recipients[0] == NULL)
		sendmail_fatal(sendmail, EX_USAGE,
			       "Recipient addresses must be specified on the command line or via the -t option");
	buffer_init(&s.input.data, 2 * READ_SIZE);
	buffer_init(&s.header, HEADER_LIMIT);
	drop_begin(&s.drop, sendmail, &sendmail->envelope);
	for (char **r = sendmail->recipients; *r != NULL; r++)
		add_list(&s, slice_str(*r));
	if (!sendmail->extract_recipients)
		require_recipients(&s);
	if (sendmail->envelope.verify)
		write_probe(&s);
	else
		copy_message(&s);
	if (!drop_commit(&s.drop, &status))
		sendmail_fatal(sendmail, status, "%s",
			       status == EX_DATAERR ? "message file too big" : "queue file write error");
	buffer_free(&s.header);
	buffer_free(&s.input.data);
}
