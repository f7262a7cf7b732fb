/* SPDX-License-Identifier: ISC */
/*
 * pass - mailbox_transport, fallback_transport: another delivery agent gets the recipient, and
 * answers for it. It writes the log line; its outcome goes on to qmgr.
 */
#include "local/local.h"
#include "log/events.h"
#include "os/clock.h"

#include <errno.h>

static bool bad_name(struct slice name)
{
	return name.n == 0 || name.n > 200 || slice_find(name, '/') >= 0;
}

/* hear - what the agent says until it is done. */
static enum ipc_status hear(struct delivery *d, struct ipc_conn *conn,
			    struct delivery_outcome *outcome, bool *have)
{
	for (;;) {
		int64_t deadline = os_deadline(d->p->settings->daemon_timeout);
		struct delivery_deliver_done done;
		struct delivery_rcpt_result result;
		struct ipc_frame frame;
		enum ipc_status rc = ipc_receive(conn, &frame, deadline);

		if (rc != IPC_OK)
			return rc;
		if (!delivery_rcpt_result_decode(&frame, d->arena, &result))
			return delivery_deliver_done_decode(&frame, d->arena, &done) ? IPC_OK
										     : IPC_GARBAGE;
		*outcome = result.outcome;
		*have = true;
	}
}

static enum ipc_status ask(struct delivery *d, const char *path,
			   const struct delivery_deliver *request,
			   struct delivery_outcome *outcome, bool *have)
{
	int64_t deadline = os_deadline(d->p->settings->ipc_timeout);
	struct ipc_conn *conn;
	enum ipc_status rc = ipc_connect(path, deadline, &conn);

	if (rc == IPC_OK)
		rc = delivery_deliver_send(conn, request, deadline);
	if (rc == IPC_OK)
		rc = hear(d, conn, outcome, have);
	ipc_conn_close(&conn);
	return rc;
}

static void tell(struct delivery *d, const struct task *t, const struct delivery_outcome *r)
{
	struct agent_outcome o = {.status = r->status,
				  .dsn = r->dsn,
				  .text = r->text,
				  .relay = r->relay,
				  .mta = r->mta,
				  .remote = r->remote,
				  .final = r->final,
				  .dsn_passed_on = r->dsn_passed_on};

	/* alone, it is the outcome; as one of several it counts like the others */
	if (!d->expanded && d->todo_count == 0 && d->outcomes == 0) {
		d->passed = true;
		agent_tell(d->agent, d->position, &o);
		return;
	}
	delivery_counts(d, t, &(struct outcome){r->status, r->dsn, r->text, SL_NULL});
}

void pass_on(struct delivery *d, const struct task *t, struct slice transport)
{
	struct delivery_deliver request = *d->request;
	struct mail_recipient rcpt = *d->rcpt;
	struct delivery_outcome outcome = {0};
	struct slice name, nexthop, path;
	bool have = false;
	enum ipc_status rc = IPC_LOST;

	route_split_transport(transport, &name, &nexthop);
	path = arena_printf(d->arena, "private/%.*s", SL_ARG(name));
	rcpt.orig = d->rcpt->orig.n > 0 ? d->rcpt->orig : d->rcpt->address;
	rcpt.address = t->address;
	request.recipients = &rcpt;
	request.recipients_count = 1;
	request.transport = name;
	request.nexthop = nexthop.n > 0 ? nexthop : d->request->nexthop;
	request.sender = t->sender;
	if (!bad_name(name))
		rc = ask(d, path.p, &request, &outcome, &have);
	if (have) {
		tell(d, t, &outcome);
		return;
	}
	LOG(service_problem, .service = path, .problem = slice_str(ipc_status_text(rc)));
	delivery_failed(d, t, SL("4.3.0"), SL("mail transport unavailable"));
}
