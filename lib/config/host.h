/* SPDX-License-Identifier: ISC */
/* config/host - defaults that depend on the machine. */
#ifndef CONFIG_HOST_H
#define CONFIG_HOST_H

#include "base/arena.h"
#include "os/host.h"

/* host_default_name - `node` if it has a dot, else `node`.`domain`. */
struct slice host_default_name(struct arena *arena, struct slice node, struct slice domain);
/* host_default_domain - what follows the first dot of `hostname`; "localdomain" without one. */
struct slice host_default_domain(struct slice hostname);
/*
 * host_default_networks - the networks of the interfaces, IPv4 first, as mynetworks has them.
 * style: host, subnet, class. `interfaces` and `protocols` are inet_interfaces and inet_protocols,
 * expanded: of the first, all, loopback-only and addresses count; a name counts as loopback, for
 * nothing is looked up here, and too little trust is the safer mistake.
 */
struct slice host_default_networks(struct arena *arena, const struct os_interface *all,
				   size_t count, struct slice style, struct slice interfaces,
				   struct slice protocols);

#endif
