/* SPDX-License-Identifier: ISC */
/* A message on its way to a scripted cleanup: in one piece, in many, to one that goes away. */
#include "unit.h"

#include "daemon/intake.h"
#include "os/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define SOON os_deadline(5 * OS_SECOND)

/* The connection ends before the frame is looked at, UNREAD: or read; SILENT: nothing is said from then on. */
enum moment { NEVER, UNREAD, AT_BEGIN, AT_CONTENT, SILENT_AT_COMMIT };

static struct {
	char dir[64];
	char path[96];
	struct fiber_fd listener;
	struct fiber *acceptor;
	enum moment moment;
	unsigned trouble; /* so many times */
	bool full;	  /* refuses envelopes */
	unsigned connections, begins, rcpts, commits, aborts;
	unsigned quiet; /* replies of which the client knew nothing when the commit came */
	struct buffer content;
} cleanup;

static bool strikes(enum moment moment)
{
	if (cleanup.moment != moment || cleanup.trouble == 0)
		return false;
	cleanup.trouble--;
	return true;
}

static enum ipc_status begin(struct ipc_conn *conn)
{
	struct cleanup_envelope_begun begun = {.queue_id = SL("4Test")};

	if (strikes(AT_BEGIN))
		return IPC_END;
	cleanup.begins++;
	cleanup.rcpts = 0;
	buffer_reset(&cleanup.content);
	if (cleanup.full)
		begun = (struct cleanup_envelope_begun){.outcome = CLEANUP_OUTCOME_TEMP,
							.code = 452,
							.dsn = SL("4.3.1"),
							.text = SL("full")};
	return cleanup_envelope_begun_add(conn, &begun);
}

static enum ipc_status commit(struct ipc_conn *conn)
{
	struct cleanup_envelope_result result = {.code = 250, .dsn = SL("2.0.0")};

	if (strikes(SILENT_AT_COMMIT)) {
		fiber_sleep(os_deadline(100 * OS_MILLISECOND), "silence");
	} else {
		/* not clean: the reply to the envelope has not left */
		cleanup.quiet += !ipc_conn_clean(conn);
		cleanup.commits += !cleanup.full;
	}
	if (cleanup.full)
		result = (struct cleanup_envelope_result){
		    .outcome = CLEANUP_OUTCOME_TEMP, .code = 452, .dsn = SL("4.3.1")};
	return cleanup_envelope_result_send(conn, &result, SOON);
}

static enum ipc_status handle(struct ipc_conn *conn, struct ipc_frame *frame)
{
	struct cleanup_content content;

	switch (frame->type) {
	case CLEANUP_ENVELOPE_BEGIN:
		return begin(conn);
	case CLEANUP_ENVELOPE_RCPT:
		cleanup.rcpts++;
		return IPC_OK;
	case CLEANUP_CONTENT:
		if (strikes(AT_CONTENT))
			return IPC_END;
		assert_true(cleanup_content_decode(frame, NULL, &content));
		assert_true(buffer_append(&cleanup.content, content.data));
		return IPC_OK;
	case CLEANUP_ENVELOPE_COMMIT:
		return commit(conn);
	case CLEANUP_ENVELOPE_ABORT:
		cleanup.aborts++;
		return IPC_OK;
	}
	return IPC_GARBAGE;
}

static void serve(void *arg)
{
	struct ipc_conn *conn = ipc_conn_create((int)(intptr_t)arg);
	struct ipc_frame frame;

	if (strikes(UNREAD))
		fiber_sleep(os_deadline(20 * OS_MILLISECOND), "bytes that stay unread");
	else
		while (ipc_receive(conn, &frame, OS_NEVER) == IPC_OK &&
		       handle(conn, &frame) == IPC_OK)
			;
	ipc_conn_close(&conn);
}

static void accept_all(void *arg)
{
	int fd;

	(void)arg;
	while ((fd = fiber_accept(&cleanup.listener, NULL, OS_NEVER, "accept")) >= 0) {
		cleanup.connections++;
		assert_non_null(fiber_spawn("cleanup", serve, (void *)(intptr_t)fd));
	}
	fiber_fd_close(&cleanup.listener);
}

static void start_cleanup(void)
{
	struct os_addr addr = {.len = sizeof(struct sockaddr_un)};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;
	int fd = os_socket(AF_UNIX, SOCK_STREAM, 0);

	memset(&cleanup, 0, sizeof(cleanup));
	buffer_init(&cleanup.content, 1 << 20);
	strcpy(cleanup.dir, "/tmp/postrider-intake-XXXXXX");
	assert_non_null(mkdtemp(cleanup.dir));
	snprintf(cleanup.path, sizeof(cleanup.path), "%s/socket", cleanup.dir);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, cleanup.path);
	assert_int_equal(os_bind(fd, &addr), 0);
	assert_int_equal(os_listen(fd, 64), 0);
	fiber_fd_init(&cleanup.listener, fd);
	cleanup.acceptor = fiber_spawn_joinable("accepting", accept_all, NULL);
	assert_non_null(cleanup.acceptor);
}

static void stop_cleanup(void)
{
	fiber_cancel(cleanup.acceptor);
	assert_int_equal(fiber_join(cleanup.acceptor, SOON, "server"), 0);
	unlink(cleanup.path); /* raw-syscall: test */
	rmdir(cleanup.dir);
}

/* until_aborts - what is not answered takes its time. */
static void until_aborts(unsigned n)
{
	for (int i = 0; i < 1000 && cleanup.aborts < n; i++)
		fiber_sleep(os_deadline(OS_MILLISECOND), "abort");
	assert_int_equal(cleanup.aborts, n);
}

static struct intake *begin_message(struct ipc_client *client)
{
	struct cleanup_envelope_begin envelope = {.sender = SL("a@x.test")};
	struct cleanup_envelope_rcpt rcpt = {.address = SL("b@y.test")};
	struct intake_result failure;
	struct intake *in;

	assert_int_equal(intake_begin(client, &envelope, SOON, &in, &failure), RES_OK);
	assert_true(slice_is_null(intake_id(in)));
	intake_recipient(in, &rcpt, SOON);
	intake_recipient(in, &rcpt, SOON);
	return in;
}

/* fill - bytes of its own at each place. */
static struct slice fill(char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)((i * 31 + i / 251) % 255);
	return slice(bytes, n);
}

/* send_message - `open`: ask for the queue id before the content. */
static struct intake_result send_message(struct ipc_client *client, size_t size, size_t piece, bool open)
{
	static char bytes[400000];
	struct slice all = fill(bytes, size);
	struct intake *in = begin_message(client);
	struct intake_result result;
	bool silence = cleanup.moment == SILENT_AT_COMMIT && cleanup.trouble > 0;

	if (open)
		intake_open(in, SOON, NULL);
	for (struct slice left = all; left.n > 0; left = slice_from(left, piece))
		intake_content(in, slice_sub(left, 0, piece), SOON);
	if (intake_commit(in, silence ? os_deadline(50 * OS_MILLISECOND) : SOON, &result) == RES_OK) {
		assert_slice(intake_id(in), "4Test");
		assert_int_equal(cleanup.rcpts, 2);
		assert_true(slice_eq(buffer_slice(&cleanup.content), all));
	}
	intake_end(&in);
	assert_null(in);
	return result;
}

static void sizes(struct ipc_client *client)
{
	static const size_t list[] = {0, 1, 4000, 65535, 65536, 65537, 131072, 300000};
	static const size_t pieces[] = {977, 65536, 100000};
	unsigned sent = 0;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++) {
			unsigned before = cleanup.quiet;

			assert_int_equal(send_message(client, list[i], pieces[j], false).code, 250);
			assert_int_equal(cleanup.commits, ++sent);
			/* what fits a chunk came whole, and was answered whole */
			assert_int_equal(cleanup.quiet - before, list[i] <= INTAKE_CHUNK);
		}
	assert_int_equal(send_message(client, 4000, 4000, true).code, 250);
	assert_int_equal(send_message(client, 300000, 4000, true).code, 250);
	assert_int_equal(cleanup.connections, 1);
}

/* many_recipients - more than is gathered go on their way before the content. */
static void many_recipients(struct ipc_client *client)
{
	struct cleanup_envelope_rcpt rcpt = {.address = SL("a.rather.long.name@a.rather.long.domain.test")};
	struct intake *in = begin_message(client);
	struct intake_result result;

	for (unsigned i = 0; i < 5000; i++)
		intake_recipient(in, &rcpt, SOON);
	assert_slice(intake_id(in), "4Test");
	assert_int_equal(intake_commit(in, SOON, &result), RES_OK);
	assert_int_equal(cleanup.rcpts, 5002);
	intake_end(&in);
}

static void trouble(enum moment moment, unsigned times)
{
	cleanup.moment = moment;
	cleanup.trouble = times;
	cleanup.commits = cleanup.begins = cleanup.connections = 0;
}

/* expect - of a client that has no connection yet. */
static void expect(enum moment moment, unsigned times, bool open, int code)
{
	struct ipc_client *client = ipc_client_create(cleanup.path, 2);

	trouble(moment, times);
	assert_int_equal(send_message(client, 4000, 4000, open).code, code);
	assert_int_equal(cleanup.commits, code == 250);
	assert_int_equal(cleanup.trouble, 0);
	ipc_client_destroy(&client);
}

/*
 * A connection that ends before cleanup has spoken costs nobody anything, nor does a second one; a third does.
 * Nothing is said twice that cleanup has read to its end, the commit included.
 */
static void stale_connections(void)
{
	for (int open = 0; open < 2; open++) {
		expect(UNREAD, 1, open, 250);
		expect(UNREAD, 2, open, 250);
		expect(UNREAD, 3, open, 451);
		expect(AT_BEGIN, 1, open, open ? 250 : 451);
	}
}

/* Once the envelope was answered, nothing is said twice. */
static void death_in_the_middle(struct ipc_client *client)
{
	trouble(AT_CONTENT, 1);
	assert_int_equal(send_message(client, 4000, 4000, true).code, 451);
	assert_int_equal(cleanup.begins, 1);
	assert_int_equal(cleanup.commits, 0);
	assert_int_equal(send_message(client, 4000, 4000, true).code, 250);
}

/* A result that comes too late must not be taken for the next message's. */
static void late_result(struct ipc_client *client)
{
	trouble(SILENT_AT_COMMIT, 1);
	assert_int_equal(send_message(client, 4000, 4000, false).code, 451);
	cleanup.full = true;
	assert_int_equal(send_message(client, 4000, 4000, false).code, 452);
	cleanup.full = false;
	fiber_sleep(os_deadline(150 * OS_MILLISECOND), "late result");
	assert_int_equal(send_message(client, 4000, 4000, false).code, 250);
}

static void refused_envelopes(struct ipc_client *client)
{
	struct intake_result result;
	struct intake *in;

	assert_int_equal(send_message(client, 1, 1, false).code, 250);
	trouble(NEVER, 0);
	cleanup.full = true;
	assert_int_equal(send_message(client, 4000, 4000, false).code, 452);
	assert_int_equal(send_message(client, 300000, 4000, false).code, 452);
	in = begin_message(client);
	assert_int_equal(intake_open(in, SOON, &result), RES_TEMP);
	assert_int_equal(result.code, 452);
	assert_slice(result.text, "full");
	assert_true(intake_failed(in));
	assert_true(slice_is_null(intake_id(in)));
	assert_int_equal(intake_open(in, SOON, &result), RES_TEMP);
	intake_end(&in);
	cleanup.full = false;
	assert_int_equal(send_message(client, 4000, 4000, false).code, 250);
	/* nothing of it took a new connection */
	assert_int_equal(cleanup.connections, 0);
}

static void given_up(struct ipc_client *client)
{
	struct intake *in = begin_message(client);

	/* of what was not sent, cleanup hears nothing */
	trouble(NEVER, 0);
	cleanup.aborts = 0;
	intake_content(in, SL("x"), SOON);
	intake_end(&in);
	in = begin_message(client);
	assert_int_equal(intake_open(in, SOON, NULL), RES_OK);
	assert_slice(intake_id(in), "4Test");
	intake_end(&in);
	until_aborts(1);
	assert_int_equal(cleanup.begins, 1);
	assert_int_equal(send_message(client, 4000, 4000, false).code, 250);
	assert_int_equal(cleanup.connections, 0);
}

static void nobody_there(void)
{
	struct ipc_client *client = ipc_client_create("/nonexistent/socket", 2);
	struct cleanup_envelope_begin envelope = {.sender = SL("a@x.test")};
	struct intake_result failure;
	struct intake *in;

	assert_int_equal(intake_begin(client, &envelope, SOON, &in, &failure), RES_TEMP);
	assert_null(in);
	assert_int_equal(failure.code, 451);
	ipc_client_destroy(&client);
}

static void intake_main(void *arg)
{
	struct ipc_client *client;

	(void)arg;
	start_cleanup();
	client = ipc_client_create(cleanup.path, 2);
	sizes(client);
	many_recipients(client);
	stale_connections();
	death_in_the_middle(client);
	late_result(client);
	refused_envelopes(client);
	given_up(client);
	nobody_there();
	ipc_client_destroy(&client);
	stop_cleanup();
	buffer_free(&cleanup.content);
}

static void test_intake(void **state)
{
	(void)state;
	assert_int_equal(fibers_run(NULL, intake_main, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_intake)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
