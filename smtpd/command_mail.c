/* SPDX-License-Identifier: ISC */
/* MAIL - RFC 5321 4.1.1.2, with SIZE (1870), 8BITMIME (6152), DSN (3461), SMTPUTF8 (6531) */
#include "smtpd/restriction.h"
#include "smtpd/smtpd.h"

unsigned command_takes(const struct session *s)
{
	const struct settings *c = s->p->settings;
	unsigned discard = s->ehlo_discard;
	/* a discarded SIZE or 8BITMIME still works, as in Postfix: the keyword only is not told */
	unsigned takes = SMTP_TAKES_SIZE | SMTP_TAKES_8BITMIME;

	if (!(discard & EHLO_DSN))
		takes |= SMTP_TAKES_DSN;
	if (c->smtputf8_enable && !(discard & EHLO_SMTPUTF8))
		takes |= SMTP_TAKES_SMTPUTF8;
	if (c->strict_rfc821_envelopes)
		takes |= SMTP_STRICT_PATHS;
	if (c->strict_smtputf8)
		takes |= SMTP_STRICT_UTF8;
	if (c->resolve_numeric_domain)
		takes |= SMTP_NUMERIC_DOMAINS;
	return takes;
}

/* in_order - may a MAIL come now? */
static bool in_order(struct session *s)
{
	if (s->helo.len == 0 && s->p->settings->smtpd_helo_required)
		return reply_bad(s, 503, "5.5.1", SL("Error: send HELO/EHLO first"));
	if (s->txn.bdat != NULL)
		return reply_bad(s, 503, "5.5.1", SL("Error: MAIL after BDAT"));
	if (s->txn.open)
		return reply_bad(s, 503, "5.5.1", SL("Error: nested MAIL command"));
	return true;
}

static bool size_fits(struct session *s, uint64_t size)
{
	uint64_t limit = s->p->settings->message_size_limit;
	const struct check log = {.s = s};
	struct slice text = size == UINT64_MAX ? SL("Message size exceeds file system imposed limit")
					       : SL("Message size exceeds fixed limit");

	if (size != UINT64_MAX && (limit == 0 || size <= limit))
		return true;
	check_log(&log, "reject", arena_printf(s->scratch, "552 5.3.4 %.*s", SL_ARG(text)));
	return reply_bad(s, 552, "5.3.4", text);
}

static void begin(struct session *s, const struct smtp_mail *mail, struct arena *arena)
{
	s->txn = (struct transaction){
	    .arena = arena,
	    .open = true,
	    .sender = mail->path.address,
	    .body = mail->body,
	    .smtputf8 = mail->smtputf8,
	    .ret = mail->ret,
	    .envid = mail->envid,
	    .size = mail->size,
	    .arrival = os_wall(),
	};
}

bool command_mail(struct session *s, const struct smtp_command *c)
{
	struct smtp_reply error;
	struct smtp_mail mail;
	struct arena *arena;

	if (!in_order(s))
		return false;
	process_check_tables(s->p);
	/* what it says lives as long as the transaction, so the line does too */
	arena = arena_create();
	if (!smtp_mail_parse(arena_dup(arena, c->args), command_takes(s), arena, &mail, &error)) {
		reply(s, error.code, arena_dup(s->scratch, error.status).p,
		      arena_dup(s->scratch, error.text));
		if (slice_eq(error.status, SL("5.1.7")))
			session_bad_address(s, "MAIL", c->args);
		arena_destroy(&arena);
		return false;
	}
	begin(s, &mail, arena);
	if (!check_mail(s)) {
		session_reset(s);
		return reply_verdict(s);
	}
	if (!size_fits(s, mail.size)) {
		session_reset(s);
		return false;
	}
	s->txn.last = &s->txn.first;
	reply(s, 250, "2.1.0", SL("Ok"));
	return true;
}
