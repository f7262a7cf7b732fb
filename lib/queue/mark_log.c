/* SPDX-License-Identifier: ISC */
#include "os/file.h"
#include "queue/owner.h"
#include "queue/record.h"

#define PENDING_MAX (SIZE_MAX / 4)

void mark_log_init(struct mark_log *log, uint64_t key)
{
	memset(log, 0, sizeof(*log));
	log->fd = -1;
	log->key = key;
	buffer_init(&log->pending, PENDING_MAX);
}

void mark_log_free(struct mark_log *log)
{
	if (log->fd >= 0)
		os_close(log->fd);
	log->fd = -1;
	buffer_free(&log->pending);
}

void mark_log_add(struct mark_log *log, const struct stored_mark *m)
{
	size_t at = log->pending.len;

	buffer_append(&log->pending, SL("\0\0\0\0"));
	mark_encode(m, &log->pending);
	put_le((uint8_t *)log->pending.data + at, log->pending.len - at - 4, 4);
}

/* put_record - one mark as the record that stands at `at`. */
static uint64_t put_record(struct buffer *out, uint64_t key, uint64_t at, struct slice payload)
{
	struct record r = {.type = RECORD_MARK, .key = key, .offset = at};
	uint8_t header[RECORD_HEADER], trailer[RECORD_TRAILER + 8] = {0};
	size_t tail;

	r.payload_length = (uint32_t)payload.n;
	record_put_header(&r, payload, header);
	record_put_trailer(&r, record_content_seed(&r), trailer);
	tail = (size_t)record_length(&r) - RECORD_HEADER - payload.n;
	buffer_append(out, slice(header, sizeof(header)));
	buffer_append(out, payload);
	buffer_append(out, slice(trailer, tail));
	return at + record_length(&r);
}

int mark_log_flush(struct mark_log *log)
{
	uint64_t at = log->at;
	struct buffer out;
	int rc;

	if (log->flushed == log->pending.len)
		return 0;
	buffer_init(&out, PENDING_MAX);
	for (size_t i = log->flushed; i < log->pending.len;) {
		const uint8_t *p = (const uint8_t *)log->pending.data + i;
		size_t n = (size_t)get_le(p, 4);

		at = put_record(&out, log->key, at, slice(p + 4, n));
		i += 4 + n;
	}
	rc = os_pwrite_full(log->fd, out.data, out.len, (off_t)log->at);
	if (rc == 0) {
		log->at = at;
		log->flushed = log->pending.len;
	}
	buffer_free(&out);
	return rc;
}

void mark_log_settle(struct mark_log *log, size_t n)
{
	buffer_consume(&log->pending, n);
	log->flushed -= n;
}
