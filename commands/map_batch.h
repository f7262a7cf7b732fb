/* SPDX-License-Identifier: ISC */
/*
 * map_batch - many keys asked for in one go: in the order that lies best in a file of sorted keys, of one state of the
 * tables. The answers are in the order of the questions.
 */
#ifndef COMMANDS_MAP_BATCH_H
#define COMMANDS_MAP_BATCH_H

#include "base/arena.h"
#include "table/table.h"

/* A key, and what the tables gave. */
struct map_answer {
	struct slice key;
	struct slice value;
	enum table_result result;
};

struct map_batch {
	struct table **tables;
	size_t table_count;
	bool utf8; /* keys and values have to be that */
	struct arena *arena; /* keys and values; reset by map_batch_read */
	struct map_answer *answers;
	size_t count;
};

struct map_batch *map_batch_create(struct table **tables, size_t table_count, bool utf8);
void map_batch_destroy(struct map_batch **batch);
/* map_batch_read - the next keys from standard input; false: there are none. */
bool map_batch_read(struct map_batch *batch);
/*
 * map_batch_ask - without words about what goes wrong. False: something did, or the tables changed meanwhile; each
 * key has to be asked for by itself.
 */
bool map_batch_ask(struct map_batch *batch);

#endif
