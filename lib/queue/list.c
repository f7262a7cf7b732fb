/* SPDX-License-Identifier: ISC */
/* Read-only walks over the spool, beside a running owner. */
#include "base/check.h"
#include "os/file.h"
#include "queue/message.h"
#include "queue/segment.h"

#include <errno.h>
#include <stdlib.h>

#define PART 64 /* names of a directory between two chances to stop */

struct queue_lister {
	int dirfd;
	unsigned places;	/* still to be walked */
	enum queue_place place; /* being walked; QUEUE_NOWHERE: none is */
	int fd;			/* its directory */
	struct os_dir *dir;	/* files of their own */
	struct segment_list segments;
	size_t next_segment;
};

/* What one part of it is handed to. */
struct listing {
	queue_list_fn *each;
	void *context;
	struct queue_error *error;
	bool stopped;
};

static bool hand_out(struct listing *l, const struct queue_entry *entry)
{
	if (!l->each(l->context, entry))
		l->stopped = true;
	return !l->stopped;
}

static int64_t time_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}

/* list_file - one name in a directory of files. */
static bool list_file(struct listing *l, int fd, enum queue_place place, const char *name)
{
	struct queue_entry entry = {.location = {.place = place}, .name = slice_str(name)};
	bool is_id = queue_id_parse(slice_str(name), &entry.location.id, NULL, NULL);
	struct stat st;

	if (!is_id && message_directory(place) != NULL)
		return true;
	if (os_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return true;
	entry.time = time_of(&st);
	entry.size = (uint64_t)st.st_size;
	if (place == QUEUE_IN_LARGE)
		queue_id_parse(slice_str(name), &entry.location.id, &entry.time, NULL);
	return hand_out(l, &entry);
}

/* list_names - some more of a directory; *more: there may be others. */
static enum result list_names(struct queue_lister *q, struct listing *l, bool *more)
{
	const char *name;
	int rc = 1;

	for (int i = 0; i < PART && !l->stopped && (rc = os_dir_next(q->dir, &name)) > 0; i++)
		list_file(l, q->fd, q->place, name);
	*more = rc > 0;
	return rc < 0 ? queue_fail(l->error, "read queue directory") : RES_OK;
}

/* list_records - the live messages of one segment. */
static void list_records(struct listing *l, uint64_t serial, struct walk *walk,
			 const struct mark_set *set)
{
	while (!l->stopped) {
		struct queue_entry entry = {.location = {.place = QUEUE_IN_JOURNAL}};
		enum walk_step step = walk_next(walk);
		const struct mark_entry *e;

		if (step == WALK_DAMAGE)
			continue;
		if (step != WALK_RECORD)
			break;
		e = mark_set_find(set, walk->record.offset);
		entry.location.serial = serial;
		entry.location.offset = walk->record.offset;
		entry.size = walk->record.content_length;
		if ((e == NULL || !e->gone) && walk->record.type == RECORD_MESSAGE &&
		    envelope_id(walk->payload, &entry.location.id, &entry.time))
			hand_out(l, &entry);
	}
}

/* content_is_good - a listing does not read contents; who opens a message checks it. */
static bool content_is_good(void *context, uint64_t offset)
{
	(void)context;
	(void)offset;
	return true;
}

static void list_segment(struct listing *l, int journal, uint64_t serial)
{
	struct segment_header h;
	char name[SEGMENT_NAME];
	struct mark_set set;
	struct walk walk;
	int fd;

	segment_name('S', serial, name);
	fd = os_openat(journal, name, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return; /* recycled meanwhile */
	mark_set_init(&set);
	if (segment_read_header(fd, serial, &h, NULL) == RES_OK &&
	    mark_set_load(&set, journal, serial, h.key, NULL) == RES_OK) {
		walk_init(&walk, fd, h.key, SEGMENT_BLOCK,
			  set.void_from != 0 ? set.void_from : h.size);
		walk.skip_content = content_is_good;
		list_records(l, serial, &walk, &set);
		walk_free(&walk);
	}
	mark_set_free(&set);
	os_close(fd);
}

static void end_place(struct queue_lister *q)
{
	os_dir_close(&q->dir);
	segment_list_free(&q->segments);
	if (q->fd >= 0)
		os_close(q->fd);
	q->fd = -1;
	q->place = QUEUE_NOWHERE;
}

/* begin_place - the next one; what does not exist has been walked. */
static enum result begin_place(struct queue_lister *q, struct queue_error *error)
{
	q->place = (enum queue_place)__builtin_ctz(q->places);
	q->places &= ~QUEUE_PLACE(q->place);
	q->fd = os_openat(q->dirfd, queue_place_name(q->place), O_RDONLY | O_DIRECTORY, 0);
	if (q->place == QUEUE_IN_JOURNAL && q->fd >= 0) {
		q->next_segment = 0;
		return segment_list_read(q->fd, 'S', &q->segments, NULL, error);
	}
	if (q->fd >= 0)
		q->dir = os_dir_open(q->fd, ".");
	if (q->dir != NULL)
		return RES_OK;
	if (errno != ENOENT || q->place == QUEUE_IN_JOURNAL)
		return queue_fail(error, "open queue directory");
	end_place(q);
	return RES_OK;
}

struct queue_lister *queue_lister_open(int dirfd, unsigned places)
{
	struct queue_lister *q = calloc(1, sizeof(*q));

	if (q == NULL)
		out_of_memory();
	q->dirfd = dirfd;
	q->places = places;
	q->fd = -1;
	return q;
}

void queue_lister_close(struct queue_lister **q)
{
	if (*q == NULL)
		return;
	end_place(*q);
	free(*q);
	*q = NULL;
}

enum result queue_lister_next(struct queue_lister *q, queue_list_fn *each, void *context, bool *more,
			      struct queue_error *error)
{
	struct listing l = {.each = each, .context = context, .error = error};
	enum result rc = RES_OK;
	bool rest = false;

	if (q->place == QUEUE_NOWHERE && q->places != 0)
		rc = begin_place(q, error);
	if (rc == RES_OK && q->place == QUEUE_IN_JOURNAL) {
		if (q->next_segment < q->segments.count)
			list_segment(&l, q->fd, q->segments.serials[q->next_segment++]);
		rest = q->next_segment < q->segments.count;
	} else if (rc == RES_OK && q->place != QUEUE_NOWHERE) {
		rc = list_names(q, &l, &rest);
	}
	if (!rest)
		end_place(q);
	*more = !l.stopped && (rest || q->places != 0);
	return rc;
}

enum result queue_list(int dirfd, unsigned places, queue_list_fn *each, void *context,
		       struct queue_error *error)
{
	struct queue_lister *q = queue_lister_open(dirfd, places);
	enum result rc = RES_OK;
	bool more = true;

	while (rc == RES_OK && more)
		rc = queue_lister_next(q, each, context, &more, error);
	queue_lister_close(&q);
	return rc;
}

struct search {
	const struct queue_id *id;
	struct queue_location *found;
};

static bool compare_id(void *context, const struct queue_entry *entry)
{
	struct search *s = context;

	if (!slice_eq(queue_id_slice(s->id), queue_id_slice(&entry->location.id)))
		return true;
	*s->found = entry->location;
	return false;
}

enum result queue_find(int dirfd, const struct queue_id *id, struct queue_location *loc,
		       struct queue_error *error)
{
	struct search s = {.id = id, .found = loc};
	enum result rc;

	memset(loc, 0, sizeof(*loc));
	/* a file of its own outranks what the journal still has */
	for (unsigned p = QUEUE_IN_LARGE; p <= QUEUE_IN_HOLD; p++) {
		int fd = os_openat(dirfd, queue_place_name((enum queue_place)p),
				   O_RDONLY | O_DIRECTORY, 0);
		struct stat st;
		int here = fd >= 0 ? os_fstatat(fd, id->text, &st, AT_SYMLINK_NOFOLLOW) : -1;

		if (fd >= 0)
			os_close(fd);
		if (here == 0) {
			*loc = (struct queue_location){.place = (enum queue_place)p, .id = *id};
			return RES_OK;
		}
	}
	rc = queue_list(dirfd, QUEUE_PLACE(QUEUE_IN_JOURNAL), compare_id, &s, error);
	if (rc == RES_OK && loc->place == QUEUE_NOWHERE)
		rc = queue_refuse(error, QUEUE_GONE, "find");
	return rc;
}
