/* SPDX-License-Identifier: ISC */
/*
 * module - what a table type whose client library blocks (ldap, mysql, pgsql, sqlite, redis) brings
 * to proxymap.
 *
 * A module is a shared object, $daemon_directory/table_TYPE.so, that defines `table_module`.
 * proxymap loads it before its sandbox closes, and only when a table of that type is configured. It
 * calls lib/base, lib/os and blocking/common, which the program exports to it, and its client
 * library. It sees no fiber, no log, no settings; it may start no thread and no process.
 *
 * Who calls what:
 *
 *   open, applies, close                    the program's main thread; they never wait for a server
 *   connect, lookup, disconnect    a worker thread; these may block, until their deadline
 *
 * What `open` gave is read-only from then on, for several threads look through it at once. A
 * connection is with one thread at a time, not always the same one. No thread-local data, no
 * mutable global.
 *
 * What the framework does, so that no module does it: the pool of connections (kept for `idle`, at
 * most `connections` at once), going from one host to the next, remembering for a while which hosts
 * are down (circuit breaker), repeating a lookup once over a new connection when a kept one turned
 * out to be dead, lower-casing of keys, the bound on the value's length, deadlines that the module
 * overruns.
 */
#ifndef PROXYMAP_MODULE_H
#define PROXYMAP_MODULE_H

#include "base/arena.h"
#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Changes whenever this file does; a module made for another one is refused. */
#define TABLE_MODULE_VERSION 1

struct client_config;

enum module_result {
	MODULE_FOUND,	/* *value is set, in the arena; it may be empty */
	MODULE_MISSING, /* the server knows that there is no such key */
	MODULE_TEMP,	/* not known: *value says why, for people, without the table's name; the
			   connection is good */
	MODULE_LOST	/* the same, and the connection is of no more use: it is closed */
};

/* One table, as `open` made it. All of it lives in the arena that open was given. */
struct module_table {
	void *state; /* the module's own, read-only */
	const struct slice
	    *hosts; /* servers in order of preference, as `connect` wants them; at least one */
	size_t host_count;
	bool shuffle;	    /* servers are equals: begin with any of them, not with the first */
	size_t connections; /* at most so many at once to all servers; 0: 2, as many as Postfix's
			       proxymap */
	int64_t timeout; /* microseconds that one lookup may take, connecting included; 0: 20 s */
	int64_t idle;	 /* microseconds that a connection is kept without use; 0: 60 s */
	int64_t retry;	 /* microseconds that a host counts as down; 0: 60 s */
};

struct table_module {
	unsigned version; /* TABLE_MODULE_VERSION */
	const char *type; /* "ldap" */

	/*
	 * open - read the table's configuration (common/client_config.h) and check all that can be
	 * checked without a server. False: *why says which parameter, what was read, what is
	 * allowed; or leave *why absent when client_config_problem(config) says it.
	 */
	bool (*open)(struct client_config *config, struct arena *arena, struct module_table *table,
		     struct slice *why);
	/*
	 * applies - may the table have this key at all? False: it is missing, and no server is
	 * asked (domain filter; %d in a query and no domain in the key). NULL: always.
	 */
	bool (*applies)(const struct module_table *table, struct slice key);
	/*
	 * connect - a connection to this host. MODULE_FOUND: *connection is set. Otherwise
	 * MODULE_LOST, and *why says what is wrong, the host included. deadline: monotonic
	 * microseconds (os_now() in "os/clock.h").
	 */
	enum module_result (*connect)(const struct module_table *table, struct slice host,
				      int64_t deadline, struct arena *arena, void **connection,
				      struct slice *why);
	/*
	 * lookup - key: any bytes, NUL too, folded already. The value, or the reason, goes into the
	 * arena: copy what the client library owns. A key that the server cannot bear (NUL in LDAP,
	 * bad UTF-8 in PostgreSQL) is missing. When it comes to an end later than `deadline`,
	 * nobody waits any more, but the thread was kept from other lookups.
	 */
	enum module_result (*lookup)(const struct module_table *table, void *connection,
				     struct slice key, int64_t deadline, struct arena *arena,
				     struct slice *value);
	/* disconnect - whatever state the connection is in; bounded in time. */
	void (*disconnect)(const struct module_table *table, void *connection);
	/* close - what `open` took that the arena does not free. May be NULL. */
	void (*close)(struct module_table *table);
	/*
	 * reads - files and folders that the client library opens later by itself (certificates,
	 * plugins, a database): absolute paths, NULL at the end; they are readable inside the
	 * sandbox. May be NULL. In the arena or literals.
	 */
	const char *const *(*reads)(const struct module_table *table, struct arena *arena);
	/*
	 * ports - TCP ports that the sandbox lets the module connect to, 0 at the end: those of the
	 * hosts of this table. NULL: the module makes no TCP connections.
	 */
	const uint16_t *(*ports)(const struct module_table *table, struct arena *arena);
};

/* What the shared object defines. */
extern const struct table_module table_module;

#endif
