/* SPDX-License-Identifier: ISC */
/* route_state - what a route holds; only for the files of this folder. */
#ifndef ROUTE_ROUTE_STATE_H
#define ROUTE_ROUTE_STATE_H

#include "config/settings.h"
#include "route/own_address.h"
#include "route/route.h"

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

#endif
