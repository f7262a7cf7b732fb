/* SPDX-License-Identifier: ISC */
/* resolve - an address to transport, next hop and recipient (trivial-rewrite(8), transport(5)). */
#include "address/address.h"
#include "address/domain.h"
#include "route/route_state.h"

/* How many layers of our own routing are taken off one address. */
#define ROUTING_MAX 100

/* One resolution under way. */
struct work {
	struct route *route;
	struct arena *arena;
	struct slice sender;
	struct route_target *target;
	struct slice *reason;
	struct slice own_domain; /* the last domain of ours that was taken off */
	struct slice wire_domain; /* the recipient's domain as written */
	bool local;
};

/* has_routing - is there another destination within a local part? */
static bool has_routing(const struct settings *settings, struct slice local)
{
	return slice_find(local, '@') >= 0 ||
	       (settings->allow_percent_hack && slice_find(local, '%') > 0) ||
	       (settings->swap_bangpath && slice_find(local, '!') > 0);
}

/*
 * unroute - what stood before our own domain: "user%site" and "site!user" are for user@site, and
 * "user@site" (that was quoted) too, with resolve_dequoted_address. False: it is a user here.
 */
static bool unroute(struct work *work, struct slice local, struct slice *address)
{
	const struct settings *settings = work->route->settings;
	ssize_t at = slice_rfind(local, '@'), bang = slice_find(local, '!');
	ssize_t percent = slice_rfind(local, '%');

	if (at >= 0) {
		if (!settings->resolve_dequoted_address)
			return false;
		*address = local;
		return true;
	}
	if (settings->swap_bangpath && bang > 0) {
		*address = arena_printf(work->arena, "%.*s@%.*s",
					SL_ARG(slice_from(local, (size_t)bang + 1)),
					SL_ARG(slice_sub(local, 0, (size_t)bang)));
		return true;
	}
	if (settings->allow_percent_hack && percent > 0) {
		*address = arena_printf(work->arena, "%.*s@%.*s",
					SL_ARG(slice_sub(local, 0, (size_t)percent)),
					SL_ARG(slice_from(local, (size_t)percent + 1)));
		return true;
	}
	return false;
}

static struct slice clean_domain(struct work *work, struct slice domain)
{
	const struct settings *settings = work->route->settings;
	struct ip_addr ip;

	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	if (settings->resolve_numeric_domain && ip_parse(domain, &ip) && ip.bits == 32)
		domain = arena_printf(work->arena, "[%.*s]", SL_ARG(domain));
	return domain;
}

static bool domain_is_valid(struct slice domain)
{
	struct ip_addr ip;

	if (domain_is_literal(domain))
		return domain_parse_literal(domain, &ip);
	return domain_valid_utf8(domain);
}

/* find_recipient - take our own domains off until a user here or a stranger's domain is left. */
static enum result find_recipient(struct work *work, struct slice address)
{
	struct route_target *target = work->target;
	const struct settings *settings = work->route->settings;

	for (int layer = 0; layer < ROUTING_MAX; layer++) {
		struct address_parts parts = address_split(address);
		enum table_result local;

		if (slice_is_null(parts.domain) || (parts.domain.n == 0 &&
						    settings->resolve_null_domain)) {
			work->local = true;
			work->wire_domain = work->own_domain.n > 0 ? work->own_domain
								   : settings->myhostname;
			target->recipient = address_join(work->arena, parts.local,
							 work->wire_domain);
			return RES_OK;
		}
		parts.domain = clean_domain(work, parts.domain);
		local = route_is_local_domain(work->route, parts.domain, work->arena, work->reason);
		if (local == TABLE_TEMP)
			return RES_TEMP;
		if (local == TABLE_FOUND && unroute(work, parts.local, &address)) {
			work->own_domain = parts.domain;
			target->flags |= ROUTE_ROUTED;
			continue;
		}
		work->local = local == TABLE_FOUND;
		work->wire_domain = parts.domain;
		target->recipient = address_join(work->arena, parts.local, parts.domain);
		if (!work->local && has_routing(settings, parts.local))
			target->flags |= ROUTE_ROUTED;
		return RES_OK;
	}
	target->flags |= ROUTE_INVALID;
	target->recipient = address;
	return RES_OK;
}

/* set_transport - from a parameter's value; what it leaves out stays as it is. */
static void set_transport(struct work *work, struct slice value)
{
	struct slice transport, nexthop;

	route_split_transport(value, &transport, &nexthop);
	if (transport.n > 0)
		work->target->transport = arena_dup(work->arena, transport);
	if (nexthop.n > 0)
		work->target->nexthop = arena_dup(work->arena, nexthop);
}

/* sender_lookup - by the sender's address and @domain, or by the key for the null sender. */
static enum result sender_lookup(struct work *work, struct table_list *list, struct slice null_key,
				 struct slice *value)
{
	struct slice sender = work->sender.n > 0 ? work->sender : null_key;

	*value = SL_NULL;
	switch (address_find(list, sender, FIND_FULL | FIND_NO_EXTENSION | FIND_AT_DOMAIN,
			     &work->route->find_nobody, work->arena, value, NULL)) {
	case TABLE_TEMP:
		*work->reason = *value;
		return RES_TEMP;
	case TABLE_FOUND:
		if (slice_caseeq(*value, SL("DUNNO")))
			*value = SL_NULL;
		break;
	case TABLE_MISSING:
		*value = SL_NULL;
		break;
	}
	return RES_OK;
}

/* go_outside - relay_domains and all the rest: relayhost counts, unless the transport names one. */
static enum result go_outside(struct work *work, bool relay)
{
	const struct settings *settings = work->route->settings;
	struct slice transport = relay ? settings->relay_transport : settings->default_transport;
	struct slice value;

	work->target->flags |= relay ? ROUTE_RELAY : ROUTE_DEFAULT;
	if (settings->relayhost.n > 0)
		work->target->nexthop = settings->relayhost;
	if (sender_lookup(work, work->route->sender_relayhost,
			  settings->empty_address_relayhost_maps_lookup_key, &value) != RES_OK)
		return RES_TEMP;
	if (value.n > 0)
		work->target->nexthop = value;
	if (!relay) {
		if (sender_lookup(work, work->route->sender_transport,
				  settings->empty_address_default_transport_maps_lookup_key,
				  &value) != RES_OK)
			return RES_TEMP;
		if (value.n > 0)
			transport = value;
	}
	set_transport(work, transport);
	return RES_OK;
}

/* classify - the class of a domain that is not ours by mydestination, and its transport. */
static enum result classify(struct work *work)
{
	struct route *route = work->route;
	struct route_target *target = work->target;
	enum table_result is;

	is = match_list_string(route->virtual_alias_domains, target->domain, work->arena,
			       work->reason);
	if (is == TABLE_FOUND) {
		target->flags |= ROUTE_VIRTUAL_ALIAS;
		target->transport = SL("error");
		target->nexthop = route->settings->show_user_unknown_table_name
				      ? SL("5.1.1 User unknown in virtual alias table")
				      : SL("5.1.1 User unknown");
		return RES_OK;
	}
	if (is == TABLE_MISSING)
		is = match_list_string(route->virtual_mailbox_domains, target->domain, work->arena,
				       work->reason);
	if (is == TABLE_FOUND) {
		target->flags |= ROUTE_VIRTUAL_MAILBOX;
		set_transport(work, route->settings->virtual_transport);
		return RES_OK;
	}
	if (is == TABLE_MISSING)
		is = match_list_host(route->relay_domains, target->domain, work->arena,
				     work->reason);
	return is == TABLE_TEMP ? RES_TEMP : go_outside(work, is == TABLE_FOUND);
}

/*
 * override_transport - transport_maps. A transport without next hop puts the recipient's domain
 * back in its place; a next hop without transport leaves the transport; ":" alone changes nothing.
 */
static enum result override_transport(struct work *work)
{
	struct route *route = work->route;
	struct route_target *target = work->target;
	struct slice value, transport, nexthop;
	enum table_result found;

	found = address_find(route->transport_maps, target->recipient,
			     FIND_FULL | FIND_NO_EXTENSION | FIND_DOMAIN | route->transport_parents,
			     &route->find, work->arena, &value, NULL);
	if (found == TABLE_MISSING)
		found = table_list_lookup(route->transport_maps, SL("*"), true, work->arena, &value);
	if (found == TABLE_TEMP)
		*work->reason = value;
	if (found != TABLE_FOUND)
		return found == TABLE_TEMP ? RES_TEMP : RES_OK;
	route_split_transport(value, &transport, &nexthop);
	if (transport.n > 0) {
		target->transport = transport;
		target->nexthop = nexthop.n > 0 ? nexthop : target->domain;
	} else if (nexthop.n > 0) {
		target->nexthop = nexthop;
	}
	return RES_OK;
}

/* apply_relocated - who has moved away gets no mail here, whatever the class. */
static enum result apply_relocated(struct work *work)
{
	struct route_target *target = work->target;
	struct slice value;

	switch (address_find(work->route->relocated_maps, target->recipient, FIND_DEFAULT,
			     &work->route->find, work->arena, &value, NULL)) {
	case TABLE_TEMP:
		*work->reason = value;
		return RES_TEMP;
	case TABLE_MISSING:
		return RES_OK;
	case TABLE_FOUND:
		break;
	}
	target->transport = SL("error");
	target->nexthop = arena_printf(work->arena, "5.1.6 User has moved to %.*s", SL_ARG(value));
	return RES_OK;
}

static enum result choose(struct work *work)
{
	struct route_target *target = work->target;
	enum result rc = RES_OK;

	target->nexthop = target->domain;
	if (work->local) {
		target->flags |= ROUTE_LOCAL;
		set_transport(work, work->route->settings->local_transport);
	} else {
		rc = classify(work);
	}
	if (rc == RES_OK && !(target->flags & ROUTE_VIRTUAL_ALIAS))
		rc = override_transport(work);
	if (rc == RES_OK)
		rc = apply_relocated(work);
	return rc;
}

enum result route_resolve(struct route *route, struct slice sender, struct slice recipient,
			  struct arena *arena, struct route_target *target, struct slice *reason)
{
	struct work work = {.route = route,
			    .arena = arena,
			    .sender = sender,
			    .target = target,
			    .reason = reason};

	*target = (struct route_target){.flags = 0};
	*reason = SL_NULL;
	if (recipient.n == 0)
		recipient = route->settings->empty_address_recipient;
	if (find_recipient(&work, recipient) != RES_OK)
		return RES_TEMP;
	target->domain = arena_lower(arena, work.wire_domain);
	if (!domain_is_valid(target->domain) || address_split(target->recipient).local.n == 0)
		target->flags |= ROUTE_INVALID;
	if (!(target->flags & ROUTE_INVALID))
		return choose(&work);
	target->flags |= ROUTE_DEFAULT;
	target->transport = SL("error");
	target->nexthop = SL("5.1.3 Bad address syntax");
	return RES_OK;
}
