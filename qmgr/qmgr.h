/* SPDX-License-Identifier: ISC */
/*
 * qmgr - the daemon around the scheduler, shared by its parts. One process, one thread of fibers; what
 * waits for the disk goes to worker threads.
 *
 *   daemon.c   hooks, settings, recovery, the syncing fiber
 *   event.c    events into the scheduler, its actions into fibers
 *   index.c    all messages by id
 *   load.c     reading a message, where its recipients go
 *   content.c  descriptors of loaded messages
 *   agent.c    connections to delivery agents
 *   deliver.c  one delivery: request, outcomes, marks
 *   settle.c   the end of a round: reports, removal, deferral, hold
 *   handover.c deliveries that go on while one qmgr follows another: the one that ends
 *   claim.c    the same: the one that comes
 *   control.c  what cleanup, postqueue, postsuper, showq ask for
 */
#ifndef QMGR_QMGR_H
#define QMGR_QMGR_H

#include "base/list.h"
#include "base/map.h"
#include "config/settings.h"
#include "daemon/daemon.h"
#include "fiber/fiber.h"
#include "ipc/delivery.h"
#include "ipc/ipc.h"
#include "ipc/qmgr.h"
#include "qmgr/scheduler.h"
#include "queue/queue.h"
#include "route/route.h"

#include <pthread.h>

struct loaded;
struct message_index;

/* A message, known but not loaded: its queue id is that of (id_time, id_serial). */
struct message {
	struct sched_item item; /* first */
	union {
		struct loaded *loaded; /* while it is active */
		struct message *vacant; /* index.c: the next one that stands for no message */
	};
	int64_t id_time;
	uint64_t id_serial;
	uint64_t serial; /* of the journal segment */
	uint64_t offset : 56;
	uint64_t place : 8; /* enum queue_place */
};

/* A message that is loaded. */
struct loaded {
	struct arena *arena;
	struct queue_message m;
	int64_t active_since; /* wall clock */
	bool logged;          /* "queue active" */
	bool changed;         /* there are deferrals that are not on disk */
	bool away;            /* such a one says that a delivery goes on without us */
	unsigned content_users; /* deliveries and reports that need its descriptor */
	bool content_opening;
	bool again;           /* an agent died with it: a recipient of it is free, and is tried at once */
};

struct agent_pool;

/* Something that a worker thread found damaged; `why` is a constant text. */
struct damage {
	struct list link;
	char name[128];
	uint64_t bytes;
	const char *why;
};

struct qmgr {
	struct daemon_context *context;
	const struct settings *settings;
	struct table_set *tables;
	struct route *route;
	struct master_cf services;
	struct slice double_bounce; /* local part */
	bool notify_2bounce;

	struct queue *queue;
	struct message_index *index;
	struct sched *sched;
	bool stepping;           /* an event is being taken */
	struct list events;      /* that came meanwhile */
	struct fiber_cond timer; /* the next wake-up may have changed */
	struct fiber_cond quiet; /* something under way has ended */
	size_t under_way;        /* fibers that load, deliver, settle */
	bool ready;              /* recovered */

	pthread_mutex_t found_lock; /* for what worker threads report */
	struct list damages;        /* struct damage */
	struct queue_entry *found;
	size_t found_count;
	size_t found_size;

	struct fiber_cond dirty; /* marks wait to be written */
	bool stopping;
	bool closed;             /* stopping: no outcomes are taken any more */
	struct list defers;      /* messages that wait to be put aside */
	struct fiber_cond defer_work;
	struct list deliveries;  /* struct delivery, see deliver.c */
	struct list loads;	 /* struct load, see load.c */
	int64_t late_until;      /* next try of the item that SCHED_FATE_LATE was last asked for */
	uid_t smtp_uid;          /* who may claim recipients besides root and the mail owner */
	struct list claims;      /* struct claim, see claim.c */
	struct map *claimed;     /* recipients that they name */
	int64_t claims_until;    /* until then a recipient that is marked as away is waited for */

	struct map *agents; /* struct agent_pool by transport */
	struct fiber_cond contents; /* one was closed, or opened again */
	size_t open_contents;    /* loaded messages that have their descriptors */
	bool grown;              /* messages have been loaded since memory was last given back */
	struct ipc_client *bounce;
	uint64_t delivered;
	uint64_t deferred;
	uint64_t bounced;
};

/* ---- index.c */

struct message_index *index_create(void);
struct message *index_find(const struct message_index *ix, const struct queue_id *id);
/* index_add - a new message; NULL when the id is there already. */
struct message *index_add(struct message_index *ix, const struct queue_id *id);
/* index_remove - frees it. */
void index_remove(struct message_index *ix, struct message *m);
size_t index_count(const struct message_index *ix);
/* index_collect - pointers to all messages that `want` says yes to; free() it. */
struct message **index_collect(const struct message_index *ix,
			       bool (*want)(const struct message *m, void *arg), void *arg,
			       size_t *count);

void message_id(const struct message *m, struct queue_id *id);
void message_location(const struct message *m, struct queue_location *loc);
void message_set_location(struct message *m, const struct queue_location *loc);

/* ---- event.c */

/* event_take - give an event to the scheduler and do what it says; never waits. */
void event_take(struct qmgr *q, const struct sched_event *event);
/* event_timer - the fiber that tells the scheduler the time. */
void event_timer(void *arg);
/* event_known - an entry of the queue that is new to us goes to the scheduler. */
void event_known(struct qmgr *q, const struct queue_entry *entry);
/* event_found - those that worker threads have reported. */
void event_found(struct qmgr *q);
/* work_begin, work_end - around each fiber that must end before the process may. */
void work_begin(struct qmgr *q);
void work_end(struct qmgr *q);

/* ---- load.c */

/* queue_problem - the warning that something could not be done to a message. */
void queue_problem(const struct queue_id *id, const char *what, const struct queue_error *error);
/* loaded_open - read the message; RES_OK: m->loaded is there. */
enum result loaded_open(struct qmgr *q, struct message *m, struct queue_error *error);
void load_start(struct qmgr *q, const struct sched_action *action);
/* loads_cancel - those that wait for a table wait no longer; what they find out then is not used. */
void loads_cancel(struct qmgr *q);
void loaded_free(struct qmgr *q, struct message *m);

/* ---- content.c */

/* descriptors_share - one part in `parts` of those that this process may have and does not need for itself. */
size_t descriptors_share(size_t parts);
/* content_loaded - a message that waits for its turn keeps its descriptor only while few do. */
void content_loaded(struct qmgr *q, struct loaded *loaded);
/*
 * content_take - m->loaded->m.fd is there until content_give; waits for room, and for the disk. Anything but
 * RES_OK: it is not, and needs no content_give.
 */
enum result content_take(struct qmgr *q, struct message *m, struct queue_error *error);
void content_give(struct qmgr *q, struct message *m);
/* content_close - at the end of its being loaded. */
void content_close(struct qmgr *q, struct loaded *loaded);

/* ---- agent.c */

struct agent {
	struct list link;
	struct ipc_conn *conn;
	struct slice nexthop; /* of its open session; absent: none */
	char *nexthop_copy;
	int64_t idle_since;
	bool used; /* it has served before: may turn out to be stale */
};

/*
 * agent_take - a connection to an agent of the transport: one that has a session to nexthop, or an
 * idle one without, or a new one (`fresh`: certainly). NULL with a text when there is none.
 */
struct agent *agent_take(struct qmgr *q, struct slice transport, struct slice nexthop, bool fresh,
			 const char **why);
/* agent_give - back to the pool; nexthop: of the session that it keeps open, absent for none. */
void agent_give(struct qmgr *q, struct slice transport, struct agent *a, struct slice nexthop);
void agent_drop(struct agent *a);
/* agents_prune - close what has been idle for too long; all of it when `all`. */
void agents_prune(struct qmgr *q, bool all);

/* ---- deliver.c */

void deliver_start(struct qmgr *q, const struct sched_action *action);
/* deliver_suspend - a batch that is deferred without a try and without an agent. */
void deliver_suspend(struct qmgr *q, const struct sched_action *action);
/* recipient_take - what an agent says of a recipient: counted, remembered. */
enum queue_outcome recipient_take(struct qmgr *q, struct message *m, const struct delivery_outcome *o);
/* recipient_undone - it is to be tried, or tried again. */
bool recipient_undone(const struct queue_recipient *r);
/* recipient_in_flight - a delivery to it is under way here. */
bool recipient_in_flight(const struct qmgr *q, const struct message *m, uint32_t index);
/*
 * deliver_abandon - this process ends: no more outcomes are taken. `away`: what the agents have begun is
 * marked as such (handover.c); else it stays as if it had not been tried.
 */
void deliver_abandon(struct qmgr *q, bool away);
/* recipient_mark - remember an outcome in the loaded envelope and in the queue. */
void recipient_mark(struct qmgr *q, struct message *m, uint32_t index, const struct queue_mark *mark);

/* ---- settle.c */

void settle_start(struct qmgr *q, const struct sched_action *action);
/*
 * settle_late - the message is SCHED_SETTLING and loaded, and some outcomes have come late. `state` and
 * `until` are what it was before.
 */
void settle_late(struct qmgr *q, struct message *m, enum sched_state state, int64_t until);
/* settle_none - back to where it was; SCHED_NONE: it is gone. */
void settle_none(struct qmgr *q, struct message *m, enum sched_state state, int64_t until);
/* deferral_marks - the reasons of this round, as the queue is to remember them. */
struct queue_mark *deferral_marks(const struct message *m, struct arena *arena, size_t *count);
/* settle_deferrer - the fibers that put messages aside, many with one sync. */
void settle_deferrer(void *arg);

/* ---- handover.c */

/*
 * The mark of a recipient that a delivery was under way to as the qmgr before this one ended: the agent goes
 * on, and claims it from the next.
 */
void recipient_mark_away(struct qmgr *q, struct message *m, uint32_t index);
bool recipient_marked_away(const struct queue_recipient *r);
/* handover_drain - put aside, durably, what was abandoned. */
void handover_drain(struct qmgr *q);

/* ---- claim.c */

struct claim;

/* claim_make - for the running session, until claim_end; NULL: not an id. */
struct claim *claim_make(struct qmgr *q, const struct qmgr_claim *m);
/* claim_tell - false: it speaks of a recipient that is not claimed, or for the second time. */
bool claim_tell(struct claim *c, const struct delivery_outcome *o);
/*
 * claim_end - what was told counts, the other recipients are free; sets *c to NULL. IPC_OK: the
 * outcomes are durable, or of no interest. Waits.
 */
enum ipc_status claim_end(struct qmgr *q, struct claim **c);
/* claim_drop - as if it had never been made: the agent lives, and will claim from our successor. */
void claim_drop(struct qmgr *q, struct claim **c);
/* claims_abandon - this process ends: the agents turn to its successor. */
void claims_abandon(struct qmgr *q);
/* recipient_claimed - an agent that we have not asked for it is busy with it. */
bool recipient_claimed(const struct qmgr *q, const struct message *m, uint32_t index);
/* recipient_away - the same, or that may turn out any moment: nobody else delivers it. */
bool recipient_away(const struct qmgr *q, const struct message *m, uint32_t index);

/* ---- report.c */

/*
 * report_failures, report_delays, report_successes - what is owed to the sender. RES_OK: nothing is
 * owed any more, and that is marked. RES_TEMP: later.
 */
enum result report_failures(struct qmgr *q, struct message *m);
enum result report_delays(struct qmgr *q, struct message *m, int64_t expires);
/* report_successes - before report_failures, for a record of the attempt names the failures too. */
enum result report_successes(struct qmgr *q, struct message *m);
/* report_keeps_record - everything is reported, success too: sendmail -v's first attempt, probes. */
bool report_keeps_record(const struct message *m);

/* ---- control.c */

void control_session(struct daemon_context *context, struct daemon_session *session);

#endif
