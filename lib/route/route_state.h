/* SPDX-License-Identifier: ISC */
/* route_state - what a route holds; only for the files of this folder. */
#ifndef ROUTE_ROUTE_STATE_H
#define ROUTE_ROUTE_STATE_H

#include "base/ip.h"
#include "config/settings.h"
#include "route/route.h"

struct own_addresses {
	struct ip_addr *items;
	size_t count;
};

struct route {
	struct arena *arena;
	const struct settings *settings;
	struct address_find find;        /* is_local: myorigin too */
	struct address_find find_nobody; /* no domain is local */
	struct own_addresses own;

	struct match_list *mydestination;
	struct match_list *virtual_alias_domains;
	struct match_list *virtual_mailbox_domains;
	struct match_list *relay_domains;

	struct table_list *transport_maps;
	unsigned transport_parents; /* FIND_PARENTS or FIND_DOT_PARENTS */
	struct table_list *relocated_maps;
	struct table_list *sender_relayhost;
	struct table_list *sender_transport;

	struct table_list *canonical_maps;
	struct table_list *recipient_canonical_maps;
	struct table_list *virtual_alias_maps;
	struct table_list *local_recipient_maps;
	struct table_list *virtual_mailbox_maps;
	struct table_list *relay_recipient_maps;
};

/*
 * own_addresses_load - inet_interfaces ("all", "loopback-only", names, addresses) and proxy_interfaces.
 * Names are asked of the C library, which may take its time: only when a process starts.
 */
void own_addresses_load(const struct settings *settings, struct arena *arena,
			struct own_addresses *own);
bool own_addresses_contain(const struct own_addresses *own, const struct ip_addr *ip);

#endif
