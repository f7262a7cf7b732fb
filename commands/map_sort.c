/* SPDX-License-Identifier: ISC */
#include "commands/map_sort.h"
#include "base/buffer.h"
#include "commands/map_tool.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_ROOM ((size_t)1 << 20)
#define READ_SIZE ((size_t)256 << 10)
#define WRITE_SIZE ((size_t)1 << 20)
#define AHEAD 8

/* An entry, in memory and in a run: this, the key, the value. */
struct head {
	uint32_t value_size;
	uint32_t number;
	uint16_t key_size;
	uint16_t replaces;
};

/* What is compared first: the 8 bytes behind those that all keys of the run have in common. */
struct place {
	uint64_t prefix;
	size_t at;
};

/* A sorted run, and the part of it that has been read back. */
struct run {
	off_t at, end; /* of what has not been read */
	char *data;
	size_t from, have, room;
	struct map_entry entry; /* the first one not given yet */
	bool ended;
};

struct map_sort {
	const char *near;
	size_t memory;
	char *data; /* the run being gathered */
	size_t used, room;
	struct place *places;
	size_t count, place_room;
	size_t common; /* bytes that all of its keys begin with */
	uint32_t number;
	bool sorted; /* nothing is added any more */
	size_t next; /* of `places`, when all fits into memory */
	int fd; /* -1: no run was written */
	off_t written;
	struct run *runs;
	size_t run_count;
	size_t given; /* the run whose entry the caller looks at, plus one */
};

static void *grown(void *old, size_t size)
{
	void *p = realloc(old, size);

	if (p == NULL)
		map_fatal("out of memory");
	return p;
}

struct map_sort *map_sort_create(const char *near, size_t memory)
{
	struct map_sort *sort = grown(NULL, sizeof(*sort));

	*sort = (struct map_sort){.near = near, .memory = memory, .fd = -1};
	return sort;
}

void map_sort_destroy(struct map_sort **sort)
{
	struct map_sort *s = *sort;

	if (s == NULL)
		return;
	for (size_t i = 0; i < s->run_count; i++)
		free(s->runs[i].data);
	if (s->fd >= 0)
		os_close(s->fd);
	free(s->runs);
	free(s->data);
	free(s->places);
	free(s);
	*sort = NULL;
}

/* entry_at - the whole entry begins there. */
static struct map_entry entry_at(const char *p)
{
	struct head head;

	memcpy(&head, p, sizeof(head));
	p += sizeof(head);
	return (struct map_entry){.key = slice(p, head.key_size),
				  .value = slice(p + head.key_size, head.value_size),
				  .number = head.number,
				  .replaces = head.replaces != 0};
}

static size_t entry_size(const char *p)
{
	struct head head;

	memcpy(&head, p, sizeof(head));
	return sizeof(head) + head.key_size + head.value_size;
}

/* ---- in memory */

static uint64_t prefix_of(struct slice key, size_t from)
{
	uint64_t prefix = 0;

	for (size_t i = from; i < from + 8; i++)
		prefix = prefix << 8 | (i < key.n ? (unsigned char)key.p[i] : 0);
	return prefix;
}

static int compare_places(const void *a, const void *b, void *sort)
{
	const struct place *x = a, *y = b;
	const char *data = ((struct map_sort *)sort)->data;
	int order;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	order = slice_cmp(entry_at(data + x->at).key, entry_at(data + y->at).key);
	return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static void sort_memory(struct map_sort *s)
{
	for (size_t i = 0; i < s->count; i++)
		s->places[i].prefix = prefix_of(entry_at(s->data + s->places[i].at).key, s->common);
	if (s->count > 0) /* of nothing there is no array */
		qsort_r(s->places, s->count, sizeof(*s->places), compare_places, s);
}

static void note_common(struct map_sort *s, struct slice key)
{
	struct slice first = entry_at(s->data).key;
	size_t n = s->common < key.n ? s->common : key.n;

	if (s->count == 0)
		n = key.n;
	else if (memcmp(first.p, key.p, n) != 0)
		for (size_t i = 0; i < n; i++)
			if (first.p[i] != key.p[i])
				n = i;
	s->common = n;
}

/* ---- runs in a file */

/* open_beside - a file without a name; where the table lies, or where everybody may write. */
static void open_beside(struct map_sort *s)
{
	const char *const places[] = {s->near, "/var/tmp/postmap"};
	char name[4096];

	for (size_t i = 0; i < 2 && s->fd < 0; i++) {
		snprintf(name, sizeof(name), "%s.sort.%ld", places[i], (long)os_pid());
		s->fd = os_openat(AT_FDCWD, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
		if (s->fd >= 0)
			os_unlinkat(AT_FDCWD, name, 0);
	}
	if (s->fd < 0)
		map_fatal("create %s: %s", name, strerror(errno));
}

static void put_out(struct map_sort *s, struct buffer *out)
{
	if (os_write_full(s->fd, out->data, out->len) < 0)
		map_fatal("write what is being sorted: %s", strerror(errno));
	s->written += (off_t)out->len;
	buffer_reset(out);
}

static void write_run(struct map_sort *s)
{
	struct run run = {.at = s->written};
	struct buffer out;

	if (s->fd < 0)
		open_beside(s);
	sort_memory(s);
	buffer_init(&out, SIZE_MAX / 2);
	for (size_t i = 0; i < s->count; i++) {
		const char *p = s->data + s->places[i].at;

		buffer_append(&out, slice(p, entry_size(p)));
		if (out.len >= WRITE_SIZE)
			put_out(s, &out);
	}
	put_out(s, &out);
	buffer_free(&out);
	run.end = s->written;
	s->runs = grown(s->runs, (s->run_count + 1) * sizeof(*s->runs));
	s->runs[s->run_count++] = run;
	s->used = s->count = 0;
}

/* need - so many bytes at run->from; false: the run ends before them. */
static bool need(const struct map_sort *s, struct run *run, size_t n)
{
	size_t more;

	if (run->have - run->from >= n)
		return true;
	run->have -= run->from;
	if (run->have > 0)
		memmove(run->data, run->data + run->from, run->have);
	run->from = 0;
	more = (n > READ_SIZE ? n : READ_SIZE) - run->have;
	if ((off_t)more > run->end - run->at)
		more = (size_t)(run->end - run->at);
	if (run->room < run->have + more)
		run->data = grown(run->data, run->room = run->have + more);
	if (os_pread_full(s->fd, run->data + run->have, more, run->at) != (ssize_t)more)
		map_fatal("read what is being sorted: %s", strerror(errno));
	run->at += (off_t)more;
	run->have += more;
	return run->have >= n;
}

/* advance - to the next entry of a run; what it gave before is not looked at any more. */
static void advance(const struct map_sort *s, struct run *run)
{
	run->ended = !need(s, run, sizeof(struct head)) ||
		     !need(s, run, entry_size(run->data + run->from));
	if (run->ended)
		return;
	run->entry = entry_at(run->data + run->from);
	run->from += entry_size(run->data + run->from);
}

/* least - the run with the least key, the earliest of those; NULL: all have ended. */
static struct run *least(struct map_sort *s)
{
	struct run *best = NULL;

	for (size_t i = 0; i < s->run_count; i++)
		if (!s->runs[i].ended &&
		    (best == NULL || slice_cmp(s->runs[i].entry.key, best->entry.key) < 0))
			best = &s->runs[i];
	return best;
}

/* ---- the interface */

void map_sort_add(struct map_sort *s, struct slice key, struct slice value, bool replaces)
{
	struct head head = {.value_size = (uint32_t)value.n,
			    .number = s->number++,
			    .key_size = (uint16_t)key.n,
			    .replaces = replaces};
	size_t size = sizeof(head) + key.n + value.n;
	char *p;

	if (s->used > 0 && s->used + size > s->memory)
		write_run(s);
	while (s->used + size > s->room)
		s->data = grown(s->data, s->room = s->room > 0 ? 2 * s->room : FIRST_ROOM);
	if (s->count == s->place_room) {
		s->place_room = s->place_room > 0 ? 2 * s->place_room : 1024;
		s->places = grown(s->places, s->place_room * sizeof(*s->places));
	}
	p = s->data + s->used;
	memcpy(p, &head, sizeof(head));
	memcpy(p + sizeof(head), key.p, key.n);
	if (value.n > 0)
		memcpy(p + sizeof(head) + key.n, value.p, value.n);
	note_common(s, key);
	s->places[s->count++].at = s->used;
	s->used += size;
}

/* end_adding - all that is in memory stays there; or all is in runs. */
static void end_adding(struct map_sort *s)
{
	s->sorted = true;
	if (s->run_count == 0) {
		sort_memory(s);
		return;
	}
	write_run(s);
	free(s->data);
	free(s->places);
	s->data = NULL;
	s->places = NULL;
	for (size_t i = 0; i < s->run_count; i++)
		advance(s, &s->runs[i]);
}

bool map_sort_next(struct map_sort *s, struct map_entry *entry)
{
	struct run *run;

	if (!s->sorted)
		end_adding(s);
	if (s->run_count == 0) {
		if (s->next == s->count)
			return false;
		if (s->next + AHEAD < s->count) /* neighbours by key lie anywhere in memory */
			__builtin_prefetch(s->data + s->places[s->next + AHEAD].at);
		*entry = entry_at(s->data + s->places[s->next++].at);
		return true;
	}
	if (s->given > 0)
		advance(s, &s->runs[s->given - 1]);
	run = least(s);
	if (run == NULL)
		return false;
	*entry = run->entry;
	s->given = (size_t)(run - s->runs) + 1;
	return true;
}
