/* SPDX-License-Identifier: ISC */
/*
 * content - the message from the queue's file onto the wire: as it lies there where that is what the
 * wire wants, through the one writer of SMTP data otherwise.
 */
#include "base/check.h"
#include "os/file.h"
#include "queue/envelope.h"
#include "smtp/data.h"
#include "smtp/downgrade.h"
#include "smtp/session.h"

#include <errno.h>
#include <stdlib.h>

/* What is read at once; what is sent under one deadline. */
#define CHUNK ((size_t)16384)
#define SLICE ((size_t)65536)
/* Up to this size content is copied, so that it leaves in one packet with the command around it. */
#define COPY_MAX ((size_t)8192)
/* What QUEUE_LONG_LINES speaks of. */
#define LONG_LINE 998u

void content_plan(const struct session *s, const struct job *job, struct content_plan *plan)
{
	const struct client_conf *conf = s->conf;
	uint32_t flags = job->request->flags;
	bool breaks = conf->line_limit > 0 &&
		      ((flags & QUEUE_LONG_LINES) || conf->line_limit < LONG_LINE);

	plan->convert =
	    conf->convert_8bit && (flags & QUEUE_8BIT) && !(s->ehlo.flags & EHLO_8BITMIME);
	plan->chunking = (s->ehlo.flags & EHLO_CHUNKING) && !plan->convert && !breaks;
	plan->writer = !plan->chunking && (plan->convert || breaks || (flags & QUEUE_DOT_LINES));
}

/* One content on its way. */
struct sending {
	struct session *s;
	const struct job *job;
	uint64_t at; /* bytes of the content so far */
};

static int64_t write_deadline(const struct sending *c)
{
	return os_deadline(c->s->conf->data_xfer_timeout);
}

static enum stream_status write_out(struct sending *c, struct slice bytes)
{
	return stream_write(&c->s->stream, bytes, write_deadline(c));
}

/* read_chunk - the next bytes into buf; STREAM_ERROR EIO when the file does not have them. */
static enum stream_status read_chunk(struct sending *c, char *buf, struct slice *out)
{
	const struct delivery_deliver *r = c->job->request;
	uint64_t left = r->size - c->at;
	size_t n = left < CHUNK ? (size_t)left : CHUNK;
	ssize_t got = os_pread_full(r->content, buf, n, (off_t)(r->offset + c->at));

	if (got != (ssize_t)n) {
		c->s->stream.error = EIO;
		return STREAM_ERROR;
	}
	c->at += n;
	*out = slice(buf, n);
	return STREAM_OK;
}

static char *chunk_alloc(void)
{
	char *p = malloc(CHUNK);

	if (p == NULL)
		out_of_memory();
	return p;
}

/* send_written - through the writer, converted before where the plan says so; the dot behind it. */
static enum stream_status send_written(struct sending *c, bool convert)
{
	struct downgrade *down = convert ? downgrade_create() : NULL;
	struct data_writer writer;
	struct buffer seven, out;
	char *buf = chunk_alloc();
	enum stream_status status = STREAM_OK;
	struct slice in;

	data_writer_init(&writer, c->s->conf->line_limit);
	buffer_init(&seven, 8 * CHUNK + 2 * DOWNGRADE_HELD_MAX);
	buffer_init(&out, 32 * CHUNK + 4 * DOWNGRADE_HELD_MAX);
	while (status == STREAM_OK && c->at < c->job->request->size) {
		status = read_chunk(c, buf, &in);
		if (status != STREAM_OK)
			break;
		if (down != NULL) {
			downgrade_feed(down, in, &seven);
			in = buffer_slice(&seven);
		}
		data_writer_feed(&writer, in, &out);
		status = write_out(c, buffer_slice(&out));
		buffer_reset(&out);
		buffer_reset(&seven);
	}
	if (status == STREAM_OK) {
		if (down != NULL)
			downgrade_end(down, &seven);
		data_writer_feed(&writer, buffer_slice(&seven), &out);
		data_writer_end(&writer, &out);
		CHECK(!buffer_overflowed(&out) && !buffer_overflowed(&seven));
		status = write_out(c, buffer_slice(&out));
	}
	buffer_free(&out);
	buffer_free(&seven);
	downgrade_destroy(&down);
	free(buf);
	return status;
}

static enum stream_status send_copied(struct sending *c)
{
	char *buf = chunk_alloc();
	enum stream_status status = STREAM_OK;
	struct slice in;

	while (status == STREAM_OK && c->at < c->job->request->size) {
		status = read_chunk(c, buf, &in);
		if (status == STREAM_OK)
			status = write_out(c, in);
	}
	free(buf);
	return status;
}

static enum stream_status send_slice(struct sending *c, uint64_t end)
{
	const struct delivery_deliver *r = c->job->request;
	size_t n = end - c->at < SLICE ? (size_t)(end - c->at) : SLICE;
	enum stream_status status = stream_sendfile(
	    &c->s->stream, r->content, (off_t)(r->offset + c->at), n, write_deadline(c));

	c->at += n;
	return status;
}

/* send_plain - the bytes as they lie in the file, up to `end`. */
static enum stream_status send_plain(struct sending *c, uint64_t end)
{
	enum stream_status status = STREAM_OK;

	while (status == STREAM_OK && c->at < end)
		status = send_slice(c, end);
	return status;
}

/* send_chunk - RFC 3030: one chunk, the last. Once its last bytes are on their way, it may have come. */
static enum stream_status send_chunk(struct sending *c, bool *unknown)
{
	uint64_t size = c->job->request->size;
	uint64_t before = size > SLICE ? size - SLICE : 0;
	enum stream_status status =
	    stream_printf(&c->s->stream, write_deadline(c), "BDAT %llu LAST\r\n", (unsigned long long)size);

	if (status == STREAM_OK)
		status = send_plain(c, before);
	if (status != STREAM_OK)
		return status;
	*unknown = true;
	status = size <= COPY_MAX ? send_copied(c) : send_plain(c, size);
	return status == STREAM_OK ? stream_flush(&c->s->stream, write_deadline(c)) : status;
}

/*
 * send_data - RFC 5321 4.1.1.4. Only the dot makes a message of it, and it is the last that is written:
 * where a write before the last flush fails, it has not left.
 */
static enum stream_status send_data(struct sending *c, const struct content_plan *plan, bool *unknown)
{
	uint64_t size = c->job->request->size;
	enum stream_status status;

	if (plan->writer) {
		status = send_written(c, plan->convert);
	} else {
		status = size <= COPY_MAX ? send_copied(c) : send_plain(c, size);
		if (status == STREAM_OK)
			status = write_out(c, SL(".\r\n"));
	}
	if (status != STREAM_OK)
		return status;
	*unknown = true;
	return stream_flush(&c->s->stream, write_deadline(c));
}

enum stream_status content_send(struct session *s, const struct job *job,
				const struct content_plan *plan, bool *unknown)
{
	struct sending c = {s, job, 0};

	*unknown = false;
	return plan->chunking ? send_chunk(&c, unknown) : send_data(&c, plan, unknown);
}
