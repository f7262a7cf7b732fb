/* SPDX-License-Identifier: ISC */
/*
 * path - the Reverse-path and Forward-path of SMTP, as a server reads them (RFC 5321 4.1.2).
 */
#ifndef ADDRESS_PATH_H
#define ADDRESS_PATH_H

#include "base/arena.h"

#define PATH_STRICT 1u	/* strict_rfc821_envelopes: <> needed, no comments or phrases */
#define PATH_UTF8 2u	/* bytes above 127 are allowed, when they are UTF-8 */
#define PATH_NUMERIC 4u /* resolve_numeric_domain: user@192.0.2.1 is user@[192.0.2.1] */

#define PATH_LOCAL_MAX 512 /* RFC 5321 says 64; forwarders' encodings need more */
#define PATH_DOMAIN_MAX 255

enum path_error {
	PATH_OK,
	PATH_MISSING,	/* no path at all: 501 5.5.4 Syntax */
	PATH_SYNTAX,	/* 501 5.1.7 sender, 5.1.3 recipient */
	PATH_TOO_LONG,	/* local part or domain over its limit */
	PATH_NEEDS_UTF8 /* 8-bit bytes without PATH_UTF8: 553 5.6.7 */
};

struct smtp_path {
	struct slice address;  /* internal form; empty for <> */
	struct slice external; /* the same in external form */
	struct slice raw;      /* the bytes of the path as sent, angle brackets included */
	bool utf8;	       /* has bytes above 127 */
	bool routed;	       /* had a source route, which is gone */
};

/*
 * path_parse - read the path at the front of `text` (what follows "FROM:"). *rest gets what stands
 * behind it: empty, or beginning with a space. Without PATH_STRICT: white space inside and before,
 * missing <>, RFC 822 comments and display names are tolerated. Source routes are dropped in both
 * modes. Memory: `arena`; `raw` and `rest` point into `text`.
 */
enum path_error path_parse(struct slice text, unsigned flags, struct arena *arena,
			   struct smtp_path *out, struct slice *rest);
/*
 * path_check - may this internal address stand in an envelope? Domain syntax, control bytes,
 * limits, UTF-8. The empty address and an address without a domain may.
 */
enum path_error path_check(struct slice internal, unsigned flags);

#endif
