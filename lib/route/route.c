/* SPDX-License-Identifier: ISC */
#include "route/route.h"
#include "address/domain.h"
#include "route/route_state.h"

/* without_dot - "example.com." is "example.com". */
static struct slice without_dot(struct slice domain)
{
	if (domain.n > 1 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return domain;
}

enum table_result route_is_local_domain(void *data, struct slice domain, struct arena *arena,
					struct slice *reason)
{
	struct route *route = data;
	enum table_result result;
	struct ip_addr ip;

	domain = without_dot(domain);
	result = match_list_string(route->mydestination, domain, arena, reason);
	if (result != TABLE_MISSING)
		return result;
	if (domain_parse_literal(domain, &ip) && own_addresses_contain(&route->own, &ip))
		return TABLE_FOUND;
	return TABLE_MISSING;
}

/* is_ours - for table lookups myorigin counts as ours even where it is not in mydestination. */
static enum table_result is_ours(void *data, struct slice domain, struct arena *arena,
				 struct slice *reason)
{
	const struct route *route = data;

	if (slice_caseeq(domain, route->settings->myorigin))
		return TABLE_FOUND;
	return route_is_local_domain(data, domain, arena, reason);
}

static void open_domains(struct route *route, struct table_set *set)
{
	const struct settings *s = route->settings;

	route->mydestination = match_list_create(set, s->mydestination, 0);
	route->virtual_alias_domains = match_list_create(set, s->virtual_alias_domains, 0);
	route->virtual_mailbox_domains = match_list_create(set, s->virtual_mailbox_domains, 0);
	route->relay_domains =
	    match_list_create(set, s->relay_domains,
			      match_list_parent_flag(s->parent_domain_matches_subdomains,
						     SL("relay_domains")));
}

static void open_tables(struct route *route, struct table_set *set)
{
	const struct settings *s = route->settings;

	route->transport_maps =
	    table_list_create(set, s->transport_maps, TABLE_FOLD | TABLE_NO_SUBST);
	route->transport_parents = match_list_parent_flag(s->parent_domain_matches_subdomains,
							  SL("transport_maps"))
				       ? FIND_PARENTS
				       : FIND_DOT_PARENTS;
	route->relocated_maps = table_list_create(set, s->relocated_maps, TABLE_FOLD);
	route->sender_relayhost =
	    table_list_create(set, s->sender_dependent_relayhost_maps, TABLE_FOLD);
	route->sender_transport =
	    table_list_create(set, s->sender_dependent_default_transport_maps, TABLE_FOLD);
	route->canonical_maps = table_list_create(set, s->canonical_maps, TABLE_FOLD);
	route->recipient_canonical_maps =
	    table_list_create(set, s->recipient_canonical_maps, TABLE_FOLD);
	route->virtual_alias_maps = table_list_create(set, s->virtual_alias_maps, TABLE_FOLD);
	route->local_recipient_maps = table_list_create(set, s->local_recipient_maps, TABLE_FOLD);
	route->virtual_mailbox_maps = table_list_create(set, s->virtual_mailbox_maps, TABLE_FOLD);
	route->relay_recipient_maps = table_list_create(set, s->relay_recipient_maps, TABLE_FOLD);
}

struct route *route_create(const struct settings *settings, struct table_set *set)
{
	struct arena *arena = arena_create();
	struct route *route = ARENA_NEW(arena, struct route);

	route->arena = arena;
	route->settings = settings;
	route->find_nobody = (struct address_find){
	    .delimiters = settings->recipient_delimiter,
	    .owner_request = settings->owner_request_special,
	    .keep = settings->double_bounce_sender,
	};
	route->find = route->find_nobody;
	route->find.is_local = is_ours;
	route->find.data = route;
	own_addresses_load(settings, arena, &route->own);
	open_domains(route, set);
	open_tables(route, set);
	return route;
}

void route_destroy(struct route **route)
{
	struct arena *arena;

	if (*route == NULL)
		return;
	arena = (*route)->arena;
	arena_destroy(&arena);
	*route = NULL;
}

const struct address_find *route_address_find(const struct route *route)
{
	return &route->find;
}

void route_split_transport(struct slice value, struct slice *transport, struct slice *nexthop)
{
	ssize_t colon = slice_find(value, ':');

	*transport = slice_trim(colon < 0 ? value : slice_sub(value, 0, (size_t)colon));
	*nexthop = colon < 0 ? SL_NULL : slice_trim(slice_from(value, (size_t)colon + 1));
}
