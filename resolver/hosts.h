/* SPDX-License-Identifier: ISC */
/* resolver/hosts - /etc/hosts (hosts(5)): names and addresses the machine knows without the DNS. */
#ifndef RESOLVER_HOSTS_H
#define RESOLVER_HOSTS_H

#include "base/arena.h"
#include "base/ip.h"

struct hosts;

/* hosts_parse - lines that are wrong are skipped. All lies in the arena. */
struct hosts *hosts_parse(struct slice text, struct arena *arena);
/* hosts_addresses - of a family (32, 128) for a name, case ignored; how many, at most `max`. */
size_t hosts_addresses(const struct hosts *hosts, struct slice name, unsigned bits,
		       struct ip_addr *out, size_t max);
/* hosts_name - the first name of an address; absent when there is none. */
struct slice hosts_name(const struct hosts *hosts, const struct ip_addr *ip);

/* ip_from_reverse - "4.3.2.1.in-addr.arpa", or 32 nibbles under ip6.arpa, as the address it stands for. */
bool ip_from_reverse(struct slice name, struct ip_addr *ip);

#endif
