/* SPDX-License-Identifier: ISC */
/* scheduler_state - the scheduler's own structures, shared by its parts and by nobody else. */
#ifndef QMGR_SCHEDULER_STATE_H
#define QMGR_SCHEDULER_STATE_H

#include "base/arena.h"
#include "base/list.h"
#include "base/map.h"
#include "qmgr/scheduler.h"

struct sched_transport;
struct sched_destination;
struct sched_job;
struct sched_peer;

/* A delivery as the scheduler sees it. */
struct sched_batch {
	struct sched_delivery pub; /* first */
	struct sched_peer *peer;
	struct list link; /* in peer->todo; under way: in no list */
	bool suspended;   /* the daemon defers it; no agent, no place in any limit */
};

/* One destination of a job. */
struct sched_peer {
	struct sched_job *job;
	struct sched_destination *dest;
	struct list todo;       /* sched_batch.link */
	struct list job_link;   /* in job->peers */
	struct list dest_link;  /* in dest->peers while there is something to do */
	struct list ready_link; /* in job->ready while the destination may have room */
	struct heap_node wait;  /* in dest->waiting while it has none; key: the job's turn */
};

/* One transport of a message. */
struct sched_job {
	struct sched_message *message;
	struct sched_transport *transport;
	struct list link;      /* in message->jobs */
	struct heap_node turn; /* in transport->jobs while a peer is ready */
	struct list peers;     /* sched_peer.job_link */
	struct list ready;     /* sched_peer.ready_link, the one to try next in front */
	int64_t entered;       /* when it came, for preemption */
	size_t todo;           /* batches not yet under way */
	size_t selected;       /* batches that went, for this job's own slots */
	size_t slots_used;     /* of selected / slot_cost */
};

/* A loaded message. */
struct sched_message {
	struct sched_item *item;
	struct arena *arena;
	struct list jobs;
	uint32_t next;       /* first recipient not loaded */
	bool more;           /* there are some */
	bool loading;
	size_t in_core;      /* recipients loaded and not done or deferred */
	size_t chunk;        /* how many came with the last load */
	size_t under_way;    /* batches */
	size_t deferred;     /* recipients */
};

struct sched_destination {
	struct heap_node timer; /* dead or pausing until; first */
	struct sched_transport *transport;
	struct slice name;
	char *name_copy;
	int window; /* 0: dead */
	int busy;
	int peak;
	double success;
	double failure;
	double failed_cohorts;
	int64_t pause_until; /* rate delay */
	char *reason;        /* why it is dead */
	size_t todo;         /* batches waiting */
	struct list peers;   /* sched_peer.dest_link */
	struct heap waiting; /* sched_peer.wait */
};

struct sched_transport {
	struct heap_node timer; /* throttled or pausing until; first */
	struct sched *sched;
	struct slice name;
	char *name_copy;
	struct sched_transport_conf conf;
	struct map *destinations;
	struct heap jobs; /* sched_job.turn: those that have a ready peer */
	struct list dirty; /* in sched->dirty: something may be startable */
	int busy;
	int64_t pause_until;
	char *reason; /* not NULL: throttled */
};

struct sched {
	struct sched_conf conf;
	uint64_t random;
	int64_t now;
	bool draining;
	int64_t turns; /* hands out job turns and places in the incoming line */
	bool incoming_next; /* whose turn it is to be loaded */
	struct heap incoming;
	struct heap deferred;
	uint8_t flushes; /* counts them */
	size_t held;
	size_t active;
	size_t recipients;
	size_t deliveries;
	struct map *transports;
	struct list dirty;
	struct heap destination_timers;
	struct heap transport_timers;
	struct sched_action *actions;
	size_t action_count;
	size_t action_size;
	size_t loads; /* under way */
};

/* Turns of successive jobs lie this far apart, so that a job that passes fits in between. */
#define SCHED_TURN (INT64_C(1) << 24)

/* scheduler.c */
struct sched_action *sched_act(struct sched *s, enum sched_action_type type);
void *sched_alloc(size_t n);
char *sched_strdup(struct slice s);

/* scheduler_transport.c */
struct sched_transport *sched_transport_get(struct sched *s, struct slice name);
struct sched_destination *sched_destination_get(struct sched_transport *t, struct slice name);
void sched_transport_free(struct sched_transport *t);
void sched_transport_touch(struct sched_transport *t);
void sched_transport_throttle(struct sched_transport *t, struct slice reason);
void sched_transport_revive(struct sched_transport *t);
void sched_destination_kill(struct sched_destination *d, struct slice reason);
void sched_destination_revive(struct sched_destination *d);
void sched_destination_feedback(struct sched_destination *d, bool dead, struct slice reason);
void sched_destination_release(struct sched_destination *d);
/* sched_destination_room - how many more deliveries may start now. */
int sched_destination_room(const struct sched_destination *d);
/* sched_destination_wake - let peers that waited for room try again. */
void sched_destination_wake(struct sched_destination *d);
void sched_timers_run(struct sched *s);
/* sched_flush_marks - forget who is dead, throttled or put off. */
void sched_flush_marks(struct sched *s);

/* scheduler_job.c */
void sched_job_add(struct sched *s, struct sched_message *m, const struct sched_recipient *recipients,
		   size_t count);
/* sched_jobs_free - forget what is not under way. */
void sched_jobs_free(struct sched *s, struct sched_message *m);
/* sched_jobs_run - start what may be started. */
void sched_jobs_run(struct sched *s);
/* sched_destination_suspend - hand all that waits for it to `retry`, or have it deferred. */
void sched_destination_suspend(struct sched_destination *d);
/* sched_peer_ready - the peer's destination may have room: it takes part in selection. */
void sched_peer_ready(struct sched_peer *p);
void sched_batch_done(struct sched *s, struct sched_batch *b);

#endif
