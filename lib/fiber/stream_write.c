/* SPDX-License-Identifier: ISC */
#include "fiber/stream_internal.h"
#include "os/file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* send_all - past the buffer. */
static enum stream_status send_all(struct stream *s, const char *p, size_t n, int64_t deadline)
{
	while (n > 0) {
		ssize_t sent = stream_raw_write(s, p, n, deadline);

		if (sent < 0)
			return stream_failure(s);
		p += sent;
		n -= (size_t)sent;
	}
	return STREAM_OK;
}

/* flush_out - what is not sent when this fails stays, in order, for another try. */
static enum stream_status flush_out(struct stream *s, int64_t deadline)
{
	size_t done = 0;

	while (done < s->out_len) {
		ssize_t sent = stream_raw_write(s, s->out + done, s->out_len - done, deadline);

		if (sent < 0) {
			memmove(s->out, s->out + done, s->out_len - done);
			s->out_len -= done;
			return stream_failure(s);
		}
		done += (size_t)sent;
	}
	s->out_len = 0;
	return STREAM_OK;
}

enum stream_status stream_flush(struct stream *s, int64_t deadline)
{
	enum stream_status status = flush_out(s, deadline);

	if (status == STREAM_OK && s->out != NULL) {
		chunk_give(s->out, STREAM_OUT_SIZE);
		s->out = NULL;
	}
	return status;
}

/* put - into the buffer as far as it has room; the number of bytes taken. */
static size_t put(struct stream *s, struct slice bytes)
{
	size_t room = STREAM_OUT_SIZE - s->out_len;
	size_t n = bytes.n < room ? bytes.n : room;

	if (n == 0)
		return 0;
	if (s->out == NULL)
		s->out = chunk_take(STREAM_OUT_SIZE);
	memcpy(s->out + s->out_len, bytes.p, n);
	s->out_len += n;
	return n;
}

enum stream_status stream_write(struct stream *s, struct slice bytes, int64_t deadline)
{
	enum stream_status status = STREAM_OK;

	s->bytes_out += bytes.n;
	while (bytes.n > 0 && status == STREAM_OK) {
		if (s->out_len == 0 && bytes.n >= STREAM_OUT_SIZE)
			return send_all(s, bytes.p, bytes.n, deadline);
		bytes = slice_from(bytes, put(s, bytes));
		if (s->out_len == STREAM_OUT_SIZE)
			status = flush_out(s, deadline);
	}
	return status;
}

enum stream_status stream_writev(struct stream *s, const struct slice *parts, size_t count,
				 int64_t deadline)
{
	enum stream_status status = STREAM_OK;

	for (size_t i = 0; i < count && status == STREAM_OK; i++)
		status = stream_write(s, parts[i], deadline);
	return status;
}

enum stream_status stream_printf(struct stream *s, int64_t deadline, const char *format, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		s->error = EMSGSIZE;
		return STREAM_ERROR;
	}
	return stream_write(s, slice(text, (size_t)n), deadline);
}

/* copy_file - through the buffer, for transports that have to see the bytes. */
static enum stream_status copy_file(struct stream *s, int file, off_t offset, size_t n,
				    int64_t deadline)
{
	char *chunk = chunk_take(STREAM_OUT_SIZE);
	enum stream_status status = STREAM_OK;

	while (n > 0 && status == STREAM_OK) {
		ssize_t got = os_pread_full(file, chunk, n < STREAM_OUT_SIZE ? n : STREAM_OUT_SIZE,
					    offset);

		if (got <= 0) {
			errno = got < 0 ? errno : EIO;
			status = stream_failure(s);
			break;
		}
		status = send_all(s, chunk, (size_t)got, deadline);
		offset += got;
		n -= (size_t)got;
	}
	chunk_give(chunk, STREAM_OUT_SIZE);
	return status;
}

static ssize_t raw_sendfile(struct stream *s, int file, off_t *offset, size_t n, int64_t deadline)
{
	if (s->transport != NULL)
		return s->transport->sendfile(s->transport_state, &s->fd, file, offset, n, deadline,
					      s->why_write);
	return fiber_sendfile(&s->fd, file, offset, n, deadline, s->why_write);
}

enum stream_status stream_sendfile(struct stream *s, int file, off_t offset, size_t n,
				   int64_t deadline)
{
	enum stream_status status = stream_flush(s, deadline);

	if (status != STREAM_OK)
		return status;
	s->bytes_out += n;
	if (s->transport != NULL && s->transport->sendfile == NULL)
		return copy_file(s, file, offset, n, deadline);
	while (n > 0) {
		ssize_t sent = raw_sendfile(s, file, &offset, n, deadline);

		if (sent == 0)
			errno = EIO;
		if (sent <= 0)
			return stream_failure(s);
		n -= (size_t)sent;
	}
	return STREAM_OK;
}
