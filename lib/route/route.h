/* SPDX-License-Identifier: ISC */
/*
 * route - where an address goes. The work of Postfix's trivial-rewrite(8), as a library: rewriting
 * to standard form, address classes, transport and next hop, and whether a recipient exists.
 *
 * A route opens all tables that it needs when it is created and never opens anything later; tables
 * that cannot be used make RES_TEMP of the answers that need them. It belongs to one thread.
 * Addresses are in internal form (address/address.h), without <>; the empty slice is the null address.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "base/result.h"
#include "route/address_find.h"
#include "table/match_list.h"
#include "table/table.h"

struct settings;
struct route;

/*
 * route_create - the settings must live as long as the route; the tables come from `set`, which
 * the caller owns, must outlive the route, and may share with others. Never NULL.
 */
struct route *route_create(const struct settings *settings, struct table_set *set);
void route_destroy(struct route **route);

enum route_context {
	ROUTE_CONTEXT_LOCAL, /* ours: myorigin and mydomain complete an address */
	ROUTE_CONTEXT_REMOTE /* a stranger's: remote_header_rewrite_domain does, or nothing at all */
};

/*
 * route_rewrite - an address in standard form: source routes stripped, bang paths and %-hacks turned
 * (swap_bangpath, allow_percent_hack), @myorigin and .mydomain appended, a trailing dot dropped.
 * *out is in the arena. Never fails; what cannot be parsed comes back as it was.
 */
void route_rewrite(const struct route *route, struct slice address, enum route_context context,
		   struct arena *arena, struct slice *out);

/* Address classes (ADDRESS_CLASS_README); exactly one is set. */
#define ROUTE_LOCAL 1u           /* mydestination, inet_interfaces, proxy_interfaces */
#define ROUTE_VIRTUAL_ALIAS 2u   /* virtual_alias_domains */
#define ROUTE_VIRTUAL_MAILBOX 4u /* virtual_mailbox_domains */
#define ROUTE_RELAY 8u           /* relay_domains */
#define ROUTE_DEFAULT 16u        /* anywhere else */
#define ROUTE_CLASSES 31u
/* Besides: */
#define ROUTE_ROUTED 32u  /* user@there@here or user%there: sender-given routing; not to be relayed */
#define ROUTE_INVALID 64u /* the address is malformed; transport is error, nexthop the reason */

struct route_target {
	struct slice transport; /* name of a service in master.cf */
	struct slice nexthop;   /* its destination: as configured, or the domain in lower case */
	struct slice recipient; /* the address as resolved (our own routing removed) */
	struct slice domain;    /* its domain, lower case; empty for a bare name */
	unsigned flags;
};

/*
 * route_resolve - sender matters for sender_dependent_* only ("" for the null sender).
 * RES_OK, or RES_TEMP with *reason (4.3.0: a table that cannot be asked).
 */
enum result route_resolve(struct route *route, struct slice sender, struct slice recipient,
			  struct arena *arena, struct route_target *target, struct slice *reason);

/*
 * route_known_recipient - does the recipient exist, as far as the tables of its class say
 * (local_recipient_maps, virtual_mailbox_maps, relay_recipient_maps)? An empty parameter means that
 * nobody knows, and everybody is let in. recipient_canonical_maps, canonical_maps and
 * virtual_alias_maps are asked first, in every class. A recipient whose transport is `error` does not
 * exist.
 * RES_OK: yes. RES_PERM: no; *reason is Postfix's text, "User unknown in local recipient table" or the
 * like; that of an error transport may begin with an enhanced status code ("5.1.6 User has moved
 * to x@y"). RES_TEMP: a table cannot be asked, and *reason names it; or the transport is `retry`.
 */
enum result route_known_recipient(struct route *route, const struct route_target *target,
				  struct arena *arena, struct slice *reason);

/*
 * route_is_local_domain - is a domain delivered here under class local: mydestination, or one of
 * our addresses in brackets? For address_find's is_local. Data is the route.
 */
enum table_result route_is_local_domain(void *route, struct slice domain, struct arena *arena,
					struct slice *reason);
/* route_address_find - recipient_delimiter and is_local (myorigin included), for address_find(). */
const struct address_find *route_address_find(const struct route *route);

/*
 * route_split_transport - "transport:nexthop" in its parts; either may be empty. Without a colon all
 * of it is the transport.
 */
void route_split_transport(struct slice value, struct slice *transport, struct slice *nexthop);

#endif
