/* SPDX-License-Identifier: ISC */
#include "qmgr/qmgr.h"

#include "base/check.h"
#include "log/events.h"

#include <stdlib.h>

#define IDS_IN_FRAME 1000
#define CONTROL_PATIENCE (2 * OS_SECOND) /* for what is being delivered; it ends later by itself */

struct client {
	struct qmgr *q;
	struct daemon_session *session;
	bool trusted; /* root or the mail owner */
	bool writer;  /* a cleanup process */
	bool agent;   /* one of the accounts of delivery agents */
	struct claim *claim;
};

static int64_t reply_deadline(const struct client *c)
{
	return os_deadline(c->q->settings->ipc_timeout);
}

/* ---- cleanup */

static enum ipc_status on_hello(struct ipc_conn *conn, const void *m, struct arena *arena, void *arg)
{
	struct client *c = arg;

	(void)conn;
	(void)m;
	(void)arena;
	if (!c->trusted)
		return IPC_GARBAGE;
	c->writer = true;
	return IPC_OK;
}

struct adoption {
	struct qmgr *q;
	struct queue_location *locations;
	bool *fresh;
	size_t count;
	size_t done;
};

/* adopt_known - true when all lie in segments that are known, as nearly always; else from where to go on. */
static bool adopt_known(struct adoption *a)
{
	while (a->done < a->count &&
	       queue_adopt_known(a->q->queue, &a->locations[a->done], &a->fresh[a->done]))
		a->done++;
	return a->done == a->count;
}

static void adopt_on_thread(void *arg)
{
	struct adoption *a = arg;

	for (size_t i = a->done; i < a->count; i++) {
		struct queue_error error;

		if (queue_adopt(a->q->queue, &a->locations[i], &a->fresh[i], &error) != RES_OK)
			a->fresh[i] = false; /* gone, or the next rescan finds it */
	}
}

static enum ipc_status on_queued(struct ipc_conn *conn, const void *msg, struct arena *arena,
				 void *arg)
{
	const struct qmgr_message_queued *m = msg;
	struct client *c = arg;
	struct adoption a = {.q = c->q,
			     .locations = ARENA_ARRAY(arena, m->messages_count + 1, struct queue_location),
			     .fresh = ARENA_ARRAY(arena, m->messages_count + 1, bool)};

	if (!c->trusted)
		return IPC_GARBAGE;
	daemon_session_idle(c->session, false);
	for (size_t i = 0; i < m->messages_count; i++) {
		if (!queue_location_parse(m->messages[i].location, &a.locations[a.count]))
			return IPC_GARBAGE;
		a.count++;
	}
	if (!adopt_known(&a))
		fiber_offload(adopt_on_thread, &a, "adopt messages");
	for (size_t i = 0; i < a.count; i++) {
		struct queue_entry entry = {.location = a.locations[i]};

		if (a.fresh[i])
			event_known(c->q, &entry);
	}
	daemon_session_idle(c->session, true);
	return qmgr_queued_ack_send(conn, &(struct qmgr_queued_ack){.count = (uint32_t)a.count},
				    reply_deadline(c));
}

/* ---- flush */

static bool is_waiting(const struct message *m, void *arg)
{
	(void)arg;
	return m->item.state == SCHED_DEFERRED || m->item.state == SCHED_INCOMING;
}

struct site_search {
	struct qmgr *q;
	struct slice site;
	struct queue_location location;
	bool match;
};

static bool in_site(struct slice address, struct slice site)
{
	ssize_t at = slice_rfind(address, '@');

	return at >= 0 && slice_caseeq(slice_from(address, (size_t)at + 1), site);
}

static void site_on_thread(void *arg)
{
	struct site_search *s = arg;
	struct arena *arena = arena_create();
	struct queue_message m;
	struct queue_error error;

	s->match = false;
	if (queue_open_message(s->q->queue, &s->location, false, arena, &m, &error) == RES_OK) {
		for (size_t i = 0; i < m.envelope->recipient_count && !s->match; i++)
			s->match = in_site(m.envelope->recipients[i].address, s->site);
		queue_message_close(&m);
	}
	arena_destroy(&arena);
}

static void flush_message(struct qmgr *q, struct message *m)
{
	event_take(q, &(struct sched_event){.type = SCHED_EV_FLUSH_ITEM, .item = &m->item});
}

/* flush_site - reads each waiting message; rare, and in the background of everything else. */
static uint64_t flush_site(struct qmgr *q, struct slice site)
{
	struct site_search s = {.q = q, .site = site};
	struct message **all;
	struct queue_id *ids;
	size_t count;
	uint64_t done = 0;

	all = index_collect(q->index, is_waiting, NULL, &count);
	ids = calloc(count + 1, sizeof(*ids));
	if (ids == NULL)
		out_of_memory();
	for (size_t i = 0; i < count; i++)
		message_id(all[i], &ids[i]);
	free(all);
	for (size_t i = 0; i < count; i++) {
		struct message *m = index_find(q->index, &ids[i]);

		if (m == NULL || !is_waiting(m, NULL))
			continue;
		message_location(m, &s.location);
		fiber_offload(site_on_thread, &s, "look for site");
		m = index_find(q->index, &ids[i]);
		if (s.match && m && is_waiting(m, NULL)) {
			flush_message(q, m);
			done++;
		}
	}
	free(ids);
	return done;
}

/*
 * order_begin - false: this qmgr ends, and its successor is to be asked. Else the order is carried out and
 * answered, whatever comes: who lost the answer would find at the successor that there is no such message.
 */
static bool order_begin(struct client *c)
{
	if (c->q->stopping || daemon_draining(c->q->context))
		return false;
	daemon_session_idle(c->session, false);
	return true;
}

static enum ipc_status order_end(struct client *c, enum ipc_status status)
{
	daemon_session_idle(c->session, true);
	return status;
}

static enum ipc_status on_flush(struct ipc_conn *conn, const void *msg, struct arena *arena, void *arg)
{
	const struct qmgr_queue_flush *m = msg;
	struct client *c = arg;
	struct qmgr_control_done done = {0};
	struct queue_id id;
	struct message *one;

	(void)arena;
	if (!order_begin(c))
		return IPC_LOST;
	switch (m->what) {
	case QMGR_FLUSH_ALL:
		event_take(c->q, &(struct sched_event){.type = SCHED_EV_FLUSH});
		break;
	case QMGR_FLUSH_ID:
		one = queue_id_parse(m->queue_id, &id, NULL, NULL) ? index_find(c->q->index, &id) : NULL;
		if (one) {
			flush_message(c->q, one);
			done.count = 1;
		}
		break;
	case QMGR_FLUSH_SITE:
		done.count = flush_site(c->q, m->site);
		break;
	case QMGR_FLUSH_MAILDROP:
		break;
	}
	return order_end(c, qmgr_control_done_send(conn, &done, reply_deadline(c)));
}

/* ---- control */

static uint32_t queue_of(const struct message *m)
{
	switch ((enum sched_state)m->item.state) {
	case SCHED_INCOMING:
		return QMGR_QUEUES_INCOMING;
	case SCHED_DEFERRED:
		return QMGR_QUEUES_DEFERRED;
	case SCHED_HELD:
		return QMGR_QUEUES_HOLD;
	case SCHED_LOADING:
	case SCHED_ACTIVE:
	case SCHED_SETTLING:
		return QMGR_QUEUES_ACTIVE;
	case SCHED_NONE:
		break;
	}
	return 0;
}

/* default_queues - where an operation looks when nobody said. */
static uint32_t default_queues(enum qmgr_control op)
{
	if (op == QMGR_CONTROL_RELEASE)
		return QMGR_QUEUES_HOLD;
	if (op == QMGR_CONTROL_HOLD)
		return QMGR_QUEUES_INCOMING | QMGR_QUEUES_ACTIVE | QMGR_QUEUES_DEFERRED;
	return QMGR_QUEUES_INCOMING | QMGR_QUEUES_ACTIVE | QMGR_QUEUES_DEFERRED | QMGR_QUEUES_HOLD;
}

static bool is_in_queues(const struct message *m, void *arg)
{
	return queue_of(m) & *(const uint32_t *)arg;
}

static void control_one(struct qmgr *q, struct message *m, enum qmgr_control op)
{
	static const enum sched_fate fates[] = {[QMGR_CONTROL_DELETE] = SCHED_FATE_DELETE,
						[QMGR_CONTROL_HOLD] = SCHED_FATE_HOLD,
						[QMGR_CONTROL_RELEASE] = SCHED_FATE_RELEASE,
						[QMGR_CONTROL_REQUEUE] = SCHED_FATE_REQUEUE};
	struct sched_event e = {.type = SCHED_EV_CONTROL, .item = &m->item};

	if (op == QMGR_CONTROL_EXPIRE)
		e.type = SCHED_EV_EXPIRE;
	else
		e.fate = fates[op];
	event_take(q, &e);
}

/* control_targets - their ids, NULL-free; malloc. */
static struct queue_id *control_targets(struct qmgr *q, const struct qmgr_queue_control *m,
					size_t *count)
{
	uint32_t queues = m->queues ? m->queues : default_queues(m->op);
	struct queue_id *ids;

	*count = 0;
	if (m->all) {
		size_t n;
		struct message **all = index_collect(q->index, is_in_queues, &queues, &n);

		ids = calloc(n + 1, sizeof(*ids));
		if (ids == NULL)
			out_of_memory();
		for (; *count < n; (*count)++)
			message_id(all[*count], &ids[*count]);
		free(all);
		return ids;
	}
	ids = calloc(m->ids_count + 1, sizeof(*ids));
	if (ids == NULL)
		out_of_memory();
	for (size_t i = 0; i < m->ids_count; i++) {
		struct message *found;

		if (!queue_id_parse(m->ids[i].queue_id, &ids[*count], NULL, NULL))
			continue;
		found = index_find(q->index, &ids[*count]);
		*count += found && is_in_queues(found, &queues);
	}
	return ids;
}

static bool all_settled(const struct qmgr *q, const struct queue_id *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct message *m = index_find(q->index, &ids[i]);

		if (m && (m->item.state == SCHED_SETTLING || m->item.doom))
			return false;
	}
	return true;
}

static void sync_on_thread(void *arg)
{
	struct qmgr *q = arg;

	queue_sync(q->queue, NULL);
}

static enum ipc_status send_ids(struct client *c, struct ipc_conn *conn, const struct queue_id *ids,
				size_t count, struct arena *arena)
{
	enum ipc_status status = IPC_OK;

	for (size_t from = 0; from < count && status == IPC_OK; from += IDS_IN_FRAME) {
		size_t n = count - from < IDS_IN_FRAME ? count - from : IDS_IN_FRAME;
		struct mail_id *out = ARENA_ARRAY(arena, n, struct mail_id);

		for (size_t i = 0; i < n; i++)
			out[i].queue_id = queue_id_slice(&ids[from + i]);
		status = qmgr_control_ids_send(
		    conn, &(struct qmgr_control_ids){.ids = out, .ids_count = n}, reply_deadline(c));
	}
	return status;
}

static void control_all(struct qmgr *q, const struct queue_id *ids, size_t count, enum qmgr_control op)
{
	int64_t patience = os_deadline(CONTROL_PATIENCE);

	for (size_t i = 0; i < count; i++) {
		struct message *one = index_find(q->index, &ids[i]);

		if (one)
			control_one(q, one, op);
	}
	while (!all_settled(q, ids, count) &&
	       fiber_cond_wait(&q->quiet, patience, "messages under way") == 0)
		;
	/* What was asked for shows in the next listing, and outlives a power cut. */
	fiber_offload(sync_on_thread, q, "sync");
}

static enum ipc_status on_control(struct ipc_conn *conn, const void *msg, struct arena *arena,
				  void *arg)
{
	const struct qmgr_queue_control *m = msg;
	struct client *c = arg;
	struct queue_id *ids;
	size_t count;
	enum ipc_status status;

	if (!c->trusted)
		return qmgr_control_done_send(
		    conn, &(struct qmgr_control_done){.error = SL("not allowed")},
		    reply_deadline(c));
	if (!order_begin(c))
		return IPC_LOST;
	ids = control_targets(c->q, m, &count);
	if (!m->pretend)
		control_all(c->q, ids, count, m->op);
	status = send_ids(c, conn, ids, count, arena);
	free(ids);
	if (status == IPC_OK)
		status = qmgr_control_done_send(conn, &(struct qmgr_control_done){.count = count},
						reply_deadline(c));
	return order_end(c, status);
}

static bool is_active(const struct message *m, void *arg)
{
	(void)arg;
	return queue_of(m) == QMGR_QUEUES_ACTIVE;
}

/*
 * The list comes from one who is about to read the queue: what is finished has left it before the
 * answer.
 */
static enum ipc_status on_active_list(struct ipc_conn *conn, const void *msg, struct arena *arena,
				      void *arg)
{
	struct client *c = arg;
	enum ipc_status status = IPC_OK;
	struct message **all;
	struct queue_id *ids;
	struct mail_id *out;
	size_t count, from = 0;
	bool last = false;

	(void)msg;
	fiber_offload(sync_on_thread, c->q, "sync");
	all = index_collect(c->q->index, is_active, NULL, &count);
	ids = ARENA_ARRAY(arena, count + 1, struct queue_id);
	out = ARENA_ARRAY(arena, count + 1, struct mail_id);
	for (size_t i = 0; i < count; i++) {
		message_id(all[i], &ids[i]);
		out[i].queue_id = queue_id_slice(&ids[i]);
	}
	free(all);
	while (status == IPC_OK && !last) {
		size_t n = count - from < IDS_IN_FRAME ? count - from : IDS_IN_FRAME;

		last = from + n == count;
		status = qmgr_active_ids_send(conn,
					      &(struct qmgr_active_ids){.last = last,
									.ids = out + from,
									.ids_count = n},
					      reply_deadline(c));
		from += n;
	}
	return status;
}

/* ---- delivery agents */

static enum ipc_status on_claim(struct ipc_conn *conn, const void *msg, struct arena *arena, void *arg)
{
	struct client *c = arg;

	(void)conn;
	(void)arena;
	if (!c->agent || c->claim != NULL)
		return IPC_GARBAGE;
	if (c->q->closed)
		return IPC_LOST;
	daemon_session_idle(c->session, false);
	c->claim = claim_make(c->q, msg);
	return c->claim ? IPC_OK : IPC_GARBAGE;
}

static enum ipc_status on_claim_outcome(struct ipc_conn *conn, const void *msg, struct arena *arena,
					void *arg)
{
	const struct qmgr_claim_outcome *m = msg;
	struct client *c = arg;

	(void)conn;
	(void)arena;
	return c->claim && claim_tell(c->claim, &m->outcome) ? IPC_OK : IPC_GARBAGE;
}

static enum ipc_status on_claim_over(struct ipc_conn *conn, const void *msg, struct arena *arena,
				     void *arg)
{
	struct client *c = arg;
	enum ipc_status status;

	(void)msg;
	(void)arena;
	if (c->claim == NULL)
		return IPC_GARBAGE;
	status = claim_end(c->q, &c->claim);
	if (status == IPC_OK)
		status = qmgr_claim_noted_send(conn, NULL, reply_deadline(c));
	daemon_session_idle(c->session, true);
	return status;
}

static enum ipc_status on_wake_up(struct ipc_conn *conn, const void *m, struct arena *arena, void *arg)
{
	(void)conn;
	(void)m;
	(void)arena;
	(void)arg;
	return IPC_OK;
}

/* ---- the session */

static void rescan_on_thread(void *arg)
{
	struct qmgr *q = arg;

	queue_rescan(q->queue, NULL);
}

void control_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct ipc_handler handlers[] = {
	    {&qmgr_writer_hello_message, on_hello},     {&qmgr_message_queued_message, on_queued},
	    {&qmgr_queue_flush_message, on_flush},      {&qmgr_queue_control_message, on_control},
	    {&qmgr_active_list_message, on_active_list}, {&qmgr_wake_up_message, on_wake_up},
	    {&qmgr_claim_message, on_claim},            {&qmgr_claim_outcome_message, on_claim_outcome},
	    {&qmgr_claim_over_message, on_claim_over}};
	struct qmgr *q = context->state;
	struct client c = {.q = q, .session = session};
	struct ipc_conn *conn = ipc_conn_create(session->fd);
	enum ipc_status status;
	pid_t pid;
	uid_t uid;

	if (ipc_conn_peer(conn, &pid, &uid) == 0) {
		c.trusted = uid == 0 || uid == context->owner_uid;
		c.agent = c.trusted || uid == q->smtp_uid;
	}
	daemon_session_idle(session, true);
	status = ipc_serve(conn, handlers, sizeof(handlers) / sizeof(handlers[0]), &c, OS_NEVER);
	ipc_conn_close(&conn);
	if (c.claim && status == IPC_CANCELLED)
		claim_drop(q, &c.claim);
	else if (c.claim)
		(void)claim_end(q, &c.claim);
	if (c.writer && !q->stopping) {
		/* It may have ended between a commit and telling us. */
		fiber_offload(rescan_on_thread, q, "look for unannounced messages");
		event_found(q);
	}
}
