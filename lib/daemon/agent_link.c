/* SPDX-License-Identifier: ISC */
#include "daemon/agent_link.h"

#include "base/check.h"
#include "os/clock.h"

void link_init(struct agent_link *link, struct ipc_conn *conn, bool keep, int64_t timeout)
{
	*link = (struct agent_link){.conn = conn,
				    .up = true,
				    .over = true,
				    .keep = keep,
				    .timeout = timeout,
				    .arena = arena_create()};
	fiber_cond_init(&link->changed);
}

void link_free(struct agent_link *link)
{
	ipc_conn_close(&link->conn);
	arena_destroy(&link->arena);
}

void link_begin(struct agent_link *link, const struct delivery_deliver *request)
{
	CHECK(link->over);
	link->over = false;
	link->ended = 0;
	link->outcome_count = 0;
	if (!link->keep)
		return;
	arena_reset(link->arena);
	link->queue_id = arena_dup(link->arena, request->queue_id);
	link->held_count = request->recipients_count;
	link->held = ARENA_ARRAY(link->arena, link->held_count + 1, struct qmgr_held);
	link->outcomes = ARENA_ARRAY(link->arena, link->held_count + 1, struct delivery_outcome);
	for (size_t i = 0; i < link->held_count; i++)
		link->held[i].index = request->recipients[i].index;
}

/* outcome_keep - a copy, should this qmgr not live to take it. */
static void outcome_keep(struct agent_link *link, const struct delivery_outcome *o)
{
	struct delivery_outcome *copy = &link->outcomes[link->outcome_count++];

	*copy = *o;
	copy->dsn = arena_dup(link->arena, o->dsn);
	copy->text = arena_dup(link->arena, o->text);
	copy->relay = arena_dup(link->arena, o->relay);
	copy->mta = arena_dup(link->arena, o->mta);
	copy->remote = arena_dup(link->arena, o->remote);
	copy->final = arena_dup(link->arena, o->final);
}

/* sent - what fails to go out is told again over the next connection. */
static void sent(struct agent_link *link, enum ipc_status status)
{
	link->up = link->up && status == IPC_OK;
	link->sending = false;
	fiber_cond_broadcast(&link->changed);
}

void link_tell(struct agent_link *link, bool with_end, const struct delivery_outcome *outcome)
{
	int64_t deadline = os_deadline(link->timeout);
	struct delivery_rcpt_result result = {.outcome = *outcome};
	struct qmgr_claim_outcome claimed = {.outcome = *outcome};

	if (link->keep)
		outcome_keep(link, outcome);
	if (!link->up)
		return;
	if (with_end && !link->claim) {
		link->up = delivery_rcpt_result_add(link->conn, &result) == IPC_OK;
		return;
	}
	link->sending = true;
	sent(link, link->claim ? qmgr_claim_outcome_send(link->conn, &claimed, deadline)
			       : delivery_rcpt_result_send(link->conn, &result, deadline));
}

void link_end(struct agent_link *link, const struct delivery_deliver_done *done)
{
	int64_t deadline = os_deadline(link->timeout);

	link->over = true;
	link->ended = link->keep ? os_now() : 0;
	fiber_cond_broadcast(&link->changed);
	if (!link->up)
		return;
	link->sending = true;
	sent(link, link->claim ? qmgr_claim_over_send(link->conn, NULL, deadline)
			       : delivery_deliver_done_send(link->conn, done, deadline));
}

void link_noted(struct agent_link *link)
{
	link->ended = 0;
}

bool link_wanted(const struct agent_link *link)
{
	return link->keep && (!link->over || link->ended != 0);
}

/* link_quiet - nobody sends on the old connection any more; it fails soon, for its other end has
 * gone. */
static void link_quiet(struct agent_link *link)
{
	link->up = false;
	while (link->sending)
		if (fiber_cond_wait(&link->changed, OS_NEVER, "the delivery") < 0)
			fiber_uncancel();
	ipc_conn_close(&link->conn);
}

/* repeat - all that was told so far, and what comes meanwhile. */
static enum ipc_status repeat(struct agent_link *link, struct ipc_conn *conn, int64_t deadline)
{
	struct qmgr_claim claim = {.queue_id = link->queue_id,
				   .recipients = link->held,
				   .recipients_count = link->held_count};
	enum ipc_status status = qmgr_claim_send(conn, &claim, deadline);

	for (size_t i = 0; i < link->outcome_count && status == IPC_OK; i++)
		status = qmgr_claim_outcome_send(
		    conn, &(struct qmgr_claim_outcome){.outcome = link->outcomes[i]}, deadline);
	return status;
}

enum ipc_status link_claim(struct agent_link *link, int64_t deadline)
{
	struct ipc_conn *conn;
	enum ipc_status status;

	link_quiet(link);
	status = ipc_connect("public/qmgr", deadline, &conn);
	if (status != IPC_OK)
		return status;
	ipc_conn_set_why(conn, "the next qmgr");
	status = repeat(link, conn, deadline);
	if (status == IPC_OK && link->over)
		status = qmgr_claim_over_send(conn, NULL, deadline);
	if (status != IPC_OK) {
		ipc_conn_close(&conn);
		return status;
	}
	link->conn = conn;
	link->claim = true;
	link->up = true;
	return IPC_OK;
}
