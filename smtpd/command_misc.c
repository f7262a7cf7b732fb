/* SPDX-License-Identifier: ISC */
/* RSET, NOOP, QUIT, VRFY, HELP, and what is known but not offered */
#include "smtpd/smtpd.h"

bool command_rset(struct session *s, const struct smtp_command *c)
{
	if (c->args.n > 0)
		return reply_bad(s, 501, "5.5.4", SL("Syntax: RSET"));
	session_reset(s);
	reply(s, 250, "2.0.0", SL("Ok"));
	return true;
}

bool command_noop(struct session *s, const struct smtp_command *c)
{
	(void)c;
	reply(s, 250, "2.0.0", SL("Ok"));
	return true;
}

bool command_quit(struct session *s, const struct smtp_command *c)
{
	(void)c;
	reply(s, 221, "2.0.0", SL("Bye"));
	s->closing = true;
	if (s->end == END_NONE)
		s->end = END_QUIT;
	return true;
}

bool command_help(struct session *s, const struct smtp_command *c)
{
	(void)c;
	reply(s, 214, "2.0.0",
	      SL("Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY HELP STARTTLS"));
	return true;
}

static bool vrfy_address(struct session *s, struct slice args, struct smtp_path *path)
{
	struct slice rest;

	if (path_parse(args, s->p->settings->smtputf8_enable ? PATH_UTF8 : 0, s->scratch, path,
		       &rest) != PATH_OK)
		return false;
	rest = slice_trim(rest);
	return path->address.n > 0 && (rest.n == 0 || slice_caseeq(rest, SL("SMTPUTF8")));
}

/* would_accept - the decision of RCPT, without what it would do to a message. */
static bool would_accept(struct session *s, struct slice address)
{
	bool hold = s->txn.hold, discard = s->txn.discard, accepted;
	struct slice filter = s->txn.filter, redirect = s->txn.redirect;

	s->recipient = address;
	accepted = check_rcpt(s);
	s->recipient = SL_NULL;
	s->txn.hold = hold;
	s->txn.discard = discard;
	s->txn.filter = filter;
	s->txn.redirect = redirect;
	return accepted;
}

/* VRFY - RFC 5321 4.1.1.6: decides as RCPT would, and says no more than RCPT would. */
bool command_vrfy(struct session *s, const struct smtp_command *c)
{
	struct smtp_path path;

	if (s->p->settings->disable_vrfy_command)
		return reply_bad(s, 502, "5.5.1", SL("VRFY command is disabled"));
	if (c->args.n == 0)
		return reply_bad(s, 501, "5.5.4", SL("Syntax: VRFY address [SMTPUTF8]"));
	if (!vrfy_address(s, c->args, &path)) {
		session_bad_address(s, "VRFY", c->args);
		return reply_bad(s, 501, "5.1.3", SL("Bad recipient address syntax"));
	}
	if (!would_accept(s, path.address))
		return reply_verdict(s);
	reply(s, 252, "2.0.0", path.raw);
	return true;
}

bool command_refused(struct session *s, const struct smtp_command *c)
{
	if (c->verb == SMTP_AUTH)
		return reply_bad(s, 503, "5.5.1", SL("Error: authentication not enabled"));
	if (s->helo.len == 0)
		return reply_bad(s, 503, NULL, SL("Error: send HELO/EHLO first"));
	if (c->args.n == 0 || slice_find(c->args, ' ') >= 0)
		return reply_bad(s, 500, NULL, SL("Syntax: ETRN domain"));
	return reply_bad(s, 459, NULL,
			 arena_printf(s->scratch, "<%.*s>: service unavailable", SL_ARG(c->args)));
}
