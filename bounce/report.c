/* SPDX-License-Identifier: ISC */
#include "bounce/report.h"
#include "address/address.h"
#include "bounce/notice.h"
#include "bounce/original.h"
#include "daemon/intake.h"
#include "daemon/mail_date.h"
#include "log/events.h"
#include "os/clock.h"
#include "queue/envelope.h"

/* The head of a notice: at most 1000 recipients with a kB or two of reasons each. */
#define HEAD_LIMIT ((size_t)8 << 20)
#define COMMIT_PATIENCE (300 * OS_SECOND)

/* One notice on its way: who gets it, and from whom. */
struct addressing {
	enum notice_audience audience;
	struct slice from; /* envelope sender; empty: null */
	struct slice to;
	bool headers_only;
};

static void result_set(struct bounce_report_result *result, enum bounce_outcome outcome,
		       struct slice text)
{
	*result = (struct bounce_report_result){.outcome = outcome, .text = text};
}

/* due_recipients - the report with only those that want it. */
static struct bounce_report due_recipients(const struct bounce_report *report, struct arena *arena)
{
	struct bounce_report due = *report;
	struct bounce_recipient *kept =
	    ARENA_ARRAY(arena, report->recipients_count, struct bounce_recipient);

	due.recipients = kept;
	due.recipients_count = 0;
	for (size_t i = 0; i < report->recipients_count; i++)
		if (notice_due(report->kind, report->recipients[i].notify))
			kept[due.recipients_count++] = report->recipients[i];
	return due;
}

static bool is_global(const struct bounce_report *report)
{
	bool global = address_has_8bit(report->sender);

	for (size_t i = 0; i < report->recipients_count; i++)
		global = global || address_has_8bit(report->recipients[i].address) ||
			 address_has_8bit(report->recipients[i].orig);
	return global || (report->flags & QUEUE_SMTPUTF8) != 0;
}

static enum result begin(const struct bounce_state *state, const struct bounce_report *report,
			 const struct addressing *a, bool global, int64_t deadline,
			 struct intake **in, struct intake_result *failure)
{
	struct cleanup_envelope_begin envelope = {
	    .origin = CLEANUP_ORIGIN_BOUNCE,
	    .context = CLEANUP_CONTEXT_LOCAL,
	    .no_header_body_checks = true,
	    .no_milters = true,
	    .received = true,
	    .smtputf8 = global,
	    .body = report->flags & QUEUE_8BIT ? CLEANUP_BODY_EIGHTBITMIME
							   : CLEANUP_BODY_UNSET,
	    .sender = a->from,
	    .size_hint = report->size,
	    .origin_name = SL("bounce"),
	    .arrival = os_wall(),
	};
	/* without NOTIFY=NEVER: of a report that cannot be delivered the postmaster may hear */
	struct cleanup_envelope_rcpt rcpt = {.address = a->to};
	enum result rc = intake_begin(state->cleanup, &envelope, deadline, in, failure);

	if (rc == RES_OK)
		intake_recipient(*in, &rcpt, deadline);
	return rc;
}

static void describe(const struct bounce_state *state, const struct bounce_report *report,
		     const struct addressing *a, bool global, struct arena *arena,
		     struct notice *notice)
{
	*notice = (struct notice){
	    .report = report,
	    .audience = a->audience,
	    .host = state->settings->myhostname,
	    .mail_name = state->settings->mail_name,
	    .to = address_quote(arena, a->to),
	    .date = mail_date(arena, os_wall()),
	    .arrival = mail_date(arena, report->arrival),
	    .expires = mail_date(arena, report->expires),
	    .headers_only = a->headers_only,
	    .global = global,
	};
}

static enum result write_notice(struct notice *notice, struct arena *arena, struct intake *in,
				int64_t deadline)
{
	struct buffer text;
	enum result rc = RES_TEMP;

	buffer_init(&text, HEAD_LIMIT);
	if (notice_begin(notice, arena, &text)) {
		intake_content(in, buffer_slice(&text), deadline);
		/* as a mailbox would have it */
		intake_content(in, arena_printf(arena, "Return-Path: <%.*s>\r\n",
						SL_ARG(address_quote(arena, notice->report->sender))),
			       deadline);
		rc = original_copy(notice->report, notice->headers_only, in, deadline);
		buffer_reset(&text);
		notice_end(notice, &text);
		intake_content(in, buffer_slice(&text), deadline);
	}
	buffer_free(&text);
	return rc;
}

/* submit - one notice, durably queued when RES_OK; *id in the arena. */
static enum result submit(const struct bounce_state *state, const struct bounce_report *report,
			  const struct addressing *a, struct arena *arena, struct slice *id,
			  struct slice *why)
{
	int64_t deadline = os_deadline(COMMIT_PATIENCE);
	bool global = is_global(report);
	struct intake_result result = {0};
	struct intake *in = NULL;
	struct notice notice;
	enum result rc;

	rc = begin(state, report, a, global, deadline, &in, &result);
	if (rc == RES_OK) {
		describe(state, report, a, global, arena, &notice);
		rc = write_notice(&notice, arena, in, deadline);
		result.text = SL("the message could not be read");
	}
	if (rc == RES_OK)
		rc = intake_commit(in, deadline, &result);
	*why = arena_dup(arena, result.text);
	if (rc == RES_OK)
		*id = arena_dup(arena, intake_id(in));
	intake_end(&in);
	return rc;
}

static const char *kind_name(enum bounce_kind kind)
{
	switch (kind) {
	case BOUNCE_KIND_DELAY:
		return "delay";
	case BOUNCE_KIND_SUCCESS:
	case BOUNCE_KIND_VERIFY:
		return "delivery status";
	case BOUNCE_KIND_FAILURE:
		break;
	}
	return "non-delivery";
}

static void log_notice(const struct bounce_report *report, const char *whom, struct slice id)
{
	LOG(notification, .queue_id = report->queue_id, .whom = slice_str(whom),
	    .kind = slice_str(kind_name(report->kind)), .report_id = id);
}

/* headers_only - what the sender asked for (RFC 3461 4.3), and what bounce_size_limit bears. */
static bool headers_only(const struct bounce_state *state, const struct bounce_report *report)
{
	uint64_t limit = state->settings->bounce_size_limit;

	return report->ret == MAIL_RET_HDRS || (limit > 0 && report->size > limit) ||
	       (report->kind != BOUNCE_KIND_FAILURE && report->ret != MAIL_RET_FULL);
}

/* copy_wanted - notify_classes: does the postmaster want to see this one too? */
static bool copy_wanted(const struct bounce_state *state, enum bounce_kind kind, struct slice *to)
{
	if (kind == BOUNCE_KIND_FAILURE && state->tell_bounce) {
		*to = state->settings->bounce_notice_recipient;
		return true;
	}
	if (kind == BOUNCE_KIND_DELAY && state->tell_delay) {
		*to = state->settings->delay_notice_recipient;
		return true;
	}
	return false;
}

static void copy_postmaster(const struct bounce_state *state, const struct bounce_report *report,
			    struct arena *arena)
{
	struct addressing a = {.audience = NOTICE_TO_POSTMASTER,
			       .from = state->double_bounce,
			       .headers_only = true};
	struct slice id, why;

	/* the copy is a courtesy: its failure does not hold up the sender's report */
	if (copy_wanted(state, report->kind, &a.to) &&
	    submit(state, report, &a, arena, &id, &why) == RES_OK)
		log_notice(report, "postmaster", id);
}

static void tell(const struct bounce_state *state, const struct bounce_report *report,
		 const struct addressing *a, const char *whom, struct arena *arena,
		 struct bounce_report_result *result)
{
	struct slice id = SL_NULL, why = SL_NULL;

	/* even a permanent refusal of our own cleanup is kept for another try: nothing is lost */
	if (submit(state, report, a, arena, &id, &why) != RES_OK) {
		result_set(result, BOUNCE_OUTCOME_TEMP, why);
		return;
	}
	log_notice(report, whom, id);
	result_set(result, BOUNCE_OUTCOME_OK, SL_NULL);
	result->report_id = id;
}

/* undeliverable_report - a message from nobody failed: only the postmaster can be told. */
static void undeliverable_report(const struct bounce_state *state,
				 const struct bounce_report *report, struct arena *arena,
				 struct bounce_report_result *result)
{
	struct addressing a = {.audience = NOTICE_TO_POSTMASTER,
			       .from = state->double_bounce,
			       .to = state->settings->n2bounce_notice_recipient,
			       .headers_only = headers_only(state, report)};

	result_set(result, BOUNCE_OUTCOME_OK, SL_NULL);
	if (report->kind == BOUNCE_KIND_FAILURE && state->tell_2bounce)
		tell(state, report, &a, "postmaster", arena, result);
}

void report_make(const struct bounce_state *state, const struct bounce_report *report,
		 struct arena *arena, struct bounce_report_result *result)
{
	struct bounce_report due = due_recipients(report, arena);
	struct addressing a = {.audience = NOTICE_TO_SENDER,
			       .from = SL_NULL,
			       .to = report->sender,
			       .headers_only = headers_only(state, report)};

	result_set(result, BOUNCE_OUTCOME_OK, SL_NULL);
	if (slice_caseeq(report->sender, state->double_bounce)) {
		LOG(notification_discarded, .queue_id = report->queue_id);
		return;
	}
	if (due.recipients_count == 0)
		return;
	if (report->sender.n == 0) {
		undeliverable_report(state, &due, arena, result);
		return;
	}
	tell(state, &due, &a, "sender", arena, result);
	if (result->outcome == BOUNCE_OUTCOME_OK)
		copy_postmaster(state, &due, arena);
}
