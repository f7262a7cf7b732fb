/* SPDX-License-Identifier: ISC */
#include "queue/segment.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "os/clock.h"
#include "os/file.h"
#include "queue/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define HEADER_SIZE 80
#define HEADER_MAGIC UINT32_C(0x53517250) /* "PrQS" */
#define HEADER_VERSION 1
#define COPY_DISTANCE (SEGMENT_BLOCK / 2)
#define TAKE_TRIES 1000 /* races lost against other writers before giving up */

void segment_name(char kind, uint64_t serial, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "%c%" PRIu64, kind, serial);
}

void segment_mark_name(uint64_t serial, unsigned generation, char name[SEGMENT_NAME])
{
	snprintf(name, SEGMENT_NAME, "D%" PRIu64 ".%u", serial, generation);
}

bool segment_parse_name(const char *name, char *kind, uint64_t *serial, unsigned *generation)
{
	struct slice rest = slice_str(name + 1);
	ssize_t dot = slice_find(rest, '.');
	uint64_t number = 0;

	*kind = name[0];
	*serial = 0;
	*generation = 0;
	if (*kind == 'N')
		return true;
	if (*kind == 'D') {
		if (dot < 0 || !slice_u64(slice_from(rest, (size_t)dot + 1), &number) ||
		    number > UINT32_MAX)
			return false;
		rest = slice_sub(rest, 0, (size_t)dot);
	}
	*generation = (unsigned)number;
	return (*kind == 'S' || *kind == 'F' || *kind == 'D') && slice_u64(rest, serial);
}

static void put_header(const struct segment_header *h, uint8_t to[HEADER_SIZE])
{
	memset(to, 0, HEADER_SIZE);
	put_le(to, HEADER_MAGIC, 4);
	put_le(to + 4, HEADER_VERSION, 4);
	put_le(to + 8, h->serial, 8);
	put_le(to + 16, h->key, 8);
	put_le(to + 24, h->size, 8);
	put_le(to + 32, h->ended.serial, 8);
	put_le(to + 40, h->ended.key, 8);
	put_le(to + 48, h->ended.from, 8);
	put_le(to + HEADER_SIZE - 4, crc32c(0, slice(to, HEADER_SIZE - 4)), 4);
}

static bool get_header(const uint8_t from[HEADER_SIZE], struct segment_header *h)
{
	if (get_le(from, 4) != HEADER_MAGIC || get_le(from + 4, 4) != HEADER_VERSION ||
	    get_le(from + HEADER_SIZE - 4, 4) != crc32c(0, slice(from, HEADER_SIZE - 4)))
		return false;
	h->serial = get_le(from + 8, 8);
	h->key = get_le(from + 16, 8);
	h->size = get_le(from + 24, 8);
	h->ended.serial = get_le(from + 32, 8);
	h->ended.key = get_le(from + 40, 8);
	h->ended.from = get_le(from + 48, 8);
	return h->size >= SEGMENT_BLOCK;
}

enum result segment_read_header(int fd, uint64_t serial, struct segment_header *h,
				struct queue_error *error)
{
	enum queue_reason reason = QUEUE_DAMAGED;

	for (off_t at = 0; at <= COPY_DISTANCE; at += COPY_DISTANCE) {
		uint8_t copy[HEADER_SIZE];
		ssize_t n = os_pread_full(fd, copy, sizeof(copy), at);

		if (n < 0)
			return queue_fail(error, "read segment header");
		if (n < HEADER_SIZE || !get_header(copy, h))
			continue;
		if (h->serial == serial)
			return RES_OK;
		reason = QUEUE_GONE;
	}
	return queue_refuse(error, reason, "segment header");
}

static int write_header(int fd, const struct segment_header *h)
{
	/* and zeros where the first record will begin: an earlier use's must not look like one */
	uint8_t block[SEGMENT_BLOCK + RECORD_HEADER];

	memset(block, 0, sizeof(block));
	put_header(h, block);
	put_header(h, block + COPY_DISTANCE);
	if (os_pwrite_full(fd, block, sizeof(block), 0) < 0)
		return -1;
	return os_fdatasync(fd);
}

static int by_serial(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void list_add(struct segment_list *list, uint64_t serial)
{
	if (list->count == list->size) {
		list->size = list->size != 0 ? list->size * 2 : 64;
		list->serials = realloc(list->serials, list->size * sizeof(*list->serials));
		if (list->serials == NULL)
			out_of_memory();
	}
	list->serials[list->count++] = serial;
}

enum result segment_list_read(int journal, char kind, struct segment_list *list, uint64_t *highest,
			      struct queue_error *error)
{
	struct os_dir *dir = os_dir_open(journal, ".");
	const char *name;
	int more;

	memset(list, 0, sizeof(*list));
	if (highest != NULL)
		*highest = 0;
	if (dir == NULL)
		return queue_fail(error, "open journal");
	while ((more = os_dir_next(dir, &name)) > 0) {
		uint64_t serial;
		unsigned generation;
		char k;

		if (!segment_parse_name(name, &k, &serial, &generation))
			continue;
		if (highest != NULL && serial > *highest)
			*highest = serial;
		if (k == kind)
			list_add(list, serial);
	}
	os_dir_close(&dir);
	if (more < 0) {
		segment_list_free(list);
		return queue_fail(error, "read journal");
	}
	if (list->count > 0)
		qsort(list->serials, list->count, sizeof(*list->serials), by_serial);
	return RES_OK;
}

void segment_list_free(struct segment_list *list)
{
	free(list->serials);
	memset(list, 0, sizeof(*list));
}

/* still_named - does the name still lead to the file that we have locked? */
static bool still_named(int journal, const char *name, int fd)
{
	struct stat ours, there;

	return os_fstat(fd, &ours) == 0 &&
	       os_fstatat(journal, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* lock_free_segment - one of the recycled segments of the right size; -1: there is none. */
static int lock_free_segment(int journal, const struct segment_list *list, uint64_t size,
			     char name[SEGMENT_NAME])
{
	for (size_t i = 0; i < list->count; i++) {
		struct stat st;
		int fd;

		segment_name('F', list->serials[i], name);
		fd = os_openat(journal, name, O_RDWR | O_NOFOLLOW, 0);
		if (fd < 0)
			continue;
		if (os_lock(fd, true, false) == 0 && still_named(journal, name, fd) &&
		    os_fstat(fd, &st) == 0 && (uint64_t)st.st_size == size)
			return fd;
		os_close(fd);
	}
	return -1;
}

/* make_segment - a new file with its room, locked; -1 and errno. */
static int make_segment(int journal, uint64_t size, char name[SEGMENT_NAME])
{
	uint64_t chance;
	int fd, saved;

	os_random(&chance, sizeof(chance));
	snprintf(name, SEGMENT_NAME, "N%016" PRIx64, chance);
	fd = os_openat(journal, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	if (os_lock(fd, true, false) == 0 && os_preallocate(fd, (off_t)size) == 0)
		return fd;
	saved = errno;
	os_unlinkat(journal, name, 0);
	os_close(fd);
	errno = saved;
	return -1;
}

/* name_segment - give the locked file the next serial; -1 and errno. */
static int name_segment(int journal, const char *name, int fd, uint64_t highest,
			struct segment_header *h)
{
	for (int i = 0; i < TAKE_TRIES; i++) {
		char new_name[SEGMENT_NAME];

		h->serial = ++highest;
		if (write_header(fd, h) < 0)
			return -1;
		segment_name('S', h->serial, new_name);
		if (os_renameat_noreplace(journal, name, journal, new_name) == 0)
			return os_sync_dir(journal);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

enum result segment_take(int journal, uint64_t size, const struct segment_void *ended,
			 struct segment_header *h, int *fd, struct queue_error *error)
{
	struct segment_list list;
	char name[SEGMENT_NAME];
	uint64_t highest;
	int saved;

	if (segment_list_read(journal, 'F', &list, &highest, error) != RES_OK)
		return RES_TEMP;
	*fd = lock_free_segment(journal, &list, size, name);
	segment_list_free(&list);
	if (*fd < 0)
		*fd = make_segment(journal, size, name);
	if (*fd < 0)
		return queue_fail(error, "make segment");
	memset(h, 0, sizeof(*h));
	h->size = size;
	h->ended = *ended;
	do
		os_random(&h->key, sizeof(h->key));
	while (h->key == 0);
	if (name_segment(journal, name, *fd, highest, h) == 0)
		return RES_OK;
	saved = errno;
	if (name[0] == 'N')
		os_unlinkat(journal, name, 0);
	os_close(*fd);
	errno = saved;
	return queue_fail(error, "name segment");
}
