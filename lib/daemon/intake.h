/* SPDX-License-Identifier: ISC */
/*
 * intake - hand a message to cleanup: what smtpd, pickup, bounce and local's forwarding have in common.
 * One intake is one message. For fibers.
 *
 * Everything gathers in memory until 64 kB are full, the queue id is asked for (intake_open), or the
 * message is whole: so a message of the usual size costs one call out, one reply, one wait. A larger one
 * goes on its way in frames of 64 kB; nothing waits for cleanup but intake_open, once, and intake_commit.
 *
 * A failure in the middle (cleanup gone, a timeout, a refusal) is remembered: the calls after it do
 * nothing, and intake_open and intake_commit tell. What was not committed is gone.
 */
#ifndef DAEMON_INTAKE_H
#define DAEMON_INTAKE_H

#include "base/result.h"
#include "ipc/cleanup.h"

struct intake;

/*
 * How it ended, as the client of the suite should hear it. The texts live in the intake's arena:
 * until intake_end.
 */
struct intake_result {
	enum result outcome;
	uint16_t code;     /* 250, 451, 452, 552 ... */
	struct slice dsn;  /* 2.0.0, 4.3.0 ... */
	struct slice text; /* for people; for RES_OK it may be empty */
	uint64_t size;     /* RES_OK: content bytes as stored */
	bool logged;	   /* cleanup has logged the refusal */
};

/* What fits into one frame; a message that is no larger reaches cleanup at the commit. */
#define INTAKE_CHUNK ((size_t)65536)

/*
 * intake_begin - a new message for cleanup (`client` pools connections to its socket). On RES_OK *in is
 * set; cleanup can be reached, but has not been told. Else *in is NULL and *failure says why, in
 * constant texts. Nothing in `envelope` is kept. The deadline is for this call.
 */
enum result intake_begin(struct ipc_client *client, const struct cleanup_envelope_begin *envelope,
			 int64_t deadline, struct intake **in, struct intake_result *failure);
/*
 * intake_open - have cleanup take the envelope now, and give the message its queue id; where that has
 * happened already, nothing is done. *result is set unless RES_OK; it may be NULL.
 */
enum result intake_open(struct intake *in, int64_t deadline, struct intake_result *result);
/* intake_id - the message's queue id: after intake_open or intake_commit; absent while there is none. */
struct slice intake_id(const struct intake *in);

/* intake_recipient - one more; all of them before the content. */
void intake_recipient(struct intake *in, const struct cleanup_envelope_rcpt *recipient,
		      int64_t deadline);
/* intake_content - bytes of the message in any pieces. */
void intake_content(struct intake *in, struct slice bytes, int64_t deadline);
/* intake_failed - true once there is no point in sending more (it may stay false too long). */
bool intake_failed(const struct intake *in);

/* intake_commit - opens what is not open; returns when the message is durable, or refused. */
enum result intake_commit(struct intake *in, int64_t deadline, struct intake_result *result);
/* intake_end - aborts what was not committed; sets *in to NULL; NULL is allowed. */
void intake_end(struct intake **in);

#endif
