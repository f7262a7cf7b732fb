/* SPDX-License-Identifier: ISC */
/*
 * Sessions of smtpd against the simulated network and clock: scripted clients, a scripted cleanup,
 * many seeds, and an end of the connection after every byte. Afterwards: the session has ended, no
 * descriptor is left (sim_runs), nothing half is committed, and who heard 250 has a committed
 * message.
 */
#define SIM_RUNS 500
#include "unit.h"

#include "ipc/cleanup.h"
#include "sim_runs.h"
#include "smtpd_world.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define SOON os_deadline(4000 * OS_SECOND)
#define CLEANUP_PATH "public/cleanup"

/* ---- the scripted cleanup */

enum temper { CLEANUP_KIND, CLEANUP_FULL, CLEANUP_DIES, CLEANUP_REFUSES };

struct cleanup {
	enum temper temper;
	unsigned begun, ended; /* envelopes */
	unsigned committed;
	unsigned rcpts;
	struct buffer content; /* of the message under way */
	struct buffer last;    /* of the one committed last */
	char sender[100];
	bool in_message;
	struct fiber_fd listener;
	struct fiber *acceptor;
};

static struct cleanup cleanup;

static void end_message(void)
{
	cleanup.ended += cleanup.in_message;
	cleanup.in_message = false;
}

static enum ipc_status begin(struct ipc_conn *conn, struct ipc_frame *frame, struct arena *arena)
{
	struct cleanup_envelope_begin m;
	struct cleanup_envelope_begun begun = {.queue_id = SL("4TestTest")};

	assert_false(cleanup.in_message);
	assert_true(cleanup_envelope_begin_decode(frame, arena, &m));
	snprintf(cleanup.sender, sizeof(cleanup.sender), "%.*s", SL_ARG(m.sender));
	buffer_reset(&cleanup.content);
	cleanup.rcpts = 0;
	if (cleanup.temper == CLEANUP_FULL)
		begun = (struct cleanup_envelope_begun){.outcome = CLEANUP_OUTCOME_TEMP,
							.code = 452,
							.dsn = SL("4.3.1"),
							.text = SL("Insufficient system storage")};
	/* refused or not, it lasts until its commit or abort */
	cleanup.in_message = true;
	cleanup.begun++;
	/* as the real one does, or one by one */
	return sim_random(2) ? cleanup_envelope_begun_add(conn, &begun)
			     : cleanup_envelope_begun_send(conn, &begun, SOON);
}

static enum ipc_status commit(struct ipc_conn *conn)
{
	struct cleanup_envelope_result result = {.code = 250, .dsn = SL("2.0.0")};

	assert_true(cleanup.in_message);
	if (cleanup.temper == CLEANUP_REFUSES || cleanup.temper == CLEANUP_FULL) {
		result = (struct cleanup_envelope_result){.outcome = CLEANUP_OUTCOME_PERM,
							  .code = 550,
							  .dsn = SL("5.7.1"),
							  .text = SL("not that")};
	} else {
		cleanup.committed++;
		buffer_reset(&cleanup.last);
		buffer_append(&cleanup.last, buffer_slice(&cleanup.content));
	}
	end_message();
	return cleanup_envelope_result_send(conn, &result, SOON);
}

static enum ipc_status handle(struct ipc_conn *conn, struct ipc_frame *frame, struct arena *arena)
{
	struct cleanup_envelope_rcpt rcpt;
	struct cleanup_content content;

	switch (frame->type) {
	case CLEANUP_ENVELOPE_BEGIN:
		return begin(conn, frame, arena);
	case CLEANUP_ENVELOPE_RCPT:
		assert_true(cleanup_envelope_rcpt_decode(frame, arena, &rcpt));
		cleanup.rcpts++;
		return IPC_OK;
	case CLEANUP_CONTENT:
		assert_true(cleanup_content_decode(frame, NULL, &content));
		buffer_append(&cleanup.content, content.data);
		return IPC_OK;
	case CLEANUP_ENVELOPE_COMMIT:
		return commit(conn);
	case CLEANUP_ENVELOPE_ABORT:
		end_message();
		return IPC_OK;
	}
	return IPC_GARBAGE;
}

static void cleanup_connection(void *arg)
{
	struct ipc_conn *conn = ipc_conn_create((int)(intptr_t)arg);
	struct arena *arena = arena_create();
	struct ipc_frame frame;

	while (ipc_receive(conn, &frame, OS_NEVER) == IPC_OK) {
		if (cleanup.temper == CLEANUP_DIES && sim_random(3) == 0)
			break;
		if (handle(conn, &frame, arena) != IPC_OK)
			break;
	}
	/* a connection that ends takes its message with it */
	end_message();
	arena_destroy(&arena);
	ipc_conn_close(&conn);
}

static void cleanup_accept(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = fiber_accept(&cleanup.listener, NULL, OS_NEVER, "smtpd")) >= 0)
		fiber_spawn("cleanup connection", cleanup_connection, (void *)(intptr_t)fd);
	fiber_fd_close(&cleanup.listener);
}

static void cleanup_start(enum temper temper)
{
	struct os_addr addr = {.len = 0};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	buffer_free(&cleanup.content);
	buffer_free(&cleanup.last);
	cleanup = (struct cleanup){.temper = temper};
	buffer_init(&cleanup.content, 1 << 20);
	buffer_init(&cleanup.last, 1 << 20);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, CLEANUP_PATH, sizeof(CLEANUP_PATH));
	addr.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(CLEANUP_PATH));
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 10), 0);
	fiber_fd_init_listener(&cleanup.listener, fd);
	cleanup.acceptor = fiber_spawn_joinable("cleanup", cleanup_accept, NULL);
	assert_non_null(cleanup.acceptor);
}

static void cleanup_stop(void)
{
	fiber_cancel(cleanup.acceptor);
	assert_int_equal(fiber_join(cleanup.acceptor, SOON, "cleanup's end"), 0);
}

/* ---- one session, with a client at the other end */

struct run {
	struct world *world;
	int server_fd;
	struct fiber *session;
	bool session_over;
	unsigned heard_queued; /* replies "250 ... queued as" */
	struct buffer heard;
	int client_fd;
	bool timed_out; /* the log says so */
};

static void session_fiber(void *arg)
{
	struct run *run = arg;
	struct os_addr peer = {.len = sizeof(struct sockaddr_in)};
	struct sockaddr_in *sin = (struct sockaddr_in *)&peer.ss;

	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(0xc0000207); /* 192.0.2.7: in mynetworks */
	sin->sin_port = htons(1234);
	session_serve(&run->world->smtpd, run->server_fd, &peer, NULL);
	run->session_over = true;
}

/* listen_fiber - what the server says, to the end. */
static void listen_fiber(void *arg)
{
	struct run *run = arg;
	struct fiber_fd *fd = calloc(1, sizeof(*fd));
	char bytes[512];
	ssize_t n;

	fiber_fd_init(fd, run->client_fd);
	while ((n = fiber_recv(fd, bytes, sizeof(bytes), SOON, "replies")) > 0)
		buffer_append(&run->heard, slice(bytes, (size_t)n));
	run->client_fd = fiber_fd_release(fd);
	free(fd);
}

static unsigned count(struct slice text, struct slice part)
{
	unsigned n = 0;
	ssize_t at;

	while ((at = slice_search(text, part)) >= 0) {
		text = slice_from(text, (size_t)at + part.n);
		n++;
	}
	return n;
}

/* talk - send all of `script` as the network takes it, whatever the replies are, then wait or hang
 * up. */
static void talk(struct run *run, struct slice script, bool hang_up)
{
	struct fiber *listener = fiber_spawn_joinable("listener", listen_fiber, run);
	struct slice rest = script;

	while (rest.n > 0) {
		size_t piece = 1 + (size_t)sim_random(60);
		ssize_t n;

		if (piece > rest.n)
			piece = rest.n;
		n = os_send(run->client_fd, rest.p, piece, 0);
		if (n <= 0) {
			if (n < 0 && errno == EAGAIN && !run->session_over) {
				fiber_sleep(os_deadline(OS_MILLISECOND), "room");
				continue;
			}
			break;
		}
		rest = slice_from(rest, (size_t)n);
		if (sim_random(3) == 0)
			fiber_sleep(os_deadline((int64_t)sim_random(2000)), "pause");
	}
	if (hang_up)
		os_shutdown(run->client_fd, SHUT_WR);
	while (fiber_join(listener, SOON, "listener") != 0)
		;
}

static void run_begin(struct run *run, const char *main_cf, enum temper temper)
{
	int fds[2];

	*run = (struct run){.world = world_open(main_cf)};
	assert_true(run->world->open);
	buffer_init(&run->heard, 1 << 20);
	cleanup_start(temper);
	run->world->smtpd.cleanup = ipc_client_create(CLEANUP_PATH, 5);
	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	run->server_fd = fds[0];
	run->client_fd = fds[1];
	run->session = fiber_spawn_joinable("session", session_fiber, run);
}

static void run_end(struct run *run)
{
	os_socket_close(run->client_fd);
	assert_int_equal(fiber_join(run->session, SOON, "session"), 0);
	assert_true(run->session_over);
	assert_int_equal(map_count(run->world->smtpd.clients), 0);
	if (getenv("SIM_SEED") != NULL)
		fprintf(stderr, "%.*s----\n%.*s", SL_ARG(buffer_slice(&run->heard)),
			SL_ARG(world_log()));
	run->timed_out = world_logged("timeout after ");
	run->heard_queued = count(buffer_slice(&run->heard), SL("queued as"));
	world_close(run->world);
	/* the pool is closed: cleanup sees the end of every connection */
	for (int i = 0; i < 100 && cleanup.begun != cleanup.ended; i++)
		fiber_sleep(os_deadline(OS_SECOND), "cleanup");
	assert_int_equal(cleanup.begun, cleanup.ended);
	/* 250 only for what is committed */
	assert_true(run->heard_queued <= cleanup.committed);
	buffer_free(&run->heard);
}

#define ENVELOPE "EHLO c.test\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<alice@here.test>\r\n"
#define BODY "Subject: x\r\n\r\n..dot\r\nlast line\r\n"
#define STORED "Subject: x\r\n\r\n.dot\r\nlast line\r\n"
#define BY_DATA ENVELOPE "DATA\r\n" BODY ".\r\n"
#define BY_BDAT ENVELOPE "BDAT 12\r\nSubject: x\r\nBDAT 19 LAST\r\n\r\n.dot\r\nlast line\r\n"

static const struct sim_fault no_fault = SIM_FAULT_NONE;

/* whole - committed content is what was sent, or nothing is committed. */
static void assert_whole(void)
{
	assert_true(cleanup.committed <= 1);
	if (cleanup.committed == 1) {
		assert_int_equal(cleanup.rcpts, 1);
		assert_string_equal(cleanup.sender, "a@c.test");
		assert_true(slice_eq(buffer_slice(&cleanup.last), SL(STORED)));
	}
}

/* exchange - one message by one road; an end after `cut` bytes of the client (-1: none). */
static void exchange(struct slice script, int64_t cut, enum temper temper)
{
	struct sim_fault fault = no_fault;
	struct run run;

	run_begin(&run, "", temper);
	fault.reset_after = cut;
	sim_set_fault(run.client_fd, &fault);
	talk(&run, script, true);
	run_end(&run);
	assert_whole();
	if (cut >= 0 && cut < (int64_t)script.n)
		assert_int_equal(cleanup.committed, 0);
	if (cut < 0 && temper == CLEANUP_KIND) {
		assert_int_equal(cleanup.committed, 1);
		assert_int_equal(run.heard_queued, 1);
	}
	if (temper == CLEANUP_FULL || temper == CLEANUP_REFUSES)
		assert_int_equal(run.heard_queued, 0);
	cleanup_stop();
}

static struct slice any_script(void)
{
	return sim_random(2) ? SL(BY_DATA) : SL(BY_BDAT);
}

static void accepted(void *arg)
{
	(void)arg;
	exchange(any_script(), -1, CLEANUP_KIND);
}

static void cut_somewhere(void *arg)
{
	struct slice script = any_script();

	(void)arg;
	exchange(script, (int64_t)sim_random(script.n), CLEANUP_KIND);
}

static void with_a_bad_cleanup(void *arg)
{
	static const enum temper tempers[] = {CLEANUP_FULL, CLEANUP_DIES, CLEANUP_REFUSES};
	struct slice script = any_script();

	(void)arg;
	exchange(script, sim_random(4) == 0 ? (int64_t)sim_random(script.n) : -1,
		 tempers[sim_random(3)]);
}

/* silence_somewhere - the client's bytes vanish: the session ends by its timeout. */
static void silence_somewhere(void *arg)
{
	struct slice script = any_script();
	struct sim_fault fault = no_fault;
	struct run run;
	int64_t begun = os_now();

	(void)arg;
	run_begin(&run, "smtpd_timeout = 30s\n", CLEANUP_KIND);
	fault.hole_after = (int64_t)sim_random(script.n);
	sim_set_fault(run.client_fd, &fault);
	talk(&run, script, false);
	run_end(&run);
	assert_true(run.timed_out);
	assert_true(os_now() - begun < 600 * OS_SECOND);
	assert_int_equal(cleanup.committed, 0);
	cleanup_stop();
}

struct canceller {
	uint64_t id;
	int64_t at;
};

static void cancel_fiber(void *arg)
{
	struct canceller *c = arg;
	struct fiber *f;

	fiber_sleep(c->at, "moment");
	f = fiber_find(c->id);
	if (f != NULL)
		fiber_cancel(f);
}

/* cancelled_somewhere - the process wants to end now, whatever the session waits for. */
static void cancelled_somewhere(void *arg)
{
	struct canceller c;
	struct fiber *f;
	struct run run;

	(void)arg;
	run_begin(&run, "", CLEANUP_KIND);
	c = (struct canceller){fiber_id(run.session), os_deadline((int64_t)sim_random(60000))};
	f = fiber_spawn_joinable("canceller", cancel_fiber, &c);
	talk(&run, any_script(), sim_random(2) == 0);
	run_end(&run);
	assert_int_equal(fiber_join(f, SOON, "canceller"), 0);
	assert_whole();
	cleanup_stop();
}

#define SIMULATED_TEST(name, scenario) \
	static void name(void **state) \
	{                              \
		(void)state;           \
		sim_runs(scenario);    \
	}

SIMULATED_TEST(a_message_is_accepted, accepted)
SIMULATED_TEST(a_connection_ends_anywhere, cut_somewhere)
SIMULATED_TEST(cleanup_is_full_or_dies_or_refuses, with_a_bad_cleanup)
SIMULATED_TEST(a_client_falls_silent_anywhere, silence_somewhere)
SIMULATED_TEST(a_session_is_cancelled_anywhere, cancelled_somewhere)

static int64_t cut_at;

static void cut_here(void *arg)
{
	(void)arg;
	exchange(SL(BY_DATA), cut_at, CLEANUP_KIND);
}

static void cut_here_bdat(void *arg)
{
	(void)arg;
	exchange(SL(BY_BDAT), cut_at, CLEANUP_KIND);
}

/* a disconnect at every byte, and so at every wait of the session */
static void a_connection_ends_everywhere(void **state)
{
	(void)state;
	for (cut_at = 0; cut_at < (int64_t)sizeof(BY_DATA) - 1; cut_at++) {
		sim_init((uint64_t)cut_at + 1);
		assert_int_equal(fibers_run(NULL, cut_here, NULL), 0);
		assert_int_equal(sim_end(), 0);
	}
	for (cut_at = 0; cut_at < (int64_t)sizeof(BY_BDAT) - 1; cut_at++) {
		sim_init((uint64_t)cut_at + 1);
		assert_int_equal(fibers_run(NULL, cut_here_bdat, NULL), 0);
		assert_int_equal(sim_end(), 0);
	}
}

static int free_buffers(void **state)
{
	(void)state;
	buffer_free(&cleanup.content);
	buffer_free(&cleanup.last);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_message_is_accepted),
	    cmocka_unit_test(a_connection_ends_everywhere),
	    cmocka_unit_test(a_connection_ends_anywhere),
	    cmocka_unit_test(cleanup_is_full_or_dies_or_refuses),
	    cmocka_unit_test(a_client_falls_silent_anywhere),
	    cmocka_unit_test(a_session_is_cancelled_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, free_buffers);
}
