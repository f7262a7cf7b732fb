/* SPDX-License-Identifier: ISC */
#include "bounce/original.h"
#include "fiber/fiber.h"
#include "os/file.h"

#define CHUNK 8192

struct read_job {
	int fd;
	char *buffer;
	size_t want;
	off_t offset;
	ssize_t got;
};

static void read_chunk(void *arg)
{
	struct read_job *job = arg;

	job->got = os_pread_full(job->fd, job->buffer, job->want, job->offset);
}

/* What is known of the text between two chunks. */
struct copy {
	struct intake *in;
	int64_t deadline;
	bool headers_only;
	bool done;	 /* the end of the header was met */
	bool line_empty; /* nothing since the last LF */
	bool held_cr;	 /* but a CR, not passed on yet: the header may end here */
	char last;	 /* byte before this chunk; LF at the beginning */
};

/* line_length - up to and with LF, or all there is. */
static size_t line_length(struct slice text)
{
	ssize_t lf = slice_find(text, '\n');

	return lf < 0 ? text.n : (size_t)lf + 1;
}

/* ends_header - the empty line, which is not passed on; it may come in two pieces. */
static bool ends_header(struct copy *c, struct slice line)
{
	if (!c->line_empty)
		return false;
	if (slice_eq(line, SL("\r"))) {
		c->held_cr = true;
		return true;
	}
	c->done = slice_eq(line, SL("\n")) || slice_eq(line, SL("\r\n"));
	if (!c->done && c->held_cr)
		intake_content(c->in, SL("\r"), c->deadline);
	c->held_cr = false;
	return c->done;
}

static void pass_line(struct copy *c, struct slice line)
{
	bool ended = line.p[line.n - 1] == '\n';
	char before = line.n > 1 ? line.p[line.n - 2] : c->last;

	if (c->headers_only && ends_header(c, line))
		return;
	if (ended && before != '\r') {
		intake_content(c->in, slice_sub(line, 0, line.n - 1), c->deadline);
		intake_content(c->in, SL("\r\n"), c->deadline);
	} else {
		intake_content(c->in, line, c->deadline);
	}
	c->last = line.p[line.n - 1];
	c->line_empty = ended;
}

static void pass_chunk(struct copy *c, struct slice text)
{
	while (text.n > 0 && !c->done) {
		size_t n = line_length(text);

		pass_line(c, slice_sub(text, 0, n));
		text = slice_from(text, n);
	}
}

enum result original_copy(const struct bounce_report *report, bool headers_only, struct intake *in,
			  int64_t deadline)
{
	char buffer[CHUNK];
	struct copy c = {.in = in,
			 .deadline = deadline,
			 .headers_only = headers_only,
			 .line_empty = true,
			 .last = '\n'};
	uint64_t at = 0;

	while (at < report->size && !c.done && !intake_failed(in)) {
		struct read_job job = {.fd = report->content,
				       .buffer = buffer,
				       .want = CHUNK,
				       .offset = (off_t)(report->offset + at)};

		if (report->size - at < CHUNK)
			job.want = (size_t)(report->size - at);
		fiber_offload(read_chunk, &job, "read of the message");
		if (job.got < (ssize_t)job.want)
			return RES_TEMP;
		pass_chunk(&c, slice(buffer, job.want));
		at += job.want;
	}
	if (c.last != '\n')
		intake_content(in, SL("\r\n"), deadline);
	return RES_OK;
}
