/* SPDX-License-Identifier: ISC */
/* Events as lines in Postfix's form, and the writer's patience with its receiver. */
#include "unit.h"

#include "log/events.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/socket.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#define assert_line(event, literal, ...)                                            \
	do {                                                                        \
		struct buffer unit_b;                                               \
		buffer_init(&unit_b, LOG_LINE_MAX);                                 \
		log_render(&log_##event##_event, &(struct log_##event){__VA_ARGS__}, \
			   2, &unit_b);                                             \
		assert_slice(buffer_slice(&unit_b), literal);                       \
		buffer_free(&unit_b);                                               \
	} while (0)

static void test_lines(void **state)
{
	const struct log_count counts[] = {
	    {"ehlo", 1, 1}, {"helo", 0, 0}, {"mail", 1, 2}, {"quit", 1, 1}};

	(void)state;
	assert_line(client_connect, "connect from localhost[127.0.0.1]", .name = SL("localhost"),
		    .addr = SL("127.0.0.1"));
	assert_line(client_disconnect,
		    "disconnect from a[::1] ehlo=1 mail=1/2 quit=1 commands=3/4", .name = SL("a"),
		    .addr = SL("::1"), .commands = counts, .commands_count = 4);
	assert_line(smtpd_action,
		    "NOQUEUE: reject: RCPT from unknown[1.2.3.4]: 554 5.7.1 <a@b>: Relay access "
		    "denied; from=<> to=<a@b> proto=ESMTP helo=<x>",
		    .action = SL("reject"), .stage = SL("RCPT"), .name = SL("unknown"),
		    .addr = SL("1.2.3.4"), .reply = SL("554 5.7.1 <a@b>: Relay access denied"),
		    .from = SL(""), .to = SL("a@b"), .proto = SL("ESMTP"), .helo = SL("x"));
	assert_line(delivery,
		    "4X: to=<u@example.com>, orig_to=<root>, relay=local, delay=0.05, "
		    "delays=0.02/0/0/0.03, dsn=2.0.0, status=sent (delivered to mailbox)",
		    .queue_id = SL("4X"), .to = SL("u@example.com"), .orig_to = SL("root"),
		    .relay = SL("local"), .delay = 50000, .a = 20000, .b = 400, .d = 30000,
		    .dsn = SL("2.0.0"), .status = SL("sent"), .text = SL("delivered to mailbox"));
	assert_line(delivery,
		    "4X: to=<\"a b\"@c>, delay=0, delays=0/0/0/0, dsn=4.0.0, status=deferred (x?y)",
		    .queue_id = SL("4X"), .to = SL("a b@c"), .dsn = SL("4.0.0"),
		    .status = SL("deferred"), .text = SL("x\ny"));
	assert_line(queue_active, "4X: from=<>, size=12, nrcpt=1 (queue active)",
		    .queue_id = SL("4X"), .size = 12, .nrcpt = 1);
	assert_line(process_killed, "warning: process /x/smtpd pid 7 killed by signal 9",
		    .program = SL("/x/smtpd"), .pid = 7, .signal = 9);
}

static void test_delays(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
		int resolution;
	} cases[] = {{0, "0", 2},	   {-5, "0", 2},	 {4000, "0", 2},
		     {5000, "0.01", 2},	   {123456, "0.12", 2},	 {500000, "0.5", 2},
		     {996000, "1", 2},	   {1234567, "1.2", 2},	 {9960000, "10", 2},
		     {12600000, "13", 2},  {3601000000, "3601", 2}, {1234, "0.0012", 6},
		     {12, "0.000012", 6},  {1234567, "1", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buffer b;

		buffer_init(&b, 64);
		log_delay(cases[i].us, cases[i].resolution, &b);
		buffer_append_byte(&b, '\0');
		assert_string_equal(b.data, cases[i].text);
		buffer_free(&b);
	}
}

/* A receiver of datagrams that can be slow, go away and come back. */
struct receiver {
	char dir[64];
	char public[80];
	char path[96];
	int fd;
};

static void open_receiver(struct receiver *r)
{
	struct os_addr addr = {0};
	struct sockaddr_un *un = (struct sockaddr_un *)&addr.ss;

	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, r->path, strlen(r->path) + 1);
	addr.len = sizeof(*un);
	unlink(r->path); /* raw-syscall: test */
	r->fd = os_socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(os_bind(r->fd, &addr), 0);
}

static void make_receiver(struct receiver *r)
{
	strcpy(r->dir, "/tmp/postrider-log-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->public, sizeof(r->public), "%s/public", r->dir);
	snprintf(r->path, sizeof(r->path), "%s/postlog", r->public);
	assert_int_equal(os_mkdirat(AT_FDCWD, r->public, 0700), 0);
}

static void remove_receiver(struct receiver *r)
{
	unlink(r->path); /* raw-syscall: test */
	rmdir(r->public);
	rmdir(r->dir);
}

static size_t count_lines(struct slice text)
{
	size_t n = text.n > 0;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == '\n';
	return n;
}

/* drain - lines that are there to be read; the last one stays in `last`. */
static size_t drain(struct receiver *r, char *last, size_t size)
{
	static char datagram[65536];
	size_t lines = 0;
	ssize_t n;

	while ((n = os_recv(r->fd, datagram, sizeof(datagram) - 1, 0)) >= 0) {
		struct slice text = slice(datagram, (size_t)n);
		ssize_t at = slice_rfind(text, '\n');

		lines += count_lines(text);
		snprintf(last, size, "%.*s", SL_ARG(slice_from(text, (size_t)(at + 1))));
	}
	return lines;
}

static void test_writer(void **state)
{
	struct receiver r;
	struct log_options options = {.syslog_name = SL("postfix"),
				      .program = SL("smtpd"),
				      .hostname = SL("mail.example.com"),
				      .maillog_file = SL("/var/log/x.log"),
				      .delay_resolution = 2};
	char last[8192];
	char want[64];
	size_t sent = 0;
	size_t got = 0;

	(void)state;
	make_receiver(&r);
	open_receiver(&r);
	options.queue_directory = slice_str(r.dir);
	assert_int_equal(log_open(&options), RES_OK);
	LOG(message_removed, .queue_id = SL("4X"));
	assert_int_equal(drain(&r, last, sizeof(last)), 1);
	snprintf(want, sizeof(want), "mail.example.com postfix/smtpd[%d]: 4X: removed",
		 (int)getpid());
	assert_non_null(strstr(last, want));
	/* the receiver does not read: nothing is lost, nobody waits */
	for (; sent < 2000; sent++)
		LOG(message_removed, .queue_id = SL("4Y"));
	assert_true(log_pending() > 0);
	while (log_pending() > 0) {
		got += drain(&r, last, sizeof(last));
		log_flush(os_now());
	}
	got += drain(&r, last, sizeof(last));
	assert_int_equal(got, sent);
	assert_int_equal(log_dropped(), 0);
	/* until the buffer is full; then what was lost is told */
	for (sent = 0; log_dropped() < 5 && sent < 100000; sent++)
		LOG(message_removed, .queue_id = SL("4Z"));
	assert_int_equal(log_dropped(), 5);
	for (got = 0; log_pending() > 0;) {
		got += drain(&r, last, sizeof(last));
		log_flush(os_now());
	}
	got += drain(&r, last, sizeof(last));
	assert_int_equal(got, sent - 5);
	LOG(message_removed, .queue_id = SL("4W"));
	assert_int_equal(drain(&r, last, sizeof(last)), 2);
	assert_non_null(strstr(last, "4W: removed"));
	/* gone, and back under the same name */
	os_close(r.fd);
	LOG(message_removed, .queue_id = SL("4V"));
	assert_int_equal(log_pending(), 1);
	open_receiver(&r);
	log_flush(os_deadline(3 * OS_SECOND));
	assert_int_equal(log_pending(), 0);
	assert_int_equal(drain(&r, last, sizeof(last)), 1);
	log_close();
	os_close(r.fd);
	remove_receiver(&r);
}

static void test_long_line(void **state)
{
	static char big[9000];
	struct receiver r;
	struct log_options options = {.syslog_name = SL("postfix"),
				      .program = SL("x"),
				      .maillog_file = SL("/var/log/x.log")};
	char last[8192];

	(void)state;
	memset(big, 'a', sizeof(big));
	make_receiver(&r);
	open_receiver(&r);
	options.queue_directory = slice_str(r.dir);
	assert_int_equal(log_open(&options), RES_OK);
	LOG(info, .text = slice(big, sizeof(big)));
	assert_int_equal(drain(&r, last, sizeof(last)), 1);
	assert_true(strlen(last) > LOG_LINE_MAX - 100 && strlen(last) < LOG_LINE_MAX + 100);
	assert_string_equal(last + strlen(last) - 5, "a ...");
	log_close();
	os_close(r.fd);
	remove_receiver(&r);
}

/* Root's own tools write the file while postlogd is not there. */
static void test_direct(void **state)
{
	struct receiver r;
	char file[96];
	struct log_options options = {.syslog_name = SL("postfix"),
				      .program = SL("postfix-script"),
				      .hostname = SL("h"),
				      .direct = true};
	char text[256] = "";
	int fd;

	(void)state;
	make_receiver(&r);
	snprintf(file, sizeof(file), "%s/mail.log", r.dir);
	options.queue_directory = slice_str(r.dir);
	options.maillog_file = slice_str(file);
	assert_int_equal(log_open(&options), RES_TEMP);
	LOG(suite_starting, .name = SL("Postrider"));
	LOG(suite_stopping, .name = SL("Postrider"));
	fd = os_openat(AT_FDCWD, file, O_RDONLY, 0);
	assert_true(fd >= 0);
	assert_true(os_read_full(fd, text, sizeof(text) - 1) > 0);
	os_close(fd);
	assert_non_null(strstr(text, ": starting the Postrider mail system\n"));
	assert_non_null(strstr(text, ": stopping the Postrider mail system\n"));
	log_close();
	unlink(file); /* raw-syscall: test */
	remove_receiver(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),     cmocka_unit_test(test_delays),
	    cmocka_unit_test(test_writer),    cmocka_unit_test(test_long_line),
	    cmocka_unit_test(test_direct),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
