/* SPDX-License-Identifier: ISC */
/*
 * match_list - is a name, a host or an address in the list that a parameter value gives
 * (mydestination, relay_domains, mynetworks, debug_peer_list ...)?
 *
 * Patterns, split at white space and commas: a literal, .domain, an address, [IPv6 address],
 * net/mask, /file/name (its lines are patterns, read at creation), type:table (the key is in it), and
 * any of these with ! in front: no match, stop. The first pattern that fits decides.
 * Letters match in either case.
 */
#ifndef TABLE_MATCH_LIST_H
#define TABLE_MATCH_LIST_H

#include "table/table.h"

struct match_list;

#define MATCH_PARENT 1u /* "domain" also matches its subdomains; else only ".domain" does */

/*
 * match_list_create - never NULL; owned by the set. A pattern that cannot be used (bad network,
 * unreadable file) makes TABLE_TEMP of every match that reaches it.
 */
struct match_list *match_list_create(struct table_set *set, struct slice value, unsigned flags);
bool match_list_empty(const struct match_list *list);

/*
 * All three: FOUND, MISSING, or TEMP with the reason in *reason (may be NULL).
 * match_list_string - equal to a literal, or a key of a table.
 * match_list_host - a host or domain name: literals, .domain, parents, tables.
 * match_list_address - a client: name (absent or "unknown": none) and numeric address without
 * brackets or "IPv6:".
 */
enum table_result match_list_string(struct match_list *list, struct slice string,
				    struct arena *arena, struct slice *reason);
enum table_result match_list_host(struct match_list *list, struct slice name, struct arena *arena,
				  struct slice *reason);
enum table_result match_list_address(struct match_list *list, struct slice name,
				     struct slice address, struct arena *arena,
				     struct slice *reason);

/*
 * match_list_parent_flag - MATCH_PARENT when `parameter` is in the value of
 * parent_domain_matches_subdomains, else 0.
 */
unsigned match_list_parent_flag(struct slice parent_domain_matches_subdomains,
				struct slice parameter);

#endif
