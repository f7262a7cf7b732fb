/* SPDX-License-Identifier: ISC */
/*
 * policy - how much TLS a destination wants: smtp_tls_policy_maps (TLS_README), or what holds for all.
 *
 *	example.com          encrypt
 *	[mx.example.com]:587 secure match=mx.example.com servername=hostname
 */
#ifndef SMTP_CLIENT_POLICY_H
#define SMTP_CLIENT_POLICY_H

#include "smtp/conf.h"
#include "smtp/failure.h"
#include "table/table.h"

struct tls_policy {
	enum tls_level level;
	struct slice names;	   /* hostname, nexthop, dot-nexthop, or a name: separated by : or , */
	struct slice fingerprints; /* separated by | or , */
	struct slice servername;
};

/*
 * policy_find - for a destination as it stands in nexthop or table. Looked up as it is; a domain without
 * brackets also without its port, then its parents with a dot in front. RES_TEMP: *failure; mail waits while
 * the policy is not known or not understood.
 */
enum result policy_find(const struct client_conf *conf, struct table_list *maps, struct slice destination,
			struct arena *arena, struct tls_policy *policy, struct failure *failure);
/* policy_parse - pure: a table's value over *policy. False: *why says what is wrong with it. */
bool policy_parse(const struct client_conf *conf, struct slice value, struct arena *arena,
		  struct tls_policy *policy, struct slice *why);

#endif
