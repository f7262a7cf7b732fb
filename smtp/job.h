/* SPDX-License-Identifier: ISC */
/*
 * job - one delivery: its recipients, and what became of each. A session or a lookup tells the job what it
 * learns; the job decides whether that is a recipient's outcome or whether another server is tried.
 */
#ifndef SMTP_CLIENT_JOB_H
#define SMTP_CLIENT_JOB_H

#include "daemon/agent.h"
#include "smtp/conf.h"
#include "smtp/failure.h"

struct job_recipient {
	bool done;     /* reported */
	bool accepted; /* by the present session, at RCPT */
	bool failed;   /* `failure` is set: what is reported when no server is left */
	struct failure failure;
};

struct job {
	const struct client_conf *conf;
	const struct delivery_deliver *request;
	struct arena *arena;
	struct job_recipient *recipients; /* beside request->recipients */
	size_t left;			  /* recipients that are not done */
	bool last; /* no other server will be tried: what is temporary is final for now */
	bool destination_failed; /* a recipient was deferred for the destination's sake ... */
	struct failure dead;	 /* ... for this reason */

	/* report - tell the outcome of a recipient, once for each. */
	void (*report)(void *arg, size_t position, const struct agent_outcome *outcome);
	void *arg;
};

void job_init(struct job *job, const struct client_conf *conf,
	      const struct delivery_deliver *request, struct arena *arena);
/* job_sent - the next hop has the mail for this recipient. */
void job_sent(struct job *job, size_t position, const struct agent_outcome *outcome);
/*
 * job_fail - permanent: reported. Temporary: kept until no server is left, and reported then. No effect on a
 * recipient that is done.
 */
void job_fail(struct job *job, size_t position, const struct failure *failure);
/* job_fail_all - all that are left; accepted_only: of those, which the session has accepted. */
void job_fail_all(struct job *job, bool accepted_only, const struct failure *failure);
/* job_keep - for all that are left, nothing is reported yet: another server or destination may do. */
void job_keep(struct job *job, const struct failure *failure);
/* job_defer - reported at once: the outcome is not known, and another server might deliver twice. */
void job_defer(struct job *job, size_t position, const struct failure *failure);
/* job_finish - no server is left: report what is known of each recipient that is not done. */
void job_finish(struct job *job);

#endif
