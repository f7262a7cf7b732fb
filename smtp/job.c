/* SPDX-License-Identifier: ISC */
#include "smtp/job.h"
#include "base/check.h"
#include "log/events.h"

void job_init(struct job *job, const struct client_conf *conf,
	      const struct delivery_deliver *request, struct arena *arena)
{
	*job = (struct job){.conf = conf, .request = request, .arena = arena};
	job->left = request->recipients_count;
	job->recipients = ARENA_ARRAY(arena, job->left + 1, struct job_recipient);
}

static void report(struct job *job, size_t position, const struct agent_outcome *outcome)
{
	CHECK(!job->recipients[position].done);
	job->recipients[position].done = true;
	job->left--;
	job->report(job->arg, position, outcome);
}

void job_sent(struct job *job, size_t position, const struct agent_outcome *outcome)
{
	report(job, position, outcome);
}

static void report_failure(struct job *job, size_t position, const struct failure *f)
{
	struct agent_outcome outcome = {
	    .status = f->result == RES_PERM ? DELIVERY_STATUS_BOUNCED : DELIVERY_STATUS_DEFERRED,
	    .dsn = f->dsn,
	    .text = f->text,
	    .relay = f->relay.n > 0 ? f->relay : SL("none"),
	    .mta = f->mta,
	    .remote = f->remote,
	    .connected = f->connected,
	    .conn_use = f->conn_use,
	};

	if (f->destination && f->result == RES_TEMP) {
		job->destination_failed = true;
		job->dead = *f;
	}
	report(job, position, &outcome);
}

void job_fail(struct job *job, size_t position, const struct failure *failure)
{
	struct job_recipient *r = &job->recipients[position];

	if (r->done)
		return;
	r->accepted = false;
	if (job->last || failure->result == RES_PERM) {
		report_failure(job, position, failure);
		return;
	}
	r->failed = true;
	r->failure = *failure;
}

void job_fail_all(struct job *job, bool accepted_only, const struct failure *failure)
{
	/* Where another server follows, the log says why this one did not do. */
	if (!job->last && failure->result == RES_TEMP && failure->relay.n > 0)
		LOG(session_failed, .queue_id = job->request->queue_id, .reason = failure->text);
	for (size_t i = 0; i < job->request->recipients_count; i++)
		if (!accepted_only || job->recipients[i].accepted)
			job_fail(job, i, failure);
}

void job_keep(struct job *job, const struct failure *failure)
{
	for (size_t i = 0; i < job->request->recipients_count; i++) {
		job->recipients[i].failed = true;
		job->recipients[i].failure = *failure;
	}
}

void job_defer(struct job *job, size_t position, const struct failure *failure)
{
	if (job->recipients[position].done)
		return;
	job->recipients[position].accepted = false;
	report_failure(job, position, failure);
}

void job_finish(struct job *job)
{
	static const struct failure unknown = {
	    .result = RES_TEMP,
	    .dsn = SL("4.3.0"),
	    .text = SL("server unavailable or unable to receive mail"),
	};

	for (size_t i = 0; i < job->request->recipients_count; i++) {
		struct job_recipient *r = &job->recipients[i];

		if (!r->done)
			report_failure(job, i, r->failed ? &r->failure : &unknown);
	}
}
