/* SPDX-License-Identifier: ISC */
/* ticket - the keys of session tickets, which all of smtpd's processes share by way of tlsmgr. */
#include "ipc/tlsmgr.h"
#include "os/clock.h"
#include "smtpd/smtpd.h"

/* How long a client that has asked for TLS may be kept waiting for them, and how long we then do without. */
#define PATIENCE (2 * OS_SECOND)
#define DO_WITHOUT (10 * OS_SECOND)
/* A key's age is looked at once more in time. */
#define ASK_AGAIN_MOST (600 * OS_SECOND)

static bool ask(struct smtpd *p, struct arena *arena, struct tlsmgr_ticket_keys_result *keys)
{
	int64_t deadline = os_deadline(PATIENCE);
	struct ipc_conn *conn;

	if (ipc_client_new(p->tlsmgr, deadline, &conn) != IPC_OK)
		return false;
	enum ipc_status status = tlsmgr_ticket_keys_call(conn, NULL, arena, keys, deadline);

	ipc_conn_close(&conn);
	return status == IPC_OK && tls_set_ticket_keys(p->tls, keys->current, keys->previous);
}

void tickets_refresh(struct smtpd *p)
{
	struct tlsmgr_ticket_keys_result keys;
	int64_t now = os_now();
	struct arena *arena;

	if (p->tlsmgr == NULL || now < p->tickets_until)
		return;
	p->tickets_until = now + DO_WITHOUT; /* the others need not ask meanwhile */
	arena = arena_create();
	if (ask(p, arena, &keys))
		p->tickets_until =
		    now + (keys.good < ASK_AGAIN_MOST ? keys.good : ASK_AGAIN_MOST);
	arena_destroy(&arena);
}
