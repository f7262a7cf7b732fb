/* SPDX-License-Identifier: ISC */
#include "daemon/intake.h"
#include "base/buffer.h"
#include "log/log.h"

#define CHUNK ((size_t)65536)
/* intake_end has no deadline of its own: an abort that does not leave at once costs the connection */
#define ABORT_PATIENCE (1 * OS_SECOND)

struct intake {
	struct arena *arena;
	struct ipc_client *client;
	struct ipc_conn *conn;
	struct slice id;
	struct buffer chunk;
	bool committed; /* the reply to the commit has come: the connection is clean */
	bool failed;
};

static void unavailable(enum ipc_status status, const char *when, struct intake_result *result)
{
	log_warning_text("cleanup: %s: %s", when, ipc_status_text(status));
	*result = (struct intake_result){.outcome = RES_TEMP,
					 .code = 451,
					 .dsn = SL("4.3.0"),
					 .text = SL("Error: queue file write error")};
}

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

enum result intake_begin(struct ipc_client *client, const struct cleanup_envelope_begin *envelope,
			 int64_t deadline, struct arena *arena, struct intake **in,
			 struct intake_result *failure)
{
	struct cleanup_envelope_begun begun;
	struct ipc_conn *conn = NULL;
	enum ipc_status status;

	*in = NULL;
	status = cleanup_envelope_begin_ask(client, envelope, arena, &begun, deadline, &conn);
	if (status != IPC_OK) {
		unavailable(status, "new message", failure);
		return RES_TEMP;
	}
	if (begun.outcome != CLEANUP_OUTCOME_OK) {
		ipc_client_put(client, &conn, true);
		*failure = (struct intake_result){.outcome = outcome_result(begun.outcome),
						  .code = begun.code,
						  .dsn = begun.dsn,
						  .text = begun.text};
		return failure->outcome;
	}
	struct arena *own = arena_create();
	struct intake *i = ARENA_NEW(own, struct intake);

	i->arena = own;
	i->client = client;
	i->conn = conn;
	i->id = arena_dup(own, begun.queue_id);
	buffer_init(&i->chunk, CHUNK);
	*in = i;
	return RES_OK;
}

struct slice intake_id(const struct intake *in)
{
	return in->id;
}

bool intake_failed(const struct intake *in)
{
	return in->failed;
}

void intake_recipient(struct intake *in, const struct cleanup_envelope_rcpt *recipient,
		      int64_t deadline)
{
	if (!in->failed && cleanup_envelope_rcpt_send(in->conn, recipient, deadline) != IPC_OK)
		in->failed = true;
}

static void send_chunk(struct intake *in, struct slice bytes, int64_t deadline)
{
	struct cleanup_content content = {.data = bytes};

	if (!in->failed && cleanup_content_send(in->conn, &content, deadline) != IPC_OK)
		in->failed = true;
}

static void flush_chunk(struct intake *in, int64_t deadline)
{
	if (in->chunk.len > 0)
		send_chunk(in, buffer_slice(&in->chunk), deadline);
	buffer_reset(&in->chunk);
}

void intake_content(struct intake *in, struct slice bytes, int64_t deadline)
{
	while (bytes.n > 0 && !in->failed) {
		size_t room = CHUNK - in->chunk.len;
		struct slice part = slice_sub(bytes, 0, room);

		/* a full chunk that is in one piece needs no copy */
		if (in->chunk.len == 0 && part.n == CHUNK)
			send_chunk(in, part, deadline);
		else
			buffer_append(&in->chunk, part);
		if (in->chunk.len == CHUNK)
			flush_chunk(in, deadline);
		bytes = slice_from(bytes, part.n);
	}
}

enum result intake_commit(struct intake *in, int64_t deadline, struct intake_result *result)
{
	struct cleanup_envelope_result reply;
	enum ipc_status status = IPC_LOST;

	flush_chunk(in, deadline);
	if (!in->failed)
		status = cleanup_envelope_commit_call(in->conn, NULL, in->arena, &reply, deadline);
	if (status != IPC_OK) {
		in->failed = true;
		unavailable(status, "end of a message", result);
		return RES_TEMP;
	}
	in->committed = true;
	*result = (struct intake_result){.outcome = outcome_result(reply.outcome),
					 .code = reply.code,
					 .dsn = reply.dsn,
					 .text = reply.text,
					 .size = reply.size,
					 .logged = reply.logged};
	return result->outcome;
}

void intake_end(struct intake **in)
{
	struct intake *i = *in;
	struct arena *arena;

	if (i == NULL)
		return;
	if (!i->committed && !i->failed) {
		int64_t deadline = os_deadline(ABORT_PATIENCE);

		i->failed = cleanup_envelope_abort_send(i->conn, NULL, deadline) != IPC_OK;
	}
	ipc_client_put(i->client, &i->conn, !i->failed);
	buffer_free(&i->chunk);
	arena = i->arena;
	arena_destroy(&arena);
	*in = NULL;
}
