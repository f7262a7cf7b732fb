/* SPDX-License-Identifier: ISC */
/*
 * A message in a file of its own: the content is streamed behind room for the header; at the end come
 * the envelope, the trailer and, into that room, the header. Nothing orders these writes before the one
 * sync, and nothing need: the checksums say whether all of it arrived.
 *
 * What has been written is sent to the disk as it comes, and waited for a little later, so that the last sync
 * finds little to do, and the syncs of others, which share the disk, never queue behind megabytes.
 */
#include "base/check.h"
#include "base/crc32c.h"
#include "os/clock.h"
#include "os/file.h"
#include "queue/codec.h"
#include "queue/record.h"
#include "queue/writer.h"

#include <errno.h>
#include <stdlib.h>

#define PIECE ((uint64_t)256 << 10) /* sent to the disk at once */
#define AHEAD (2 * PIECE)           /* how much may be on its way */

struct queue_large {
	struct queue_writer *w;
	struct queue_id id;
	int fd;
	struct record record;
	uint64_t sent; /* bytes of the file that the disk has been asked to write */
	uint32_t crc;
	bool failed;
};

enum result queue_large_begin(struct queue_writer *w, const struct queue_id *id,
			      struct queue_large **out, struct queue_error *error)
{
	struct queue_large *l;
	int fd = os_openat(w->large, id->text, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

	*out = NULL;
	if (fd < 0)
		return queue_fail(error, "create large message");
	/* the lock tells recovery that somebody is still at it */
	if (os_lock(fd, true, false) < 0) {
		queue_fail(error, "lock large message");
		os_unlinkat(w->large, id->text, 0);
		os_close(fd);
		return RES_TEMP;
	}
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		out_of_memory();
	l->w = w;
	l->id = *id;
	l->fd = fd;
	l->record.type = RECORD_MESSAGE;
	l->record.flags = RECORD_CONTENT_FIRST;
	os_random(&l->record.key, sizeof(l->record.key));
	l->crc = record_content_seed(&l->record);
	*out = l;
	return RES_OK;
}

/* count_and_sum - the content's length and checksum go on over these pieces. */
static void count_and_sum(struct queue_large *l, const struct iovec *content, int count)
{
	for (int i = 0; i < count; i++) {
		l->crc = crc32c(l->crc, slice(content[i].iov_base, content[i].iov_len));
		l->record.content_length += content[i].iov_len;
	}
}

/* send_out - the whole pieces that have been written; -1 and errno. */
static int send_out(struct queue_large *l)
{
	uint64_t written = RECORD_HEADER + l->record.content_length;

	for (; written - l->sent >= PIECE; l->sent += PIECE) {
		if (os_write_out(l->fd, (off_t)l->sent, PIECE, false) < 0)
			return -1;
		if (l->sent >= AHEAD && os_write_out(l->fd, (off_t)(l->sent - AHEAD), PIECE, true) < 0)
			return -1;
	}
	return 0;
}

#define PIECES 64

enum result queue_large_append(struct queue_large *l, const struct iovec *content, int count,
			       struct queue_error *error)
{
	while (count > 0 && !l->failed) {
		int n = count < PIECES ? count : PIECES;
		off_t at = (off_t)(RECORD_HEADER + l->record.content_length);
		struct iovec iov[PIECES];

		memcpy(iov, content, (size_t)n * sizeof(*iov));
		if (os_pwritev_full(l->fd, iov, n, at) < 0) {
			l->failed = true;
			return queue_fail(error, "write large message");
		}
		count_and_sum(l, content, n);
		content += n;
		count -= n;
	}
	if (!l->failed && send_out(l) < 0) {
		l->failed = true;
		return queue_fail(error, "write large message");
	}
	if (l->failed || l->record.content_length > RECORD_CONTENT_MAX)
		return queue_refuse(error, QUEUE_IO, "write large message");
	return RES_OK;
}

uint64_t queue_large_size(const struct queue_large *l)
{
	return l->record.content_length;
}

/* finish - envelope, trailer, header, sync of the file and of its name. */
static enum result finish(struct queue_large *l, const struct buffer *payload,
			  struct queue_error *error)
{
	uint8_t header[RECORD_HEADER], trailer[RECORD_TRAILER + 8] = {0};
	struct iovec iov[2];

	l->record.payload_length = (uint32_t)payload->len;
	record_put_header(&l->record, buffer_slice(payload), header);
	record_put_trailer(&l->record, l->crc, trailer);
	iov[0] = (struct iovec){payload->data, payload->len};
	iov[1] = (struct iovec){trailer, (size_t)(record_length(&l->record) - RECORD_HEADER -
						  payload->len - l->record.content_length)};
	if (os_pwritev_full(l->fd, iov, 2, (off_t)record_payload_offset(&l->record)) < 0 ||
	    os_pwrite_full(l->fd, header, sizeof(header), 0) < 0)
		return queue_fail(error, "write large message");
	if (os_fdatasync(l->fd) < 0 || os_sync_dir(l->w->large) < 0)
		return queue_fail(error, "sync large message");
	return RES_OK;
}

enum result queue_large_commit(struct queue_large **l, const struct queue_envelope *env,
			       struct queue_location *loc, struct queue_error *error)
{
	struct buffer payload;
	enum result rc;

	CHECK(slice_eq(queue_id_slice(&(*l)->id), queue_id_slice(&env->id)));
	buffer_init(&payload, RECORD_PAYLOAD_MAX);
	if ((*l)->failed)
		rc = queue_refuse(error, QUEUE_IO, "write large message");
	else if (!envelope_encode(env, &payload))
		rc = queue_refuse(error, QUEUE_TOO_LARGE, "encode envelope");
	else
		rc = finish(*l, &payload, error);
	buffer_free(&payload);
	if (rc != RES_OK) {
		queue_large_abort(l);
		return rc;
	}
	*loc = (struct queue_location){.place = QUEUE_IN_LARGE, .id = (*l)->id};
	os_close((*l)->fd);
	free(*l);
	*l = NULL;
	return RES_OK;
}

void queue_large_abort(struct queue_large **l)
{
	if (*l == NULL)
		return;
	/* the size first: should the name outlive a power cut, there is no whole message behind it */
	os_ftruncate((*l)->fd, 0);
	os_unlinkat((*l)->w->large, (*l)->id.text, 0);
	os_close((*l)->fd);
	free(*l);
	*l = NULL;
}
