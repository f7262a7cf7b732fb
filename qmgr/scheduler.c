/* SPDX-License-Identifier: ISC */
#include "qmgr/scheduler_state.h"

#include "base/check.h"

#include <stdlib.h>

#define MAX_LOADS 32 /* that the daemon is asked for at once */

/* What a message to one recipient takes; a nexthop beyond 63 bytes takes more. */
#define ORDINARY_ROOM                                                                          \
	(arena_room(sizeof(struct sched_message)) + arena_room(sizeof(struct sched_job)) +     \
	 arena_room(sizeof(struct sched_peer)) + arena_room(sizeof(struct sched_batch)) +      \
	 arena_room(sizeof(uint32_t)) + 64)

void *sched_alloc(size_t n)
{
	void *p = calloc(1, n);

	if (p == NULL)
		out_of_memory();
	return p;
}

char *sched_strdup(struct slice s)
{
	char *copy = sched_alloc(s.n + 1);

	if (s.n > 0)
		memcpy(copy, s.p, s.n);
	return copy;
}

struct sched *sched_create(const struct sched_conf *conf, uint64_t seed)
{
	struct sched *s = sched_alloc(sizeof(*s));

	s->conf = *conf;
	s->random = seed * UINT64_C(2862933555777941757) + UINT64_C(3037000493);
	heap_init(&s->incoming);
	heap_init(&s->deferred);
	heap_init(&s->destination_timers);
	heap_init(&s->transport_timers);
	list_init(&s->dirty);
	s->transports = map_create();
	return s;
}

static void message_free(struct sched *s, struct sched_message *m)
{
	struct arena *arena = m->arena; /* which m lies in */

	sched_jobs_free(s, m);
	m->item->active = NULL;
	arena_destroy(&arena);
}

void sched_destroy(struct sched **sp)
{
	struct sched *s = *sp;
	struct slice key;
	size_t cursor = 0;
	void *t;

	if (s == NULL)
		return;
	while (map_next(s->transports, &cursor, &key, &t))
		sched_transport_free(t);
	map_destroy(&s->transports);
	heap_free(&s->incoming);
	heap_free(&s->deferred);
	heap_free(&s->destination_timers);
	heap_free(&s->transport_timers);
	free(s->actions);
	free(s);
	*sp = NULL;
}

struct sched_action *sched_act(struct sched *s, enum sched_action_type type)
{
	struct sched_action *a;

	if (s->action_count == s->action_size) {
		size_t size = s->action_size ? s->action_size * 2 : 64;
		struct sched_action *bigger = reallocarray(s->actions, size, sizeof(*bigger));

		if (bigger == NULL)
			out_of_memory();
		s->actions = bigger;
		s->action_size = size;
	}
	a = &s->actions[s->action_count++];
	memset(a, 0, sizeof(*a));
	a->type = type;
	return a;
}

/* ---- when to try again */

/* chance - a number below n. */
static int64_t chance(struct sched *s, int64_t n)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return n > 0 ? (int64_t)((s->random >> 11) % (uint64_t)n) : 0;
}

int64_t sched_backoff(const struct sched_conf *conf, int64_t age)
{
	if (age > conf->maximal_backoff)
		age = conf->maximal_backoff;
	return age < conf->minimal_backoff ? conf->minimal_backoff : age;
}

/*
 * next_try - as long as the message is old, so that the waiting doubles, within the limits; an eighth
 * more or less (within the limits), so that what was deferred together does not come together again.
 */
static int64_t next_try(struct sched *s, const struct sched_item *item)
{
	int64_t wait = sched_backoff(&s->conf, s->now - item->arrival);

	if (wait + wait / 8 <= s->conf.maximal_backoff)
		wait += chance(s, wait / 8 + 1);
	else
		wait -= chance(s, (wait - s->conf.minimal_backoff) / 8 + 1);
	return s->now + wait;
}

/* ---- states of an item */

static void enter_line(struct sched *s, struct sched_item *item)
{
	item->state = SCHED_INCOMING;
	item->node.key = ++s->turns;
	heap_insert(&s->incoming, &item->node);
}

static void enter_deferred(struct sched *s, struct sched_item *item, int64_t until)
{
	item->state = SCHED_DEFERRED;
	item->node.key = until;
	heap_insert(&s->deferred, &item->node);
}

static void enter_held(struct sched *s, struct sched_item *item)
{
	item->state = SCHED_HELD;
	s->held++;
}

/* leave - out of whatever line an item that is not loaded stands in. */
static void leave(struct sched *s, struct sched_item *item)
{
	if (item->state == SCHED_INCOMING)
		heap_remove(&s->incoming, &item->node);
	else if (item->state == SCHED_DEFERRED)
		heap_remove(&s->deferred, &item->node);
	else if (item->state == SCHED_HELD)
		s->held--;
	item->state = SCHED_NONE;
}

static void settle(struct sched *s, struct sched_item *item, size_t deferred)
{
	struct sched_action *a = sched_act(s, SCHED_SETTLE);
	int64_t age = s->now - item->arrival;

	item->state = SCHED_SETTLING;
	a->item = item;
	a->fate = item->doom;
	a->deferred = deferred;
	item->doom = SCHED_FATE_NORMAL;
	item->flushed = false;
	if (deferred == 0)
		return;
	a->expired = item->expire ||
		     age >= (item->null_sender ? s->conf.bounce_lifetime : s->conf.lifetime);
	a->warn = !a->expired && !item->null_sender && !item->warned && s->conf.delay_warning > 0 &&
		  age >= s->conf.delay_warning;
	a->until = next_try(s, item);
}

/* ---- loading */

static void ask_load(struct sched *s, struct sched_message *m)
{
	struct sched_action *a = sched_act(s, SCHED_LOAD);
	size_t limit = (size_t)s->conf.recipient_limit;

	m->loading = true;
	s->loads++;
	a->item = m->item;
	a->first = m->next;
	/* What is free is shared among the loads under way. */
	a->limit = limit > s->recipients ? (limit - s->recipients + 3) / 4 : 0;
	if (a->limit < (size_t)s->conf.recipient_minimum)
		a->limit = (size_t)s->conf.recipient_minimum;
	if (a->limit < 1)
		a->limit = 1;
}

static void begin_message(struct sched *s, struct sched_item *item)
{
	struct arena *arena = arena_create();
	struct sched_message *m;

	arena_reserve(arena, ORDINARY_ROOM);
	m = ARENA_NEW(arena, struct sched_message);
	leave(s, item);
	item->state = SCHED_LOADING;
	item->flushes = s->flushes;
	item->active = m;
	m->item = item;
	m->arena = arena;
	list_init(&m->jobs);
	s->active++;
	ask_load(s, m);
}

/* next_item - new mail and mail whose time has come take turns. */
static struct sched_item *next_item(struct sched *s)
{
	struct heap_node *fresh = heap_first(&s->incoming);
	struct heap_node *due = heap_first(&s->deferred);
	struct heap_node *node;

	if (due && due->key > s->now)
		due = NULL;
	s->incoming_next = !s->incoming_next;
	node = s->incoming_next ? fresh : due;
	if (node == NULL)
		node = fresh ? fresh : due;
	return node ? CONTAINER_OF(node, struct sched_item, node) : NULL;
}

static bool may_load(const struct sched *s)
{
	return !s->draining && s->now >= s->conf.begin &&
	       s->active < (size_t)s->conf.active_limit && s->loads < MAX_LOADS;
}

static void load_more(struct sched *s)
{
	struct sched_item *item;

	while (may_load(s) && (item = next_item(s)) != NULL)
		begin_message(s, item);
}

/* ---- a loaded message */

/* message_check - has it come to its end, or has it room for more recipients? */
static void message_check(struct sched *s, struct sched_message *m)
{
	struct sched_item *item = m->item;
	size_t deferred = m->deferred;

	if (item->doom)
		sched_jobs_free(s, m);
	if (m->loading || (item->doom && m->under_way > 0))
		return;
	if (item->doom || (m->in_core == 0 && !m->more)) {
		message_free(s, m);
		settle(s, item, deferred);
		return;
	}
	if (m->more && m->in_core <= m->chunk / 2)
		ask_load(s, m);
}

static void on_loaded(struct sched *s, const struct sched_event *e)
{
	struct sched_message *m = e->item->active;

	CHECK(m != NULL && m->loading);
	m->loading = false;
	s->loads--;
	e->item->state = SCHED_ACTIVE;
	m->more = e->more;
	m->chunk = e->count;
	m->in_core += e->count;
	s->recipients += e->count;
	m->next = e->next;
	sched_job_add(s, m, e->recipients, e->count);
	message_check(s, m);
}

/* on_unloadable - a load that failed: what was loaded before it may still be under way. */
static void on_unloadable(struct sched *s, struct sched_item *item, bool gone)
{
	struct sched_message *m = item->active;

	CHECK(m != NULL && m->loading);
	m->loading = false;
	m->more = false;
	s->loads--;
	if (m->in_core > 0 || m->deferred > 0 || item->doom) {
		m->deferred += !gone || m->in_core == 0;
		message_check(s, m);
		return;
	}
	message_free(s, m);
	s->active--;
	if (gone)
		item->state = SCHED_NONE;
	else
		enter_deferred(s, item, next_try(s, item));
}

static void on_delivered(struct sched *s, const struct sched_event *e)
{
	struct sched_batch *b = (struct sched_batch *)e->delivery;
	struct sched_destination *d = b->peer->dest;
	struct sched_message *m = b->peer->job->message;

	CHECK(m->under_way > 0 && m->in_core >= b->pub.count && e->deferred <= b->pub.count);
	m->under_way--;
	m->in_core -= b->pub.count;
	m->deferred += e->deferred;
	s->recipients -= b->pub.count;
	if (!b->suspended) {
		sched_batch_done(s, b);
		sched_destination_feedback(d, e->dead, e->reason);
		sched_destination_wake(d);
		sched_destination_release(d);
	}
	message_check(s, m);
}

static void on_settled(struct sched *s, const struct sched_event *e)
{
	struct sched_item *item = e->item;

	CHECK(item->state == SCHED_SETTLING);
	if (item->doom && e->state != SCHED_NONE) {
		settle(s, item, 0);
		return;
	}
	item->doom = SCHED_FATE_NORMAL;
	item->state = SCHED_NONE;
	s->active--;
	/* Who flushed the queue while it was under way meant it too. */
	item->flushed = item->flushed || item->flushes != s->flushes;
	if (e->state == SCHED_DEFERRED)
		enter_deferred(s, item, item->flushed ? s->now : e->until);
	else if (e->state == SCHED_HELD)
		enter_held(s, item);
	else if (e->state == SCHED_INCOMING)
		enter_line(s, item);
}

static void on_add(struct sched *s, const struct sched_event *e)
{
	CHECK(e->item->state == SCHED_NONE);
	if (e->state == SCHED_DEFERRED)
		enter_deferred(s, e->item, e->until);
	else if (e->state == SCHED_HELD)
		enter_held(s, e->item);
	else
		enter_line(s, e->item);
}

static void on_control(struct sched *s, const struct sched_event *e)
{
	struct sched_item *item = e->item;

	if (e->fate == SCHED_FATE_RELEASE && item->state != SCHED_HELD)
		return;
	item->doom = (uint8_t)e->fate;
	if (item->active) {
		message_check(s, item->active);
	} else if (item->state != SCHED_SETTLING) {
		bool flushed = item->flushed;

		leave(s, item);
		s->active++;
		item->flushes = s->flushes;
		settle(s, item, e->fate == SCHED_FATE_LATE);
		item->flushed = flushed && e->fate == SCHED_FATE_LATE;
	}
}

static void flush_item(struct sched *s, struct sched_item *item)
{
	item->flushed = true;
	if (item->state == SCHED_DEFERRED) {
		leave(s, item);
		enter_deferred(s, item, s->now);
	}
}

/* flush_all - every deferred message is due; equal keys are a heap in any order. */
static void flush_all(struct sched *s)
{
	s->flushes++;
	for (size_t i = 0; i < s->deferred.count; i++) {
		s->deferred.nodes[i]->key = s->now;
		CONTAINER_OF(s->deferred.nodes[i], struct sched_item, node)->flushed = true;
	}
	for (size_t i = 0; i < s->incoming.count; i++)
		CONTAINER_OF(s->incoming.nodes[i], struct sched_item, node)->flushed = true;
	sched_flush_marks(s);
}

static void take_event(struct sched *s, const struct sched_event *e)
{
	switch (e->type) {
	case SCHED_EV_ADD:
		on_add(s, e);
		break;
	case SCHED_EV_LOADED:
		on_loaded(s, e);
		break;
	case SCHED_EV_UNLOADABLE:
	case SCHED_EV_GONE:
		on_unloadable(s, e->item, e->type == SCHED_EV_GONE);
		break;
	case SCHED_EV_DELIVERED:
		on_delivered(s, e);
		break;
	case SCHED_EV_THROTTLE:
		sched_transport_throttle(sched_transport_get(s, e->transport), e->reason);
		break;
	case SCHED_EV_SETTLED:
		on_settled(s, e);
		break;
	case SCHED_EV_TIMER:
		break;
	case SCHED_EV_FLUSH:
		flush_all(s);
		break;
	case SCHED_EV_EXPIRE:
		e->item->expire = true;
		flush_item(s, e->item);
		break;
	case SCHED_EV_FLUSH_ITEM:
		flush_item(s, e->item);
		break;
	case SCHED_EV_CONTROL:
		on_control(s, e);
		break;
	case SCHED_EV_DRAIN:
		s->draining = true;
		break;
	}
}

const struct sched_action *sched_step(struct sched *s, int64_t now, const struct sched_event *event,
				      size_t *count)
{
	CHECK(now >= s->now);
	s->now = now;
	s->action_count = 0;
	sched_timers_run(s);
	take_event(s, event);
	load_more(s);
	sched_jobs_run(s);
	*count = s->action_count;
	return s->actions;
}

int64_t sched_wake(const struct sched *s)
{
	const struct heap *heaps[] = {&s->destination_timers, &s->transport_timers, &s->deferred};
	size_t n = may_load(s) ? 3 : 2;
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		const struct heap_node *node = heap_first(heaps[i]);

		if (node && node->key < at)
			at = node->key;
	}
	if (!s->draining && s->now < s->conf.begin && s->conf.begin < at)
		at = s->conf.begin;
	return at;
}

void sched_get_stats(const struct sched *s, struct sched_stats *stats)
{
	struct slice key;
	size_t cursor = 0;
	void *t;

	*stats = (struct sched_stats){
	    .incoming = s->incoming.count,
	    .deferred = s->deferred.count,
	    .held = s->held,
	    .active = s->active,
	    .recipients = s->recipients,
	    .deliveries = s->deliveries,
	    .transports = map_count(s->transports),
	};
	while (map_next(s->transports, &cursor, &key, &t)) {
		const struct map *all = ((struct sched_transport *)t)->destinations;
		size_t inner = 0;
		void *d;

		stats->destinations += map_count(all);
		while (map_next(all, &inner, &key, &d))
			stats->dead += ((struct sched_destination *)d)->window == 0;
	}
}

void sched_foreach_destination(const struct sched *s,
			       void (*fn)(void *arg, const struct sched_destination_info *info),
			       void *arg)
{
	struct slice key;
	size_t cursor = 0;
	void *t;

	while (map_next(s->transports, &cursor, &key, &t)) {
		size_t inner = 0;
		void *value;

		while (map_next(((struct sched_transport *)t)->destinations, &inner, &key, &value)) {
			const struct sched_destination *d = value;
			struct sched_destination_info info = {
			    d->transport->name, d->name, d->window, d->busy, d->peak, d->todo};

			fn(arg, &info);
		}
	}
}

/* ---- settings */

static bool parse_divisor(struct slice text, enum feedback_divisor *out)
{
	if (slice_eq(text, SL("concurrency")))
		*out = FEEDBACK_CONCURRENCY;
	else if (slice_eq(text, SL("sqrt_concurrency")))
		*out = FEEDBACK_SQRT;
	else
		return false;
	return true;
}

bool sched_feedback_parse(struct slice text, struct sched_feedback *out)
{
	char number[32];
	ssize_t slash = slice_find(text, '/');
	struct slice first = slice_trim(slash < 0 ? text : slice_sub(text, 0, (size_t)slash));
	char *end;

	out->divisor = FEEDBACK_CONSTANT;
	if (slash >= 0 &&
	    !parse_divisor(slice_trim(slice_from(text, (size_t)slash + 1)), &out->divisor))
		return false;
	if (first.n == 0 || first.n >= sizeof(number))
		return false;
	memcpy(number, first.p, first.n);
	number[first.n] = '\0';
	out->value = strtod(number, &end);
	return *end == '\0' && out->value >= 0 && out->value <= 1;
}
