/* SPDX-License-Identifier: ISC */
/*
 * echod - a daemon for tests of master and lib/daemon. It takes the privileges of the row that it is
 * named after, and answers lines: "crash" ends the process, "pid" gives its number, "stop" makes it
 * drain, "note X" sets what the status socket shows; anything else comes back.
 */
#include "daemon/daemon.h"
#include "fiber/stream.h"
#include "os/process.h"

#include <stdlib.h>

#define PATIENCE (300 * OS_SECOND)

struct echo {
	unsigned wakeups;
};

static enum result echo_open(struct daemon_context *context)
{
	context->state = ARENA_NEW(context->arena, struct echo);
	for (size_t i = 0; i < context->arg_count; i++)
		if (strcmp(context->args[i], "doomed") == 0)
			return RES_PERM;
	return RES_OK;
}

static void answer(struct daemon_context *context, struct daemon_session *session,
		   struct stream *s, struct slice line)
{
	struct echo *echo = context->state;

	if (slice_eq(line, SL("crash")))
		abort();
	if (slice_eq(line, SL("pid")))
		stream_printf(s, os_deadline(PATIENCE), "%d\n", (int)os_pid());
	else if (slice_eq(line, SL("wakeups")))
		stream_printf(s, os_deadline(PATIENCE), "%u\n", echo->wakeups);
	else if (slice_eq(line, SL("setting")))
		stream_printf(s, os_deadline(PATIENCE), "%.*s\n",
			      SL_ARG(context->settings->mail_name));
	else
		stream_printf(s, os_deadline(PATIENCE), "%.*s\n", SL_ARG(line));
	if (slice_starts(line, SL("note ")))
		daemon_session_note(session, slice_from(line, 5));
	if (slice_eq(line, SL("stop")))
		daemon_stop(context);
}

static void echo_session(struct daemon_context *context, struct daemon_session *session)
{
	struct stream s;
	struct slice line;
	enum stream_line_end end;

	stream_init(&s, session->fd);
	while (stream_read_line(&s, 200, os_deadline(PATIENCE), &line, &end) == STREAM_OK) {
		answer(context, session, &s, line);
		if (stream_flush(&s, os_deadline(PATIENCE)) != STREAM_OK)
			break;
	}
	if (fiber_cancelled()) {
		fiber_uncancel();
		stream_write(&s, SL("bye\n"), os_deadline(OS_SECOND));
	}
	stream_close(&s, os_deadline(OS_SECOND));
}

static void echo_wakeup(struct daemon_context *context)
{
	struct echo *echo = context->state;

	echo->wakeups++;
}

int main(int argc, char **argv)
{
	struct daemon echo = {
	    .open = echo_open,
	    .session = echo_session,
	    .wakeup = echo_wakeup,
	    .exit_when_idle = true,
	};
	const char *slash = strrchr(argv[0], '/');

	echo.name = slash != NULL ? slash + 1 : argv[0];
	return daemon_main(argc, argv, &echo);
}
