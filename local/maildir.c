/* SPDX-License-Identifier: ISC */
/*
 * maildir - one file a message: written and synced in tmp/, moved to new/, and new/ itself synced,
 * so that both the bytes and the name are durable before the delivery counts.
 */
#include "local/job.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <sys/sysmacros.h>

#define NAME_TRIES 10

static const char *join(const struct job *job, const char *folder, struct slice name)
{
	return arena_printf(job->arena, "%s/%s%s%.*s", job->path, folder, name.n > 0 ? "/" : "",
			    SL_ARG(name))
	    .p;
}

/* sync_parent - the name of `path` becomes durable. */
static int sync_parent(const struct job *job, struct slice path)
{
	ssize_t slash = slice_rfind(path, '/');
	struct slice parent =
	    slash > 0 ? arena_dup(job->arena, slice_sub(path, 0, (size_t)slash)) : SL("/");
	int fd = os_openat(AT_FDCWD, parent.p, O_RDONLY | O_DIRECTORY, 0);
	int rc;

	/* a directory that may be written but not read cannot be synced by us */
	if (fd < 0)
		return errno == EACCES ? 0 : -1;
	rc = os_sync_dir(fd);
	os_close(fd);
	return rc;
}

/* make_folder - with all that is missing above it. */
static int make_folder(const struct job *job, const char *path)
{
	struct slice whole = slice_str(path);

	for (size_t i = 1; i <= whole.n; i++) {
		struct slice part;

		if (i < whole.n && whole.p[i] != '/')
			continue;
		part = arena_dup(job->arena, slice_sub(whole, 0, i));
		if (os_mkdirat(AT_FDCWD, part.p, 0700) == 0) {
			if (sync_parent(job, part) < 0)
				return -1;
		} else if (errno != EEXIST) {
			struct stat st;

			/* above what is ours there may be folders that we may not write to */
			if (os_fstatat(AT_FDCWD, part.p, &st, 0) < 0 || !S_ISDIR(st.st_mode))
				return -1;
		}
	}
	return 0;
}

static int make_folders(const struct job *job)
{
	if (make_folder(job, join(job, "tmp", SL(""))) < 0 ||
	    make_folder(job, join(job, "cur", SL(""))) < 0)
		return -1;
	return make_folder(job, join(job, "new", SL("")));
}

/* create - a new file in tmp/; the maildir is made when it is missing. */
static int create(const struct job *job, const char **path)
{
	bool made = false;
	int fd = -1;

	for (int try = 0; try < NAME_TRIES; try++) {
		struct slice name = arena_printf(job->arena, "%lld.P%ldQ%d.%.*s",
						 (long long)(os_wall() / OS_SECOND), (long)os_pid(),
						 try, SL_ARG(job->host));

		*path = join(job, "tmp", name);
		fd = os_openat(AT_FDCWD, *path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (fd >= 0)
			break;
		if (errno == ENOENT && !made) {
			if (make_folders(job) < 0)
				break;
			made = true;
		} else if (errno != EEXIST) {
			break;
		}
	}
	return fd;
}

/* final_name - the device and inode number of a file that exists tell it from all others of this
 * time. */
static struct slice final_name(const struct job *job, const struct stat *st)
{
	int64_t now = os_wall();

	return arena_printf(job->arena, "%lld.V%llxI%llxM%lld.%.*s", (long long)(now / OS_SECOND),
			    (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
			    (long long)(now % OS_SECOND), SL_ARG(job->host));
}

static int move_once(const char *from, const char *to)
{
	if (os_renameat_noreplace(AT_FDCWD, from, AT_FDCWD, to) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EACCES)
		return -1;
	/* a file system that knows no such rename */
	if (os_linkat(AT_FDCWD, from, AT_FDCWD, to) < 0)
		return -1;
	return os_unlinkat(AT_FDCWD, from, 0);
}

static int move(const struct job *job, const char *from, const char *to)
{
	if (move_once(from, to) == 0)
		return 0;
	if (errno != ENOENT || make_folders(job) < 0)
		return -1;
	return move_once(from, to);
}

static int write_file(const struct job *job, int fd, const char **what)
{
	if (job_copy(job, SL(""), fd, what) < 0)
		return -1;
	*what = "error writing message";
	return os_fsync(fd);
}

static struct outcome failed(const struct job *job, const char *what, const char *path, int error)
{
	struct slice text = arena_printf(job->arena, "maildir delivery failed: %s%s", what, path);

	if (error == EACCES) {
		job_warn(job, arena_printf(job->arena,
					   "maildir access problem for UID/GID=%lu/%lu: %s%s: %s",
					   (unsigned long)job->uid, (unsigned long)job->gid, what,
					   path, strerror(error)));
		job_warn(job, SL("perhaps you need to create the maildirs in advance"));
	}
	return outcome_failed_because(job->arena, outcome_error_dsn(error, SL("5.2.0")), text,
				      error);
}

/* publish - from tmp/ to new/, durably. */
static struct outcome publish(const struct job *job, const char *from, const struct stat *st)
{
	const char *to = join(job, "new", final_name(job, st));

	if (move(job, from, to) < 0) {
		int error = errno;

		(void)os_unlinkat(AT_FDCWD, from, 0);
		return failed(job, "create maildir file ", to, error);
	}
	if (sync_parent(job, slice_str(to)) < 0) {
		int error = errno;

		/* it will be tried again: once is enough */
		(void)os_unlinkat(AT_FDCWD, to, 0);
		return failed(job, "sync ", to, error);
	}
	return outcome_sent(SL("delivered to maildir"));
}

struct outcome job_maildir(struct job *job)
{
	const char *path, *what = "error writing message";
	struct stat st;
	int fd, error = 0;

	fd = create(job, &path);
	if (fd < 0)
		return failed(job, "create maildir file ", path, errno);
	if (write_file(job, fd, &what) < 0 || os_fstat(fd, &st) < 0)
		error = errno;
	if (os_close(fd) < 0 && error == 0)
		error = errno;
	if (error != 0) {
		(void)os_unlinkat(AT_FDCWD, path, 0);
		return failed(job, what, "", error);
	}
	return publish(job, path, &st);
}
