/* SPDX-License-Identifier: ISC */
/*
 * agent_session - one connection from qmgr. Its session's fiber receives, and so sees at once when
 * qmgr ends; a second fiber delivers.
 */
#include "daemon/agent.h"

#include "base/check.h"
#include "daemon/agent_link.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/file.h"

#define TICK OS_SECOND
#define NOTED_PATIENCE (10 * OS_SECOND)
#define LATE_PATIENCE (5 * 60 * OS_SECOND) /* of outcomes, for the next qmgr to be there */
#define ENDING_PATIENCE (2 * OS_SECOND)	   /* when the suite ends: there will hardly be one */
#define CLAIM_PATIENCE (60 * OS_SECOND)
#define PAUSE_FIRST (20 * OS_MILLISECOND) /* between two tries to reach it */
#define PAUSE_MOST (500 * OS_MILLISECOND)

struct serving {
	struct daemon_context *context;
	struct daemon_session *session;
	const struct agent *agent;
	void *own;
	struct agent_link link;

	struct fiber *worker; /* made with the first delivery */
	struct fiber_cond work;
	struct arena *arena; /* of the request */
	struct delivery_deliver request;
	bool busy;
	bool ended; /* the worker may go */
};

/* ---- delivering */

static void deliver(struct serving *s)
{
	static const struct agent_outcome unfinished = {
	    .status = DELIVERY_STATUS_DEFERRED,
	    .dsn = SL("4.3.0"),
	    .text = SL("delivery agent ended without an outcome"),
	};
	struct agent_delivery d = {.request = &s->request,
				   .context = s->context,
				   .session = s->session,
				   .arena = s->arena,
				   .begun = os_wall(),
				   .link = &s->link,
				   .prompt = s->agent->prompt};

	d.reported = ARENA_ARRAY(s->arena, s->request.recipients_count + 1, bool);
	s->agent->deliver(&d, s->own);
	agent_report_rest(&d, &unfinished);
	os_close(s->request.content);
	daemon_session_note(s->session, SL("idle"));
	link_end(&s->link, &d.done);
	if (s->agent->after != NULL)
		s->agent->after(s->own);
	arena_reset(s->arena);
	if (!s->link.keep)
		daemon_session_idle(s->session, true); /* else when it is noted */
	s->busy = false;
	fiber_cond_broadcast(&s->link.changed);
}

static void worker(void *arg)
{
	struct serving *s = arg;

	fiber_set_state(s->session->note);
	while (!s->ended || s->busy) {
		if (s->busy)
			deliver(s);
		else if (fiber_cond_wait(&s->work, OS_NEVER, "a delivery") < 0)
			fiber_uncancel();
	}
	fiber_set_state("");
}

/* worker_idle - it has told that it is done, and is about to be. */
static bool worker_idle(struct serving *s)
{
	while (s->busy)
		if (fiber_cond_wait(&s->link.changed, OS_NEVER, "the delivery") < 0)
			return false;
	return true;
}

/*
 * begin - false ends the session. What a qmgr asked for that has gone before we began was not
 * begun: its successor must not wait for it.
 */
static bool begin(struct serving *s, struct ipc_frame *frame)
{
	if (!s->link.over || !worker_idle(s) ||
	    !delivery_deliver_decode(frame, s->arena, &s->request)) {
		ipc_frame_drop(frame);
		return false;
	}
	if (s->worker == NULL)
		s->worker = fiber_spawn_joinable("deliver", worker, s);
	if (s->worker == NULL || !ipc_conn_usable(s->link.conn)) {
		os_close(s->request.content);
		return false;
	}
	daemon_session_idle(s->session, false);
	/* told to go at the moment at which it came, perhaps: this delivery is seen through */
	fiber_uncancel();
	daemon_session_note(s->session, s->request.queue_id);
	link_begin(&s->link, &s->request);
	s->busy = true;
	fiber_cond_signal(&s->work);
	return true;
}

static void worker_end(struct serving *s)
{
	if (s->worker == NULL)
		return;
	s->ended = true;
	fiber_cond_signal(&s->work);
	while (fiber_join(s->worker, OS_NEVER, "the delivery") < 0) {
		fiber_uncancel();
		fiber_cancel(s->worker);
	}
}

/* pass_on_cancel - the process is told to end now: so is the delivery; what it tells is still
 * awaited. */
static void pass_on_cancel(struct serving *s)
{
	if (s->busy)
		fiber_cancel(s->worker);
	fiber_uncancel();
}

/* ---- the qmgr that asks */

/* tick - nothing has come for a moment. */
static void tick(struct serving *s)
{
	if (s->busy)
		return;
	if (s->agent->idle != NULL)
		s->agent->idle(s->own, false);
	if (s->link.ended != 0 && os_now() - s->link.ended > NOTED_PATIENCE)
		daemon_session_idle(s->session, true); /* a drain need not wait for it */
}

static bool take_frame(struct serving *s, struct ipc_frame *frame)
{
	struct delivery_noted noted;

	if (frame->type == DELIVERY_DELIVER)
		return begin(s, frame);
	if (!s->link.over || !delivery_noted_decode(frame, NULL, &noted)) {
		ipc_frame_drop(frame);
		return false;
	}
	link_noted(&s->link);
	daemon_session_idle(s->session, true);
	return true;
}

/* serve - until qmgr ends, or cannot be told any more. */
static void serve(struct serving *s)
{
	while (s->link.up) {
		struct ipc_frame frame;
		enum ipc_status status = ipc_receive(s->link.conn, &frame, os_deadline(TICK));

		if (status == IPC_TIMEOUT)
			tick(s);
		else if (status == IPC_CANCELLED && !s->link.over)
			pass_on_cancel(s);
		else if (status != IPC_OK || !take_frame(s, &frame))
			return;
	}
}

/* ---- the next one */

static bool patient(const struct serving *s)
{
	int64_t most = daemon_ending(s->context) ? ENDING_PATIENCE : LATE_PATIENCE;

	return !s->link.over || os_now() - s->link.ended < most;
}

/* await_noted - the claim stands; true: all was told and taken. */
static bool await_noted(struct serving *s)
{
	while (s->link.up && patient(s)) {
		struct qmgr_claim_noted noted;
		struct ipc_frame frame;
		enum ipc_status status = ipc_receive(s->link.conn, &frame, os_deadline(TICK));

		if (status == IPC_OK) {
			if (qmgr_claim_noted_decode(&frame, NULL, &noted) && s->link.over)
				return true;
			ipc_frame_drop(&frame);
			return false;
		}
		if (status == IPC_CANCELLED)
			pass_on_cancel(s);
		else if (status != IPC_TIMEOUT)
			return false;
	}
	return false;
}

/*
 * hand_over - qmgr ended between the request and taking the outcomes. Its successor may still be on
 * its way, and may be followed by another.
 */
static void hand_over(struct serving *s)
{
	int64_t pause = PAUSE_FIRST;
	bool noted = false;

	daemon_session_idle(s->session, false);
	fiber_uncancel(); /* asked to drain, perhaps: this belongs to the delivery */
	while (!noted && patient(s)) {
		int64_t begun = os_now();

		if (link_claim(&s->link, os_deadline(CLAIM_PATIENCE)) == IPC_OK)
			noted = await_noted(s);
		if (os_now() - begun > PAUSE_MOST)
			pause = PAUSE_FIRST;
		if (!noted && fiber_sleep(os_deadline(pause), "the next qmgr") < 0)
			pass_on_cancel(s);
		pause = pause < PAUSE_MOST ? pause * 2 : pause;
	}
	if (noted)
		link_noted(&s->link);
	else
		log_warning_text("%.*s: qmgr could not be told the outcome",
				 SL_ARG(s->link.queue_id));
}

/* is_qmgr - the spool's owner; other agents pass deliveries on as root or as the recipient. */
static bool is_qmgr(const struct daemon_context *context, struct ipc_conn *conn)
{
	pid_t pid;
	uid_t uid;

	return ipc_conn_peer(conn, &pid, &uid) == 0 && uid == context->owner_uid;
}

void agent_session(struct daemon_context *context, struct daemon_session *session,
		   const struct agent *agent, void *own)
{
	struct serving s = {.context = context,
			    .session = session,
			    .agent = agent,
			    .own = own,
			    .arena = arena_create()};
	struct ipc_conn *conn = ipc_conn_create(session->fd);

	link_init(&s.link, conn, is_qmgr(context, conn), context->settings->ipc_timeout);
	fiber_cond_init(&s.work);
	daemon_session_idle(session, true);
	serve(&s);
	if (link_wanted(&s.link))
		hand_over(&s);
	worker_end(&s);
	link_free(&s.link);
	if (agent->idle != NULL)
		agent->idle(own, true);
	arena_destroy(&s.arena);
}
