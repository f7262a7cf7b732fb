/* SPDX-License-Identifier: ISC */
/*
 * sendmail_smtp - `sendmail -bs`: SMTP on standard input and output, for mail programs that would rather
 * speak it than use options. The message goes to postdrop like any other; who may send is who may
 * run this command.
 */
#include "commands/sendmail.h"
#include "os/clock.h"
#include "os/file.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/ehlo.h"

#include <errno.h>
#include <poll.h>
#include <sysexits.h>
#include <unistd.h>

#define READ_SIZE ((size_t)8192)
#define CHUNK ((size_t)32768)
#define RECIPIENT_LIMIT 1000
#define TAKES \
	(SMTP_TAKES_SIZE | SMTP_TAKES_8BITMIME | SMTP_TAKES_SMTPUTF8 | SMTP_TAKES_DSN)

struct recipient {
	struct slice address;
	uint32_t notify;
};

struct dialogue {
	struct sendmail *sendmail;
	const struct settings *settings;
	struct buffer in;
	struct buffer out;
	struct arena *arena; /* of the transaction */
	struct maildrop_envelope envelope;
	bool has_sender;
	struct recipient *recipients;
	size_t recipient_count;
	bool done;
};

/* ---- bytes in and out */

static void flush(struct dialogue *d)
{
	if (os_write_full(STDOUT_FILENO, d->out.data, d->out.len) < 0)
		d->done = true;
	buffer_reset(&d->out);
}

static void say(struct dialogue *d, const struct smtp_reply *reply)
{
	smtp_reply_format(&d->out, reply, d->envelope.smtputf8);
}

static void reply(struct dialogue *d, unsigned code, const char *status, const char *text)
{
	struct smtp_reply r = smtp_reply(code, status, slice_str(text));

	say(d, &r);
}

/* read_more - what we have to say goes out before we wait. False: end, error or timeout. */
static bool read_more(struct dialogue *d)
{
	struct pollfd poll_in = {.fd = STDIN_FILENO, .events = POLLIN};
	ssize_t n;

	flush(d);
	if (d->done || !buffer_reserve(&d->in, READ_SIZE))
		return false;
	if (poll(&poll_in, 1, (int)(d->settings->smtpd_timeout / OS_MILLISECOND)) == 0) {
		reply(d, 421, "4.4.2", "Error: timeout exceeded");
		return false;
	}
	n = os_read(STDIN_FILENO, d->in.data + d->in.len, READ_SIZE);
	if (n <= 0)
		return false;
	d->in.len += (size_t)n;
	return true;
}

/* read_line - without its line end; the bytes stay in d->in until consumed. */
static bool read_line(struct dialogue *d, struct slice *line, size_t *length)
{
	for (;;) {
		ssize_t lf = slice_find(buffer_slice(&d->in), '\n');

		if (lf >= 0) {
			*length = (size_t)lf + 1;
			*line = slice(d->in.data, (size_t)lf);
			if (slice_ends(*line, SL("\r")))
				line->n--;
			return true;
		}
		if (!read_more(d))
			return false;
	}
}

/* ---- the transaction */

static void reset(struct dialogue *d)
{
	arena_reset(d->arena);
	d->has_sender = false;
	d->recipients = NULL;
	d->recipient_count = 0;
	d->envelope = (struct maildrop_envelope){.full_name = d->sendmail->envelope.full_name};
}

static void command_ehlo(struct dialogue *d, const struct smtp_command *c)
{
	struct ehlo offer = {
	    .flags = EHLO_SIZE | EHLO_8BITMIME | EHLO_PIPELINING | EHLO_DSN |
		     EHLO_ENHANCEDSTATUSCODES | EHLO_SMTPUTF8,
	    .has_size_limit = true,
	    .size_limit = d->settings->message_size_limit,
	    .name = d->settings->myhostname,
	};
	struct smtp_reply r;

	reset(d);
	if (c->args.n == 0) {
		reply(d, 501, NULL, "Syntax: EHLO hostname");
	} else if (c->verb == SMTP_HELO) {
		r = smtp_reply(250, NULL, d->settings->myhostname);
		say(d, &r);
	} else {
		r = ehlo_compose(d->arena, &offer, 0, false);
		say(d, &r);
	}
}

static void command_mail(struct dialogue *d, const struct smtp_command *c)
{
	uint64_t limit = d->settings->message_size_limit;
	struct smtp_reply error;
	struct smtp_mail mail;

	if (d->has_sender) {
		reply(d, 503, "5.5.1", "Error: nested MAIL command");
	} else if (!smtp_mail_parse(c->args, TAKES, d->arena, &mail, &error)) {
		say(d, &error);
	} else if (limit > 0 && mail.size > limit) {
		reply(d, 552, "5.3.4", "Message size exceeds fixed limit");
	} else {
		d->has_sender = true;
		d->envelope.sender = arena_dup(d->arena, mail.path.address);
		d->envelope.smtputf8 = mail.smtputf8;
		d->envelope.ret = (enum mail_ret)mail.ret;
		d->envelope.envid = arena_dup(d->arena, mail.envid);
		if (mail.body != SMTP_BODY_NONE)
			d->envelope.body = mail.body == SMTP_BODY_7BIT ? SL("7BIT") : SL("8BITMIME");
		d->recipients = ARENA_ARRAY(d->arena, RECIPIENT_LIMIT, struct recipient);
		reply(d, 250, "2.1.0", "Ok");
	}
}

static void command_rcpt(struct dialogue *d, const struct smtp_command *c)
{
	struct smtp_reply error;
	struct smtp_rcpt rcpt;

	if (!d->has_sender) {
		reply(d, 503, "5.5.1", "Error: need MAIL command");
	} else if (!smtp_rcpt_parse(c->args, TAKES, d->envelope.smtputf8, d->arena, &rcpt, &error)) {
		say(d, &error);
	} else if (d->recipient_count == RECIPIENT_LIMIT) {
		reply(d, 452, "4.5.3", "Error: too many recipients");
	} else {
		d->recipients[d->recipient_count++] =
		    (struct recipient){arena_dup(d->arena, rcpt.path.address), rcpt.notify};
		reply(d, 250, "2.1.5", "Ok");
	}
}

/* pass_data - from the wire to postdrop; false when the client went away before the end. */
static bool pass_data(struct dialogue *d, struct drop *drop, bool *too_big)
{
	uint64_t limit = d->settings->message_size_limit;
	struct data_reader reader;
	struct buffer out;
	bool ended = false;

	data_reader_init(&reader, DATA_BARE_NORMALIZE);
	buffer_init(&out, 4 * CHUNK);
	while (!ended) {
		struct slice in = slice_sub(buffer_slice(&d->in), 0, CHUNK);
		size_t had = in.n;

		if (had == 0) {
			if (!read_more(d))
				break;
			continue;
		}
		ended = data_reader_feed(&reader, &in, &out);
		buffer_consume(&d->in, had - in.n);
		*too_big = limit > 0 && reader.written > limit;
		if (!*too_big)
			drop_content(drop, buffer_slice(&out));
		buffer_reset(&out);
	}
	buffer_free(&out);
	return ended;
}

static void command_data(struct dialogue *d)
{
	struct drop drop;
	bool too_big = false;
	int status;

	if (d->recipient_count == 0) {
		reply(d, d->has_sender ? 554 : 503, "5.5.1",
		      d->has_sender ? "Error: no valid recipients" : "Error: need RCPT command");
		return;
	}
	drop_begin(&drop, d->sendmail, &d->envelope);
	for (size_t i = 0; i < d->recipient_count; i++)
		drop_recipient(&drop, d->recipients[i].address, d->recipients[i].notify);
	reply(d, 354, NULL, "End data with <CR><LF>.<CR><LF>");
	if (!pass_data(d, &drop, &too_big)) {
		drop_abort(&drop);
		d->done = true;
	} else if (too_big) {
		drop_abort(&drop);
		reply(d, 552, "5.3.4", "Error: message file too big");
	} else if (drop_commit(&drop, &status)) {
		reply(d, 250, "2.0.0", "Ok: queued");
	} else {
		reply(d, 451, "4.3.0", "Error: queue file write error");
	}
	reset(d);
}

static void obey(struct dialogue *d, const struct smtp_command *c)
{
	switch (c->verb) {
	case SMTP_EHLO:
	case SMTP_HELO:
		command_ehlo(d, c);
		break;
	case SMTP_MAIL:
		command_mail(d, c);
		break;
	case SMTP_RCPT:
		command_rcpt(d, c);
		break;
	case SMTP_DATA:
		command_data(d);
		break;
	case SMTP_RSET:
		reset(d);
		reply(d, 250, "2.0.0", "Ok");
		break;
	case SMTP_NOOP:
		reply(d, 250, "2.0.0", "Ok");
		break;
	case SMTP_VRFY:
		reply(d, 252, "2.0.0", "Cannot VRFY user, but will accept the message");
		break;
	case SMTP_QUIT:
		reply(d, 221, "2.0.0", "Bye");
		d->done = true;
		break;
	default:
		reply(d, 502, "5.5.2", "Error: command not recognized");
		break;
	}
}

int sendmail_smtp(struct sendmail *s)
{
	struct dialogue d = {.sendmail = s, .settings = s->command.settings, .arena = arena_create()};
	struct smtp_reply banner = smtp_reply(220, NULL, d.settings->smtpd_banner);
	struct smtp_command command;
	struct slice line;
	size_t length;

	buffer_init(&d.in, (size_t)d.settings->line_length_limit + 2 * READ_SIZE);
	buffer_init(&d.out, (size_t)1 << 20);
	reset(&d);
	say(&d, &banner);
	while (!d.done && read_line(&d, &line, &length)) {
		/* the command must not move while data is read behind it */
		struct slice copy = arena_dup(s->command.arena, line);

		buffer_consume(&d.in, length);
		smtp_command_parse(copy, &command);
		obey(&d, &command);
	}
	flush(&d);
	buffer_free(&d.in);
	buffer_free(&d.out);
	arena_destroy(&d.arena);
	return 0;
}
