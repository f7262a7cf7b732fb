/* SPDX-License-Identifier: ISC */
#include "queue/owner.h"

#include "base/check.h"
#include "os/file.h"

#include <errno.h>
#include <stdlib.h>

#define RESERVE_DEFAULT (UINT64_C(1) << 20)
#define FREE_SEGMENTS_DEFAULT 8
#define OPEN_LOGS_MAX 64 /* descriptors kept for more marks of files of their own */

int queue_place_fd(const struct queue *q, enum queue_place place)
{
	switch (place) {
	case QUEUE_IN_LARGE:
		return q->large;
	case QUEUE_IN_DEFERRED:
		return q->deferred;
	case QUEUE_IN_HOLD:
		return q->hold;
	default:
		return -1;
	}
}

enum result queue_make_directories(int dirfd, struct queue_error *error)
{
	static const char *const names[] = {"journal", "large", "deferred", "hold", "corrupt"};
	bool made = false;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (os_mkdirat(dirfd, names[i], 0700) == 0)
			made = true;
		else if (errno != EEXIST)
			return queue_fail(error, "make queue directory");
	}
	if (made && os_sync_dir(dirfd) < 0)
		return queue_fail(error, "sync queue directory");
	return RES_OK;
}

enum result queue_free_space(int dirfd, uint64_t *bytes)
{
	uint64_t inodes;

	if (os_free_bytes(dirfd, bytes, &inodes) < 0)
		return RES_TEMP;
	if (inodes == 0)
		*bytes = 0;
	return RES_OK;
}

struct segment *queue_segment(struct queue *q, uint64_t serial)
{
	return map_get(q->by_serial, slice(&serial, sizeof(serial)));
}

/* entry_place - index of the first entry at or behind the offset. */
static size_t entry_place(const struct segment *s, uint64_t offset)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->entries[middle].offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct segment_entry *segment_entry_find(const struct segment *s, uint64_t offset)
{
	size_t i = entry_place(s, offset);

	return i < s->count && s->entries[i].offset == offset ? &s->entries[i] : NULL;
}

void segment_entry_add(struct segment *s, uint64_t offset, bool gone, bool marked)
{
	size_t i = entry_place(s, offset);

	if (s->count == s->size) {
		s->size = s->size != 0 ? s->size * 2 : 64;
		s->entries = reallocarray(s->entries, s->size, sizeof(*s->entries));
		if (s->entries == NULL)
			out_of_memory();
	}
	memmove(s->entries + i + 1, s->entries + i, (s->count - i) * sizeof(*s->entries));
	s->entries[i] = (struct segment_entry){offset, gone, marked};
	s->count++;
	s->live += !gone;
}

/* segment_remember - into the list at its place, which is nearly always the end. */
static void segment_remember(struct queue *q, struct segment *s)
{
	struct list *at = &q->segments;

	while (at->prev != &q->segments &&
	       CONTAINER_OF(at->prev, struct segment, node)->header.serial > s->header.serial)
		at = at->prev;
	list_insert_before(&s->node, at);
	map_put(q->by_serial, slice(&s->header.serial, sizeof(s->header.serial)), s);
	q->stats.segments++;
}

void segment_free(struct queue *q, struct segment **sp)
{
	struct segment *s = *sp;

	list_remove(&s->node);
	map_remove(q->by_serial, slice(&s->header.serial, sizeof(s->header.serial)));
	q->stats.segments--;
	mark_log_free(&s->log);
	queue_file_leave(&s->reader);
	os_close(s->fd);
	free(s->entries);
	free(s);
	*sp = NULL;
}

/* end_at - what stands behind `from` in the segment was never accepted. */
static void end_at(struct queue *q, const struct segment_void *ended)
{
	struct segment *s = ended->from != 0 ? queue_segment(q, ended->serial) : NULL;
	struct stored_mark m = {.kind = MARK_VOID, .offset = ended->from};

	if (s == NULL || s->header.key != ended->key || s->end <= ended->from)
		return;
	s->end = ended->from;
	mark_log_add(&s->log, &m);
}

/* remember_once - false when another thread was quicker: then *s is its. */
static bool remember_once(struct queue *q, struct segment **s)
{
	struct segment *there;

	pthread_mutex_lock(&q->lock);
	there = queue_segment(q, (*s)->header.serial);
	if (there == NULL) {
		segment_remember(q, *s);
		/* whichever of the two was met first */
		LIST_FOREACH(node, &q->segments)
			end_at(q, &CONTAINER_OF(node, struct segment, node)->header.ended);
	}
	pthread_mutex_unlock(&q->lock);
	if (there == NULL)
		return true;
	*s = there;
	return false;
}

/* unusable - a segment without a good header: out of the way, unless a writer is at it. */
static enum result unusable(struct queue *q, int fd, const char *name, uint64_t serial,
			    const struct queue_error *error)
{
	char free_name[SEGMENT_NAME];

	if (os_lock(fd, true, false) == 0) {
		if (error->reason == QUEUE_GONE) {
			/* a header is there, of another use: its taking was cut short */
			segment_name('F', serial, free_name);
			os_renameat_noreplace(q->journal, name, q->journal, free_name);
		} else if (error->reason == QUEUE_DAMAGED) {
			queue_aside_file(q, q->journal, name, name, "segment header");
		}
	}
	os_close(fd);
	return error->reason == QUEUE_IO ? RES_TEMP : RES_PERM;
}

/* add_one - open and remember one segment. */
static enum result add_one(struct queue *q, uint64_t serial, struct segment **out,
			   struct queue_error *error)
{
	struct queue_error why = {0};
	struct segment_header h;
	char name[SEGMENT_NAME];
	struct segment *s;
	int fd;

	segment_name('S', serial, name);
	fd = os_openat(q->journal, name, O_RDWR | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return queue_refuse(error, QUEUE_GONE, "open segment");
	if (fd < 0)
		return queue_fail(error, "open segment");
	if (segment_read_header(fd, serial, &h, &why) != RES_OK) {
		if (error != NULL)
			*error = why;
		return unusable(q, fd, name, serial, &why);
	}
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		out_of_memory();
	s->header = h;
	s->end = h.size;
	s->fd = fd;
	s->scanned = SEGMENT_BLOCK;
	mark_log_init(&s->log, h.key);
	*out = s;
	if (!remember_once(q, out)) {
		os_close(fd);
		free(s);
	}
	return RES_OK;
}

static bool is_known(struct queue *q, uint64_t serial)
{
	bool known;

	pthread_mutex_lock(&q->lock);
	known = queue_segment(q, serial) != NULL;
	pthread_mutex_unlock(&q->lock);
	return known;
}

enum result queue_add_segment(struct queue *q, uint64_t serial, struct segment **out,
			      struct queue_error *error)
{
	enum result rc = add_one(q, serial, out, error);
	struct segment *s = *out;

	/*
	 * What it says about others must not be forgotten when it is recycled before they are: so those it
	 * ends, and those that they end, are made known, and keep it as a mark of their own.
	 */
	while (rc == RES_OK && s->header.ended.from != 0 && !is_known(q, s->header.ended.serial))
		if (add_one(q, s->header.ended.serial, &s, NULL) != RES_OK)
			break;
	return rc;
}

struct own_file *own_file_get(struct queue *q, const struct queue_location *loc)
{
	struct own_file *f = map_get(q->files, queue_id_slice(&loc->id));

	if (f == NULL) {
		f = calloc(1, sizeof(*f));
		if (f == NULL)
			out_of_memory();
		f->id = loc->id;
		f->place = loc->place;
		mark_log_init(&f->log, 0);
		list_init(&f->unwritten);
		map_put(q->files, queue_id_slice(&loc->id), f);
	}
	f->users++;
	return f;
}

void own_file_put(struct queue *q, struct own_file *f)
{
	bool idle = f->log.pending.len == 0 && !f->gone;

	if (--f->users > 0)
		return;
	if (f->log.fd >= 0 && (idle || f->gone || q->open_logs > OPEN_LOGS_MAX)) {
		os_close(f->log.fd);
		f->log.fd = -1;
		q->open_logs--;
	}
	if (!idle)
		return;
	map_remove(q->files, queue_id_slice(&f->id));
	list_remove(&f->unwritten);
	mark_log_free(&f->log);
	free(f);
}

/* open_directories - -1 when one cannot be opened. */
static int open_directories(struct queue *q)
{
	const struct {
		const char *name;
		int *fd;
	} all[] = {{"journal", &q->journal}, {"large", &q->large}, {"deferred", &q->deferred},
		   {"hold", &q->hold},       {"corrupt", &q->corrupt}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		*all[i].fd = os_openat(q->dir, all[i].name, O_RDONLY | O_DIRECTORY, 0);
		if (*all[i].fd < 0)
			return -1;
	}
	return 0;
}

/* become_owner - directories and the lock; nothing of the spool is read before. */
static enum result become_owner(struct queue *q, struct queue_error *error)
{
	if (queue_make_directories(q->dir, error) != RES_OK)
		return RES_TEMP;
	if (open_directories(q) < 0)
		return queue_fail(error, "open queue directory");
	q->lock_file = os_openat(q->journal, "lock", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (q->lock_file < 0)
		return queue_fail(error, "open lock");
	if (os_lock(q->lock_file, true, false) < 0)
		return errno == EWOULDBLOCK ? queue_refuse(error, QUEUE_LOCKED, "lock") :
					      queue_fail(error, "lock");
	/* without room for a reserve the queue is run all the same, to be emptied */
	q->reserve = os_openat(q->journal, "reserve", O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (q->reserve >= 0 && os_preallocate(q->reserve, (off_t)q->settings.reserve) == 0)
		q->reserve_left = q->settings.reserve;
	return RES_OK;
}

enum result queue_open(int dirfd, const struct queue_settings *settings,
		       const struct queue_watcher *watcher, struct queue **out,
		       struct queue_error *error)
{
	struct queue *q = calloc(1, sizeof(*q));
	enum result rc;

	if (q == NULL)
		out_of_memory();
	q->dir = dirfd;
	q->journal = q->large = q->deferred = q->hold = q->corrupt = -1;
	q->lock_file = q->reserve = -1;
	if (settings != NULL)
		q->settings = *settings;
	if (q->settings.reserve == 0)
		q->settings.reserve = RESERVE_DEFAULT;
	if (q->settings.free_segments == 0)
		q->settings.free_segments = FREE_SEGMENTS_DEFAULT;
	q->watcher = *watcher;
	pthread_mutex_init(&q->upkeep, NULL);
	pthread_mutex_init(&q->own_io, NULL);
	pthread_mutex_init(&q->segment_io, NULL);
	pthread_mutex_init(&q->lock, NULL);
	list_init(&q->segments);
	q->by_serial = map_create();
	q->files = map_create();
	q->large_known = map_create();
	list_init(&q->unwritten);
	rc = become_owner(q, error);
	if (rc == RES_OK)
		rc = queue_scan(q, true, error);
	*out = q;
	if (rc != RES_OK)
		queue_close(out);
	return rc;
}

static void close_all(struct queue *q)
{
	const int fds[] = {q->reserve, q->journal, q->large, q->deferred,
			   q->hold,    q->corrupt, q->lock_file};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			os_close(fds[i]);
}

void queue_close(struct queue **qp)
{
	struct queue *q = *qp;
	size_t cursor = 0;
	struct slice key;
	void *value;

	if (q == NULL)
		return;
	if (q->corrupt >= 0 && q->lock_file >= 0)
		queue_sync(q, NULL);
	LIST_FOREACH_SAFE(node, &q->segments) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		segment_free(q, &s);
	}
	while (map_next(q->files, &cursor, &key, &value)) {
		struct own_file *f = value;

		mark_log_free(&f->log);
		free(f);
	}
	map_destroy(&q->by_serial);
	map_destroy(&q->files);
	map_destroy(&q->large_known);
	close_all(q);
	pthread_mutex_destroy(&q->upkeep);
	pthread_mutex_destroy(&q->own_io);
	pthread_mutex_destroy(&q->segment_io);
	pthread_mutex_destroy(&q->lock);
	free(q);
	*qp = NULL;
}

void queue_stats(struct queue *q, struct queue_stats *stats)
{
	pthread_mutex_lock(&q->lock);
	*stats = q->stats;
	LIST_FOREACH(node, &q->segments)
		stats->live += CONTAINER_OF(node, struct segment, node)->live;
	pthread_mutex_unlock(&q->lock);
}

/* adopt_into - a message of a known segment; lock held. */
static bool adopt_into(struct segment *s, const struct queue_location *loc)
{
	if (segment_entry_find(s, loc->offset) != NULL)
		return false;
	segment_entry_add(s, loc->offset, false, false);
	return true;
}

bool queue_adopt_known(struct queue *q, const struct queue_location *loc, bool *fresh)
{
	struct segment *s = NULL;

	*fresh = false;
	pthread_mutex_lock(&q->lock);
	if (loc->place == QUEUE_IN_LARGE)
		*fresh = map_put(q->large_known, queue_id_slice(&loc->id), q) == NULL;
	else if (loc->place == QUEUE_IN_JOURNAL && (s = queue_segment(q, loc->serial)) != NULL)
		*fresh = adopt_into(s, loc);
	pthread_mutex_unlock(&q->lock);
	return s != NULL || loc->place == QUEUE_IN_LARGE;
}

enum result queue_adopt(struct queue *q, const struct queue_location *loc, bool *fresh,
			struct queue_error *error)
{
	enum result rc;
	struct segment *s;

	if (queue_adopt_known(q, loc, fresh))
		return RES_OK;
	if (loc->place != QUEUE_IN_JOURNAL)
		return queue_refuse(error, QUEUE_GONE, "not a new message");
	rc = queue_add_segment(q, loc->serial, &s, error);
	/* in between it may have been walked, emptied and recycled */
	if (rc == RES_OK)
		(void)queue_adopt_known(q, loc, fresh);
	return rc;
}
