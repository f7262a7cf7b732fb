/* SPDX-License-Identifier: ISC */
/*
 * commit - group commit. One fiber takes all messages that are ready, has them written and synced
 * together on a worker thread, and lets their sessions go on; while the disk works, the next ones
 * gather, so no timer is needed. A second fiber tells qmgr where they lie, and goes on telling until
 * qmgr has acknowledged.
 */
#include "cleanup/cleanup.h"
#include "base/check.h"
#include "ipc/qmgr.h"
#include "log/events.h"

#include <errno.h>
#include <stdlib.h>

/* What goes into one write; the rest waits for the next. */
#define BATCH_MESSAGES 256
#define BATCH_BYTES ((uint64_t)4 << 20)
#define ANNOUNCE_MOST 256
#define RETRY_FIRST (50 * OS_MILLISECOND)
#define RETRY_LAST (2 * OS_SECOND)
/* without a qmgr the list would grow for ever: new mail is refused beyond it */
#define BACKLOG_LIMIT 100000

/* One session that waits for its message to be durable; lives on its stack. */
struct commit {
	struct list link;
	struct message *message;
	struct fiber_cond done;
	bool finished;
	enum result result;
	struct queue_error error;
	struct queue_location location;
};

/* A durable message that qmgr has not acknowledged. */
struct notice {
	struct list link;
	struct queue_location location;
};

struct committer {
	struct cleanup *process;
	struct list ready; /* struct commit */
	struct fiber_cond has_ready;
	struct list notices; /* struct notice */
	size_t notice_count;
	struct fiber_cond has_notices;
	struct fiber_cond all_known;
	struct queue_batch *batch;
	bool busy; /* a batch is at the disk */
	struct fiber_cond back; /* it has come back */
	const char *qmgr_path;
};

static void notice_add(struct committer *c, const struct queue_location *location)
{
	struct notice *n = malloc(sizeof(*n));

	if (n == NULL)
		out_of_memory();
	n->location = *location;
	list_push_back(&c->notices, &n->link);
	c->notice_count++;
	fiber_cond_signal(&c->has_notices);
}

/* ---- the disk */

struct batch_job {
	struct queue_writer *writer;
	struct queue_batch *batch;
};

static void commit_batch(void *arg)
{
	struct batch_job *job = arg;

	queue_writer_commit(job->writer, job->batch);
}

static void gather(struct committer *c)
{
	while (!list_empty(&c->ready) && queue_batch_count(c->batch) < BATCH_MESSAGES &&
	       queue_batch_bytes(c->batch) < BATCH_BYTES) {
		struct commit *commit =
		    CONTAINER_OF(list_pop_front(&c->ready), struct commit, link);
		struct message *m = commit->message;
		struct iovec iov = {m->content.data, m->content.len};

		queue_batch_add(c->batch, &m->envelope, &iov, 1, commit);
	}
}

static void let_go(struct committer *c)
{
	for (size_t i = 0; i < queue_batch_count(c->batch); i++) {
		struct queue_batch_item *item = queue_batch_item(c->batch, i);
		struct commit *commit = item->cookie;

		commit->result = item->result;
		commit->error = item->error;
		commit->location = item->location;
		commit->finished = true;
		if (item->result == RES_OK)
			notice_add(c, &item->location);
		fiber_cond_signal(&commit->done);
	}
	queue_batch_reset(c->batch);
}

static void commit_fiber(void *arg)
{
	struct committer *c = arg;

	for (;;) {
		struct batch_job job;

		while (list_empty(&c->ready))
			if (fiber_cond_wait(&c->has_ready, OS_NEVER, "messages to commit") < 0)
				return;
		gather(c);
		job = (struct batch_job){c->process->writer, c->batch};
		c->busy = true;
		fiber_offload(commit_batch, &job, "disk sync");
		c->busy = false;
		let_go(c);
		fiber_cond_broadcast(&c->back);
	}
}

/* ---- qmgr */

static enum ipc_status announce(struct committer *c, struct ipc_conn *conn, size_t *count)
{
	struct qmgr_queued items[ANNOUNCE_MOST];
	char (*texts)[QUEUE_LOCATION_TEXT];
	struct arena *arena = arena_create();
	struct qmgr_message_queued m = {.messages = items};
	struct qmgr_queued_ack ack;
	enum ipc_status status;

	texts = arena_array(arena, ANNOUNCE_MOST, sizeof(*texts));
	LIST_FOREACH (node, &c->notices) {
		const struct notice *n = CONTAINER_OF(node, struct notice, link);

		if (m.messages_count == ANNOUNCE_MOST)
			break;
		queue_location_print(&n->location, texts[m.messages_count]);
		items[m.messages_count].location = slice_str(texts[m.messages_count]);
		m.messages_count++;
	}
	*count = m.messages_count;
	status = qmgr_message_queued_call(conn, &m, arena, &ack,
					  os_deadline(c->process->settings->ipc_timeout));
	arena_destroy(&arena);
	return status;
}

static void forget_notices(struct committer *c, size_t count)
{
	while (count-- > 0) {
		struct notice *n = CONTAINER_OF(list_pop_front(&c->notices), struct notice, link);

		free(n);
		c->notice_count--;
	}
	if (c->notice_count == 0)
		fiber_cond_broadcast(&c->all_known);
}

/* talk - over one connection until it breaks; false when the fiber is to end. */
static bool talk(struct committer *c, struct ipc_conn *conn)
{
	size_t count;

	if (qmgr_writer_hello_send(conn, NULL, os_deadline(c->process->settings->ipc_timeout)) != IPC_OK)
		return true;
	for (;;) {
		while (c->notice_count == 0)
			if (fiber_cond_wait(&c->has_notices, OS_NEVER, "messages to announce") < 0)
				return false;
		if (announce(c, conn, &count) != IPC_OK)
			return !fiber_cancelled();
		forget_notices(c, count);
	}
}

static void notice_fiber(void *arg)
{
	struct committer *c = arg;
	int64_t pause = RETRY_FIRST;

	for (;;) {
		struct ipc_conn *conn;
		bool go_on = true;
		enum ipc_status status =
		    ipc_connect(c->qmgr_path, os_deadline(c->process->settings->ipc_timeout), &conn);

		if (status == IPC_OK) {
			pause = RETRY_FIRST;
			go_on = talk(c, conn);
			ipc_conn_close(&conn);
		}
		if (!go_on || fiber_sleep(os_deadline(pause), "qmgr to come back") < 0)
			return;
		pause = pause * 2 < RETRY_LAST ? pause * 2 : RETRY_LAST;
	}
}

struct committer *committer_start(struct cleanup *process)
{
	struct committer *c = calloc(1, sizeof(*c));

	if (c == NULL)
		out_of_memory();
	c->process = process;
	list_init(&c->ready);
	list_init(&c->notices);
	fiber_cond_init(&c->has_ready);
	fiber_cond_init(&c->has_notices);
	fiber_cond_init(&c->all_known);
	fiber_cond_init(&c->back);
	c->batch = queue_batch_create();
	c->qmgr_path = "public/qmgr";
	fiber_spawn("commit", commit_fiber, c);
	fiber_spawn("announce", notice_fiber, c);
	return c;
}

size_t committer_backlog(const struct committer *c)
{
	return c->notice_count;
}

void committer_yield(struct committer *c)
{
	if (c->busy)
		(void)fiber_cond_wait(&c->back, OS_NEVER, "disk sync of other messages");
}

void committer_drain(struct committer *c, int64_t deadline)
{
	while (c->notice_count > 0 || !list_empty(&c->ready) || c->busy)
		if (fiber_cond_wait(&c->all_known, deadline, "qmgr to know all messages") < 0)
			break;
}

/* ---- a session's side */

/*
 * wait_for - until the disk has answered: the batch holds the message's memory, so a cancelled session
 * waits too, and is cancelled again afterwards.
 */
static void wait_for(struct commit *commit)
{
	bool cancelled = false;

	while (!commit->finished) {
		if (fiber_cond_wait(&commit->done, OS_NEVER, "disk sync") == 0)
			continue;
		cancelled = true;
		fiber_uncancel();
	}
	if (cancelled)
		fiber_cancel(fiber_self());
}

static void set_content_flags(struct message *m)
{
	uint32_t *flags = &m->envelope.flags;

	if (m->scan.eight_bit)
		*flags |= QUEUE_8BIT;
	if (m->scan.longest_line > 998)
		*flags |= QUEUE_LONG_LINES;
	if (m->scan.leading_dot)
		*flags |= QUEUE_DOT_LINES;
	if (m->scan.nul)
		*flags |= QUEUE_NUL_BYTES;
	m->envelope.content_size = m->scan.bytes;
}

static void commit_own_file(struct committer *c, struct message *m)
{
	struct queue_location location;

	if (large_commit(m, &location) == RES_OK)
		notice_add(c, &location);
}

static void commit_in_journal(struct committer *c, struct message *m)
{
	struct commit commit = {.message = m};

	list_init(&commit.link);
	fiber_cond_init(&commit.done);
	list_push_back(&c->ready, &commit.link);
	fiber_cond_signal(&c->has_ready);
	wait_for(&commit);
	if (commit.result != RES_OK)
		refuse_queue_error(m, &commit.error);
}

void commit_message(struct message *m)
{
	struct committer *c = m->process->committer;

	set_content_flags(m);
	if (c->notice_count >= BACKLOG_LIMIT) {
		message_refuse(m, CLEANUP_OUTCOME_TEMP, 451, SL("4.3.0"),
			       SL("Error: queue manager unavailable"));
		return;
	}
	if (m->large != NULL)
		commit_own_file(c, m);
	else
		commit_in_journal(c, m);
}
