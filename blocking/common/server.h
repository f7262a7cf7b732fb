/* SPDX-License-Identifier: ISC */
/*
 * server - where a database listens, as `hosts` says it: unix:/path, inet:HOST, HOST, either with
 * :PORT behind it, IPv6 addresses with a port in [].
 */
#ifndef COMMON_SERVER_H
#define COMMON_SERVER_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdint.h>

struct server {
	bool local;	   /* a UNIX socket, `name` is its path */
	struct slice name; /* NUL behind it; no brackets */
	uint16_t port;	   /* 0: a UNIX socket */
};

/* server_parse - false: no name, or a port that is none. `port` is that of a host without one. */
bool server_parse(struct slice text, uint16_t port, struct arena *arena, struct server *out);

/*
 * server_order - a copy of the list in another order: UNIX sockets before all others (those that
 * begin with "unix:"), by chance among themselves.
 */
struct slice *server_order(const struct slice *list, size_t count, struct arena *arena);
/*
 * server_ports - the ports of the list, 0 at the end: for table_module.ports. What does not parse
 * (a URI, which the caller knows to read) is left out.
 */
const uint16_t *server_ports(const struct slice *list, size_t count, uint16_t port,
			     struct arena *arena);

#endif
