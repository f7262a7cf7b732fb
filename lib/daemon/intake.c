/* SPDX-License-Identifier: ISC */
#include "daemon/intake.h"
#include "base/buffer.h"
#include "log/log.h"

/* so many bytes of frames are sent at the latest; what one call adds behind that is bounded */
#define GATHERED_ENOUGH INTAKE_CHUNK
#define GATHERED_MAX (4 * INTAKE_CHUNK)
/* an idle connection may be stale, and the next may go to a process that is being replaced */
#define TRIES_MOST 3
/* intake_end has no deadline of its own: an abort that does not leave at once costs the connection */
#define ABORT_PATIENCE (1 * OS_SECOND)

struct intake {
	struct arena *arena;
	struct ipc_client *client;
	struct ipc_conn *conn;   /* NULL: cleanup has not heard of this message */
	struct buffer gathered;  /* frames; all of them from the first on, until cleanup has answered */
	struct buffer chunk;	 /* content that is not in a frame yet */
	struct slice id;	 /* absent until cleanup has taken the envelope */
	bool whole;		 /* the commit is among what is gathered, or has been sent */
	bool clean;		 /* the connection is free for the next message */
	bool failed;
	struct intake_result failure;
};

static enum result outcome_result(enum cleanup_outcome outcome)
{
	switch (outcome) {
	case CLEANUP_OUTCOME_OK:
		return RES_OK;
	case CLEANUP_OUTCOME_PERM:
		return RES_PERM;
	case CLEANUP_OUTCOME_TEMP:
		break;
	}
	return RES_TEMP;
}

static struct intake_result unavailable(enum ipc_status status, const char *when)
{
	log_warning_text("cleanup: %s: %s", when, ipc_status_text(status));
	return (struct intake_result){.outcome = RES_TEMP,
				      .code = 451,
				      .dsn = SL("4.3.0"),
				      .text = SL("Error: queue file write error")};
}

static void fail(struct intake *in, enum ipc_status status, const char *when)
{
	in->failed = true;
	in->failure = unavailable(status, when);
}

/* add - one frame behind the others. */
static void add(struct intake *in, const struct ipc_message *message, const void *m)
{
	if (!in->failed && !ipc_encode(message, m, &in->gathered))
		fail(in, IPC_REFUSED, "message");
}

enum result intake_begin(struct ipc_client *client, const struct cleanup_envelope_begin *envelope,
			 int64_t deadline, struct intake **in, struct intake_result *failure)
{
	enum ipc_status status = ipc_client_ready(client, deadline);
	struct arena *own;

	*in = NULL;
	if (status != IPC_OK) {
		*failure = unavailable(status, "new message");
		return RES_TEMP;
	}
	own = arena_create();
	*in = ARENA_NEW(own, struct intake);
	(*in)->arena = own;
	(*in)->client = client;
	buffer_init(&(*in)->gathered, GATHERED_MAX);
	buffer_init(&(*in)->chunk, INTAKE_CHUNK);
	add(*in, &cleanup_envelope_begin_message, envelope);
	if (!(*in)->failed)
		return RES_OK;
	*failure = (*in)->failure;
	intake_end(in);
	return RES_TEMP;
}

struct slice intake_id(const struct intake *in)
{
	return in->id;
}

bool intake_failed(const struct intake *in)
{
	return in->failed;
}

/* ---- over the connection */

static enum ipc_status introduce(struct intake *in, struct cleanup_envelope_begun *begun,
				 int64_t deadline)
{
	enum ipc_status status =
	    ipc_send_encoded(in->conn, buffer_slice(&in->gathered), deadline);

	if (status != IPC_OK)
		return status;
	return ipc_expect(in->conn, &cleanup_envelope_begun_message, in->arena, begun, deadline);
}

/*
 * first_contact - send all there is, and hear what cleanup says to the envelope. A connection that ends
 * before that was an idle one of a cleanup that has been replaced, as a rule, or one that it took at the moment
 * at which it was told to go; everything is still here, so it is said once more, over a new one. Not when
 * cleanup has read all of it, the commit included, before it ended without a word (what it leaves unread comes
 * back as a reset): it may have made the message durable.
 */
static enum ipc_status first_contact(struct intake *in, struct cleanup_envelope_begun *begun,
				     int64_t deadline)
{
	enum ipc_status status = ipc_client_get(in->client, deadline, &in->conn);

	for (int tries = 1; status == IPC_OK; tries++) {
		status = introduce(in, begun, deadline);
		if ((status != IPC_LOST && (status != IPC_END || in->whole)) || tries == TRIES_MOST)
			return status;
		ipc_conn_close(&in->conn);
		status = ipc_client_new(in->client, deadline, &in->conn);
	}
	return status;
}

static void open_envelope(struct intake *in, int64_t deadline)
{
	struct cleanup_envelope_begun begun;
	enum ipc_status status = first_contact(in, &begun, deadline);

	buffer_reset(&in->gathered);
	if (status != IPC_OK) {
		fail(in, status, "new message");
		ipc_conn_close(&in->conn);
		return;
	}
	if (begun.outcome == CLEANUP_OUTCOME_OK) {
		in->id = begun.queue_id;
		return;
	}
	in->failed = true;
	in->failure = (struct intake_result){.outcome = outcome_result(begun.outcome),
					     .code = begun.code,
					     .dsn = begun.dsn,
					     .text = begun.text};
}

/* pass_on - what is gathered goes to cleanup. */
static void pass_on(struct intake *in, int64_t deadline)
{
	enum ipc_status status;

	if (in->failed)
		return;
	if (in->conn == NULL) {
		open_envelope(in, deadline);
		return;
	}
	if (in->gathered.len == 0)
		return;
	status = ipc_send_encoded(in->conn, buffer_slice(&in->gathered), deadline);
	buffer_reset(&in->gathered);
	if (status == IPC_OK)
		return;
	fail(in, status, "message");
	ipc_conn_close(&in->conn);
}

enum result intake_open(struct intake *in, int64_t deadline, struct intake_result *result)
{
	if (in->conn == NULL)
		pass_on(in, deadline);
	if (!in->failed)
		return RES_OK;
	if (result != NULL)
		*result = in->failure;
	return in->failure.outcome;
}

void intake_recipient(struct intake *in, const struct cleanup_envelope_rcpt *recipient,
		      int64_t deadline)
{
	add(in, &cleanup_envelope_rcpt_message, recipient);
	if (in->gathered.len >= GATHERED_ENOUGH)
		pass_on(in, deadline);
}

static void frame_chunk(struct intake *in)
{
	struct cleanup_content content = {.data = buffer_slice(&in->chunk)};

	if (in->chunk.len > 0)
		add(in, &cleanup_content_message, &content);
	buffer_reset(&in->chunk);
}

void intake_content(struct intake *in, struct slice bytes, int64_t deadline)
{
	while (bytes.n > 0 && !in->failed) {
		struct slice part;

		/* only now: the last chunk leaves with the commit */
		if (in->chunk.len == INTAKE_CHUNK) {
			frame_chunk(in);
			pass_on(in, deadline);
		}
		part = slice_sub(bytes, 0, INTAKE_CHUNK - in->chunk.len);
		buffer_append(&in->chunk, part);
		bytes = slice_from(bytes, part.n);
	}
}

/* ---- the end */

static struct intake_result told(const struct cleanup_envelope_result *reply)
{
	return (struct intake_result){.outcome = outcome_result(reply->outcome),
				      .code = reply->code,
				      .dsn = reply->dsn,
				      .text = reply->text,
				      .size = reply->size,
				      .logged = reply->logged};
}

enum result intake_commit(struct intake *in, int64_t deadline, struct intake_result *result)
{
	struct cleanup_envelope_result reply;
	enum ipc_status status;

	/* of a message that has failed before now, cleanup has no commit: intake_end gives it up */
	frame_chunk(in);
	add(in, &cleanup_envelope_commit_message, NULL);
	in->whole = true;
	if (in->failed) {
		*result = in->failure;
		return result->outcome;
	}
	pass_on(in, deadline);
	if (in->conn != NULL) {
		/* an envelope that was refused has its result, too: the refusal once more */
		status = ipc_expect(in->conn, &cleanup_envelope_result_message, in->arena, &reply,
				    deadline);
		in->clean = status == IPC_OK;
		if (!in->clean)
			ipc_conn_close(&in->conn);
		if (!in->clean && !in->failed)
			fail(in, status, "end of a message");
	}
	*result = in->failed ? in->failure : told(&reply);
	return result->outcome;
}

/* give_up - tell cleanup that this message ends here; false: better end the connection. */
static bool give_up(struct intake *in)
{
	int64_t deadline = os_deadline(ABORT_PATIENCE);

	return cleanup_envelope_abort_send(in->conn, NULL, deadline) == IPC_OK;
}

void intake_end(struct intake **in)
{
	struct intake *i = *in;
	struct arena *arena;

	if (i == NULL)
		return;
	if (i->conn != NULL)
		ipc_client_put(i->client, &i->conn, i->clean || give_up(i));
	buffer_free(&i->gathered);
	buffer_free(&i->chunk);
	arena = i->arena;
	arena_destroy(&arena);
	*in = NULL;
}
