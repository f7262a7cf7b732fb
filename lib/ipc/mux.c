/* SPDX-License-Identifier: ISC */
/* mux - many requests in flight on one connection; a fiber reads the answers and wakes who waits. */
#include "base/check.h"
#include "base/list.h"
#include "ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>

/* One connection. It outlives its mux's interest in it until its reader has ended. */
struct line {
	struct ipc_conn *conn;
	struct ipc_mux *mux; /* NULL: given up */
	bool sending;	     /* somebody is inside ipc_send on it */
	struct fiber *reader; /* NULL: it has ended; the sender frees the line */
};

struct waiter {
	struct list link;
	uint32_t id;
	const struct ipc_message *reply;
	struct arena *arena;
	void *r;
	struct line *line; /* the one the request went over */
	bool done;
	enum ipc_status status;
	struct fiber_cond cond;
};

struct ipc_mux {
	char *path;
	struct line *line; /* NULL: not connected */
	struct list waiters;
	uint32_t next_id;
	struct fiber_mutex sending;
	int64_t down_until;
	int down_error; /* why it counts as down */
};

#define DOWN_PAUSE (500 * OS_MILLISECOND)

struct ipc_mux *ipc_mux_create(const char *path)
{
	struct ipc_mux *mux = calloc(1, sizeof(*mux));

	if (mux == NULL || (mux->path = strdup(path)) == NULL)
		out_of_memory();
	list_init(&mux->waiters);
	fiber_mutex_init(&mux->sending);
	mux->next_id = 1;
	return mux;
}

/* detach - the mux forgets the line; its reader closes it. */
static void detach(struct ipc_mux *mux)
{
	if (mux->line == NULL)
		return;
	mux->line->mux = NULL;
	fiber_cancel(mux->line->reader);
	mux->line = NULL;
}

void ipc_mux_destroy(struct ipc_mux **mux)
{
	if (*mux == NULL)
		return;
	CHECK(list_empty(&(*mux)->waiters));
	detach(*mux);
	free((*mux)->path);
	free(*mux);
	*mux = NULL;
}

static void finish(struct waiter *w, enum ipc_status status)
{
	w->done = true;
	w->status = status;
	fiber_cond_signal(&w->cond);
}

/* deliver_answer - to the waiter with its id; one that nobody waits for any more is dropped. */
static bool deliver_answer(struct line *line, struct ipc_frame *frame)
{
	uint32_t id = 0;

	if (frame->payload.n < 4)
		return false;
	for (unsigned i = 0; i < 4; i++)
		id |= (uint32_t)(unsigned char)frame->payload.p[i] << (8 * i);
	LIST_FOREACH (node, &line->mux->waiters) {
		struct waiter *w = CONTAINER_OF(node, struct waiter, link);

		if (w->line != line || w->id != id || w->done)
			continue;
		if (!ipc_decode(w->reply, frame, w->arena, w->r))
			return false;
		finish(w, IPC_OK);
		return true;
	}
	ipc_frame_drop(frame);
	return true;
}

/* break_line - everybody who waits for this line hears that it is lost. */
static void break_line(struct line *line)
{
	struct ipc_mux *mux = line->mux;

	if (mux == NULL)
		return;
	if (mux->line == line)
		mux->line = NULL;
	LIST_FOREACH (node, &mux->waiters) {
		struct waiter *w = CONTAINER_OF(node, struct waiter, link);

		if (w->line == line && !w->done)
			finish(w, IPC_LOST);
	}
	line->mux = NULL;
}

static void free_line(struct line *line)
{
	ipc_conn_close(&line->conn);
	free(line);
}

static void read_line(void *arg)
{
	struct line *line = arg;
	struct ipc_frame frame;

	while (line->mux != NULL) {
		if (ipc_receive(line->conn, &frame, OS_NEVER) != IPC_OK)
			break;
		if (line->mux == NULL || !deliver_answer(line, &frame)) {
			ipc_frame_drop(&frame);
			break;
		}
	}
	break_line(line);
	line->reader = NULL;
	if (!line->sending)
		free_line(line);
}

static enum ipc_status connect_line(struct ipc_mux *mux, int64_t deadline)
{
	struct ipc_conn *conn;
	enum ipc_status status;
	struct line *line;

	if (mux->line != NULL)
		return IPC_OK;
	if (os_now() < mux->down_until) {
		errno = mux->down_error;
		return IPC_LOST;
	}
	status = ipc_connect(mux->path, deadline, &conn);
	if (status != IPC_OK) {
		mux->down_error = errno;
		if (status != IPC_CANCELLED)
			mux->down_until = os_deadline(DOWN_PAUSE);
		return status;
	}
	line = calloc(1, sizeof(*line));
	if (line == NULL)
		out_of_memory();
	line->conn = conn;
	line->mux = mux;
	ipc_conn_set_why(conn, "answers");
	line->reader = fiber_spawn("ipc-answers", read_line, line);
	if (line->reader == NULL) {
		free_line(line);
		return IPC_LOST;
	}
	mux->line = line;
	return IPC_OK;
}

static enum ipc_status send_over(struct line *line, const struct ipc_message *request,
				 const void *m, int64_t deadline)
{
	enum ipc_status status;

	line->sending = true;
	status = ipc_send(line->conn, request, m, deadline);
	line->sending = false;
	if (line->reader == NULL)
		free_line(line);
	else if (status != IPC_OK && status != IPC_REFUSED)
		fiber_cancel(line->reader);
	return status;
}

/* send_request - one sender at a time, so that frames do not mix. */
static enum ipc_status send_request(struct ipc_mux *mux, struct waiter *w,
				    const struct ipc_message *request, const void *m,
				    int64_t deadline)
{
	enum ipc_status status;

	if (fiber_mutex_lock(&mux->sending, deadline, "ipc-send") < 0)
		return errno == ETIMEDOUT ? IPC_TIMEOUT : IPC_CANCELLED;
	status = connect_line(mux, deadline);
	if (status == IPC_OK) {
		w->line = mux->line;
		w->done = false;
		status = send_over(mux->line, request, m, deadline);
	}
	fiber_mutex_unlock(&mux->sending);
	return status;
}

static enum ipc_status try_once(struct ipc_mux *mux, struct waiter *w,
				const struct ipc_message *request, void *m, int64_t deadline)
{
	enum ipc_status status = send_request(mux, w, request, m, deadline);

	while (status == IPC_OK && !w->done)
		if (fiber_cond_wait(&w->cond, deadline, "answer") < 0 && !w->done)
			status = errno == ETIMEDOUT ? IPC_TIMEOUT : IPC_CANCELLED;
	return status == IPC_OK ? w->status : status;
}

enum ipc_status ipc_mux_call(struct ipc_mux *mux, const struct ipc_message *request, void *m,
			     const struct ipc_message *reply, struct arena *arena, void *r,
			     int64_t deadline)
{
	struct waiter w = {.id = mux->next_id++, .reply = reply, .arena = arena, .r = r};
	enum ipc_status status;

	CHECK(request->record.fields[0].type == IPC_U32 && request->record.fields[0].offset == 0);
	CHECK(reply->record.fields[0].type == IPC_U32 && reply->record.fields[0].offset == 0);
	memcpy(m, &w.id, sizeof(w.id));
	fiber_cond_init(&w.cond);
	list_push_back(&mux->waiters, &w.link);
	status = try_once(mux, &w, request, m, deadline);
	if (status == IPC_LOST && !fiber_cancelled() && os_now() < deadline)
		status = try_once(mux, &w, request, m, deadline);
	list_remove(&w.link);
	return status;
}
