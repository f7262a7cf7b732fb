/* SPDX-License-Identifier: ISC */
/*
 * Marks and what follows from them: writing, syncing, removing the files of finished messages, recycling
 * segments. The order is reliability rule R3: marks durable first, then the bytes given up.
 */
#include "base/check.h"
#include "os/file.h"
#include "queue/owner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static enum result add_mark(struct queue *q, const struct queue_location *loc,
			    const struct stored_mark *m)
{
	struct segment *s = queue_segment(q, loc->serial);
	struct segment_entry *e = s != NULL ? segment_entry_find(s, loc->offset) : NULL;

	if (e == NULL || e->gone)
		return RES_PERM;
	e->marked = true;
	if (m->kind == MARK_GONE) {
		e->gone = true;
		s->live--;
	}
	mark_log_add(&s->log, m);
	return RES_OK;
}

static void own_file_add(struct queue *q, struct own_file *f, const struct stored_mark *m)
{
	mark_log_add(&f->log, m);
	if (list_empty(&f->unwritten))
		list_push_back(&q->unwritten, &f->unwritten);
}

enum result queue_mark(struct queue *q, const struct queue_location *loc,
		       const struct queue_mark *mark)
{
	struct stored_mark m = {.kind = MARK_STATUS, .offset = loc->offset, .mark = *mark};
	enum result rc = RES_OK;

	pthread_mutex_lock(&q->lock);
	if (loc->place == QUEUE_IN_JOURNAL) {
		rc = add_mark(q, loc, &m);
	} else if (message_directory(loc->place) != NULL) {
		struct own_file *f = own_file_get(q, loc);

		m.offset = 0;
		own_file_add(q, f, &m);
		own_file_put(q, f);
	} else {
		rc = RES_PERM;
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

enum result queue_gone(struct queue *q, const struct queue_location *loc)
{
	struct stored_mark m = {.kind = MARK_GONE, .offset = loc->offset};
	enum result rc = RES_OK;

	pthread_mutex_lock(&q->lock);
	if (loc->place == QUEUE_IN_JOURNAL) {
		rc = add_mark(q, loc, &m);
	} else if (message_directory(loc->place) != NULL) {
		struct own_file *f = own_file_get(q, loc);

		/* the file itself goes at the next sync; until then this survives the process */
		m.offset = 0;
		own_file_add(q, f, &m);
		f->gone = true;
		own_file_put(q, f);
	} else {
		rc = RES_PERM;
	}
	pthread_mutex_unlock(&q->lock);
	return rc;
}

/* sync_marks - of one D file; segment_io held, so that nobody replaces it meanwhile. */
static enum result sync_marks(struct queue *q, struct segment *s, struct queue_error *error)
{
	size_t upto;
	int fd;

	if (segment_flush(q, s) < 0)
		return queue_fail(error, "write marks");
	pthread_mutex_lock(&q->lock);
	upto = s->log.flushed;
	fd = s->log.fd;
	pthread_mutex_unlock(&q->lock);
	if (upto > 0 && os_fdatasync(fd) < 0)
		return queue_fail(error, "sync marks");
	pthread_mutex_lock(&q->lock);
	mark_log_settle(&s->log, upto);
	pthread_mutex_unlock(&q->lock);
	return RES_OK;
}

/* sync_segment_marks - upkeep held, lock not; once more in a new file when it fails. */
static enum result sync_segment_marks(struct queue *q, struct segment *s,
				      struct queue_error *error)
{
	enum result rc = RES_TEMP;

	pthread_mutex_lock(&q->segment_io);
	for (int attempt = 0; attempt < 2; attempt++) {
		rc = sync_marks(q, s, error);
		if (rc == RES_OK)
			break;
		pthread_mutex_lock(&q->lock);
		s->log.broken = true;
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_unlock(&q->segment_io);
	return rc;
}

static enum result sync_all_segments(struct queue *q, struct queue_error *error)
{
	enum result rc = RES_OK;
	struct list *node;
	bool dirty;

	pthread_mutex_lock(&q->lock);
	node = q->segments.next;
	while (node != &q->segments) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		if (s->log.pending.len > 0) {
			pthread_mutex_unlock(&q->lock);
			if (sync_segment_marks(q, s, error) != RES_OK)
				rc = RES_TEMP;
			pthread_mutex_lock(&q->lock);
		}
		node = s->node.next; /* segments are freed by upkeep only, that is, by us */
	}
	dirty = q->journal_dirty;
	q->journal_dirty = false;
	pthread_mutex_unlock(&q->lock);
	if (dirty && os_sync_dir(q->journal) < 0) {
		rc = queue_fail(error, "sync journal directory");
		pthread_mutex_lock(&q->lock);
		q->journal_dirty = true;
		pthread_mutex_unlock(&q->lock);
	}
	return rc;
}

/* Files of their own that a sync works on. */
struct file_work {
	struct own_file **files;
	size_t count;
};

/* collect_files - those with marks, or gone ones; each is kept from being forgotten. */
static void collect_files(struct queue *q, bool gone, struct file_work *work)
{
	size_t cursor = 0;
	struct slice key;
	void *value;

	work->count = 0;
	work->files = calloc(map_count(q->files) + 1, sizeof(*work->files));
	if (work->files == NULL)
		out_of_memory();
	while (map_next(q->files, &cursor, &key, &value)) {
		struct own_file *f = value;

		if (f->gone != gone || (!gone && f->log.pending.len == 0))
			continue;
		f->users++;
		work->files[work->count++] = f;
	}
}

/* rewrite_file - after a failed sync: message and status anew, in another file of the same name. */
static enum result rewrite_file(struct queue *q, struct own_file *f, struct queue_error *error)
{
	struct queue_location loc = {.place = f->place, .id = f->id};
	struct arena *arena = arena_create();
	struct queue_message m;
	struct stat st;
	enum result rc;

	rc = queue_read(q->dir, &loc, arena, &m, error);
	if (rc == RES_OK && os_fstat(m.fd, &st) < 0)
		rc = queue_fail(error, "stat message");
	if (rc == RES_OK) {
		rc = store_copy(q, &m, f->place,
				(int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
				error);
		queue_message_close(&m);
	}
	if (rc == RES_OK && os_sync_dir(queue_place_fd(q, f->place)) < 0)
		rc = queue_fail(error, "sync directory");
	arena_destroy(&arena);
	return rc;
}

/*
 * ready_to_sync - *upto bytes of its marks are written; *fd, which stays open as long as the caller is one of
 * its users and syncs it alone, is good for syncing them. -1 and errno.
 */
static int ready_to_sync(struct queue *q, struct own_file *f, int *fd, size_t *upto)
{
	int bad;

	pthread_mutex_lock(&q->own_io);
	pthread_mutex_lock(&q->lock);
	if (f->log.fd < 0)
		f->log.flushed = 0; /* it was one too many to keep: what is not synced is written again */
	pthread_mutex_unlock(&q->lock);
	bad = own_file_flush(q, f);
	pthread_mutex_lock(&q->lock);
	*upto = f->log.flushed;
	*fd = f->log.fd;
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->own_io);
	return bad;
}

static enum result sync_file(struct queue *q, struct own_file *f, struct queue_error *error)
{
	enum result rc = RES_OK;
	size_t upto;
	int fd;

	if (ready_to_sync(q, f, &fd, &upto) < 0)
		return queue_fail(error, "write status");
	if (upto == 0)
		return RES_OK;
	if (os_fdatasync(fd) < 0)
		rc = rewrite_file(q, f, error);
	pthread_mutex_lock(&q->own_io);
	pthread_mutex_lock(&q->lock);
	if (rc == RES_OK)
		mark_log_settle(&f->log, upto);
	/* opened afresh next time: it may have been moved or written anew */
	os_close(f->log.fd);
	f->log.fd = -1;
	q->open_logs--;
	f->log.flushed = 0;
	if (f->log.pending.len > 0 && list_empty(&f->unwritten))
		list_push_back(&q->unwritten, &f->unwritten);
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->own_io);
	return rc;
}

static void put_files(struct queue *q, struct file_work *work)
{
	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < work->count; i++)
		own_file_put(q, work->files[i]);
	pthread_mutex_unlock(&q->lock);
	free(work->files);
}

static enum result sync_own_files(struct queue *q, struct queue_error *error)
{
	struct file_work work;
	enum result rc = RES_OK;

	pthread_mutex_lock(&q->lock);
	collect_files(q, false, &work);
	pthread_mutex_unlock(&q->lock);
	for (size_t i = 0; i < work.count; i++)
		if (sync_file(q, work.files[i], error) != RES_OK)
			rc = RES_TEMP;
	put_files(q, &work);
	return rc;
}

/* remove_gone_files - only after all marks in D files are durable. */
static enum result remove_gone_files(struct queue *q, struct file_work *work,
				     struct queue_error *error)
{
	bool touched[QUEUE_IN_CORRUPT + 1] = {false};
	enum result rc = RES_OK;

	for (size_t i = 0; i < work->count; i++) {
		struct own_file *f = work->files[i];

		if (os_unlinkat(queue_place_fd(q, f->place), f->id.text, 0) < 0 &&
		    errno != ENOENT) {
			rc = queue_fail(error, "remove message");
			continue;
		}
		touched[f->place] = true;
		pthread_mutex_lock(&q->own_io);
		pthread_mutex_lock(&q->lock);
		f->gone = false;
		f->log.flushed = 0;
		buffer_reset(&f->log.pending);
		map_remove(q->large_known, queue_id_slice(&f->id));
		pthread_mutex_unlock(&q->lock);
		pthread_mutex_unlock(&q->own_io);
	}
	for (int place = QUEUE_IN_LARGE; place <= QUEUE_IN_HOLD; place++)
		if (touched[place] &&
		    os_sync_dir(queue_place_fd(q, (enum queue_place)place)) < 0)
			rc = queue_fail(error, "sync directory");
	return rc;
}

static bool recyclable(struct queue *q, const struct segment *s)
{
	bool yes;

	pthread_mutex_lock(&q->lock);
	yes = s->live == 0 && s->log.pending.len == 0;
	pthread_mutex_unlock(&q->lock);
	return yes;
}

/* give_up - S to F, or away when there are enough free ones. */
static int give_up(struct queue *q, const struct segment *s, uint64_t highest, uint64_t *spare)
{
	char name[SEGMENT_NAME], free_name[SEGMENT_NAME];

	segment_name('S', s->header.serial, name);
	segment_name('F', s->header.serial, free_name);
	if (*spare >= q->settings.free_segments && s->header.serial != highest)
		return os_unlinkat(q->journal, name, 0);
	(*spare)++;
	return os_renameat_noreplace(q->journal, name, q->journal, free_name);
}

static void remove_marks(struct queue *q, const struct segment *s)
{
	for (unsigned g = 0; g < s->generations; g++) {
		char name[SEGMENT_NAME];

		segment_mark_name(s->header.serial, g, name);
		os_unlinkat(q->journal, name, 0);
	}
}

/* finish_recycling - the new names are durable: marks may go, then the locks. */
static void finish_recycling(struct queue *q, struct list *emptied)
{
	struct list *node;

	while ((node = emptied->next) != emptied) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		remove_marks(q, s);
		pthread_mutex_lock(&q->lock);
		segment_free(q, &s);
		q->stats.recycled++;
		pthread_mutex_unlock(&q->lock);
	}
}

/* collect_empty - walked to the end, nothing live, all marks durable: out of the list of segments. */
static void collect_empty(struct queue *q, struct list *emptied)
{
	struct list *node, *next;

	pthread_mutex_lock(&q->lock);
	for (node = q->segments.next; node != &q->segments; node = next) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		pthread_mutex_unlock(&q->lock);
		if (recyclable(q, s))
			queue_walk_segment(q, s, false, NULL);
		pthread_mutex_lock(&q->lock);
		next = node->next;
		if (s->complete && s->live == 0 && s->log.pending.len == 0) {
			list_remove(&s->node);
			list_push_back(emptied, &s->node);
		}
	}
	pthread_mutex_unlock(&q->lock);
}

static enum result recycle(struct queue *q, struct queue_error *error)
{
	struct segment_list free_ones;
	enum result rc = RES_OK;
	struct list emptied;
	uint64_t highest, spare;

	list_init(&emptied);
	collect_empty(q, &emptied);
	if (list_empty(&emptied))
		return RES_OK;
	rc = segment_list_read(q->journal, 'F', &free_ones, &highest, error);
	if (rc == RES_OK) {
		spare = free_ones.count;
		segment_list_free(&free_ones);
		LIST_FOREACH(node, &emptied)
			if (give_up(q, CONTAINER_OF(node, struct segment, node), highest,
				    &spare) < 0)
				rc = queue_fail(error, "recycle segment");
		if (rc == RES_OK && os_sync_dir(q->journal) < 0)
			rc = queue_fail(error, "sync journal directory");
	}
	if (rc == RES_OK) {
		finish_recycling(q, &emptied);
		return RES_OK;
	}
	/* names that did not change, or perhaps not for good: leave the marks, try at the next open */
	LIST_FOREACH_SAFE(node, &emptied) {
		struct segment *s = CONTAINER_OF(node, struct segment, node);

		pthread_mutex_lock(&q->lock);
		segment_free(q, &s);
		pthread_mutex_unlock(&q->lock);
	}
	return rc;
}

/* restore_reserve - once there is room for it twice over. */
static void restore_reserve(struct queue *q)
{
	uint64_t bytes;

	if (q->reserve_left == q->settings.reserve || q->reserve < 0 ||
	    queue_free_space(q->journal, &bytes) != RES_OK || bytes < 2 * q->settings.reserve)
		return;
	if (os_preallocate(q->reserve, (off_t)q->settings.reserve) == 0)
		q->reserve_left = q->settings.reserve;
}

enum result queue_sync(struct queue *q, struct queue_error *error)
{
	struct file_work gone;
	enum result rc;

	pthread_mutex_lock(&q->upkeep);
	pthread_mutex_lock(&q->lock);
	collect_files(q, true, &gone); /* now: their journal copies' marks are flushed below */
	pthread_mutex_unlock(&q->lock);
	rc = sync_all_segments(q, error);
	if (rc == RES_OK)
		rc = remove_gone_files(q, &gone, error);
	put_files(q, &gone);
	if (sync_own_files(q, error) != RES_OK)
		rc = RES_TEMP;
	if (rc == RES_OK)
		rc = recycle(q, error);
	restore_reserve(q);
	pthread_mutex_unlock(&q->upkeep);
	return rc;
}

bool queue_dirty(struct queue *q)
{
	bool dirty = false;
	size_t cursor = 0;
	struct slice key;
	void *value;

	pthread_mutex_lock(&q->lock);
	LIST_FOREACH(node, &q->segments) {
		const struct segment *s = CONTAINER_OF(node, struct segment, node);

		dirty = dirty || s->log.pending.len > 0 || (s->live == 0 && s->complete);
	}
	while (!dirty && map_next(q->files, &cursor, &key, &value)) {
		const struct own_file *f = value;

		dirty = f->gone || f->log.pending.len > 0;
	}
	pthread_mutex_unlock(&q->lock);
	return dirty;
}
