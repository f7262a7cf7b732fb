/* SPDX-License-Identifier: ISC */
/*
 * tlsmgr - keeps what the processes that speak TLS must share: the keys of session tickets, so that a
 * client may come back to any of smtpd's processes. The keys are never on a disk. One makes tickets for
 * smtpd_tls_session_cache_timeout, opens them for as long again, and is then forgotten.
 */
#include "daemon/daemon.h"
#include "ipc/ipc.h"
#include "ipc/tlsmgr.h"
#include "os/clock.h"

#include <string.h>

#define KEY_SIZE 80
/* Where sessions are not resumed nobody asks; a key that nobody uses is not kept for ever either. */
#define LIFETIME_DEFAULT (3600 * OS_SECOND)

struct tlsmgr {
	int64_t timeout; /* of ipc */
	int64_t lifetime;
	int64_t made; /* monotonic: when the current key was; 0: there is none */
	bool has_previous;
	char current[KEY_SIZE];
	char previous[KEY_SIZE];
};

static void make_key(struct tlsmgr *t, int64_t now)
{
	os_random(t->current, sizeof(t->current));
	t->made = now;
}

/* turn_over - forget what is too old. */
static void turn_over(struct tlsmgr *t, int64_t now)
{
	int64_t age = now - t->made;

	if (t->made != 0 && age < t->lifetime)
		return;
	t->has_previous = t->made != 0 && age < 2 * t->lifetime;
	if (t->has_previous)
		memcpy(t->previous, t->current, sizeof(t->previous));
	else
		explicit_bzero(t->previous, sizeof(t->previous));
	make_key(t, now);
}

static enum ipc_status handle_ticket_keys(struct ipc_conn *conn, const void *m, struct arena *arena,
					  void *arg)
{
	struct tlsmgr *t = arg;
	int64_t now = os_now();
	struct tlsmgr_ticket_keys_result result;

	(void)m;
	(void)arena;
	turn_over(t, now);
	result = (struct tlsmgr_ticket_keys_result){
	    .current = slice(t->current, sizeof(t->current)),
	    .previous = slice(t->previous, t->has_previous ? sizeof(t->previous) : 0),
	    .good = t->made + t->lifetime - now,
	};
	return tlsmgr_ticket_keys_result_send(conn, &result, os_deadline(t->timeout));
}

static enum result tlsmgr_open(struct daemon_context *context)
{
	const struct settings *settings = context->settings;
	struct tlsmgr *t = ARENA_NEW(context->arena, struct tlsmgr);

	t->timeout = settings->ipc_timeout;
	t->lifetime = settings->smtpd_tls_session_cache_timeout > 0
			  ? settings->smtpd_tls_session_cache_timeout
			  : LIFETIME_DEFAULT;
	context->state = t;
	return RES_OK;
}

static void tlsmgr_session(struct daemon_context *context, struct daemon_session *session)
{
	static const struct ipc_handler handlers[] = {
	    {&tlsmgr_ticket_keys_message, handle_ticket_keys}};
	struct ipc_conn *conn = ipc_conn_create(session->fd);

	daemon_session_idle(session, true);
	ipc_serve(conn, handlers, 1, context->state, OS_NEVER);
	ipc_conn_close(&conn);
}

static const struct daemon tlsmgr_daemon = {
    .name = "tlsmgr",
    .open = tlsmgr_open,
    .session = tlsmgr_session,
};

int main(int argc, char **argv)
{
	return daemon_main(argc, argv, &tlsmgr_daemon);
}
