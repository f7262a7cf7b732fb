/* SPDX-License-Identifier: ISC */
/*
 * lmdb_read - a reader of LMDB files (version 1 of the format, lmdb 0.9) of its own.
 *
 * liblmdb trusts the file that it maps: a truncated or damaged one crashes the process, and a mapped
 * file that shrinks does so at any time. This reader fetches pages with pread, checks every offset,
 * and needs no map, no lock file and no system call besides. A lookup sees one state of the file even
 * while a writer works on it: the transaction number is read before and after, and a lookup that
 * was overtaken is repeated. Keys are in the order of their bytes, of the main database only.
 */
#ifndef TABLE_LMDB_READ_H
#define TABLE_LMDB_READ_H

#include "base/arena.h"
#include "base/slice.h"

#define LMDB_KEY_MAX 511    /* what lmdb takes, unless built otherwise */
#define LMDB_VALUE_MAX ((size_t)64 * 1024 * 1024)
#define LMDB_DEPTH_MAX 32

enum lmdb_outcome {
	LMDB_FOUND,
	LMDB_NONE,
	LMDB_DAMAGED, /* *why tells */
	LMDB_BUSY     /* a writer was faster every time */
};

struct lmdb_reader;

/*
 * lmdb_reader_create - fd is the caller's and stays open as long as the reader is used. LMDB_FOUND: *out
 * is set. LMDB_DAMAGED: not an LMDB file, or not one that is whole; *why is a literal.
 */
enum lmdb_outcome lmdb_reader_create(int fd, struct lmdb_reader **out, const char **why);
void lmdb_reader_destroy(struct lmdb_reader **reader);

/*
 * lmdb_reader_hold, lmdb_reader_release - what is asked between them is asked of the state that the file had in the
 * beginning, and costs no system call but for leaf pages. release: false when that state is gone; then the
 * answers, LMDB_DAMAGED included, mean nothing.
 */
void lmdb_reader_hold(struct lmdb_reader *reader);
bool lmdb_reader_release(struct lmdb_reader *reader);

/* lmdb_get - the value of exactly this key, into the arena. */
enum lmdb_outcome lmdb_get(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			   struct slice *value, const char **why);

/*
 * lmdb_after - the first entry whose key is greater than `key`; the absent slice asks for the first of
 * all. So a walk needs no state, and stands writers between its steps.
 */
enum lmdb_outcome lmdb_after(struct lmdb_reader *reader, struct slice key, struct arena *arena,
			     struct slice *next_key, struct slice *value, const char **why);

#endif
