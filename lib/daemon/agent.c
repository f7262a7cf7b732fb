/* SPDX-License-Identifier: ISC */
#include "daemon/agent.h"
#include "base/check.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"

#define IDLE_TICK OS_SECOND

static int64_t not_negative(int64_t t)
{
	return t > 0 ? t : 0;
}

static const char *status_word(enum delivery_status status)
{
	switch (status) {
	case DELIVERY_STATUS_SENT:
		return "sent";
	case DELIVERY_STATUS_DEFERRED:
		return "deferred";
	case DELIVERY_STATUS_BOUNCED:
		return "bounced";
	case DELIVERY_STATUS_EXPANDED:
		return "expanded";
	case DELIVERY_STATUS_UNDELIVERABLE:
		return "undeliverable";
	case DELIVERY_STATUS_DELIVERABLE:
		return "deliverable";
	}
	return "unknown";
}

/* log_outcome - the `to=<...> ... status=` line; delays=a/b/c/d as in Postfix's qmgr and agents. */
static void log_outcome(const struct agent_delivery *d, struct slice to, struct slice orig,
			const struct agent_outcome *o, const char *status)
{
	const struct delivery_deliver *r = d->request;
	int64_t now = os_wall();
	bool original = orig.n > 0 && !slice_caseeq(orig, to);

	LOG(delivery,
	    .queue_id = r->queue_id,
	    .to = to,
	    .orig_to = original ? orig : SL_NULL,
	    .relay = o->relay.n > 0 ? o->relay : SL("none"),
	    .conn_use = o->conn_use > 1 ? o->conn_use : 0,
	    .delay = not_negative(now - r->arrival),
	    .a = not_negative(r->active - r->arrival),
	    .b = not_negative(d->begun - r->active),
	    .c = o->connected > 0 ? not_negative(o->connected - d->begun) : 0,
	    .d = not_negative(now - (o->connected > 0 ? o->connected : d->begun)),
	    .dsn = o->dsn,
	    .status = slice_str(status),
	    .text = o->text);
}

/* soften - soft_bounce: what would be returned to its sender is kept and tried again. */
static const char *soften(const struct agent_delivery *d, struct agent_outcome *o)
{
	const char *status = status_word(o->status);

	if (o->status != DELIVERY_STATUS_BOUNCED || !d->context->settings->soft_bounce)
		return status;
	o->status = DELIVERY_STATUS_DEFERRED;
	if (o->dsn.n > 0)
		o->dsn = arena_printf(d->arena, "4%.*s", SL_ARG(slice_from(o->dsn, 1)));
	return "SOFTBOUNCE";
}

void agent_log(struct agent_delivery *d, struct slice to, struct slice orig,
	       const struct agent_outcome *outcome)
{
	struct agent_outcome o = *outcome;
	const char *status = soften(d, &o);

	log_outcome(d, to, orig, &o, status);
}

void agent_tell(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome)
{
	const struct mail_recipient *rcpt = &d->request->recipients[position];
	struct agent_outcome o = *outcome;
	int64_t deadline = os_deadline(d->context->settings->ipc_timeout);

	soften(d, &o);
	struct delivery_rcpt_result result = {
	    .index = rcpt->index,
	    .status = o.status,
	    .dsn = o.dsn,
	    .text = o.text,
	    .relay = o.relay,
	    .mta = o.mta,
	    .remote = o.remote,
	    .final = o.final,
	    .dsn_passed_on = o.dsn_passed_on,
	};

	CHECK(position < d->request->recipients_count && !d->reported[position]);
	d->reported[position] = true;
	if (!d->lost && delivery_rcpt_result_send(d->conn, &result, deadline) != IPC_OK)
		d->lost = true;
}

void agent_report(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome)
{
	const struct mail_recipient *rcpt = &d->request->recipients[position];

	agent_log(d, rcpt->address, rcpt->orig, outcome);
	agent_tell(d, position, outcome);
}

bool agent_reported(const struct agent_delivery *d, size_t position)
{
	return d->reported[position];
}

void agent_report_rest(struct agent_delivery *d, const struct agent_outcome *outcome)
{
	for (size_t i = 0; i < d->request->recipients_count; i++)
		if (!d->reported[i])
			agent_report(d, i, outcome);
}

/* One agent connection, for the handler. */
struct serving {
	struct daemon_context *context;
	struct daemon_session *session;
	const struct agent *agent;
	void *own;
};

static enum ipc_status handle_deliver(struct ipc_conn *conn, const void *m, struct arena *arena,
				      void *arg)
{
	static const struct agent_outcome unfinished = {
	    .status = DELIVERY_STATUS_DEFERRED,
	    .dsn = SL("4.3.0"),
	    .text = SL("delivery agent ended without an outcome"),
	};
	struct serving *s = arg;
	struct agent_delivery d = {.request = m,
				   .context = s->context,
				   .session = s->session,
				   .arena = arena,
				   .begun = os_wall(),
				   .conn = conn};
	int64_t deadline;

	d.reported = ARENA_ARRAY(arena, d.request->recipients_count, bool);
	daemon_session_idle(s->session, false);
	daemon_session_note(s->session, d.request->queue_id);
	s->agent->deliver(&d, s->own);
	agent_report_rest(&d, &unfinished);
	os_close(d.request->content);
	daemon_session_note(s->session, SL("idle"));
	daemon_session_idle(s->session, true);
	deadline = os_deadline(s->context->settings->ipc_timeout);
	return d.lost ? IPC_LOST : delivery_deliver_done_send(conn, &d.done, deadline);
}

void agent_session(struct daemon_context *context, struct daemon_session *session,
		   const struct agent *agent, void *own)
{
	static const struct ipc_handler handlers[] = {{&delivery_deliver_message, handle_deliver}};
	struct serving s = {context, session, agent, own};
	struct ipc_conn *conn = ipc_conn_create(session->fd);

	daemon_session_idle(session, true);
	while (ipc_serve(conn, handlers, 1, &s, IDLE_TICK) == IPC_TIMEOUT)
		if (agent->idle != NULL)
			agent->idle(own, false);
	if (agent->idle != NULL)
		agent->idle(own, true);
	ipc_conn_close(&conn);
}
