/* SPDX-License-Identifier: ISC */
/*
 * own - the types whose protocols we speak ourselves, in fibers: tcp, socketmap, memcache. Their
 * modules are called in the fiber that asks.
 */
#ifndef PROXYMAP_OWN_H
#define PROXYMAP_OWN_H

#include "blocking/proxymap/asker.h"
#include "blocking/proxymap/endpoint.h"
#include "blocking/proxymap/module.h"
#include "fiber/stream.h"

struct own_type {
	struct table_module module; /* its `open` is not used, but: */
	/* open - name: behind the colon. config: NULL unless `configured`. settings: NULL for their defaults. */
	bool (*open)(struct slice name, const struct settings *settings, struct client_config *config,
		     struct resolving *resolving, struct arena *arena, struct module_table *table,
		     struct slice *why);
	asker_storing *store; /* NULL: cannot be written to */
	/* backup - the table that knows what this one has forgotten; absent: none. NULL: never. */
	struct slice (*backup)(const struct module_table *table);
	bool configured; /* the name is that of a configuration file */
};

extern const struct own_type own_tcp;
extern const struct own_type own_socketmap;
extern const struct own_type own_memcache;

/* ---- what they share: one server, a stream to it */

/* The first member of each one's module_table.state. */
struct peer_table {
	struct endpoint endpoint;
	struct resolving *resolving;
	struct slice host; /* as the configuration has it: the one element of module_table.hosts */
	uint16_t ports[2];
};

/* peer_open - parse the server's place and fill table->hosts. `bare` as in endpoint_parse. */
bool peer_open(struct peer_table *peer, struct slice server, bool bare, struct resolving *resolving,
	       struct arena *arena, struct module_table *table, struct slice *why);

/* Functions of a struct table_module; the connection is a struct stream. */
enum module_result peer_connect(const struct module_table *table, struct slice host,
				int64_t deadline, struct arena *arena, void **connection,
				struct slice *why);
void peer_disconnect(const struct module_table *table, void *connection);
const uint16_t *peer_ports(const struct module_table *table, struct arena *arena);

/* peer_failed - MODULE_LOST, and *why: what was being done, and what became of it. */
enum module_result peer_failed(const struct module_table *table, const struct stream *stream,
			       enum stream_status status, const char *doing, struct arena *arena,
			       struct slice *why);
/* peer_garbage - MODULE_LOST, and *why quotes the beginning of what was not understood. */
enum module_result peer_garbage(const struct module_table *table, struct slice reply,
				struct arena *arena, struct slice *why);

#endif
