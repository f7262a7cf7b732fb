/* SPDX-License-Identifier: ISC */
/*
 * test_stream - buffered streams. Linked twice: with the kernel, and with the simulated network,
 * where every test runs under many seeds.
 */
#include "unit.h"

#include "fiber/stream.h"
#include "sim_runs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SOON os_deadline(600 * OS_SECOND)

struct pair {
	struct stream a, b;
};

static void open_pair(struct pair *p)
{
	int fds[2];

	assert_int_equal(os_socketpair(SOCK_STREAM, fds), 0);
	stream_init(&p->a, fds[0]);
	stream_init(&p->b, fds[1]);
}

static void close_pair(struct pair *p)
{
	(void)stream_close(&p->a, 0);
	(void)stream_close(&p->b, 0);
}

/* ---- a dialogue: commands in, one reply each */

#define COMMANDS 20

static void answer(void *arg)
{
	struct stream *s = arg;
	enum stream_line_end end;
	struct slice line;
	int count = 0;

	while (stream_read_line(s, 100, SOON, &line, &end) == STREAM_OK) {
		assert_int_equal(end, count % 3 == 0 ? LINE_LF : LINE_CRLF);
		assert_int_equal(stream_printf(s, SOON, "250 %.*s\r\n", SL_ARG(line)), STREAM_OK);
		count++;
	}
	assert_int_equal(count, COMMANDS);
	assert_int_equal(stream_flush(s, SOON), STREAM_OK);
	assert_int_equal(os_shutdown(s->fd.fd, SHUT_WR), 0);
}

static void dialogue(void *arg)
{
	struct pair p;
	struct fiber *f;
	enum stream_line_end end;
	struct slice line;
	char want[40];

	(void)arg;
	open_pair(&p);
	f = fiber_spawn_joinable("server", answer, &p.b);
	for (int i = 0; i < COMMANDS; i++)
		assert_int_equal(stream_printf(&p.a, SOON, "NOOP %d%s\n", i, i % 3 == 0 ? "" : "\r"),
				 STREAM_OK);
	for (int i = 0; i < COMMANDS; i++) {
		assert_int_equal(stream_read_line(&p.a, 100, SOON, &line, &end), STREAM_OK);
		assert_int_equal(end, LINE_CRLF);
		(void)snprintf(want, sizeof(want), "250 NOOP %d", i);
		assert_true(slice_eq(line, slice_str(want)));
	}
	assert_int_equal(os_shutdown(p.a.fd.fd, SHUT_WR), 0);
	assert_int_equal(stream_read_line(&p.a, 100, SOON, &line, &end), STREAM_EOF);
	assert_int_equal(line.n, 0);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	/* an idle stream holds no memory */
	assert_null(p.a.in);
	assert_null(p.a.out);
	close_pair(&p);
}

static void pipelined_commands_get_their_replies(void **state)
{
	(void)state;
	sim_runs(dialogue);
}

/* ---- lines: limits, odd ends */

static void send_odd_lines(void *arg)
{
	struct stream *s = arg;
	char longest[300];

	memset(longest, 'x', sizeof(longest));
	assert_int_equal(stream_write(s, slice(longest, 10), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, SL("\r\n"), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, slice(longest, 11), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, SL("\r\nab\0c\rd\n\r\n\n\r\r\n"), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, slice(longest, 300), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, SL("\nlast"), SOON), STREAM_OK);
	assert_int_equal(stream_close(s, SOON), STREAM_OK);
}

#define EXPECT_LINE(text, ending)                                                            \
	do {                                                                                 \
		assert_int_equal(stream_read_line(&p.a, 10, SOON, &line, &end), STREAM_OK);  \
		assert_slice(line, text);                                                    \
		assert_int_equal(end, ending);                                               \
	} while (0)

static void odd_lines(void *arg)
{
	struct pair p;
	struct fiber *f;
	enum stream_line_end end;
	struct slice line;

	(void)arg;
	open_pair(&p);
	f = fiber_spawn_joinable("sender", send_odd_lines, &p.b);
	EXPECT_LINE("xxxxxxxxxx", LINE_CRLF);
	assert_int_equal(stream_read_line(&p.a, 10, SOON, &line, &end), STREAM_TOO_LONG);
	assert_slice(line, "xxxxxxxxxx");
	EXPECT_LINE("x", LINE_CRLF);
	EXPECT_LINE("ab\0c\rd", LINE_LF);
	EXPECT_LINE("", LINE_CRLF);
	EXPECT_LINE("", LINE_LF);
	EXPECT_LINE("\r", LINE_CRLF);
	assert_int_equal(stream_read_line(&p.a, 10, SOON, &line, &end), STREAM_TOO_LONG);
	assert_int_equal(stream_skip_line(&p.a, SOON), STREAM_OK);
	assert_int_equal(stream_read_line(&p.a, 10, SOON, &line, &end), STREAM_EOF);
	assert_slice(line, "last");
	assert_int_equal(end, LINE_OPEN);
	assert_int_equal(p.a.bytes_in, 12 + 13 + 7 + 2 + 1 + 3 + 301 + 4);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	close_pair(&p);
}

static void lines_end_as_they_end(void **state)
{
	(void)state;
	sim_runs(odd_lines);
}

/* ---- bulk, and a file */

#define BULK 150000

static void make_bulk(char *p)
{
	for (size_t i = 0; i < BULK; i++)
		p[i] = (char)(i * 2654435761u >> 13);
}

static void send_bulk(void *arg)
{
	struct stream *s = arg;
	char *bulk = malloc(BULK), name[] = "/tmp/test_stream.XXXXXX";
	int file = mkstemp(name);
	size_t at = 0;

	assert_true(file >= 0);
	(void)unlink(name);
	make_bulk(bulk);
	assert_int_equal(write(file, bulk, BULK), BULK);
	for (size_t n = 1; at + n < BULK; at += n, n = n * 3 % 7001)
		assert_int_equal(stream_write(s, slice(bulk + at, n), SOON), STREAM_OK);
	assert_int_equal(stream_write(s, slice(bulk + at, BULK - at), SOON), STREAM_OK);
	assert_int_equal(stream_sendfile(s, file, 1000, BULK - 1000, SOON), STREAM_OK);
	assert_int_equal(stream_sendfile(s, file, BULK - 5, 10, SOON), STREAM_ERROR);
	assert_int_equal(s->error, EIO);
	assert_int_equal(stream_close(s, SOON), STREAM_OK);
	close(file);
	free(bulk);
}

static void expect_bulk(struct stream *s, const char *bulk, size_t n)
{
	char *got = malloc(n);
	size_t count;

	assert_int_equal(stream_read_full(s, got, n, SOON, &count), STREAM_OK);
	assert_int_equal(count, n);
	assert_memory_equal(got, bulk, n);
	free(got);
}

static void bulky(void *arg)
{
	char *bulk = malloc(BULK);
	struct pair p;
	struct fiber *f;
	struct slice rest;

	(void)arg;
	make_bulk(bulk);
	open_pair(&p);
	f = fiber_spawn_joinable("sender", send_bulk, &p.b);
	expect_bulk(&p.a, bulk, BULK);
	expect_bulk(&p.a, bulk + 1000, BULK - 1000);
	expect_bulk(&p.a, bulk + BULK - 5, 5);
	assert_int_equal(stream_peek(&p.a, SOON, &rest), STREAM_EOF);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	close_pair(&p);
	free(bulk);
}

static void bulk_arrives_whole(void **state)
{
	(void)state;
	sim_runs(bulky);
}

/* ---- deadlines, read-ahead */

static void say_late(void *arg)
{
	struct stream *s = arg;

	assert_int_equal(stream_write(s, SL("hal"), SOON), STREAM_OK);
	assert_int_equal(stream_flush(s, SOON), STREAM_OK);
	assert_int_equal(fiber_sleep(os_deadline(200 * OS_MILLISECOND), "dawdle"), 0);
	assert_int_equal(stream_write(s, SL("f\r\nSTARTTLS\r\nMAIL FROM:<evil>\r\n"), SOON),
			 STREAM_OK);
	assert_int_equal(stream_flush(s, SOON), STREAM_OK);
}

static void patience(void *arg)
{
	struct pair p;
	struct fiber *f;
	enum stream_line_end end;
	struct slice line;

	(void)arg;
	open_pair(&p);
	assert_false(stream_pending_input(&p.a));
	f = fiber_spawn_joinable("late", say_late, &p.b);
	assert_int_equal(stream_read_line(&p.a, 50, os_deadline(100 * OS_MILLISECOND), &line, &end),
			 STREAM_TIMEOUT);
	assert_int_equal(line.n, 0);
	assert_int_equal(stream_read_line(&p.a, 50, SOON, &line, &end), STREAM_OK);
	assert_slice(line, "half");
	assert_int_equal(stream_read_line(&p.a, 50, SOON, &line, &end), STREAM_OK);
	assert_slice(line, "STARTTLS");
	/* what was pipelined behind it may still be on its way */
	assert_int_equal(fiber_sleep(os_deadline(100 * OS_MILLISECOND), "let it come"), 0);
	assert_true(stream_pending_input(&p.a));
	while (stream_pending_input(&p.a))
		assert_true(stream_discard_input(&p.a) > 0);
	assert_int_equal(stream_buffered(&p.a), 0);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	close_pair(&p);
}

static void deadlines_hold_and_read_ahead_is_found(void **state)
{
	(void)state;
	sim_runs(patience);
}

/* ---- cancellation and a peer that is gone */

static void read_until_cancelled(void *arg)
{
	enum stream_line_end end;
	struct slice line;

	assert_int_equal(stream_read_line(arg, 50, OS_NEVER, &line, &end), STREAM_CANCELLED);
}

static void write_until_cancelled(void *arg)
{
	static const char zeroes[10000];
	enum stream_status status;

	do
		status = stream_write(arg, slice(zeroes, sizeof(zeroes)), OS_NEVER);
	while (status == STREAM_OK);
	assert_int_equal(status, STREAM_CANCELLED);
}

static void breaking(void *arg)
{
	struct pair p, quiet;
	struct fiber *reader, *writer;
	enum stream_status status;

	(void)arg;
	open_pair(&p);
	open_pair(&quiet);
	reader = fiber_spawn_joinable("reader", read_until_cancelled, &quiet.a);
	writer = fiber_spawn_joinable("writer", write_until_cancelled, &p.b);
	assert_int_equal(fiber_sleep(os_deadline(10 * OS_MILLISECOND), "let them wait"), 0);
	fiber_cancel(reader);
	fiber_cancel(writer);
	assert_int_equal(fiber_join(reader, SOON, "join"), 0);
	assert_int_equal(fiber_join(writer, SOON, "join"), 0);
	assert_int_equal(stream_close(&p.a, 0), STREAM_OK);
	do
		status = stream_flush(&p.b, SOON) == STREAM_OK ? stream_write(&p.b, SL("x"), SOON)
							       : STREAM_ERROR;
	while (status == STREAM_OK);
	assert_true(p.b.error == EPIPE || p.b.error == ECONNRESET);
	close_pair(&p);
	close_pair(&quiet);
}

static void cancelled_and_broken_streams_say_so(void **state)
{
	(void)state;
	sim_runs(breaking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pipelined_commands_get_their_replies),
	    cmocka_unit_test(lines_end_as_they_end),
	    cmocka_unit_test(bulk_arrives_whole),
	    cmocka_unit_test(deadlines_hold_and_read_ahead_is_found),
	    cmocka_unit_test(cancelled_and_broken_streams_say_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
