/* SPDX-License-Identifier: ISC */
/*
 * nexthop - destinations as main.cf, tables and qmgr write them. Pure.
 *
 *	host, host:port          the MX hosts of a domain, or its addresses where it has none
 *	[host], [host]:port      the addresses of a host
 *	[192.0.2.1], [ipv6:...]  an address, with :port or without
 *	inet:...                 lmtp: any of these; there never is an MX lookup
 *	unix:path                lmtp: a socket
 */
#ifndef SMTP_CLIENT_NEXTHOP_H
#define SMTP_CLIENT_NEXTHOP_H

#include "base/slice.h"

struct nexthop {
	struct slice path; /* UNIX socket; else null */
	struct slice host; /* without brackets */
	struct slice port; /* number or name */
	bool mx;	   /* look for MX hosts */
};

/*
 * nexthop_parse - parts of `text`, or default_port. False: *why (constant text) says what is wrong.
 */
bool nexthop_parse(struct slice text, bool lmtp, struct slice default_port, struct nexthop *out,
		   const char **why);
/*
 * nexthop_port - a number, or a name in `known` ("lmtp=24, smtp=25, smtps=submissions=465"); 0: unknown.
 */
uint16_t nexthop_port(struct slice port, struct slice known);

#endif
