/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "bounce/notice.h"

static const struct bounce_recipient recipients[] = {
    {.address = SL("bad@far.test"),
     .orig = SL("alias@example.test"),
     .orcpt = SL("rfc822;first@example.test"),
     .dsn = SL("5.1.1"),
     .text = SL("host mx.far.test[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)"),
     .mta = SL("smtp; 550 5.1.1 no such user"),
     .remote = SL("mx.far.test")},
    {.address = SL("ours@far.test"), .dsn = SL("5.4.6"), .text = SL("mail loops back to myself")},
};

static const struct bounce_report report = {
    .kind = BOUNCE_KIND_FAILURE,
    .queue_id = SL("4Zabc"),
    .sender = SL("me@example.test"),
    .arrival = INT64_C(1700000000000000),
    .recipients = recipients,
    .recipients_count = 2,
};

static bool contains(struct slice text, const char *what)
{
	return slice_search(text, slice_str(what)) >= 0;
}

static struct notice a_notice(const struct bounce_report *r)
{
	return (struct notice){.report = r,
			       .host = SL("mx.example.test"),
			       .mail_name = SL("Postfix"),
			       .to = SL("me@example.test"),
			       .date = SL("Tue, 14 Nov 2023 22:13:20 +0000 (UTC)"),
			       .arrival = SL("Tue, 14 Nov 2023 22:13:20 +0000 (UTC)"),
			       .expires = SL("Sun, 19 Nov 2023 22:13:20 +0000 (UTC)")};
}

static void a_notice_has_three_parts_of_crlf_lines(void **state)
{
	struct arena *arena = arena_create();
	struct notice n = a_notice(&report);
	struct buffer out;
	struct slice text;

	(void)state;
	buffer_init(&out, 1 << 16);
	assert_true(notice_begin(&n, arena, &out));
	buffer_append(&out, SL("Subject: x\r\n\r\ny\r\n"));
	notice_end(&n, &out);
	text = buffer_slice(&out);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '\n')
			assert_true(i > 0 && text.p[i - 1] == '\r');
	assert_true(contains(text, "Content-Type: multipart/report; report-type=delivery-status;"));
	assert_true(contains(text, "<bad@far.test> (expanded from <alias@example.test>): host"));
	assert_true(contains(text, "\r\nFinal-Recipient: rfc822; bad@far.test\r\n"));
	assert_true(contains(text, "\r\nOriginal-Recipient: rfc822;first@example.test\r\n"));
	assert_true(contains(text, "\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
	assert_true(contains(text, "\r\nRemote-MTA: dns; mx.far.test\r\n"));
	assert_true(contains(text, "\r\nDiagnostic-Code: smtp; 550 5.1.1 no such user\r\n"));
	assert_true(contains(text, "\r\nDiagnostic-Code: X-Postfix; mail loops back to myself\r\n"));
	assert_true(contains(text, "Content-Type: message/rfc822\r\n"));
	assert_false(contains(text, "Will-Retry-Until"));
	assert_false(contains(text, "\r\n\r\n\r\n"));
	buffer_free(&out);
	arena_destroy(&arena);
}

static void a_delay_says_until_when(void **state)
{
	struct arena *arena = arena_create();
	struct bounce_report delay = report;
	struct notice n = a_notice(&delay);
	struct buffer out;

	(void)state;
	delay.kind = BOUNCE_KIND_DELAY;
	n.headers_only = true;
	buffer_init(&out, 1 << 16);
	assert_true(notice_begin(&n, arena, &out));
	assert_true(contains(buffer_slice(&out), "Action: delayed"));
	assert_true(contains(buffer_slice(&out), "Will-Retry-Until: Sun, 19 Nov 2023"));
	assert_true(contains(buffer_slice(&out), "Content-Type: text/rfc822-headers"));
	buffer_free(&out);
	arena_destroy(&arena);
}

static void notify_is_honoured(void **state)
{
	(void)state;
	assert_true(notice_due(BOUNCE_KIND_FAILURE, 0));
	assert_true(notice_due(BOUNCE_KIND_DELAY, 0));
	assert_false(notice_due(BOUNCE_KIND_SUCCESS, 0));
	assert_false(notice_due(BOUNCE_KIND_FAILURE, MAIL_NOTIFY_NEVER));
	assert_false(notice_due(BOUNCE_KIND_FAILURE, MAIL_NOTIFY_DELAY));
	assert_true(notice_due(BOUNCE_KIND_SUCCESS, MAIL_NOTIFY_SUCCESS | MAIL_NOTIFY_FAILURE));
	assert_true(notice_due(BOUNCE_KIND_DELAY, MAIL_NOTIFY_DELAY));
	assert_false(notice_due(BOUNCE_KIND_DELAY, MAIL_NOTIFY_FAILURE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_notice_has_three_parts_of_crlf_lines),
	    cmocka_unit_test(a_delay_says_until_when),
	    cmocka_unit_test(notify_is_honoured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
