/* SPDX-License-Identifier: ISC */
/*
 * cdb_write - make CDB files (cr.yp.to/cdb/cdb.txt), through tinycdb. For commands only. A file is made whole and then
 * takes the old one's place; it cannot be changed afterwards, nor be made in a directory where no file can be made.
 * Without tinycdb at build time cdb_build gives a writer whose error says so.
 */
#ifndef TABLE_CDB_WRITE_H
#define TABLE_CDB_WRITE_H

#include "base/slice.h"

#include <sys/types.h>

struct cdb_writer;

/* cdb_build - never NULL; look at cdb_writer_error. `path` ends in .cdb; `mode` as for new_file_create. */
struct cdb_writer *cdb_build(const char *path, mode_t mode);
/* cdb_writer_error - what went wrong first, for people; NULL: nothing. */
const char *cdb_writer_error(const struct cdb_writer *writer);
/* cdb_add - each key once. False: cdb_writer_error tells, and nothing but cdb_abort makes sense now. */
bool cdb_add(struct cdb_writer *writer, struct slice key, struct slice value);
/* cdb_finish - make it durable and visible; false: cdb_writer_error tells, the old state stands. */
bool cdb_finish(struct cdb_writer *writer);
/* cdb_abort - free the writer; what was not finished is gone. Sets *writer to NULL. */
void cdb_abort(struct cdb_writer **writer);

#endif
