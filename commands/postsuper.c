/* SPDX-License-Identifier: ISC */
/*
 * postsuper - delete, hold, release, requeue messages; postsuper(1). The queue has one owner: while qmgr
 * runs, it is asked; else postsuper becomes the owner for a moment.
 */
#include "base/check.h"
#include "commands/command.h"
#include "ipc/qmgr.h"
#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "queue/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE (600 * OS_SECOND)
#define IDS_IN_FRAME 1000
#define CHANGE_PATIENCE (10 * OS_SECOND) /* one queue manager follows another within that */
#define PAUSE (100 * OS_MILLISECOND)

/* One -d, -e, -f, -h, -H or -r with what it is for. */
struct order {
	enum qmgr_control op;
	bool asked;
	bool all;
	struct queue_id *ids;
	struct slice *names; /* as given: a message in maildrop may have another form of name */
	size_t count;
	size_t size;
};

struct postsuper {
	struct command command;
	int queue_fd;
	struct order orders[QMGR_CONTROL_LAST + 1];
	uint32_t queues; /* named on the command line; 0: none */
	bool maildrop;   /* named there */
	bool named;
	bool pretend; /* -n: only tell */
	uint64_t done[QMGR_CONTROL_LAST + 1];
	struct queue *queue; /* ours, while qmgr does not run */
	struct queue_entry *found;
	size_t found_count;
	size_t found_size;
};

static const char *const op_done[] = {[QMGR_CONTROL_DELETE] = "removed",
				      [QMGR_CONTROL_HOLD] = "placed on hold",
				      [QMGR_CONTROL_RELEASE] = "released from hold",
				      [QMGR_CONTROL_REQUEUE] = "requeued",
				      [QMGR_CONTROL_EXPIRE] = "expired"};

static const char *const op_total[] = {[QMGR_CONTROL_DELETE] = "Deleted",
				       [QMGR_CONTROL_HOLD] = "Placed on hold",
				       [QMGR_CONTROL_RELEASE] = "Released from hold",
				       [QMGR_CONTROL_REQUEUE] = "Requeued",
				       [QMGR_CONTROL_EXPIRE] = "Force-expired"};

static void done_one(struct postsuper *ps, enum qmgr_control op, struct slice id)
{
	ps->done[op]++;
	command_info(&ps->command, "%.*s: %s%s", SL_ARG(id), ps->pretend ? "would be " : "", op_done[op]);
}

/* ---- what is asked for */

static void order_add(struct postsuper *ps, struct order *o, struct slice text)
{
	struct queue_id id;

	if (!queue_id_parse(text, &id, NULL, NULL)) {
		for (size_t i = 0; i < text.n; i++) {
			if (!ascii_isalnum(text.p[i])) {
				command_warn(&ps->command, "invalid mail queue id: %.*s", SL_ARG(text));
				return;
			}
		}
		id.text[0] = '\0'; /* may be Postfix's short form: then no message of ours has it */
	}
	if (o->count == o->size) {
		o->size = o->size ? o->size * 2 : 64;
		o->ids = reallocarray(o->ids, o->size, sizeof(*o->ids));
		o->names = reallocarray(o->names, o->size, sizeof(*o->names));
		if (o->ids == NULL || o->names == NULL)
			out_of_memory();
	}
	o->names[o->count] = arena_dup(ps->command.arena, text);
	o->ids[o->count++] = id;
}

static void order_read_stdin(struct postsuper *ps, struct order *o)
{
	char line[1000];

	while (fgets(line, sizeof(line), stdin)) {
		struct slice text = slice_trim(slice_str(line));

		if (text.n > 0)
			order_add(ps, o, text);
	}
}

static void order_take(struct postsuper *ps, enum qmgr_control op, const char *argument)
{
	struct order *o = &ps->orders[op];

	o->asked = true;
	if (strcmp(argument, "ALL") == 0)
		o->all = true;
	else if (strcmp(argument, "-") == 0)
		order_read_stdin(ps, o);
	else
		order_add(ps, o, slice_str(argument));
}

/* order_expire - `release` (-f): those on hold will not wait to be told. */
static void order_expire(struct postsuper *ps, const char *argument, bool release)
{
	struct order *expire = &ps->orders[QMGR_CONTROL_EXPIRE];
	struct order *freed = &ps->orders[QMGR_CONTROL_RELEASE];
	size_t before = expire->count;

	order_take(ps, QMGR_CONTROL_EXPIRE, argument);
	if (!release)
		return;
	freed->all = freed->all || expire->all;
	for (size_t i = before; i < expire->count; i++)
		order_add(ps, freed, expire->names[i]);
}

static void queue_named(struct postsuper *ps, const char *name)
{
	static const struct {
		const char *name;
		uint32_t bit;
	} queues[] = {{"incoming", QMGR_QUEUES_INCOMING}, {"active", QMGR_QUEUES_ACTIVE},
		      {"deferred", QMGR_QUEUES_DEFERRED}, {"hold", QMGR_QUEUES_HOLD},
		      {"corrupt", QMGR_QUEUES_CORRUPT}};

	ps->named = true;
	if (strcmp(name, "maildrop") == 0) {
		ps->maildrop = true;
		return;
	}
	/* Queues of Postfix that hold nothing here. */
	if (strcmp(name, "bounce") == 0 || strcmp(name, "defer") == 0 || strcmp(name, "trace") == 0 ||
	    strcmp(name, "flush") == 0 || strcmp(name, "saved") == 0)
		return;
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		if (strcmp(name, queues[i].name) == 0) {
			ps->queues |= queues[i].bit;
			return;
		}
	}
	command_fatal(&ps->command, "invalid directory name: %s", name);
}

/* ---- maildrop and corrupt: plain files, nobody's but ours */

static void remove_file(struct postsuper *ps, int dir, struct slice name)
{
	const char *text = arena_str(ps->command.arena, name);
	struct stat st;

	if (text == NULL)
		return;
	if (ps->pretend ? os_fstatat(dir, text, &st, AT_SYMLINK_NOFOLLOW) == 0
			: os_unlinkat(dir, text, 0) == 0)
		done_one(ps, QMGR_CONTROL_DELETE, name);
}

static void delete_in_directory(struct postsuper *ps, const char *path, const struct order *o)
{
	int dir = os_openat(ps->queue_fd, path, O_RDONLY | O_DIRECTORY, 0);
	struct os_dir *walk;
	const char *name;

	if (dir < 0)
		return;
	for (size_t i = 0; i < o->count; i++)
		remove_file(ps, dir, o->names[i]);
	walk = o->all ? os_dir_open(ps->queue_fd, path) : NULL;
	while (walk && os_dir_next(walk, &name) == 1) {
		if (name[0] != '.')
			remove_file(ps, dir, slice_str(name));
	}
	if (walk)
		os_dir_close(&walk);
	os_close(dir);
}

static void delete_files(struct postsuper *ps)
{
	const struct order *o = &ps->orders[QMGR_CONTROL_DELETE];

	if (ps->maildrop || !ps->named)
		delete_in_directory(ps, "maildrop", o);
	if (ps->queues & QMGR_QUEUES_CORRUPT)
		delete_in_directory(ps, "corrupt", o);
}

/* ---- through qmgr */

static bool answer_take(struct postsuper *ps, struct ipc_conn *conn, enum qmgr_control op)
{
	struct ipc_frame frame;

	for (;;) {
		struct qmgr_control_ids ids;
		struct qmgr_control_done done;

		if (ipc_receive(conn, &frame, os_deadline(PATIENCE)) != IPC_OK)
			return false;
		if (frame.type == QMGR_CONTROL_DONE) {
			if (!qmgr_control_done_decode(&frame, ps->command.arena, &done))
				return false;
			if (done.error.n > 0)
				command_fatal(&ps->command, "queue manager: %.*s", SL_ARG(done.error));
			return true;
		}
		if (!qmgr_control_ids_decode(&frame, ps->command.arena, &ids))
			return false;
		for (size_t i = 0; i < ids.ids_count; i++)
			done_one(ps, op, ids.ids[i].queue_id);
	}
}

static bool request(struct postsuper *ps, struct ipc_conn *conn, const struct order *o, bool all,
		    size_t from, size_t count)
{
	struct mail_id *ids = ARENA_ARRAY(ps->command.arena, count + 1, struct mail_id);
	struct qmgr_queue_control m = {
	    .op = o->op, .all = all, .queues = ps->queues, .pretend = ps->pretend, .ids = ids};

	for (size_t i = from; i < from + count; i++) {
		if (o->ids[i].text[0])
			ids[m.ids_count++].queue_id = queue_id_slice(&o->ids[i]);
	}
	if (!all && m.ids_count == 0)
		return true;
	return qmgr_queue_control_send(conn, &m, os_deadline(PATIENCE)) == IPC_OK &&
	       answer_take(ps, conn, o->op);
}

static bool order_through_conn(struct postsuper *ps, struct ipc_conn *conn, const struct order *o)
{
	bool ok = true;

	if (o->all)
		ok = request(ps, conn, o, true, 0, 0);
	for (size_t from = 0; ok && from < o->count; from += IDS_IN_FRAME) {
		size_t n = o->count - from < IDS_IN_FRAME ? o->count - from : IDS_IN_FRAME;

		ok = request(ps, conn, o, false, from, n);
	}
	return ok;
}

/*
 * order_through_qmgr - false: it does not run. One that is being replaced (reload) answers no more, and its
 * successor is asked: what is done already is not there any more, or is done twice without harm.
 */
static bool order_through_qmgr(struct postsuper *ps, struct slice path, const struct order *o)
{
	int64_t give_up = os_deadline(CHANGE_PATIENCE);
	uint64_t before = ps->done[o->op];
	struct ipc_conn *conn;

	for (bool lost = false;; lost = true) {
		bool ok;

		if (ipc_connect_blocking(path.p, os_deadline(CHANGE_PATIENCE), &conn) != IPC_OK)
			return false;
		ok = order_through_conn(ps, conn, o);
		ipc_conn_close(&conn);
		if (ok && lost && ps->done[o->op] == before)
			command_warn(&ps->command, "the queue manager was replaced meanwhile: what it "
						   "may have done is not counted");
		if (ok)
			return true;
		if (os_now() > give_up)
			command_fatal(&ps->command, "lost connection with the queue manager");
		os_sleep(PAUSE);
	}
}

/* wake_pickup - what was requeued lies in maildrop/ now. */
static void wake_pickup(struct postsuper *ps)
{
	struct slice path = arena_printf(ps->command.arena, "public/%.*s",
					 SL_ARG(ps->command.settings->pickup_service_name));
	struct ipc_conn *conn;

	if (ipc_connect_blocking(path.p, os_deadline(OS_SECOND), &conn) != IPC_OK)
		return;
	(void)ipc_send(conn, &qmgr_wake_up_message, NULL, os_deadline(OS_SECOND));
	ipc_conn_close(&conn);
}

/* ---- as the owner */

static void found_add(struct postsuper *ps, const struct queue_entry *entry)
{
	if (ps->found_count == ps->found_size) {
		ps->found_size = ps->found_size ? ps->found_size * 2 : 256;
		ps->found = reallocarray(ps->found, ps->found_size, sizeof(*ps->found));
		if (ps->found == NULL)
			out_of_memory();
	}
	ps->found[ps->found_count++] = *entry;
}

static void on_message(void *context, const struct queue_entry *entry)
{
	found_add(context, entry);
}

static bool on_listed(void *context, const struct queue_entry *entry)
{
	if (entry->location.place != QUEUE_IN_MAILDROP)
		found_add(context, entry);
	return true;
}

static void on_damaged(void *context, struct slice name, uint64_t bytes, const char *why)
{
	struct postsuper *ps = context;

	command_warn(&ps->command, "%.*s: damaged queue record (%llu bytes) set aside in corrupt: %s",
		  SL_ARG(name), (unsigned long long)bytes, why);
}

static uint32_t queue_of(const struct queue_entry *e)
{
	switch (e->location.place) {
	case QUEUE_IN_DEFERRED:
		return QMGR_QUEUES_DEFERRED;
	case QUEUE_IN_HOLD:
		return QMGR_QUEUES_HOLD;
	default:
		return QMGR_QUEUES_INCOMING | QMGR_QUEUES_ACTIVE;
	}
}

static uint32_t default_queues(enum qmgr_control op)
{
	if (op == QMGR_CONTROL_RELEASE)
		return QMGR_QUEUES_HOLD;
	if (op == QMGR_CONTROL_HOLD)
		return QMGR_QUEUES_INCOMING | QMGR_QUEUES_ACTIVE | QMGR_QUEUES_DEFERRED;
	return QMGR_QUEUES_ALL;
}

static enum result apply(struct postsuper *ps, enum qmgr_control op, struct queue_location *loc,
			 struct queue_error *error)
{
	struct queue_mark expire = {.recipient = QUEUE_WHOLE,
				    .time = os_wall(),
				    .add_flags = QUEUE_EXPIRED};

	switch (op) {
	case QMGR_CONTROL_DELETE:
		return queue_gone(ps->queue, loc);
	case QMGR_CONTROL_HOLD:
		return queue_hold(ps->queue, loc, error);
	case QMGR_CONTROL_RELEASE:
		return queue_release(ps->queue, loc, os_wall(), error);
	case QMGR_CONTROL_REQUEUE:
		if (queue_requeue(ps->queue, loc, error) == RES_OK)
			return RES_OK;
		if (loc->place == QUEUE_IN_HOLD)
			return queue_release(ps->queue, loc, os_wall(), error);
		if (loc->place == QUEUE_IN_DEFERRED)
			return queue_set_time(ps->queue, loc, os_wall(), error);
		return RES_OK;
	case QMGR_CONTROL_EXPIRE:
		return queue_mark(ps->queue, loc, &expire);
	}
	return RES_PERM;
}

static bool is_ordered(const struct order *o, const struct queue_entry *e)
{
	if (o->all)
		return true;
	for (size_t i = 0; i < o->count; i++) {
		if (slice_eq(queue_id_slice(&o->ids[i]), queue_id_slice(&e->location.id)))
			return true;
	}
	return false;
}

static void order_directly(struct postsuper *ps, const struct order *o)
{
	uint32_t queues = ps->queues ? ps->queues : default_queues(o->op);

	for (size_t i = 0; i < ps->found_count; i++) {
		struct queue_entry *e = &ps->found[i];
		struct queue_error error = {0};

		if (e->location.place == QUEUE_NOWHERE || !(queue_of(e) & queues) ||
		    !is_ordered(o, e))
			continue;
		if (!ps->pretend && apply(ps, o->op, &e->location, &error) != RES_OK) {
			command_warn(&ps->command, "%s: %s", e->location.id.text,
				  queue_reason_text(error.reason));
			continue;
		}
		done_one(ps, o->op, queue_id_slice(&e->location.id));
		if (o->op == QMGR_CONTROL_DELETE || o->op == QMGR_CONTROL_REQUEUE)
			e->location.place = QUEUE_NOWHERE;
	}
}

/*
 * become_owner - as the user who owns the spool, so that whatever recovery makes is qmgr's afterwards.
 */
static void become_owner(struct postsuper *ps)
{
	struct queue_watcher watcher = {
	    .context = ps, .message = on_message, .damaged = on_damaged};
	struct queue_error error = {0};
	int64_t give_up = os_deadline(CHANGE_PATIENCE);
	struct stat st;

	if (ps->queue != NULL || os_fstatat(ps->queue_fd, "journal", &st, 0) < 0)
		return; /* nothing was ever queued here */
	if (st.st_uid != 0 && os_act_as(st.st_uid, st.st_gid) < 0)
		command_fatal(&ps->command, "become the owner of the queue: %s", strerror(errno));
	while (queue_open(ps->queue_fd, NULL, &watcher, &ps->queue, &error) != RES_OK) {
		if (error.reason != QUEUE_LOCKED || os_now() > give_up)
			command_fatal(&ps->command, "queue: %s", queue_reason_text(error.reason));
		os_sleep(PAUSE); /* who ends just now gives it up in a moment */
	}
}

/* look - what is in the queue, for -n: without a change to anything. */
static void look(struct postsuper *ps)
{
	struct queue_error error = {0};
	struct stat st;

	if (ps->found != NULL || os_fstatat(ps->queue_fd, "journal", &st, 0) < 0)
		return;
	if (queue_list(ps->queue_fd, QUEUE_ALL_PLACES, on_listed, ps, &error) != RES_OK)
		command_fatal(&ps->command, "queue: %s", queue_reason_text(error.reason));
}

static void carry_out_directly(struct postsuper *ps, const struct order *o)
{
	if (ps->pretend)
		look(ps);
	else
		become_owner(ps);
	order_directly(ps, o);
}

/* ---- all of it */

static bool anything_ordered(const struct postsuper *ps)
{
	for (size_t i = 0; i <= QMGR_CONTROL_LAST; i++) {
		if (ps->orders[i].all || ps->orders[i].count > 0)
			return true;
	}
	return false;
}

/* Only maildrop or nothing of ours was named: no need to disturb qmgr. */
static bool queue_concerned(const struct postsuper *ps)
{
	return anything_ordered(ps) && (!ps->named || (ps->queues & ~QMGR_QUEUES_CORRUPT));
}

static void carry_out(struct postsuper *ps)
{
	static const enum qmgr_control order[] = {QMGR_CONTROL_DELETE, QMGR_CONTROL_EXPIRE,
						  QMGR_CONTROL_REQUEUE, QMGR_CONTROL_HOLD,
						  QMGR_CONTROL_RELEASE};
	struct slice path = arena_printf(ps->command.arena, "public/%.*s",
					 SL_ARG(ps->command.settings->queue_service_name));

	delete_files(ps);
	if (!queue_concerned(ps))
		return;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		const struct order *o = &ps->orders[order[i]];

		if (!o->all && o->count == 0)
			continue;
		if (ps->queue == NULL && order_through_qmgr(ps, path, o))
			continue;
		carry_out_directly(ps, o);
	}
	queue_close(&ps->queue);
	(void)os_act_as(0, 0);
	if (!ps->pretend && ps->done[QMGR_CONTROL_REQUEUE] > 0)
		wake_pickup(ps);
}

static void totals(const struct postsuper *ps)
{
	static const enum qmgr_control order[] = {QMGR_CONTROL_REQUEUE, QMGR_CONTROL_DELETE,
						  QMGR_CONTROL_EXPIRE, QMGR_CONTROL_HOLD,
						  QMGR_CONTROL_RELEASE};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		uint64_t n = ps->done[order[i]];

		if (ps->orders[order[i]].asked || n > 0)
			command_info(&ps->command, "%s%s: %llu message%s", op_total[order[i]],
				     ps->pretend ? " (not really, for -n)" : "", (unsigned long long)n,
				     n == 1 ? "" : "s");
	}
}

_Noreturn static void usage(const struct postsuper *ps)
{
	command_fatal(&ps->command,
		   "usage: %s [-c config_dir] [-d queue_id (delete)] [-e queue_id (expire)] [-f "
		   "queue_id (expire and/or un-hold)] [-h queue_id (hold)] [-H queue_id (un-hold)] [-n (dry "
		   "run)] [-p (purge temporary files)] [-r queue_id (requeue)] [-s (structure fix)] [-S "
		   "(redundant structure fix)] [-v (verbose)] [queue...]",
		   ps->command.name);
}

static void option_take(struct postsuper *ps, int c, const char *argument)
{
	switch (c) {
	case 'd':
		order_take(ps, QMGR_CONTROL_DELETE, argument);
		break;
	case 'f':
		order_expire(ps, argument, true);
		break;
	case 'e':
		order_expire(ps, argument, false);
		break;
	case 'h':
		order_take(ps, QMGR_CONTROL_HOLD, argument);
		break;
	case 'H':
		order_take(ps, QMGR_CONTROL_RELEASE, argument);
		break;
	case 'r':
		order_take(ps, QMGR_CONTROL_REQUEUE, argument);
		break;
	default: /* -p -s -S: the queue mends itself at each start */
		break;
	}
}

static void orders_free(struct postsuper *ps)
{
	for (size_t i = 0; i <= QMGR_CONTROL_LAST; i++) {
		free(ps->orders[i].ids);
		free(ps->orders[i].names);
	}
	free(ps->found);
}

#define OPTIONS "c:d:e:f:h:H:npr:sSv"

int main(int argc, char **argv)
{
	struct postsuper ps = {.command = {.name = "postsuper", .failure = 1}};
	int c;

	if (os_uid() != 0)
		command_fatal(&ps.command, "use of this command is reserved for the superuser");
	/* The configuration is needed before the first message may go to the log. */
	while ((c = command_option(&ps.command, argc, argv, OPTIONS)) > 0) {
		if (c == 'c')
			ps.command.config_dir = optarg;
		else if (c == 'n')
			ps.pretend = true;
		else if (c == '?')
			usage(&ps);
	}
	command_load(&ps.command);
	ps.queue_fd = command_enter_queue(&ps.command);
	if (!ps.pretend) {
		command_open_log(&ps.command);
		log_entered_queue();
	}
	for (size_t i = 0; i <= QMGR_CONTROL_LAST; i++)
		ps.orders[i].op = (enum qmgr_control)i;
	optind = 1;
	while ((c = command_option(&ps.command, argc, argv, OPTIONS)) > 0)
		option_take(&ps, c, optarg);
	for (; optind < argc; optind++)
		queue_named(&ps, argv[optind]);
	carry_out(&ps);
	totals(&ps);
	orders_free(&ps);
	command_close(&ps.command);
	return 0;
}
