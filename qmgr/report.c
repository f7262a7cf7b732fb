/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "ipc/bounce.h"
#include "log/events.h"

#define REPORT_RECIPIENTS 1000 /* in one report: bound of bounce.ipc */

struct report {
	struct qmgr *q;
	struct message *message;
	struct arena *arena;
	enum bounce_kind kind;
	int64_t expires;
	uint32_t *indices; /* whom it is about */
	size_t count;
};

static struct queue_envelope *envelope_of(const struct message *m)
{
	return m->loaded->m.envelope;
}

/* delivered_here - is the last hop ours (delivered), or another's who cannot send reports (relayed)? */
static bool delivered_here(struct slice relay)
{
	return relay.n == 0 || slice_eq(relay, SL("local")) || slice_eq(relay, SL("virtual")) ||
	       slice_eq(relay, SL("none")) || slice_search(relay, SL("[/")) >= 0 ||
	       slice_search(relay, SL("[private/")) >= 0;
}

static struct slice action_of(const struct report *rp, const struct queue_recipient *r)
{
	switch (rp->kind) {
	case BOUNCE_KIND_FAILURE:
		return SL("failed");
	case BOUNCE_KIND_DELAY:
		return SL("delayed");
	case BOUNCE_KIND_VERIFY:
		return r->outcome == QUEUE_FAILED ? SL("undeliverable") : SL("deliverable");
	case BOUNCE_KIND_SUCCESS:
		break;
	}
	if (r->outcome == QUEUE_EXPANDED)
		return SL("expanded");
	return delivered_here(r->relay) ? SL("delivered") : SL("relayed");
}

static void recipients_fill(const struct report *rp, size_t from, size_t count,
			    struct bounce_recipient *out)
{
	for (size_t i = 0; i < count; i++) {
		const struct queue_recipient *r =
		    &envelope_of(rp->message)->recipients[rp->indices[from + i]];

		out[i] = (struct bounce_recipient){.address = r->address,
						   .orig = r->original,
						   .orcpt = r->orcpt,
						   .notify = r->notify,
						   .dsn = r->dsn,
						   .action = action_of(rp, r),
						   .text = r->text,
						   .relay = r->relay,
						   .mta = r->mta,
						   .remote = r->remote,
						   .final = r->final,
						   .last_try = r->status_time};
	}
}

/* send_part - one report on up to REPORT_RECIPIENTS of them. */
static enum result send_part(const struct report *rp, size_t from, size_t count)
{
	const struct loaded *loaded = rp->message->loaded;
	const struct queue_envelope *env = loaded->m.envelope;
	struct bounce_recipient *recipients = ARENA_ARRAY(rp->arena, count, struct bounce_recipient);
	struct bounce_report_result answer = {0};
	struct bounce_report m = {.kind = rp->kind,
				  .queue_id = queue_id_slice(&env->id),
				  .content = loaded->m.fd,
				  .offset = loaded->m.content_offset,
				  .size = loaded->m.content_size,
				  .flags = env->flags,
				  .sender = env->sender,
				  .ret = (enum mail_ret)env->ret,
				  .envid = env->envid,
				  .arrival = env->arrival,
				  .expires = rp->expires,
				  .recipients = recipients,
				  .recipients_count = count};
	enum ipc_status status;

	recipients_fill(rp, from, count, recipients);
	status = bounce_report_ask(rp->q->bounce, &m, rp->arena, &answer,
				   os_deadline(rp->q->settings->ipc_timeout), NULL);
	if (status != IPC_OK) {
		LOG(service_problem, .service = rp->q->settings->bounce_service_name,
		    .problem = slice_str(ipc_status_text(status)));
		return RES_TEMP;
	}
	if (answer.outcome == BOUNCE_OUTCOME_OK)
		return RES_OK;
	log_warning_text("%s: report to the sender failed: %.*s", env->id.text, SL_ARG(answer.text));
	return answer.outcome == BOUNCE_OUTCOME_TEMP ? RES_TEMP : RES_OK;
}

/* mark_reported - nothing is owed for these any more. */
static void mark_reported(const struct report *rp, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++) {
		const struct queue_recipient *r = &envelope_of(rp->message)->recipients[rp->indices[i]];
		struct queue_mark mark = {.outcome = QUEUE_REPORTED,
					  .time = r->status_time,
					  .dsn = r->dsn,
					  .text = r->text,
					  .relay = r->relay};

		recipient_mark(rp->q, rp->message, rp->indices[i], &mark);
	}
}

/* is_double_bounce - the message is itself a report to the postmaster about a report. */
static bool from_double_bounce(const struct qmgr *q, struct slice sender)
{
	ssize_t at = slice_rfind(sender, '@');

	return at >= 0 && slice_caseeq(slice_sub(sender, 0, (size_t)at), q->double_bounce) &&
	       slice_caseeq(slice_from(sender, (size_t)at + 1), q->settings->myorigin);
}

/* nobody_to_tell - there is no one who could or wants to hear of a failure. */
static bool nobody_to_tell(const struct report *rp)
{
	const struct queue_envelope *env = envelope_of(rp->message);

	if (from_double_bounce(rp->q, env->sender)) {
		LOG(notification_discarded, .queue_id = queue_id_slice(&env->id));
		return true;
	}
	return env->sender.n == 0 && (rp->kind != BOUNCE_KIND_FAILURE || !rp->q->notify_2bounce);
}

static enum result report_send(struct report *rp, bool mark)
{
	enum result rc = RES_OK;
	bool silent = rp->count > 0 && nobody_to_tell(rp);

	for (size_t from = 0; from < rp->count && rc == RES_OK; from += REPORT_RECIPIENTS) {
		size_t n = rp->count - from < REPORT_RECIPIENTS ? rp->count - from
								: REPORT_RECIPIENTS;

		rc = silent ? RES_OK : send_part(rp, from, n);
		if (rc == RES_OK && mark)
			mark_reported(rp, from, n);
	}
	return rc;
}

/*
 * report_about - those recipients in one of two outcomes whose NOTIFY asks for it; `unless`: asked for
 * by those who said nothing. The others of that outcome are owed nothing.
 */
static enum result report_about(struct qmgr *q, struct message *m, enum bounce_kind kind,
				enum queue_outcome outcome, enum queue_outcome other,
				uint32_t notify, bool unless, int64_t expires, bool mark)
{
	struct queue_envelope *env = envelope_of(m);
	struct report rp = {.q = q, .message = m, .arena = arena_create(), .kind = kind,
			    .expires = expires};
	struct report none = rp;
	enum result rc;

	rp.indices = ARENA_ARRAY(rp.arena, env->recipient_count + 1, uint32_t);
	none.indices = ARENA_ARRAY(rp.arena, env->recipient_count + 1, uint32_t);
	for (uint32_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (r->outcome != outcome && r->outcome != other)
			continue;
		if (kind == BOUNCE_KIND_VERIFY || (r->notify & notify) || (unless && r->notify == 0))
			rp.indices[rp.count++] = i;
		else
			none.indices[none.count++] = i;
	}
	if (mark)
		mark_reported(&none, 0, none.count);
	rc = report_send(&rp, mark);
	arena_destroy(&rp.arena);
	return rc;
}

enum result report_failures(struct qmgr *q, struct message *m)
{
	if (envelope_of(m)->flags & QUEUE_VERIFY)
		return report_about(q, m, BOUNCE_KIND_VERIFY, QUEUE_FAILED, QUEUE_SENT, 0, true, 0,
				    true);
	return report_about(q, m, BOUNCE_KIND_FAILURE, QUEUE_FAILED, QUEUE_FAILED,
			    QUEUE_NOTIFY_FAILURE, true, 0, true);
}

enum result report_successes(struct qmgr *q, struct message *m)
{
	bool record = envelope_of(m)->flags & QUEUE_RECORD;

	return report_about(q, m, record ? BOUNCE_KIND_VERIFY : BOUNCE_KIND_SUCCESS, QUEUE_SENT,
			    QUEUE_EXPANDED, QUEUE_NOTIFY_SUCCESS, false, 0, true);
}

enum result report_delays(struct qmgr *q, struct message *m, int64_t expires)
{
	return report_about(q, m, BOUNCE_KIND_DELAY, QUEUE_DEFERRED, QUEUE_DEFERRED,
			    QUEUE_NOTIFY_DELAY, true, expires, false);
}
