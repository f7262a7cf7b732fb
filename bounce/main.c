/* SPDX-License-Identifier: ISC */
/*
 * bounce - delivery status notifications (RFC 3464). qmgr asks for a report on some recipients of a
 * message and passes a descriptor to read the message from; the report goes to cleanup like any
 * other mail, and qmgr hears "ok" only when it is durable. Nothing is kept here.
 */
#include "bounce/report.h"
#include "daemon/daemon.h"
#include "os/clock.h"
#include "os/file.h"

#define KEPT_CLEANUP_CONNECTIONS 8

static enum result bounce_open(struct daemon_context *context)
{
	const struct settings *settings = context->settings;
	struct bounce_state *state = ARENA_NEW(context->arena, struct bounce_state);

	state->settings = settings;
	state->double_bounce = arena_printf(context->arena, "%.*s@%.*s",
					    SL_ARG(settings->double_bounce_sender),
					    SL_ARG(settings->myorigin));
	state->tell_bounce = settings_list_has(settings->notify_classes, SL("bounce"));
	state->tell_2bounce = settings_list_has(settings->notify_classes, SL("2bounce"));
	state->tell_delay = settings_list_has(settings->notify_classes, SL("delay"));
	context->state = state;
	return RES_OK;
}

static void bounce_start(struct daemon_context *context)
{
	struct bounce_state *state = context->state;
	struct slice path = arena_printf(context->arena, "public/%.*s",
					 SL_ARG(context->settings->cleanup_service_name));

	state->cleanup = ipc_client_create(path.p, KEPT_CLEANUP_CONNECTIONS);
}

static enum ipc_status handle_report(struct ipc_conn *conn, const void *m, struct arena *arena,
				     void *arg)
{
	struct daemon_session *session = arg;
	const struct bounce_report *report = m;
	struct bounce_report_result result;
	enum ipc_status status;

	daemon_session_idle(session, false);
	daemon_session_note(session, report->queue_id);
	report_make(session->context->state, report, arena, &result);
	os_close(report->content);
	status = bounce_report_result_send(conn, &result,
					   os_deadline(session->context->settings->ipc_timeout));
	daemon_session_note(session, SL("idle"));
	daemon_session_idle(session, true);
	return status;
}

static void bounce_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct ipc_handler handlers[] = {{&bounce_report_message, handle_report}};
	struct ipc_conn *conn = ipc_conn_create(session->fd);

	(void)context;
	ipc_serve(conn, handlers, 1, session, OS_NEVER);
	ipc_conn_close(&conn);
}

static const struct daemon bounce_daemon = {
    .name = "bounce",
    .open = bounce_open,
    .start = bounce_start,
    .session = bounce_session,
    .exit_when_idle = true,
    .workers = 1,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &bounce_daemon);
}
