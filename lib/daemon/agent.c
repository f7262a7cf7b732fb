/* SPDX-License-Identifier: ISC */
#include "daemon/agent.h"
#include "base/check.h"
#include "ipc/qmgr.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"

#define IDLE_TICK OS_SECOND
#define NOTED_PATIENCE (10 * OS_SECOND)

/* What was told of one delivery, for as long as qmgr has not said that it took it. */
struct agent_told {
	struct arena *arena;
	struct slice queue_id;
	struct delivery_outcome *outcomes;
	size_t count;
	int64_t since; /* monotonic: deliver_done was sent; 0: qmgr has taken all */
};

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
	/* a session that was there already cost no time to set up */
	int64_t ready = o->connected > d->begun ? o->connected : d->begun;
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
	    .c = ready - d->begun,
	    .d = not_negative(now - ready),
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

/* told_keep - a copy, should this qmgr not live to take it. */
static void told_keep(struct agent_told *told, const struct delivery_outcome *o)
{
	struct delivery_outcome *copy = &told->outcomes[told->count++];

	*copy = *o;
	copy->dsn = arena_dup(told->arena, o->dsn);
	copy->text = arena_dup(told->arena, o->text);
	copy->relay = arena_dup(told->arena, o->relay);
	copy->mta = arena_dup(told->arena, o->mta);
	copy->remote = arena_dup(told->arena, o->remote);
	copy->final = arena_dup(told->arena, o->final);
}

void agent_tell(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome)
{
	const struct mail_recipient *rcpt = &d->request->recipients[position];
	struct agent_outcome o = *outcome;
	int64_t deadline = os_deadline(d->context->settings->ipc_timeout);

	soften(d, &o);
	struct delivery_rcpt_result result = {.outcome = {
	    .index = rcpt->index,
	    .status = o.status,
	    .dsn = o.dsn,
	    .text = o.text,
	    .relay = o.relay,
	    .mta = o.mta,
	    .remote = o.remote,
	    .final = o.final,
	    .dsn_passed_on = o.dsn_passed_on,
	}};

	CHECK(position < d->request->recipients_count && !d->reported[position]);
	d->reported[position] = true;
	if (d->told != NULL)
		told_keep(d->told, &result.outcome);
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
	bool to_qmgr; /* not to another agent that passes deliveries on, and answers for them */
	struct agent_told told;
};

/* told_begin - a new delivery: whoever asks for it has taken the outcomes of the last. */
static struct agent_told *told_begin(struct serving *s, const struct delivery_deliver *request)
{
	struct agent_told *told = &s->told;

	if (!s->to_qmgr)
		return NULL;
	arena_reset(told->arena);
	told->queue_id = arena_dup(told->arena, request->queue_id);
	told->outcomes = ARENA_ARRAY(told->arena, request->recipients_count, struct delivery_outcome);
	told->count = 0;
	return told;
}

static enum ipc_status handle_noted(struct ipc_conn *conn, const void *m, struct arena *arena, void *arg)
{
	struct serving *s = arg;

	(void)conn;
	(void)m;
	(void)arena;
	s->told.since = 0;
	daemon_session_idle(s->session, true);
	return IPC_OK;
}

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
				   .conn = conn,
				   .told = told_begin(s, m)};
	int64_t deadline;

	d.reported = ARENA_ARRAY(arena, d.request->recipients_count, bool);
	daemon_session_idle(s->session, false);
	daemon_session_note(s->session, d.request->queue_id);
	s->agent->deliver(&d, s->own);
	agent_report_rest(&d, &unfinished);
	os_close(d.request->content);
	daemon_session_note(s->session, SL("idle"));
	if (s->to_qmgr)
		s->told.since = os_now(); /* idle when it is noted */
	else
		daemon_session_idle(s->session, true);
	deadline = os_deadline(s->context->settings->ipc_timeout);
	return d.lost ? IPC_LOST : delivery_deliver_done_send(conn, &d.done, deadline);
}

/* ---- late outcomes */

#define LATE_PATIENCE (5 * 60 * OS_SECOND) /* for the next qmgr to be there */
#define ENDING_PATIENCE (2 * OS_SECOND)    /* when the suite ends: there will hardly be one */
#define LATE_PAUSE_MOST (2 * OS_SECOND)
#define OUTCOMES_IN_FRAME 100 /* bound of qmgr.ipc */

static enum ipc_status late_tell(const struct agent_told *told, int64_t deadline)
{
	struct arena *arena = arena_create();
	struct ipc_conn *conn;
	enum ipc_status status = ipc_connect("public/qmgr", deadline, &conn);

	for (size_t from = 0; from < told->count && status == IPC_OK; from += OUTCOMES_IN_FRAME) {
		size_t n = told->count - from;
		struct qmgr_late_noted reply;
		struct qmgr_late_outcomes m = {
		    .queue_id = told->queue_id,
		    .outcomes = told->outcomes + from,
		    .outcomes_count = n < OUTCOMES_IN_FRAME ? n : OUTCOMES_IN_FRAME,
		};

		status = ipc_call(conn, &qmgr_late_outcomes_message, &m, &qmgr_late_noted_message, arena,
				  &reply, deadline);
	}
	ipc_conn_close(&conn);
	arena_destroy(&arena);
	return status;
}

static int64_t late_deadline(const struct serving *s, int64_t begun)
{
	return begun + (daemon_ending(s->context) ? ENDING_PATIENCE : LATE_PATIENCE);
}

/*
 * late_tell_all - qmgr ended between the request and taking the outcomes; its successor may still be on
 * its way. It counts recipients once, so that telling it too much does no harm.
 */
static void late_tell_all(struct serving *s)
{
	int64_t begun = os_now();
	int64_t pause = 50 * OS_MILLISECOND;
	enum ipc_status status;

	daemon_session_idle(s->session, false);
	daemon_session_note(s->session, arena_printf(s->told.arena, "late outcomes of %.*s",
						     SL_ARG(s->told.queue_id)));
	fiber_uncancel(); /* asked to drain, perhaps: this belongs to the delivery */
	do {
		status = late_tell(&s->told, late_deadline(s, begun));
		if (status == IPC_OK || status == IPC_REFUSED)
			break;
		pause = pause < LATE_PAUSE_MOST ? pause * 2 : pause;
		if (fiber_sleep(os_deadline(pause), "the next qmgr") < 0)
			break;
	} while (os_now() < late_deadline(s, begun));
	if (status != IPC_OK)
		log_warning_text("%.*s: qmgr could not be told the outcome: %s",
				 SL_ARG(s->told.queue_id), ipc_status_text(status));
}

/* is_qmgr - the spool's owner; other agents pass deliveries on as root or as the recipient. */
static bool is_qmgr(const struct daemon_context *context, struct ipc_conn *conn)
{
	pid_t pid;
	uid_t uid;

	return ipc_conn_peer(conn, &pid, &uid) == 0 && uid == context->owner_uid;
}

/* tick - nothing has come for a moment. */
static void tick(struct serving *s)
{
	if (s->agent->idle != NULL)
		s->agent->idle(s->own, false);
	if (s->told.since != 0 && os_now() - s->told.since > NOTED_PATIENCE)
		daemon_session_idle(s->session, true); /* a drain need not wait for it */
}

void agent_session(struct daemon_context *context, struct daemon_session *session,
		   const struct agent *agent, void *own)
{
	static const struct ipc_handler handlers[] = {{&delivery_deliver_message, handle_deliver},
						      {&delivery_noted_message, handle_noted}};
	struct serving s = {.context = context, .session = session, .agent = agent, .own = own};
	struct ipc_conn *conn = ipc_conn_create(session->fd);

	s.to_qmgr = is_qmgr(context, conn);
	s.told.arena = arena_create();
	daemon_session_idle(session, true);
	while (ipc_serve(conn, handlers, 2, &s, IDLE_TICK) == IPC_TIMEOUT)
		tick(&s);
	ipc_conn_close(&conn);
	if (s.told.since != 0 && s.told.count > 0)
		late_tell_all(&s);
	if (agent->idle != NULL)
		agent->idle(own, true);
	arena_destroy(&s.told.arena);
}
