/* SPDX-License-Identifier: ISC */
#include "queue/writer.h"

#include "base/check.h"
#include "base/crc32c.h"
#include "os/clock.h"
#include "os/file.h"
#include "queue/codec.h"
#include "queue/record.h"

#include <errno.h>
#include <stdlib.h>

/* What is to be written for one item; payload and content stay where they are. */
struct pending {
	struct queue_batch_item item;
	size_t payload_at; /* in batch->payloads */
	struct record record;
	size_t iov_first;
	size_t iov_count;
	uint8_t header[RECORD_HEADER];
	uint8_t trailer[RECORD_TRAILER + 8]; /* and padding */
	bool fits;
};

struct queue_batch {
	struct buffer payloads;
	struct pending *items;
	size_t count, size;
	struct iovec *content;
	size_t content_count, content_size;
	struct iovec *out; /* gathered for one write */
	size_t out_size;
	uint64_t bytes;
};

#define PAYLOADS_MAX (SIZE_MAX / 4)

static void *grow(void *array, size_t need, size_t *size, size_t element)
{
	if (need <= *size)
		return array;
	*size = need * 2 < 64 ? 64 : need * 2;
	array = reallocarray(array, *size, element);
	if (array == NULL)
		out_of_memory();
	return array;
}

struct queue_batch *queue_batch_create(void)
{
	struct queue_batch *b = calloc(1, sizeof(*b));

	if (b == NULL)
		out_of_memory();
	buffer_init(&b->payloads, PAYLOADS_MAX);
	return b;
}

void queue_batch_destroy(struct queue_batch **b)
{
	if (*b == NULL)
		return;
	buffer_free(&(*b)->payloads);
	free((*b)->items);
	free((*b)->content);
	free((*b)->out);
	free(*b);
	*b = NULL;
}

void queue_batch_reset(struct queue_batch *b)
{
	buffer_reset(&b->payloads);
	b->count = 0;
	b->content_count = 0;
	b->bytes = 0;
}

void queue_batch_add(struct queue_batch *b, const struct queue_envelope *env,
		     const struct iovec *content, int count, void *cookie)
{
	struct pending *p;

	b->items = grow(b->items, b->count + 1, &b->size, sizeof(*b->items));
	b->content = grow(b->content, b->content_count + (size_t)count, &b->content_size,
			  sizeof(*b->content));
	p = &b->items[b->count++];
	memset(p, 0, sizeof(*p));
	p->item.cookie = cookie;
	p->item.location.place = QUEUE_IN_JOURNAL;
	p->item.location.id = env->id;
	p->payload_at = b->payloads.len;
	p->fits = envelope_encode(env, &b->payloads) &&
		  b->payloads.len - p->payload_at <= RECORD_PAYLOAD_MAX;
	p->record.type = RECORD_MESSAGE;
	p->record.payload_length = (uint32_t)(b->payloads.len - p->payload_at);
	p->iov_first = b->content_count;
	p->iov_count = (size_t)count;
	for (int i = 0; i < count; i++) {
		b->content[b->content_count++] = content[i];
		p->record.content_length += content[i].iov_len;
	}
	b->bytes += record_length(&p->record);
}

size_t queue_batch_count(const struct queue_batch *b)
{
	return b->count;
}

uint64_t queue_batch_bytes(const struct queue_batch *b)
{
	return b->bytes;
}

struct queue_batch_item *queue_batch_item(struct queue_batch *b, size_t i)
{
	CHECK(i < b->count);
	return &b->items[i].item;
}

enum result queue_writer_open(int dirfd, const struct queue_settings *settings,
			      struct queue_writer **out, struct queue_error *error)
{
	static const struct queue_settings defaults;
	struct queue_writer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		out_of_memory();
	if (settings == NULL)
		settings = &defaults;
	w->segment_size = settings->segment_size != 0 ? settings->segment_size :
							SEGMENT_SIZE_DEFAULT;
	if (w->segment_size < SEGMENT_SIZE_MIN)
		w->segment_size = SEGMENT_SIZE_MIN;
	w->large_limit = settings->large_limit != 0 ? settings->large_limit : w->segment_size / 8;
	w->fd = w->ended_fd = -1;
	pthread_mutex_init(&w->commit_lock, NULL);
	pthread_mutex_init(&w->id_lock, NULL);
	w->large = -1;
	w->journal = os_openat(dirfd, "journal", O_RDONLY | O_DIRECTORY, 0);
	if (w->journal >= 0)
		w->large = os_openat(dirfd, "large", O_RDONLY | O_DIRECTORY, 0);
	if (w->large < 0)
		queue_fail(error, "open journal");
	else if (segment_take(w->journal, w->segment_size, &w->ended, &w->segment, &w->fd,
			      error) != RES_OK)
		w->fd = -1;
	*out = w;
	if (w->fd < 0) {
		queue_writer_close(out);
		return RES_TEMP;
	}
	w->at = SEGMENT_BLOCK;
	w->id_serial = w->segment.serial;
	return RES_OK;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		os_close(*fd);
	*fd = -1;
}

/* ensure_segment - have one with room for n more bytes. */
static enum result ensure_segment(struct queue_writer *w, uint64_t n, struct queue_error *error)
{
	if (w->fd >= 0 && w->segment.size - w->at >= n)
		return RES_OK;
	close_fd(&w->fd); /* full: unlocked, qmgr may recycle it when its time comes */
	if (segment_take(w->journal, w->segment_size, &w->ended, &w->segment, &w->fd, error) !=
	    RES_OK) {
		w->fd = -1;
		return RES_TEMP;
	}
	w->at = SEGMENT_BLOCK;
	memset(&w->ended, 0, sizeof(w->ended));
	close_fd(&w->ended_fd);
	return RES_OK;
}

void queue_writer_close(struct queue_writer **w)
{
	if (*w == NULL)
		return;
	/* what was refused must not come back: once more, try to put that on record */
	if ((*w)->ended.from != 0)
		ensure_segment(*w, 0, NULL);
	close_fd(&(*w)->fd);
	close_fd(&(*w)->ended_fd);
	close_fd(&(*w)->journal);
	close_fd(&(*w)->large);
	pthread_mutex_destroy(&(*w)->commit_lock);
	pthread_mutex_destroy(&(*w)->id_lock);
	free(*w);
	*w = NULL;
}

void queue_writer_rotate(struct queue_writer *w)
{
	pthread_mutex_lock(&w->commit_lock);
	close_fd(&w->fd);
	pthread_mutex_unlock(&w->commit_lock);
}

void queue_writer_id(struct queue_writer *w, struct queue_id *id, int64_t *arrival)
{
	int64_t now = os_wall();

	pthread_mutex_lock(&w->id_lock);
	/* never the same microsecond twice, not even when the clock is set back */
	w->id_time = now > w->id_time ? now : w->id_time + 1;
	now = w->id_time;
	pthread_mutex_unlock(&w->id_lock);
	queue_id_make(now, w->id_serial, id);
	if (arrival != NULL)
		*arrival = now;
}

bool queue_writer_fits(const struct queue_writer *w, uint64_t content_size)
{
	return content_size <= w->large_limit && content_size <= w->segment_size / 2;
}

/* prepare - final header and trailer of an item that goes to offset w->at. */
static void prepare(struct queue_writer *w, struct queue_batch *b, struct pending *p)
{
	struct slice payload = slice(b->payloads.data + p->payload_at, p->record.payload_length);
	uint32_t crc;

	p->record.key = w->segment.key;
	p->record.offset = w->at;
	record_put_header(&p->record, payload, p->header);
	crc = record_content_seed(&p->record);
	for (size_t i = 0; i < p->iov_count; i++) {
		const struct iovec *iov = &b->content[p->iov_first + i];

		crc = crc32c(crc, slice(iov->iov_base, iov->iov_len));
	}
	memset(p->trailer, 0, sizeof(p->trailer));
	record_put_trailer(&p->record, crc, p->trailer);
	p->item.location.serial = w->segment.serial;
	p->item.location.offset = w->at;
	w->at += record_length(&p->record);
}

/* gather - the pieces of an item behind those already in b->out. */
static size_t gather(struct queue_batch *b, const struct pending *p, size_t n)
{
	size_t tail = (size_t)(record_length(&p->record) - RECORD_HEADER -
			       p->record.payload_length - p->record.content_length);

	b->out = grow(b->out, n + p->iov_count + 3, &b->out_size, sizeof(*b->out));
	b->out[n++] = (struct iovec){(void *)p->header, RECORD_HEADER};
	b->out[n++] = (struct iovec){b->payloads.data + p->payload_at, p->record.payload_length};
	for (size_t i = 0; i < p->iov_count; i++)
		b->out[n++] = b->content[p->iov_first + i];
	b->out[n++] = (struct iovec){(void *)p->trailer, tail};
	return n;
}

/*
 * abandon - the present segment failed at or behind `from`: nothing is tried again on it. The next
 * segment's header declares the rest void; until that is durable the lock is kept, and the refused
 * records' headers are wiped as far as the page cache allows, so that no rescan meets them.
 */
static void abandon(struct queue_writer *w, struct queue_batch *b, size_t first, size_t last,
		    uint64_t from)
{
	static const uint8_t nothing[RECORD_HEADER];

	for (size_t i = last; i-- > first;)
		if (b->items[i].fits)
			os_pwrite_full(w->fd, nothing, sizeof(nothing),
				       (off_t)b->items[i].record.offset);
	close_fd(&w->ended_fd);
	w->ended = (struct segment_void){w->segment.serial, w->segment.key, from};
	w->ended_fd = w->fd;
	w->fd = -1;
	ensure_segment(w, 0, NULL);
}

/*
 * gather_end - zeros where the next record would begin, for what an earlier use of the segment left there
 * may look like the remains of one. The next run writes over them.
 */
static size_t gather_end(struct queue_writer *w, struct queue_batch *b, size_t n)
{
	static const uint8_t nothing[RECORD_HEADER];
	uint64_t room = w->segment.size - w->at;

	b->out = grow(b->out, n + 1, &b->out_size, sizeof(*b->out));
	b->out[n++] = (struct iovec){(void *)(uintptr_t)nothing,
				     room < RECORD_HEADER ? (size_t)room : RECORD_HEADER};
	return n;
}

/* write_run - write and sync items [first, last), which fit the present segment. */
static enum result write_run(struct queue_writer *w, struct queue_batch *b, size_t first,
			     size_t last)
{
	struct queue_error error = {0};
	uint64_t from = w->at;
	enum result rc = RES_OK;
	size_t n = 0;

	for (size_t i = first; i < last; i++) {
		if (!b->items[i].fits)
			continue;
		prepare(w, b, &b->items[i]);
		n = gather(b, &b->items[i], n);
	}
	if (n == 0)
		return RES_OK;
	n = gather_end(w, b, n);
	if (os_pwritev_full(w->fd, b->out, (int)n, (off_t)from) < 0)
		rc = queue_fail(&error, "write segment");
	else if (os_fdatasync(w->fd) < 0)
		rc = queue_fail(&error, "sync segment");
	if (rc != RES_OK)
		abandon(w, b, first, last, from);
	for (size_t i = first; i < last; i++) {
		if (!b->items[i].fits)
			continue;
		b->items[i].item.result = rc;
		b->items[i].item.error = error;
	}
	return rc;
}

/* end_of_run - the first item that does not fit the present segment any more. */
static size_t end_of_run(const struct queue_writer *w, const struct queue_batch *b, size_t first)
{
	uint64_t room = w->segment.size - w->at;
	size_t i;

	for (i = first; i < b->count; i++) {
		uint64_t n = record_length(&b->items[i].record);

		if (!b->items[i].fits)
			continue;
		if (n > room)
			break;
		room -= n;
	}
	return i;
}

/* fail_rest - there is no segment: all from `first` on is refused for now. */
static void fail_rest(struct queue_batch *b, size_t first, const struct queue_error *error)
{
	for (size_t i = first; i < b->count; i++) {
		if (!b->items[i].fits)
			continue;
		b->items[i].item.result = RES_TEMP;
		b->items[i].item.error = *error;
	}
}

/* refuse_misfits - what can never go into a segment. */
static void refuse_misfits(struct queue_writer *w, struct queue_batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct pending *p = &b->items[i];

		if (record_length(&p->record) > w->segment_size - SEGMENT_BLOCK)
			p->fits = false;
		if (!p->fits)
			p->item.result = queue_refuse(&p->item.error, QUEUE_TOO_LARGE, "commit");
	}
}

enum result queue_writer_commit(struct queue_writer *w, struct queue_batch *b)
{
	struct queue_error error = {0};
	enum result rc = RES_OK;
	size_t first = 0;

	pthread_mutex_lock(&w->commit_lock);
	refuse_misfits(w, b);
	while (first < b->count) {
		const struct pending *p = &b->items[first];
		size_t last;

		if (!p->fits) {
			first++;
			continue;
		}
		if (ensure_segment(w, record_length(&p->record), &error) != RES_OK) {
			fail_rest(b, first, &error);
			break;
		}
		last = end_of_run(w, b, first);
		write_run(w, b, first, last);
		first = last;
	}
	pthread_mutex_unlock(&w->commit_lock);
	for (size_t i = 0; i < b->count && rc == RES_OK; i++)
		rc = b->items[i].item.result;
	return rc;
}
