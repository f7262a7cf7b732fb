/* SPDX-License-Identifier: ISC */
/* own_address - the addresses under which this machine gets mail. */
#ifndef ROUTE_OWN_ADDRESS_H
#define ROUTE_OWN_ADDRESS_H

#include "base/arena.h"
#include "base/ip.h"
#include "config/settings.h"

struct own_addresses {
	struct ip_addr *items;
	size_t count;
};

/*
 * own_addresses_load - inet_interfaces ("all", "loopback-only", names, addresses) and proxy_interfaces.
 * Names are asked of the C library, which may take its time: only when a process starts.
 */
void own_addresses_load(const struct settings *settings, struct arena *arena,
			struct own_addresses *own);
bool own_addresses_contain(const struct own_addresses *own, const struct ip_addr *ip);

#endif
