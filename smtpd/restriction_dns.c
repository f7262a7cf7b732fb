/* SPDX-License-Identifier: ISC */
/* restriction_dns - names that the DNS does not know. Silence is never "no". */
#include "address/address.h"
#include "address/domain.h"
#include "address/idna.h"
#include "smtpd/smtpd.h"

/* How long one question may take. */
#define PATIENCE (20 * OS_SECOND)

static enum verdict reject_client(struct check *c, enum name_status status, const char *what)
{
	unsigned code = (unsigned)c->s->p->settings->unknown_client_reject_code;

	if (status == NAME_OK)
		return VERDICT_DUNNO;
	return check_reject(c, status == NAME_TEMP ? 450 : code, "4.7.25",
			    arena_printf(c->arena,
					 "Client host rejected: cannot find your %s, [%.*s]", what,
					 SL_ARG(c->s->client.addr)));
}

enum verdict restrict_unknown_client(struct check *c, const struct restriction *r)
{
	(void)r;
	return reject_client(c, c->s->client.name_status, "hostname");
}

enum verdict restrict_unknown_reverse_client(struct check *c, const struct restriction *r)
{
	(void)r;
	return reject_client(c, c->s->client.reverse_status, "reverse hostname");
}

/* What the DNS says of a domain that mail should come from, or go to. */
struct existence {
	enum dns_status status;
	bool null_mx;
	struct slice why;
};

static void look_for(struct check *c, struct slice domain, struct existence *out)
{
	static const struct dns_families both = {.ipv4 = true, .ipv6 = true};
	int64_t deadline = os_deadline(PATIENCE);
	struct dns_addresses addresses = {.why = SL_NULL};
	struct dns_answer answer = {.why = SL_NULL};
	struct slice ascii = domain;

	*out = (struct existence){.status = DNS_TEMPFAIL, .why = SL("no resolver")};
	if (c->s->p->dns == NULL)
		return;
	if (!idna_to_ascii(c->arena, domain, &ascii)) {
		out->status = DNS_INVALID;
		return;
	}
	out->status =
	    dns_lookup_mx(c->s->p->dns, ascii, c->arena, deadline, &answer, &out->null_mx);
	out->why = answer.why;
	if (out->status != DNS_NODATA)
		return;
	out->status =
	    dns_lookup_addresses(c->s->p->dns, ascii, &both, c->arena, deadline, &addresses);
	out->why = addresses.why;
}

/* not_now - a lookup failed for the moment: what restrictions do then is settled (tempfail_action).
 */
static enum verdict not_now(struct check *c, struct slice action, const char *status,
			    struct slice text)
{
	if (slice_eq(action, SL("defer")))
		return check_reject(c, 450, status, text);
	check_defer_if_permit(c, 450, status, text);
	return VERDICT_DUNNO;
}

enum verdict restrict_unknown_helo(struct check *c, const struct restriction *r)
{
	const struct settings *settings = c->s->p->settings;
	struct slice name = buffer_slice(&c->s->helo);
	struct existence found;
	struct slice text;
	struct ip_addr ip;

	(void)r;
	if (name.n == 0 || domain_parse_literal(name, &ip) || ip_parse(name, &ip))
		return VERDICT_DUNNO;
	look_for(c, name, &found);
	if (found.status == DNS_FOUND)
		return VERDICT_DUNNO;
	text =
	    arena_printf(c->arena, "<%.*s>: Helo command rejected: Host not found", SL_ARG(name));
	if (found.status == DNS_TEMPFAIL)
		return not_now(c, settings->unknown_helo_hostname_tempfail_action, "4.7.1", text);
	return check_reject(c, (unsigned)settings->unknown_hostname_reject_code, "4.7.1", text);
}

/* How the two address restrictions differ. */
struct manner {
	const char *what;
	const char *status;
	unsigned null_code;
	const char *null_status;
};

static enum verdict unknown_domain(struct check *c, struct slice address,
				   const struct manner *manner)
{
	const struct settings *settings = c->s->p->settings;
	struct slice domain = address_split(address).domain, text;
	struct existence found;

	if (slice_is_null(domain) || domain_is_literal(domain))
		return VERDICT_DUNNO;
	look_for(c, domain, &found);
	if (found.null_mx)
		return check_reject(
		    c, manner->null_code, manner->null_status,
		    arena_printf(c->arena,
				 "<%.*s>: %s rejected: Domain %.*s does not accept mail "
				 "(nullMX)",
				 SL_ARG(address), manner->what, SL_ARG(domain)));
	if (found.status == DNS_FOUND)
		return VERDICT_DUNNO;
	text = arena_printf(c->arena, "<%.*s>: %s rejected: Domain not found", SL_ARG(address),
			    manner->what);
	if (found.status == DNS_TEMPFAIL)
		return not_now(c, settings->unknown_address_tempfail_action, manner->status, text);
	return check_reject(c, (unsigned)settings->unknown_address_reject_code, manner->status,
			    text);
}

/* is_final - our own domains need not be in the DNS. */
static bool is_final(struct check *c, struct slice address)
{
	const unsigned final = ROUTE_LOCAL | ROUTE_VIRTUAL_ALIAS | ROUTE_VIRTUAL_MAILBOX;
	struct route_target target;
	struct slice reason;

	return route_resolve(c->s->p->route, SL(""), address, c->arena, &target, &reason) ==
		   RES_OK &&
	       (target.flags & final);
}

enum verdict restrict_unknown_sender(struct check *c, const struct restriction *r)
{
	static const struct manner manner = {"Sender address", "4.1.8", 550, "5.7.27"};

	(void)r;
	if (!c->s->txn.open || c->s->txn.sender.n == 0 || is_final(c, c->s->txn.sender))
		return VERDICT_DUNNO;
	return unknown_domain(c, c->s->txn.sender, &manner);
}

enum verdict restrict_unknown_recipient(struct check *c, const struct restriction *r)
{
	static const struct manner manner = {"Recipient address", "4.1.2", 556, "5.1.10"};

	(void)r;
	if (slice_is_null(c->s->recipient) || is_final(c, c->s->recipient))
		return VERDICT_DUNNO;
	return unknown_domain(c, c->s->recipient, &manner);
}
