/* SPDX-License-Identifier: ISC */
/*
 * intake - hand a message to cleanup: what smtpd, pickup, bounce and local's forwarding have in common.
 * One intake is one message. Content is gathered into frames of 64 kB; nothing waits for cleanup but
 * intake_begin and intake_commit. For fibers.
 *
 * A failure in the middle (cleanup gone, a timeout) is remembered: the calls after it do nothing, and
 * intake_commit tells. What was not committed is gone.
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

/*
 * intake_begin - open an envelope at cleanup (`client` pools connections to its socket). On RES_OK *in is
 * set and intake_id is the message's queue id; else *in is NULL and *failure says why, with texts in
 * `arena`. The deadline is for this call.
 */
enum result intake_begin(struct ipc_client *client, const struct cleanup_envelope_begin *envelope,
			 int64_t deadline, struct arena *arena, struct intake **in,
			 struct intake_result *failure);
struct slice intake_id(const struct intake *in);

/* intake_recipient - one more; all of them before the content. */
void intake_recipient(struct intake *in, const struct cleanup_envelope_rcpt *recipient,
		      int64_t deadline);
/* intake_content - bytes of the message in any pieces. */
void intake_content(struct intake *in, struct slice bytes, int64_t deadline);
/* intake_failed - true once there is no point in sending more (it may stay false too long). */
bool intake_failed(const struct intake *in);

/* intake_commit - returns when the message is durable, or refused. */
enum result intake_commit(struct intake *in, int64_t deadline, struct intake_result *result);
/* intake_end - aborts what was not committed; sets *in to NULL; NULL is allowed. */
void intake_end(struct intake **in);

#endif
