/* SPDX-License-Identifier: ISC */
/* session - one client's connection: messages one after another, as schema/ipc/cleanup.ipc says. */
#include "cleanup/cleanup.h"
#include "daemon/daemon.h"
#include "log/events.h"

#define SPACE_AGE OS_SECOND

struct session {
	struct cleanup *process;
	struct daemon_session *daemon;
	struct ipc_conn *conn;
	struct message *message; /* NULL between two */
};

static int64_t deadline(const struct session *s)
{
	return os_deadline(s->process->settings->ipc_timeout);
}

struct space_job {
	int queue_fd;
	uint64_t bytes;
	enum result result;
};

static void ask_space(void *arg)
{
	struct space_job *job = arg;

	job->result = queue_free_space(job->queue_fd, &job->bytes);
}

/* enough_space - queue_minfree, and what the client says it will send; asked once a second at most. */
static bool enough_space(struct cleanup *p, uint64_t size_hint)
{
	uint64_t need = p->settings->queue_minfree;

	if (os_now() - p->free_asked > SPACE_AGE) {
		struct space_job job = {.queue_fd = p->queue_fd};

		fiber_offload(ask_space, &job, "free space of the queue");
		p->free_asked = os_now();
		p->free_bytes = job.result == RES_OK ? job.bytes : UINT64_MAX;
	}
	/* a size is refused only where twice that is not there: the queue needs room to move it */
	if (__builtin_add_overflow(need, size_hint, &need))
		return false;
	return p->free_bytes >= need;
}

struct writer_job {
	struct cleanup *process;
	enum result result;
	struct queue_error error;
};

static void open_writer(void *arg)
{
	struct writer_job *job = arg;

	job->result = queue_writer_open(job->process->queue_fd, NULL, &job->process->writer, &job->error);
}

/* writer_ready - the journal segment is taken with the first message, not at start: the disk may be full now. */
static bool writer_ready(struct message *m)
{
	struct writer_job job = {.process = m->process, .error.reason = QUEUE_IO};

	if (m->process->writer != NULL)
		return true;
	if (fiber_mutex_lock(&m->process->opening, OS_NEVER, "new journal segment") == 0) {
		if (m->process->writer == NULL)
			fiber_offload(open_writer, &job, "new journal segment");
		fiber_mutex_unlock(&m->process->opening);
	}
	if (m->process->writer == NULL)
		refuse_queue_error(m, &job.error);
	return m->process->writer != NULL;
}

static enum ipc_status begin(struct session *s, struct ipc_frame *frame)
{
	struct cleanup_envelope_begun begun = {.outcome = CLEANUP_OUTCOME_OK};
	struct message *m;

	if (s->message != NULL)
		return IPC_GARBAGE;
	m = s->message = message_create(s->process);
	daemon_session_idle(s->daemon, false);
	/* told to go at the moment at which it came, perhaps: this message is seen through */
	fiber_uncancel();
	if (!cleanup_envelope_begin_decode(frame, m->arena, &m->facts))
		return IPC_GARBAGE;
	if (!enough_space(s->process, m->facts.size_hint))
		message_refuse(m, CLEANUP_OUTCOME_TEMP, 452, SL("4.3.1"),
			       SL("Insufficient system storage"));
	else if (writer_ready(m))
		envelope_begin(m);
	if (message_refused(m)) {
		begun = (struct cleanup_envelope_begun){.outcome = m->refusal.outcome,
							.dsn = m->refusal.dsn,
							.code = m->refusal.code,
							.text = m->refusal.text};
	} else {
		begun.queue_id = queue_id_slice(&m->envelope.id);
		daemon_session_note(s->daemon, begun.queue_id);
	}
	/*
	 * It waits for company: as a rule the whole message is here already, and its result can go with
	 * it. A message that was refused stays until its commit or abort, for all of it may be here, too.
	 */
	return cleanup_envelope_begun_add(s->conn, &begun);
}

static enum ipc_status recipient(struct session *s, struct ipc_frame *frame)
{
	struct cleanup_envelope_rcpt rcpt;

	if (s->message == NULL || !cleanup_envelope_rcpt_decode(frame, s->message->arena, &rcpt))
		return IPC_GARBAGE;
	envelope_recipient(s->message, &rcpt);
	return IPC_OK;
}

static enum ipc_status content(struct session *s, struct ipc_frame *frame)
{
	struct cleanup_content c;

	if (s->message == NULL || !cleanup_content_decode(frame, NULL, &c))
		return IPC_GARBAGE;
	content_feed(s->message, c.data);
	return IPC_OK;
}

static void finish(struct message *m)
{
	content_finish(m);
	if (m->envelope.recipient_count == 0)
		message_refuse(m, CLEANUP_OUTCOME_PERM, 554, SL("5.5.1"),
			       SL("Error: no valid recipients"));
	if (!message_refused(m) && !m->facts.discard)
		commit_message(m);
}

static enum ipc_status commit(struct session *s)
{
	struct message *m = s->message;
	struct cleanup_envelope_result result;
	enum ipc_status status;

	if (m == NULL)
		return IPC_GARBAGE;
	finish(m);
	result = (struct cleanup_envelope_result){
	    .outcome = m->refusal.outcome,
	    .dsn = message_refused(m) ? m->refusal.dsn : SL("2.0.0"),
	    .code = message_refused(m) ? m->refusal.code : 250,
	    .text = m->refusal.text,
	    .size = m->scan.bytes,
	};
	status = cleanup_envelope_result_send(s->conn, &result, deadline(s));
	message_destroy(&s->message);
	return status;
}

static enum ipc_status handle(struct session *s, struct ipc_frame *frame)
{
	switch (frame->type) {
	case CLEANUP_ENVELOPE_BEGIN:
		return begin(s, frame);
	case CLEANUP_ENVELOPE_RCPT:
		return recipient(s, frame);
	case CLEANUP_CONTENT:
		return content(s, frame);
	case CLEANUP_ENVELOPE_COMMIT:
		return commit(s);
	case CLEANUP_ENVELOPE_ABORT:
		message_destroy(&s->message);
		return IPC_OK;
	}
	return IPC_GARBAGE;
}

void cleanup_session(struct daemon_context *context, struct daemon_session *session)
{
	struct session s = {.process = context->state,
			    .daemon = session,
			    .conn = ipc_conn_create(session->fd)};
	enum ipc_status status = IPC_OK;
	struct ipc_frame frame;

	ipc_conn_set_why(s.conn, "client");
	while (status == IPC_OK) {
		bool between = s.message == NULL;

		/* a client may hold a connection for ever, but not a message (its own peers are slow, so
		 * the patience is that of a mail session, not of a call) */
		daemon_session_idle(session, between);
		status = ipc_receive(s.conn, &frame, between ? OS_NEVER : os_deadline(3600 * OS_SECOND));
		if (status == IPC_OK)
			status = handle(&s, &frame);
	}
	if (status == IPC_GARBAGE)
		LOG(service_problem, .service = SL("cleanup"),
		    .problem = SL("a client sent what is not declared; its connection is closed"));
	message_destroy(&s.message);
	ipc_conn_close(&s.conn);
}
