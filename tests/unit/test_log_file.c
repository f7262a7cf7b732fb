/* SPDX-License-Identifier: ISC */
/* postlogd's file: where it may lie, and that only whole, clean lines get into it. */
#include "unit.h"

#include "os/file.h"
#include "postlogd/log_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void test_allowed(void **state)
{
	(void)state;
	assert_true(log_file_allowed(SL("/var/log/mail.log"), SL("/var, /dev/stdout")));
	assert_true(log_file_allowed(SL("/dev/stdout"), SL("/var, /dev/stdout")));
	assert_false(log_file_allowed(SL("/variant/x"), SL("/var")));
	assert_false(log_file_allowed(SL("/var/../etc/passwd"), SL("/var")));
	assert_false(log_file_allowed(SL("/etc/passwd"), SL("/var, /dev/stdout")));
	assert_int_equal(log_file_mode(SL("0640")), 0640);
	assert_int_equal(log_file_mode(SL("")), 0600);
	assert_int_equal(log_file_mode(SL("7777")), 0600);
	assert_int_equal(log_file_mode(SL("rw")), 0600);
}

static void test_append(void **state)
{
	char path[] = "/tmp/postrider-log-file-XXXXXX";
	struct log_file file;
	char text[256] = "";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(log_file_open(&file, slice_str(path), 0600, 0), RES_OK);
	assert_true(log_file_add(&file, SL("one\ntwo"), 1));
	assert_true(log_file_add(&file, SL("th\001ree\n"), 2));
	assert_true(log_file_add(&file, SL(""), 3));
	log_file_write(&file, INT64_MAX);
	assert_true(os_pread_full(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "one\ntwo\nth?ree\n");
	assert_false(log_file_deleted(&file));
	unlink(path); /* raw-syscall: test */
	assert_true(log_file_deleted(&file));
	log_file_close(&file);
	os_close(fd);
}

/* A full disk loses lines; the first that go through again say how many. */
static void test_full(void **state)
{
	struct log_file file;
	char text[256] = "";
	int fds[2];

	(void)state;
	assert_int_equal(log_file_open(&file, SL("/dev/full"), 0600, 0), RES_OK);
	assert_true(log_file_add(&file, SL("t h postfix/x[1]: a\nb"), 1));
	log_file_write(&file, INT64_MAX);
	assert_int_equal(file.lost, 2);
	assert_int_equal(pipe(fds), 0);
	os_close(file.fd);
	file.fd = fds[1];
	assert_true(log_file_add(&file, SL("t h postfix/x[1]: c"), 2));
	log_file_write(&file, INT64_MAX);
	assert_int_equal(file.lost, 0);
	assert_true(os_read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "t h postfix/x[1]: c\n"
				  "t h postfix/x[1]: warning: 2 log lines were lost\n");
	log_file_close(&file);
	os_close(fds[0]);
}

#define STAMP(digits) "\001" digits

/* Lines of several processes: in the order of their times, those that are too young held back. */
static void test_order(void **state)
{
	struct log_file file;
	char text[256] = "";
	int fds[2];

	(void)state;
	assert_int_equal(log_file_open(&file, SL("/dev/full"), 0600, 0), RES_OK);
	assert_int_equal(pipe(fds), 0);
	os_close(file.fd);
	file.fd = fds[1];
	assert_true(log_file_add(&file, SL(STAMP("0000000000000005") "five\n" STAMP("000000000000000a") "ten"), 12));
	assert_true(log_file_add(&file, SL(STAMP("0000000000000003") "three\nbare\n" STAMP("5") "odd"), 12));
	assert_true(log_file_add(&file, SL(STAMP("7fffffffffffffff") "later than now\n" STAMP("0000000000000005") "five again"), 13));
	log_file_write(&file, 10);
	log_file_write(&file, 11);
	assert_true(os_read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "three\nfive\nfive again\nten\n");
	memset(text, 0, sizeof(text));
	assert_true(log_file_add(&file, SL(STAMP("000000000000000b") "eleven"), 13));
	log_file_write(&file, INT64_MAX);
	assert_true(os_read(fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "eleven\nbare\n?5odd\nlater than now\n");
	log_file_close(&file);
	os_close(fds[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_allowed),
					   cmocka_unit_test(test_append),
					   cmocka_unit_test(test_full),
					   cmocka_unit_test(test_order)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
