/* SPDX-License-Identifier: ISC */
/*
 * transaction - one message over a session: MAIL to the reply that takes it over (RFC 5321 3.3,
 * RFC 2920 for commands sent ahead, RFC 3030 for BDAT, RFC 3461 for DSN, RFC 2033 for LMTP's replies).
 */
#include "address/address.h"
#include "base/check.h"
#include "message/dsn.h"
#include "os/clock.h"
#include "queue/envelope.h"
#include "smtp/session.h"

/* Commands sent whose replies have not been read: their replies must fit the socket's buffers. */
#define WINDOW 100

enum step { STEP_RSET, STEP_MAIL, STEP_RCPT, STEP_DATA };

struct transaction {
	struct session *s;
	struct job *job;
	const struct delivery_deliver *request;
	struct content_plan plan;
	size_t *order; /* positions of the recipients that are asked for */
	size_t rcpts;
	size_t first; /* STEP_RSET or STEP_MAIL: the command at index 0 */
	size_t total; /* commands of the envelope */
	bool pipelined;
	bool data_sent; /* DATA is one of them */
	bool answered;	/* the server has replied to something */
	bool stale;	/* a kept session that had ended before */
	bool mail_ok;
	size_t accepted;
	bool go; /* 354 */
};

/* ---- commands */

static struct slice wire_address(struct transaction *t, struct slice address)
{
	return t->s->conf->quote_envelope ? address_quote(t->job->arena, address) : address;
}

static void mail_command(struct transaction *t, struct buffer *out)
{
	const struct delivery_deliver *r = t->request;
	unsigned offers = t->s->ehlo.flags;
	enum dsn_ret ret = r->ret == MAIL_RET_FULL   ? DSN_RET_FULL
			   : r->ret == MAIL_RET_HDRS ? DSN_RET_HDRS
						     : DSN_RET_NONE;

	buffer_printf(out, "MAIL FROM:<%.*s>", SL_ARG(wire_address(t, r->sender)));
	/* The size is known only when nothing will be converted. */
	if ((offers & EHLO_SIZE) && !t->plan.convert)
		buffer_printf(out, " SIZE=%llu", (unsigned long long)r->size);
	if ((offers & EHLO_8BITMIME) && (r->flags & (QUEUE_8BIT | QUEUE_BODY_8BITMIME)))
		buffer_append(out, SL(" BODY=8BITMIME"));
	if ((offers & EHLO_SMTPUTF8) && (r->flags & QUEUE_SMTPUTF8))
		buffer_append(out, SL(" SMTPUTF8"));
	if ((offers & EHLO_DSN) && r->envid.n > 0)
		buffer_printf(out, " ENVID=%.*s", SL_ARG(xtext_encode(t->job->arena, r->envid)));
	if ((offers & EHLO_DSN) && ret != DSN_RET_NONE)
		buffer_printf(out, " RET=%s", dsn_ret_name(ret));
	buffer_append(out, SL("\r\n"));
}

/* original_recipient - ORCPT as the sender gave it, else the recipient as he gave it, as Postfix does. */
static bool original_recipient(struct transaction *t, const struct mail_recipient *r,
			       struct orcpt *out)
{
	struct slice address = r->orig.n > 0 ? r->orig : r->address;

	if (r->orcpt.n > 0)
		return orcpt_split(r->orcpt, out);
	out->type = address_has_8bit(address) ? SL("utf-8") : SL("rfc822");
	out->address = address_quote(t->job->arena, address);
	return true;
}

static void rcpt_command(struct transaction *t, size_t position, struct buffer *out)
{
	const struct mail_recipient *r = &t->request->recipients[position];
	struct arena *arena = t->job->arena;
	struct orcpt orcpt;

	buffer_printf(out, "RCPT TO:<%.*s>", SL_ARG(wire_address(t, r->address)));
	if (t->s->ehlo.flags & EHLO_DSN) {
		if (original_recipient(t, r, &orcpt))
			buffer_printf(out, " ORCPT=%.*s",
				      SL_ARG(orcpt_format(arena, &orcpt,
							  t->s->ehlo.flags & EHLO_SMTPUTF8)));
		if (r->notify != 0)
			buffer_printf(out, " NOTIFY=%.*s", SL_ARG(dsn_notify_format(arena, r->notify)));
	}
	buffer_append(out, SL("\r\n"));
}

static enum step step_at(const struct transaction *t, size_t index)
{
	size_t i = index + t->first;

	if (i <= STEP_MAIL)
		return (enum step)i;
	return i - STEP_RCPT < t->rcpts ? STEP_RCPT : STEP_DATA;
}

static size_t position_at(const struct transaction *t, size_t index)
{
	return t->order[index + t->first - STEP_RCPT];
}

static void compose(struct transaction *t, size_t index, struct buffer *out)
{
	buffer_reset(out);
	switch (step_at(t, index)) {
	case STEP_RSET:
		buffer_append(out, SL("RSET\r\n"));
		break;
	case STEP_MAIL:
		mail_command(t, out);
		break;
	case STEP_RCPT:
		rcpt_command(t, position_at(t, index), out);
		break;
	case STEP_DATA:
		buffer_append(out, SL("DATA\r\n"));
		break;
	}
}

static const char *command_name(enum step step)
{
	static const char *const names[] = {"RSET command", "MAIL FROM command", "RCPT TO command",
					    "DATA command"};

	return names[step];
}

static int64_t time_for(const struct transaction *t, size_t index)
{
	static const char *const stages[] = {"sending final RSET", "sending MAIL FROM",
					     "sending RCPT TO", "sending DATA command"};
	const struct client_conf *c = t->s->conf;
	const int64_t times[] = {c->rset_timeout, c->mail_timeout, c->rcpt_timeout,
				 c->data_init_timeout};
	enum step step = step_at(t, index);

	t->s->stage = stages[step];
	return times[step];
}

/* ---- what goes wrong */

static void fail_reply(struct transaction *t, const struct smtp_reply *reply, const char *command,
		       bool accepted_only)
{
	struct failure f =
	    failure_reply(t->job->arena, t->s->host_addr, t->s->host, reply, command);

	session_complete(t->s, t->job->arena, &f);
	f.destination = reply->code == 421;
	job_fail_all(t->job, accepted_only, &f);
}

static void fail_stream(struct transaction *t, enum stream_status status)
{
	struct failure f;

	t->s->alive = false;
	if (!t->answered && t->s->uses > 0 && (status == STREAM_EOF || status == STREAM_ERROR)) {
		t->stale = true;
		return;
	}
	f = session_failure(t->s, t->job->arena, status);
	job_fail_all(t->job, false, &f);
}

/* ---- replies to the envelope */

static void report_sent(struct transaction *t, size_t position, const struct smtp_reply *reply)
{
	struct agent_outcome outcome = {
	    .status = DELIVERY_STATUS_SENT,
	    .dsn = reply->status.n > 0 ? arena_dup(t->job->arena, reply->status) : SL("2.0.0"),
	    .text = reply_line(t->job->arena, reply),
	    .relay = t->s->relay,
	    .connected = t->s->connected,
	    .conn_use = t->s->uses + 1,
	    .dsn_passed_on = t->s->ehlo.flags & EHLO_DSN,
	};

	outcome.mta = arena_printf(t->job->arena, "smtp; %.*s", SL_ARG(outcome.text));
	outcome.remote = t->s->host;
	t->job->recipients[position].accepted = false;
	job_sent(t->job, position, &outcome);
}

static void take_mail(struct transaction *t, const struct smtp_reply *reply)
{
	t->mail_ok = reply->code / 100 == 2;
	if (!t->mail_ok)
		fail_reply(t, reply, command_name(STEP_MAIL), false);
}

static void take_rcpt(struct transaction *t, size_t position, const struct smtp_reply *reply)
{
	struct failure f;

	if (!t->mail_ok)
		return;
	if (reply->code / 100 == 2) {
		if (t->request->flags & QUEUE_VERIFY) { /* more is not to be known */
			report_sent(t, position, reply);
			return;
		}
		t->job->recipients[position].accepted = true;
		t->accepted++;
		return;
	}
	f = failure_reply(t->job->arena, t->s->host_addr, t->s->host, reply,
			  command_name(STEP_RCPT));
	session_complete(t->s, t->job->arena, &f);
	f.destination = reply->code == 421;
	job_fail(t->job, position, &f);
}

static void take_data(struct transaction *t, const struct smtp_reply *reply)
{
	t->go = reply->code / 100 == 3;
	if (!t->go && t->accepted > 0) {
		fail_reply(t, reply, command_name(STEP_DATA), true);
		t->accepted = 0;
	}
}

static void take_reply(struct transaction *t, size_t index, const struct smtp_reply *reply)
{
	/* A kept session may say goodbye when we speak again. */
	if (reply->code == 421 && !t->answered && t->s->uses > 0) {
		t->stale = true;
		return;
	}
	t->answered = true;
	if (!t->s->alive) { /* 421 answers for all that is left */
		fail_reply(t, reply, command_name(step_at(t, index)), false);
		return;
	}
	switch (step_at(t, index)) {
	case STEP_RSET:
		break;
	case STEP_MAIL:
		take_mail(t, reply);
		break;
	case STEP_RCPT:
		take_rcpt(t, position_at(t, index), reply);
		break;
	case STEP_DATA:
		take_data(t, reply);
		break;
	}
}

/* pointless - no need to send this command, given what is known. */
static bool pointless(const struct transaction *t, size_t index)
{
	enum step step = step_at(t, index);

	if (t->pipelined || step < STEP_RCPT)
		return false;
	return !t->mail_ok || (step == STEP_DATA && t->accepted == 0);
}

/*
 * exchange - the commands of the envelope and their replies; with PIPELINING, commands run ahead of
 * replies. STREAM_OK: all replies that can be had were read.
 */
static enum stream_status exchange(struct transaction *t)
{
	enum stream_status status = STREAM_OK;
	struct smtp_reply reply;
	struct buffer line;
	size_t sent = 0, taken = 0;

	buffer_init(&line, 16384);
	while (status == STREAM_OK && t->s->alive && taken < t->total) {
		bool room = sent < t->total && sent - taken < (t->pipelined ? WINDOW : 1);

		if (room && !pointless(t, sent)) {
			int64_t timeout = time_for(t, sent);

			compose(t, sent++, &line);
			status = stream_write(&t->s->stream, buffer_slice(&line), os_deadline(timeout));
			continue;
		}
		if (sent == taken)
			break;
		status = session_reply(t->s, time_for(t, taken), &reply);
		if (status == STREAM_OK)
			take_reply(t, taken++, &reply);
	}
	buffer_free(&line);
	return status;
}

/* ---- content, and what follows it */

static void take_final(struct transaction *t, size_t position, const struct smtp_reply *reply)
{
	struct failure f;

	if (reply->code / 100 == 2) {
		report_sent(t, position, reply);
		return;
	}
	f = failure_reply(t->job->arena, t->s->host_addr, t->s->host, reply,
			  t->plan.chunking ? "BDAT command" : "end of DATA command");
	session_complete(t->s, t->job->arena, &f);
	job_fail(t->job, position, &f);
}

/* fail_unknown - the server may have the message, or not: try again later, never elsewhere at once. */
static void fail_unknown(struct transaction *t, enum stream_status status)
{
	struct failure f = session_failure(t->s, t->job->arena, status);

	t->s->alive = false;
	for (size_t i = 0; i < t->rcpts; i++)
		if (t->job->recipients[t->order[i]].accepted)
			job_defer(t->job, t->order[i], &f);
}

/* read_final - one reply for the message; with LMTP one for each recipient that was accepted. */
static void read_final(struct transaction *t)
{
	struct smtp_reply reply = {0};
	bool have = false;

	t->s->stage = "sending end of data -- message may be sent more than once";
	for (size_t i = 0; i < t->rcpts; i++) {
		enum stream_status status = STREAM_OK;

		if (!t->job->recipients[t->order[i]].accepted)
			continue;
		if (!have || t->s->conf->lmtp)
			status = session_reply(t->s, t->s->conf->data_done_timeout, &reply);
		if (status != STREAM_OK) {
			fail_unknown(t, status);
			return;
		}
		have = true;
		take_final(t, t->order[i], &reply);
	}
}

static void send_content(struct transaction *t)
{
	bool unknown = false;
	enum stream_status status;

	t->s->stage = "sending message body";
	status = content_send(t->s, t->job, &t->plan, &unknown);
	if (status == STREAM_OK) {
		read_final(t);
		return;
	}
	if (unknown) {
		t->s->stage = "sending end of data -- message may be sent more than once";
		fail_unknown(t, status);
		return;
	}
	fail_stream(t, status);
}

/* end_empty - the server said 354 although it took no recipient: an empty message, for nobody. */
static void end_empty(struct transaction *t)
{
	struct smtp_reply reply;

	t->s->stage = "sending end of data";
	(void)session_say(t->s, t->s->conf->data_done_timeout, &reply, ".");
}

/* ---- before and around it */

/* impossible - what this server can never take; false: nothing speaks against trying. */
static bool impossible(struct transaction *t)
{
	const struct ehlo *ehlo = &t->s->ehlo;
	struct arena *arena = t->job->arena;
	struct failure f;

	if (ehlo->has_size_limit && ehlo->size_limit > 0 && t->request->size > ehlo->size_limit) {
		f = failure_make(arena, "5.3.4", "message size %llu exceeds size limit %llu of server %.*s",
				 (unsigned long long)t->request->size,
				 (unsigned long long)ehlo->size_limit, SL_ARG(t->s->host_addr));
	} else if ((t->request->flags & QUEUE_SMTPUTF8) && !(ehlo->flags & EHLO_SMTPUTF8)) {
		f = failure_make(arena, "5.6.7", "SMTPUTF8 is required, but was not offered by host %.*s",
				 SL_ARG(t->s->host_addr));
	} else {
		return false;
	}
	session_complete(t->s, t->job->arena, &f);
	job_fail_all(t->job, false, &f);
	return true;
}

static void prepare(struct transaction *t)
{
	struct job *job = t->job;

	t->order = ARENA_ARRAY(job->arena, job->left + 1, size_t);
	for (size_t i = 0; i < t->request->recipients_count; i++) {
		job->recipients[i].accepted = false;
		if (!job->recipients[i].done)
			t->order[t->rcpts++] = i;
	}
	content_plan(t->s, job, &t->plan);
	t->pipelined = t->s->ehlo.flags & EHLO_PIPELINING;
	t->data_sent = !t->plan.chunking && !(t->request->flags & QUEUE_VERIFY);
	t->first = t->s->needs_rset ? STEP_RSET : STEP_MAIL;
	t->total = (STEP_RCPT - t->first) + t->rcpts + (t->data_sent ? 1 : 0);
}

static void run(struct transaction *t)
{
	enum stream_status status;

	t->s->needs_rset = true;
	status = exchange(t);
	if (status != STREAM_OK)
		fail_stream(t, status);
	if (t->stale || !t->s->alive)
		return;
	if (t->accepted > 0 && (t->go || t->plan.chunking))
		send_content(t);
	else if (t->go)
		end_empty(t);
	else
		return;
	t->s->needs_rset = false;
}

bool session_transact(struct session *s, struct job *job)
{
	struct transaction t = {.s = s, .job = job, .request = job->request};

	prepare(&t);
	if (impossible(&t))
		return true;
	run(&t);
	if (t.stale)
		return false;
	s->uses++;
	s->idle_since = os_now();
	return true;
}
