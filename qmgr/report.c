/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "ipc/bounce.h"
#include "log/events.h"

#define OUTCOME(outcome) (1u << (outcome))
#define REPORT_RECIPIENTS 1000 /* in one report: bound of bounce.ipc */

struct report {
	struct qmgr *q;
	struct message *message;
	struct arena *arena;
	enum bounce_kind kind;
	int64_t expires;
	unsigned outcomes; /* which ones are reported on: OUTCOME bits */
	unsigned done;	   /* and to which of them nothing is owed then */
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
		if (envelope_of(rp->message)->flags & QUEUE_VERIFY)
			return r->outcome == QUEUE_SENT ? SL("deliverable") : SL("undeliverable");
		break;
	case BOUNCE_KIND_SUCCESS:
		break;
	}
	if (r->outcome == QUEUE_EXPANDED)
		return SL("expanded");
	if (r->outcome == QUEUE_FAILED)
		return SL("failed");
	if (r->outcome == QUEUE_DEFERRED)
		return SL("delayed");
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
				  .flags = env->flags,
				  .sender = env->sender,
				  .ret = (enum mail_ret)env->ret,
				  .envid = env->envid,
				  .arrival = env->arrival,
				  .expires = rp->expires,
				  .recipients = recipients,
				  .recipients_count = count};
	struct queue_error error;
	enum ipc_status status;

	if (content_take(rp->q, rp->message, &error) != RES_OK) {
		queue_problem(&env->id, "cannot read message", &error);
		return RES_TEMP;
	}
	m.content = loaded->m.fd;
	m.offset = loaded->m.content_offset;
	m.size = loaded->m.content_size;
	recipients_fill(rp, from, count, recipients);
	status = bounce_report_ask(rp->q->bounce, &m, rp->arena, &answer,
				   os_deadline(rp->q->settings->ipc_timeout), NULL);
	content_give(rp->q, rp->message);
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

/* mark_reported - nothing is owed for these any more, as far as they are done. */
static void mark_reported(const struct report *rp, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++) {
		const struct queue_recipient *r = &envelope_of(rp->message)->recipients[rp->indices[i]];
		struct queue_mark mark = {.outcome = QUEUE_REPORTED,
					  .time = r->status_time,
					  .dsn = r->dsn,
					  .text = r->text,
					  .relay = r->relay};

		if (!(OUTCOME(r->outcome) & rp->done))
			continue;
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

static enum result report_send(struct report *rp)
{
	enum result rc = RES_OK;
	bool silent = rp->count > 0 && nobody_to_tell(rp);

	for (size_t from = 0; from < rp->count && rc == RES_OK; from += REPORT_RECIPIENTS) {
		size_t n = rp->count - from < REPORT_RECIPIENTS ? rp->count - from
								: REPORT_RECIPIENTS;

		rc = silent ? RES_OK : send_part(rp, from, n);
		if (rc == RES_OK)
			mark_reported(rp, from, n);
	}
	return rc;
}

/* report_about - those whose NOTIFY asks for it; `unless`: asked for by those who said nothing. */
static enum result report_about(struct report *rp, uint32_t notify, bool unless)
{
	struct queue_envelope *env = envelope_of(rp->message);
	struct report none;
	enum result rc;

	rp->arena = arena_create();
	none = *rp;
	rp->indices = ARENA_ARRAY(rp->arena, env->recipient_count + 1, uint32_t);
	none.indices = ARENA_ARRAY(rp->arena, env->recipient_count + 1, uint32_t);
	for (uint32_t i = 0; i < env->recipient_count; i++) {
		const struct queue_recipient *r = &env->recipients[i];

		if (!(OUTCOME(r->outcome) & rp->outcomes))
			continue;
		if (rp->kind == BOUNCE_KIND_VERIFY || (r->notify & notify) || (unless && r->notify == 0))
			rp->indices[rp->count++] = i;
		else
			none.indices[none.count++] = i;
	}
	mark_reported(&none, 0, none.count);
	rc = report_send(rp);
	arena_destroy(&rp->arena);
	return rc;
}

/* report_probe - sendmail -bv: what was found out of each recipient; there is no second try. */
static enum result report_probe(struct qmgr *q, struct message *m)
{
	struct report rp = {.q = q, .message = m, .kind = BOUNCE_KIND_VERIFY};

	rp.outcomes = rp.done = OUTCOME(QUEUE_SENT) | OUTCOME(QUEUE_EXPANDED) | OUTCOME(QUEUE_FAILED) |
				OUTCOME(QUEUE_DEFERRED);
	return report_about(&rp, 0, true);
}

enum result report_failures(struct qmgr *q, struct message *m)
{
	struct report rp = {.q = q, .message = m, .kind = BOUNCE_KIND_FAILURE};

	if (envelope_of(m)->flags & QUEUE_VERIFY)
		return report_probe(q, m);
	rp.outcomes = rp.done = OUTCOME(QUEUE_FAILED);
	return report_about(&rp, QUEUE_NOTIFY_FAILURE, true);
}

bool report_keeps_record(const struct message *m)
{
	const struct queue_envelope *env = envelope_of(m);

	return (env->flags & QUEUE_VERIFY) || ((env->flags & QUEUE_RECORD) && env->tries == 0);
}

enum result report_successes(struct qmgr *q, struct message *m)
{
	struct report rp = {.q = q, .message = m, .kind = BOUNCE_KIND_SUCCESS};

	if (envelope_of(m)->flags & QUEUE_VERIFY)
		return RES_OK;
	rp.outcomes = rp.done = OUTCOME(QUEUE_SENT) | OUTCOME(QUEUE_EXPANDED);
	if (report_keeps_record(m)) { /* sendmail -v: all that the first attempt brought */
		rp.kind = BOUNCE_KIND_VERIFY;
		rp.outcomes |= OUTCOME(QUEUE_FAILED) | OUTCOME(QUEUE_DEFERRED);
	}
	return report_about(&rp, QUEUE_NOTIFY_SUCCESS, false);
}

enum result report_delays(struct qmgr *q, struct message *m, int64_t expires)
{
	struct report rp = {.q = q, .message = m, .kind = BOUNCE_KIND_DELAY, .expires = expires};

	rp.outcomes = OUTCOME(QUEUE_DEFERRED);
	return report_about(&rp, QUEUE_NOTIFY_DELAY, true);
}
