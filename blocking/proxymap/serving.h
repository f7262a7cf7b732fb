/* SPDX-License-Identifier: ISC */
/*
 * serving - the tables that this process answers for: what the configuration names (catalog.h), or,
 * for one command, whatever it asks for. Types of ours (own.h), and modules
 * ($daemon_directory/table_TYPE.so).
 */
#ifndef PROXYMAP_SERVING_H
#define PROXYMAP_SERVING_H

#include "base/buffer.h"
#include "table/table.h"

#include <stdint.h>

struct serving;
struct settings;

struct serving_options {
	const struct settings *settings; /* NULL: only tables whose name is a file's */
	const char *modules;		 /* folder of the modules */
	size_t connections;		 /* at once for a table, unless it says so itself */
	int64_t limit;			 /* microseconds that a lookup may take */
	bool on_demand; /* a table is opened when it is asked for: for one caller with his own
			   rights */
	void (*warn)(struct slice text); /* what is wrong with a table */
};

struct serving *serving_create(const struct serving_options *options, struct arena *arena);
/* serving_add - open a table, "type:name"; once is enough. One that cannot be used is TABLE_TEMP
 * from then on. */
void serving_add(struct serving *serving, struct slice table);
size_t serving_count(const struct serving *serving);

/* serving_lookup - in a fiber. A table that was not added is TABLE_TEMP. */
enum table_result serving_lookup(struct serving *serving, struct slice table, struct slice key,
				 struct arena *arena, struct slice *value);

/* serving_changed - is a configuration file another than it was when its table was opened? */
bool serving_changed(const struct serving *serving);
/* serving_close_idle - in a fiber: see asker_close_idle. */
void serving_close_idle(struct serving *serving, bool all);
void serving_status(const struct serving *serving, struct buffer *out);

/* What the sandbox must leave open: each is visited, some several times. */
void serving_reads(const struct serving *serving, void (*visit)(void *arg, const char *path),
		   void *arg);
void serving_ports(const struct serving *serving, void (*visit)(void *arg, uint16_t port),
		   void *arg);

#endif
