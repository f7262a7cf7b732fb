/* SPDX-License-Identifier: ISC */
/*
 * address - one mail address in its two forms.
 *
 * Internal: local part without quoting, "@", domain; the local part may hold any byte. The domain
 * begins after the last "@". What the codecs of this folder read and compare.
 * External: the local part is quoted where RFC 5321 4.1.2 and RFC 5322 3.4.1 ask for it (one form
 * serves both). What goes on the wire, into headers, and wherever ARCHITECTURE.md says so.
 * A function says which it takes; quoting twice gives another address.
 * An empty address is the null sender.
 */
#ifndef ADDRESS_ADDRESS_H
#define ADDRESS_ADDRESS_H

#include "base/arena.h"

struct address_parts {
	struct slice local;
	struct slice domain; /* null slice when there is no "@" */
};

/* address_split - at the last "@" of an internal address; the parts point into it. */
struct address_parts address_split(struct slice internal);
/* address_split_external - at the last "@" outside quotes; the local part keeps its quoting. */
struct address_parts address_split_external(struct slice external);
/* address_join - "local@domain", or "local" when domain is the null slice. */
struct slice address_join(struct arena *arena, struct slice local, struct slice domain);
/* address_fold - the whole address in ASCII lower case, as table lookups want it. */
struct slice address_fold(struct arena *arena, struct slice internal);
/* address_has_8bit - any byte above 127: the message needs SMTPUTF8. */
bool address_has_8bit(struct slice address);

/* address_quote - internal to external; returns its argument where no quoting is needed. Control
 * bytes, which neither form can carry, become "?". */
struct slice address_quote(struct arena *arena, struct slice internal);
/* address_quote_local - the same for a local part alone. */
struct slice address_quote_local(struct arena *arena, struct slice local);
/*
 * address_unquote - external to internal. Never fails: a quote that does not end, or a backslash at
 * the end, is taken as it stands. Comments are not known here (see address/list.h).
 */
struct slice address_unquote(struct arena *arena, struct slice external);

/*
 * address_split_extension - "user+ext" at the first byte that is one of `delimiters`, with
 * Postfix's exceptions: postmaster, mailer-daemon and `keep` (the double-bounce sender; may be
 * null) are never split; when "-" is a delimiter and owner_request is set, neither are owner-x and
 * x-request; the user part is never empty. True: *user, *extension (without the delimiter, may be
 * empty) are parts of `local`, the delimiter stands between them. False: no extension.
 */
bool address_split_extension(struct slice local, struct slice delimiters, bool owner_request,
			     struct slice keep, struct slice *user, struct slice *extension);

#endif
