/* SPDX-License-Identifier: ISC */
/*
 * cdb_read - a reader of CDB files (cr.yp.to/cdb/cdb.txt) of its own: any bytes are a file to it. It fetches
 * what it needs with pread, checks every offset against the file's size, and maps nothing, so that a file that
 * shrinks under it does no harm.
 */
#ifndef TABLE_CDB_READ_H
#define TABLE_CDB_READ_H

#include "base/arena.h"
#include "base/slice.h"

#define CDB_VALUE_MAX ((size_t)64 * 1024 * 1024)

enum cdb_outcome {
	CDB_FOUND,
	CDB_NONE,
	CDB_DAMAGED /* *why tells */
};

struct cdb_reader;

/*
 * cdb_reader_create - fd is the caller's and stays open as long as the reader is used; the reader lies in the
 * arena. NULL: not a CDB file, or not one that is whole; *why is a literal.
 */
struct cdb_reader *cdb_reader_create(int fd, struct arena *arena, const char **why);
/* cdb_reader_get - the first value of exactly this key, into the arena. */
enum cdb_outcome cdb_reader_get(const struct cdb_reader *reader, struct slice key, struct arena *arena,
				struct slice *value, const char **why);
/* cdb_reader_step - the entries in the order of the file; begin with *cursor = 0. */
enum cdb_outcome cdb_reader_step(const struct cdb_reader *reader, size_t *cursor, struct arena *arena,
				 struct slice *key, struct slice *value, const char **why);

#endif
