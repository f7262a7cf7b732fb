/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "message/content.h"
#include "message/date.h"
#include "message/dsn.h"
#include "message/generated.h"
#include "message/header.h"
#include "message/header_name.h"
#include "message/report.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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

static void header_names_are_known(void **state)
{
	(void)state;
	for (unsigned id = 1; id < HEADER_COUNT; id++) {
		const struct header_info *info = header_info((enum header_id)id);

		assert_int_equal(info->id, id);
		assert_ptr_equal(header_lookup(slice_str(info->name)), info);
	}
	assert_int_equal(header_lookup(SL("RESENT-to"))->id, HEADER_RESENT_TO);
	assert_int_equal(header_lookup(SL("X-To"))->id, HEADER_OTHER);
	assert_int_equal(header_lookup(SL(""))->id, HEADER_OTHER);
	assert_true(header_lookup(SL("bcc"))->flags & HEADER_IS_DROPPED);
}

/* One step on `text`: what it is, and what is left. */
static const struct {
	const char *text;
	bool last;
	enum header_step step;
	const char *name, *body, *rest;
} steps[] = {
    {"A: b\r\nC: d\r\n", false, HEADER_FIELD, "A", " b", "C: d\r\n"},
    {"A: b\nC: d\n", false, HEADER_FIELD, "A", " b", "C: d\n"},
    {"A: b\r\n c\r\n\td\r\n\r\n", false, HEADER_FIELD, "A", " b\r\n c\r\n\td", "\r\n"},
    {"A:\r\nB", false, HEADER_FIELD, "A", "", "B"},
    {"A :b\n\n", false, HEADER_FIELD, "A", "b", "\n"},
    {"A: b\r\n", false, HEADER_MORE, NULL, NULL, "A: b\r\n"},
    {"A: b\r\n", true, HEADER_FIELD, "A", " b", ""},
    {"A: b", true, HEADER_FIELD, "A", " b", ""},
    {"A: b", false, HEADER_MORE, NULL, NULL, "A: b"},
    {"A", false, HEADER_MORE, NULL, NULL, "A"},
    {"A", true, HEADER_BODY, NULL, NULL, "A"},
    {"\r\nbody", false, HEADER_EMPTY, NULL, NULL, "body"},
    {"\nbody", false, HEADER_EMPTY, NULL, NULL, "body"},
    {"\r", false, HEADER_MORE, NULL, NULL, "\r"},
    {"\rx", false, HEADER_BODY, NULL, NULL, "\rx"},
    {"", true, HEADER_MORE, NULL, NULL, ""},
    {" continued: x\n", false, HEADER_BODY, NULL, NULL, " continued: x\n"},
    {": x\n", false, HEADER_BODY, NULL, NULL, ": x\n"},
    {"From me Mon\n", false, HEADER_BODY, NULL, NULL, "From me Mon\n"},
    {"no colon here\n", false, HEADER_BODY, NULL, NULL, "no colon here\n"},
    {"N\xc3\xa9: x\n", false, HEADER_BODY, NULL, NULL, "N\xc3\xa9: x\n"},
};

static void heads_are_cut_into_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct slice input = slice_str(steps[i].text);
		struct header_field field;

		assert_int_equal(header_next(&input, steps[i].last, &field), steps[i].step);
		assert_true(slice_eq(input, slice_str(steps[i].rest)));
		if (steps[i].step == HEADER_FIELD) {
			assert_true(slice_eq(field.name, slice_str(steps[i].name)));
			assert_true(slice_eq(field.body, slice_str(steps[i].body)));
			assert_int_equal(field.raw.n + input.n, strlen(steps[i].text));
		}
	}
}

static void fields_are_counted(void **state)
{
	(void)state;
	assert_int_equal(
	    header_count(SL("Received: a\r\n b\r\nReceived-SPF: x\r\nreceived: c\r\n\r\n"
			    "Received: body\r\n"),
			 SL("Received")),
	    2);
	assert_int_equal(header_count(SL(""), SL("Received")), 0);
}

static void assert_lines(struct slice text, size_t max)
{
	while (text.n > 0) {
		ssize_t lf = slice_find(text, '\n');

		assert_true(lf > 0 && text.p[lf - 1] == '\r');
		assert_true((size_t)lf - 1 <= max);
		text = slice_from(text, (size_t)lf + 1);
	}
}

static void generated_headers_are_folded_and_cannot_be_split(void **state)
{
	struct header_field field;
	struct slice input;
	struct buffer out;
	char word[1500];

	buffer_init(&out, 100000);
	header_append(&out, SL("Subject"), SL("short"));
	assert_slice(buffer_slice(&out), "Subject: short\r\n");
	buffer_reset(&out);
	header_append(&out, SL("A"), SL("x\r\nBcc: evil\r\n\r\nbody\r\n tail"));
	assert_slice(buffer_slice(&out), "A: x Bcc: evil body\r\n tail\r\n");
	buffer_reset(&out);
	header_append(
	    &out, SL("To"),
	    SL("aaaaaaaaaaaaaaaaaaaaaaaa@example.com, bbbbbbbbbbbbbbbbbbbbbbbbbb@example.com, "
	       "ccccccccccccccccccccccc@example.com"));
	assert_lines(buffer_slice(&out), HEADER_LINE_WANTED);
	input = buffer_slice(&out);
	assert_int_equal(header_next(&input, true, &field), HEADER_FIELD);
	assert_int_equal(input.n, 0);
	assert_slice(
	    header_unfold(*state, field.body),
	    "aaaaaaaaaaaaaaaaaaaaaaaa@example.com, bbbbbbbbbbbbbbbbbbbbbbbbbb@example.com, "
	    "ccccccccccccccccccccccc@example.com");
	memset(word, 'w', sizeof(word));
	buffer_reset(&out);
	header_append(&out, SL("X"), slice(word, sizeof(word)));
	assert_lines(buffer_slice(&out), HEADER_LINE_MAX);
	buffer_reset(&out);
	header_append_raw(&out, SL("A: b\n c\rd"));
	assert_slice(buffer_slice(&out), "A: b\r\n c d\r\n");
	buffer_free(&out);
}

static void dates_are_written_and_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
	    {"Fri, 21 Nov 1997 09:55:06 -0600", 880127706},
	    {"Thu,  1 Jan 1970 00:00:00 +0000 (UTC)", 0},
	    {"1 Jan 70 00:00 GMT", 0},
	    {"21 Nov 97 09:55:06 CST", 880127706},
	    {"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706},
	    {"Wed, 31 Dec 1969 23:59:59 +0000", -1},
	    {"29 Feb 2000 12:00:00 +0130", 951820200},
	    {"21-Nov-1997 09:55:06 -0600", 880127706},
	};
	static const char *const bad[] = {"",
					  "Fri,",
					  "32 Jan 2000 00:00:00 +0000",
					  "1 Foo 2000 00:00:00",
					  "1 Jan 2000",
					  "1 Jan 2000 24:00:00 +0000",
					  "1 Jan 2000 00:00:00 +00",
					  "(((((",
					  "1 Jan 2000 00:60 +0000"};
	int64_t seconds;

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (!date_parse(slice_str(cases[i].text), &seconds))
			fail_msg("not read: %s", cases[i].text);
		assert_int_equal(seconds, cases[i].seconds);
	}
	for (size_t i = 0; i < COUNT(bad); i++)
		if (date_parse(slice_str(bad[i]), &seconds))
			fail_msg("read: %s", bad[i]);
	assert_slice(date_format(*state, 880127706, -360, SL("CST")),
		     "Fri, 21 Nov 1997 09:55:06 -0600 (CST)");
	assert_slice(date_format(*state, 0, 0, SL_NULL), "Thu,  1 Jan 1970 00:00:00 +0000");
	assert_slice(date_format(*state, 951782400, 330, SL("")),
		     "Tue, 29 Feb 2000 05:30:00 +0530");
	for (int64_t t = -5000000000; t < 8000000000; t += 86399 * 37) {
		assert_true(date_parse(date_format(*state, t, 345, SL_NULL), &seconds));
		assert_int_equal(seconds, t);
	}
}

static void received_says_what_it_knows(void **state)
{
	struct received r = {.helo = SL("client"),
			     .client_name = SL("client.example.org"),
			     .client_address = SL("192.0.2.1"),
			     .host = SL("mx.example.com"),
			     .mail_name = SL("Postfix"),
			     .protocol = SL("ESMTP"),
			     .queue_id = SL("4X1"),
			     .recipient = SL("u@example.com"),
			     .date = SL("Thu,  1 Jan 1970 00:00:00 +0000 (UTC)")};

	assert_slice(received_compose(*state, &r),
		     "Received: from client (client.example.org [192.0.2.1])\r\n"
		     "\tby mx.example.com (Postfix) with ESMTP id 4X1\r\n"
		     "\tfor <u@example.com>; Thu,  1 Jan 1970 00:00:00 +0000 (UTC)\r\n");
	r.recipient = SL_NULL;
	r.tls = SL("using TLSv1.3 with cipher X (256/256 bits)\nkey-exchange X25519");
	r.client_cert = SL("No client certificate requested");
	r.helo = SL("evil\r\nBcc: x");
	assert_slice(received_compose(*state, &r),
		     "Received: from evil??Bcc: x (client.example.org [192.0.2.1])\r\n"
		     "\t(using TLSv1.3 with cipher X (256/256 bits)\r\n\t key-exchange X25519)\r\n"
		     "\t(No client certificate requested)\r\n"
		     "\tby mx.example.com (Postfix) with ESMTP id 4X1;\r\n"
		     "\tThu,  1 Jan 1970 00:00:00 +0000 (UTC)\r\n");
	r.helo = SL_NULL;
	r.uid = 1000;
	assert_slice(received_compose(*state, &r),
		     "Received: by mx.example.com (Postfix, from userid 1000)\r\n"
		     "\tid 4X1; Thu,  1 Jan 1970 00:00:00 +0000 (UTC)\r\n");
	assert_slice(message_id_make(*state, 880127706, SL("4X1"), SL("mx.example.com")),
		     "<19971121155506.4X1@mx.example.com>");
}

static void names_become_phrases(void **state)
{
	struct slice words;

	assert_slice(full_name_encode(*state, SL("Jane Doe"), SL_NULL), "Jane Doe");
	assert_slice(full_name_encode(*state, SL("Doe, \"J\""), SL_NULL), "\"Doe, \\\"J\\\"\"");
	assert_slice(full_name_encode(*state, SL("a\r\nb."), SL_NULL), "\"a  b.\"");
	assert_slice(full_name_encode(*state, SL("J\xc3\xb6rg M_"), SL_NULL),
		     "=?utf-8?Q?J=C3=B6rg_M=5F?=");
	words = full_name_encode(*state,
				 SL("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
				    "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"),
				 SL_NULL);
	assert_slice(words,
		     "=?utf-8?Q?=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC=E2=82=AC?="
		     "\r\n =?utf-8?Q?=E2=82=AC=E2=82=AC?=");
}

static void dsn_parameters_round_trip(void **state)
{
	struct slice text;
	struct orcpt o;
	enum dsn_ret ret;
	unsigned mask;

	assert_slice(xtext_encode(*state, SL("a+b=c d\xff")), "a+2Bb+3Dc+20d+FF");
	assert_true(xtext_decode(*state, SL("a+2Bb+3Dc+20d+ff"), &text));
	assert_slice(text, "a+b=c d\xff");
	assert_false(xtext_decode(*state, SL("a+2"), &text));
	assert_false(xtext_decode(*state, SL("a+GG"), &text));
	assert_false(xtext_decode(*state, SL("a b"), &text));
	assert_false(envid_parse(*state, SL("a+0Db"), &text));
	assert_false(envid_parse(*state, SL(""), &text));
	assert_true(envid_parse(*state, SL("QQ314159"), &text));
	assert_true(dsn_notify_parse(SL("success,Failure"), &mask));
	assert_int_equal(mask, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE);
	assert_slice(dsn_notify_format(*state, mask), "SUCCESS,FAILURE");
	assert_true(dsn_notify_parse(SL("NEVER"), &mask));
	assert_false(dsn_notify_parse(SL("NEVER,DELAY"), &mask));
	assert_false(dsn_notify_parse(SL(""), &mask));
	assert_false(dsn_notify_parse(SL("DELAY,"), &mask));
	assert_true(dsn_ret_parse(SL("hdrs"), &ret));
	assert_string_equal(dsn_ret_name(ret), "HDRS");
	assert_true(orcpt_parse(*state, SL("RFC822;a+2Bb@x.org"), false, &o));
	assert_slice(orcpt_join(*state, &o), "rfc822;a+b@x.org");
	assert_slice(orcpt_format(*state, &o, false), "rfc822;a+2Bb@x.org");
	assert_false(orcpt_parse(*state, SL("rfc822;"), false, &o));
	assert_false(orcpt_parse(*state, SL(";a@x.org"), false, &o));
	assert_false(orcpt_parse(*state, SL("rfc822"), false, &o));
	assert_false(orcpt_parse(*state, SL("rfc822;a+0Ab@x.org"), false, &o));
	assert_true(orcpt_parse(*state, SL("utf-8;r\\x{E9}my@x.org"), false, &o));
	assert_slice(o.address, "r\xc3\xa9my@x.org");
	assert_slice(orcpt_format(*state, &o, false), "utf-8;r\\x{E9}my@x.org");
	assert_slice(orcpt_format(*state, &o, true), "utf-8;r\xc3\xa9my@x.org");
	assert_false(orcpt_parse(*state, SL("utf-8;r\xc3\xa9my@x.org"), false, &o));
	assert_true(orcpt_parse(*state, SL("utf-8;r\xc3\xa9my@x.org"), true, &o));
	assert_false(orcpt_parse(*state, SL("utf-8;\\x{D800}"), true, &o));
	assert_false(orcpt_parse(*state, SL("utf-8;\\x{110000}"), true, &o));
	assert_false(orcpt_parse(*state, SL("utf-8;\\x{0A}"), true, &o));
}

/* What a scan must say of the whole, however it is cut. */
static void scans_do_not_depend_on_cuts(void **state)
{
	struct slice text = SL("ab\r\n.c\nd\re\0\xff\r\n\r\nlast line\r");

	(void)state;
	for (size_t cut = 0; cut <= text.n; cut++) {
		struct content_scan scan;

		content_scan_init(&scan);
		content_scan_feed(&scan, slice_sub(text, 0, cut));
		content_scan_feed(&scan, slice_from(text, cut));
		assert_false(scan.ends_crlf);
		content_scan_end(&scan);
		assert_int_equal(scan.bytes, text.n);
		assert_int_equal(scan.lines, 4);
		assert_int_equal(scan.longest_line, 10);
		assert_true(scan.eight_bit && scan.nul && scan.leading_dot && scan.bare_cr &&
			    scan.bare_lf);
	}
	text = SL("clean\r\nlines\r\n");
	for (size_t cut = 0; cut <= text.n; cut++) {
		struct content_scan scan;

		content_scan_init(&scan);
		content_scan_feed(&scan, slice_sub(text, 0, cut));
		content_scan_feed(&scan, slice_from(text, cut));
		content_scan_end(&scan);
		assert_true(scan.ends_crlf);
		assert_false(scan.eight_bit || scan.nul || scan.leading_dot || scan.bare_cr ||
			     scan.bare_lf);
	}
}

static void canonical_form_does_not_depend_on_cuts(void **state)
{
	static const struct {
		struct slice in;
		const char *out;
	} cases[] = {
	    {{"", 0}, ""},
	    {{"a\r\n", 3}, "a\r\n"},
	    {{"a\n", 2}, "a\r\n"},
	    {{"a", 1}, "a\r\n"},
	    {{"a\r", 2}, "a \r\n"},
	    {{"\r\r\n", 3}, " \r\n"},
	    {{"\r", 1}, " \r\n"},
	    {{"\n\n", 2}, "\r\n\r\n"},
	    {{"a\rb\nc\r\nd", 8}, "a b\r\nc\r\nd\r\n"},
	    {{"\n\r\n\r", 4}, "\r\n\r\n \r\n"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		for (size_t cut = 0; cut <= cases[i].in.n; cut++) {
			struct content_canon canon;
			struct buffer out;

			buffer_init(&out, 100);
			content_canon_init(&canon);
			content_canon_feed(&canon, slice_sub(cases[i].in, 0, cut), &out);
			content_canon_feed(&canon, slice_from(cases[i].in, cut), &out);
			content_canon_end(&canon, &out);
			assert_true(slice_eq(buffer_slice(&out), slice_str(cases[i].out)));
			assert_int_equal(canon.written, out.len);
			buffer_free(&out);
		}
}

static void reports_are_composed(void **state)
{
	struct report_message m = {.reporting_mta = SL("mx.example.com"),
				   .mail_name = SL("Postfix"),
				   .queue_id = SL("4X1"),
				   .sender = SL("s@x.org"),
				   .arrival_date = SL("Thu,  1 Jan 1970 00:00:00 +0000 (UTC)")};
	struct report_recipient r = {.recipient = SL("u@y.org"),
				     .orcpt = SL("rfc822;v@y.org"),
				     .action = REPORT_FAILED,
				     .status = SL("5.1.1"),
				     .remote_mta = SL("mx.y.org"),
				     .diagnostic_type = SL("smtp"),
				     .diagnostic = SL("550 5.1.1 no\r\nX-Evil: 1")};
	struct slice boundary = report_boundary(*state, SL("4X1"), 5, SL("mx.example.com"));
	struct buffer out;

	assert_slice(boundary, "4X1.5/mx.example.com");
	buffer_init(&out, 10000);
	report_message_fields(&out, &m);
	report_recipient_fields(&out, &r, false);
	assert_slice(buffer_slice(&out),
		     "Reporting-MTA: dns; mx.example.com\r\n"
		     "X-Postfix-Queue-ID: 4X1\r\n"
		     "X-Postfix-Sender: rfc822; s@x.org\r\n"
		     "Arrival-Date: Thu,  1 Jan 1970 00:00:00 +0000 (UTC)\r\n\r\n"
		     "Final-Recipient: rfc822; u@y.org\r\n"
		     "Original-Recipient: rfc822;v@y.org\r\n"
		     "Action: failed\r\n"
		     "Status: 5.1.1\r\n"
		     "Remote-MTA: dns; mx.y.org\r\n"
		     "Diagnostic-Code: smtp; 550 5.1.1 no X-Evil: 1\r\n");
	buffer_reset(&out);
	r.recipient = SL("r\xc3\xa9@y.org");
	report_recipient_fields(&out, &r, true);
	assert_true(
	    slice_starts(buffer_slice(&out), SL("\r\nFinal-Recipient: utf-8; r\xc3\xa9@y.org\r\n")));
	buffer_reset(&out);
	report_top_headers(&out, boundary, false);
	report_part(&out, boundary, SL("Notification"), SL("text/plain"), SL("us-ascii"), false);
	report_close(&out, boundary);
	assert_slice(buffer_slice(&out),
		     "MIME-Version: 1.0\r\n"
		     "Content-Type: multipart/report; report-type=delivery-status;\r\n"
		     "\tboundary=\"4X1.5/mx.example.com\"\r\n"
		     "\r\n--4X1.5/mx.example.com\r\n"
		     "Content-Description: Notification\r\n"
		     "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
		     "\r\n--4X1.5/mx.example.com--\r\n");
	buffer_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_names_are_known),
	    cmocka_unit_test(heads_are_cut_into_fields),
	    cmocka_unit_test(fields_are_counted),
	    cmocka_unit_test(generated_headers_are_folded_and_cannot_be_split),
	    cmocka_unit_test(dates_are_written_and_read),
	    cmocka_unit_test(received_says_what_it_knows),
	    cmocka_unit_test(names_become_phrases),
	    cmocka_unit_test(dsn_parameters_round_trip),
	    cmocka_unit_test(scans_do_not_depend_on_cuts),
	    cmocka_unit_test(canonical_form_does_not_depend_on_cuts),
	    cmocka_unit_test(reports_are_composed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
