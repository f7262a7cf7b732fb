/* SPDX-License-Identifier: ISC */
/* map_target - the database that a table's source becomes: an lmdb file or a cdb file. */
#ifndef COMMANDS_MAP_TARGET_H
#define COMMANDS_MAP_TARGET_H

#include "table/cdb_write.h"
#include "table/lmdb_write.h"

/* One of the two. */
struct map_target {
	struct lmdb_writer *lmdb;
	struct cdb_writer *cdb;
};

/* map_target_build - look at map_target_error then. `mode` as for new_file_create. */
struct map_target map_target_build(bool cdb, const char *path, mode_t mode);
const char *map_target_error(const struct map_target *target);
/* map_target_append - each key greater than the one before; false: map_target_error tells. */
bool map_target_append(struct map_target *target, struct slice key, struct slice value);
/* map_target_finish - durable and visible; false: map_target_error tells, the old state stands. */
bool map_target_finish(struct map_target *target);
/* map_target_end - what was not finished is gone. */
void map_target_end(struct map_target *target);

#endif
