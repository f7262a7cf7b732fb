/* SPDX-License-Identifier: ISC */
/*
 * scheduler - what qmgr does next: a pure step function, step(state, event) -> actions. It reads no
 * clock, touches no file or socket and waits for nothing; time is an argument, chance comes
 * from a seed. The daemon around it (qmgr/daemon.c) turns actions into work and results into events.
 *
 * The model is that of Postfix's SCHEDULER_README. A message that is loaded has one job a
 * transport, a job has one peer a destination, a peer has deliveries: batches of at most
 * transport_destination_recipient_limit recipients. A transport serves its jobs in the order they
 * came, but a large job that has had enough turns lets a small one pass (preemption). A destination
 * has as many deliveries under way as its window allows, and the window follows their
 * success; a destination that fails for too many in a row is dead for a while: its mail is
 * deferred without a try.
 *
 * All times are microseconds of one clock that never jumps; the daemon translates arrival times.
 */
#ifndef QMGR_SCHEDULER_H
#define QMGR_SCHEDULER_H

#include "base/heap.h"
#include "base/slice.h"

struct sched;
struct sched_message;

/* ---- settings */

enum feedback_divisor { FEEDBACK_CONSTANT, FEEDBACK_SQRT, FEEDBACK_CONCURRENCY };

/* value / 1, sqrt(concurrency) or concurrency, a delivery */
struct sched_feedback {
	double value;
	enum feedback_divisor divisor;
};

struct sched_transport_conf {
	int process_limit;        /* deliveries at once; 0: any number */
	int initial_concurrency;  /* of a destination */
	int concurrency_limit;    /* of a destination; 0: none */
	int failed_cohort_limit;
	struct sched_feedback positive;
	struct sched_feedback negative;
	int recipient_limit;      /* of one delivery; 0: none */
	int slot_cost;            /* less than 2: no preemption */
	int slot_loan;
	int slot_discount;        /* percent */
	int minimum_slots;
	int64_t destination_rate_delay;
	int64_t transport_rate_delay;
	bool defer;               /* defer_transports: until flushed */
};

struct sched_conf {
	int64_t minimal_backoff;
	int64_t maximal_backoff;
	int64_t lifetime;
	int64_t bounce_lifetime; /* of messages from the null sender */
	int64_t delay_warning;   /* 0: never */
	int64_t transport_retry;
	int64_t begin;           /* nothing is loaded before */
	int active_limit;        /* messages loaded at once */
	int recipient_limit;     /* recipients loaded at once */
	int recipient_minimum;   /* that each message may load in any case */
	/* transport - the settings of a transport; asked once a transport, must not fail */
	void (*transport)(void *arg, struct slice name, struct sched_transport_conf *out);
	void *arg;
};

/* sched_feedback_parse - "1", "0.5 / concurrency", "1/sqrt_concurrency"; false when it is neither. */
bool sched_feedback_parse(struct slice text, struct sched_feedback *out);

/* ---- messages */

enum sched_state {
	SCHED_NONE,     /* not known to the scheduler */
	SCHED_INCOMING, /* waits to be loaded */
	SCHED_DEFERRED, /* waits for its time */
	SCHED_HELD,
	SCHED_LOADING,
	SCHED_ACTIVE,
	SCHED_SETTLING  /* all of it was tried: the daemon reports, stores or removes it */
};

/*
 * What the scheduler keeps of each message, loaded or not; part of the daemon's own record, which
 * must stay where it is from sched_add until SCHED_NONE.
 */
struct sched_item {
	struct heap_node node; /* key: turn (incoming) or time of the next try (deferred) */
	struct sched_message *active;
	int64_t arrival;
	uint8_t state;  /* enum sched_state */
	uint8_t doom;   /* enum sched_fate asked for while it was under way */
	bool null_sender;
	bool warned;    /* the sender has been told of the delay */
	bool expire;    /* forced: as if it were too old */
	bool flushed;   /* somebody asked for it: defer_transports does not stop it */
	uint8_t flushes; /* how many there had been when it was loaded */
};

struct sched_recipient {
	uint32_t index;
	struct slice transport;
	struct slice destination; /* what concurrency is counted by: nexthop, or the recipient */
	struct slice nexthop;
	struct slice address;     /* recipients of a destination go out in this order */
};

/* A batch under way; valid from its action to its SCHED_EV_DELIVERED. */
struct sched_delivery {
	struct sched_item *item;
	struct slice transport;
	struct slice nexthop;
	const uint32_t *recipients; /* their indices */
	size_t count;
};

/* ---- events */

enum sched_fate {
	SCHED_FATE_NORMAL,
	SCHED_FATE_DELETE,
	SCHED_FATE_HOLD,
	SCHED_FATE_RELEASE,
	SCHED_FATE_REQUEUE,
	/* late outcomes have come: only for what waits; then SCHED_EV_SETTLED as for NORMAL */
	SCHED_FATE_LATE
};

enum sched_event_type {
	SCHED_EV_ADD,        /* item, state INCOMING, DEFERRED (until) or HELD */
	SCHED_EV_LOADED,     /* item, recipients, count, next, more; the slices are copied */
	SCHED_EV_UNLOADABLE, /* item: try again later */
	SCHED_EV_GONE,       /* item, LOADING: it is no more */
	SCHED_EV_DELIVERED,  /* delivery, deferred, dead, reason */
	SCHED_EV_THROTTLE,   /* transport, reason: nobody serves its socket */
	SCHED_EV_SETTLED,    /* item, state: NONE, DEFERRED (until), HELD or INCOMING (again at once) */
	SCHED_EV_TIMER,      /* nothing but the time */
	SCHED_EV_FLUSH,      /* all deferred mail, and all dead destinations and transports */
	SCHED_EV_FLUSH_ITEM, /* item, and where it goes to */
	SCHED_EV_CONTROL,    /* item, fate: see SCHED_SETTLE */
	SCHED_EV_EXPIRE,     /* item: one more try, now; what fails is returned to its sender */
	SCHED_EV_DRAIN       /* start nothing any more */
};

struct sched_event {
	enum sched_event_type type;
	struct sched_item *item;
	enum sched_state state;
	int64_t until;
	const struct sched_recipient *recipients;
	size_t count;
	uint32_t next; /* recipients from this index on were not looked at ... */
	bool more;     /* ... and there are some */
	struct sched_delivery *delivery;
	size_t deferred;        /* of the delivery's recipients: to be tried again */
	bool dead;              /* no connection, no handshake: counts against the destination */
	struct slice transport;
	struct slice reason;    /* "4.4.1 connect to ...": status and text */
	enum sched_fate fate;
};

/* ---- actions */

enum sched_action_type {
	SCHED_LOAD,    /* item, first: give up to `limit` undone recipients from index `first` on */
	SCHED_DELIVER, /* delivery */
	SCHED_SUSPEND, /* delivery, reason: call it deferred, as SCHED_EV_DELIVERED, without a try */
	/*
	 * item, fate, deferred, until, expired, warn: nothing of it is under way. NORMAL with nothing
	 * deferred: report, remove. Deferred: keep until `until`, or return it if expired. Then
	 * SCHED_EV_SETTLED.
	 */
	SCHED_SETTLE
};

struct sched_action {
	enum sched_action_type type;
	struct sched_item *item;
	uint32_t first;
	size_t limit;
	struct sched_delivery *delivery;
	struct slice reason;
	enum sched_fate fate;
	size_t deferred;
	int64_t until;
	bool expired;
	bool warn;
};

/* ---- the machine */

/* sched_create - conf is copied; the seed makes the jitter. Never NULL. */
struct sched *sched_create(const struct sched_conf *conf, uint64_t seed);
void sched_destroy(struct sched **s);

/*
 * sched_step - take one event; the actions are valid until the next step. `now` must not go back.
 * An event that makes no sense in its item's state is a broken invariant.
 */
const struct sched_action *sched_step(struct sched *s, int64_t now, const struct sched_event *event,
				      size_t *count);
/* sched_wake - when SCHED_EV_TIMER is due; INT64_MAX: never. */
int64_t sched_wake(const struct sched *s);

struct sched_stats {
	size_t incoming;
	size_t deferred;
	size_t held;
	size_t active; /* loading, active, settling */
	size_t recipients;
	size_t deliveries;
	size_t transports;
	size_t destinations;
	size_t dead;
};

void sched_get_stats(const struct sched *s, struct sched_stats *stats);

struct sched_destination_info {
	struct slice transport;
	struct slice destination;
	int window; /* 0: dead */
	int busy;
	int peak_busy;
	size_t waiting; /* deliveries not yet under way */
};

/* sched_foreach_destination - for status listings and tests. */
void sched_foreach_destination(const struct sched *s,
			       void (*fn)(void *arg, const struct sched_destination_info *info),
			       void *arg);

/* sched_backoff - how long a message of this age waits, without jitter. */
int64_t sched_backoff(const struct sched_conf *conf, int64_t age);

#endif
