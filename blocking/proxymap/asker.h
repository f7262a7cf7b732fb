/* SPDX-License-Identifier: ISC */
/*
 * asker - one table that servers are asked for, whatever their protocol: a bounded pool of
 * connections, going from one server to the next, a circuit breaker for each (breaker.h),
 * deadlines. The protocol is a `struct table_module`: a loaded one runs on threads of the table's
 * own, one of ours in the fiber that asks.
 */
#ifndef PROXYMAP_ASKER_H
#define PROXYMAP_ASKER_H

#include "base/buffer.h"
#include "blocking/proxymap/module.h"
#include "table/table.h"

struct asker;

/* asker_storing - as lookup of a table_module, of a type that can be written to; MODULE_FOUND: it
 * was. */
typedef enum module_result asker_storing(const struct module_table *table, void *connection,
					 struct slice key, struct slice value, int64_t deadline,
					 struct arena *arena, struct slice *why);

struct asker_options {
	struct slice name; /* "type:name", for messages; must live as long */
	const struct table_module *module;
	asker_storing *store;	   /* NULL: cannot be written to */
	struct module_table table; /* as the module opened it */
	bool threaded;
	size_t connections; /* where the table does not say how many */
	int64_t limit; /* microseconds that a lookup may take at most, whatever the table says */
};

/* asker_create - in the arena. Nothing is connected, no thread started. */
struct asker *asker_create(const struct asker_options *options, struct arena *arena);
/* asker_lookup - in a fiber. */
enum table_result asker_lookup(struct asker *asker, struct slice key, struct arena *arena,
			       struct slice *value);
/* asker_store - put a value under this key; TABLE_TEMP: *why. For tables with `store`. */
enum table_result asker_store(struct asker *asker, struct slice key, struct slice value,
			      struct arena *arena, struct slice *why);
/* asker_close_idle - connections that nobody has used for long; all that nobody uses, when the
 * program ends. */
void asker_close_idle(struct asker *asker, bool all);
/* asker_status - a line a server. */
void asker_status(const struct asker *asker, struct buffer *out);

#endif
