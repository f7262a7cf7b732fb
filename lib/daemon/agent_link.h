/* SPDX-License-Identifier: ISC */
/*
 * agent_link - between one delivery and the qmgr that takes its outcomes: first the one that asked
 * for it; when that one has ended, the next, which is told what the agent has in hand (a claim:
 * schema/ipc/qmgr.ipc). lib/daemon's own.
 *
 * Two fibers use it: one delivers and tells, the other receives from `conn` and sees it end.
 */
#ifndef DAEMON_AGENT_LINK_H
#define DAEMON_AGENT_LINK_H

#include "ipc/delivery.h"
#include "ipc/qmgr.h"

struct agent_link {
	struct ipc_conn *conn; /* never in use by two: see link_quiet */
	bool claim;	       /* conn is a claim on the next qmgr */
	bool up;	       /* it takes what is told */
	bool sending;
	struct fiber_cond changed; /* sending, or over */
	int64_t timeout;

	/* of the delivery under way, or the last */
	bool over;     /* it has ended: nothing more will be told */
	int64_t ended; /* monotonic: when; 0: no outcomes wait to be noted */
	bool keep;     /* the other end is qmgr: outcomes are kept until it has noted them */
	struct arena *arena;
	struct slice queue_id;
	struct qmgr_held *held;
	size_t held_count;
	struct delivery_outcome *outcomes;
	size_t outcome_count;
};

/* link_init - takes over `conn`; `keep` as above. */
void link_init(struct agent_link *link, struct ipc_conn *conn, bool keep, int64_t timeout);
/* link_free - nobody delivers any more. */
void link_free(struct agent_link *link);
/* link_begin - a new delivery: whoever asks for it has taken the outcomes of the last. */
void link_begin(struct agent_link *link, const struct delivery_deliver *request);
/*
 * link_tell, link_end - what became of a recipient; that the delivery has ended. Never fail: see up.
 * `with_end`: link_end follows at once, and takes it along.
 */
void link_tell(struct agent_link *link, bool with_end, const struct delivery_outcome *outcome);
void link_end(struct agent_link *link, const struct delivery_deliver_done *done);
/* link_noted - qmgr has taken it all. */
void link_noted(struct agent_link *link);
/* link_wanted - a qmgr is still to be told something of it. */
bool link_wanted(const struct agent_link *link);
/*
 * link_claim - give up the old connection; tell whoever serves qmgr's socket what is in hand and
 * all that was told so far. IPC_OK: the link is up again, and claim_noted comes when all is over.
 */
enum ipc_status link_claim(struct agent_link *link, int64_t deadline);

#endif
