/* SPDX-License-Identifier: ISC */
#include "queue/marks.h"

#include "os/file.h"
#include "queue/record.h"
#include "queue/segment.h"

#include <errno.h>

void mark_set_init(struct mark_set *set)
{
	memset(set, 0, sizeof(*set));
	set->arena = arena_create();
	set->by_offset = map_create();
}

void mark_set_free(struct mark_set *set)
{
	map_destroy(&set->by_offset);
	arena_destroy(&set->arena);
}

static struct slice keep(struct arena *arena, struct slice s)
{
	return slice_is_null(s) ? s : arena_dup(arena, s);
}

static struct mark_entry *entry_at(struct mark_set *set, uint64_t offset)
{
	struct slice key = slice(&offset, sizeof(offset));
	struct mark_entry *e = map_get(set->by_offset, key);

	if (e == NULL) {
		e = ARENA_NEW(set->arena, struct mark_entry);
		map_put(set->by_offset, key, e);
	}
	return e;
}

static void entry_push(struct arena *arena, struct mark_entry *e, const struct stored_mark *m)
{
	struct queue_mark *copy;

	if (e->count == e->size) {
		struct stored_mark *more;

		e->size = e->size != 0 ? e->size * 2 : 4;
		more = ARENA_ARRAY(arena, e->size, struct stored_mark);
		if (e->count > 0)
			memcpy(more, e->marks, e->count * sizeof(*more));
		e->marks = more;
	}
	e->marks[e->count] = *m;
	copy = &e->marks[e->count++].mark;
	copy->dsn = keep(arena, copy->dsn);
	copy->text = keep(arena, copy->text);
	copy->relay = keep(arena, copy->relay);
	copy->mta = keep(arena, copy->mta);
	copy->remote = keep(arena, copy->remote);
	copy->final = keep(arena, copy->final);
}

void mark_set_add(struct mark_set *set, const struct stored_mark *m)
{
	if (m->kind == MARK_VOID) {
		if (set->void_from == 0 || m->offset < set->void_from)
			set->void_from = m->offset;
	} else if (m->kind == MARK_GONE) {
		entry_at(set, m->offset)->gone = true;
	} else {
		entry_push(set->arena, entry_at(set, m->offset), m);
	}
}

const struct mark_entry *mark_set_find(const struct mark_set *set, uint64_t offset)
{
	return map_get(set->by_offset, slice(&offset, sizeof(offset)));
}

enum result mark_set_read(struct mark_set *set, int fd, uint64_t key, uint64_t from, uint64_t *end,
			  struct queue_error *error)
{
	enum walk_step step;
	struct walk walk;
	struct stat st;

	if (os_fstat(fd, &st) < 0)
		return queue_fail(error, "stat marks");
	walk_init(&walk, fd, key, from, (uint64_t)st.st_size);
	*end = from;
	while ((step = walk_next(&walk)) == WALK_RECORD || step == WALK_DAMAGE) {
		struct stored_mark m;

		*end = walk.at;
		if (step == WALK_DAMAGE || walk.record.type != RECORD_MARK ||
		    !mark_decode(walk.payload, &m))
			set->damaged++;
		else
			mark_set_add(set, &m);
	}
	errno = walk.window.errnum;
	walk_free(&walk);
	return step == WALK_ERROR ? queue_fail(error, "read marks") : RES_OK;
}

/* count_generations - one more than the highest that there is a D file of. */
static enum result count_generations(int journal, uint64_t serial, unsigned *count,
				     struct queue_error *error)
{
	struct os_dir *dir = os_dir_open(journal, ".");
	const char *name;
	int more;

	*count = 0;
	if (dir == NULL)
		return queue_fail(error, "open journal");
	while ((more = os_dir_next(dir, &name)) > 0) {
		unsigned generation;
		uint64_t s;
		char kind;

		if (segment_parse_name(name, &kind, &s, &generation) && kind == 'D' &&
		    s == serial && generation >= *count)
			*count = generation + 1;
	}
	os_dir_close(&dir);
	return more < 0 ? queue_fail(error, "read journal") : RES_OK;
}

static enum result load_generation(struct mark_set *set, int journal, uint64_t serial,
				   unsigned generation, uint64_t key, struct queue_error *error)
{
	char name[SEGMENT_NAME];
	enum result rc;
	uint64_t end;
	int fd;

	segment_mark_name(serial, generation, name);
	fd = os_openat(journal, name, O_RDONLY | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT ? RES_OK : queue_fail(error, "open marks");
	rc = mark_set_read(set, fd, key, 0, &end, error);
	os_close(fd);
	return rc;
}

enum result mark_set_load(struct mark_set *set, int journal, uint64_t serial, uint64_t key,
			  struct queue_error *error)
{
	enum result rc = count_generations(journal, serial, &set->generations, error);

	for (unsigned g = 0; rc == RES_OK && g < set->generations; g++)
		rc = load_generation(set, journal, serial, g, key, error);
	return rc;
}

void mark_set_apply(const struct mark_set *set, uint64_t offset, struct arena *arena,
		    struct queue_envelope *env)
{
	const struct mark_entry *e = mark_set_find(set, offset);

	for (size_t i = 0; e != NULL && i < e->count; i++)
		mark_apply(&e->marks[i].mark, arena, env);
}
