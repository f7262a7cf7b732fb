/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "local/command.h"
#include "local/copy.h"
#include "local/outcome.h"
#include "local/token.h"

#include <errno.h>
#include <stdlib.h>

static int set_up(void **state)
{
	*state = arena_create();
	return 0;
}

static int tear_down(void **state)
{
	arena_destroy((struct arena **)state);
	return 0;
}

/* ---- tokens */

static void expect_token(const struct tokens *t, size_t i, enum token_kind kind, const char *text)
{
	assert_true(i < t->count);
	assert_int_equal(t->items[i].kind, kind);
	assert_int_equal(t->items[i].text.n, strlen(text));
	assert_memory_equal(t->items[i].text.p, text, strlen(text));
}

static void test_every_kind_of_destination_is_told_apart(void **state)
{
	struct tokens t;

	token_list(*state,
		   SL("one, two@far.test \\three, \"|/usr/bin/filter -a, -b\" |\"exec x y\", "
		      "|/bin/true, /var/file, "
		      "\"/a b/c\", :include:/etc/list, \":include:/x y\", Name <four@far.test>"),
		   100, &t);
	expect_token(&t, 0, TOKEN_ADDRESS, "one");
	expect_token(&t, 1, TOKEN_ADDRESS, "two@far.test");
	expect_token(&t, 2, TOKEN_LITERAL, "three");
	expect_token(&t, 3, TOKEN_COMMAND, "/usr/bin/filter -a, -b");
	expect_token(&t, 4, TOKEN_COMMAND, "exec x y");
	expect_token(&t, 5, TOKEN_COMMAND, "/bin/true");
	expect_token(&t, 6, TOKEN_FILE, "/var/file");
	expect_token(&t, 7, TOKEN_FILE, "/a b/c");
	expect_token(&t, 8, TOKEN_INCLUDE, "/etc/list");
	expect_token(&t, 9, TOKEN_INCLUDE, "/x y");
	expect_token(&t, 10, TOKEN_ADDRESS, "four@far.test");
	assert_int_equal(t.count, 11);
}

static void test_quotes_inside_a_quoted_command_stay(void **state)
{
	struct tokens t;

	token_list(*state, SL("\"|sh -c \\\"echo a\\\"\""), 100, &t);
	assert_int_equal(t.count, 1);
	expect_token(&t, 0, TOKEN_COMMAND, "sh -c \"echo a\"");
}

static void test_comments_begin_lines_of_files_only(void **state)
{
	struct tokens t;

	token_file(*state, SL("# a comment, b\none # two\n\n  three (a comment),\n"), 100, &t);
	expect_token(&t, 0, TOKEN_ADDRESS, "one");
	expect_token(&t, 1, TOKEN_ADDRESS, "#");
	expect_token(&t, 2, TOKEN_ADDRESS, "two");
	expect_token(&t, 3, TOKEN_ADDRESS, "three");
	assert_int_equal(t.count, 4);
}

static void test_quoted_local_parts_are_addresses(void **state)
{
	struct tokens t;

	token_list(*state, SL("\"a b\"@far.test, \"c d\""), 100, &t);
	expect_token(&t, 0, TOKEN_ADDRESS, "a b@far.test");
	expect_token(&t, 1, TOKEN_ADDRESS, "c d");
	assert_int_equal(t.count, 2);
}

static void test_nothing_and_too_much(void **state)
{
	struct tokens t;

	token_list(*state, SL(" , \n (only a comment) "), 100, &t);
	assert_int_equal(t.count, 0);
	token_list(*state, SL("a, b, c"), 2, &t);
	assert_int_equal(t.count, 2);
	assert_true(t.truncated);
	/* quotes, comments and backslashes that do not end */
	token_list(*state, SL("\"|unfinished \\"), 100, &t);
	assert_int_equal(t.items[0].kind, TOKEN_COMMAND);
	token_list(*state, SL("a (unfinished"), 100, &t);
	assert_int_equal(t.count, 1);
}

/* ---- copy */

/* stored - the whole text through copy_some in pieces of `step` bytes. */
static char *stored(enum copy_format format, struct slice text, size_t step)
{
	struct copy c = {.format = format};
	struct buffer in, out;
	size_t at = 0;
	char *result;

	buffer_init(&in, 1 << 16);
	buffer_init(&out, 1 << 16);
	do {
		struct slice piece = slice_sub(text, at, at + step);

		buffer_append(&in, piece);
		at += piece.n;
		buffer_consume(&in, copy_some(&c, buffer_slice(&in), at == text.n, &out));
		assert_true(in.len <= 5 || at == text.n);
	} while (at < text.n);
	assert_int_equal(in.len, 0);
	buffer_append_byte(&out, '\0');
	result = strdup(out.data);
	buffer_free(&in);
	buffer_free(&out);
	return result;
}

static void expect_stored(enum copy_format format, struct slice text, const char *expected)
{
	for (size_t step = 1; step <= text.n + 1; step++) {
		char *got = stored(format, text, step);

		assert_string_equal(got, expected);
		free(got);
	}
}

static void test_mbox_quotes_from_at_line_starts_only(void **state)
{
	(void)state;
	expect_stored(COPY_MBOX,
		      SL("A: b\r\n\r\nFrom here\r\n From there\r\nx From y\r\n>From "
			 "z\r\nFrom\r\nFrom: a\r\n"),
		      "A: b\n\n>From here\n From there\nx From y\n>From z\nFrom\nFrom: a\n\n");
	expect_stored(COPY_MBOX, SL("From first\r\n"), ">From first\n\n");
	expect_stored(COPY_MBOX, SL(""), "\n");
	expect_stored(COPY_MBOX, SL("no end"), "no end\n\n");
}

static void test_maildirs_and_commands_get_the_lines_as_they_are(void **state)
{
	(void)state;
	expect_stored(COPY_MAILDIR, SL("A: b\r\n\r\nFrom here\r\n\r\n"), "A: b\n\nFrom here\n\n");
	expect_stored(COPY_COMMAND, SL("From here\r\n"), "From here\n");
	/* a CR inside a line is data */
	expect_stored(COPY_MAILDIR, SL("a\rb\r\n"), "a\rb\n");
}

static void test_what_goes_in_front(void **state)
{
	struct tm now = {.tm_wday = 6,
			 .tm_mon = 1,
			 .tm_mday = 3,
			 .tm_hour = 4,
			 .tm_min = 5,
			 .tm_sec = 6,
			 .tm_year = 124};
	struct copy_head head = {.sender = SL("a b@client.test"),
				 .original = SL("orig@example.test"),
				 .delivered = SL("user@example.test"),
				 .now = &now};

	assert_slice(copy_head(*state, COPY_MBOX, &head),
		     "From \"a b\"@client.test  Sat Feb  3 04:05:06 2024\nReturn-Path: <\"a "
		     "b\"@client.test>\n"
		     "X-Original-To: orig@example.test\nDelivered-To: user@example.test\n");
	head.sender = SL("");
	head.original = head.delivered = SL_NULL;
	assert_slice(copy_head(*state, COPY_MAILDIR, &head), "Return-Path: <>\n");
	assert_slice(copy_head(*state, COPY_COMMAND, &head),
		     "From MAILER-DAEMON  Sat Feb  3 04:05:06 2024\nReturn-Path: <>\n");
}

/* ---- outcomes */

/* status words as wait() gives them */
#define EXITED(code) ((code) << 8)
#define KILLED(signo) (signo)

static void expect_outcome(struct outcome o, enum delivery_status status, const char *dsn,
			   const char *text)
{
	assert_int_equal(o.status, status);
	assert_int_equal(o.dsn.n, strlen(dsn));
	assert_memory_equal(o.dsn.p, dsn, strlen(dsn));
	assert_int_equal(o.text.n, strlen(text));
	assert_memory_equal(o.text.p, text, strlen(text));
}

static void test_exit_statuses_mean_what_sysexits_says(void **state)
{
	struct slice c = SL("x"), none = SL("");

	expect_outcome(outcome_of_command(*state, EXITED(0), c, SL("chatter")),
		       DELIVERY_STATUS_SENT, "2.0.0", "delivered to command: x");
	expect_outcome(outcome_of_command(*state, EXITED(67), c, none), DELIVERY_STATUS_BOUNCED,
		       "5.1.1", "user unknown");
	expect_outcome(outcome_of_command(*state, EXITED(75), c, SL("later\n")),
		       DELIVERY_STATUS_DEFERRED, "4.3.0",
		       "temporary failure. Command output: later");
	expect_outcome(outcome_of_command(*state, EXITED(71), c, none), DELIVERY_STATUS_DEFERRED,
		       "4.3.0", "system resource problem");
	expect_outcome(outcome_of_command(*state, EXITED(78), c, none), DELIVERY_STATUS_BOUNCED,
		       "5.3.5", "local configuration error");
	expect_outcome(outcome_of_command(*state, EXITED(1), c, SL("oops")),
		       DELIVERY_STATUS_BOUNCED, "5.3.0",
		       "Command died with status 1: \"x\". Command output: oops");
	expect_outcome(outcome_of_command(*state, EXITED(79), c, none), DELIVERY_STATUS_BOUNCED,
		       "5.3.0", "Command died with status 79: \"x\"");
	expect_outcome(outcome_of_command(*state, KILLED(9), c, none), DELIVERY_STATUS_DEFERRED,
		       "4.3.0", "Command died with signal 9: \"x\"");
	expect_outcome(outcome_of_timeout(*state, c, none), DELIVERY_STATUS_BOUNCED, "5.3.0",
		       "Command time limit exceeded: \"x\"");
}

static void test_a_status_in_the_output_wins_over_the_exit_status(void **state)
{
	struct slice c = SL("x");

	expect_outcome(outcome_of_command(*state, EXITED(1), c, SL("4.2.1 mailbox busy\n")),
		       DELIVERY_STATUS_DEFERRED, "4.2.1", "mailbox busy");
	expect_outcome(outcome_of_command(*state, EXITED(75), c, SL("5.7.1 no")),
		       DELIVERY_STATUS_BOUNCED, "5.7.1", "no");
	expect_outcome(outcome_of_command(*state, EXITED(1), c, SL("2.0.0 fine")),
		       DELIVERY_STATUS_BOUNCED, "5.0.0", "fine");
	expect_outcome(outcome_of_command(*state, EXITED(0), c, SL("5.7.1 no")),
		       DELIVERY_STATUS_SENT, "2.0.0", "delivered to command: x");
}

static void test_errors_of_file_systems(void **state)
{
	(void)state;
	assert_slice(outcome_error_dsn(ENOSPC, SL("5.2.0")), "4.3.0");
	assert_slice(outcome_error_dsn(EIO, SL("5.2.0")), "4.3.0");
	assert_slice(outcome_error_dsn(EFBIG, SL("5.2.0")), "5.2.2");
	assert_slice(outcome_error_dsn(EDQUOT, SL("5.2.0")), "5.2.2");
	assert_slice(outcome_error_dsn(EAGAIN, SL("5.2.0")), "4.2.0");
	assert_slice(outcome_error_dsn(EACCES, SL("5.2.0")), "5.2.0");
}

static void test_a_shell_only_where_the_command_needs_one(void **state)
{
	char **words = command_words(*state, SL("/usr/bin/filter  -a x=1,y"));

	assert_non_null(words);
	assert_string_equal(words[0], "/usr/bin/filter");
	assert_string_equal(words[1], "-a");
	assert_string_equal(words[2], "x=1,y");
	assert_null(words[3]);
	assert_null(command_words(*state, SL("a | b")));
	assert_null(command_words(*state, SL("a \"$HOME\"")));
	assert_null(command_words(*state, SL("a\nb")));
	assert_null(command_words(*state, slice("a\0b", 3)));
	assert_null(command_words(*state, SL("  ")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_kind_of_destination_is_told_apart),
	    cmocka_unit_test(test_quotes_inside_a_quoted_command_stay),
	    cmocka_unit_test(test_comments_begin_lines_of_files_only),
	    cmocka_unit_test(test_quoted_local_parts_are_addresses),
	    cmocka_unit_test(test_nothing_and_too_much),
	    cmocka_unit_test(test_mbox_quotes_from_at_line_starts_only),
	    cmocka_unit_test(test_maildirs_and_commands_get_the_lines_as_they_are),
	    cmocka_unit_test(test_what_goes_in_front),
	    cmocka_unit_test(test_exit_statuses_mean_what_sysexits_says),
	    cmocka_unit_test(test_a_status_in_the_output_wins_over_the_exit_status),
	    cmocka_unit_test(test_errors_of_file_systems),
	    cmocka_unit_test(test_a_shell_only_where_the_command_needs_one),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
