/* SPDX-License-Identifier: ISC */
#include "commands/postqueue.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "os/address.h"
#include "os/clock.h"
#include "os/process.h"
#include "queue/queue.h"

#include <errno.h>
#include <string.h>

#define PATIENCE (3600 * OS_SECOND)
#define LISTING_LIMIT ((size_t)1 << 30) /* of one message */

struct reading {
	const struct command *command;
	int queue_fd;
	postqueue_each *each;
	void *context;
	struct buffer buffer;
	struct arena *arena; /* of one message */
	bool first;          /* the listing's opening has not come yet */
	const char *problem; /* why the listing broke off */
};

/* take_listing - show what has come; true at the end of the listing. */
static bool take_listing(struct reading *r)
{
	struct slice in = buffer_slice(&r->buffer);
	struct listing_entry e;
	int rc;

	while ((rc = listing_decode(&in, &r->first, r->arena, &e)) == 1) {
		r->each(r->context, &e, r->arena);
		arena_reset(r->arena);
	}
	if (rc < 0)
		r->problem = "malformed showq server response";
	buffer_consume(&r->buffer, r->buffer.len - in.n);
	return rc != 0;
}

static void read_listing(struct reading *r, struct stream *stream)
{
	int64_t deadline = os_deadline(PATIENCE);

	for (;;) {
		struct slice bytes;

		if (stream_peek(stream, deadline, &bytes) != STREAM_OK ||
		    !buffer_append(&r->buffer, bytes)) {
			r->problem = "malformed showq server response";
			return;
		}
		stream_consume(stream, bytes.n);
		if (take_listing(r))
			return;
	}
}

static bool take_directly(void *context, const struct queue_entry *found)
{
	struct reading *r = context;
	struct listing_entry e;

	if (listing_read(r->queue_fd, found, false, r->arena, &e) == RES_OK)
		r->each(r->context, &e, r->arena);
	arena_reset(r->arena);
	return true;
}

static void list_directly(struct reading *r)
{
	struct queue_error error;

	if (queue_list(r->queue_fd, QUEUE_ALL_PLACES, take_directly, r, &error) != RES_OK)
		command_warn(r->command, "queue: %s", queue_reason_text(error.reason));
}

static void list_fiber(void *arg)
{
	struct reading *r = arg;
	const struct settings *st = r->command->settings;
	struct slice path = arena_printf(r->command->arena, "public/%.*s", SL_ARG(st->showq_service_name));
	struct os_addr addr, named = {.len = sizeof(sa_family_t)}; /* so that we are told next_try */
	struct stream stream;
	int fd = -1;

	named.ss.ss_family = AF_UNIX;
	if (os_addr_unix(path, &addr))
		fd = fiber_connect(&addr, &named, os_deadline(PATIENCE), "showq");
	if (fd >= 0) {
		stream_init(&stream, fd);
		read_listing(r, &stream);
		stream_close(&stream, 0);
	} else if (os_uid() == 0) {
		command_warn(r->command,
			     "Mail system is down -- accessing queue directly (Connect to the %.*s %.*s "
			     "service: %s)",
			     SL_ARG(st->mail_name), SL_ARG(st->showq_service_name), strerror(errno));
		list_directly(r);
	} else {
		command_fatal(r->command,
			      "Queue report unavailable - mail system is down (Connect to the %.*s %.*s "
			      "service: %s)",
			      SL_ARG(st->mail_name), SL_ARG(st->showq_service_name), strerror(errno));
	}
}

void postqueue_read(const struct command *command, int queue_fd, postqueue_each *each, void *context)
{
	struct reading r = {.command = command,
			    .queue_fd = queue_fd,
			    .each = each,
			    .context = context,
			    .arena = arena_create(),
			    .first = true};

	buffer_init(&r.buffer, LISTING_LIMIT);
	if (fibers_run(NULL, list_fiber, &r) < 0)
		command_fatal(command, "cannot start: %s", strerror(errno));
	if (r.problem)
		command_fatal(command, "%s", r.problem);
	arena_destroy(&r.arena);
	buffer_free(&r.buffer);
}
