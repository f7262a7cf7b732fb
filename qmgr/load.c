/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/events.h"
#include "os/file.h"

#include <stdlib.h>

#define RESOLVE_SLICE 64 /* recipients between two chances for others to run */

struct load {
	struct list link; /* in q->loads */
	struct fiber *fiber;
	struct qmgr *q;
	struct message *message;
	uint32_t first;
	size_t limit;
};

/* For the worker thread. */
struct opening {
	struct queue *queue;
	struct queue_location location;
	struct loaded *loaded;
	enum result result;
	struct queue_error error;
};

static void open_on_thread(void *arg)
{
	struct opening *o = arg;

	o->result = queue_open_message(o->queue, &o->location, false, o->loaded->arena, &o->loaded->m,
				       &o->error);
}

void queue_problem(const struct queue_id *id, const char *what, const struct queue_error *error)
{
	if (error->errnum != 0)
		log_warning_text("%s: %s: %s: %s: %s", id->text, what, queue_reason_text(error->reason),
				 error->what ? error->what : "system", strerror(error->errnum));
	else
		log_warning_text("%s: %s: %s", id->text, what, queue_reason_text(error->reason));
}

void loaded_free(struct qmgr *q, struct message *m)
{
	struct loaded *loaded = m->loaded;

	if (loaded == NULL)
		return;
	m->loaded = NULL;
	content_close(q, loaded);
	arena_destroy(&loaded->arena);
	free(loaded);
}

enum result loaded_open(struct qmgr *q, struct message *m, struct queue_error *error)
{
	struct opening o = {.queue = q->queue, .loaded = calloc(1, sizeof(*o.loaded))};

	if (o.loaded == NULL)
		out_of_memory();
	o.loaded->arena = arena_create();
	message_location(m, &o.location);
	if (queue_open_cached(q->queue, &o.location, o.loaded->arena, &o.loaded->m))
		o.result = RES_OK;
	else
		fiber_offload(open_on_thread, &o, "read message");
	if (o.result == RES_OK) {
		o.loaded->active_since = os_wall();
		m->loaded = o.loaded;
		q->grown = true;
		content_loaded(q, o.loaded);
		return RES_OK;
	}
	*error = o.error;
	if (o.result != RES_PERM || o.error.reason != QUEUE_GONE)
		queue_problem(&o.location.id, "cannot read message", &o.error);
	arena_destroy(&o.loaded->arena);
	free(o.loaded);
	return o.result;
}

/* message_open - false when it cannot be had; the event says so and the message may be gone. */
static bool message_open(struct load *load)
{
	struct qmgr *q = load->q;
	struct message *m = load->message;
	struct queue_error error;
	enum result rc = loaded_open(q, m, &error);

	if (rc == RES_OK)
		return true;
	event_take(q, &(struct sched_event){.type = rc == RES_PERM ? SCHED_EV_GONE : SCHED_EV_UNLOADABLE,
					    .item = &m->item});
	if (m->item.state == SCHED_NONE)
		index_remove(q->index, m);
	return false;
}

/* message_note - what the scheduler and the log have to know of a message just opened. */
static void message_note(struct message *m)
{
	const struct queue_envelope *env = m->loaded->m.envelope;
	size_t count = 0;

	m->item.arrival = os_now() - (os_wall() - env->arrival);
	m->item.null_sender = env->sender.n == 0;
	m->item.warned = env->warned != 0 || (env->flags & QUEUE_NO_DELAY_WARNING);
	m->item.expire = m->item.expire || (env->flags & QUEUE_EXPIRED);
	for (size_t i = 0; i < env->recipient_count; i++)
		count += recipient_undone(&env->recipients[i]);
	if (count > 0)
		LOG(queue_active, .queue_id = queue_id_slice(&env->id), .from = env->sender,
		    .size = env->data_size ? env->data_size : env->content_size, .nrcpt = count);
}

/* ---- where a recipient goes */

/*
 * destination_key - what concurrency is counted by. With single-recipient deliveries (local) it is the
 * mailbox, so that one user's slow delivery does not hold up the others of the host.
 */
static struct slice destination_key(const struct qmgr *q, const struct route_target *t,
				    struct arena *arena)
{
	ssize_t at = slice_rfind(t->recipient, '@');
	struct slice user = at < 0 ? t->recipient : slice_sub(t->recipient, 0, (size_t)at);
	struct slice delimiters = q->settings->recipient_delimiter;

	if (slice_eq(t->transport, SL("error")) || slice_eq(t->transport, SL("retry")) ||
	    settings_transport_int(q->settings, t->transport, "destination_recipient_limit") != 1)
		return arena_lower(arena, t->nexthop);
	for (size_t i = 1; i < user.n; i++) {
		if (slice_find(delimiters, user.p[i]) >= 0) {
			user = slice_sub(user, 0, i);
			break;
		}
	}
	return arena_lower(arena, arena_printf(arena, "%.*s@%.*s", SL_ARG(user),
					       SL_ARG(t->nexthop)));
}

/* apply_filter - content_filter, or a FILTER action, overrules transport and next hop. */
static void apply_filter(const struct queue_envelope *env, struct route_target *t)
{
	struct slice transport, nexthop;

	if (env->content_filter.n == 0)
		return;
	route_split_transport(env->content_filter, &transport, &nexthop);
	if (transport.n > 0)
		t->transport = transport;
	t->nexthop = nexthop.n > 0 ? nexthop : t->domain;
}

static void resolve(struct qmgr *q, const struct queue_envelope *env, uint32_t index,
		    struct arena *arena, struct sched_recipient *out)
{
	struct route_target t = {0};
	struct slice reason = SL_NULL;

	*out = (struct sched_recipient){.index = index, .address = env->recipients[index].address};
	if (route_resolve(q->route, env->sender, out->address, arena, &t, &reason) == RES_OK) {
		if (!(t.flags & ROUTE_INVALID))
			apply_filter(env, &t);
		out->transport = t.transport;
		out->nexthop = t.nexthop;
		out->destination = destination_key(q, &t, arena);
		return;
	}
	/* we end, and nothing is done with the answer any more */
	if (!fiber_cancelled())
		log_warning_text("%s: address resolver failure for <%.*s>: %.*s", env->id.text,
				 SL_ARG(out->address), SL_ARG(reason));
	out->transport = SL("retry");
	out->nexthop = SL("4.3.0 address resolver failure");
	out->destination = out->nexthop;
}

/*
 * discard_double_bounce - what cannot be delivered to the postmaster either ends here. Only mail to the
 * double-bounce address of this host is meant: a remote one is somebody else's.
 */
static bool is_double_bounce(const struct qmgr *q, struct slice address)
{
	ssize_t at = slice_rfind(address, '@');

	return at >= 0 && slice_caseeq(slice_sub(address, 0, (size_t)at), q->double_bounce) &&
	       slice_caseeq(slice_from(address, (size_t)at + 1), q->settings->myorigin);
}

/* is_repeated - the same recipient, in everything that the sender can tell apart, came before. */
static bool is_repeated(struct map *seen, const struct queue_recipient *r, struct arena *arena)
{
	struct slice key = arena_printf(arena, "%.*s\n%.*s\n%.*s", SL_ARG(r->address),
					SL_ARG(r->original), SL_ARG(r->orcpt));

	return seen && map_put(seen, key, seen) != NULL;
}

/* is_to_be_tried - not done, and no agent is busy with it. */
static bool is_to_be_tried(struct load *load, uint32_t index)
{
	const struct queue_recipient *r = &load->message->loaded->m.envelope->recipients[index];

	if (!recipient_undone(r))
		return false;
	if (!recipient_away(load->q, load->message, index))
		return true;
	if (!recipient_marked_away(r))
		recipient_mark_away(load->q, load->message, index);
	return false;
}

/* gather - the undone recipients from `first` on, at most `limit`; the index to go on from. */
static uint32_t gather(struct load *load, struct map *seen, struct arena *arena,
		       struct sched_recipient *out, size_t *count)
{
	struct queue_envelope *env = load->message->loaded->m.envelope;
	uint32_t i;

	*count = 0;
	for (i = load->first; i < env->recipient_count && *count < load->limit; i++) {
		const struct queue_recipient *r = &env->recipients[i];
		struct queue_mark done = {.outcome = QUEUE_REPORTED, .time = os_wall()};

		if (!is_to_be_tried(load, i))
			continue;
		if (is_double_bounce(load->q, r->address)) {
			LOG(notification_discarded, .queue_id = queue_id_slice(&env->id));
			recipient_mark(load->q, load->message, i, &done);
		} else if (is_repeated(seen, r, arena)) {
			recipient_mark(load->q, load->message, i, &done);
		} else {
			resolve(load->q, env, i, arena, &out[(*count)++]);
			if (*count % RESOLVE_SLICE == 0)
				fiber_yield();
		}
	}
	return i;
}

/*
 * keep_undone - a table may have been asked where recipients go, and agents may have told of them, or claimed
 * them, meanwhile: those are left out. How many stay.
 */
static size_t keep_undone(struct load *load, struct sched_recipient *out, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (is_to_be_tried(load, out[i].index))
			out[kept++] = out[i];
	return kept;
}

/* hold_wanted - cleanup asked for it (HOLD action); after a release it lies elsewhere. */
static bool hold_wanted(const struct message *m)
{
	return (m->loaded->m.envelope->flags & QUEUE_HOLD) &&
	       (m->place == QUEUE_IN_JOURNAL || m->place == QUEUE_IN_LARGE);
}

static void message_give(struct load *load)
{
	struct message *m = load->message;
	size_t total = m->loaded->m.envelope->recipient_count;
	struct arena *arena = arena_create();
	struct map *seen = total > 1 ? map_create() : NULL;
	size_t room = load->limit < total ? load->limit : total;
	struct sched_recipient *out = ARENA_ARRAY(arena, room + 1, struct sched_recipient);
	struct sched_event e = {.type = SCHED_EV_LOADED, .item = &m->item, .recipients = out};

	if (hold_wanted(m))
		event_take(load->q, &(struct sched_event){.type = SCHED_EV_CONTROL,
							  .item = &m->item,
							  .fate = SCHED_FATE_HOLD});
	else
		e.next = gather(load, seen, arena, out, &e.count);
	e.count = keep_undone(load, out, e.count);
	e.more = !hold_wanted(m) && e.next < total;
	event_take(load->q, &e);
	if (seen)
		map_destroy(&seen);
	arena_destroy(&arena);
}

static void load_fiber(void *arg)
{
	struct load *load = arg;
	struct qmgr *q = load->q;

	if (load->message->loaded == NULL) {
		if (!message_open(load))
			goto out;
		message_note(load->message);
	}
	message_give(load);
out:
	list_remove(&load->link);
	free(load);
	work_end(q);
}

void load_start(struct qmgr *q, const struct sched_action *action)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load == NULL)
		out_of_memory();
	load->q = q;
	load->message = (struct message *)action->item;
	load->first = action->first;
	load->limit = action->limit;
	work_begin(q);
	list_push_back(&q->loads, &load->link);
	load->fiber = fiber_spawn("load", load_fiber, load);
	if (load->fiber == NULL)
		out_of_memory();
}

void loads_cancel(struct qmgr *q)
{
	LIST_FOREACH(node, &q->loads)
		fiber_cancel(CONTAINER_OF(node, struct load, link)->fiber);
}
