/* SPDX-License-Identifier: ISC */
/*
 * target - the addresses that a destination stands for, in the order in which they are tried
 * (RFC 5321 5.1).
 */
#ifndef SMTP_CLIENT_TARGET_H
#define SMTP_CLIENT_TARGET_H

#include "base/arena.h"
#include "base/ip.h"
#include "route/own_address.h"
#include "smtp/conf.h"
#include "smtp/failure.h"
#include "smtp/nexthop.h"

/* What destinations without MX records count as: after all that have some. */
#define TARGET_NO_PREFERENCE 65536u

struct target {
	struct slice host;
	struct ip_addr addr; /* bits 0: a UNIX socket, `host` is its path */
	uint16_t port;
	unsigned preference;
	uint32_t chance; /* decides among equals */
};

struct targets {
	struct target *items;
	size_t count;
	size_t size;
	bool detect_loops; /* a server that bears our name is ourselves */
};

/* What looking up needs besides the settings. */
struct target_source {
	const struct client_conf *conf;
	struct dns_client *dns;
	const struct own_addresses *own;
};

/*
 * targets_find - those of one destination. RES_OK: at least one. Otherwise *failure says why there is
 * none, for recipients.
 */
enum result targets_find(const struct target_source *source, const struct nexthop *hop,
			 struct slice destination, struct arena *arena, struct targets *out,
			 struct failure *failure);

/* Pure parts of it: */

/* targets_sort - by preference, then family as wanted, then chance. */
void targets_sort(struct target *items, size_t count, const struct dns_families *families);
/*
 * targets_limit - the first `limit` of them (0: all); with `balance`, neither family pushes the other
 * out altogether. Returns how many there are.
 */
size_t targets_limit(struct target *items, size_t count, size_t limit, bool balance);
/*
 * targets_before_self - drop those at the preference of this machine, and worse ones: mail goes
 * towards better hosts only. Returns how many are left, all when none is this machine.
 */
size_t targets_before_self(struct target *items, size_t count, const struct own_addresses *own);

#endif
