/* SPDX-License-Identifier: ISC */
/*
 * address_find - the order in which the parts of a mail address are looked up in a list of tables
 * (virtual(5), canonical(5), transport(5), access(5)).
 */
#ifndef ROUTE_ADDRESS_FIND_H
#define ROUTE_ADDRESS_FIND_H

#include "table/table.h"

/* What to look for, always in this order. */
#define FIND_FULL 1u               /* user+ext@domain (or the bare name) */
#define FIND_NO_EXTENSION 2u       /* user@domain */
#define FIND_LOCALPART_IF_LOCAL 4u /* user+ext, user when the domain is ours */
#define FIND_LOCALPART 8u          /* user+ext, user whatever the domain */
#define FIND_LOCALPART_AT 16u      /* user+ext@, user@ whatever the domain */
#define FIND_AT_DOMAIN 32u         /* @domain */
#define FIND_DOMAIN 64u            /* domain */
#define FIND_PARENTS 128u          /* with FIND_DOMAIN: parent.tld for a.parent.tld */
#define FIND_DOT_PARENTS 256u      /* with FIND_DOMAIN: .parent.tld for a.parent.tld */

/* canonical, virtual alias, relocated, generic, bcc and the like */
#define FIND_DEFAULT (FIND_FULL | FIND_NO_EXTENSION | FIND_LOCALPART_IF_LOCAL | FIND_AT_DOMAIN)
/* transport_maps; FIND_PARENTS instead when parent_domain_matches_subdomains names it */
#define FIND_TRANSPORT (FIND_FULL | FIND_NO_EXTENSION | FIND_DOMAIN | FIND_DOT_PARENTS)

struct address_find {
	struct slice delimiters; /* recipient_delimiter; empty: addresses have no extension */
	bool owner_request;      /* ownreq_special: owner-x and x-request have no extension for '-' */
	struct slice keep;       /* double_bounce_sender: has no extension; may be absent */
	/*
	 * Is this domain ours (myorigin, mydestination, our addresses in brackets)? FOUND, MISSING,
	 * or TEMP with *reason set. NULL: no domain is.
	 */
	enum table_result (*is_local)(void *data, struct slice domain, struct arena *arena,
				      struct slice *reason);
	void *data;
};

/*
 * address_find - look an address up. It comes in internal form; the keys asked for are in external
 * form (quoted where they must be) and lower case. *value is the table's text as it stands: addresses
 * in external form, where the table is about addresses. *extension gets the delimiter and
 * extension ("+ext") that the matching key was without, for the caller to put back into the
 * result (propagate_unmatched_extensions); absent otherwise; the pointer may be NULL.
 */
enum table_result address_find(struct table_list *list, struct slice address, unsigned what,
			       const struct address_find *how, struct arena *arena,
			       struct slice *value, struct slice *extension);

#endif
