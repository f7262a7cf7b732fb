/* SPDX-License-Identifier: ISC */
#include "queue/message.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "os/file.h"
#include "queue/segment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *message_directory(enum queue_place place)
{
	switch (place) {
	case QUEUE_IN_LARGE:
	case QUEUE_IN_DEFERRED:
	case QUEUE_IN_HOLD:
		return queue_place_name(place);
	default:
		return NULL;
	}
}

/* read_trailer - its checks that need no content; keeps the content's checksum. */
static bool read_trailer(struct window *w, const struct record *r, struct queue_message *m)
{
	uint64_t at = r->offset + RECORD_HEADER + r->payload_length + r->content_length;
	const uint8_t *p = window_get(w, at, RECORD_TRAILER);

	if (p == NULL || !record_parse_trailer(p, r, &m->content_crc))
		return false;
	m->content_seed = record_content_seed(r);
	m->content_offset = record_content_offset(r);
	m->content_size = r->content_length;
	return true;
}

/* read_head - header and payload; for CONTENT_FIRST they lie apart. */
static bool read_head(struct window *w, uint64_t key, uint64_t offset, struct record *r,
		      struct slice *payload)
{
	uint8_t header[RECORD_HEADER];
	const uint8_t *p = window_get(w, offset, RECORD_HEADER);

	if (p == NULL)
		return false;
	memcpy(header, p, sizeof(header));
	if (!record_parse(header, key != 0 ? key : record_key(header), offset, r) ||
	    r->type != RECORD_MESSAGE)
		return false;
	p = window_get(w, record_payload_offset(r), r->payload_length);
	*payload = slice(p, r->payload_length);
	return p != NULL && record_payload_ok(header, *payload);
}

static enum result read_record(struct window *w, uint64_t key, uint64_t offset, struct arena *arena,
			       struct queue_message *m, struct record *r, struct queue_error *error)
{
	struct slice payload;
	bool good = read_head(w, key, offset, r, &payload) &&
		    envelope_decode(payload, arena, &m->envelope) && read_trailer(w, r, m);

	window_free(w);
	if (w->errnum != 0) {
		errno = w->errnum;
		return queue_fail(error, "read message");
	}
	if (!good)
		return queue_refuse(error, QUEUE_DAMAGED, "message record");
	m->envelope->content_size = m->content_size;
	return RES_OK;
}

enum result message_read(int fd, uint64_t key, uint64_t offset, struct arena *arena,
			 struct queue_message *m, struct record *r, struct queue_error *error)
{
	struct window w;

	window_init_head(&w, fd, false);
	return read_record(&w, key, offset, arena, m, r, error);
}

enum result message_read_cached(int fd, uint64_t key, uint64_t offset, struct arena *arena,
				struct queue_message *m, struct record *r)
{
	struct window w;

	window_init_head(&w, fd, true);
	return read_record(&w, key, offset, arena, m, r, NULL);
}

enum result message_read_own(int fd, struct arena *arena, struct queue_message *m,
			     struct record *r, uint64_t *append, struct queue_error *error)
{
	enum result rc = message_read(fd, 0, 0, arena, m, r, error);
	const struct mark_entry *e;
	struct mark_set set;

	if (rc != RES_OK)
		return rc;
	mark_set_init(&set);
	rc = mark_set_read(&set, fd, r->key, record_length(r), append, error);
	e = mark_set_find(&set, 0);
	if (rc == RES_OK && e != NULL && e->gone)
		rc = queue_refuse(error, QUEUE_GONE, "finished");
	if (rc == RES_OK)
		mark_set_apply(&set, 0, arena, m->envelope);
	mark_set_free(&set);
	return rc;
}

static enum result gone_or_fail(struct queue_error *error, const char *what)
{
	if (errno == ENOENT)
		return queue_refuse(error, QUEUE_GONE, what);
	return queue_fail(error, what);
}

/* same_id - a location whose message is another one is a location of a message gone. */
static enum result same_id(const struct queue_message *m, struct queue_error *error)
{
	if (slice_eq(queue_id_slice(&m->envelope->id), queue_id_slice(&m->location.id)))
		return RES_OK;
	return queue_refuse(error, QUEUE_GONE, "another message");
}

/* read_own_file - in `dirfd`/large and so on. */
static enum result read_own_file(int dirfd, struct arena *arena, struct queue_message *m,
				 struct queue_error *error)
{
	char path[64];
	struct record r;
	uint64_t append;
	enum result rc;

	snprintf(path, sizeof(path), "%s/%s", message_directory(m->location.place),
		 m->location.id.text);
	m->fd = os_openat(dirfd, path, O_RDONLY | O_NOFOLLOW, 0);
	if (m->fd < 0)
		return gone_or_fail(error, "open message");
	rc = message_read_own(m->fd, arena, m, &r, &append, error);
	if (rc == RES_OK && same_id(m, NULL) != RES_OK)
		rc = queue_refuse(error, QUEUE_DAMAGED, "name and id differ");
	return rc;
}

/* merge_marks - status from the D files of the segment; QUEUE_GONE when it is finished. */
static enum result merge_marks(int journal, uint64_t key, struct arena *arena,
			       struct queue_message *m, struct queue_error *error)
{
	const struct queue_location *loc = &m->location;
	const struct mark_entry *e;
	struct mark_set set;
	enum result rc;

	mark_set_init(&set);
	rc = mark_set_load(&set, journal, loc->serial, key, error);
	e = mark_set_find(&set, loc->offset);
	if (rc == RES_OK && e != NULL && e->gone)
		rc = queue_refuse(error, QUEUE_GONE, "finished");
	if (rc == RES_OK)
		mark_set_apply(&set, loc->offset, arena, m->envelope);
	mark_set_free(&set);
	return rc;
}

enum result message_read_journal(int journal, bool marked, struct arena *arena,
				 struct queue_message *m, struct queue_error *error)
{
	struct segment_header h, again;
	char name[SEGMENT_NAME];
	struct record r;
	enum result rc;

	segment_name('S', m->location.serial, name);
	m->fd = os_openat(journal, name, O_RDONLY | O_NOFOLLOW, 0);
	if (m->fd < 0)
		return gone_or_fail(error, "open segment");
	rc = segment_read_header(m->fd, m->location.serial, &h, error);
	if (rc == RES_OK)
		rc = message_read(m->fd, h.key, m->location.offset, arena, m, &r, error);
	/* the segment may have been recycled under our feet: then it is no damage */
	if (rc == RES_PERM && (segment_read_header(m->fd, m->location.serial, &again, NULL) !=
				       RES_OK || again.key != h.key))
		rc = queue_refuse(error, QUEUE_GONE, "segment recycled");
	if (rc == RES_OK)
		rc = same_id(m, error);
	if (rc == RES_OK && marked)
		rc = merge_marks(journal, h.key, arena, m, error);
	return rc;
}

enum result queue_read(int dirfd, const struct queue_location *loc, struct arena *arena,
		       struct queue_message *m, struct queue_error *error)
{
	enum result rc;
	int journal;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	m->location = *loc;
	if (message_directory(loc->place) != NULL) {
		rc = read_own_file(dirfd, arena, m, error);
	} else if (loc->place == QUEUE_IN_JOURNAL) {
		journal = os_openat(dirfd, "journal", O_RDONLY | O_DIRECTORY, 0);
		if (journal < 0)
			return queue_fail(error, "open journal");
		rc = message_read_journal(journal, true, arena, m, error);
		os_close(journal);
	} else {
		return queue_refuse(error, QUEUE_GONE, "no such place");
	}
	if (rc != RES_OK)
		queue_message_close(m);
	return rc;
}

enum result queue_message_verify(const struct queue_message *m, struct queue_error *error)
{
	uint64_t at = m->content_offset, end = at + m->content_size;
	uint32_t crc = m->content_seed;
	struct window w;

	window_init(&w, m->fd);
	while (at < end) {
		size_t n = end - at < WINDOW_SIZE ? (size_t)(end - at) : WINDOW_SIZE;
		const uint8_t *p = window_get(&w, at, n);

		if (p == NULL)
			break;
		crc = crc32c(crc, slice(p, n));
		at += n;
	}
	window_free(&w);
	if (w.errnum != 0) {
		errno = w.errnum;
		return queue_fail(error, "read content");
	}
	if (at < end || crc != m->content_crc)
		return queue_refuse(error, QUEUE_DAMAGED, "content");
	return RES_OK;
}

enum result queue_message_content(const struct queue_message *m, uint64_t from, void *buf, size_t n,
				  size_t *got)
{
	ssize_t r;

	*got = 0;
	if (from >= m->content_size)
		return RES_OK;
	if (n > m->content_size - from)
		n = (size_t)(m->content_size - from);
	r = os_pread_full(m->fd, buf, n, (off_t)(m->content_offset + from));
	if (r < 0)
		return RES_TEMP;
	*got = (size_t)r;
	return *got == n ? RES_OK : RES_PERM;
}

struct queue_file *queue_file_create(int fd)
{
	struct queue_file *f = calloc(1, sizeof(*f));

	if (f == NULL)
		out_of_memory();
	f->fd = fd;
	atomic_init(&f->users, 1);
	return f;
}

struct queue_file *queue_file_use(struct queue_file *f)
{
	atomic_fetch_add(&f->users, 1);
	return f;
}

void queue_file_leave(struct queue_file **fp)
{
	struct queue_file *f = *fp;

	*fp = NULL;
	if (f == NULL || atomic_fetch_sub(&f->users, 1) > 1)
		return;
	os_close(f->fd);
	free(f);
}

void queue_message_close(struct queue_message *m)
{
	if (m->shared != NULL)
		queue_file_leave(&m->shared);
	else if (m->fd >= 0)
		os_close(m->fd);
	m->fd = -1;
}
