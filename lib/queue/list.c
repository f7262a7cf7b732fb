/* SPDX-License-Identifier: ISC */
/* Read-only walks over the spool, beside a running owner. */
#include "os/file.h"
#include "queue/message.h"
#include "queue/segment.h"

#include <errno.h>

struct listing {
	int dirfd;
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

static enum result list_directory(struct listing *l, enum queue_place place)
{
	int fd = os_openat(l->dirfd, queue_place_name(place), O_RDONLY | O_DIRECTORY, 0);
	struct os_dir *dir = fd >= 0 ? os_dir_open(fd, ".") : NULL;
	enum result rc = RES_OK;
	const char *name;
	int more = 0;

	if (dir == NULL && errno != ENOENT)
		rc = queue_fail(l->error, "open queue directory");
	while (dir != NULL && !l->stopped && (more = os_dir_next(dir, &name)) > 0)
		list_file(l, fd, place, name);
	if (more < 0)
		rc = queue_fail(l->error, "read queue directory");
	os_dir_close(&dir);
	if (fd >= 0)
		os_close(fd);
	return rc;
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

static enum result list_journal(struct listing *l)
{
	int journal = os_openat(l->dirfd, "journal", O_RDONLY | O_DIRECTORY, 0);
	struct segment_list list;
	enum result rc;

	if (journal < 0)
		return queue_fail(l->error, "open journal");
	rc = segment_list_read(journal, 'S', &list, NULL, l->error);
	if (rc == RES_OK) {
		for (size_t i = 0; i < list.count && !l->stopped; i++)
			list_segment(l, journal, list.serials[i]);
		segment_list_free(&list);
	}
	os_close(journal);
	return rc;
}

enum result queue_list(int dirfd, unsigned places, queue_list_fn *each, void *context,
		       struct queue_error *error)
{
	struct listing l = {.dirfd = dirfd, .each = each, .context = context, .error = error};
	enum result rc = RES_OK;

	if ((places & QUEUE_PLACE(QUEUE_IN_JOURNAL)) != 0)
		rc = list_journal(&l);
	for (unsigned p = QUEUE_IN_LARGE; p <= QUEUE_IN_CORRUPT && rc == RES_OK && !l.stopped; p++)
		if ((places & QUEUE_PLACE(p)) != 0)
			rc = list_directory(&l, (enum queue_place)p);
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
