/* SPDX-License-Identifier: ISC */
#include "queue/record.h"

#include "base/crc32c.h"
#include "os/file.h"

#include <errno.h>

#define MAGIC UINT32_C(0x31517250) /* "PrQ1" */
#define END_MARK UINT32_C(0x21646e45) /* "End!" */
#define VERSION 1

enum { AT_MAGIC = 0, AT_TYPE = 4, AT_FLAGS = 5, AT_VERSION = 6, AT_KEY = 8, AT_CONTENT = 16,
       AT_PAYLOAD = 24, AT_CRC = 28, AT_OFFSET = 32 };

uint64_t record_length(const struct record *r)
{
	uint64_t n = RECORD_HEADER + r->payload_length + r->content_length + RECORD_TRAILER;

	return (n + 7) & ~UINT64_C(7);
}

uint64_t record_content_offset(const struct record *r)
{
	return r->offset + RECORD_HEADER +
	       ((r->flags & RECORD_CONTENT_FIRST) != 0 ? 0 : r->payload_length);
}

uint64_t record_payload_offset(const struct record *r)
{
	return r->offset + RECORD_HEADER +
	       ((r->flags & RECORD_CONTENT_FIRST) != 0 ? r->content_length : 0);
}

uint32_t record_content_seed(const struct record *r)
{
	return (uint32_t)(r->key ^ r->key >> 32);
}

uint32_t record_content_crc(const struct record *r, struct slice content)
{
	return crc32c(record_content_seed(r), content);
}

static uint32_t head_crc(const uint8_t header[RECORD_HEADER], struct slice payload)
{
	uint32_t crc = crc32c(0, slice(header, AT_CRC));

	crc = crc32c(crc, slice(header + AT_OFFSET, RECORD_HEADER - AT_OFFSET));
	return crc32c(crc, payload);
}

void record_put_header(struct record *r, struct slice payload, uint8_t to[RECORD_HEADER])
{
	put_le(to + AT_MAGIC, MAGIC, 4);
	put_le(to + AT_TYPE, r->type, 1);
	put_le(to + AT_FLAGS, r->flags, 1);
	put_le(to + AT_VERSION, VERSION, 2);
	put_le(to + AT_KEY, r->key, 8);
	put_le(to + AT_CONTENT, r->content_length, 8);
	put_le(to + AT_PAYLOAD, r->payload_length, 4);
	put_le(to + AT_OFFSET, r->offset, 8);
	r->head_crc = head_crc(to, payload);
	put_le(to + AT_CRC, r->head_crc, 4);
}

void record_put_trailer(const struct record *r, uint32_t content_crc, uint8_t to[RECORD_TRAILER])
{
	put_le(to, END_MARK, 4);
	put_le(to + 4, content_crc, 4);
	put_le(to + 8, record_length(r), 8);
}

bool record_parse_trailer(const uint8_t from[RECORD_TRAILER], const struct record *r,
			  uint32_t *content_crc)
{
	*content_crc = (uint32_t)get_le(from + 4, 4);
	return get_le(from, 4) == END_MARK && get_le(from + 8, 8) == record_length(r);
}

bool record_parse(const uint8_t from[RECORD_HEADER], uint64_t key, uint64_t offset,
		  struct record *r)
{
	if (get_le(from + AT_MAGIC, 4) != MAGIC || get_le(from + AT_VERSION, 2) != VERSION ||
	    get_le(from + AT_KEY, 8) != key || get_le(from + AT_OFFSET, 8) != offset)
		return false;
	r->type = (enum record_type)from[AT_TYPE];
	r->flags = from[AT_FLAGS];
	r->key = key;
	r->offset = offset;
	r->content_length = get_le(from + AT_CONTENT, 8);
	r->payload_length = (uint32_t)get_le(from + AT_PAYLOAD, 4);
	r->head_crc = (uint32_t)get_le(from + AT_CRC, 4);
	return (r->type == RECORD_MESSAGE || r->type == RECORD_MARK) &&
	       (r->flags & ~(unsigned)RECORD_CONTENT_FIRST) == 0 &&
	       r->payload_length <= RECORD_PAYLOAD_MAX && r->content_length <= RECORD_CONTENT_MAX;
}

bool record_began(const uint8_t from[RECORD_HEADER], uint64_t key, uint64_t offset)
{
	int right = (get_le(from + AT_MAGIC, 4) == MAGIC) + (get_le(from + AT_KEY, 8) == key) +
		    (get_le(from + AT_OFFSET, 8) == offset);

	return right >= 2;
}

uint64_t record_key(const uint8_t from[RECORD_HEADER])
{
	return get_le(from + AT_KEY, 8);
}

bool record_payload_ok(const uint8_t from[RECORD_HEADER], struct slice payload)
{
	return head_crc(from, payload) == (uint32_t)get_le(from + AT_CRC, 4);
}

void window_init(struct window *w, int fd)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->least = WINDOW_SIZE;
	buffer_init(&w->bytes, RECORD_PAYLOAD_MAX + WINDOW_SIZE);
}

void window_init_head(struct window *w, int fd, bool cached)
{
	window_init(w, fd);
	w->least = WINDOW_HEAD;
	w->cached = cached;
}

void window_free(struct window *w)
{
	buffer_free(&w->bytes);
}

const uint8_t *window_get(struct window *w, uint64_t offset, size_t n)
{
	size_t want = n > w->least ? n : w->least;
	ssize_t got;

	if (offset >= w->offset && offset - w->offset <= w->length &&
	    w->length - (offset - w->offset) >= n)
		return (const uint8_t *)w->bytes.data + (offset - w->offset);
	w->length = 0;
	buffer_reset(&w->bytes);
	if (!buffer_reserve(&w->bytes, want))
		return NULL;
	got = w->cached ? os_pread_cached(w->fd, w->bytes.data, want, (off_t)offset)
			: os_pread_full(w->fd, w->bytes.data, want, (off_t)offset);
	if (w->cached && got >= 0 && (size_t)got < n) {
		errno = EAGAIN;
		got = -1;
	}
	if (got < 0) {
		w->errnum = errno;
		return NULL;
	}
	w->offset = offset;
	w->length = (size_t)got;
	return w->length >= n ? (const uint8_t *)w->bytes.data : NULL;
}

bool record_content_ok(struct window *w, const struct record *r)
{
	uint64_t at = record_content_offset(r), end = at + r->content_length;
	uint32_t crc = record_content_seed(r), stored;
	const uint8_t *p;

	while (at < end) {
		size_t n = end - at < WINDOW_SIZE ? (size_t)(end - at) : WINDOW_SIZE;

		p = window_get(w, at, n);
		if (p == NULL)
			return false;
		crc = crc32c(crc, slice(p, n));
		at += n;
	}
	at = r->offset + RECORD_HEADER + r->payload_length + r->content_length;
	p = window_get(w, at, RECORD_TRAILER);
	return p != NULL && record_parse_trailer(p, r, &stored) && stored == crc;
}

void walk_init(struct walk *w, int fd, uint64_t key, uint64_t from, uint64_t end)
{
	memset(w, 0, sizeof(*w));
	window_init(&w->window, fd);
	w->key = key;
	w->at = from;
	w->end = end;
}

void walk_free(struct walk *w)
{
	window_free(&w->window);
}

/* head_ok - a header with its payload at `at` that ends inside the walk. */
static bool head_ok(struct walk *w, uint64_t at, struct record *r, struct slice *payload)
{
	const uint8_t *p;

	if (at > w->end || w->end - at < RECORD_HEADER)
		return false;
	p = window_get(&w->window, at, RECORD_HEADER);
	if (p == NULL || !record_parse(p, w->key, at, r) || r->flags != 0 ||
	    record_length(r) > w->end - at)
		return false;
	p = window_get(&w->window, at, RECORD_HEADER + r->payload_length);
	if (p == NULL)
		return false;
	*payload = slice(p + RECORD_HEADER, r->payload_length);
	return record_payload_ok(p, *payload);
}

/* next_head - the next place after `from` where a good head stands, or the walk's end. */
static uint64_t next_head(struct walk *w, uint64_t from)
{
	struct record r;
	struct slice payload;

	for (uint64_t at = from; at < w->end && w->end - at >= RECORD_HEADER; at += 8) {
		const uint8_t *p = window_get(&w->window, at, RECORD_HEADER);

		if (p == NULL)
			break;
		if (get_le(p, 4) == MAGIC && head_ok(w, at, &r, &payload))
			return at;
	}
	return w->end;
}

/* began_at - the remains of a record, as opposed to bytes never written in this use. */
static bool began_at(struct walk *w, uint64_t at)
{
	const uint8_t *p;

	if (at > w->end || w->end - at < RECORD_HEADER)
		return false;
	p = window_get(&w->window, at, RECORD_HEADER);
	return p != NULL && record_began(p, w->key, at);
}

/*
 * step_damage - the record at w->at is bad; `after` is its end when its head is good, else 0. What
 * follows decides: a good head: go on there. Nothing: a torn tail; it is handed out too if a record was
 * begun here, for a flipped bit in the last record looks the same.
 */
static enum walk_step step_damage(struct walk *w, uint64_t after)
{
	uint64_t from = w->at, next;

	if (w->stop_at_damage)
		return WALK_END;
	next = next_head(w, after != 0 ? after : from + 8);
	if (w->window.errnum != 0)
		return WALK_ERROR;
	if (next >= w->end && !began_at(w, from))
		return WALK_END;
	w->damage_from = from;
	w->at = next < w->end || after == 0 ? next : after;
	return WALK_DAMAGE;
}

/* keep_payload - the content check moves the window; get the payload back. */
static bool keep_payload(struct walk *w)
{
	const uint8_t *p = window_get(&w->window, w->at + RECORD_HEADER, w->record.payload_length);

	w->payload = slice(p, w->record.payload_length);
	return p != NULL;
}

enum walk_step walk_next(struct walk *w)
{
	bool good;

	w->window.errnum = 0;
	good = head_ok(w, w->at, &w->record, &w->payload);
	if (!good)
		return w->window.errnum != 0 ? WALK_ERROR : step_damage(w, 0);
	if (w->skip_content == NULL || !w->skip_content(w->skip_context, w->at))
		good = record_content_ok(&w->window, &w->record);
	good = good && keep_payload(w);
	if (!good)
		return w->window.errnum != 0 ? WALK_ERROR :
					       step_damage(w, w->at + record_length(&w->record));
	w->at += record_length(&w->record);
	return WALK_RECORD;
}

enum result queue_fail(struct queue_error *error, const char *what)
{
	int errnum = errno;

	if (error != NULL) {
		error->errnum = errnum;
		error->what = what;
		error->reason = errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG ?
					QUEUE_NO_SPACE :
					QUEUE_IO;
	}
	return RES_TEMP;
}

enum result queue_refuse(struct queue_error *error, enum queue_reason reason, const char *what)
{
	if (error != NULL)
		*error = (struct queue_error){.reason = reason, .what = what};
	return reason == QUEUE_LOCKED ? RES_TEMP : RES_PERM;
}
