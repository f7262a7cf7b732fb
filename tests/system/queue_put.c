/* SPDX-License-Identifier: ISC */
/*
 * queue_put - puts messages into the queue as cleanup does, for tests of qmgr alone:
 *
 *	queue_put QUEUE_DIRECTORY [-c COUNT] [-s SENDER] [-n NOTIFY] [-a SECONDS_AGO] [-f FLAGS] [-S]
 *		RECIPIENT...
 *
 * Content comes from standard input (CRLF line ends). Prints the queue ids. -S: says nothing to qmgr.
 * -c: that many messages, up to 64 a commit; the recipients of the n-th are n.RECIPIENT.
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

#define TOGETHER 64
#define ANNOUNCE_PATIENCE (40 * OS_SECOND) /* qmgr may be killed meanwhile, and again */

/* announce_once - false: qmgr did not take it; it may be on its way to its end. */
static bool announce_once(const struct qmgr_message_queued *m, struct arena *arena,
			  struct qmgr_queued_ack *ack, int64_t end)
{
	struct ipc_conn *conn;
	bool done = false;

	if (ipc_connect_blocking("public/qmgr", end, &conn) != IPC_OK)
		return false;
	done = ipc_send(conn, &qmgr_writer_hello_message, NULL, end) == IPC_OK &&
	       qmgr_message_queued_call(conn, m, arena, ack, end) == IPC_OK;
	ipc_conn_close(&conn);
	return done;
}

/* announce - as cleanup does it: again and again, until a qmgr has taken it. */
static void announce(struct queue_batch *batch, struct arena *arena)
{
	char texts[TOGETHER][QUEUE_LOCATION_TEXT];
	struct qmgr_queued list[TOGETHER];
	struct qmgr_message_queued m = {.messages = list, .messages_count = queue_batch_count(batch)};
	struct qmgr_queued_ack ack;
	int64_t end = os_deadline(ANNOUNCE_PATIENCE);

	for (size_t i = 0; i < m.messages_count; i++) {
		queue_location_print(&queue_batch_item(batch, i)->location, texts[i]);
		list[i].location = slice_str(texts[i]);
	}
	while (!announce_once(&m, arena, &ack, end)) {
		if (os_now() >= end)
			die("tell qmgr");
		usleep(50000);
	}
	if (ack.count != m.messages_count)
		die("tell qmgr all");
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

struct put {
	struct queue_envelope env;
	uint32_t notify;
	int64_t age;
	char **recipients;
	struct iovec content;
	struct arena *arena;
};

static void add(struct put *p, struct queue_writer *writer, struct queue_batch *batch, long number)
{
	queue_writer_id(writer, &p->env.id, &p->env.arrival);
	p->env.arrival -= p->age;
	p->env.recipients = ARENA_ARRAY(p->arena, p->env.recipient_count, struct queue_recipient);
	for (size_t i = 0; i < p->env.recipient_count; i++) {
		p->env.recipients[i].address = slice_str(p->recipients[i]);
		if (number >= 0)
			p->env.recipients[i].address =
			    arena_printf(p->arena, "%ld.%s", number, p->recipients[i]);
		p->env.recipients[i].notify = p->notify;
	}
	queue_batch_add(batch, &p->env, &p->content, 1, NULL);
	printf("%s\n", p->env.id.text);
}

static void put_all(struct put *p, int dir, long count, bool silent)
{
	struct queue_batch *batch = queue_batch_create();
	struct queue_writer *writer;
	struct queue_error error = {0};

	if (queue_writer_open(dir, NULL, &writer, &error) != RES_OK)
		die(queue_reason_text(error.reason));
	for (long n = 0; n < (count ? count : 1);) {
		for (int k = 0; k < TOGETHER && n < (count ? count : 1); k++, n++)
			add(p, writer, batch, count ? n : -1);
		if (queue_writer_commit(writer, batch) != RES_OK)
			die("commit");
		if (!silent)
			announce(batch, p->arena);
		queue_batch_reset(batch);
	}
	if (silent)
		hello_only();
	fflush(stdout);
	queue_batch_destroy(&batch);
	queue_writer_close(&writer);
}

int main(int argc, char **argv)
{
	static char content[1 << 20];
	struct put p = {.env = {.sender = SL("sender@client.test"),
				.rewrite_context = SL("local"),
				.origin = SL("test")},
			.arena = arena_create()};
	bool silent = false;
	long count = 0;
	ssize_t n;
	int dir, c;

	if (argc < 3 || chdir(argv[1]) < 0 || (dir = os_openat(AT_FDCWD, ".", O_RDONLY, 0)) < 0)
		die("queue directory");
	optind = 2;
	while ((c = getopt(argc, argv, "c:s:n:a:f:S")) > 0) {
		if (c == 'c')
			count = atol(optarg);
		else if (c == 's')
			p.env.sender = slice_str(optarg);
		else if (c == 'n')
			p.notify = (uint32_t)atoi(optarg);
		else if (c == 'a')
			p.age = (int64_t)atoi(optarg) * OS_SECOND;
		else if (c == 'f')
			p.env.flags = (uint32_t)atoi(optarg);
		else
			silent = true;
	}
	n = os_read_full(0, content, sizeof(content));
	if (n < 0)
		die("read");
	p.content = (struct iovec){content, (size_t)n};
	p.env.recipient_count = (size_t)(argc - optind);
	p.recipients = argv + optind;
	put_all(&p, dir, count, silent);
	arena_destroy(&p.arena);
	return 0;
}
