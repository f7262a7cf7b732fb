/* SPDX-License-Identifier: ISC */
/* restriction_name - names and addresses that cannot be right, as they are written. */
#include "address/address.h"
#include "address/domain.h"
#include "smtpd/smtpd.h"

static struct slice helo_name(const struct check *c)
{
	return buffer_slice(&c->s->helo);
}

static enum verdict reject_helo(struct check *c, unsigned code, const char *status,
				const char *text)
{
	return check_reject(c, code, status,
			    arena_printf(c->arena, "<%.*s>: Helo command rejected: %s",
					 SL_ARG(helo_name(c)), text));
}

/* is_address - "[192.0.2.1]", and without brackets, as many clients say. */
static bool is_address(struct slice name)
{
	struct ip_addr ip;

	return domain_parse_literal(name, &ip) || ip_parse(name, &ip);
}

enum verdict restrict_invalid_helo(struct check *c, const struct restriction *r)
{
	struct slice name = helo_name(c);

	(void)r;
	if (name.n == 0 || is_address(name))
		return VERDICT_DUNNO;
	if (name.p[name.n - 1] == '.')
		name.n--;
	if (domain_valid_utf8(name))
		return VERDICT_DUNNO;
	return reject_helo(c, (unsigned)c->s->p->settings->invalid_hostname_reject_code, "5.5.2",
			   "Invalid name");
}

enum verdict restrict_non_fqdn_helo(struct check *c, const struct restriction *r)
{
	struct slice name = helo_name(c);
	struct ip_addr ip;

	(void)r;
	if (name.n == 0 || domain_parse_literal(name, &ip) || domain_is_fqdn(name))
		return VERDICT_DUNNO;
	return reject_helo(c, (unsigned)c->s->p->settings->non_fqdn_reject_code, "5.5.2",
			   "need fully-qualified hostname");
}

static enum verdict non_fqdn(struct check *c, struct slice address, const char *what)
{
	struct slice domain = address_split(address).domain;
	struct ip_addr ip;

	if (!slice_is_null(domain) && (domain_parse_literal(domain, &ip) || domain_is_fqdn(domain)))
		return VERDICT_DUNNO;
	return check_reject(c, (unsigned)c->s->p->settings->non_fqdn_reject_code, "5.5.2",
			    arena_printf(c->arena,
					 "<%.*s>: %s rejected: need fully-qualified address",
					 SL_ARG(address), what));
}

enum verdict restrict_non_fqdn_sender(struct check *c, const struct restriction *r)
{
	(void)r;
	if (!c->s->txn.open || c->s->txn.sender.n == 0)
		return VERDICT_DUNNO;
	return non_fqdn(c, c->s->txn.sender, "Sender address");
}

enum verdict restrict_non_fqdn_recipient(struct check *c, const struct restriction *r)
{
	(void)r;
	if (slice_is_null(c->s->recipient))
		return VERDICT_DUNNO;
	return non_fqdn(c, c->s->recipient, "Recipient address");
}
