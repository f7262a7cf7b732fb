/* SPDX-License-Identifier: ISC */
/*
 * Marks from memory to their files, by one thread at a time and without the lock, for which others wait who
 * may not wait long.
 */
#include "os/file.h"
#include "queue/owner.h"

#include <errno.h>

#define RESERVE_STEP 16384

static bool disk_full(int rc)
{
	return rc < 0 && (errno == ENOSPC || errno == EDQUOT);
}

/* log_flush - on a full disk the reserve makes room, in steps, for others would take it too. */
static int log_flush(struct queue *q, struct mark_log *log)
{
	int rc = mark_log_flush(log);

	while (disk_full(rc) && q->reserve_left > 0) {
		q->reserve_left -= q->reserve_left < RESERVE_STEP ? q->reserve_left : RESERVE_STEP;
		if (os_ftruncate(q->reserve, (off_t)q->reserve_left) < 0)
			break;
		rc = mark_log_flush(log);
	}
	if (rc < 0 && !disk_full(rc))
		log->broken = true;
	return rc;
}

/* log_take - what is to be written, and where, as a log of the caller's; lock held. */
static void log_take(const struct mark_log *from, struct mark_log *log)
{
	const struct buffer *pending = &from->pending;

	mark_log_init(log, from->key);
	log->fd = from->fd;
	log->at = from->at;
	if (pending->len > from->flushed)
		buffer_append(&log->pending, slice((const uint8_t *)pending->data + from->flushed,
						   pending->len - from->flushed));
}

/* log_return - it was written, or not; lock held. */
static void log_return(struct mark_log *to, struct mark_log *log)
{
	to->fd = log->fd;
	to->key = log->key;
	to->at = log->at;
	to->flushed += log->flushed;
	to->broken = to->broken || log->broken;
	log->fd = -1;
	mark_log_free(log);
}

/* log_write - the lock is needed only when the disk is full. */
static int log_write(struct queue *q, struct mark_log *log)
{
	int rc = mark_log_flush(log);

	if (rc == 0)
		return 0;
	pthread_mutex_lock(&q->lock);
	rc = log_flush(q, log);
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* next_generation - a new D file takes over; what is not durable goes into it again. */
static int next_generation(struct queue *q, struct segment *s)
{
	char name[SEGMENT_NAME];
	int fd;

	segment_mark_name(s->header.serial, s->generations, name);
	fd = os_openat(q->journal, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -1;
	pthread_mutex_lock(&q->lock);
	s->generations++;
	if (s->log.fd >= 0)
		os_close(s->log.fd);
	s->log.fd = fd;
	s->log.at = 0;
	s->log.flushed = 0;
	s->log.broken = false;
	q->journal_dirty = true;
	pthread_mutex_unlock(&q->lock);
	return 0;
}

/* unwritten - there are marks that the segment's D file has not got; *fresh: nor is there a good file. */
static bool unwritten(struct queue *q, const struct segment *s, bool *fresh)
{
	bool yes;

	pthread_mutex_lock(&q->lock);
	yes = s->log.flushed < s->log.pending.len;
	*fresh = s->log.fd < 0 || s->log.broken;
	pthread_mutex_unlock(&q->lock);
	return yes;
}

int segment_flush(struct queue *q, struct segment *s)
{
	struct mark_log log;
	int rc, saved;
	bool fresh;

	if (!unwritten(q, s, &fresh))
		return 0;
	if (fresh && next_generation(q, s) < 0)
		return -1;
	pthread_mutex_lock(&q->lock);
	log_take(&s->log, &log);
	pthread_mutex_unlock(&q->lock);
	rc = log_write(q, &log);
	saved = errno;
	pthread_mutex_lock(&q->lock);
	log_return(&s->log, &log);
	pthread_mutex_unlock(&q->lock);
	errno = saved;
	return rc;
}

int segment_flush_serial(struct queue *q, uint64_t serial)
{
	struct segment *s;
	int rc = 0;

	pthread_mutex_lock(&q->segment_io);
	pthread_mutex_lock(&q->lock);
	s = queue_segment(q, serial);
	if (s != NULL && s->log.flushed == s->log.pending.len)
		s = NULL;
	pthread_mutex_unlock(&q->lock);
	if (s != NULL)
		rc = segment_flush(q, s);
	pthread_mutex_unlock(&q->segment_io);
	return rc;
}

/*
 * open_own_log - where the marks of a file of its own go: behind the last one. RES_PERM: the file is gone,
 * finished or damaged, and there is nothing left to mark.
 */
static enum result open_own_log(struct queue *q, const struct own_file *f, struct mark_log *log)
{
	int fd = os_openat(queue_place_fd(q, f->place), f->id.text, O_RDWR | O_NOFOLLOW, 0);
	struct arena *arena;
	struct queue_message m;
	struct record r;
	uint64_t append;
	enum result rc;

	if (fd < 0)
		return errno == ENOENT ? RES_PERM : RES_TEMP;
	arena = arena_create();
	rc = message_read_own(fd, arena, &m, &r, &append, NULL);
	arena_destroy(&arena);
	if (rc != RES_OK) {
		int saved = errno;

		os_close(fd);
		errno = saved;
		return rc;
	}
	log->fd = fd;
	log->key = r.key;
	log->at = append;
	return RES_OK;
}

int own_file_flush(struct queue *q, struct own_file *f)
{
	enum result rc = RES_OK;
	struct mark_log log;
	int saved, bad = 0;

	pthread_mutex_lock(&q->lock);
	log_take(&f->log, &log);
	pthread_mutex_unlock(&q->lock);
	if (log.pending.len > 0 && log.fd < 0)
		rc = open_own_log(q, f, &log);
	if (rc == RES_OK)
		bad = log_write(q, &log);
	else if (rc == RES_TEMP)
		bad = -1;
	saved = errno;
	pthread_mutex_lock(&q->lock);
	q->open_logs += f->log.fd < 0 && log.fd >= 0;
	log_return(&f->log, &log);
	if (rc == RES_PERM) {
		buffer_reset(&f->log.pending);
		f->log.flushed = 0;
	}
	pthread_mutex_unlock(&q->lock);
	errno = saved;
	return bad;
}

/* next_unwritten - the caller becomes one of its users; NULL: none of the list is left. */
static struct own_file *next_unwritten(struct queue *q, struct list *from)
{
	struct own_file *f = NULL;
	struct list *l;

	pthread_mutex_lock(&q->lock);
	l = list_pop_front(from);
	if (l != NULL) {
		f = CONTAINER_OF(l, struct own_file, unwritten);
		f->users++;
	}
	pthread_mutex_unlock(&q->lock);
	return f;
}

/* flush_own_files - one after another. */
static enum result flush_own_files(struct queue *q, struct queue_error *error)
{
	enum result rc = RES_OK;
	struct own_file *f;
	struct list now;

	list_init(&now);
	pthread_mutex_lock(&q->own_io);
	pthread_mutex_lock(&q->lock);
	while (!list_empty(&q->unwritten))
		list_push_back(&now, list_pop_front(&q->unwritten));
	pthread_mutex_unlock(&q->lock);
	while ((f = next_unwritten(q, &now)) != NULL) {
		bool bad = own_file_flush(q, f) < 0;

		if (bad)
			rc = queue_fail(error, "write status");
		pthread_mutex_lock(&q->lock);
		if (bad && list_empty(&f->unwritten))
			list_push_back(&q->unwritten, &f->unwritten);
		own_file_put(q, f);
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_unlock(&q->own_io);
	return rc;
}

/*
 * next_unwritten_segment - the first from this serial on. It stays as long as segment_io is held, for without
 * its marks being written and synced it is not given up.
 */
static struct segment *next_unwritten_segment(struct queue *q, uint64_t from)
{
	struct segment *found = NULL;

	pthread_mutex_lock(&q->lock);
	LIST_FOREACH(node, &q->segments) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		if (s->header.serial >= from && s->log.flushed < s->log.pending.len) {
			found = s;
			break;
		}
	}
	pthread_mutex_unlock(&q->lock);
	return found;
}

static enum result flush_segments(struct queue *q, struct queue_error *error)
{
	enum result rc = RES_OK;
	struct segment *s;
	uint64_t from = 0;

	pthread_mutex_lock(&q->segment_io);
	while ((s = next_unwritten_segment(q, from)) != NULL) {
		from = s->header.serial + 1;
		if (segment_flush(q, s) < 0)
			rc = queue_fail(error, "write marks");
	}
	pthread_mutex_unlock(&q->segment_io);
	return rc;
}

enum result queue_flush(struct queue *q, struct queue_error *error)
{
	enum result rc = flush_segments(q, error);

	return flush_own_files(q, error) == RES_OK ? rc : RES_TEMP;
}
