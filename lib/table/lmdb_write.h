/* SPDX-License-Identifier: ISC */
/*
 * lmdb_write - make and change LMDB files, through liblmdb. For commands only: liblmdb maps the file.
 *
 * A build goes to a new file beside the old one, is synced, takes the old one's name, and the
 * directory is synced: readers see the old table or the new one, and so does a machine that lost power.
 * An update changes the file in place, in one transaction that is durable when lmdb_finish has
 * returned. The map grows as it has to.
 */
#ifndef TABLE_LMDB_WRITE_H
#define TABLE_LMDB_WRITE_H

#include "base/arena.h"
#include "base/slice.h"

#include <sys/types.h>

enum lmdb_change {
	LMDB_CHANGED,
	LMDB_UNCHANGED, /* put: the key was there and stays; delete: it was not there */
	LMDB_FAILED     /* lmdb_writer_error tells; nothing but lmdb_abort makes sense now */
};

struct lmdb_writer;

/*
 * lmdb_build, lmdb_update - never NULL; look at lmdb_writer_error. `path` ends in .lmdb. `mode` is that of
 * a new file (umask is not applied); one that is there keeps its own. Where the directory cannot be
 * written to, a build empties and fills the file that is there, in one transaction. Updating a
 * file that is not there is building it; `create` false: that is an error instead.
 */
struct lmdb_writer *lmdb_build(const char *path, mode_t mode);
struct lmdb_writer *lmdb_update(const char *path, mode_t mode, bool create);

/* lmdb_writer_error - what went wrong first, for people; NULL: nothing. */
const char *lmdb_writer_error(const struct lmdb_writer *writer);

/* lmdb_put - replace: an old value gives way, else the new one does. */
enum lmdb_change lmdb_put(struct lmdb_writer *writer, struct slice key, struct slice value,
			  bool replace);
/*
 * lmdb_append - to a build only: each key greater than the one before. Pages are filled to the brim, one after the
 * other: the file is as small as it can be, and made several times faster than with keys in any order.
 */
enum lmdb_change lmdb_append(struct lmdb_writer *writer, struct slice key, struct slice value);
enum lmdb_change lmdb_delete(struct lmdb_writer *writer, struct slice key);

/* lmdb_finish - make it durable and visible; false: lmdb_writer_error tells, the old state stands. */
bool lmdb_finish(struct lmdb_writer *writer);
/* lmdb_abort - free the writer; what was not finished is gone. Sets *writer to NULL. */
void lmdb_abort(struct lmdb_writer **writer);

#endif
