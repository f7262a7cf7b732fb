/* SPDX-License-Identifier: ISC */
/* RCPT - RFC 5321 4.1.1.3, with NOTIFY and ORCPT (3461) */
#include "smtpd/smtpd.h"

static bool in_order(struct session *s)
{
	if (!s->txn.open)
		return reply_bad(s, 503, "5.5.1", SL("Error: need MAIL command"));
	if (s->txn.bdat != NULL)
		return reply_bad(s, 503, "5.5.1", SL("Error: RCPT after BDAT"));
	return true;
}

/* room_for_one - beyond the limit a client is told to come again, and first that is no mistake. */
static bool room_for_one(struct session *s)
{
	const struct settings *c = s->p->settings;

	if (s->txn.recipients < (unsigned)c->smtpd_recipient_limit)
		return true;
	s->forgiven = s->txn.overshoot++ < (unsigned)c->smtpd_recipient_overshoot_limit;
	reply(s, 452, "4.5.3", SL("Error: too many recipients"));
	return false;
}

static void keep(struct transaction *t, const struct smtp_rcpt *rcpt)
{
	struct recipient *r = ARENA_NEW(t->arena, struct recipient);

	r->address = arena_dup(t->arena, rcpt->path.address);
	if (!slice_is_null(rcpt->orcpt.type))
		r->orcpt = orcpt_join(t->arena, &rcpt->orcpt);
	r->notify = rcpt->notify;
	*t->last = r;
	t->last = &r->next;
	t->recipients++;
}

static bool decide(struct session *s, struct slice address)
{
	bool accepted;

	s->recipient = address;
	accepted = check_rcpt(s);
	s->recipient = SL_NULL;
	return accepted;
}

bool command_rcpt(struct session *s, const struct smtp_command *c)
{
	struct smtp_reply error;
	struct smtp_rcpt rcpt;

	if (!in_order(s))
		return false;
	if (!smtp_rcpt_parse(c->args, command_takes(s), s->txn.smtputf8, s->scratch, &rcpt,
			     &error)) {
		if (slice_eq(error.status, SL("5.1.3")))
			session_bad_address(s, "RCPT", c->args);
		reply_send(s, &error);
		return false;
	}
	if (!room_for_one(s))
		return false;
	if (!decide(s, rcpt.path.address))
		return reply_verdict(s);
	keep(&s->txn, &rcpt);
	reply(s, 250, "2.1.5", SL("Ok"));
	return true;
}
