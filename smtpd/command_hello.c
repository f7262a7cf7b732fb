/* SPDX-License-Identifier: ISC */
/* HELO, EHLO - RFC 5321 4.1.1.1 */
#include "log/events.h"
#include "smtpd/smtpd.h"

/* ehlo_mask - keywords that this client is not told of. */
static unsigned ehlo_mask(struct session *s)
{
	struct slice words, bad;
	unsigned mask;

	switch (
	    table_list_lookup(s->p->ehlo_discard_maps, s->client.addr, false, s->scratch, &words)) {
	case TABLE_FOUND:
		if (!ehlo_discard_parse(words, &mask, &bad))
			LOG(ehlo_keyword_unknown, .where = s->client.addr, .keyword = bad);
		return mask;
	case TABLE_TEMP:
		/* nobody knows: offer nothing that could be meant */
		LOG(table_problem, .table = s->p->settings->smtpd_discard_ehlo_keyword_address_maps,
		    .problem = words);
		return ~EHLO_SILENT_DISCARD;
	case TABLE_MISSING:
		break;
	}
	return s->p->ehlo_discard;
}

/* remember_name - what the client calls itself; the transaction before it is over. */
static void remember_name(struct session *s, struct slice name, bool esmtp)
{
	session_reset(s);
	buffer_reset(&s->helo);
	if (!buffer_append(&s->helo, slice_sub(name, 0, s->helo.limit)))
		buffer_append_byte(&s->helo, '?');
	s->esmtp = esmtp;
}

static void forget_name(struct session *s)
{
	buffer_reset(&s->helo);
	s->esmtp = false;
}

bool command_helo(struct session *s, const struct smtp_command *c)
{
	if (c->args.n == 0)
		return reply_bad(s, 501, NULL, SL("Syntax: HELO hostname"));
	remember_name(s, c->args, false);
	if (!check_helo(s)) {
		forget_name(s);
		return reply_verdict(s);
	}
	reply(s, 250, NULL, s->p->settings->myhostname);
	return true;
}

static unsigned offers(const struct session *s)
{
	unsigned flags = EHLO_PIPELINING | EHLO_SIZE | EHLO_ENHANCEDSTATUSCODES | EHLO_8BITMIME |
			 EHLO_DSN | EHLO_CHUNKING;

	if (!s->p->settings->disable_vrfy_command)
		flags |= EHLO_VRFY;
	if (s->p->settings->smtputf8_enable)
		flags |= EHLO_SMTPUTF8;
	if (s->p->tls != NULL && s->tls == NULL)
		flags |= EHLO_STARTTLS;
	return flags;
}

/* discarded - the keywords that are not told, for the log. */
static struct slice discarded(struct session *s, unsigned offered)
{
	struct ehlo untold = {.flags = offered & s->ehlo_discard};
	struct slice words = ehlo_compose(s->scratch, &untold, 0, false).text, word, text = SL("");

	while (slice_next(&words, "\n", &word))
		text = arena_printf(s->scratch, "%.*s %.*s", SL_ARG(text), SL_ARG(word));
	return text;
}

bool command_ehlo(struct session *s, const struct smtp_command *c)
{
	struct ehlo offer = {.name = s->p->settings->myhostname};
	struct smtp_reply r;

	if (c->args.n == 0)
		return reply_bad(s, 501, NULL, SL("Syntax: EHLO hostname"));
	remember_name(s, c->args, true);
	if (!check_helo(s)) {
		forget_name(s);
		return reply_verdict(s);
	}
	s->ehlo_discard = ehlo_mask(s);
	offer.flags = offers(s);
	offer.size_limit = s->p->settings->message_size_limit;
	if ((offer.flags & s->ehlo_discard) != 0 && !(s->ehlo_discard & EHLO_SILENT_DISCARD))
		LOG(ehlo_discarding, .keywords = discarded(s, offer.flags));
	r = ehlo_compose(s->scratch, &offer, s->ehlo_discard, false);
	reply_send(s, &r);
	return true;
}
