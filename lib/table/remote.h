/* SPDX-License-Identifier: ISC */
/*
 * remote - tables that a server is asked for: tcp, socketmap, memcache, redis, ldap, mysql, pgsql,
 * sqlite. proxymap asks; this is the client's side of it. A lookup waits in the calling fiber, or,
 * for programs without fibers, in the program; never longer than its time limit. Silence, refusal,
 * and what is not understood are TABLE_TEMP with a reason that names the table.
 *
 * A table_set is told which one to use in its table_config.
 */
#ifndef TABLE_REMOTE_H
#define TABLE_REMOTE_H

#include "table/table.h"

#include <stdint.h>

struct table_remote {
	enum table_result (*lookup)(struct table_remote *remote, struct slice table,
				    struct slice key, struct arena *arena, struct slice *value);
	void (*destroy)(struct table_remote *remote);
};

/* What callers add to proxymap's own limit of a lookup, so that its answer, not theirs, is heard.
 */
#define TABLE_REMOTE_GRACE INT64_C(5000000)

/*
 * table_remote_create - for fibers: one connection to the socket `path`, many lookups on it. limit:
 * microseconds a lookup.
 */
struct table_remote *table_remote_create(const char *path, int64_t limit);
/*
 * table_remote_create_blocking - one lookup at a time, on a connection that is made when needed,
 * and anew in a process that was forked.
 */
struct table_remote *table_remote_create_blocking(const char *path, int64_t limit);
/*
 * table_remote_create_program - the same for commands: `program` (proxymap's file) is started when
 * needed and asked over a socket pair; it works with the caller's rights and ends with it. No suite
 * need be running.
 */
struct table_remote *table_remote_create_program(const char *program, const char *config_dir,
						 int64_t limit);
/* table_remote_destroy - nobody may be waiting. Sets *remote to NULL; NULL is allowed. */
void table_remote_destroy(struct table_remote **remote);

/*
 * table_remote_spec - does this name a table that is not local? *table: without "proxy:" in front.
 * "!" in front of it is not part of it.
 */
bool table_remote_spec(struct slice spec, struct slice *table);
/* table_remote_type - is this the name of such a type? */
bool table_remote_type(struct slice type);

#endif
