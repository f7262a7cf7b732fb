/* SPDX-License-Identifier: ISC */
#include "table/lmdb_write.h"
#include "base/check.h"
#include "os/file.h"
#include "table/lmdb_read.h"
#include "table/new_file.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#define MAP_START ((size_t)16 * 1024 * 1024)
/* Address space for what an update adds to a file: plenty, for one transaction makes it. Pages cost nothing. */
#define MAP_ROOM ((size_t)1 << (sizeof(size_t) > 4 ? 36 : 28))
/* A disk with less than that is full. */
#define FULL_DISK ((uint64_t)1 << 20)
/* A build commits this often, so that liblmdb need not hold all of it in memory. */
#define BATCH 20000

/* One change of the open transaction, to be made again when the map was too small for it. */
struct change {
	struct change *next;
	struct slice key;
	struct slice value;
	bool remove;
	bool append; /* behind all there is */
};

struct lmdb_writer {
	struct arena *arena; /* changes since the last commit */
	char *path;
	struct new_file file; /* a build's; its descriptor is -1 when it is made in place */
	int fd;		      /* the file in place, locked */
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	size_t map_size;
	struct change *first, **last;
	size_t pending;
	char error[512];
};

const char *lmdb_writer_error(const struct lmdb_writer *writer)
{
	return writer->error[0] != '\0' ? writer->error : NULL;
}

static void fail(struct lmdb_writer *writer, const char *what, const char *why)
{
	if (writer->error[0] == '\0')
		snprintf(writer->error, sizeof(writer->error), "%s %s: %s", what, writer->path, why);
}

/* fail_writing - liblmdb says EIO when the disk took a part of what was to be written. */
static void fail_writing(struct lmdb_writer *writer, const char *what, int rc)
{
	int fd = writer->file.fd >= 0 ? writer->file.fd : writer->fd;
	uint64_t bytes, inodes;

	if (rc == EIO && fd >= 0 && os_free_bytes(fd, &bytes, &inodes) == 0 && bytes < FULL_DISK)
		rc = ENOSPC;
	fail(writer, what, mdb_strerror(rc));
}

static struct lmdb_writer *writer_new(const char *path)
{
	struct lmdb_writer *writer = calloc(1, sizeof(*writer));

	if (writer == NULL)
		out_of_memory();
	writer->arena = arena_create();
	writer->path = strdup(path);
	if (writer->path == NULL)
		out_of_memory();
	writer->last = &writer->first;
	writer->fd = writer->file.fd = -1;
	writer->map_size = MAP_START;
	return writer;
}

static bool begin(struct lmdb_writer *writer)
{
	int rc = mdb_txn_begin(writer->env, NULL, 0, &writer->txn);

	if (rc == 0)
		rc = mdb_dbi_open(writer->txn, NULL, 0, &writer->dbi);
	if (rc != 0)
		fail(writer, "write", mdb_strerror(rc));
	return rc == 0;
}

static int try_open(struct lmdb_writer *writer, const char *path, unsigned flags)
{
	int rc = mdb_env_create(&writer->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(writer->env, writer->map_size);
	if (rc == 0)
		rc = mdb_env_open(writer->env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600);
	if (rc != 0) {
		mdb_env_close(writer->env);
		writer->env = NULL;
	}
	return rc;
}

/* open_env - with less room where a limit on address space forbids what would be comfortable. */
static bool open_env(struct lmdb_writer *writer, const char *path, unsigned flags, size_t least)
{
	int rc;

	while ((rc = try_open(writer, path, flags)) == ENOMEM && writer->map_size / 2 >= least)
		writer->map_size /= 2;
	if (rc != 0) {
		fail(writer, "open", mdb_strerror(rc));
		return false;
	}
	return begin(writer);
}

/* open_in_place - the file that is there, locked against other writers, and found to be whole. */
static bool open_in_place(struct lmdb_writer *writer)
{
	struct lmdb_reader *reader;
	struct stat held, named;
	const char *why;

	writer->fd = os_openat(AT_FDCWD, writer->path, O_RDWR | O_NONBLOCK, 0);
	if (writer->fd < 0 || os_lock(writer->fd, true, true) < 0 ||
	    os_fstat(writer->fd, &held) < 0 ||
	    os_fstatat(AT_FDCWD, writer->path, &named, 0) < 0) {
		fail(writer, "open", strerror(errno));
		return false;
	}
	if (held.st_ino != named.st_ino || held.st_dev != named.st_dev) {
		fail(writer, "open", "another process has just replaced it; try again");
		return false;
	}
	/* liblmdb would crash on a damaged file; an empty one it takes for a new one */
	if (held.st_size > 0) {
		if (lmdb_reader_create(writer->fd, &reader, &why) != LMDB_FOUND) {
			fail(writer, "open", why);
			return false;
		}
		lmdb_reader_destroy(&reader);
	}
	/* the old pages stay until the new ones count */
	writer->map_size = (size_t)held.st_size * 2 + MAP_ROOM;
	return open_env(writer, writer->path, 0, (size_t)held.st_size * 2 + MAP_START);
}

/* build_in_place - where no file can be made: empty the old one and fill it again, in one transaction. */
static void build_in_place(struct lmdb_writer *writer)
{
	int rc;

	if (!open_in_place(writer))
		return;
	rc = mdb_drop(writer->txn, writer->dbi, 0);
	if (rc != 0)
		fail(writer, "empty", mdb_strerror(rc));
}

struct lmdb_writer *lmdb_build(const char *path, mode_t mode)
{
	struct lmdb_writer *writer = writer_new(path);
	struct stat old;
	int error;

	if (new_file_create(path, mode, &writer->file)) {
		open_env(writer, new_file_path(&writer->file), MDB_NOSYNC, MAP_START);
		return writer;
	}
	error = errno;
	if ((error == EACCES || error == EPERM) && os_fstatat(AT_FDCWD, path, &old, 0) == 0)
		build_in_place(writer);
	else
		fail(writer, "create", strerror(error));
	return writer;
}

struct lmdb_writer *lmdb_update(const char *path, mode_t mode, bool create)
{
	struct lmdb_writer *writer;
	struct stat st;

	if (create && os_fstatat(AT_FDCWD, path, &st, 0) < 0 && errno == ENOENT)
		return lmdb_build(path, mode);
	writer = writer_new(path);
	open_in_place(writer);
	return writer;
}

static void forget_changes(struct lmdb_writer *writer)
{
	arena_reset(writer->arena);
	writer->first = NULL;
	writer->last = &writer->first;
	writer->pending = 0;
}

static int apply(struct lmdb_writer *writer, const struct change *change)
{
	MDB_val key = {change->key.n, (void *)(uintptr_t)change->key.p};
	MDB_val value = {change->value.n, (void *)(uintptr_t)change->value.p};

	if (change->remove)
		return mdb_del(writer->txn, writer->dbi, &key, NULL);
	return mdb_put(writer->txn, writer->dbi, &key, &value, change->append ? MDB_APPEND : 0);
}

/* grow - a larger map, and the changes of the lost transaction again. What is made in place has room enough. */
static int grow(struct lmdb_writer *writer)
{
	int rc;

	if (writer->file.fd < 0)
		return MDB_MAP_FULL;
	for (;;) {
		mdb_txn_abort(writer->txn);
		writer->txn = NULL;
		if (__builtin_mul_overflow(writer->map_size, (size_t)2, &writer->map_size))
			return ENOMEM;
		rc = mdb_env_set_mapsize(writer->env, writer->map_size);
		if (rc != 0)
			return rc;
		if (!begin(writer))
			return EIO;
		for (struct change *change = writer->first; change != NULL && rc == 0;
		     change = change->next)
			rc = apply(writer, change);
		if (rc != MDB_MAP_FULL)
			return rc;
	}
}

/* remember - a change that was made, until it is committed. */
static void remember(struct lmdb_writer *writer, const struct change *change)
{
	struct change *kept = ARENA_NEW(writer->arena, struct change);

	kept->key = arena_dup(writer->arena, change->key);
	kept->value = arena_dup(writer->arena, change->value);
	kept->remove = change->remove;
	kept->append = change->append;
	*writer->last = kept;
	writer->last = &kept->next;
	writer->pending++;
}

/* commit_batch - only where nobody sees it: in a new file. */
static int commit_batch(struct lmdb_writer *writer)
{
	int rc = mdb_txn_commit(writer->txn);

	writer->txn = NULL;
	if (rc != 0)
		return rc;
	forget_changes(writer);
	return begin(writer) ? 0 : EIO;
}

static enum lmdb_change change(struct lmdb_writer *writer, const struct change *wanted)
{
	int rc;

	if (writer->error[0] != '\0')
		return LMDB_FAILED;
	while ((rc = apply(writer, wanted)) == MDB_MAP_FULL) {
		rc = grow(writer);
		if (rc != 0)
			break;
	}
	if (rc == MDB_NOTFOUND)
		return LMDB_UNCHANGED;
	if (rc == 0 && writer->file.fd >= 0) {
		remember(writer, wanted);
		if (writer->pending >= BATCH)
			rc = commit_batch(writer);
	}
	if (rc != 0)
		fail_writing(writer, "write", rc);
	return rc == 0 ? LMDB_CHANGED : LMDB_FAILED;
}

enum lmdb_change lmdb_put(struct lmdb_writer *writer, struct slice key, struct slice value,
			  bool replace)
{
	struct change wanted = {.key = key, .value = value};
	MDB_val old_key = {key.n, (void *)(uintptr_t)key.p}, old;

	if (writer->error[0] != '\0')
		return LMDB_FAILED;
	if (key.n == 0 || key.n > LMDB_KEY_MAX) {
		fail(writer, "write", "a key is empty, or longer than 511 bytes");
		return LMDB_FAILED;
	}
	if (!replace && mdb_get(writer->txn, writer->dbi, &old_key, &old) == 0)
		return LMDB_UNCHANGED;
	return change(writer, &wanted);
}

enum lmdb_change lmdb_append(struct lmdb_writer *writer, struct slice key, struct slice value)
{
	struct change wanted = {.key = key, .value = value, .append = true};

	return change(writer, &wanted);
}

enum lmdb_change lmdb_delete(struct lmdb_writer *writer, struct slice key)
{
	struct change wanted = {.key = key, .remove = true};

	if (key.n == 0 || key.n > LMDB_KEY_MAX)
		return LMDB_UNCHANGED;
	return change(writer, &wanted);
}

bool lmdb_finish(struct lmdb_writer *writer)
{
	const char *what;
	int rc;

	if (writer->error[0] != '\0')
		return false;
	while ((rc = mdb_txn_commit(writer->txn)) == MDB_MAP_FULL) {
		/* the commit itself needs pages for the list of free ones */
		writer->txn = NULL;
		if (!begin(writer) || (rc = grow(writer)) != 0)
			break;
	}
	writer->txn = NULL;
	if (rc != 0) {
		fail_writing(writer, "commit", rc);
		return false;
	}
	mdb_env_close(writer->env);
	writer->env = NULL;
	if (writer->file.fd < 0 || new_file_place(&writer->file, &what))
		return true;
	fail(writer, what, strerror(errno));
	return false;
}

void lmdb_abort(struct lmdb_writer **writer)
{
	struct lmdb_writer *w = *writer;

	if (w == NULL)
		return;
	if (w->txn != NULL)
		mdb_txn_abort(w->txn);
	if (w->env != NULL)
		mdb_env_close(w->env);
	new_file_end(&w->file);
	if (w->fd >= 0)
		os_close(w->fd);
	arena_destroy(&w->arena);
	free(w->path);
	free(w);
	*writer = NULL;
}
