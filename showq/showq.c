/* SPDX-License-Identifier: ISC */
/*
 * showq - tells every client what is in the queue, in Postfix's protocol, and asks nothing of it. Reads the
 * queue beside its owner; asks qmgr which messages are active.
 */
#include "base/check.h"
#include "base/map.h"
#include "config/settings.h"
#include "daemon/daemon.h"
#include "fiber/stream.h"
#include "ipc/qmgr.h"
#include "showq/listing.h"

#include <stdlib.h>
#include <sys/un.h>

#define TOGETHER 64                      /* messages read by one job of a worker thread, about */
#define QMGR_PATIENCE (5 * OS_SECOND)
#define ENTRY_LIMIT ((size_t)256 << 20) /* of one batch's text */

/* New mail first, as it moves from left to right while we look. */
static const unsigned steps[] = {QUEUE_PLACE(QUEUE_IN_MAILDROP),
				 QUEUE_PLACE(QUEUE_IN_JOURNAL) | QUEUE_PLACE(QUEUE_IN_LARGE),
				 QUEUE_PLACE(QUEUE_IN_DEFERRED), QUEUE_PLACE(QUEUE_IN_HOLD)};
#define STEPS (sizeof(steps) / sizeof(steps[0]))

struct scan {
	struct daemon_context *context;
	struct arena *arena;
	struct map *active;
	bool knows_ours; /* the client understands what Postfix's listings do not have */
	struct map *moving; /* ids met where messages do not stay: not named again where they went */
	struct queue_lister *lister;
	size_t step;
	struct arena *names;
	struct queue_entry *found; /* a part of the queue */
	size_t count;
	size_t size;
	size_t next;
	struct buffer out;
};

/* ---- on a worker thread */

/* is_new - an entry that was not named where it was before. */
static bool is_new(struct scan *s, const struct queue_entry *entry)
{
	struct slice id = queue_id_slice(&entry->location.id);

	switch (entry->location.place) {
	case QUEUE_IN_JOURNAL:
	case QUEUE_IN_LARGE:
		map_put(s->moving, id, s);
		return true;
	case QUEUE_IN_DEFERRED:
	case QUEUE_IN_HOLD:
		return map_get(s->moving, id) == NULL;
	default:
		return true;
	}
}

static bool collect(void *context, const struct queue_entry *entry)
{
	struct scan *s = context;

	if (!is_new(s, entry))
		return true;
	if (s->count == s->size) {
		size_t size = s->size ? s->size * 2 : 256;
		struct queue_entry *bigger = reallocarray(s->found, size, sizeof(*bigger));

		if (bigger == NULL)
			out_of_memory();
		s->found = bigger;
		s->size = size;
	}
	s->found[s->count] = *entry;
	s->found[s->count++].name = arena_dup(s->names, entry->name);
	return true;
}

/* find_more - the next part of the queue; false: there is none. */
static bool find_more(struct scan *s)
{
	bool more = false;

	s->next = s->count = 0;
	arena_reset(s->names);
	while (s->count == 0 && s->step < STEPS) {
		if (s->lister == NULL)
			s->lister = queue_lister_open(s->context->queue_fd, steps[s->step]);
		(void)queue_lister_next(s->lister, collect, s, &more, NULL);
		if (!more) {
			queue_lister_close(&s->lister);
			s->step++;
		}
	}
	return s->count > 0;
}

static bool is_active(const struct scan *s, const struct queue_entry *e)
{
	return map_get(s->active, queue_id_slice(&e->location.id)) != NULL;
}

static void read_on_thread(void *arg)
{
	struct scan *s = arg;
	struct arena *arena = arena_create();

	for (int n = 0; n < TOGETHER && (s->next < s->count || find_more(s)); n++) {
		const struct queue_entry *found = &s->found[s->next++];
		struct listing_entry entry;

		if (listing_read(s->context->queue_fd, found, is_active(s, found), arena, &entry) ==
		    RES_OK) {
			if (!s->knows_ours)
				entry.next_try = 0;
			listing_encode(&entry, &s->out);
		} else { /* it has moved on, most likely: to be named where it is now */
			map_remove(s->moving, queue_id_slice(&found->location.id));
		}
		arena_reset(arena);
	}
	arena_destroy(&arena);
}

/* ---- in the session's fiber */

/* ask_active - which messages qmgr has under way; none when it does not answer. */
static void ask_active(struct scan *s)
{
	const struct settings *st = s->context->settings;
	struct slice path = arena_printf(s->arena, "public/%.*s", SL_ARG(st->queue_service_name));
	int64_t deadline = os_deadline(QMGR_PATIENCE);
	struct qmgr_active_ids ids = {.last = false};
	struct ipc_conn *conn;

	if (ipc_connect(path.p, deadline, &conn) != IPC_OK)
		return;
	if (ipc_send(conn, &qmgr_active_list_message, NULL, deadline) != IPC_OK)
		ids.last = true;
	while (!ids.last) {
		if (ipc_expect(conn, &qmgr_active_ids_message, s->arena, &ids, deadline) != IPC_OK)
			break;
		for (size_t i = 0; i < ids.ids_count; i++)
			map_put(s->active, ids.ids[i].queue_id, s);
	}
	ipc_conn_close(&conn);
}

static enum stream_status send_out(struct scan *s, struct stream *stream)
{
	enum stream_status status;
	int64_t deadline = os_deadline(s->context->settings->ipc_timeout);

	status = stream_write(stream, buffer_slice(&s->out), deadline);
	if (status == STREAM_OK)
		status = stream_flush(stream, deadline);
	buffer_reset(&s->out);
	return status;
}

/* tell - all of it, as it is found. */
static void tell(struct scan *s, struct stream *stream)
{
	enum stream_status status;

	listing_begin(&s->out);
	status = send_out(s, stream);
	while (status == STREAM_OK && (s->next < s->count || s->step < STEPS)) {
		fiber_offload(read_on_thread, s, "read messages");
		status = send_out(s, stream);
	}
	if (status != STREAM_OK)
		return;
	listing_end(&s->out);
	(void)send_out(s, stream);
}

/* has_name - Postfix's clients, and what else reads a listing, do not bind their socket. */
static bool has_name(const struct os_addr *peer)
{
	return peer->len > offsetof(struct sockaddr_un, sun_path);
}

static void showq_session(struct daemon_context *context, struct daemon_session *session)
{
	struct scan s = {.context = context,
			 .knows_ours = has_name(&session->peer),
			 .arena = arena_create(),
			 .names = arena_create(),
			 .active = map_create(),
			 .moving = map_create()};
	struct stream stream;

	stream_init(&stream, session->fd);
	buffer_init(&s.out, ENTRY_LIMIT);
	ask_active(&s);
	tell(&s, &stream);
	stream_close(&stream, os_deadline(OS_SECOND));
	buffer_free(&s.out);
	free(s.found);
	queue_lister_close(&s.lister);
	map_destroy(&s.moving);
	map_destroy(&s.active);
	arena_destroy(&s.names);
	arena_destroy(&s.arena);
}

static const struct daemon showq_daemon = {
    .name = "showq",
    .session = showq_session,
    .exit_when_idle = true,
    .workers = 2,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &showq_daemon);
}
