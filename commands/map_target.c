/* SPDX-License-Identifier: ISC */
#include "commands/map_target.h"

struct map_target map_target_build(bool cdb, const char *path, mode_t mode)
{
	if (cdb)
		return (struct map_target){.cdb = cdb_build(path, mode)};
	return (struct map_target){.lmdb = lmdb_build(path, mode)};
}

const char *map_target_error(const struct map_target *target)
{
	return target->cdb != NULL ? cdb_writer_error(target->cdb) : lmdb_writer_error(target->lmdb);
}

bool map_target_append(struct map_target *target, struct slice key, struct slice value)
{
	if (target->cdb != NULL)
		return cdb_add(target->cdb, key, value);
	return lmdb_append(target->lmdb, key, value) != LMDB_FAILED;
}

bool map_target_finish(struct map_target *target)
{
	return target->cdb != NULL ? cdb_finish(target->cdb) : lmdb_finish(target->lmdb);
}

void map_target_end(struct map_target *target)
{
	cdb_abort(&target->cdb);
	lmdb_abort(&target->lmdb);
}
