/* SPDX-License-Identifier: ISC */
#include "fiber/stream_internal.h"
#include "base/check.h"

#include <errno.h>

const char *stream_status_text(enum stream_status status)
{
	switch (status) {
	case STREAM_OK:
		return "ok";
	case STREAM_EOF:
		return "end of file";
	case STREAM_TIMEOUT:
		return "timeout";
	case STREAM_CANCELLED:
		return "cancelled";
	case STREAM_TOO_LONG:
		return "line too long";
	case STREAM_ERROR:
		break;
	}
	return "error";
}

enum stream_status stream_failure(struct stream *s)
{
	switch (errno) {
	case ETIMEDOUT:
		return STREAM_TIMEOUT;
	case ECANCELED:
		return STREAM_CANCELLED;
	default:
		s->error = errno;
		return STREAM_ERROR;
	}
}

void stream_init(struct stream *s, int fd)
{
	*s = (struct stream){.chunk = STREAM_CHUNK_MIN,
			     .why_read = "read from peer",
			     .why_write = "write to peer"};
	fiber_fd_init(&s->fd, fd);
	s->fd.stream = true;
}

void stream_set_why(struct stream *s, const char *why_read, const char *why_write)
{
	if (why_read != NULL)
		s->why_read = why_read;
	if (why_write != NULL)
		s->why_write = why_write;
}

ssize_t stream_raw_read(struct stream *s, void *buf, size_t n, int64_t deadline)
{
	if (s->transport != NULL)
		return s->transport->read(s->transport_state, &s->fd, buf, n, deadline,
					  s->why_read);
	return fiber_recv(&s->fd, buf, n, deadline, s->why_read);
}

ssize_t stream_raw_write(struct stream *s, const void *buf, size_t n, int64_t deadline)
{
	if (s->transport != NULL)
		return s->transport->write(s->transport_state, &s->fd, buf, n, deadline,
					   s->why_write);
	return fiber_send(&s->fd, buf, n, deadline, s->why_write);
}

void stream_set_transport(struct stream *s, const struct stream_transport *transport, void *state)
{
	CHECK(stream_buffered(s) == 0 && s->out_len == 0);
	s->transport = transport;
	s->transport_state = state;
}

/*
 * nothing_comes - the peer has said nothing that we have not read: what we say last may go out together
 * with the end. (With unread input the kernel would reset the connection, and drop what has not gone.)
 */
static bool nothing_comes(const struct stream *s)
{
	return stream_buffered(s) == 0 && !(s->fd.ready & OS_READABLE);
}

enum stream_status stream_close(struct stream *s, int64_t deadline)
{
	enum stream_status status = STREAM_OK;

	if (s->fd.fd < 0)
		return STREAM_OK;
	if (deadline > 0) {
		s->fd.more = nothing_comes(s);
		status = stream_flush(s, deadline);
	}
	if (s->transport != NULL)
		s->transport->close(s->transport_state, &s->fd,
				    status == STREAM_OK ? deadline : 0);
	s->transport = NULL;
	s->transport_state = NULL;
	fiber_fd_close(&s->fd);
	chunk_give(s->in, s->in_size);
	chunk_give(s->out, STREAM_OUT_SIZE);
	s->in = s->out = NULL;
	s->in_at = s->in_len = s->in_size = s->out_len = 0;
	return status;
}
