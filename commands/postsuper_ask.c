/* SPDX-License-Identifier: ISC */
#include "commands/postsuper.h"
#include "os/process.h"

#define PATIENCE (600 * OS_SECOND)
#define IDS_IN_FRAME 1000

static bool answer_take(struct postsuper *ps, struct ipc_conn *conn, enum qmgr_control op)
{
	struct ipc_frame frame;

	for (;;) {
		struct qmgr_control_ids ids;
		struct qmgr_control_done done;

		if (ipc_receive(conn, &frame, os_deadline(PATIENCE)) != IPC_OK)
			return false;
		if (frame.type == QMGR_CONTROL_DONE) {
			if (!qmgr_control_done_decode(&frame, ps->command.arena, &done))
				return false;
			if (done.error.n > 0)
				command_fatal(&ps->command, "queue manager: %.*s", SL_ARG(done.error));
			return true;
		}
		if (!qmgr_control_ids_decode(&frame, ps->command.arena, &ids))
			return false;
		for (size_t i = 0; i < ids.ids_count; i++)
			postsuper_done(ps, op, ids.ids[i].queue_id);
	}
}

static bool request(struct postsuper *ps, struct ipc_conn *conn, const struct order *o, bool all,
		    size_t from, size_t count)
{
	struct mail_id *ids = ARENA_ARRAY(ps->command.arena, count + 1, struct mail_id);
	struct qmgr_queue_control m = {
	    .op = o->op, .all = all, .queues = ps->queues, .pretend = ps->pretend, .ids = ids};

	for (size_t i = from; i < from + count; i++) {
		if (o->ids[i].text[0])
			ids[m.ids_count++].queue_id = queue_id_slice(&o->ids[i]);
	}
	if (!all && m.ids_count == 0)
		return true;
	return qmgr_queue_control_send(conn, &m, os_deadline(PATIENCE)) == IPC_OK &&
	       answer_take(ps, conn, o->op);
}

static bool order_through_conn(struct postsuper *ps, struct ipc_conn *conn, const struct order *o)
{
	bool ok = true;

	if (o->all)
		ok = request(ps, conn, o, true, 0, 0);
	for (size_t from = 0; ok && from < o->count; from += IDS_IN_FRAME) {
		size_t n = o->count - from < IDS_IN_FRAME ? o->count - from : IDS_IN_FRAME;

		ok = request(ps, conn, o, false, from, n);
	}
	return ok;
}

bool postsuper_ask(struct postsuper *ps, struct slice path, const struct order *o)
{
	int64_t give_up = os_deadline(CHANGE_PATIENCE);
	uint64_t before = ps->done[o->op];
	struct ipc_conn *conn;

	for (bool lost = false;; lost = true) {
		bool ok;

		if (ipc_connect_blocking(path.p, os_deadline(CHANGE_PATIENCE), &conn) != IPC_OK)
			return false;
		ok = order_through_conn(ps, conn, o);
		ipc_conn_close(&conn);
		if (ok && lost && ps->done[o->op] == before)
			command_warn(&ps->command, "the queue manager was replaced meanwhile: what it "
						   "may have done is not counted");
		if (ok)
			return true;
		if (os_now() > give_up)
			command_fatal(&ps->command, "lost connection with the queue manager");
		os_sleep(CHANGE_PAUSE);
	}
}
