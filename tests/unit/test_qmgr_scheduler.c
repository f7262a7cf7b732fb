/* SPDX-License-Identifier: ISC */
/*
 * The scheduler in virtual time: a world that plays the daemon and its delivery agents, and looks at
 * every action whether it breaks a limit.
 */
#include "unit.h"

#include "base/arena.h"
#include "qmgr/scheduler.h"

#include <stdio.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000)
#define DAY (86400 * SECOND)
#define SLOW_DOMAIN 54 /* in chaos(): from here on domains of the transport with the rate delay */

enum fate { GOOD, TEMPORARY, DEAD };

struct letter {
	struct sched_item item; /* first */
	uint32_t recipients;
	const char *transport;
	unsigned domains; /* recipients go round them */
	unsigned domain_base;
	unsigned delivered;   /* recipients, deliveries that succeeded */
	unsigned char *done;  /* a flag for each recipient */
	unsigned tries;
	unsigned expired;
	unsigned warned;
	int64_t finished;     /* when it was settled for good */
	int64_t until;        /* of the last deferral */
	enum sched_fate fate; /* as settled */
	bool under_way;
};

struct flight {
	struct heap_node node; /* first; key: when it ends */
	struct sched_delivery *d;
	unsigned domain;
};

struct world {
	struct sched *s;
	struct sched_conf conf;
	struct sched_transport_conf transport;
	int64_t now;
	struct heap air;
	int64_t duration;                     /* of a delivery */
	enum fate (*fate)(unsigned domain, struct world *w);
	unsigned in_air[64];                  /* by domain */
	unsigned peak[64];
	unsigned started[64];
	unsigned total_air, total_peak;
	unsigned suspended;
	unsigned retried;
	unsigned random;
	char order[64];                       /* first letters of what was started */
	size_t order_count;
	bool settle_held;
	unsigned unreadable;                  /* one load in so many fails; 0: none */
};

static unsigned dice(struct world *w, unsigned n)
{
	w->random = w->random * 1103515245u + 12345u;
	return (w->random >> 8) % n;
}

static enum fate all_good(unsigned domain, struct world *w)
{
	(void)domain;
	(void)w;
	return GOOD;
}

static enum fate zero_dead(unsigned domain, struct world *w)
{
	(void)w;
	return domain == 0 ? DEAD : GOOD;
}

static enum fate all_temporary(unsigned domain, struct world *w)
{
	(void)domain;
	(void)w;
	return TEMPORARY;
}

static enum fate by_chance(unsigned domain, struct world *w)
{
	unsigned n = dice(w, 10);

	if (domain % 7 == 3)
		return n < 8 ? DEAD : GOOD;
	return n < 2 ? TEMPORARY : n < 3 ? DEAD : GOOD;
}

static void transport_conf(void *arg, struct slice name, struct sched_transport_conf *out)
{
	*out = ((struct world *)arg)->transport;
	if (slice_eq(name, SL("retry"))) {
		out->process_limit = 0;
		out->destination_rate_delay = 0;
		out->transport_rate_delay = 0;
		out->defer = false;
	}
	if (slice_eq(name, SL("slow")))
		out->destination_rate_delay = 10 * SECOND;
	if (slice_eq(name, SL("later")))
		out->defer = true;
}

static void world_init(struct world *w)
{
	*w = (struct world){
	    .conf = {.minimal_backoff = 300 * SECOND,
		     .maximal_backoff = 4000 * SECOND,
		     .lifetime = 5 * DAY,
		     .bounce_lifetime = 1 * DAY,
		     .transport_retry = 60 * SECOND,
		     .active_limit = 20000,
		     .recipient_limit = 20000,
		     .recipient_minimum = 10,
		     .transport = transport_conf},
	    .transport = {.process_limit = 100,
			  .initial_concurrency = 5,
			  .concurrency_limit = 20,
			  .failed_cohort_limit = 1,
			  .positive = {1, FEEDBACK_CONSTANT},
			  .negative = {1, FEEDBACK_CONSTANT},
			  .recipient_limit = 50,
			  .slot_cost = 5,
			  .slot_loan = 3,
			  .slot_discount = 50,
			  .minimum_slots = 3},
	    .now = 1000 * SECOND,
	    .duration = SECOND,
	    .fate = all_good,
	    .random = 42,
	};
	heap_init(&w->air);
}

static void world_go(struct world *w)
{
	w->conf.arg = w;
	w->s = sched_create(&w->conf, 7);
}

static void world_free(struct world *w)
{
	assert_int_equal(w->air.count, 0);
	heap_free(&w->air);
	sched_destroy(&w->s);
}

static void step(struct world *w, struct sched_event e);

static struct letter *letter_new(unsigned recipients, unsigned domains, unsigned base)
{
	struct letter *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->recipients = recipients;
	l->domains = domains;
	l->domain_base = base;
	l->transport = "smtp";
	l->done = calloc(recipients, 1);
	assert_non_null(l->done);
	return l;
}

static void letter_free(struct letter *l)
{
	free(l->done);
	free(l);
}

static void arrive(struct world *w, struct letter *l)
{
	l->item.arrival = w->now;
	step(w, (struct sched_event){
		    .type = SCHED_EV_ADD, .item = &l->item, .state = SCHED_INCOMING});
}

static void load(struct world *w, const struct sched_action *a)
{
	struct letter *l = (struct letter *)a->item;
	struct arena *arena = arena_create();
	struct sched_recipient *r = ARENA_ARRAY(arena, a->limit + 1, struct sched_recipient);
	size_t n = 0;
	uint32_t i;

	if (w->unreadable && dice(w, w->unreadable) == 0) {
		arena_destroy(&arena);
		step(w, (struct sched_event){.type = SCHED_EV_UNLOADABLE, .item = a->item});
		return;
	}
	for (i = a->first; i < l->recipients && n < a->limit; i++) {
		if (l->done[i])
			continue;
		r[n].index = i;
		r[n].transport = slice_str(l->transport);
		r[n].destination = arena_printf(arena, "%u", l->domain_base + i % l->domains);
		r[n].nexthop = r[n].destination;
		r[n].address = arena_printf(arena, "u%08u", i);
		n++;
	}
	step(w, (struct sched_event){.type = SCHED_EV_LOADED,
				     .item = a->item,
				     .recipients = r,
				     .count = n,
				     .next = i,
				     .more = i < l->recipients});
	arena_destroy(&arena);
}

static void deliver(struct world *w, const struct sched_action *a)
{
	struct letter *l = (struct letter *)a->item;
	struct flight *f = calloc(1, sizeof(*f));
	uint64_t domain = 63;

	assert_non_null(f);
	assert_int_equal(a->item->state, SCHED_ACTIVE);
	assert_in_range(a->delivery->count, 1, w->transport.recipient_limit);
	if (slice_eq(a->delivery->transport, SL("retry")))
		w->retried += (unsigned)a->delivery->count;
	else
		assert_true(slice_u64(a->delivery->nexthop, &domain));
	assert_true(domain < 64);
	f->d = a->delivery;
	f->domain = (unsigned)domain;
	f->node.key = w->now + w->duration;
	heap_insert(&w->air, &f->node);
	l->tries++;
	w->started[domain]++;
	if (w->order_count < sizeof(w->order) - 1)
		w->order[w->order_count++] = (char)('0' + l->item.null_sender);
	if (domain != 63) {
		w->total_air += domain < SLOW_DOMAIN;
		w->in_air[domain]++;
		assert_true(strcmp(l->transport, "slow") != 0 || w->in_air[domain] == 1);
		assert_true(w->in_air[domain] <= (unsigned)w->transport.concurrency_limit);
		assert_true(w->transport.process_limit == 0 ||
			    w->total_air <= (unsigned)w->transport.process_limit);
		if (w->in_air[domain] > w->peak[domain])
			w->peak[domain] = w->in_air[domain];
		if (w->total_air > w->total_peak)
			w->total_peak = w->total_air;
	}
}

static void settle(struct world *w, const struct sched_action *a)
{
	struct letter *l = (struct letter *)a->item;
	enum sched_state state = SCHED_NONE;

	l->fate = a->fate;
	l->warned += a->warn;
	l->item.warned |= a->warn;
	if (a->fate == SCHED_FATE_HOLD)
		state = SCHED_HELD;
	else if (a->fate == SCHED_FATE_RELEASE || a->fate == SCHED_FATE_REQUEUE)
		state = SCHED_INCOMING;
	else if (a->fate == SCHED_FATE_NORMAL && a->deferred > 0 && !a->expired)
		state = SCHED_DEFERRED;
	l->expired += a->expired;
	l->until = a->until;
	if (state == SCHED_NONE)
		l->finished = w->now;
	step(w, (struct sched_event){
		    .type = SCHED_EV_SETTLED, .item = a->item, .state = state, .until = a->until});
}

static void suspend(struct world *w, const struct sched_action *a)
{
	w->suspended += (unsigned)a->delivery->count;
	step(w, (struct sched_event){.type = SCHED_EV_DELIVERED,
				     .delivery = a->delivery,
				     .deferred = a->delivery->count});
}

static void step(struct world *w, struct sched_event e)
{
	size_t count;
	const struct sched_action *now = sched_step(w->s, w->now, &e, &count);
	struct sched_action *actions = calloc(count + 1, sizeof(*actions));
	struct sched_stats stats;

	assert_non_null(actions);
	sched_get_stats(w->s, &stats);
	/* One that waited may be on its way elsewhere by somebody's order: it takes no place. */
	assert_true(stats.active <= (size_t)w->conf.active_limit + 1);
	if (count > 0)
		memcpy(actions, now, count * sizeof(*actions));
	for (size_t i = 0; i < count; i++) {
		switch (actions[i].type) {
		case SCHED_LOAD:
			load(w, &actions[i]);
			break;
		case SCHED_DELIVER:
			deliver(w, &actions[i]);
			break;
		case SCHED_SUSPEND:
			suspend(w, &actions[i]);
			break;
		case SCHED_SETTLE:
			settle(w, &actions[i]);
			break;
		}
	}
	free(actions);
}

static void land(struct world *w, struct flight *f)
{
	struct letter *l = (struct letter *)f->d->item;
	enum fate fate = f->domain == 63 ? TEMPORARY : w->fate(f->domain, w);
	bool dead = fate == DEAD;

	if (f->domain != 63) {
		w->in_air[f->domain]--;
		w->total_air -= f->domain < SLOW_DOMAIN;
	}
	for (size_t i = 0; fate == GOOD && i < f->d->count; i++) {
		assert_int_equal(l->done[f->d->recipients[i]], 0);
		l->done[f->d->recipients[i]] = 1;
		l->delivered++;
	}
	step(w, (struct sched_event){.type = SCHED_EV_DELIVERED,
				     .delivery = f->d,
				     .deferred = fate == GOOD ? 0 : f->d->count,
				     .dead = dead,
				     .reason = SL("4.4.1 connect to there: refused")});
	free(f);
}

/* run - let virtual time pass until `until`, or until nothing is left to happen. */
static void run(struct world *w, int64_t until)
{
	for (;;) {
		struct heap_node *first = heap_first(&w->air);
		int64_t wake = sched_wake(w->s);

		if (first && first->key <= wake && first->key <= until) {
			heap_remove(&w->air, first);
			w->now = first->key;
			land(w, (struct flight *)first);
		} else if (wake <= until && wake < INT64_MAX) {
			w->now = wake > w->now ? wake : w->now;
			step(w, (struct sched_event){.type = SCHED_EV_TIMER});
		} else {
			break;
		}
	}
	if (until < INT64_MAX && until > w->now)
		w->now = until;
}

/* ---- tests */

static void test_one(void **state)
{
	struct world w;
	struct letter *l = letter_new(3, 1, 1);

	(void)state;
	world_init(&w);
	world_go(&w);
	arrive(&w, l);
	run(&w, INT64_MAX);
	assert_int_equal(l->delivered, 3);
	assert_int_equal(l->tries, 1);
	assert_int_equal(l->item.state, SCHED_NONE);
	world_free(&w);
	letter_free(l);
}

static void test_order_first_come(void **state)
{
	struct world w;
	struct letter *l[10];

	(void)state;
	world_init(&w);
	w.transport.process_limit = 1;
	world_go(&w);
	for (unsigned i = 0; i < 10; i++) {
		l[i] = letter_new(1, 1, i % 3);
		arrive(&w, l[i]);
	}
	run(&w, INT64_MAX);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(l[i]->delivered, 1);
		assert_true(i == 0 || l[i]->finished > l[i - 1]->finished);
	}
	for (unsigned i = 0; i < 10; i++)
		letter_free(l[i]);
	world_free(&w);
}

/* A message to 50,000 people at one destination, then single ones to the same. */
static void test_fairness(void **state)
{
	struct world w;
	struct letter *big = letter_new(50000, 1, 5);
	struct letter *small[20];
	struct sched_stats stats;

	(void)state;
	world_init(&w);
	world_go(&w);
	arrive(&w, big);
	sched_get_stats(w.s, &stats);
	assert_true(stats.recipients <= 20000);
	run(&w, w.now + 5 * SECOND);
	for (unsigned i = 0; i < 20; i++) {
		small[i] = letter_new(1, 1, 5);
		arrive(&w, small[i]);
	}
	run(&w, INT64_MAX);
	assert_int_equal(big->delivered, 50000);
	assert_in_range(big->tries, 1000, 1030); /* a load may end within a batch of 50 */
	for (unsigned i = 0; i < 20; i++) {
		/* The big one takes more than 50 s; these have passed it. */
		assert_true(small[i]->finished - small[i]->item.arrival <= 8 * SECOND);
		assert_true(big->finished > small[i]->finished + 30 * SECOND);
		letter_free(small[i]);
	}
	/* ... at no great cost: 1020 deliveries, 20 at a time. */
	assert_true(big->finished - big->item.arrival <= 56 * SECOND);
	world_free(&w);
	letter_free(big);
}

/* Without preemption they have to wait: the test above would notice. */
static void test_no_preemption(void **state)
{
	struct world w;
	struct letter *big = letter_new(5000, 1, 5);
	struct letter *small = letter_new(1, 1, 5);

	(void)state;
	world_init(&w);
	w.transport.slot_cost = 0;
	w.transport.concurrency_limit = 1;
	world_go(&w);
	arrive(&w, big);
	arrive(&w, small);
	run(&w, INT64_MAX);
	assert_true(small->finished > big->finished);
	world_free(&w);
	letter_free(big);
	letter_free(small);
}

static void test_dead_destination(void **state)
{
	struct world w;
	struct letter *l[200];

	(void)state;
	world_init(&w);
	w.fate = zero_dead;
	world_go(&w);
	for (unsigned i = 0; i < 200; i++) {
		l[i] = letter_new(1, 1, i % 10);
		arrive(&w, l[i]);
	}
	run(&w, w.now + 60 * SECOND);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(l[i]->delivered, i % 10 != 0);
	/* The first five were tried, their failures killed it; the others went to retry. */
	assert_int_equal(w.started[0], 5);
	assert_int_equal(w.retried, 15);
	/* Mail that comes while it is dead is not tried. */
	l[0]->item.null_sender = false;
	struct letter *late = letter_new(1, 1, 0);
	arrive(&w, late);
	run(&w, w.now + 60 * SECOND);
	assert_int_equal(w.started[0], 5);
	assert_int_equal(late->item.state, SCHED_DEFERRED);
	/* A flush makes it live again. */
	w.fate = all_good;
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH});
	run(&w, w.now + 60 * SECOND);
	assert_int_equal(late->delivered, 1);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(l[i]->delivered, 1);
		letter_free(l[i]);
	}
	letter_free(late);
	world_free(&w);
}

static void test_dead_destination_revives(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 0);

	(void)state;
	world_init(&w);
	w.transport.initial_concurrency = 1;
	w.fate = zero_dead;
	world_go(&w);
	arrive(&w, l);
	run(&w, w.now + 100 * SECOND);
	assert_int_equal(w.started[0], 1);
	w.fate = all_good;
	run(&w, INT64_MAX);
	assert_int_equal(l->delivered, 1);
	assert_int_equal(w.started[0], 2);
	world_free(&w);
	letter_free(l);
}

static void test_concurrency_grows(void **state)
{
	struct world w;
	struct letter *l[400];

	(void)state;
	world_init(&w);
	world_go(&w);
	for (unsigned i = 0; i < 400; i++) {
		l[i] = letter_new(1, 1, 4);
		arrive(&w, l[i]);
	}
	assert_int_equal(w.peak[4], 5);
	run(&w, INT64_MAX);
	assert_int_equal(w.peak[4], 20);
	for (unsigned i = 0; i < 400; i++) {
		assert_int_equal(l[i]->delivered, 1);
		letter_free(l[i]);
	}
	world_free(&w);
}

static void test_process_limit(void **state)
{
	struct world w;
	struct letter *l[300];

	(void)state;
	world_init(&w);
	w.transport.process_limit = 7;
	world_go(&w);
	for (unsigned i = 0; i < 300; i++) {
		l[i] = letter_new(1, 1, i % 50);
		arrive(&w, l[i]);
	}
	run(&w, INT64_MAX);
	assert_int_equal(w.total_peak, 7);
	for (unsigned i = 0; i < 300; i++)
		letter_free(l[i]);
	world_free(&w);
}

static void test_rate_delay(void **state)
{
	struct world w;
	struct letter *l[4];
	int64_t begin;

	(void)state;
	world_init(&w);
	world_go(&w);
	begin = w.now;
	for (unsigned i = 0; i < 4; i++) {
		l[i] = letter_new(1, 1, 9);
		l[i]->transport = "slow";
		arrive(&w, l[i]);
	}
	run(&w, INT64_MAX);
	assert_int_equal(w.peak[9], 1);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(l[i]->finished - begin, (1 + 11 * (int64_t)i) * SECOND);
		letter_free(l[i]);
	}
	world_free(&w);
}

static void test_expiry_and_backoff(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 1);
	struct letter *bounce = letter_new(1, 1, 2);

	(void)state;
	world_init(&w);
	w.fate = all_temporary;
	w.conf.delay_warning = 4 * 3600 * SECOND;
	bounce->item.null_sender = true;
	world_go(&w);
	arrive(&w, l);
	arrive(&w, bounce);
	run(&w, w.now + 2 * SECOND);
	assert_in_range(l->until - w.now, 298 * SECOND, 338 * SECOND);
	run(&w, INT64_MAX);
	assert_int_equal(l->expired, 1);
	assert_int_equal(l->warned, 1);
	assert_int_equal(bounce->warned, 0);
	assert_in_range(l->finished - l->item.arrival, 5 * DAY, 5 * DAY + 4002 * SECOND);
	assert_in_range(bounce->finished - bounce->item.arrival, DAY, DAY + 4002 * SECOND);
	/* 300, 600, 1200, 2400, 4000 ... : 5 days hold about 110 tries */
	assert_in_range(l->tries, 105, 130);
	letter_free(l);
	letter_free(bounce);
	world_free(&w);
}

static void test_jitter(void **state)
{
	struct world w;
	struct letter *l[100];
	unsigned same = 0;

	(void)state;
	world_init(&w);
	w.fate = all_temporary;
	world_go(&w);
	for (unsigned i = 0; i < 100; i++) {
		l[i] = letter_new(1, 1, i % 50);
		arrive(&w, l[i]);
	}
	run(&w, w.now + SECOND);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(l[i]->item.state, SCHED_DEFERRED);
		assert_in_range(l[i]->until - w.now, 300 * SECOND, 338 * SECOND);
		same += i > 0 && l[i]->until == l[i - 1]->until;
	}
	assert_true(same < 3);
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH});
	w.fate = all_good;
	run(&w, w.now + 2 * SECOND);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(l[i]->delivered, 1);
		letter_free(l[i]);
	}
	world_free(&w);
}

static void test_throttled_transport(void **state)
{
	struct world w;
	struct letter *l = letter_new(2, 2, 1);

	(void)state;
	world_init(&w);
	world_go(&w);
	step(&w, (struct sched_event){.type = SCHED_EV_THROTTLE,
				      .transport = SL("smtp"),
				      .reason = SL("4.3.0 mail transport unavailable")});
	arrive(&w, l);
	run(&w, w.now + 2 * SECOND);
	assert_int_equal(w.retried, 2);
	assert_int_equal(l->item.state, SCHED_DEFERRED);
	run(&w, INT64_MAX);
	assert_int_equal(l->delivered, 2);
	letter_free(l);
	world_free(&w);
}

static void test_retry_itself_unavailable(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 1);

	(void)state;
	world_init(&w);
	world_go(&w);
	arrive(&w, l);
	step(&w, (struct sched_event){.type = SCHED_EV_THROTTLE,
				      .transport = SL("retry"),
				      .reason = SL("4.3.0 gone")});
	step(&w, (struct sched_event){.type = SCHED_EV_THROTTLE,
				      .transport = SL("smtp"),
				      .reason = SL("4.3.0 gone")});
	struct letter *second = letter_new(1, 1, 1);
	arrive(&w, second);
	assert_int_equal(w.suspended, 1);
	assert_int_equal(second->item.state, SCHED_DEFERRED);
	run(&w, INT64_MAX);
	assert_int_equal(l->delivered + second->delivered, 2);
	letter_free(l);
	letter_free(second);
	world_free(&w);
}

static void test_defer_transports(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 1);

	(void)state;
	world_init(&w);
	world_go(&w);
	l->transport = "later";
	arrive(&w, l);
	run(&w, w.now + 1000 * SECOND);
	assert_int_equal(l->item.state, SCHED_DEFERRED);
	assert_int_equal(w.started[1], 0);
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH_ITEM, .item = &l->item});
	run(&w, w.now + 2 * SECOND);
	assert_int_equal(l->delivered, 1);
	letter_free(l);
	world_free(&w);
}

/* Whoever flushes while a message is being tried means that message too. */
static void test_flush_while_under_way(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 1);

	(void)state;
	world_init(&w);
	w.fate = all_temporary;
	world_go(&w);
	arrive(&w, l);
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH});
	run(&w, w.now + 10 * SECOND);
	assert_int_equal(l->tries, 2);
	assert_int_equal(l->item.state, SCHED_DEFERRED);
	w.fate = all_good;
	run(&w, INT64_MAX);
	letter_free(l);
	world_free(&w);
}

static void test_active_limit(void **state)
{
	struct world w;
	struct letter *l[50];
	struct sched_stats stats;

	(void)state;
	world_init(&w);
	w.conf.active_limit = 4;
	world_go(&w);
	for (unsigned i = 0; i < 50; i++) {
		l[i] = letter_new(1, 1, i);
		arrive(&w, l[i]);
	}
	sched_get_stats(w.s, &stats);
	assert_int_equal(stats.active, 4);
	assert_int_equal(stats.incoming, 46);
	run(&w, INT64_MAX);
	for (unsigned i = 0; i < 50; i++) {
		assert_int_equal(l[i]->delivered, 1);
		letter_free(l[i]);
	}
	world_free(&w);
}

/* A message that cannot be read waits; one that is gone leaves nothing behind. */
static void test_unreadable(void **state)
{
	struct world w;
	struct letter *l = letter_new(3, 1, 0);
	struct letter *gone = letter_new(1, 1, 0);
	struct sched_event add = {
	    .type = SCHED_EV_ADD, .item = &gone->item, .state = SCHED_INCOMING};
	struct sched_stats stats;
	size_t count;

	(void)state;
	world_init(&w);
	world_go(&w);
	w.unreadable = 1;
	arrive(&w, l);
	assert_int_equal(l->item.state, SCHED_DEFERRED);
	w.unreadable = 0;
	run(&w, INT64_MAX);
	assert_int_equal(l->delivered, 3);
	sched_step(w.s, w.now, &add, &count);
	assert_int_equal(gone->item.state, SCHED_LOADING);
	step(&w, (struct sched_event){.type = SCHED_EV_GONE, .item = &gone->item});
	assert_int_equal(gone->item.state, SCHED_NONE);
	sched_get_stats(w.s, &stats);
	assert_int_equal(stats.active, 0);
	letter_free(l);
	letter_free(gone);
	world_free(&w);
}

static void test_control_active(void **state)
{
	struct world w;
	struct letter *del = letter_new(5000, 1, 1);
	struct letter *hold = letter_new(5000, 1, 2);

	(void)state;
	world_init(&w);
	world_go(&w);
	arrive(&w, del);
	arrive(&w, hold);
	run(&w, w.now + 2 * SECOND);
	assert_true(del->delivered > 0 && hold->delivered > 0);
	step(&w, (struct sched_event){
		     .type = SCHED_EV_CONTROL, .item = &del->item, .fate = SCHED_FATE_DELETE});
	step(&w, (struct sched_event){
		     .type = SCHED_EV_CONTROL, .item = &hold->item, .fate = SCHED_FATE_HOLD});
	unsigned started = w.started[1] + w.started[2];
	run(&w, INT64_MAX);
	assert_int_equal(w.started[1] + w.started[2], started);
	assert_int_equal(del->item.state, SCHED_NONE);
	assert_int_equal(del->fate, SCHED_FATE_DELETE);
	assert_int_equal(hold->item.state, SCHED_HELD);
	step(&w, (struct sched_event){
		     .type = SCHED_EV_CONTROL, .item = &hold->item, .fate = SCHED_FATE_RELEASE});
	run(&w, INT64_MAX);
	assert_int_equal(hold->delivered, 5000);
	letter_free(del);
	letter_free(hold);
	world_free(&w);
}

/* A flush that came before must not make what late outcomes settle look like one that was flushed. */
static void test_late_outcomes(void **state)
{
	struct world w;
	struct letter *l = letter_new(1, 1, 1);
	size_t count;
	const struct sched_action *a;

	(void)state;
	world_init(&w);
	w.fate = all_temporary;
	world_go(&w);
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH});
	sched_step(w.s, w.now,
		   &(struct sched_event){.type = SCHED_EV_ADD,
					 .item = &l->item,
					 .state = SCHED_DEFERRED,
					 .until = w.now + 900 * SECOND},
		   &count);
	assert_int_equal(count, 0);
	a = sched_step(w.s, w.now,
		       &(struct sched_event){.type = SCHED_EV_CONTROL,
					     .item = &l->item,
					     .fate = SCHED_FATE_LATE},
		       &count);
	assert_int_equal(count, 1);
	assert_int_equal(a[0].type, SCHED_SETTLE);
	assert_int_equal(a[0].fate, SCHED_FATE_LATE);
	assert_true(a[0].until >= w.now + w.conf.minimal_backoff);
	assert_true(a[0].until <= w.now + w.conf.maximal_backoff);
	step(&w, (struct sched_event){.type = SCHED_EV_SETTLED,
				      .item = &l->item,
				      .state = SCHED_DEFERRED,
				      .until = w.now + 600 * SECOND});
	assert_int_equal(l->item.state, SCHED_DEFERRED);
	assert_int_equal(sched_wake(w.s), w.now + 600 * SECOND);
	letter_free(l);
	world_free(&w);
}

/* Agents that are busy since before may speak first: nothing is loaded before the time. */
static void test_begin(void **state)
{
	struct world w;
	struct letter *fresh = letter_new(1, 1, 1);
	struct letter *due = letter_new(1, 1, 1);

	(void)state;
	world_init(&w);
	w.conf.begin = w.now + 2 * SECOND;
	world_go(&w);
	assert_int_equal(sched_wake(w.s), w.now + 2 * SECOND);
	step(&w, (struct sched_event){.type = SCHED_EV_ADD,
				      .item = &fresh->item,
				      .state = SCHED_INCOMING});
	step(&w, (struct sched_event){.type = SCHED_EV_ADD,
				      .item = &due->item,
				      .state = SCHED_DEFERRED,
				      .until = w.now - SECOND});
	step(&w, (struct sched_event){.type = SCHED_EV_FLUSH});
	assert_int_equal(fresh->item.state, SCHED_INCOMING);
	assert_int_equal(due->item.state, SCHED_DEFERRED);
	assert_int_equal(sched_wake(w.s), w.now + 2 * SECOND);
	w.now += 2 * SECOND;
	step(&w, (struct sched_event){.type = SCHED_EV_TIMER});
	assert_int_not_equal(fresh->item.state, SCHED_INCOMING);
	assert_int_not_equal(due->item.state, SCHED_DEFERRED);
	run(&w, w.now + 10 * SECOND);
	letter_free(fresh);
	letter_free(due);
	world_free(&w);
}

static void test_feedback_parse(void **state)
{
	struct sched_feedback f;

	(void)state;
	assert_true(sched_feedback_parse(SL("1"), &f));
	assert_true(f.value == 1 && f.divisor == FEEDBACK_CONSTANT);
	assert_true(sched_feedback_parse(SL("0.5 / concurrency"), &f));
	assert_true(f.value == 0.5 && f.divisor == FEEDBACK_CONCURRENCY);
	assert_true(sched_feedback_parse(SL("1/sqrt_concurrency"), &f));
	assert_true(f.divisor == FEEDBACK_SQRT);
	assert_false(sched_feedback_parse(SL("2"), &f));
	assert_false(sched_feedback_parse(SL(""), &f));
	assert_false(sched_feedback_parse(SL("1/speed"), &f));
}

/* Reduced feedback: a destination that refuses one in four does not die. */
static enum fate one_in_four(unsigned domain, struct world *w)
{
	(void)domain;
	return dice(w, 4) == 0 ? DEAD : GOOD;
}

static void test_gentle_feedback(void **state)
{
	struct world w;
	struct letter *l[300];
	unsigned delivered = 0;

	(void)state;
	world_init(&w);
	w.fate = one_in_four;
	w.transport.positive = (struct sched_feedback){0.25, FEEDBACK_CONSTANT};
	w.transport.negative = (struct sched_feedback){0.25, FEEDBACK_CONSTANT};
	w.transport.failed_cohort_limit = 10;
	world_go(&w);
	for (unsigned i = 0; i < 300; i++) {
		l[i] = letter_new(1, 1, 4);
		arrive(&w, l[i]);
	}
	run(&w, w.now + 250 * SECOND);
	for (unsigned i = 0; i < 300; i++)
		delivered += l[i]->delivered;
	assert_true(delivered > 200);
	assert_int_equal(w.retried, 0);
	run(&w, INT64_MAX);
	for (unsigned i = 0; i < 300; i++)
		letter_free(l[i]);
	world_free(&w);
}

/* Anything at all, seeded; deliver() looks at the limits, land() at duplicates. */
static void chaos(unsigned seed)
{
	enum { LETTERS = 150 };
	struct world w;
	struct letter *l[LETTERS];
	struct sched_stats stats;

	world_init(&w);
	w.random = seed;
	w.fate = by_chance;
	w.conf.active_limit = 1 + (int)dice(&w, 40);
	w.conf.recipient_limit = 5 + (int)dice(&w, 500);
	w.transport.process_limit = 1 + (int)dice(&w, 30);
	w.transport.concurrency_limit = 1 + (int)dice(&w, 20);
	w.transport.recipient_limit = 1 + (int)dice(&w, 50);
	w.transport.failed_cohort_limit = (int)dice(&w, 4);
	w.transport.slot_cost = (int)dice(&w, 6);
	w.transport.negative.divisor = dice(&w, 3);
	w.transport.transport_rate_delay = dice(&w, 8) == 0 ? SECOND / 10 : 0;
	w.unreadable = seed % 2 ? 0 : 5;
	world_go(&w);
	for (unsigned i = 0; i < LETTERS; i++) {
		l[i] = letter_new(1 + dice(&w, i % 10 == 0 ? 900 : 4), 1 + dice(&w, 12),
				  dice(&w, 40));
		if (dice(&w, 10) == 0) {
			l[i]->transport = "slow";
			l[i]->domain_base = SLOW_DOMAIN;
			l[i]->domains = 1 + dice(&w, 8);
		}
		arrive(&w, l[i]);
		if (dice(&w, 3) == 0)
			run(&w, w.now + (int64_t)dice(&w, 3000) * 1000);
		struct letter *other = l[dice(&w, i + 1)];
		struct sched_event e = {.item = &other->item};

		if (other->item.state == SCHED_NONE || dice(&w, 4) != 0)
			continue;
		switch (dice(&w, 7)) {
		case 0:
			e.type = SCHED_EV_FLUSH;
			break;
		case 1:
			e.type = SCHED_EV_THROTTLE;
			e.transport = SL("smtp");
			e.reason = SL("4.3.0 no agent");
			break;
		case 2:
			e.type = SCHED_EV_FLUSH_ITEM;
			break;
		case 3:
			e.type = SCHED_EV_EXPIRE;
			break;
		default:
			e.type = SCHED_EV_CONTROL;
			e.fate = SCHED_FATE_DELETE + dice(&w, 4);
			break;
		}
		step(&w, e);
	}
	w.fate = all_good;
	w.unreadable = 0;
	for (unsigned i = 0; i < LETTERS; i++) {
		if (l[i]->item.state == SCHED_HELD)
			step(&w, (struct sched_event){.type = SCHED_EV_CONTROL,
						      .item = &l[i]->item,
						      .fate = SCHED_FATE_RELEASE});
	}
	run(&w, INT64_MAX);
	/* A message that was on its way to hold when we looked may have got there since. */
	for (unsigned i = 0; i < LETTERS; i++) {
		if (l[i]->item.state == SCHED_HELD)
			step(&w, (struct sched_event){.type = SCHED_EV_CONTROL,
						      .item = &l[i]->item,
						      .fate = SCHED_FATE_RELEASE});
	}
	run(&w, INT64_MAX);
	sched_get_stats(w.s, &stats);
	assert_int_equal(stats.active + stats.incoming + stats.deferred + stats.held, 0);
	assert_int_equal(stats.recipients, 0);
	assert_int_equal(stats.deliveries, 0);
	assert_int_equal(stats.destinations, 0);
	for (unsigned i = 0; i < LETTERS; i++) {
		assert_int_equal(l[i]->item.state, SCHED_NONE);
		if (l[i]->fate == SCHED_FATE_NORMAL && !l[i]->expired)
			assert_int_equal(l[i]->delivered, l[i]->recipients);
		letter_free(l[i]);
	}
	world_free(&w);
}

static void test_chaos(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 200; seed++)
		chaos(seed * 7919);
}

/* 20,000 messages for one destination must not cost a scan of all for each delivery. */
static void test_many_for_one(void **state)
{
	enum { MANY = 20000 };
	struct world w;
	struct letter **l = calloc(MANY, sizeof(*l));

	(void)state;
	assert_non_null(l);
	world_init(&w);
	world_go(&w);
	for (unsigned i = 0; i < MANY; i++) {
		l[i] = letter_new(1, 1, 1);
		arrive(&w, l[i]);
	}
	run(&w, INT64_MAX);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(l[i]->delivered, 1);
		letter_free(l[i]);
	}
	free(l);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one),
	    cmocka_unit_test(test_order_first_come),
	    cmocka_unit_test(test_fairness),
	    cmocka_unit_test(test_no_preemption),
	    cmocka_unit_test(test_dead_destination),
	    cmocka_unit_test(test_dead_destination_revives),
	    cmocka_unit_test(test_concurrency_grows),
	    cmocka_unit_test(test_process_limit),
	    cmocka_unit_test(test_rate_delay),
	    cmocka_unit_test(test_expiry_and_backoff),
	    cmocka_unit_test(test_jitter),
	    cmocka_unit_test(test_throttled_transport),
	    cmocka_unit_test(test_retry_itself_unavailable),
	    cmocka_unit_test(test_defer_transports),
	    cmocka_unit_test(test_flush_while_under_way),
	    cmocka_unit_test(test_active_limit),
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_control_active),
	    cmocka_unit_test(test_late_outcomes),
	    cmocka_unit_test(test_begin),
	    cmocka_unit_test(test_feedback_parse),
	    cmocka_unit_test(test_gentle_feedback),
	    cmocka_unit_test(test_chaos),
	    cmocka_unit_test(test_many_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
