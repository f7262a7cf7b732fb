/* SPDX-License-Identifier: ISC */
/*
 * queue_put - puts one message into the queue as cleanup does, for tests of qmgr alone:
 *
 *	queue_put QUEUE_DIRECTORY [-s SENDER] [-n NOTIFY] [-a SECONDS_AGO] [-f FLAGS] [-S] RECIPIENT...
 *
 * Content comes from standard input (CRLF line ends). Prints the queue id. -S: says nothing to qmgr.
 */
#include "ipc/qmgr.h"
#include "os/file.h"
#include "os/process.h"
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void announce(const struct queue_location *loc, struct arena *arena)
{
	char text[QUEUE_LOCATION_TEXT];
	struct qmgr_queued one;
	struct qmgr_message_queued m = {.messages = &one, .messages_count = 1};
	struct qmgr_queued_ack ack;
	struct ipc_conn *conn;

	queue_location_print(loc, text);
	one.location = slice_str(text);
	if (ipc_connect_blocking("public/qmgr", os_deadline(10 * OS_SECOND), &conn) != IPC_OK)
		die("connect to qmgr");
	if (ipc_send(conn, &qmgr_writer_hello_message, NULL, OS_NEVER) != IPC_OK ||
	    qmgr_message_queued_call(conn, &m, arena, &ack, os_deadline(10 * OS_SECOND)) != IPC_OK ||
	    ack.count != 1)
		die("tell qmgr");
	ipc_conn_close(&conn);
}

/* hello_only - as a writer that dies between its commit and the announcement. */
static void hello_only(void)
{
	struct ipc_conn *conn;

	if (ipc_connect_blocking("public/qmgr", os_deadline(10 * OS_SECOND), &conn) != IPC_OK)
		die("connect to qmgr");
	if (ipc_send(conn, &qmgr_writer_hello_message, NULL, OS_NEVER) != IPC_OK)
		die("tell qmgr");
	usleep(200000);
	ipc_conn_close(&conn);
}

int main(int argc, char **argv)
{
	static char content[1 << 20];
	struct arena *arena = arena_create();
	struct queue_envelope env = {.sender = SL("sender@client.test"),
				     .rewrite_context = SL("local"),
				     .origin = SL("test")};
	struct queue_batch *batch = queue_batch_create();
	struct queue_writer *writer;
	struct queue_error error = {0};
	int64_t age = 0;
	uint32_t notify = 0;
	bool silent = false;
	ssize_t n;
	int dir, c;

	if (argc < 3 || chdir(argv[1]) < 0 || (dir = os_openat(AT_FDCWD, ".", O_RDONLY, 0)) < 0)
		die("queue directory");
	optind = 2;
	while ((c = getopt(argc, argv, "s:n:a:f:S")) > 0) {
		if (c == 's')
			env.sender = slice_str(optarg);
		else if (c == 'n')
			notify = (uint32_t)atoi(optarg);
		else if (c == 'a')
			age = (int64_t)atoi(optarg) * OS_SECOND;
		else if (c == 'f')
			env.flags = (uint32_t)atoi(optarg);
		else
			silent = true;
	}
	n = os_read_full(0, content, sizeof(content));
	if (n < 0)
		die("read");
	if (queue_writer_open(dir, NULL, &writer, &error) != RES_OK)
		die(queue_reason_text(error.reason));
	queue_writer_id(writer, &env.id, &env.arrival);
	env.arrival -= age;
	env.recipient_count = (size_t)(argc - optind);
	env.recipients = ARENA_ARRAY(arena, env.recipient_count, struct queue_recipient);
	for (size_t i = 0; i < env.recipient_count; i++) {
		env.recipients[i].address = slice_str(argv[optind + (int)i]);
		env.recipients[i].notify = notify;
	}
	queue_batch_add(batch, &env, &(struct iovec){content, (size_t)n}, 1, NULL);
	if (queue_writer_commit(writer, batch) != RES_OK)
		die("commit");
	if (silent)
		hello_only();
	else
		announce(&queue_batch_item(batch, 0)->location, arena);
	printf("%s\n", env.id.text);
	queue_batch_destroy(&batch);
	queue_writer_close(&writer);
	arena_destroy(&arena);
	return 0;
}
