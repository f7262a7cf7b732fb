/* SPDX-License-Identifier: ISC */
/* postsuper_act - the orders while no queue manager runs: postsuper owns the queue for a moment. */
#include "base/check.h"
#include "commands/postsuper.h"
#include "os/file.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
		postsuper_done(ps, o->op, queue_id_slice(&e->location.id));
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
		os_sleep(CHANGE_PAUSE); /* who ends just now gives it up in a moment */
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

void postsuper_act(struct postsuper *ps, const struct order *o)
{
	if (ps->pretend)
		look(ps);
	else
		become_owner(ps);
	order_directly(ps, o);
}

void postsuper_leave(struct postsuper *ps)
{
	queue_close(&ps->queue);
	(void)os_act_as(0, 0);
}
