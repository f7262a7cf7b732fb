/* SPDX-License-Identifier: ISC */
/*
 * large - a message that goes to a file of its own. It shares disk and worker threads with the small ones, for
 * which many clients wait at a time, and must not hold them up: it is written in pieces, none of which begins
 * while a batch of small messages is at the disk, and some threads are always left to others.
 */
#include "cleanup/cleanup.h"
#include "base/check.h"

/* What gathers in memory before it is written: each write costs two switches between threads. */
#define PIECE ((size_t)256 << 10)

struct large_job {
	struct message *m;
	struct iovec iov[2];
	int count;
	enum result result;
	struct queue_location location;
	struct queue_error error;
};

static void begin_on_thread(void *arg)
{
	struct large_job *job = arg;
	struct message *m = job->m;

	job->result = queue_large_begin(m->process->writer, &m->envelope.id, &m->large, &job->error);
}

static void append_on_thread(void *arg)
{
	struct large_job *job = arg;

	job->result = queue_large_append(job->m->large, job->iov, job->count, &job->error);
}

static void commit_on_thread(void *arg)
{
	struct large_job *job = arg;

	job->result = queue_large_commit(&job->m->large, &job->m->envelope, &job->location, &job->error);
}

static void abort_on_thread(void *arg)
{
	queue_large_abort(&((struct large_job *)arg)->m->large);
}

/* in_turn - fn(job) on a worker thread, when it is this message's turn; a cancelled session does not wait for it. */
static void in_turn(void (*fn)(void *arg), struct large_job *job, const char *why)
{
	struct cleanup *p = job->m->process;
	bool placed = fiber_sem_take(&p->large_places, OS_NEVER, "other large messages") == 0;

	committer_yield(p->committer);
	fiber_offload(fn, job, why);
	if (placed)
		fiber_sem_give(&p->large_places);
}

/* write_out - what has gathered, and these bytes behind it. */
static void write_out(struct message *m, struct slice bytes)
{
	struct large_job job = {.m = m};

	if (m->content.len > 0)
		job.iov[job.count++] = (struct iovec){m->content.data, m->content.len};
	if (bytes.n > 0)
		job.iov[job.count++] = (struct iovec){(void *)(uintptr_t)bytes.p, bytes.n};
	if (job.count == 0)
		return;
	in_turn(append_on_thread, &job, "write of a large message");
	if (job.result != RES_OK)
		refuse_queue_error(m, &job.error);
	else
		buffer_reset(&m->content);
}

void large_begin(struct message *m)
{
	struct large_job job = {.m = m};

	in_turn(begin_on_thread, &job, "creation of a large message");
	if (job.result != RES_OK)
		refuse_queue_error(m, &job.error);
	else
		write_out(m, SL_NULL);
	buffer_free(&m->content); /* it was as large as the journal's messages may be */
}

void large_append(struct message *m, struct slice bytes, bool gather)
{
	if (gather && m->content.len + bytes.n < PIECE)
		CHECK(buffer_append(&m->content, bytes));
	else
		write_out(m, bytes);
}

enum result large_commit(struct message *m, struct queue_location *location)
{
	struct large_job job = {.m = m};

	write_out(m, SL_NULL);
	if (message_refused(m))
		return RES_TEMP;
	in_turn(commit_on_thread, &job, "disk sync");
	*location = job.location;
	if (job.result != RES_OK)
		refuse_queue_error(m, &job.error);
	return job.result;
}

void large_abort(struct message *m)
{
	struct large_job job = {.m = m};

	in_turn(abort_on_thread, &job, "removal of a large message");
}
