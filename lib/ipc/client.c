/* SPDX-License-Identifier: ISC */
/* client - a pool of connections to one service, and patience with one that is down. */
#include "base/check.h"
#include "base/list.h"
#include "ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>

#define DOWN_FIRST (100 * OS_MILLISECOND)
#define DOWN_LONGEST (5 * OS_SECOND)

struct idle_conn {
	struct list link;
	struct ipc_conn *conn;
};

struct ipc_client {
	char *path;
	struct list idle; /* last used first */
	size_t idle_count;
	size_t idle_max;
	int64_t down_until; /* no attempts before */
	int64_t down_for;   /* the pause after the next failure */
};

struct ipc_client *ipc_client_create(const char *path, size_t idle_max)
{
	struct ipc_client *client = calloc(1, sizeof(*client));

	if (client == NULL || (client->path = strdup(path)) == NULL)
		out_of_memory();
	list_init(&client->idle);
	client->idle_max = idle_max;
	client->down_for = DOWN_FIRST;
	return client;
}

/* pop_idle - the connection used last: those at the end grow stale first. NULL when there is none. */
static struct ipc_conn *pop_idle(struct ipc_client *client)
{
	struct list *node = list_pop_front(&client->idle);
	struct idle_conn *entry;
	struct ipc_conn *conn;

	if (node == NULL)
		return NULL;
	entry = CONTAINER_OF(node, struct idle_conn, link);
	conn = entry->conn;
	free(entry);
	client->idle_count--;
	return conn;
}

void ipc_client_destroy(struct ipc_client **client)
{
	struct ipc_conn *conn;

	if (*client == NULL)
		return;
	while ((conn = pop_idle(*client)) != NULL)
		ipc_conn_close(&conn);
	free((*client)->path);
	free(*client);
	*client = NULL;
}

/* connect_new - with the pause that a service that is down gets. */
static enum ipc_status connect_new(struct ipc_client *client, int64_t deadline,
				   struct ipc_conn **conn)
{
	enum ipc_status status;

	*conn = NULL;
	if (os_now() < client->down_until) {
		errno = ECONNREFUSED;
		return IPC_LOST;
	}
	status = ipc_connect(client->path, deadline, conn);
	if (status == IPC_OK) {
		client->down_for = DOWN_FIRST;
		client->down_until = 0;
	} else if (status != IPC_CANCELLED) {
		client->down_until = os_deadline(client->down_for);
		client->down_for *= 2;
		if (client->down_for > DOWN_LONGEST)
			client->down_for = DOWN_LONGEST;
	}
	return status;
}

/* get_conn - *fresh tells whether it was made just now. */
static enum ipc_status get_conn(struct ipc_client *client, int64_t deadline, struct ipc_conn **conn,
				bool *fresh)
{
	*fresh = false;
	while ((*conn = pop_idle(client)) != NULL) {
		if (ipc_conn_quiet(*conn))
			return IPC_OK;
		ipc_conn_close(conn);
	}
	*fresh = true;
	return connect_new(client, deadline, conn);
}

enum ipc_status ipc_client_get(struct ipc_client *client, int64_t deadline, struct ipc_conn **conn)
{
	bool fresh;

	return get_conn(client, deadline, conn, &fresh);
}

enum ipc_status ipc_client_new(struct ipc_client *client, int64_t deadline, struct ipc_conn **conn)
{
	return connect_new(client, deadline, conn);
}

enum ipc_status ipc_client_ready(struct ipc_client *client, int64_t deadline)
{
	struct ipc_conn *conn;
	enum ipc_status status;

	if (client->idle_count > 0)
		return IPC_OK;
	status = connect_new(client, deadline, &conn);
	if (status == IPC_OK)
		ipc_client_put(client, &conn, true);
	return status;
}

void ipc_client_put(struct ipc_client *client, struct ipc_conn **conn, bool clean)
{
	struct idle_conn *entry;

	if (*conn == NULL)
		return;
	/* whether the peer has closed meanwhile shows when it is taken out again */
	if (!clean || client->idle_count >= client->idle_max || !ipc_conn_clean(*conn)) {
		ipc_conn_close(conn);
		return;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		out_of_memory();
	entry->conn = *conn;
	list_push_front(&client->idle, &entry->link);
	client->idle_count++;
	*conn = NULL;
}

enum ipc_status ipc_client_ask(struct ipc_client *client, const struct ipc_message *request,
			       const void *m, const struct ipc_message *reply, struct arena *arena,
			       void *r, int64_t deadline, struct ipc_conn **keep)
{
	struct ipc_conn *conn;
	enum ipc_status status;
	bool fresh = false;

	if (keep != NULL)
		*keep = NULL;
	do {
		status = get_conn(client, deadline, &conn, &fresh);
		if (status != IPC_OK)
			return status;
		status = ipc_call(conn, request, m, reply, arena, r, deadline);
		if (status == IPC_OK && keep != NULL)
			*keep = conn;
		else
			ipc_client_put(client, &conn, status == IPC_OK || status == IPC_REFUSED);
	} while (!fresh && (status == IPC_LOST || status == IPC_END));
	return status;
}
