/* SPDX-License-Identifier: ISC */
/* remote_blocking - proxymap is asked by programs without fibers: one question at a time. */
#include "base/check.h"
#include "base/list.h"
#include "os/file.h"
#include "os/process.h"
#include "table/remote.h"
#include "table/remote_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct blocking_remote {
	struct table_remote remote;
	char *path;	 /* of the socket, or of the program */
	char *directory; /* of the program: its configuration; NULL: a socket */
	int64_t limit;
	struct ipc_conn *conn; /* NULL: none yet */
	pid_t owner;	       /* whose connection it is: not that of a child */
	pid_t child;	       /* the program; 0: none */
};

/* start_program - with its end of a socket pair as standard input. */
static enum ipc_status start_program(struct blocking_remote *r)
{
	char *argv[] = {r->path, (char *)(uintptr_t) "--serve-stdin", r->directory, NULL};
	int ends[2], saved;

	if (os_socketpair(SOCK_STREAM, ends) < 0)
		return IPC_LOST;
	r->child = os_spawn(r->path, argv, environ, ends[1]);
	saved = errno;
	os_close(ends[1]);
	if (r->child < 0) {
		os_close(ends[0]);
		r->child = 0;
		errno = saved;
		return IPC_LOST;
	}
	r->conn = ipc_conn_create_blocking(ends[0]);
	return r->conn != NULL ? IPC_OK : IPC_LOST;
}

static void end_program(struct blocking_remote *r)
{
	int status;

	if (r->child > 0 && r->owner == os_pid())
		(void)os_wait(r->child, &status);
	r->child = 0;
}

/* drop - the program ends when its connection does. */
static void drop(struct blocking_remote *r)
{
	ipc_conn_close(&r->conn);
	end_program(r);
}

static enum ipc_status reach(struct blocking_remote *r, int64_t deadline)
{
	if (r->conn != NULL && r->owner != os_pid())
		drop(r);
	if (r->conn != NULL)
		return IPC_OK;
	r->owner = os_pid();
	return r->directory != NULL ? start_program(r)
				    : ipc_connect_blocking(r->path, deadline, &r->conn);
}

static enum ipc_status ask(struct blocking_remote *r, const struct proxymap_lookup *question,
			   struct arena *arena, struct proxymap_answer *answer, int64_t deadline,
			   bool *kept)
{
	enum ipc_status status;
	int saved;

	*kept = r->conn != NULL && r->owner == os_pid();
	status = reach(r, deadline);
	if (status != IPC_OK)
		return status;
	status = proxymap_lookup_call(r->conn, question, arena, answer, deadline);
	saved = errno;
	if (status != IPC_OK && status != IPC_REFUSED)
		drop(r);
	errno = saved;
	return status;
}

static enum table_result lookup(struct table_remote *remote, struct slice table, struct slice key,
				struct arena *arena, struct slice *value)
{
	struct blocking_remote *r = CONTAINER_OF(remote, struct blocking_remote, remote);
	struct proxymap_lookup question = {.id = 1, .table = table, .key = key};
	int64_t deadline = os_deadline(r->limit);
	struct proxymap_answer answer;
	enum ipc_status status;
	bool kept;

	errno = 0;
	status = ask(r, &question, arena, &answer, deadline, &kept);
	/* a kept connection may have ended with the proxymap that was (reload) */
	if (kept && (status == IPC_LOST || status == IPC_END))
		status = ask(r, &question, arena, &answer, deadline, &kept);
	return remote_outcome(status, table, &answer, arena, value);
}

static void destroy(struct table_remote *remote)
{
	struct blocking_remote *r = CONTAINER_OF(remote, struct blocking_remote, remote);

	drop(r);
	free(r->path);
	free(r->directory);
	free(r);
}

static struct table_remote *create(const char *path, const char *directory, int64_t limit)
{
	struct blocking_remote *r = calloc(1, sizeof(*r));

	if (r == NULL)
		out_of_memory();
	*r = (struct blocking_remote){.remote = {lookup, destroy}, .limit = limit};
	r->path = strdup(path);
	r->directory = directory != NULL ? strdup(directory) : NULL;
	if (r->path == NULL || (directory != NULL && r->directory == NULL))
		out_of_memory();
	return &r->remote;
}

struct table_remote *table_remote_create_blocking(const char *path, int64_t limit)
{
	return create(path, NULL, limit);
}

struct table_remote *table_remote_create_program(const char *program, const char *config_dir,
						 int64_t limit)
{
	return create(program, config_dir, limit);
}
