/* SPDX-License-Identifier: ISC */
/*
 * os/file - every system call on files that the suite makes. Two implementations stand behind this
 * header, chosen when a program is linked: the kernel (file.c), and a disk in memory with durable
 * and volatile state, faults and power cuts (sim_disk.c), on which the queue is tested.
 *
 * Conventions, unless a function says otherwise: -1 and errno on failure; EINTR is tried again
 * inside; descriptors are close-on-exec.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/slice.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

int os_openat(int dirfd, const char *path, int flags, mode_t mode);
/* os_close - the error is that of an earlier write (EIO, ENOSPC, EDQUOT); the descriptor is gone. */
int os_close(int fd);

ssize_t os_read(int fd, void *buf, size_t n);
ssize_t os_pread(int fd, void *buf, size_t n, off_t offset);
/*
 * os_pread_cached - what of it lies in memory already: never waits for the disk. -1 with EAGAIN when that is
 * nothing, or when the file system cannot tell.
 */
ssize_t os_pread_cached(int fd, void *buf, size_t n, off_t offset);
/* os_read_full, os_pread_full - until n bytes or end of file; fewer only at the end. */
ssize_t os_read_full(int fd, void *buf, size_t n);
ssize_t os_pread_full(int fd, void *buf, size_t n, off_t offset);
ssize_t os_write(int fd, const void *buf, size_t n);
/* os_write_full, os_pwrite_full, os_pwritev_full - 0 when all bytes went out; iov is changed. */
int os_write_full(int fd, const void *buf, size_t n);
int os_pwrite_full(int fd, const void *buf, size_t n, off_t offset);
int os_pwritev_full(int fd, struct iovec *iov, int count, off_t offset);

/* After a failed sync nothing is tried again on that file: the kernel has marked the pages clean. */
int os_fdatasync(int fd);
int os_fsync(int fd);
/*
 * os_write_out - have these bytes written to the disk, and, if told so, wait until they are. Nothing is durable
 * by it: it only leaves less to do for a later sync. Its failure is that of a write, and may be told but once.
 */
int os_write_out(int fd, off_t from, off_t n, bool wait);
/* os_sync_dir - make the names in a directory durable. */
int os_sync_dir(int dirfd);

/* os_preallocate - room for `size` bytes, and that size; ENOSPC now rather than later. */
int os_preallocate(int fd, off_t size);
int os_ftruncate(int fd, off_t size);
int os_fstat(int fd, struct stat *st);
int os_fstatat(int dirfd, const char *path, struct stat *st, int flags);
int os_renameat(int from_dir, const char *from, int to_dir, const char *to);
/* os_renameat_noreplace - EEXIST when the new name is taken. */
int os_renameat_noreplace(int from_dir, const char *from, int to_dir, const char *to);
int os_linkat(int from_dir, const char *from, int to_dir, const char *to);
/* os_link_open - a name for an open file that may have none (O_TMPFILE); needs /proc. */
int os_link_open(int fd, int to_dir, const char *to);
int os_unlinkat(int dirfd, const char *path, int flags);
int os_mkdirat(int dirfd, const char *path, mode_t mode);
int os_fchmod(int fd, mode_t mode);
int os_fchown(int fd, uid_t uid, gid_t gid);
/* os_set_mtime - modification and access time of a file, in microseconds since 1970. */
int os_set_mtime(int dirfd, const char *path, int64_t mtime_us);
/* os_free_bytes - what an unprivileged writer may still use on the file system of fd. */
int os_free_bytes(int fd, uint64_t *bytes, uint64_t *inodes);

/* os_lock - whole-file lock bound to the open file (flock); EWOULDBLOCK when held by another. */
int os_lock(int fd, bool exclusive, bool wait);
int os_unlock(int fd);
/*
 * os_lock_record - fcntl() lock on the whole file, exclusive, without waiting: what other mail programs
 * know. EAGAIN when another process holds it. It ends when the process closes the file anywhere.
 */
int os_lock_record(int fd);

/* A directory's entries, one by one, without "." and "..". os_dir_next: 1 entry, 0 end, -1. */
struct os_dir;
struct os_dir *os_dir_open(int dirfd, const char *path);
int os_dir_next(struct os_dir *dir, const char **name);
void os_dir_close(struct os_dir **dir);

#endif
