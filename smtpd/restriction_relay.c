/* SPDX-License-Identifier: ISC */
/* restriction_relay - whom mail is taken for: our domains, and the users in them. */
#include "address/address.h"
#include "log/events.h"
#include "smtp/status.h"
#include "smtpd/smtpd.h"

/* resolve - an address to its class; false: refused, in *verdict. */
static bool resolve(struct check *c, struct slice address, struct route_target *target,
		    enum verdict *verdict)
{
	struct slice full, reason;

	route_rewrite(c->s->p->route, address, ROUTE_CONTEXT_LOCAL, c->arena, &full);
	if (route_resolve(c->s->p->route, c->s->txn.sender, full, c->arena, target, &reason) ==
	    RES_OK)
		return true;
	*verdict = check_table_problem(c, reason);
	return false;
}

/* is_ours - RELAY_OK, or what stands against it. */
static bool is_ours(const struct check *c, const struct route_target *target)
{
	if (target->domain.n == 0)
		return true;
	/* where user%elsewhere@here ends, nobody but the next host knows */
	if ((target->flags & ROUTE_ROUTED) && !c->s->p->settings->allow_untrusted_routing)
		return false;
	return (target->flags &
		(ROUTE_LOCAL | ROUTE_VIRTUAL_ALIAS | ROUTE_VIRTUAL_MAILBOX | ROUTE_RELAY)) != 0;
}

enum verdict restrict_permit_auth_destination(struct check *c, const struct restriction *r)
{
	struct route_target target;
	enum verdict verdict;

	(void)r;
	if (slice_is_null(c->s->recipient))
		return VERDICT_DUNNO;
	if (!resolve(c, c->s->recipient, &target, &verdict))
		return verdict;
	return is_ours(c, &target) ? VERDICT_OK : VERDICT_DUNNO;
}

static enum verdict unauth_destination(struct check *c, unsigned code, const char *status)
{
	struct route_target target;
	enum verdict verdict;
	struct slice text;

	if (slice_is_null(c->s->recipient))
		return VERDICT_DUNNO;
	if (!resolve(c, c->s->recipient, &target, &verdict))
		return verdict;
	if (is_ours(c, &target))
		return VERDICT_DUNNO;
	text = arena_printf(c->arena, "<%.*s>: Relay access denied", SL_ARG(c->s->recipient));
	return check_reject(c, code, status, text);
}

enum verdict restrict_unauth_destination(struct check *c, const struct restriction *r)
{
	(void)r;
	return unauth_destination(c, (unsigned)c->s->p->settings->relay_domains_reject_code,
				  "5.7.1");
}

enum verdict restrict_defer_unauth_destination(struct check *c, const struct restriction *r)
{
	unsigned code = (unsigned)c->s->p->settings->relay_domains_reject_code;

	(void)r;
	return unauth_destination(c, code >= 500 ? code - 100 : code, "4.7.1");
}

/* unknown_code - for a user that no table of its domain lists. */
static unsigned unknown_code(const struct settings *c, unsigned flags)
{
	switch (flags & ROUTE_CLASSES) {
	case ROUTE_LOCAL:
		return (unsigned)c->unknown_local_recipient_reject_code;
	case ROUTE_VIRTUAL_ALIAS:
		return (unsigned)c->unknown_virtual_alias_reject_code;
	case ROUTE_VIRTUAL_MAILBOX:
		return (unsigned)c->unknown_virtual_mailbox_reject_code;
	case ROUTE_RELAY:
		return (unsigned)c->unknown_relay_recipient_reject_code;
	default:
		return 550;
	}
}

static enum verdict unlisted(struct check *c, struct slice address, const char *what,
			     const char *status)
{
	struct route_target target;
	struct enhanced_status own;
	struct slice reason, rest;
	enum verdict verdict;

	if (!resolve(c, address, &target, &verdict))
		return verdict;
	switch (route_known_recipient(c->s->p->route, &target, c->arena, &reason)) {
	case RES_OK:
		return VERDICT_DUNNO;
	case RES_TEMP:
		return check_table_problem(c, reason);
	case RES_PERM:
		break;
	}
	/* the reason of an error transport may bring a status of its own: "5.1.6 User has moved" */
	if (enhanced_parse(reason, &own, &rest)) {
		status = arena_dup(c->arena, slice_sub(reason, 0, reason.n - rest.n - 1)).p;
		reason = rest;
	}
	return check_reject(c, unknown_code(c->s->p->settings, target.flags), status,
			    arena_printf(c->arena, "<%.*s>: %s rejected: %.*s", SL_ARG(address),
					 what, SL_ARG(reason)));
}

enum verdict restrict_unlisted_recipient(struct check *c, const struct restriction *r)
{
	(void)r;
	if (slice_is_null(c->s->recipient) || c->s->p->no_unknown_recipient_checks)
		return VERDICT_DUNNO;
	return unlisted(c, c->s->recipient, "Recipient address", "5.1.1");
}

enum verdict restrict_unlisted_sender(struct check *c, const struct restriction *r)
{
	(void)r;
	if (!c->s->txn.open || c->s->txn.sender.n == 0)
		return VERDICT_DUNNO;
	return unlisted(c, c->s->txn.sender, "Sender address", "5.1.0");
}
