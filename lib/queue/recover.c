/* SPDX-License-Identifier: ISC */
/*
 * Recovery and rescanning: find every live message that the owner does not know. All of it may be cut
 * anywhere and done again. q->upkeep is held throughout.
 */
#include "os/file.h"
#include "queue/owner.h"
#include "queue/record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void tell(struct queue *q, const struct queue_entry *entry)
{
	pthread_mutex_lock(&q->lock);
	q->stats.recovered++;
	pthread_mutex_unlock(&q->lock);
	q->watcher.message(q->watcher.context, entry);
}

/*
 * has_own_file - moved to deferred/ or hold/ already: that file outranks the journal's copy. 1 yes, 0 no,
 * -1 cannot be known now.
 */
static int has_own_file(const struct queue *q, const struct queue_id *id)
{
	const int dirs[] = {q->deferred, q->hold};
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		if (os_fstatat(dirs[i], id->text, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return 1;
		if (errno != ENOENT)
			return -1;
	}
	return 0;
}

/* aside_record - bytes of a segment that are no good record. */
static void aside_record(struct queue *q, const struct segment *s, uint64_t from, uint64_t to,
			 const char *why)
{
	char name[2 * SEGMENT_NAME];

	snprintf(name, sizeof(name), "S%" PRIu64 "-%" PRIu64, s->header.serial, from);
	queue_aside_bytes(q, s->fd, name, from, to, why);
}

/* found - a good message record in a segment; false: look again later. */
static bool found(struct queue *q, struct segment *s, const struct walk *walk,
		  const struct mark_set *set)
{
	const struct mark_entry *marks = mark_set_find(set, walk->record.offset);
	struct queue_entry entry = {.size = walk->record.content_length};
	struct queue_location *loc = &entry.location;
	bool gone = marks != NULL && marks->gone;
	int moved = 0;

	loc->place = QUEUE_IN_JOURNAL;
	loc->serial = s->header.serial;
	loc->offset = walk->record.offset;
	if (!envelope_id(walk->payload, &loc->id, &entry.time)) {
		aside_record(q, s, walk->record.offset, walk->at, "envelope");
		gone = true;
	}
	if (!gone)
		moved = has_own_file(q, &loc->id);
	if (moved < 0)
		return false;
	pthread_mutex_lock(&q->lock);
	if (segment_entry_find(s, loc->offset) != NULL) /* announced just now */
		gone = true;
	else
		segment_entry_add(s, loc->offset, gone || moved != 0, marks != NULL);
	if (moved != 0 && !gone)
		mark_log_add(&s->log, &(struct stored_mark){.kind = MARK_GONE,
							    .offset = loc->offset});
	pthread_mutex_unlock(&q->lock);
	if (!gone && moved == 0)
		tell(q, &entry);
	return true;
}

struct walked {
	struct queue *q;
	struct segment *s;
};

static bool is_known(void *context, uint64_t offset)
{
	struct walked *w = context;
	bool known;

	pthread_mutex_lock(&w->q->lock);
	known = segment_entry_find(w->s, offset) != NULL;
	pthread_mutex_unlock(&w->q->lock);
	return known;
}

/* load_marks - once a segment: what an earlier owner knew about it. */
static enum result load_marks(struct queue *q, struct segment *s, struct mark_set *set,
			      struct queue_error *error)
{
	enum result rc;

	if (s->loaded)
		return RES_OK;
	rc = mark_set_load(set, q->journal, s->header.serial, s->header.key, error);
	if (rc != RES_OK)
		return rc;
	pthread_mutex_lock(&q->lock);
	s->loaded = true;
	if (set->generations > s->generations)
		s->generations = set->generations;
	if (set->void_from != 0 && set->void_from < s->end)
		s->end = set->void_from;
	pthread_mutex_unlock(&q->lock);
	return RES_OK;
}

enum after { GO_ON, OVER, AGAIN };

/* take_step - act on one step. AGAIN: something could not be known; the walk goes on here later. */
static enum after take_step(struct queue *q, struct segment *s, const struct walk *walk,
		      enum walk_step step, const struct mark_set *set)
{
	struct walked w = {q, s};

	if (step == WALK_RECORD) {
		if (!is_known(&w, walk->record.offset) && walk->record.type == RECORD_MESSAGE &&
		    !found(q, s, walk, set))
			return AGAIN;
	} else if (step == WALK_DAMAGE) {
		if (!is_known(&w, walk->damage_from))
			aside_record(q, s, walk->damage_from, walk->at,
				     walk->at < walk->end ?
					     "damaged record" :
					     "damaged record, or never accepted");
	} else {
		return step == WALK_ERROR ? AGAIN : OVER;
	}
	s->scanned = walk->at;
	return GO_ON;
}

/* add_segments - all that there are now; the list is the caller's to free. */
static enum result add_segments(struct queue *q, struct segment_list *list,
				struct queue_error *error)
{
	enum result rc = segment_list_read(q->journal, 'S', list, NULL, error);

	for (size_t i = 0; rc != RES_TEMP && i < list->count; i++) {
		struct segment *s;

		pthread_mutex_lock(&q->lock);
		s = queue_segment(q, list->serials[i]);
		pthread_mutex_unlock(&q->lock);
		if (s == NULL)
			rc = queue_add_segment(q, list->serials[i], &s, error);
	}
	return rc == RES_TEMP ? RES_TEMP : RES_OK;
}

/*
 * seal - when no writer holds the segment any more, nobody ever will. Only then is it certain that a
 * segment which declares part of this one void has its name: so those are added before the walk.
 */
static enum result seal(struct queue *q, struct segment *s, struct queue_error *error)
{
	struct segment_list list;
	enum result rc;

	if (s->sealed || os_lock(s->fd, true, false) < 0)
		return RES_OK;
	rc = add_segments(q, &list, error);
	segment_list_free(&list);
	s->sealed = rc == RES_OK;
	return rc;
}

enum result queue_walk_segment(struct queue *q, struct segment *s, bool even_locked,
			       struct queue_error *error)
{
	struct walked w = {q, s};
	struct mark_set set;
	enum after after;
	struct walk walk;
	enum result rc;

	if (s->complete)
		return RES_OK;
	rc = seal(q, s, error);
	if (!s->sealed && !even_locked)
		return rc;
	mark_set_init(&set);
	if (rc == RES_OK)
		rc = load_marks(q, s, &set, error);
	if (rc == RES_OK) {
		walk_init(&walk, s->fd, s->header.key, s->scanned, s->end);
		walk.stop_at_damage = !s->sealed;
		walk.skip_content = is_known;
		walk.skip_context = &w;
		do
			after = take_step(q, s, &walk, walk_next(&walk), &set);
		while (after == GO_ON);
		if (walk.window.errnum != 0)
			errno = walk.window.errnum;
		walk_free(&walk);
		if (after == AGAIN)
			rc = queue_fail(error, "read segment");
		else
			s->complete = s->sealed;
	}
	mark_set_free(&set);
	return rc;
}

/* sweep_journal - what a crash left of the making and recycling of segments. */
static void sweep_journal(struct queue *q)
{
	struct os_dir *dir = os_dir_open(q->journal, ".");
	const char *name;

	while (dir != NULL && os_dir_next(dir, &name) > 0) {
		char kind, segment[SEGMENT_NAME];
		unsigned generation;
		struct stat st;
		uint64_t serial;
		int fd;

		if (!segment_parse_name(name, &kind, &serial, &generation))
			continue;
		segment_name('S', serial, segment);
		if (kind == 'D' && os_fstatat(q->journal, segment, &st, 0) < 0 && errno == ENOENT)
			os_unlinkat(q->journal, name, 0);
		if (kind != 'N')
			continue;
		fd = os_openat(q->journal, name, O_RDWR | O_NOFOLLOW, 0);
		if (fd >= 0 && os_lock(fd, true, false) == 0)
			os_unlinkat(q->journal, name, 0);
		if (fd >= 0)
			os_close(fd);
	}
	os_dir_close(&dir);
}

/*
 * scan_journal - at the start what living writers have in their segments is wanted too, for it was announced
 * to an earlier owner; later they announce it themselves, when it is durable.
 */
static enum result scan_journal(struct queue *q, bool first, struct queue_error *error)
{
	struct segment_list list;
	enum result rc = add_segments(q, &list, error);

	/* what is wrong with one of them does not keep the others waiting */
	for (size_t i = 0; i < list.count; i++) {
		struct segment *s;

		pthread_mutex_lock(&q->lock);
		s = queue_segment(q, list.serials[i]); /* only upkeep frees it */
		pthread_mutex_unlock(&q->lock);
		if (s != NULL && queue_walk_segment(q, s, first, error) == RES_TEMP)
			rc = RES_TEMP;
	}
	segment_list_free(&list);
	return rc;
}

/* never_finished - a large message whose header was not even begun. */
static bool never_finished(int fd)
{
	uint8_t header[RECORD_HEADER];
	ssize_t n = os_pread_full(fd, header, sizeof(header), 0);

	for (ssize_t i = 0; i < n; i++)
		if (header[i] != 0)
			return false;
	return n == 0 || n == RECORD_HEADER;
}

static void remove_large(struct queue *q, const char *name)
{
	pthread_mutex_lock(&q->lock);
	q->stats.incomplete_removed++;
	pthread_mutex_unlock(&q->lock);
	os_unlinkat(q->large, name, 0);
}

/* check_large - a file in large/ that no writer is at. */
static void check_large(struct queue *q, int fd, const char *name, struct queue_entry *entry)
{
	struct arena *arena = arena_create();
	struct queue_message m = {.fd = fd};
	struct queue_error error = {0};
	char aside[64];
	struct record r;
	uint64_t append;
	enum result rc;

	rc = message_read_own(fd, arena, &m, &r, &append, &error);
	if (rc == RES_OK)
		rc = queue_message_verify(&m, &error);
	if (rc == RES_OK) {
		entry->size = m.content_size;
		entry->time = m.envelope->arrival;
		pthread_mutex_lock(&q->lock);
		map_put(q->large_known, queue_id_slice(&entry->location.id), q);
		pthread_mutex_unlock(&q->lock);
		tell(q, entry);
	} else if (error.reason == QUEUE_GONE) {
		os_unlinkat(q->large, name, 0);
	} else if (rc == RES_PERM) {
		snprintf(aside, sizeof(aside), "large-%s", name);
		queue_aside_file(q, q->large, name, aside, "large message");
	}
	arena_destroy(&arena);
}

/* look_at_large - one name in large/. */
static void look_at_large(struct queue *q, const char *name)
{
	struct queue_entry entry = {.location = {.place = QUEUE_IN_LARGE}};
	struct queue_id *id = &entry.location.id;
	bool is_known_already;
	int fd;

	if (!queue_id_parse(slice_str(name), id, NULL, NULL))
		return;
	pthread_mutex_lock(&q->lock);
	is_known_already = map_get(q->large_known, queue_id_slice(id)) != NULL ||
			   map_get(q->files, queue_id_slice(id)) != NULL;
	pthread_mutex_unlock(&q->lock);
	if (is_known_already)
		return;
	fd = os_openat(q->large, name, O_RDWR | O_NOFOLLOW, 0);
	if (fd < 0)
		return;
	if (os_lock(fd, true, false) == 0) {
		int moved = has_own_file(q, id);

		if (moved > 0 || never_finished(fd))
			remove_large(q, name);
		else if (moved == 0)
			check_large(q, fd, name, &entry);
	}
	os_close(fd);
}

static enum result scan_large(struct queue *q, struct queue_error *error)
{
	struct os_dir *dir = os_dir_open(q->large, ".");
	const char *name;
	int more;

	if (dir == NULL)
		return queue_fail(error, "open large");
	while ((more = os_dir_next(dir, &name)) > 0)
		look_at_large(q, name);
	if (more < 0)
		queue_fail(error, "read large");
	os_dir_close(&dir);
	return more < 0 ? RES_TEMP : RES_OK;
}

/* scan_files - deferred/ or hold/: names and times only. */
static enum result scan_files(struct queue *q, enum queue_place place, struct queue_error *error)
{
	int fd = queue_place_fd(q, place);
	struct os_dir *dir = os_dir_open(fd, ".");
	const char *name;
	int more;

	if (dir == NULL)
		return queue_fail(error, "open deferred or hold");
	while ((more = os_dir_next(dir, &name)) > 0) {
		struct queue_entry entry = {.location = {.place = place}};
		struct stat st;

		if (name[0] == '~') /* a copy that was not finished */
			os_unlinkat(fd, name, 0);
		if (!queue_id_parse(slice_str(name), &entry.location.id, NULL, NULL) ||
		    os_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		entry.time = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
		entry.size = (uint64_t)st.st_size;
		tell(q, &entry);
	}
	if (more < 0)
		queue_fail(error, "read deferred or hold");
	os_dir_close(&dir);
	return more < 0 ? RES_TEMP : RES_OK;
}

enum result queue_scan(struct queue *q, bool first, struct queue_error *error)
{
	enum result rc = RES_OK;

	pthread_mutex_lock(&q->upkeep);
	if (first) {
		sweep_journal(q);
		rc = scan_files(q, QUEUE_IN_DEFERRED, error);
		if (rc == RES_OK)
			rc = scan_files(q, QUEUE_IN_HOLD, error);
	}
	if (rc == RES_OK)
		rc = scan_journal(q, first, error);
	if (rc == RES_OK)
		rc = scan_large(q, error);
	pthread_mutex_unlock(&q->upkeep);
	return rc;
}

enum result queue_rescan(struct queue *q, struct queue_error *error)
{
	return queue_scan(q, false, error);
}
