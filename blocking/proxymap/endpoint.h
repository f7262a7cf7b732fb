/* SPDX-License-Identifier: ISC */
/*
 * endpoint - where the servers of tcp:, socketmap: and memcache: tables listen, and connections to
 * them from fibers.
 */
#ifndef PROXYMAP_ENDPOINT_H
#define PROXYMAP_ENDPOINT_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

struct settings;

struct endpoint {
	const char *path;  /* of a UNIX socket; NULL: host and port */
	struct slice host; /* name or address, without brackets */
	uint16_t port;
};

/*
 * endpoint_parse - "unix:PATH", "inet:HOST:PORT" or, with `bare`, "HOST:PORT"; an IPv6 address
 * stands in []; the port is a number or a service's name (looked up now: a file is read). False:
 * *why.
 */
bool endpoint_parse(struct slice text, bool bare, struct arena *arena, struct endpoint *out,
		    struct slice *why);

/* How host names become addresses. */
struct resolving;
/*
 * resolving_create - asks the resolver daemon; with `direct` the C library, which blocks: for a
 * program that serves one caller. In the arena.
 */
struct resolving *resolving_create(const struct settings *settings, bool direct,
				   struct arena *arena);

/* endpoint_connect - a connected non-blocking socket, each address tried in turn; -1: *why. */
int endpoint_connect(const struct endpoint *endpoint, struct resolving *resolving, int64_t deadline,
		     struct arena *arena, struct slice *why);

#endif
