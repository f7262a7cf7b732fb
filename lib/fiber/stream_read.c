/* SPDX-License-Identifier: ISC */
#include "fiber/stream_internal.h"
#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

size_t stream_buffered(const struct stream *s)
{
	return s->in_len - s->in_at;
}

static void drop_in(struct stream *s)
{
	chunk_give(s->in, s->in_size);
	s->in = NULL;
	s->in_at = s->in_len = s->in_size = 0;
}

/* make_room - space for at least one byte more behind what is buffered, in all up to `want`. */
static void make_room(struct stream *s, size_t want)
{
	size_t have = stream_buffered(s), size;
	char *bigger;

	if (s->in_at > 0 && have > 0)
		memmove(s->in, s->in + s->in_at, have);
	s->in_at = 0;
	s->in_len = have;
	if (have == 0 && s->in_size < s->chunk)
		drop_in(s);
	if (s->in_size > have && s->in_size >= want)
		return;
	size = want > s->chunk ? want : s->chunk;
	bigger = chunk_take(size);
	if (have > 0)
		memcpy(bigger, s->in, have);
	chunk_give(s->in, s->in_size);
	s->in = bigger;
	s->in_size = size;
}

/* wait_readable - with nothing buffered no memory is held meanwhile. */
static enum stream_status wait_readable(struct stream *s, int64_t deadline)
{
	int rc;

	if (stream_buffered(s) == 0) {
		drop_in(s);
		s->chunk = STREAM_CHUNK_MIN;
	}
	if (s->transport != NULL && s->transport->wait != NULL)
		rc = s->transport->wait(s->transport_state, &s->fd, deadline, s->why_read);
	else
		rc = fiber_wait_fd(&s->fd, OS_READABLE, deadline, s->why_read);
	return rc < 0 ? stream_failure(s) : STREAM_OK;
}

/* adapt_chunk - a read that filled the buffer wants a bigger one next time. */
static void adapt_chunk(struct stream *s)
{
	if (s->in_len == s->in_size && s->chunk < STREAM_CHUNK_MAX)
		s->chunk *= 4;
	if (s->chunk > STREAM_CHUNK_MAX)
		s->chunk = STREAM_CHUNK_MAX;
}

/* try_fill - one read into the buffer that does not wait; room for `want` bytes in all. */
static enum stream_status try_fill(struct stream *s, size_t want)
{
	ssize_t n;

	if (s->transport == NULL && !(s->fd.ready & OS_READABLE))
		return STREAM_TIMEOUT;
	make_room(s, want);
	n = stream_raw_read(s, s->in + s->in_len, s->in_size - s->in_len, 0);
	if (n <= 0 && stream_buffered(s) == 0) {
		int saved = errno;

		drop_in(s);
		errno = saved;
	}
	if (n < 0)
		return stream_failure(s);
	if (n == 0)
		return STREAM_EOF;
	s->in_len += (size_t)n;
	adapt_chunk(s);
	return STREAM_OK;
}

/* fill_no_flush - wait for input and read some of it. */
static enum stream_status fill_no_flush(struct stream *s, size_t want, int64_t deadline)
{
	for (;;) {
		enum stream_status status = try_fill(s, want);

		if (status != STREAM_TIMEOUT)
			return status;
		status = wait_readable(s, deadline);
		if (status != STREAM_OK)
			return status;
	}
}

/* fill - the peer must say more; it may be waiting for what we have not sent yet. */
static enum stream_status fill(struct stream *s, size_t want, int64_t deadline)
{
	enum stream_status status = stream_flush(s, deadline);

	return status == STREAM_OK ? fill_no_flush(s, want, deadline) : status;
}

void stream_consume(struct stream *s, size_t n)
{
	CHECK(n <= stream_buffered(s));
	s->in_at += n;
	s->bytes_in += n;
}

enum stream_status stream_peek(struct stream *s, int64_t deadline, struct slice *bytes)
{
	enum stream_status status = STREAM_OK;

	*bytes = SL_NULL;
	if (stream_buffered(s) == 0)
		status = fill(s, 1, deadline);
	if (status == STREAM_OK)
		*bytes = slice(s->in + s->in_at, stream_buffered(s));
	return status;
}

enum stream_status stream_read_some(struct stream *s, void *buf, size_t n, int64_t deadline,
				    size_t *got)
{
	struct slice bytes;
	enum stream_status status = stream_peek(s, deadline, &bytes);

	*got = 0;
	if (status != STREAM_OK)
		return status;
	*got = bytes.n < n ? bytes.n : n;
	memcpy(buf, bytes.p, *got);
	stream_consume(s, *got);
	return STREAM_OK;
}

enum stream_status stream_read_full(struct stream *s, void *buf, size_t n, int64_t deadline,
				    size_t *got)
{
	enum stream_status status = STREAM_OK;
	size_t more;

	*got = 0;
	while (*got < n && status == STREAM_OK) {
		status = stream_read_some(s, (char *)buf + *got, n - *got, deadline, &more);
		*got += more;
	}
	return status;
}

/* take_line - `n` bytes without their end, which is `skip` bytes long. */
static struct slice take_line(struct stream *s, size_t n, size_t skip)
{
	struct slice line = slice(s->in != NULL ? s->in + s->in_at : "", n);

	stream_consume(s, n + skip);
	return line;
}

/* find_line - a complete line within the limit, or one that passes it; false: more is needed. */
static bool find_line(struct stream *s, size_t limit, size_t *searched, struct slice *line,
		      enum stream_line_end *end, enum stream_status *status)
{
	struct slice have = slice(s->in + s->in_at, stream_buffered(s));
	ssize_t lf = slice_find(slice_from(have, *searched), '\n');
	size_t n = lf < 0 ? have.n : *searched + (size_t)lf;
	/* a CR at the very limit may yet turn out to be the first half of the line's end */
	bool cr = n > 0 && have.p[n - 1] == '\r';

	*searched = have.n;
	*end = LINE_OPEN;
	*status = STREAM_TOO_LONG;
	if (n - cr > limit) {
		*line = take_line(s, limit, 0);
		return true;
	}
	if (lf < 0)
		return false;
	*status = STREAM_OK;
	*end = cr ? LINE_CRLF : LINE_LF;
	*line = take_line(s, n - cr, 1u + cr);
	return true;
}

enum stream_status stream_read_line(struct stream *s, size_t limit, int64_t deadline,
				    struct slice *line, enum stream_line_end *end)
{
	enum stream_status status;
	size_t searched = 0;

	*line = SL("");
	*end = LINE_OPEN;
	for (;;) {
		if (stream_buffered(s) > searched &&
		    find_line(s, limit, &searched, line, end, &status))
			return status;
		/* room for the longest line, its end, and a byte that proves it too long */
		status = fill(s, stream_buffered(s) > 0 ? limit + 3 : 1, deadline);
		if (status == STREAM_EOF)
			*line = take_line(s, stream_buffered(s), 0);
		if (status != STREAM_OK)
			return status;
	}
}

enum stream_status stream_skip_line(struct stream *s, int64_t deadline)
{
	for (;;) {
		struct slice have;
		enum stream_status status = stream_peek(s, deadline, &have);
		ssize_t lf;

		if (status != STREAM_OK)
			return status;
		lf = slice_find(have, '\n');
		stream_consume(s, lf < 0 ? have.n : (size_t)lf + 1);
		if (lf >= 0)
			return STREAM_OK;
	}
}

bool stream_pending_input(struct stream *s)
{
	if (stream_buffered(s) > 0)
		return true;
	/* a deadline long past: take what is there, do not wait; an end or error comes again */
	return fill_no_flush(s, 1, 0) == STREAM_OK;
}

size_t stream_discard_input(struct stream *s)
{
	size_t n = stream_buffered(s);

	drop_in(s);
	return n;
}
