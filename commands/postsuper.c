/* SPDX-License-Identifier: ISC */
/*
 * postsuper - delete, hold, release, requeue messages; postsuper(1). The queue has one owner: while qmgr
 * runs, it is asked; else postsuper becomes the owner for a moment.
 */
#include "base/check.h"
#include "commands/postsuper.h"
#include "log/events.h"
#include "os/file.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void postsuper_done(struct postsuper *ps, enum qmgr_control op, struct slice id)
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
		postsuper_done(ps, QMGR_CONTROL_DELETE, name);
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
		if (ps->queue == NULL && postsuper_ask(ps, path, o))
			continue;
		postsuper_act(ps, o);
	}
	postsuper_leave(ps);
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
