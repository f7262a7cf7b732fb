/* SPDX-License-Identifier: ISC */
/* Declared messages through the codec, over connections, pools and the multiplexer. */
#include "unit.h"

#include "ipc/bounce.h"
#include "ipc/cleanup.h"
#include "ipc/delivery.h"
#include "ipc/qmgr.h"
#include "ipc/resolver.h"
#include "os/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define SOON os_deadline(5 * OS_SECOND)

static struct ipc_frame frame_of(const struct buffer *b, int fd)
{
	const unsigned char *p = (const unsigned char *)b->data;

	return (struct ipc_frame){.type = (uint16_t)(p[4] | p[5] << 8),
				  .payload = slice_from(buffer_slice(b), IPC_HEADER_SIZE),
				  .fd = fd};
}

static void test_round_trip(void **state)
{
	struct mail_recipient rcpt[2] = {
	    {.index = 3, .address = SL("a@example.com"), .notify = MAIL_NOTIFY_DELAY},
	    {.index = 4, .address = SL("b@example.com"), .orig = SL("list@example.com")}};
	struct delivery_deliver in = {.queue_id = SL("4Xyz"),
				      .content = -1,
				      .offset = UINT64_C(0x123456789abc),
				      .arrival = -5,
				      .ret = MAIL_RET_HDRS,
				      .client = {.name = SL("host"), .port = 65535},
				      .recipients = rcpt,
				      .recipients_count = 2};
	struct delivery_deliver out;
	struct arena *arena = arena_create();
	struct ipc_frame frame;
	struct buffer b;
	int fd;

	(void)state;
	buffer_init(&b, 1 << 20);
	assert_true(ipc_encode(&delivery_deliver_message, &in, &b));
	frame = frame_of(&b, -1);
	assert_int_equal(frame.type, DELIVERY_DELIVER);
	/* the descriptor is missing */
	assert_false(delivery_deliver_decode(&frame, arena, &out));
	fd = os_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	frame = frame_of(&b, fd);
	assert_true(delivery_deliver_decode(&frame, arena, &out));
	assert_int_equal(frame.fd, -1);
	assert_int_equal(out.content, fd);
	os_close(fd);
	memset(b.data, 'x', b.len); /* what was decoded does not lie in the frame */
	assert_slice(out.queue_id, "4Xyz");
	assert_true(out.offset == in.offset && out.arrival == -5 && out.ret == MAIL_RET_HDRS);
	assert_slice(out.client.name, "host");
	assert_int_equal(out.client.port, 65535);
	assert_int_equal(out.recipients_count, 2);
	assert_slice(out.recipients[1].orig, "list@example.com");
	assert_int_equal(out.recipients[0].notify, MAIL_NOTIFY_DELAY);
	assert_true(slice_is_null(out.sender));
	buffer_free(&b);
	arena_destroy(&arena);
}

static void test_bounds(void **state)
{
	static char big[5000];
	struct cleanup_envelope_rcpt rcpt = {.address = slice(big, 1025)};
	struct cleanup_envelope_result result = {.text = slice(big, 1001)};
	struct cleanup_envelope_result back;
	struct arena *arena = arena_create();
	struct ipc_frame frame;
	struct buffer b;

	(void)state;
	memset(big, 'a', sizeof(big));
	buffer_init(&b, 1 << 20);
	assert_false(ipc_encode(&cleanup_envelope_rcpt_message, &rcpt, &b));
	assert_int_equal(b.len, 0);
	rcpt.address = SL("a\nb@example.com");
	assert_false(ipc_encode(&cleanup_envelope_rcpt_message, &rcpt, &b));
	rcpt.address = SL("a@example.com");
	rcpt.notify = 16;
	assert_false(ipc_encode(&cleanup_envelope_rcpt_message, &rcpt, &b));
	rcpt.notify = MAIL_NOTIFY_ALL;
	assert_true(ipc_encode(&cleanup_envelope_rcpt_message, &rcpt, &b));
	/* a text is cut and cleaned rather than refused */
	big[10] = '\n';
	buffer_reset(&b);
	assert_true(ipc_encode(&cleanup_envelope_result_message, &result, &b));
	frame = frame_of(&b, -1);
	assert_true(cleanup_envelope_result_decode(&frame, arena, &back));
	assert_int_equal(back.text.n, 1000);
	assert_int_equal(back.text.p[10], '?');
	/* an enum beyond its last value, a frame cut short, one byte too many */
	b.data[IPC_HEADER_SIZE] = CLEANUP_OUTCOME_LAST + 1;
	assert_false(cleanup_envelope_result_decode(&frame, arena, &back));
	b.data[IPC_HEADER_SIZE] = 0;
	for (size_t n = 0; n < frame.payload.n; n++) {
		struct ipc_frame cut = frame;

		cut.payload.n = n;
		assert_false(cleanup_envelope_result_decode(&cut, arena, &back));
	}
	buffer_append_byte(&b, 0);
	frame = frame_of(&b, -1);
	assert_false(cleanup_envelope_result_decode(&frame, arena, &back));
	buffer_free(&b);
	arena_destroy(&arena);
}

/* ---- over sockets */

struct server {
	char dir[64];
	char path[96];
	struct fiber_fd listener;
	struct fiber *accepting;
	unsigned connections;
	unsigned answers_each; /* then the connection ends without a word; 0: no limit */
	bool backwards;	       /* dns: answers pairs in reverse order */
};

static void listen_at(struct server *s)
{
	struct os_addr addr = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, s->path, strlen(s->path) + 1);
	addr.len = sizeof(*un);
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 64), 0);
	fiber_fd_init(&s->listener, fd);
}

struct served {
	struct server *server;
	struct ipc_conn *conn;
	unsigned answered;
	uint32_t held;
};

static enum ipc_status on_queued(struct ipc_conn *conn, const void *m, struct arena *arena,
				 void *context)
{
	const struct qmgr_message_queued *request = m;
	struct qmgr_queued_ack ack = {.count = (uint32_t)request->messages_count};
	struct served *s = context;

	(void)arena;
	if (s->server->answers_each != 0 && s->answered++ == s->server->answers_each)
		return IPC_END;
	return qmgr_queued_ack_send(conn, &ack, SOON);
}

static enum ipc_status on_query(struct ipc_conn *conn, const void *m, struct arena *arena,
				void *context)
{
	const struct resolver_dns_query *query = m;
	struct resolver_answer_record record = {.data = query->name};
	struct resolver_dns_answer answer = {.id = query->id, .records = &record, .records_count = 1};
	struct served *s = context;

	(void)arena;
	if (!s->server->backwards)
		return resolver_dns_answer_send(conn, &answer, SOON);
	if (s->held == 0) {
		s->held = query->id;
		return IPC_OK;
	}
	resolver_dns_answer_send(conn, &answer, SOON);
	answer.id = s->held;
	record.data = SL("first");
	s->held = 0;
	return resolver_dns_answer_send(conn, &answer, SOON);
}

static void serve(void *arg)
{
	static const struct ipc_handler handlers[] = {{&qmgr_message_queued_message, on_queued},
						      {&resolver_dns_query_message, on_query}};
	struct served *s = arg;

	ipc_serve(s->conn, handlers, 2, s, 60 * OS_SECOND);
	ipc_conn_close(&s->conn);
	free(s);
}

static void accept_all(void *arg)
{
	struct server *server = arg;

	for (;;) {
		int fd = fiber_accept(&server->listener, NULL, OS_NEVER, "accept");
		struct served *s;

		if (fd < 0)
			break;
		s = calloc(1, sizeof(*s));
		s->server = server;
		s->conn = ipc_conn_create(fd);
		server->connections++;
		assert_non_null(fiber_spawn("served", serve, s));
	}
	fiber_fd_close(&server->listener);
}

static void start_server(struct server *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->dir, "/tmp/postrider-ipc-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/socket", s->dir);
	listen_at(s);
	s->accepting = fiber_spawn_joinable("accepting", accept_all, s);
	assert_non_null(s->accepting);
}

static void stop_server(struct server *s)
{
	fiber_cancel(s->accepting);
	assert_int_equal(fiber_join(s->accepting, SOON, "server"), 0);
	unlink(s->path); /* raw-syscall: test */
	rmdir(s->dir);
}

static enum ipc_status ask(struct ipc_client *client, size_t n, uint32_t *count)
{
	struct qmgr_queued items[3] = {{.location = SL("journal:1:2:X")}};
	struct qmgr_message_queued request = {.messages = items, .messages_count = n};
	struct qmgr_queued_ack ack = {0};
	struct arena *arena = arena_create();
	enum ipc_status status =
	    qmgr_message_queued_ask(client, &request, arena, &ack, SOON, NULL);

	*count = ack.count;
	arena_destroy(&arena);
	return status;
}

static void pool_main(void *arg)
{
	struct server server;
	struct ipc_client *client;
	uint32_t count;

	(void)arg;
	start_server(&server);
	client = ipc_client_create(server.path, 2);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ask(client, i, &count), IPC_OK);
		assert_int_equal(count, i);
	}
	assert_int_equal(server.connections, 1);
	/* the server ends the kept connection when the next request comes: asked again over a new one */
	server.answers_each = 3;
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(ask(client, 1, &count), IPC_OK);
	assert_true(server.connections > 1);
	stop_server(&server);
	ipc_client_destroy(&client);
	/* nobody there: fails, then fails at once without an attempt */
	client = ipc_client_create(server.path, 2);
	assert_int_equal(ask(client, 1, &count), IPC_LOST);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(ask(client, 1, &count), IPC_LOST);
	assert_int_equal(errno, ECONNREFUSED);
	ipc_client_destroy(&client);
}

static void test_pool(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, pool_main, NULL), 0);
}

static void descriptor_main(void *arg)
{
	struct delivery_deliver request = {.queue_id = SL("A")};
	struct cleanup_content chunk;
	static char bytes[65536];
	struct ipc_conn *a, *b;
	struct ipc_frame frame;
	struct arena *arena = arena_create();
	int fds[2];
	int files[2];

	(void)arg;
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	assert_int_equal(pipe(files), 0);
	a = ipc_conn_create(fds[0]);
	b = ipc_conn_create(fds[1]);
	/* three frames at once, descriptors beside the first and the third */
	request.content = files[0];
	assert_int_equal(delivery_deliver_send(a, &request, SOON), IPC_OK);
	assert_int_equal(cleanup_envelope_abort_send(a, NULL, SOON), IPC_OK);
	request.content = files[1];
	assert_int_equal(delivery_deliver_send(a, &request, SOON), IPC_OK);
	assert_int_equal(delivery_deliver_send(a, &request, SOON), IPC_OK);
	chunk.data = slice(bytes, sizeof(bytes));
	assert_int_equal(cleanup_content_send(a, &chunk, SOON), IPC_OK);
	assert_int_equal(ipc_expect(b, &delivery_deliver_message, arena, &request, SOON), IPC_OK);
	assert_int_equal(write(files[1], "x", 1), 1);
	assert_int_equal(read(request.content, bytes, 1), 1); /* it is the pipe's reading end */
	os_close(request.content);
	assert_int_equal(ipc_receive(b, &frame, SOON), IPC_OK);
	assert_int_equal(frame.type, CLEANUP_ENVELOPE_ABORT);
	assert_int_equal(frame.fd, -1);
	assert_int_equal(ipc_expect(b, &delivery_deliver_message, arena, &request, SOON), IPC_OK);
	assert_int_equal(write(request.content, "y", 1), 1);
	os_close(request.content);
	assert_int_equal(ipc_receive(b, &frame, SOON), IPC_OK);
	ipc_frame_drop(&frame); /* one that nobody wants */
	assert_int_equal(ipc_expect(b, &cleanup_content_message, NULL, &chunk, SOON), IPC_OK);
	assert_int_equal(chunk.data.n, sizeof(bytes));
	assert_int_equal(ipc_receive(b, &frame, os_deadline(1000)), IPC_TIMEOUT);
	ipc_conn_close(&a);
	assert_int_equal(ipc_receive(b, &frame, SOON), IPC_END);
	assert_int_equal(ipc_receive(b, &frame, SOON), IPC_LOST);
	ipc_conn_close(&b);
	os_close(files[0]);
	os_close(files[1]);
	arena_destroy(&arena);
}

static void test_descriptors(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, descriptor_main, NULL), 0);
}

struct question {
	struct ipc_mux *mux;
	struct slice name;
	struct slice want;
	unsigned *done;
};

static void ask_dns(void *arg)
{
	struct question *q = arg;
	struct resolver_dns_query query = {.type = 1, .name = q->name};
	struct resolver_dns_answer answer;
	struct arena *arena = arena_create();

	assert_int_equal(ipc_mux_call(q->mux, &resolver_dns_query_message, &query,
				      &resolver_dns_answer_message, arena, &answer, SOON),
			 IPC_OK);
	assert_int_equal(answer.records_count, 1);
	assert_true(slice_eq(answer.records[0].data, q->want));
	(*q->done)++;
	arena_destroy(&arena);
}

static void mux_main(void *arg)
{
	unsigned done = 0;
	struct server server;
	struct question q[2];

	(void)arg;
	start_server(&server);
	server.backwards = true;
	q[0] = (struct question){ipc_mux_create(server.path), SL("one"), SL("first"), &done};
	q[1] = (struct question){q[0].mux, SL("two"), SL("two"), &done};
	for (int round = 0; round < 3; round++) {
		struct fiber *first = fiber_spawn_joinable("q0", ask_dns, &q[0]);
		struct fiber *second = fiber_spawn_joinable("q1", ask_dns, &q[1]);

		assert_int_equal(fiber_join(first, SOON, "join"), 0);
		assert_int_equal(fiber_join(second, SOON, "join"), 0);
	}
	assert_int_equal(done, 6);
	assert_int_equal(server.connections, 1);
	ipc_mux_destroy(&q[0].mux);
	stop_server(&server);
}

static void test_mux(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, mux_main, NULL), 0);
}

/* What comes is no frame: that connection is over, and nothing else. */
static void garbage_main(void *arg)
{
	struct ipc_frame frame;
	struct ipc_conn *conn;
	int fds[2];

	(void)arg;
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	conn = ipc_conn_create(fds[0]);
	assert_int_equal(os_write_full(fds[1], "\377\377\377\377\1\1\0\0", 8), 0);
	assert_int_equal(ipc_receive(conn, &frame, SOON), IPC_GARBAGE);
	assert_false(ipc_conn_usable(conn));
	ipc_conn_close(&conn);
	os_close(fds[1]);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	conn = ipc_conn_create(fds[0]);
	assert_int_equal(os_write_full(fds[1], "\0\0\0\0\1\1\1\0", 8), 0); /* no descriptor came */
	assert_int_equal(ipc_receive(conn, &frame, SOON), IPC_GARBAGE);
	ipc_conn_close(&conn);
	os_close(fds[1]);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	conn = ipc_conn_create(fds[0]);
	assert_int_equal(os_write_full(fds[1], "\10\0\0\0\1\1\0\0abc", 11), 0);
	os_close(fds[1]);
	assert_int_equal(ipc_receive(conn, &frame, SOON), IPC_LOST); /* ends inside a frame */
	ipc_conn_close(&conn);
}

static void test_garbage(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, garbage_main, NULL), 0);
}

/* answer_slowly - one request, by hand: the child's part of the next test. */
static int answer_slowly(int listener)
{
	struct qmgr_control_done done = {.count = 7};
	struct os_event event;
	int poller = os_poll_create();
	struct buffer out;
	char in[64];
	int fd;

	os_poll_add(poller, listener, OS_READABLE, NULL);
	os_poll_wait(poller, &event, 1, SOON);
	fd = os_accept(listener, NULL);
	os_poll_add(poller, fd, OS_READABLE, NULL);
	os_poll_wait(poller, &event, 1, SOON);
	usleep(20000);
	buffer_init(&out, 4096);
	if (os_recv(fd, in, sizeof(in), 0) <= IPC_HEADER_SIZE ||
	    !ipc_encode(&qmgr_control_done_message, &done, &out))
		return 1;
	return os_write_full(fd, out.data, out.len) < 0;
}

/* is_silent - nothing has come over the connection. */
static bool is_silent(struct ipc_conn *conn)
{
	return ipc_conn_usable(conn);
}

static void expect_id(struct ipc_conn *conn, const char *id)
{
	struct cleanup_envelope_begun begun;
	struct arena *arena = arena_create();

	assert_int_equal(ipc_expect(conn, &cleanup_envelope_begun_message, arena, &begun, SOON), IPC_OK);
	assert_true(slice_eq(begun.queue_id, slice_str(id)));
	arena_destroy(&arena);
}

/* What is gathered goes with the next frame, in order, or before the peer is waited for. */
static void gather_main(void *arg)
{
	struct cleanup_envelope_begun one = {.queue_id = SL("one")}, two = {.queue_id = SL("two")};
	struct cleanup_envelope_begun bad = {.queue_id = SL("a\nb")};
	struct delivery_deliver with_fd = {.queue_id = SL("three")};
	struct ipc_conn *a, *b;
	struct arena *arena = arena_create();
	struct ipc_frame frame;
	struct buffer frames;
	int fds[2];

	(void)arg;
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	a = ipc_conn_create(fds[0]);
	b = ipc_conn_create(fds[1]);
	assert_int_equal(cleanup_envelope_begun_add(a, &one), IPC_OK);
	assert_int_equal(cleanup_envelope_begun_add(a, &bad), IPC_REFUSED);
	assert_true(is_silent(b));
	assert_false(ipc_conn_clean(a)); /* it is not for the pool like this */
	assert_int_equal(cleanup_envelope_begun_send(a, &two, SOON), IPC_OK);
	assert_true(ipc_conn_clean(a));
	expect_id(b, "one");
	expect_id(b, "two");
	/* a descriptor of the last one still comes with the last one */
	with_fd.content = os_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
	assert_int_equal(cleanup_envelope_begun_add(a, &one), IPC_OK);
	assert_int_equal(delivery_deliver_send(a, &with_fd, SOON), IPC_OK);
	os_close(with_fd.content);
	expect_id(b, "one");
	assert_int_equal(ipc_expect(b, &delivery_deliver_message, arena, &with_fd, SOON), IPC_OK);
	os_close(with_fd.content);
	/* as long as requests are at hand, the replies stay together */
	buffer_init(&frames, 1 << 20);
	for (int i = 0; i < 3; i++)
		assert_true(ipc_encode(&cleanup_envelope_abort_message, NULL, &frames));
	assert_int_equal(ipc_send_encoded(b, buffer_slice(&frames), SOON), IPC_OK);
	assert_int_equal(ipc_receive(a, &frame, SOON), IPC_OK);
	assert_int_equal(cleanup_envelope_begun_add(a, &one), IPC_OK);
	assert_int_equal(ipc_receive(a, &frame, SOON), IPC_OK);
	assert_int_equal(cleanup_envelope_begun_add(a, &two), IPC_OK);
	assert_int_equal(ipc_receive(a, &frame, SOON), IPC_OK);
	assert_int_equal(frame.type, CLEANUP_ENVELOPE_ABORT);
	assert_true(is_silent(b));
	assert_int_equal(ipc_receive(a, &frame, os_deadline(1000)), IPC_TIMEOUT);
	expect_id(b, "one");
	expect_id(b, "two");
	/* what was gathered leaves before what was encoded */
	assert_int_equal(cleanup_envelope_begun_add(b, &one), IPC_OK);
	assert_int_equal(ipc_send_encoded(b, buffer_slice(&frames), SOON), IPC_OK);
	expect_id(a, "one");
	assert_int_equal(ipc_receive(a, &frame, SOON), IPC_OK);
	assert_int_equal(frame.type, CLEANUP_ENVELOPE_ABORT);
	ipc_conn_close(&a);
	assert_int_equal(ipc_send_encoded(b, buffer_slice(&frames), SOON), IPC_LOST);
	ipc_conn_close(&b);
	buffer_free(&frames);
	arena_destroy(&arena);
}

static void test_gathering(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, gather_main, NULL), 0);
}

static void ready_main(void *arg)
{
	struct ipc_conn *conn, *other;
	struct ipc_client *client;
	struct server server;

	(void)arg;
	start_server(&server);
	client = ipc_client_create(server.path, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ipc_client_ready(client, SOON), IPC_OK);
	assert_int_equal(ipc_client_get(client, SOON, &conn), IPC_OK);
	assert_int_equal(ipc_client_new(client, SOON, &other), IPC_OK);
	fiber_sleep(os_deadline(10 * OS_MILLISECOND), "server");
	assert_int_equal(server.connections, 2);
	ipc_client_put(client, &conn, true);
	ipc_client_put(client, &other, true);
	stop_server(&server);
	/* an idle one is proof enough */
	assert_int_equal(ipc_client_ready(client, SOON), IPC_OK);
	ipc_client_destroy(&client);
	client = ipc_client_create(server.path, 2);
	assert_int_equal(ipc_client_ready(client, SOON), IPC_LOST);
	ipc_client_destroy(&client);
}

static void test_ready(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, ready_main, NULL), 0);
}

/* A command without fibers speaks to a server in a child process. */
static void test_blocking(void **state)
{
	struct qmgr_control_done done = {0};
	struct qmgr_queue_flush flush = {.what = QMGR_FLUSH_ALL};
	struct arena *arena = arena_create();
	struct server s = {.dir = "/tmp/postrider-ipc-XXXXXX"};
	struct ipc_conn *conn;
	pid_t child;

	(void)state;
	assert_non_null(mkdtemp(s.dir));
	snprintf(s.path, sizeof(s.path), "%s/socket", s.dir);
	listen_at(&s);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(answer_slowly(s.listener.fd));
	assert_int_equal(ipc_connect_blocking(s.path, SOON, &conn), IPC_OK);
	assert_int_equal(qmgr_queue_flush_call(conn, &flush, arena, &done, SOON), IPC_OK);
	assert_int_equal(done.count, 7);
	ipc_conn_close(&conn);
	os_close(s.listener.fd);
	arena_destroy(&arena);
	unlink(s.path); /* raw-syscall: test */
	rmdir(s.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_descriptors), cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_pool),	cmocka_unit_test(test_mux),
	    cmocka_unit_test(test_blocking),   cmocka_unit_test(test_gathering),
	    cmocka_unit_test(test_ready),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
