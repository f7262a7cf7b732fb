/* SPDX-License-Identifier: ISC */
#include "pickup/submit.h"
#include "daemon/intake.h"
#include "ipc/bounce.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"

#define CHUNK ((size_t)65536)
#define PATIENCE (300 * OS_SECOND)

void submitter_open(struct submitter *s, const struct settings *settings, struct arena *arena)
{
	struct slice cleanup =
	    arena_printf(arena, "public/%.*s", SL_ARG(settings->cleanup_service_name));
	struct slice bounce =
	    arena_printf(arena, "private/%.*s", SL_ARG(settings->bounce_service_name));

	s->settings = settings;
	s->cleanup = ipc_client_create(cleanup.p, 1);
	s->bounce = ipc_client_create(bounce.p, 1);
}

static enum cleanup_body body_type(struct slice body)
{
	if (slice_caseeq(body, SL("8BITMIME")))
		return CLEANUP_BODY_EIGHTBITMIME;
	return body.n > 0 ? CLEANUP_BODY_SEVENBIT : CLEANUP_BODY_UNSET;
}

static void fill(const struct maildrop_file *file, struct cleanup_envelope_begin *begin)
{
	const struct maildrop_envelope *e = &file->envelope;

	*begin = (struct cleanup_envelope_begin){
	    .origin = CLEANUP_ORIGIN_LOCAL,
	    .context = e->gateway ? CLEANUP_CONTEXT_REMOTE : CLEANUP_CONTEXT_LOCAL,
	    .received = true,
	    .smtputf8 = e->smtputf8,
	    .body = body_type(e->body),
	    .sender = e->sender,
	    .ret = e->ret,
	    .envid = e->envid,
	    .size_hint = file->content_size,
	    .arrival = e->time,
	    /* the file's owner is known from the system; what the file says is postdrop's word */
	    .uid = file->owner,
	    .full_name = e->full_name,
	    .verp = e->verp,
	    .login_sender = e->login,
	    .origin_name = SL("pickup"),
	    .record = e->record,
	    .verify = e->verify,
	    .filter = file->requeued.filter,
	};
}

static void send_recipients(struct intake *in, const struct maildrop_file *file, int64_t deadline)
{
	for (size_t i = 0; i < file->recipient_count; i++) {
		struct cleanup_envelope_rcpt rcpt = {.address = file->recipients[i].address,
						     .orig = file->recipients[i].orig,
						     .orcpt = file->recipients[i].orcpt,
						     .notify = file->recipients[i].notify};

		intake_recipient(in, &rcpt, deadline);
	}
}

static enum result send_content(struct intake *in, const struct maildrop_file *file,
				struct arena *arena, int64_t deadline)
{
	char *chunk = arena_alloc(arena, CHUNK);
	uint64_t at = 0;

	while (at < file->content_size && !intake_failed(in)) {
		uint64_t left = file->content_size - at;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		if (os_pread_full(file->fd, chunk, n, (off_t)(file->content_offset + at)) != (ssize_t)n)
			return RES_TEMP;
		intake_content(in, slice(chunk, n), deadline);
		at += n;
	}
	return RES_OK;
}

/* return_to_sender - cleanup will never take this message: its sender gets it back. */
static enum result return_to_sender(struct submitter *s, const char *name,
				    const struct maildrop_file *file,
				    const struct intake_result *why, struct arena *arena)
{
	struct bounce_recipient *list =
	    ARENA_ARRAY(arena, file->recipient_count, struct bounce_recipient);
	struct bounce_report report = {.kind = BOUNCE_KIND_FAILURE,
				       .queue_id = slice_str(name),
				       .content = file->fd,
				       .offset = file->content_offset,
				       .size = file->content_size,
				       .sender = file->envelope.sender,
				       .ret = file->envelope.ret,
				       .envid = file->envelope.envid,
				       .arrival = file->envelope.time,
				       .recipients = list,
				       .recipients_count = file->recipient_count};
	struct bounce_report_result result;

	for (size_t i = 0; i < file->recipient_count; i++)
		list[i] = (struct bounce_recipient){.address = file->recipients[i].address,
						    .orig = file->recipients[i].orig,
						    .orcpt = file->recipients[i].orcpt,
						    .notify = file->recipients[i].notify,
						    .dsn = why->dsn,
						    .text = why->text};
	if (bounce_report_ask(s->bounce, &report, arena, &result, os_deadline(PATIENCE), NULL) != IPC_OK)
		return RES_TEMP;
	return result.outcome == BOUNCE_OUTCOME_OK ? RES_OK : RES_TEMP;
}

static void log_trouble(const char *name, const struct intake_result *why)
{
	log_warning_text("maildrop/%s: %.*s %.*s", name, SL_ARG(why->dsn), SL_ARG(why->text));
}

static enum result transfer(struct intake *in, const struct maildrop_file *file, struct arena *arena,
			    int64_t deadline, struct intake_result *result)
{
	enum result rc = send_content(in, file, arena, deadline);

	if (rc == RES_OK)
		return intake_commit(in, deadline, result);
	*result = (struct intake_result){.dsn = SL("4.3.0"), .text = SL("file read error")};
	return rc;
}

static enum result hand_over(struct submitter *s, const struct maildrop_file *file,
			     struct arena *arena, struct intake_result *result)
{
	int64_t deadline = os_deadline(PATIENCE);
	struct cleanup_envelope_begin begin;
	struct intake *in;
	enum result rc;

	fill(file, &begin);
	rc = intake_begin(s->cleanup, &begin, deadline, &in, result);
	if (rc != RES_OK)
		return rc;
	send_recipients(in, file, deadline);
	/* so that the line that says where the message came from is its first */
	rc = intake_open(in, deadline, result);
	if (rc == RES_OK) {
		LOG(picked_up, .queue_id = intake_id(in), .uid = file->owner,
		    .from = file->envelope.sender, .orig_id = file->requeued.queue_id);
		rc = transfer(in, file, arena, deadline, result);
	}
	result->dsn = arena_dup(arena, result->dsn);
	result->text = arena_dup(arena, result->text);
	intake_end(&in);
	return rc;
}

enum result submit(struct submitter *s, const char *name, const struct maildrop_file *file,
		   struct arena *arena)
{
	struct intake_result result = {0};
	enum result rc = hand_over(s, file, arena, &result);

	if (rc == RES_OK)
		return RES_OK;
	log_trouble(name, &result);
	return rc == RES_PERM ? return_to_sender(s, name, file, &result, arena) : RES_TEMP;
}
