/* SPDX-License-Identifier: ISC */
#include "table/new_file.h"
#include "base/check.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* final_target - what a symbolic link leads to. */
static char *final_target(const char *target)
{
	struct stat st;
	char *path = NULL;

	if (os_fstatat(AT_FDCWD, target, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
		path = realpath(target, NULL);
	if (path == NULL && (path = strdup(target)) == NULL)
		out_of_memory();
	return path;
}

/* open_directory - of the target. */
static int open_directory(const char *path, int flags)
{
	const char *slash = strrchr(path, '/');
	char name[PATH_MAX] = ".";

	if (slash != NULL)
		snprintf(name, sizeof(name), "%.*s", (int)(slash - path) + 1, path);
	return os_openat(AT_FDCWD, name, flags, 0600);
}

static char *temporary_name(const struct new_file *file)
{
	size_t size = strlen(file->target) + 32;
	char *name = malloc(size);

	if (name == NULL)
		out_of_memory();
	snprintf(name, size, "%s.new.%ld", file->target, (long)os_pid());
	return name;
}

/* create_named - where a file cannot be without a name. */
static void create_named(struct new_file *file)
{
	file->name = temporary_name(file);
	os_unlinkat(AT_FDCWD, file->name, 0);
	file->fd = os_openat(AT_FDCWD, file->name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (file->fd < 0) {
		free(file->name);
		file->name = NULL;
	}
}

bool new_file_create(const char *target, mode_t mode, struct new_file *file)
{
	struct stat old;
	bool exists = os_fstatat(AT_FDCWD, target, &old, 0) == 0;
	int error;

	*file = (struct new_file){.target = final_target(target)};
	file->fd = open_directory(file->target, O_TMPFILE | O_RDWR);
	snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	if (file->fd >= 0 && os_fstatat(AT_FDCWD, file->path, &(struct stat){0}, 0) < 0) {
		os_close(file->fd); /* a world without /proc */
		file->fd = -1;
		errno = EOPNOTSUPP;
	}
	if (file->fd < 0 && errno != EACCES && errno != EPERM && errno != EROFS && errno != ENOENT)
		create_named(file);
	if (file->fd >= 0) {
		/* only root can give a file away; for others it is theirs before and after */
		if (exists && os_euid() == 0)
			(void)os_fchown(file->fd, old.st_uid, old.st_gid);
		if (os_fchmod(file->fd, (exists ? old.st_mode : mode) & 0777) == 0)
			return true;
	}
	error = errno;
	new_file_end(file);
	errno = error;
	return false;
}

const char *new_file_path(const struct new_file *file)
{
	return file->name != NULL ? file->name : file->path;
}

/* give_name - a name beside the target's, for only a name can replace another in one step. */
static bool give_name(struct new_file *file)
{
	char *name;

	if (file->name != NULL)
		return true;
	name = temporary_name(file);
	os_unlinkat(AT_FDCWD, name, 0);
	if (os_link_open(file->fd, AT_FDCWD, name) < 0) {
		free(name);
		return false;
	}
	file->name = name;
	return true;
}

static bool sync_directory(const char *path)
{
	int fd = open_directory(path, O_RDONLY | O_DIRECTORY);
	bool good;

	if (fd < 0)
		return false;
	good = os_sync_dir(fd) == 0;
	os_close(fd);
	return good;
}

bool new_file_place(struct new_file *file, const char **what)
{
	int old;
	bool moved;

	*what = "sync";
	if (os_fsync(file->fd) < 0)
		return false;
	*what = "name";
	if (!give_name(file))
		return false;
	/* who updates the old one finishes first */
	old = os_openat(AT_FDCWD, file->target, O_RDONLY | O_NONBLOCK, 0);
	if (old >= 0)
		os_lock(old, true, true);
	*what = "rename to";
	moved = os_renameat(AT_FDCWD, file->name, AT_FDCWD, file->target) == 0;
	if (old >= 0)
		os_close(old);
	if (!moved)
		return false;
	free(file->name);
	file->name = NULL;
	*what = "sync the directory of";
	return sync_directory(file->target);
}

void new_file_end(struct new_file *file)
{
	if (file->name != NULL)
		os_unlinkat(AT_FDCWD, file->name, 0);
	if (file->fd >= 0)
		os_close(file->fd);
	free(file->name);
	free(file->target);
	*file = (struct new_file){.fd = -1};
}
