/* SPDX-License-Identifier: ISC */
/*
 * postkick - ask a service of the running suite for attention; postkick(1). qmgr and pickup speak frames
 * (schema/ipc/qmgr.ipc): the letters that Postfix's queue manager knows are translated. Any other
 * service gets the request's bytes as they are.
 */
#include "commands/ask_qmgr.h"
#include "commands/command.h"
#include "os/address.h"
#include "os/clock.h"

#include <string.h>
#include <unistd.h>

/* qmgr's letters that mean "try what waits again"; the others only ask it to look. */
#define FLUSH_LETTERS "DF"

struct kick {
	struct command command;
	struct slice class; /* "public", "private" */
	struct slice service;
	struct slice request;
	struct slice path; /* below the queue directory, which is the working directory */
	int64_t deadline;
};

static _Noreturn void usage(const struct command *c)
{
	command_fatal(c, "usage: postkick [-c config_dir] [-v] class service request");
}

static void parse_arguments(struct kick *k, int argc, char **argv)
{
	int option;

	while ((option = command_option(&k->command, argc, argv, "c:v")) > 0) {
		if (option == 'c')
			k->command.config_dir = optarg;
		else if (option != 'v')
			usage(&k->command);
	}
	if (argc - optind != 3)
		usage(&k->command);
	k->class = slice_str(argv[optind]);
	k->service = slice_str(argv[optind + 1]);
	k->request = slice_str(argv[optind + 2]);
}

static enum result flush_queue(struct kick *k)
{
	struct qmgr_queue_flush flush = {.what = QMGR_FLUSH_ALL};
	struct qmgr_control_done done = {0};

	if (!ask_qmgr_flush(k->path.p, &flush, k->command.arena, &done, k->deadline))
		return RES_TEMP;
	if (done.error.n > 0)
		command_fatal(&k->command, "%.*s", SL_ARG(done.error));
	return RES_OK;
}

static enum result wake_qmgr(struct kick *k)
{
	enum ipc_status status;
	struct ipc_conn *conn;

	if (ipc_connect_blocking(k->path.p, k->deadline, &conn) != IPC_OK)
		return RES_TEMP;
	status = ipc_send(conn, &qmgr_wake_up_message, NULL, k->deadline);
	ipc_conn_close(&conn);
	return status == IPC_OK ? RES_OK : RES_TEMP;
}

static enum result kick_qmgr(struct kick *k)
{
	return strpbrk(k->request.p, FLUSH_LETTERS) != NULL ? flush_queue(k) : wake_qmgr(k);
}

/* kick_pickup - the connection is what wakes it. */
static enum result kick_pickup(struct kick *k)
{
	struct ipc_conn *conn;

	if (ipc_connect_blocking(k->path.p, k->deadline, &conn) != IPC_OK)
		return RES_TEMP;
	ipc_conn_close(&conn);
	return RES_OK;
}

/* kick_other - a request is short: it goes into the socket's buffer whole, or not at all. */
static enum result kick_other(const struct kick *k)
{
	enum result rc = RES_TEMP;
	struct os_addr addr;
	int fd;

	if (!os_addr_unix(k->path, &addr))
		return RES_PERM;
	fd = os_socket(AF_UNIX, SOCK_STREAM, 0);
	if (fd < 0)
		return RES_TEMP;
	if (os_connect(fd, &addr) == 0 &&
	    os_send(fd, k->request.p, k->request.n, 0) == (ssize_t)k->request.n)
		rc = RES_OK;
	os_socket_close(fd);
	return rc;
}

int main(int argc, char **argv)
{
	struct kick k = {.command = {.name = "postkick", .failure = 1}};
	const struct settings *s;
	enum result rc;

	parse_arguments(&k, argc, argv);
	command_load(&k.command);
	command_open_log(&k.command);
	command_enter_queue(&k.command);
	s = k.command.settings;
	k.path = arena_printf(k.command.arena, "%.*s/%.*s", SL_ARG(k.class), SL_ARG(k.service));
	k.deadline = os_deadline(s->application_event_drain_time);
	if (slice_eq(k.service, s->queue_service_name))
		rc = kick_qmgr(&k);
	else if (slice_eq(k.service, s->pickup_service_name))
		rc = kick_pickup(&k);
	else
		rc = kick_other(&k);
	if (rc != RES_OK)
		command_fatal(&k.command,
			      "Cannot contact class %.*s service %.*s - perhaps the mail system is down",
			      SL_ARG(k.class), SL_ARG(k.service));
	command_close(&k.command);
	return 0;
}
