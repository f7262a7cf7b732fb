/* SPDX-License-Identifier: ISC */
#include "table/lmdb_write.h"
#include "base/check.h"
#include "os/file.h"
#include "os/process.h"
#include "table/lmdb_read.h"

#include <errno.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>

#define MAP_START ((size_t)16 * 1024 * 1024)
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
	char *temporary; /* the new file beside it; NULL: in place */
	int fd;          /* the file in place, locked; or the old one, locked at the end */
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	size_t map_size;
	struct change *first, **last;
	size_t pending;
	bool emptied; /* in place: the transaction began with dropping all there was */
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

static struct lmdb_writer *writer_new(const char *path)
{
	struct lmdb_writer *writer = calloc(1, sizeof(*writer));
	struct stat st;

	if (writer == NULL)
		out_of_memory();
	/* what a symbolic link leads to is replaced, not the link */
	if (os_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		writer->path = realpath(path, NULL);
	if (writer->path == NULL && (writer->path = strdup(path)) == NULL)
		out_of_memory();
	writer->arena = arena_create();
	writer->last = &writer->first;
	writer->fd = -1;
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

static bool open_env(struct lmdb_writer *writer, const char *path, unsigned flags)
{
	int rc = mdb_env_create(&writer->env);

	if (rc == 0)
		rc = mdb_env_set_mapsize(writer->env, writer->map_size);
	if (rc == 0)
		rc = mdb_env_open(writer->env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600);
	if (rc != 0) {
		fail(writer, "open", mdb_strerror(rc));
		return false;
	}
	return begin(writer);
}

/* create_beside - an empty file of a new name, with the old one's owner; false with errno. */
static bool create_beside(struct lmdb_writer *writer, mode_t mode, const struct stat *old)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "%s.new.%ld", writer->path, (long)os_pid());
	writer->temporary = strdup(name);
	if (writer->temporary == NULL)
		out_of_memory();
	os_unlinkat(AT_FDCWD, name, 0);
	fd = os_openat(AT_FDCWD, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	/* only root can give a file away; for others it is theirs before and after */
	if (fd >= 0 && old != NULL && os_euid() == 0)
		(void)os_fchown(fd, old->st_uid, old->st_gid);
	if (fd >= 0 && os_fchmod(fd, mode & 0777) == 0) {
		os_close(fd);
		return true;
	}
	if (fd >= 0)
		os_close(fd);
	free(writer->temporary);
	writer->temporary = NULL;
	return false;
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
	while (writer->map_size < (size_t)held.st_size * 2)
		writer->map_size *= 2;
	return open_env(writer, writer->path, 0);
}

struct lmdb_writer *lmdb_build(const char *path, mode_t mode)
{
	struct lmdb_writer *writer = writer_new(path);
	struct stat old;
	bool exists = os_fstatat(AT_FDCWD, path, &old, 0) == 0;
	int error, rc;

	if (create_beside(writer, exists ? old.st_mode : mode, exists ? &old : NULL)) {
		open_env(writer, writer->temporary, MDB_NOSYNC);
		return writer;
	}
	error = errno;
	if (!exists || (error != EACCES && error != EPERM)) {
		fail(writer, "create", strerror(error));
	} else if (open_in_place(writer)) {
		writer->emptied = true;
		rc = mdb_drop(writer->txn, writer->dbi, 0);
		if (rc != 0)
			fail(writer, "empty", mdb_strerror(rc));
	}
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

/* grow - a larger map, and the changes of the lost transaction again. */
static int grow(struct lmdb_writer *writer)
{
	int rc;

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
		if (writer->emptied)
			rc = mdb_drop(writer->txn, writer->dbi, 0);
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
	if (rc == 0) {
		remember(writer, wanted);
		if (writer->temporary != NULL && writer->pending >= BATCH)
			rc = commit_batch(writer);
	}
	if (rc != 0)
		fail(writer, "write", mdb_strerror(rc));
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

/* sync_directory - of a file's name. */
static int sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char name[4096] = ".";
	int fd, rc;

	if (slash != NULL)
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path) + 1, path);
	fd = os_openat(AT_FDCWD, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return -1;
	rc = os_sync_dir(fd);
	os_close(fd);
	return rc;
}

/* put_in_place - sync the new file, lock out who updates the old one, and take its name. */
static bool put_in_place(struct lmdb_writer *writer)
{
	int fd = os_openat(AT_FDCWD, writer->temporary, O_RDWR, 0);
	bool synced = fd >= 0 && os_fsync(fd) == 0;

	if (fd >= 0)
		synced &= os_close(fd) == 0;
	if (!synced) {
		fail(writer, "sync", strerror(errno));
		return false;
	}
	writer->fd = os_openat(AT_FDCWD, writer->path, O_RDONLY | O_NONBLOCK, 0);
	if (writer->fd >= 0)
		os_lock(writer->fd, true, true);
	if (os_renameat(AT_FDCWD, writer->temporary, AT_FDCWD, writer->path) < 0) {
		fail(writer, "rename to", strerror(errno));
		return false;
	}
	free(writer->temporary);
	writer->temporary = NULL;
	if (sync_directory(writer->path) < 0) {
		fail(writer, "sync the directory of", strerror(errno));
		return false;
	}
	return true;
}

bool lmdb_finish(struct lmdb_writer *writer)
{
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
		fail(writer, "commit", mdb_strerror(rc));
		return false;
	}
	mdb_env_close(writer->env);
	writer->env = NULL;
	return writer->temporary == NULL || put_in_place(writer);
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
	if (w->temporary != NULL)
		os_unlinkat(AT_FDCWD, w->temporary, 0);
	if (w->fd >= 0)
		os_close(w->fd);
	arena_destroy(&w->arena);
	free(w->temporary);
	free(w->path);
	free(w);
	*writer = NULL;
}
