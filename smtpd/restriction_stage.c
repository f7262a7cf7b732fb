/* SPDX-License-Identifier: ISC */
/* restriction_stage - which lists are due when (smtpd_delay_reject), and what they begin with. */
#include "smtpd/smtpd.h"

static struct check begin(struct session *s, enum stage stage, struct slice subject,
			  const char *what)
{
	return (struct check){
	    .s = s, .arena = s->scratch, .stage = stage, .subject = subject, .what = what};
}

/* end_list - something met a temporary problem, and nothing has refused: come again. */
static enum verdict end_list(struct check *c, enum verdict verdict)
{
	const struct smtp_reply *r = &c->defer_if_permit.reply;

	if (verdict == VERDICT_REJECT || !c->defer_if_permit.active || c->s->txn.discard)
		return verdict;
	return check_reject(c, r->code, arena_dup(c->arena, r->status).p, r->text);
}

static enum verdict client_list(struct session *s, struct pending *pending)
{
	struct check c = begin(s, STAGE_CLIENT, s->client.full, "Client host");
	enum verdict verdict = restriction_evaluate(&c, &s->p->policy->lists[STAGE_CLIENT]);

	*pending = c.defer_if_permit;
	return verdict;
}

static enum verdict helo_list(struct session *s, struct pending *pending)
{
	struct check c = begin(s, STAGE_HELO, buffer_slice(&s->helo), "Helo command");
	enum verdict verdict = VERDICT_DUNNO;

	c.defer_if_permit = *pending;
	if (s->helo.len > 0)
		verdict = restriction_evaluate(&c, &s->p->policy->lists[STAGE_HELO]);
	*pending = c.defer_if_permit;
	return verdict;
}

static enum verdict sender_list(struct session *s, struct pending *pending)
{
	struct check c = begin(s, STAGE_SENDER, s->txn.sender, "Sender address");
	enum verdict verdict;

	c.defer_if_permit = *pending;
	verdict = restriction_evaluate(&c, &s->p->policy->lists[STAGE_SENDER]);
	if (verdict != VERDICT_REJECT && s->p->settings->smtpd_reject_unlisted_sender &&
	    !s->txn.discard)
		verdict = restrict_unlisted_sender(&c, NULL);
	*pending = c.defer_if_permit;
	return verdict;
}

/* keep_pending - over the command's end; `arena` lives long enough. */
static void keep_pending(struct arena *arena, const struct pending *now, struct pending *kept)
{
	if (!now->active || kept->active)
		return;
	kept->active = true;
	kept->reply = (struct smtp_reply){.code = now->reply.code,
					  .status = arena_dup(arena, now->reply.status),
					  .text = arena_dup(arena, now->reply.text)};
}

bool check_client(struct session *s)
{
	struct pending pending = {.active = false};

	if (s->p->settings->smtpd_delay_reject)
		return true;
	if (client_list(s, &pending) == VERDICT_REJECT)
		return false;
	keep_pending(s->arena, &pending, &s->carried);
	return true;
}

bool check_helo(struct session *s)
{
	struct pending pending = {.active = false};

	if (s->p->settings->smtpd_delay_reject)
		return true;
	if (helo_list(s, &pending) == VERDICT_REJECT)
		return false;
	keep_pending(s->arena, &pending, &s->carried);
	return true;
}

bool check_mail(struct session *s)
{
	struct pending pending = {.active = false};

	if (s->p->settings->smtpd_delay_reject)
		return true;
	if (sender_list(s, &pending) == VERDICT_REJECT)
		return false;
	keep_pending(s->txn.arena, &pending, &s->txn.carried);
	return true;
}

/* delayed - the lists of client, HELO and sender, when they were put off until now. */
static enum verdict delayed(struct session *s, struct pending *pending)
{
	if (!s->p->settings->smtpd_delay_reject) {
		*pending = s->txn.carried.active ? s->txn.carried : s->carried;
		return VERDICT_DUNNO;
	}
	if (client_list(s, pending) == VERDICT_REJECT || helo_list(s, pending) == VERDICT_REJECT)
		return VERDICT_REJECT;
	if (s->txn.open && sender_list(s, pending) == VERDICT_REJECT)
		return VERDICT_REJECT;
	return VERDICT_DUNNO;
}

static enum verdict recipient_list(struct session *s, enum stage stage, struct pending *pending)
{
	struct check c = begin(s, stage, s->recipient, "Recipient address");
	enum verdict verdict;

	c.defer_if_permit = *pending;
	verdict = end_list(&c, restriction_evaluate(&c, &s->p->policy->lists[stage]));
	*pending = c.defer_if_permit;
	return verdict;
}

/* is_postmaster - RFC 5321 4.5.1: "postmaster" without a domain is always welcome. */
static bool is_postmaster(struct slice address)
{
	return slice_caseeq(address, SL("postmaster"));
}

bool check_rcpt(struct session *s)
{
	bool relay_first = s->p->settings->smtpd_relay_before_recipient_restrictions;
	enum stage first = relay_first ? STAGE_RELAY : STAGE_RECIPIENT;
	enum stage second = relay_first ? STAGE_RECIPIENT : STAGE_RELAY;
	struct pending pending = {.active = false};
	struct check c = begin(s, STAGE_RECIPIENT, s->recipient, "Recipient address");

	if (is_postmaster(s->recipient))
		return true;
	if (delayed(s, &pending) == VERDICT_REJECT ||
	    recipient_list(s, first, &pending) == VERDICT_REJECT ||
	    recipient_list(s, second, &pending) == VERDICT_REJECT)
		return false;
	if (!s->p->settings->smtpd_reject_unlisted_recipient || s->txn.discard)
		return true;
	return restrict_unlisted_recipient(&c, NULL) != VERDICT_REJECT;
}

static bool check_late(struct session *s, enum stage stage, struct slice subject, const char *what)
{
	struct check c = begin(s, stage, subject, what);
	bool accepted;

	/* a recipient can be spoken of only when it is the one */
	s->recipient = s->txn.recipients == 1 ? s->txn.first->address : SL_NULL;
	accepted =
	    end_list(&c, restriction_evaluate(&c, &s->p->policy->lists[stage])) != VERDICT_REJECT;
	s->recipient = SL_NULL;
	return accepted;
}

bool check_data(struct session *s)
{
	return check_late(s, STAGE_DATA, slice_str(s->where), "Data command");
}

bool check_end_of_data(struct session *s)
{
	return check_late(s, STAGE_END_OF_DATA, SL("END-OF-MESSAGE"), "End-of-data");
}

bool check_local_client(struct session *s)
{
	struct check c = begin(s, STAGE_CLIENT, s->client.full, "Client host");

	return restriction_evaluate(&c, &s->p->policy->local_clients) == VERDICT_OK;
}
