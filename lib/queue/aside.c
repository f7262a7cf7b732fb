/* SPDX-License-Identifier: ISC */
#include "os/file.h"
#include "queue/owner.h"

#include <errno.h>

#define CHUNK 65536

static void report(struct queue *q, const char *name, uint64_t bytes, const char *why)
{
	pthread_mutex_lock(&q->lock);
	q->stats.damaged++;
	pthread_mutex_unlock(&q->lock);
	if (q->watcher.damaged != NULL)
		q->watcher.damaged(q->watcher.context, slice_str(name), bytes, why);
}

/* copy_bytes - as far as the file can be read. */
static void copy_bytes(int from_fd, int to_fd, uint64_t from, uint64_t to)
{
	char chunk[CHUNK / 8];
	uint64_t at = from;

	while (at < to) {
		size_t n = to - at < sizeof(chunk) ? (size_t)(to - at) : sizeof(chunk);
		ssize_t got = os_pread_full(from_fd, chunk, n, (off_t)at);

		if (got <= 0 || os_write_full(to_fd, chunk, (size_t)got) < 0)
			return;
		at += (uint64_t)got;
	}
}

/* without_zeroes - the end of what was ever written in [from, to). */
static uint64_t without_zeroes(int fd, uint64_t from, uint64_t to)
{
	char chunk[CHUNK / 8];

	while (to > from) {
		size_t n = to - from < sizeof(chunk) ? (size_t)(to - from) : sizeof(chunk);

		if (os_pread_full(fd, chunk, n, (off_t)(to - n)) != (ssize_t)n)
			return to;
		while (n > 0 && chunk[n - 1] == '\0') {
			n--;
			to--;
		}
		if (n > 0)
			return to;
	}
	return to;
}

void queue_aside_bytes(struct queue *q, int fd, const char *name, uint64_t from, uint64_t to,
		       const char *why)
{
	int out = os_openat(q->corrupt, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);

	to = without_zeroes(fd, from, to);
	if (out >= 0) {
		copy_bytes(fd, out, from, to);
		os_fdatasync(out);
		os_close(out);
		os_sync_dir(q->corrupt);
	}
	report(q, name, to - from, why);
}

void queue_aside_file(struct queue *q, int dir, const char *name, const char *new_name,
		      const char *why)
{
	struct stat st = {0};

	os_fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW);
	if (os_renameat_noreplace(dir, name, q->corrupt, new_name) == 0) {
		os_sync_dir(q->corrupt);
		os_sync_dir(dir);
	}
	report(q, new_name, (uint64_t)st.st_size, why);
}
