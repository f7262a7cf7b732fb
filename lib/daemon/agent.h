/* SPDX-License-Identifier: ISC */
/*
 * agent - the side of a delivery agent (smtp, lmtp, local, error) that faces qmgr: takes one delivery at
 * a time off a connection, lets the agent's own code do it, and for each recipient writes the log
 * line and tells qmgr. What was not reported when `deliver` returns is deferred with a reason; what
 * was not reported because the process died is tried again by qmgr. When qmgr ends before it took the
 * outcomes (reload, crash), the delivery goes on all the same: at once the next qmgr is told which
 * recipients are in hand, so that it leaves them alone, and then what became of them.
 */
#ifndef DAEMON_AGENT_H
#define DAEMON_AGENT_H

#include "daemon/daemon.h"
#include "ipc/delivery.h"

struct agent_link;

/* One delivery under way. */
struct agent_delivery {
	const struct delivery_deliver *request;
	struct daemon_context *context;
	struct daemon_session *session;
	struct arena *arena;  /* freed with the delivery */
	int64_t begun;	      /* wall clock */
	struct delivery_deliver_done done; /* the agent may fill it: texts in the arena */

	/* lib/daemon's own */
	struct agent_link *link;
	bool *reported; /* by position in request->recipients */
	size_t reported_count;
	bool prompt;
};

/* How it went for one recipient. Absent texts may be left zero; `text` and `dsn` must be there. */
struct agent_outcome {
	enum delivery_status status;
	struct slice dsn;    /* 2.0.0 */
	struct slice text;   /* what stands in parentheses in the log line */
	struct slice relay;  /* HOST[ADDR]:PORT, "local", "none" */
	struct slice mta;    /* RFC 3464 Diagnostic-Code: "smtp; 550 ...", "x-unix; ..." */
	struct slice remote; /* RFC 3464 Remote-MTA: the host that said so */
	struct slice final;  /* Final-Recipient where it differs from the address */
	int64_t connected;   /* wall clock: session set up, TLS and EHLO included; 0: there was none */
	unsigned conn_use;   /* which message over that connection, from 1 */
	bool dsn_passed_on;  /* the next hop answers for NOTIFY now */
};

/*
 * agent_report - `position` in request->recipients. Under soft_bounce a permanent failure becomes a
 * temporary one. Once a recipient.
 */
void agent_report(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome);
/* agent_report_rest - the same outcome for every recipient that has none yet. */
void agent_report_rest(struct agent_delivery *d, const struct agent_outcome *outcome);
/*
 * The two halves of agent_report, for an agent that makes several deliveries of one recipient (aliases)
 * or lets another one make it: agent_log writes a line for one of them, agent_tell gives qmgr the
 * outcome of them together, once a recipient. `orig` is left out where it is absent or the same as `to`.
 */
void agent_log(struct agent_delivery *d, struct slice to, struct slice orig,
	       const struct agent_outcome *outcome);
void agent_tell(struct agent_delivery *d, size_t position, const struct agent_outcome *outcome);
bool agent_reported(const struct agent_delivery *d, size_t position);

/*
 * agent_session - the `session` hook of a delivery agent, but for its own context: serve deliveries
 * until qmgr closes. `deliver`, in a fiber of its own, reports each recipient. `idle` (may be NULL) is
 * called between deliveries when none has come for a second, and at the end with `ended` true: give kept
 * sessions up. `after` (may be NULL) is called when a delivery's end has been told: what qmgr need not wait
 * for. `prompt`: `deliver` returns at once when it has told the last recipient's outcome, which
 * goes out together with the end.
 */
struct agent {
	void (*deliver)(struct agent_delivery *d, void *own);
	void (*after)(void *own);
	void (*idle)(void *own, bool ended);
	bool prompt;
};

void agent_session(struct daemon_context *context, struct daemon_session *session,
		   const struct agent *agent, void *own);

#endif
