/* SPDX-License-Identifier: ISC */
/*
 * test_stream - buffered streams. Linked twice: with the kernel, and with the simulated network,
 * where every test runs under many seeds.
 */
#include "unit.h"

#include "fiber/stream.h"
#include "sim_runs.h"

#include <errno.h>
#include <netinet/in.h>
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

/* ---- whatever the bytes and however they are cut: the same lines */

#define NOISE 3000
#define NOISE_LIMIT 40

static uint64_t noise_state;

static void make_noise(char *p, size_t n)
{
	static const char bytes[] = "a\n\r\0b\r\n.x\n";

	for (size_t i = 0; i < n; i++) {
		noise_state = noise_state * 6364136223846793005u + 1442695040888963407u;
		p[i] = bytes[(noise_state >> 33) % (sizeof(bytes) - 1)];
		/* now and then a stretch without an end */
		if ((noise_state >> 40) % 64 == 0)
			for (size_t run = 60; run > 0 && i + 1 < n; run--)
				p[++i] = 'l';
	}
}

static void send_noise(void *arg)
{
	struct pair *p = arg;
	char noise[NOISE];

	make_noise(noise, NOISE);
	assert_int_equal(stream_write(&p->b, slice(noise, NOISE), SOON), STREAM_OK);
	assert_int_equal(stream_close(&p->b, SOON), STREAM_OK);
}

/* next_line - the contract of stream_read_line, over bytes that are all there. */
static enum stream_status next_line(struct slice *rest, struct slice *line,
				    enum stream_line_end *end)
{
	ssize_t lf = slice_find(*rest, '\n');
	size_t n = lf < 0 ? rest->n : (size_t)lf;
	bool cr = n > 0 && rest->p[n - 1] == '\r';

	*end = LINE_OPEN;
	if (n - cr > NOISE_LIMIT) {
		*line = slice_sub(*rest, 0, NOISE_LIMIT);
		*rest = slice_from(*rest, NOISE_LIMIT);
		return STREAM_TOO_LONG;
	}
	*line = slice_sub(*rest, 0, lf < 0 ? n : n - cr);
	*rest = slice_from(*rest, lf < 0 ? n : n + 1);
	if (lf < 0)
		return STREAM_EOF;
	*end = cr ? LINE_CRLF : LINE_LF;
	return STREAM_OK;
}

static void noise(void *arg)
{
	enum stream_line_end end, want_end;
	enum stream_status status;
	struct slice line, want, rest;
	uint64_t seed = noise_state;
	char expected[NOISE];
	struct pair p;
	struct fiber *f;

	(void)arg;
	make_noise(expected, NOISE);
	noise_state = seed;
	rest = slice(expected, NOISE);
	open_pair(&p);
	f = fiber_spawn_joinable("noise", send_noise, &p);
	do {
		status = stream_read_line(&p.a, NOISE_LIMIT, SOON, &line, &end);
		assert_int_equal(status, next_line(&rest, &want, &want_end));
		assert_int_equal(end, want_end);
		assert_true(slice_eq(line, want));
	} while (status != STREAM_EOF);
	assert_int_equal(p.a.bytes_in, NOISE);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	close_pair(&p);
}

static void any_bytes_make_the_same_lines(void **state)
{
	(void)state;
	sim_runs(noise);
}

/* ---- the network's own faults */

#ifdef SIMULATED
static int64_t break_after;

static void send_until_broken(void *arg)
{
	struct stream *s = arg;
	enum stream_status status = STREAM_OK;

	while (status == STREAM_OK) {
		status = stream_write(s, SL("0123456789\r\n"), SOON);
		if (status == STREAM_OK)
			status = stream_flush(s, SOON);
	}
	assert_int_equal(status, STREAM_ERROR);
	assert_true(s->error == ECONNRESET || s->error == EPIPE);
}

static void resetting(void *arg)
{
	struct sim_fault fault = SIM_FAULT_NONE;
	enum stream_line_end end;
	enum stream_status status;
	struct slice line;
	struct pair p;
	struct fiber *f;

	(void)arg;
	open_pair(&p);
	fault.reset_after = break_after++ % 60;
	sim_set_fault(p.b.fd.fd, &fault);
	f = fiber_spawn_joinable("sender", send_until_broken, &p.b);
	while ((status = stream_read_line(&p.a, 10, SOON, &line, &end)) == STREAM_OK)
		assert_slice(line, "0123456789");
	assert_int_equal(status, STREAM_ERROR);
	assert_int_equal(p.a.error, ECONNRESET);
	assert_true(p.a.bytes_in <= (uint64_t)fault.reset_after);
	assert_int_equal(fiber_join(f, SOON, "join"), 0);
	close_pair(&p);
}

static void vanishing(void *arg)
{
	struct sim_fault fault = SIM_FAULT_NONE;
	struct os_addr nowhere = {.len = sizeof(struct sockaddr_in)};
	enum stream_line_end end;
	struct slice line;
	struct pair p;
	int64_t deadline;

	(void)arg;
	open_pair(&p);
	fault.hole_after = 12;
	sim_set_fault(p.b.fd.fd, &fault);
	assert_int_equal(stream_write(&p.b, SL("0123456789\r\nabc\r\n"), SOON), STREAM_OK);
	assert_int_equal(stream_flush(&p.b, SOON), STREAM_OK);
	assert_int_equal(stream_read_line(&p.a, 10, SOON, &line, &end), STREAM_OK);
	deadline = os_deadline(300 * OS_SECOND);
	assert_int_equal(stream_read_line(&p.a, 10, deadline, &line, &end), STREAM_TIMEOUT);
	assert_int_equal(os_now(), deadline);
	close_pair(&p);
	nowhere.ss.ss_family = AF_INET;
	((struct sockaddr_in *)&nowhere.ss)->sin_port = htons(25);
	assert_int_equal(fiber_connect(&nowhere, NULL, SOON, "connect"), -1);
	assert_int_equal(errno, ECONNREFUSED);
	sim_hole(&nowhere);
	assert_int_equal(fiber_connect(&nowhere, NULL, SOON, "connect"), -1);
	assert_int_equal(errno, ETIMEDOUT);
}

static void broken_networks_end_in_outcomes(void **state)
{
	(void)state;
	sim_runs(resetting);
	sim_runs(vanishing);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pipelined_commands_get_their_replies),
	    cmocka_unit_test(lines_end_as_they_end),
	    cmocka_unit_test(bulk_arrives_whole),
	    cmocka_unit_test(deadlines_hold_and_read_ahead_is_found),
	    cmocka_unit_test(cancelled_and_broken_streams_say_so),
	    cmocka_unit_test(any_bytes_make_the_same_lines),
#ifdef SIMULATED
	    cmocka_unit_test(broken_networks_end_in_outcomes),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
