/* SPDX-License-Identifier: ISC */
/* restriction_simple - restrictions that look at nothing but the session. */
#include "fiber/fiber.h"
#include "route/own_address.h"
#include "smtpd/smtpd.h"

enum verdict restrict_nothing(struct check *c, const struct restriction *r)
{
	(void)c;
	(void)r;
	return VERDICT_DUNNO;
}

enum verdict restrict_permit(struct check *c, const struct restriction *r)
{
	(void)c;
	(void)r;
	return VERDICT_OK;
}

enum verdict restrict_reject(struct check *c, const struct restriction *r)
{
	(void)r;
	return check_rejected(c, (unsigned)c->s->p->settings->reject_code, "5.7.1",
			      SL("Access denied"));
}

enum verdict restrict_defer(struct check *c, const struct restriction *r)
{
	(void)r;
	return check_rejected(c, (unsigned)c->s->p->settings->defer_code, "4.3.2",
			      SL("Try again later"));
}

enum verdict restrict_defer_if_permit(struct check *c, const struct restriction *r)
{
	(void)r;
	check_defer_if_permit(c, 450, "4.7.0",
			      arena_printf(c->arena,
					   "<%.*s>: %s rejected: defer_if_permit requested",
					   SL_ARG(c->subject), c->what));
	return VERDICT_DUNNO;
}

enum verdict restrict_defer_if_reject(struct check *c, const struct restriction *r)
{
	(void)r;
	check_defer_if_reject(c, 450, "4.7.0",
			      arena_printf(c->arena,
					   "<%.*s>: %s rejected: defer_if_reject requested",
					   SL_ARG(c->subject), c->what));
	return VERDICT_DUNNO;
}

enum verdict restrict_sleep(struct check *c, const struct restriction *r)
{
	(void)c;
	fiber_sleep(os_deadline(r->time), "sleep restriction");
	return VERDICT_DUNNO;
}

enum verdict restrict_mynetworks(struct check *c, const struct restriction *r)
{
	struct slice reason;

	(void)r;
	switch (match_list_address(c->s->p->mynetworks, c->s->client.name, c->s->client.addr,
				   c->arena, &reason)) {
	case TABLE_FOUND:
		return VERDICT_OK;
	case TABLE_MISSING:
		return VERDICT_DUNNO;
	case TABLE_TEMP:
		break;
	}
	return check_table_problem(c, reason);
}

enum verdict restrict_inet_interfaces(struct check *c, const struct restriction *r)
{
	(void)r;
	return own_addresses_contain(c->s->p->own, &c->s->client.ip) ? VERDICT_OK : VERDICT_DUNNO;
}

enum verdict restrict_tls_all_clientcerts(struct check *c, const struct restriction *r)
{
	(void)r;
	return c->s->tls != NULL && c->s->tls->trusted ? VERDICT_OK : VERDICT_DUNNO;
}

/* permit_tls_clientcerts - by the certificate's fingerprint in relay_clientcerts, trusted or not.
 */
enum verdict restrict_tls_clientcerts(struct check *c, const struct restriction *r)
{
	const struct tls_facts *t = c->s->tls;
	struct slice value;

	(void)r;
	if (t == NULL || t->peer_fingerprint.n == 0)
		return VERDICT_DUNNO;
	if (!slice_caseeq(c->s->p->settings->smtpd_tls_fingerprint_digest, SL("sha256")))
		return check_misconfigured(
		    c, SL("smtpd_tls_fingerprint_digest: only sha256 is supported"));
	switch (table_list_lookup(c->s->p->relay_clientcerts, t->peer_fingerprint, false, c->arena,
				  &value)) {
	case TABLE_FOUND:
		return VERDICT_OK;
	case TABLE_MISSING:
		return VERDICT_DUNNO;
	case TABLE_TEMP:
		break;
	}
	return check_table_problem(c, value);
}

enum verdict restrict_pipelining(struct check *c, const struct restriction *r)
{
	(void)r;
	if (!c->s->pipelined_early)
		return VERDICT_DUNNO;
	return check_rejected(c, 503, "5.5.0", SL("Improper use of SMTP command pipelining"));
}

enum verdict restrict_plaintext(struct check *c, const struct restriction *r)
{
	(void)r;
	if (c->s->tls != NULL)
		return VERDICT_DUNNO;
	return check_reject(c, (unsigned)c->s->p->settings->plaintext_reject_code, "4.7.1",
			    SL("Session encryption is required"));
}

enum verdict restrict_multi_recipient_bounce(struct check *c, const struct restriction *r)
{
	const struct transaction *t = &c->s->txn;

	(void)r;
	/* at RCPT the count does not yet hold the present one; Postfix looks at the one before too
	 */
	if (!t->open || t->sender.n > 0 || t->recipients <= 1)
		return VERDICT_DUNNO;
	return check_rejected(c, (unsigned)c->s->p->settings->multi_recipient_bounce_reject_code,
			      "5.5.3", SL("Multi-recipient bounce"));
}
