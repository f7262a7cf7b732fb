/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "daemon/privileges.h"
#include "daemon/sandbox.h"
#include "log/events.h"
#include "os/file.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define WORKERS 6
#define DEFERRERS 2
#define SYNC_INTERVAL OS_SECOND
#define GATHER_TIME (2 * OS_MILLISECOND) /* between two writes of done marks, under load */
#define GRACE (3 * OS_SECOND)           /* for deliveries under way when a successor waits */
#define ENDING_GRACE (9 * OS_SECOND)    /* when none does: master insists after 5 s, and ends us after 10 */
#define BEGIN_PAUSE (200 * OS_MILLISECOND) /* claims of agents first: their last qmgr may have been killed */
#define CLAIM_GRACE (3 * OS_SECOND)     /* from the start on, for claims of what is marked as away */
#define DRAIN_PATIENCE (5 * OS_SECOND)  /* for what does not wait for agents */
#define AGENT_DELIVERIES 2000           /* at once, to an agent that serves any number */
#define RECIPIENTS_MAX 1000             /* in one delivery: bound of delivery.ipc */
#define HOUSEKEEPING (10 * OS_SECOND)

/* ---- settings */

static struct sched_feedback feedback(const struct settings *settings, struct slice transport,
				      const char *what)
{
	struct arena *arena = arena_create();
	struct sched_feedback f = {1, FEEDBACK_CONSTANT};
	struct slice value;
	struct slice name = arena_printf(arena, "%.*s_destination_concurrency_%s_feedback",
					 SL_ARG(transport), what);

	if (settings_get(settings, name, arena, &value) && !sched_feedback_parse(value, &f)) {
		log_warning_text("bad value of %.*s: \"%.*s\": a number from 0 to 1, alone or "
				 "divided by concurrency or sqrt_concurrency, is allowed; using 1",
				 SL_ARG(name), SL_ARG(value));
		f = (struct sched_feedback){1, FEEDBACK_CONSTANT};
	}
	arena_destroy(&arena);
	return f;
}

/*
 * process_limit - deliveries at once. master.cf's number means that; `-` is default_process_limit for
 * agents that serve one at a time, and as many as the machine bears for the others.
 */
static int process_limit(const struct qmgr *q, struct slice transport)
{
	const struct master_service *s = master_cf_find(&q->services, transport, SERVICE_UNIX);
	size_t share = descriptors_share(8); /* each has a connection, and there are other transports */
	int most = share < AGENT_DELIVERIES ? (int)share : AGENT_DELIVERIES;
	const struct privileges *p;

	if (s == NULL)
		return q->settings->default_process_limit;
	if (!s->process_limit_default)
		return s->process_limit > 0 ? s->process_limit : most;
	p = privileges_find(s->command);
	return p && p->kind == KIND_FIBERS ? most : s->process_limit;
}

static void transport_settings(void *arg, struct slice name, struct sched_transport_conf *out)
{
	const struct qmgr *q = arg;
	const struct settings *st = q->settings;
	int rcpt = settings_transport_int(st, name, "destination_recipient_limit");

	*out = (struct sched_transport_conf){
	    .process_limit = process_limit(q, name),
	    .initial_concurrency =
		settings_transport_int(st, name, "initial_destination_concurrency"),
	    .concurrency_limit =
		settings_transport_int(st, name, "destination_concurrency_limit"),
	    .failed_cohort_limit = settings_transport_int(
		st, name, "destination_concurrency_failed_cohort_limit"),
	    .positive = feedback(st, name, "positive"),
	    .negative = feedback(st, name, "negative"),
	    .recipient_limit = rcpt <= 0 || rcpt > RECIPIENTS_MAX ? RECIPIENTS_MAX : rcpt,
	    .slot_cost = settings_transport_int(st, name, "delivery_slot_cost"),
	    .slot_loan = settings_transport_int(st, name, "delivery_slot_loan"),
	    .slot_discount = settings_transport_int(st, name, "delivery_slot_discount"),
	    .minimum_slots = settings_transport_int(st, name, "minimum_delivery_slots"),
	    .destination_rate_delay =
		settings_transport_time(st, name, "destination_rate_delay"),
	    .transport_rate_delay = settings_transport_time(st, name, "transport_rate_delay"),
	    .defer = settings_list_has(st->defer_transports, name),
	};
}

/* active_limit - of messages far beyond those that descriptors allow to be delivered at once, none need be loaded. */
static int active_limit(const struct settings *st)
{
	size_t most = descriptors_share(2);

	return (size_t)st->qmgr_message_active_limit < most ? st->qmgr_message_active_limit : (int)most;
}

static void scheduler_make(struct qmgr *q)
{
	const struct settings *st = q->settings;
	struct sched_conf conf = {.minimal_backoff = st->minimal_backoff_time,
				  .maximal_backoff = st->maximal_backoff_time,
				  .lifetime = st->maximal_queue_lifetime,
				  .bounce_lifetime = st->bounce_queue_lifetime,
				  .delay_warning = st->delay_warning_time,
				  .transport_retry = st->transport_retry_time,
				  /* in an empty queue there is nothing that could be claimed */
				  .begin = q->found_count > 0 ? os_deadline(BEGIN_PAUSE) : 0,
				  .active_limit = active_limit(st),
				  .recipient_limit = st->qmgr_message_recipient_limit,
				  .recipient_minimum = st->qmgr_message_recipient_minimum,
				  .transport = transport_settings,
				  .arg = q};
	uint64_t seed;

	if (conf.bounce_lifetime > conf.lifetime)
		conf.bounce_lifetime = conf.lifetime;
	os_random(&seed, sizeof(seed));
	q->sched = sched_create(&conf, seed);
}

static void services_load(struct qmgr *q)
{
	struct daemon_context *context = q->context;
	struct config_problems problems;

	config_problems_init(&problems, context->arena);
	if (master_cf_load(context->config_dir, q->settings, context->arena, &problems,
			   &q->services) != RES_OK)
		log_warning_text("master.cf: cannot be used; default_process_limit stands for all "
				 "transports");
}

/* find_smtp_account - the one delivery agent that is neither root nor the mail owner. */
static void find_smtp_account(struct qmgr *q)
{
	const struct privileges *row = privileges_find(SL("smtp"));
	struct sandbox_accounts accounts;
	struct slice missing;

	q->smtp_uid = q->context->owner_uid;
	if (row && sandbox_accounts(row, q->settings, &accounts, &missing) == RES_OK)
		q->smtp_uid = accounts.uid;
}

static enum result qmgr_open(struct daemon_context *context)
{
	struct qmgr *q = ARENA_NEW(context->arena, struct qmgr);

	/* what worker threads read into memory, this thread frees: in a heap each, little of it could be given back */
	mallopt(M_ARENA_MAX, 1);
	context->state = q;
	q->context = context;
	q->settings = context->settings;
	q->double_bounce = q->settings->double_bounce_sender;
	q->notify_2bounce = settings_list_has(q->settings->notify_classes, SL("2bounce"));
	services_load(q);
	find_smtp_account(q);
	q->tables = daemon_tables(q->settings, false);
	q->route = route_create(q->settings, q->tables);
	table_set_seal(q->tables);
	return RES_OK;
}

/* ---- what worker threads report */

static void on_message(void *context, const struct queue_entry *entry)
{
	struct qmgr *q = context;

	pthread_mutex_lock(&q->found_lock);
	if (q->found_count == q->found_size) {
		size_t size = q->found_size ? q->found_size * 2 : 256;
		struct queue_entry *bigger = reallocarray(q->found, size, sizeof(*bigger));

		if (bigger == NULL)
			out_of_memory();
		q->found = bigger;
		q->found_size = size;
	}
	q->found[q->found_count++] = *entry;
	pthread_mutex_unlock(&q->found_lock);
}

/* The log belongs to the main thread: event_found tells it. */
static void on_damaged(void *context, struct slice name, uint64_t bytes, const char *why)
{
	struct qmgr *q = context;
	struct damage *d = calloc(1, sizeof(*d));

	if (d == NULL)
		out_of_memory();
	snprintf(d->name, sizeof(d->name), "%.*s", SL_ARG(name));
	d->bytes = bytes;
	d->why = why;
	pthread_mutex_lock(&q->found_lock);
	list_push_back(&q->damages, &d->link);
	pthread_mutex_unlock(&q->found_lock);
}

struct opening {
	struct qmgr *q;
	enum result result;
	struct queue_error error;
};

static void open_on_thread(void *arg)
{
	struct opening *o = arg;
	struct queue_watcher watcher = {
	    .context = o->q, .message = on_message, .damaged = on_damaged};

	o->result = queue_make_directories(o->q->context->queue_fd, &o->error);
	if (o->result == RES_OK)
		o->result = queue_open(o->q->context->queue_fd, NULL, &watcher, &o->q->queue,
				       &o->error);
}

/* ---- fibers that go on for ever */

static void flush_on_thread(void *arg)
{
	queue_flush(((struct qmgr *)arg)->queue, NULL);
}

static void sync_on_thread(void *arg)
{
	struct opening *o = arg;

	o->result = queue_sync(o->q->queue, &o->error);
}

static void sync_now(struct qmgr *q)
{
	struct opening o = {.q = q};

	fiber_offload(sync_on_thread, &o, "sync done marks");
	if (o.result != RES_OK)
		log_warning_text("queue: cannot sync done marks: %s",
				 queue_reason_text(o.error.reason));
}

/* syncer - marks go to the files within milliseconds, many at once, and are synced each second. */
static void syncer(void *arg)
{
	struct qmgr *q = arg;
	int64_t last = os_now();
	int64_t gathered = 0;

	while (!fiber_cancelled()) {
		bool dirty = queue_dirty(q->queue);

		if (dirty && os_now() - last >= SYNC_INTERVAL) {
			sync_now(q);
			last = os_now();
		} else if (dirty) {
			(void)fiber_sleep(gathered, "more done marks");
			fiber_offload(flush_on_thread, q, "write done marks");
			gathered = os_deadline(GATHER_TIME);
		}
		(void)fiber_cond_wait(&q->dirty, dirty ? last + SYNC_INTERVAL : OS_NEVER,
				      "done marks");
	}
}

/* give_back_memory - that of messages which were loaded, once none is. */
static void give_back_memory(struct qmgr *q)
{
	struct sched_stats s;

	if (!q->grown)
		return;
	sched_get_stats(q->sched, &s);
	if (s.active > 0)
		return;
	q->grown = false;
	(void)malloc_trim(0);
}

static void housekeeper(void *arg)
{
	struct qmgr *q = arg;

	while (fiber_sleep(os_deadline(HOUSEKEEPING), "housekeeping") == 0) {
		agents_prune(q, false);
		event_found(q);
		give_back_memory(q);
		if (table_set_changed(q->tables))
			daemon_stop(q->context);
	}
}

static void spawn(const char *name, void (*fn)(void *arg), struct qmgr *q)
{
	if (fiber_spawn(name, fn, q) == NULL)
		out_of_memory();
}

/* ---- hooks */

static void qmgr_start(struct daemon_context *context)
{
	struct qmgr *q = context->state;
	struct opening o = {.q = q};
	struct slice path = arena_printf(context->arena, "private/%.*s",
					 SL_ARG(q->settings->bounce_service_name));

	pthread_mutex_init(&q->found_lock, NULL);
	list_init(&q->events);
	list_init(&q->damages);
	list_init(&q->defers);
	list_init(&q->deliveries);
	list_init(&q->loads);
	fiber_cond_init(&q->timer);
	fiber_cond_init(&q->quiet);
	fiber_cond_init(&q->dirty);
	fiber_cond_init(&q->defer_work);
	fiber_cond_init(&q->contents);
	q->index = index_create();
	q->agents = map_create();
	list_init(&q->claims);
	q->claimed = map_create();
	q->bounce = ipc_client_create(path.p, 8);
	fiber_offload(open_on_thread, &o, "recover queue");
	if (o.result != RES_OK) {
		log_fatal_text("queue: %s: %s", o.error.what ? o.error.what : "open",
			       queue_reason_text(o.error.reason));
		q->stopping = true;
		daemon_stop(context);
		return;
	}
	scheduler_make(q);
	q->claims_until = os_deadline(CLAIM_GRACE);
	q->ready = true;
	event_found(q);
	spawn("timer", event_timer, q);
	spawn("sync", syncer, q);
	for (int i = 0; i < DEFERRERS; i++)
		spawn("defer", settle_deferrer, q);
	spawn("housekeeping", housekeeper, q);
}

static void qmgr_session(struct daemon_context *context, struct daemon_session *session)
{
	struct qmgr *q = context->state;

	if (q->ready)
		control_session(context, session);
	else
		os_close(session->fd);
}

static void rescan_on_thread(void *arg)
{
	queue_rescan(((struct qmgr *)arg)->queue, NULL);
}

static void qmgr_wakeup(struct daemon_context *context)
{
	struct qmgr *q = context->state;

	if (!q->ready || q->stopping)
		return;
	fiber_offload(rescan_on_thread, q, "look for unannounced messages");
	event_found(q);
}

static int64_t grace_end(const struct qmgr *q, int64_t begun)
{
	return begun + (daemon_ending(q->context) ? ENDING_GRACE : GRACE);
}

/* are_busy - agents, with what we asked for; or with anything, when there is no successor to tell. */
static bool are_busy(const struct qmgr *q)
{
	return !list_empty(&q->deliveries) ||
	       (daemon_ending(q->context) && !list_empty(&q->claims));
}

/*
 * wait_for_agents - they go on after us, and tell our successor. When none is to come, what they cannot
 * tell us is repeated after the next start.
 */
static void wait_for_agents(struct qmgr *q)
{
	int64_t begun = os_now();
	int64_t deadline;

	while (are_busy(q) && os_now() < grace_end(q, begun))
		(void)fiber_cond_wait(&q->quiet, grace_end(q, begun), "deliveries under way");
	q->closed = true;
	claims_abandon(q);
	if (!list_empty(&q->deliveries))
		deliver_abandon(q, !daemon_ending(q->context));
	/* our successor asks the tables again */
	loads_cancel(q);
	deadline = os_deadline(DRAIN_PATIENCE);
	while (q->under_way > 0 && fiber_cond_wait(&q->quiet, deadline, "work under way") == 0)
		;
	if (q->under_way > 0)
		log_warning_text("%zu pieces of work are still under way: what they did may be "
				 "repeated", q->under_way);
}

static void qmgr_drain(struct daemon_context *context)
{
	struct qmgr *q = context->state;

	q->stopping = true;
	if (!q->ready)
		return;
	event_take(q, &(struct sched_event){.type = SCHED_EV_DRAIN});
	agents_prune(q, true);
	wait_for_agents(q);
	handover_drain(q);
	/* The end of the process gives up the queue's lock; other fibers may still look into it. */
	sync_now(q);
}

static void qmgr_status(struct daemon_context *context, struct buffer *out)
{
	const struct qmgr *q = context->state;
	struct sched_stats s;

	if (!q->ready)
		return;
	sched_get_stats(q->sched, &s);
	buffer_printf(out,
		      "queue incoming=%zu active=%zu deferred=%zu hold=%zu recipients=%zu "
		      "deliveries=%zu transports=%zu destinations=%zu dead=%zu\n",
		      s.incoming, s.active, s.deferred, s.held, s.recipients, s.deliveries,
		      s.transports, s.destinations, s.dead);
	buffer_printf(out, "outcomes delivered=%llu deferred=%llu bounced=%llu\n",
		      (unsigned long long)q->delivered, (unsigned long long)q->deferred,
		      (unsigned long long)q->bounced);
}

static const struct daemon qmgr_daemon = {
    .name = "qmgr",
    .open = qmgr_open,
    .start = qmgr_start,
    .session = qmgr_session,
    .wakeup = qmgr_wakeup,
    .drain = qmgr_drain,
    .status = qmgr_status,
    .workers = WORKERS,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &qmgr_daemon);
}
