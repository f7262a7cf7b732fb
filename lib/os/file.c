/* SPDX-License-Identifier: ISC */
#include "os/file.h"
#include "base/check.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define RETRY(result, call)                                \
	do                                                 \
		(result) = (call);                         \
	while ((result) < 0 && errno == EINTR)

int os_openat(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd;

	RETRY(fd, openat(dirfd, path, flags | O_CLOEXEC, mode));
	return fd;
}

ssize_t os_read(int fd, void *buf, size_t n)
{
	ssize_t r;

	RETRY(r, read(fd, buf, n));
	return r;
}

ssize_t os_pread(int fd, void *buf, size_t n, off_t offset)
{
	ssize_t r;

	RETRY(r, pread(fd, buf, n, offset));
	return r;
}

ssize_t os_pread_cached(int fd, void *buf, size_t n, off_t offset)
{
	struct iovec iov = {.iov_base = buf, .iov_len = n};
	ssize_t r;

	RETRY(r, preadv2(fd, &iov, 1, offset, RWF_NOWAIT));
	if (r < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		errno = EAGAIN;
	return r;
}

ssize_t os_read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = os_read(fd, (char *)buf + done, n - done);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t os_pread_full(int fd, void *buf, size_t n, off_t offset)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = os_pread(fd, (char *)buf + done, n - done, offset + (off_t)done);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

ssize_t os_write(int fd, const void *buf, size_t n)
{
	ssize_t r;

	RETRY(r, write(fd, buf, n));
	return r;
}

int os_write_full(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = os_write(fd, (const char *)buf + done, n - done);

		if (r < 0)
			return -1;
		done += (size_t)r;
	}
	return 0;
}

int os_pwrite_full(int fd, const void *buf, size_t n, off_t offset)
{
	struct iovec iov = {(void *)buf, n};

	return os_pwritev_full(fd, &iov, 1, offset);
}

/* iov_advance - drop n bytes from the front of the vector. */
static void iov_advance(struct iovec **iov, int *count, size_t n)
{
	while (*count > 0 && n >= (*iov)->iov_len) {
		n -= (*iov)->iov_len;
		(*iov)++;
		(*count)--;
	}
	if (*count > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + n;
		(*iov)->iov_len -= n;
	}
}

int os_pwritev_full(int fd, struct iovec *iov, int count, off_t offset)
{
	iov_advance(&iov, &count, 0);
	while (count > 0) {
		ssize_t r;

		RETRY(r, pwritev(fd, iov, count < IOV_MAX ? count : IOV_MAX, offset));
		if (r < 0)
			return -1;
		offset += r;
		iov_advance(&iov, &count, (size_t)r);
	}
	return 0;
}

int os_fdatasync(int fd)
{
	/* EINTR is not tried again: what the first call left undone is not known */
	return fdatasync(fd);
}

int os_fsync(int fd)
{
	return fsync(fd);
}

int os_write_out(int fd, off_t from, off_t n, bool wait)
{
	unsigned flags = SYNC_FILE_RANGE_WRITE;
	int rc;

	if (wait)
		flags |= SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
	RETRY(rc, sync_file_range(fd, from, n, flags));
	/* a file system that does not know it writes everything at the sync */
	return rc < 0 && (errno == ENOSYS || errno == EINVAL) ? 0 : rc;
}

int os_sync_dir(int dirfd)
{
	int fd = os_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
	int rc, saved;

	if (fd < 0)
		return -1;
	rc = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

int os_preallocate(int fd, off_t size)
{
	int rc;

	/* the call itself, not posix_fallocate, which writes zeroes where it is not supported */
	RETRY(rc, fallocate(fd, 0, 0, size));
	if (rc < 0 && errno == EOPNOTSUPP)
		return os_ftruncate(fd, size);
	return rc;
}

int os_ftruncate(int fd, off_t size)
{
	int rc;

	RETRY(rc, ftruncate(fd, size));
	return rc;
}

int os_fstat(int fd, struct stat *st)
{
	return fstat(fd, st);
}

int os_fstatat(int dirfd, const char *path, struct stat *st, int flags)
{
	return fstatat(dirfd, path, st, flags);
}

int os_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat(from_dir, from, to_dir, to);
}

int os_renameat_noreplace(int from_dir, const char *from, int to_dir, const char *to)
{
	return renameat2(from_dir, from, to_dir, to, RENAME_NOREPLACE);
}

int os_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
	return linkat(from_dir, from, to_dir, to, 0);
}

int os_link_open(int fd, int to_dir, const char *to)
{
	char from[32];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, from, to_dir, to, AT_SYMLINK_FOLLOW);
}

int os_unlinkat(int dirfd, const char *path, int flags)
{
	return unlinkat(dirfd, path, flags);
}

int os_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return mkdirat(dirfd, path, mode);
}

int os_fchmod(int fd, mode_t mode)
{
	return fchmod(fd, mode);
}

int os_fchown(int fd, uid_t uid, gid_t gid)
{
	return fchown(fd, uid, gid);
}

int os_set_mtime(int dirfd, const char *path, int64_t mtime_us)
{
	struct timespec ts = {mtime_us / 1000000, mtime_us % 1000000 * 1000};

	return utimensat(dirfd, path, (struct timespec[]){ts, ts}, AT_SYMLINK_NOFOLLOW);
}

int os_free_bytes(int fd, uint64_t *bytes, uint64_t *inodes)
{
	struct statvfs fs;
	int rc;

	RETRY(rc, fstatvfs(fd, &fs));
	if (rc < 0)
		return -1;
	*bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	/* file systems without a fixed number of inodes report 0 in all */
	*inodes = fs.f_files > 0 ? fs.f_favail : UINT64_MAX;
	return 0;
}

int os_lock(int fd, bool exclusive, bool wait)
{
	int rc;

	RETRY(rc, flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB)));
	return rc;
}

int os_unlock(int fd)
{
	return flock(fd, LOCK_UN);
}

int os_lock_record(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int rc;

	RETRY(rc, fcntl(fd, F_SETLK, &lock));
	if (rc < 0 && errno == EACCES)
		errno = EAGAIN;
	return rc;
}

struct os_dir {
	DIR *stream;
};

struct os_dir *os_dir_open(int dirfd, const char *path)
{
	int fd = os_openat(dirfd, path, O_RDONLY | O_DIRECTORY, 0);
	struct os_dir *dir;

	if (fd < 0)
		return NULL;
	dir = malloc(sizeof(*dir));
	if (dir == NULL)
		out_of_memory();
	dir->stream = fdopendir(fd);
	if (dir->stream == NULL)
		out_of_memory();
	return dir;
}

int os_dir_next(struct os_dir *dir, const char **name)
{
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(dir->stream);
		if (entry == NULL)
			return errno != 0 ? -1 : 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		*name = entry->d_name;
		return 1;
	}
}

void os_dir_close(struct os_dir **dir)
{
	if (*dir == NULL)
		return;
	closedir((*dir)->stream);
	free(*dir);
	*dir = NULL;
}
