/* SPDX-License-Identifier: ISC */
/*
 * resolver/answer - the resolver's core: one libunbound context with its own thread and cache (a second
 * one that validates, used once the forwarders are seen to pass DNSSEC data on), and the sessions
 * that ask it. No daemon around it, so that tests run it as it is.
 */
#ifndef RESOLVER_ANSWER_H
#define RESOLVER_ANSWER_H

#include "base/buffer.h"
#include "base/result.h"
#include "base/slice.h"

struct resolver;

struct resolver_options {
	struct slice forwarders; /* ADDRESS or ADDRESS@PORT, several; empty: those of resolv_conf */
	const char *resolv_conf; /* "/etc/resolv.conf"; NULL: none, ask the root servers */
	struct slice hosts;	 /* the text of /etc/hosts */
	struct slice anchors;	 /* DNSSEC trust anchors, zone file format; empty: nothing is validated */
	int64_t query_limit;	 /* microseconds for one query; 0: 30 s */
};

/*
 * resolver_create - before the sandbox: files are read here. On failure *problem is a text for people
 * and *out is NULL.
 */
enum result resolver_create(const struct resolver_options *options, struct resolver **out,
			    const char **problem);
/* resolver_start - in a fiber: takes answers from now on, and looks whether validation can be had. */
void resolver_start(struct resolver *r);
/* resolver_serve - one client's connection, until it closes; takes the descriptor over. */
void resolver_serve(struct resolver *r, int fd);
/* resolver_stop - no session may be open; ends what resolver_start began. */
void resolver_stop(struct resolver *r);
/* resolver_destroy - after the scheduler has ended, or resolver_stop. */
void resolver_destroy(struct resolver **r);
/* resolver_status - lines for the status socket. */
void resolver_status(const struct resolver *r, struct buffer *out);

#endif
