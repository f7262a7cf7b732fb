/* SPDX-License-Identifier: ISC */
/* Messages on the move: out of the journal into files of their own, and between directories. */
#include "base/crc32c.h"
#include "os/clock.h"
#include "os/file.h"
#include "queue/owner.h"

#include <errno.h>
#include <stdio.h>

#define CHUNK 8192

/* aside_message - damaged, found when it was opened: reported, out of the way, gone. */
static void aside_message(struct queue *q, const struct queue_location *loc)
{
	char name[96];

	if (loc->place == QUEUE_IN_JOURNAL) {
		struct segment *s;
		uint64_t from = loc->offset, to;
		size_t i;

		pthread_mutex_lock(&q->lock);
		s = queue_segment(q, loc->serial);
		to = s->end;
		for (i = s->count; i-- > 0 && s->entries[i].offset > from;)
			to = s->entries[i].offset;
		pthread_mutex_unlock(&q->lock);
		segment_name('S', loc->serial, name);
		snprintf(name + strlen(name), sizeof(name) - strlen(name), "-%llu",
			 (unsigned long long)from);
		queue_aside_bytes(q, s->fd, name, from, to, "damaged message");
		queue_gone(q, loc);
	} else {
		snprintf(name, sizeof(name), "%s-%s", message_directory(loc->place), loc->id.text);
		queue_aside_file(q, queue_place_fd(q, loc->place), loc->id.text, name,
				 "damaged message");
	}
}

/* look_up_own - for a file of its own. */
static enum result look_up_own(struct queue *q, const struct queue_location *loc,
			       struct queue_error *error)
{
	enum result rc = RES_OK;
	struct own_file *f;

	pthread_mutex_lock(&q->lock);
	f = map_get(q->files, queue_id_slice(&loc->id));
	if (f != NULL && f->gone) {
		rc = queue_refuse(error, QUEUE_GONE, "open message");
		f = NULL;
	}
	if (f != NULL)
		f->users++;
	pthread_mutex_unlock(&q->lock);
	if (f == NULL)
		return rc;
	pthread_mutex_lock(&q->own_io);
	if (own_file_flush(q, f) < 0)
		rc = queue_fail(error, "write status");
	pthread_mutex_lock(&q->lock);
	own_file_put(q, f);
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->own_io);
	return rc;
}

/*
 * look_up - flush what is known of the message, so that it can be read from the files. *marked: there is
 * something about it in its segment's D files.
 */
static enum result look_up(struct queue *q, const struct queue_location *loc, bool *marked,
			   struct queue_error *error)
{
	const struct segment_entry *e;
	const struct segment *s;
	bool gone;

	if (loc->place != QUEUE_IN_JOURNAL)
		return look_up_own(q, loc, error);
	pthread_mutex_lock(&q->lock);
	s = queue_segment(q, loc->serial);
	e = s != NULL ? segment_entry_find(s, loc->offset) : NULL;
	gone = e == NULL || e->gone;
	*marked = !gone && e->marked;
	pthread_mutex_unlock(&q->lock);
	if (gone)
		return queue_refuse(error, QUEUE_GONE, "open message");
	if (*marked && segment_flush_serial(q, loc->serial) < 0)
		return queue_fail(error, "write marks");
	return RES_OK;
}

/* share - the descriptor serves the segment's other messages from now on. */
static void share(struct queue *q, struct queue_message *m)
{
	struct segment *s;

	pthread_mutex_lock(&q->lock);
	s = queue_segment(q, m->location.serial);
	if (s != NULL && s->reader == NULL) {
		s->reader = queue_file_create(m->fd);
		m->shared = queue_file_use(s->reader);
	}
	pthread_mutex_unlock(&q->lock);
}

/* read_unmarked - a message in the journal that nothing happened to yet: its record is all there is. */
static enum result read_unmarked(struct queue *q, const struct queue_location *loc,
				 struct arena *arena, struct queue_message *m,
				 struct queue_error *error)
{
	enum result rc;

	m->location = *loc;
	rc = message_read_journal(q->journal, false, arena, m, error);
	if (rc != RES_OK)
		queue_message_close(m);
	else
		share(q, m);
	return rc;
}

enum result queue_open_message(struct queue *q, const struct queue_location *loc, bool verify,
			       struct arena *arena, struct queue_message *m,
			       struct queue_error *error)
{
	struct queue_error why = {0};
	bool marked = true;
	struct stat st;
	enum result rc;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	rc = look_up(q, loc, &marked, &why);
	if (rc == RES_OK)
		rc = marked ? queue_read(q->dir, loc, arena, m, &why)
			    : read_unmarked(q, loc, arena, m, &why);
	if (rc == RES_OK && verify) {
		rc = queue_message_verify(m, &why);
		if (rc != RES_OK)
			queue_message_close(m);
	}
	if (rc == RES_PERM && why.reason == QUEUE_DAMAGED)
		aside_message(q, loc);
	else if (why.reason == QUEUE_GONE && message_directory(loc->place) != NULL &&
		 os_fstatat(queue_place_fd(q, loc->place), loc->id.text, &st, AT_SYMLINK_NOFOLLOW) == 0)
		queue_gone(q, loc); /* finished in an earlier life: the next sync removes it */
	if (error != NULL)
		*error = why;
	return rc;
}

/* use_reader - of a segment in which nothing happened to the message yet; *key is the segment's. */
static struct queue_file *use_reader(struct queue *q, const struct queue_location *loc, uint64_t *key)
{
	struct queue_file *file = NULL;
	struct segment_entry *e;
	struct segment *s;

	pthread_mutex_lock(&q->lock);
	s = queue_segment(q, loc->serial);
	e = s != NULL && s->reader != NULL ? segment_entry_find(s, loc->offset) : NULL;
	if (e != NULL && !e->gone && !e->marked) {
		file = queue_file_use(s->reader);
		*key = s->header.key;
	}
	pthread_mutex_unlock(&q->lock);
	return file;
}

bool queue_open_cached(struct queue *q, const struct queue_location *loc, struct arena *arena,
		       struct queue_message *m)
{
	struct record r;
	uint64_t key = 0;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	m->location = *loc;
	if (loc->place == QUEUE_IN_JOURNAL)
		m->shared = use_reader(q, loc, &key);
	if (m->shared == NULL)
		return false;
	m->fd = m->shared->fd;
	/* what is wrong with it, if anything is, queue_open_message finds out */
	if (message_read_cached(m->fd, key, loc->offset, arena, m, &r) == RES_OK &&
	    slice_eq(queue_id_slice(&m->envelope->id), queue_id_slice(&loc->id)))
		return true;
	queue_message_close(m);
	return false;
}

/* put_content - copy it, and see to it that it is what was once written. */
static enum result put_content(const struct queue_message *m, int out, const struct record *r,
			       uint32_t *crc, struct queue_error *error)
{
	uint32_t old_crc = m->content_seed;
	char chunk[CHUNK];
	uint64_t at = 0;

	*crc = record_content_seed(r);
	while (at < m->content_size) {
		size_t got;
		enum result rc = queue_message_content(m, at, chunk, sizeof(chunk), &got);

		if (rc == RES_TEMP)
			return queue_fail(error, "read content");
		if (rc == RES_PERM)
			break;
		old_crc = crc32c(old_crc, slice(chunk, got));
		*crc = crc32c(*crc, slice(chunk, got));
		if (os_pwrite_full(out, chunk, got, (off_t)(record_content_offset(r) + at)) < 0)
			return queue_fail(error, "write copy");
		at += got;
	}
	if (at < m->content_size || old_crc != m->content_crc)
		return queue_refuse(error, QUEUE_DAMAGED, "content");
	return RES_OK;
}

/* put_status - the envelope's present state as status records from `at` on. */
static int put_status(const struct queue_envelope *env, int out, uint64_t key, uint64_t at)
{
	struct stored_mark m = {.kind = MARK_STATUS};
	struct mark_log log;
	int rc;

	mark_log_init(&log, key);
	log.fd = out;
	log.at = at;
	for (size_t i = 0; i < env->recipient_count; i++)
		if (mark_of_recipient(env, i, &m.mark))
			mark_log_add(&log, &m);
	if (mark_of_whole(env, &m.mark))
		mark_log_add(&log, &m);
	rc = mark_log_flush(&log);
	log.fd = -1; /* the caller's */
	mark_log_free(&log);
	return rc;
}

/* put_copy - all of the new file, synced. */
static enum result put_copy(const struct queue_message *m, int out, int64_t mtime, int dir,
			    const char *name, struct queue_error *error)
{
	uint8_t header[RECORD_HEADER], trailer[RECORD_TRAILER + 8] = {0};
	struct record r = {.type = RECORD_MESSAGE, .content_length = m->content_size};
	struct buffer payload;
	enum result rc;
	uint32_t crc;
	size_t tail;

	os_random(&r.key, sizeof(r.key));
	buffer_init(&payload, RECORD_PAYLOAD_MAX);
	envelope_encode(m->envelope, &payload);
	r.payload_length = (uint32_t)payload.len;
	record_put_header(&r, buffer_slice(&payload), header);
	rc = put_content(m, out, &r, &crc, error);
	record_put_trailer(&r, crc, trailer);
	tail = (size_t)(record_length(&r) - RECORD_HEADER - payload.len - m->content_size);
	if (rc == RES_OK &&
	    (os_pwrite_full(out, header, sizeof(header), 0) < 0 ||
	     os_pwrite_full(out, payload.data, payload.len, RECORD_HEADER) < 0 ||
	     os_pwrite_full(out, trailer, tail, (off_t)(record_length(&r) - tail)) < 0 ||
	     put_status(m->envelope, out, r.key, record_length(&r)) < 0))
		rc = queue_fail(error, "write copy");
	buffer_free(&payload);
	/* fsync, not fdatasync: the time goes with it */
	if (rc == RES_OK && (os_set_mtime(dir, name, mtime) < 0 || os_fsync(out) < 0))
		rc = queue_fail(error, "sync copy");
	return rc;
}

enum result store_copy(struct queue *q, const struct queue_message *m, enum queue_place place,
		       int64_t mtime, struct queue_error *error)
{
	const char *name = m->envelope->id.text;
	int dir = queue_place_fd(q, place), out;
	char temporary[QUEUE_ID_SIZE + 1];
	enum result rc;

	snprintf(temporary, sizeof(temporary), "~%s", name);
	out = os_openat(dir, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600);
	if (out < 0)
		return queue_fail(error, "create copy");
	rc = put_copy(m, out, mtime, dir, temporary, error);
	if (os_close(out) < 0 && rc == RES_OK)
		rc = queue_fail(error, "close copy");
	if (rc == RES_OK && os_renameat(dir, temporary, dir, name) < 0)
		rc = queue_fail(error, "name copy");
	if (rc != RES_OK)
		os_unlinkat(dir, temporary, 0);
	return rc;
}

/* defer_whole - the mark that says when to try again. */
static struct queue_mark defer_whole(int64_t next_time, uint32_t tries)
{
	return (struct queue_mark){
		.recipient = QUEUE_WHOLE,
		.time = os_wall(),
		.next_time = next_time,
		.tries = tries,
	};
}

/* is_being_removed - an earlier copy of this message that could not be taken back yet. */
static bool is_being_removed(struct queue *q, const struct queue_id *id)
{
	const struct own_file *f;
	bool yes;

	pthread_mutex_lock(&q->lock);
	f = map_get(q->files, queue_id_slice(id));
	yes = f != NULL && f->gone;
	pthread_mutex_unlock(&q->lock);
	return yes;
}

/* copy_out - from the journal into `place`, with the item's marks. Not durable before its directory. */
static enum result copy_out(struct queue *q, struct queue_defer_item *item, enum queue_place place)
{
	struct arena *arena;
	struct queue_message m;
	struct queue_mark whole;
	enum result rc;

	if (is_being_removed(q, &item->location.id)) {
		errno = EBUSY;
		return queue_fail(&item->error, "copy message");
	}
	arena = arena_create();
	rc = queue_open_message(q, &item->location, false, arena, &m, &item->error);
	if (rc == RES_OK) {
		for (size_t i = 0; i < item->mark_count; i++)
			mark_apply(&item->marks[i], arena, m.envelope);
		whole = defer_whole(item->next_time, m.envelope->tries + 1);
		if (place == QUEUE_IN_DEFERRED)
			mark_apply(&whole, arena, m.envelope);
		rc = store_copy(q, &m, place, item->next_time, &item->error);
		queue_message_close(&m);
		if (rc == RES_PERM)
			aside_message(q, &item->location);
	}
	arena_destroy(&arena);
	return rc;
}

/* rename_known - and who writes marks to it knows. -1 and errno. */
static int rename_known(struct queue *q, const struct queue_location *loc, int from, int to,
			enum queue_place place)
{
	struct own_file *f;
	int rc;

	pthread_mutex_lock(&q->own_io);
	rc = os_renameat(from, loc->id.text, to, loc->id.text);
	if (rc == 0) {
		pthread_mutex_lock(&q->lock);
		map_remove(q->large_known, queue_id_slice(&loc->id));
		f = map_get(q->files, queue_id_slice(&loc->id));
		if (f != NULL)
			f->place = place;
		pthread_mutex_unlock(&q->lock);
	}
	pthread_mutex_unlock(&q->own_io);
	return rc;
}

/* rename_own - from where it is to `place`; upkeep held. */
static enum result rename_own(struct queue *q, struct queue_location *loc, enum queue_place place,
			      struct queue_error *error)
{
	int from = queue_place_fd(q, loc->place), to = queue_place_fd(q, place);

	if (loc->place == place)
		return RES_OK;
	if (rename_known(q, loc, from, to, place) < 0)
		return errno == ENOENT ? queue_refuse(error, QUEUE_GONE, "move message") :
					 queue_fail(error, "move message");
	/* should a sync fail, a crash finds the message under one of its two names: no harm */
	os_sync_dir(to);
	os_sync_dir(from);
	loc->place = place;
	return RES_OK;
}

/* defer_own - a message that has a file of its own: status behind it, new time, new directory. */
static enum result defer_own(struct queue *q, struct queue_defer_item *item)
{
	struct queue_mark whole = defer_whole(item->next_time, 0);
	struct arena *arena = arena_create();
	struct queue_message m;
	enum result rc;

	for (size_t i = 0; i < item->mark_count; i++)
		queue_mark(q, &item->location, &item->marks[i]);
	queue_mark(q, &item->location, &whole);
	/* opening flushes the marks, and shows that there is still a whole message */
	rc = queue_open_message(q, &item->location, false, arena, &m, &item->error);
	if (rc == RES_OK) {
		os_set_mtime(queue_place_fd(q, item->location.place), item->location.id.text,
			     item->next_time);
		if (os_fsync(m.fd) < 0)
			rc = store_copy(q, &m, item->location.place, item->next_time, &item->error);
		queue_message_close(&m);
	}
	arena_destroy(&arena);
	if (rc == RES_OK)
		rc = rename_own(q, &item->location, QUEUE_IN_DEFERRED, &item->error);
	return rc;
}

/* take_back - a copy that must not count; if it cannot be removed now, the next sync does it. */
static void take_back(struct queue *q, enum queue_place place, const struct queue_id *id)
{
	struct queue_location loc = {.place = place, .id = *id};

	if (os_unlinkat(queue_place_fd(q, place), id->text, 0) < 0 && errno != ENOENT)
		queue_gone(q, &loc);
}

/* settle_copies - the copies' names are durable (or not): now, and not before, the journal's go. */
static void settle_copies(struct queue *q, struct queue_defer_item *items, size_t count,
			  enum queue_place place, bool durable, const struct queue_error *why)
{
	for (size_t i = 0; i < count; i++) {
		struct queue_location *loc = &items[i].location;

		if (loc->place != QUEUE_IN_JOURNAL || items[i].result != RES_OK)
			continue;
		if (durable) {
			queue_gone(q, loc);
			*loc = (struct queue_location){.place = place, .id = loc->id};
		} else {
			take_back(q, place, &loc->id);
			items[i].result = RES_TEMP;
			items[i].error = *why;
		}
	}
}

static void copy_all_out(struct queue *q, struct queue_defer_item *items, size_t count,
			 enum queue_place place)
{
	struct queue_error why = {0};
	bool any = false, durable;

	for (size_t i = 0; i < count; i++) {
		if (items[i].location.place != QUEUE_IN_JOURNAL)
			continue;
		items[i].result = copy_out(q, &items[i], place);
		any = any || items[i].result == RES_OK;
	}
	if (!any)
		return;
	durable = os_sync_dir(queue_place_fd(q, place)) == 0;
	if (!durable)
		queue_fail(&why, "sync directory");
	settle_copies(q, items, count, place, durable, &why);
}

enum result queue_defer(struct queue *q, struct queue_defer_item *items, size_t count)
{
	enum result rc = RES_OK;

	/* files of their own first: what was in the journal is a file of its own afterwards */
	pthread_mutex_lock(&q->upkeep);
	for (size_t i = 0; i < count; i++)
		if (items[i].location.place != QUEUE_IN_JOURNAL)
			items[i].result = defer_own(q, &items[i]);
	pthread_mutex_unlock(&q->upkeep);
	copy_all_out(q, items, count, QUEUE_IN_DEFERRED);
	for (size_t i = 0; i < count && rc == RES_OK; i++)
		rc = items[i].result;
	return rc;
}

enum result queue_hold(struct queue *q, struct queue_location *loc, struct queue_error *error)
{
	bool marked;
	struct queue_defer_item item = {.location = *loc, .next_time = os_wall()};
	enum result rc;

	if (loc->place == QUEUE_IN_JOURNAL) {
		copy_all_out(q, &item, 1, QUEUE_IN_HOLD);
		*loc = item.location;
		if (error != NULL)
			*error = item.error;
		return item.result;
	}
	pthread_mutex_lock(&q->upkeep);
	rc = look_up(q, loc, &marked, error);
	if (rc == RES_OK)
		rc = rename_own(q, loc, QUEUE_IN_HOLD, error);
	pthread_mutex_unlock(&q->upkeep);
	return rc;
}

enum result queue_release(struct queue *q, struct queue_location *loc, int64_t next_time,
			  struct queue_error *error)
{
	bool marked;
	enum result rc;

	if (loc->place != QUEUE_IN_HOLD)
		return queue_refuse(error, QUEUE_GONE, "not on hold");
	pthread_mutex_lock(&q->upkeep);
	rc = look_up(q, loc, &marked, error);
	if (rc == RES_OK)
		os_set_mtime(q->hold, loc->id.text, next_time);
	if (rc == RES_OK)
		rc = rename_own(q, loc, QUEUE_IN_DEFERRED, error);
	pthread_mutex_unlock(&q->upkeep);
	return rc;
}

enum result queue_set_time(struct queue *q, const struct queue_location *loc, int64_t next_time,
			   struct queue_error *error)
{
	if (loc->place != QUEUE_IN_DEFERRED)
		return queue_refuse(error, QUEUE_GONE, "not deferred");
	if (os_set_mtime(q->deferred, loc->id.text, next_time) < 0)
		return errno == ENOENT ? queue_refuse(error, QUEUE_GONE, "set time") :
					 queue_fail(error, "set time");
	return RES_OK;
}
