/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/ehlo.h"
#include "smtp/reply.h"
#include "smtp/status.h"

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

static void commands_have_a_verb_and_arguments(void **state)
{
	struct smtp_command c;

	(void)state;
	smtp_command_parse(SL("  mail FROM:<a@b> SIZE=1 "), &c);
	assert_int_equal(c.verb, SMTP_MAIL);
	assert_slice(c.name, "mail");
	assert_slice(c.args, "FROM:<a@b> SIZE=1");
	smtp_command_parse(SL("QUIT"), &c);
	assert_int_equal(c.verb, SMTP_QUIT);
	assert_int_equal(c.args.n, 0);
	smtp_command_parse(SL("FOO bar"), &c);
	assert_int_equal(c.verb, SMTP_UNKNOWN);
	smtp_command_parse(SL("UNKNOWN"), &c);
	assert_int_equal(c.verb, SMTP_UNKNOWN);
	smtp_command_parse(SL(""), &c);
	assert_int_equal(c.verb, SMTP_UNKNOWN);
	assert_int_equal(c.name.n, 0);
	for (unsigned v = 1; v < SMTP_VERB_COUNT; v++) {
		smtp_command_parse(slice_str(smtp_verb_name((enum smtp_verb)v)), &c);
		assert_int_equal(c.verb, v);
	}
}

#define ALL                                                                             \
	(SMTP_TAKES_SIZE | SMTP_TAKES_8BITMIME | SMTP_TAKES_SMTPUTF8 | SMTP_TAKES_DSN | \
	 SMTP_TAKES_AUTH)

static void mail_parameters_are_read(void **state)
{
	struct smtp_reply error;
	struct smtp_mail m;

	assert_true(smtp_mail_parse(SL("FROM:<a@b.org> SIZE=12 BODY=8bitmime SMTPUTF8 RET=HDRS "
				       "ENVID=a+2Bb AUTH=u+40x.org"),
				    ALL, *state, &m, &error));
	assert_slice(m.path.address, "a@b.org");
	assert_true(m.has_size && m.size == 12 && m.smtputf8);
	assert_int_equal(m.body, SMTP_BODY_8BITMIME);
	assert_int_equal(m.ret, DSN_RET_HDRS);
	assert_slice(m.envid, "a+b");
	assert_slice(m.auth, "u@x.org");
	assert_true(smtp_mail_parse(SL("from:<> auth=<>"), ALL, *state, &m, &error));
	assert_true(!slice_is_null(m.auth) && m.auth.n == 0);
	assert_true(slice_is_null(m.envid));
}

static const struct {
	const char *args;
	unsigned takes, code;
	const char *status;
} bad_mail[] = {
    {"", ALL, 501, "5.5.4"},
    {"<a@b.org>", ALL, 501, "5.5.4"},
    {"FROM:", ALL, 501, "5.5.4"},
    {"TO:<a@b.org>", ALL, 501, "5.5.4"},
    {"FROM:<a@b..org>", ALL, 501, "5.1.7"},
    {"FROM:<a@b.org> SIZE=x", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> SIZE=", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> SIZE=-1", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> SIZE=1", 0, 555, "5.5.4"},
    {"FROM:<a@b.org> BODY=BINARYMIME", ALL, 555, "5.5.4"},
    {"FROM:<a@b.org> BODY=7BIT", 0, 555, "5.5.4"},
    {"FROM:<a@b.org> SMTPUTF8=1", ALL, 555, "5.5.4"},
    {"FROM:<a@b.org> WHATEVER", ALL, 555, "5.5.4"},
    {"FROM:<a@b.org> RET=ALL", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> RET=FULL RET=FULL", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> ENVID=a+0Ab", ALL, 501, "5.5.4"},
    {"FROM:<a@b.org> RET=FULL", 0, 501, "5.7.1"},
    {"FROM:<a@b.org> AUTH=a AUTH=b", ALL, 503, "5.5.4"},
    {"FROM:<r\xc3\xa9@b.org>", 0, 553, "5.6.7"},
    {"FROM:<r\xc3\xa9@b.org>", ALL | SMTP_STRICT_UTF8, 553, "5.6.7"},
    {"FROM:a@b.org", ALL | SMTP_STRICT_PATHS, 501, "5.1.7"},
};

/* As Postfix has it: what no number holds is over every limit, and answered as such by the server. */
static void a_size_beyond_numbers_is_the_largest(void **state)
{
	struct arena *arena = arena_create();
	struct smtp_reply error;
	struct smtp_mail mail;

	(void)state;
	assert_true(smtp_mail_parse(SL("FROM:<a@b.org> SIZE=99999999999999999999"), ALL, arena, &mail,
				    &error));
	assert_true(mail.has_size && mail.size == UINT64_MAX);
	arena_destroy(&arena);
}

static void bad_mail_commands_get_the_right_reply(void **state)
{
	struct smtp_reply error;
	struct smtp_mail m;

	for (size_t i = 0; i < COUNT(bad_mail); i++) {
		if (smtp_mail_parse(slice_str(bad_mail[i].args), bad_mail[i].takes, *state, &m,
				    &error))
			fail_msg("taken: %s", bad_mail[i].args);
		if (error.code != bad_mail[i].code ||
		    !slice_eq(error.status, slice_str(bad_mail[i].status)))
			fail_msg("%s: %u", bad_mail[i].args, error.code);
	}
}

static void rcpt_parameters_are_read(void **state)
{
	struct smtp_reply error;
	struct smtp_rcpt r;

	assert_true(
	    smtp_rcpt_parse(SL("TO:<a@b.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x+2By@b.org"), ALL,
			    false, *state, &r, &error));
	assert_int_equal(r.notify, DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY);
	assert_slice(r.orcpt.address, "x+y@b.org");
	assert_true(smtp_rcpt_parse(SL("TO: postmaster"), ALL, false, *state, &r, &error));
	assert_true(slice_is_null(r.orcpt.type));
	assert_false(smtp_rcpt_parse(SL("TO:<>"), ALL, false, *state, &r, &error));
	assert_string_equal(error.status.p, "5.1.3");
	assert_false(smtp_rcpt_parse(SL("TO:<a@b.org> NOTIFY="), ALL, false, *state, &r, &error));
	assert_false(smtp_rcpt_parse(SL("TO:<a@b.org> ORCPT=x"), ALL, false, *state, &r, &error));
	assert_false(smtp_rcpt_parse(SL("TO:<a@b.org> SIZE=1"), ALL, false, *state, &r, &error));
	assert_int_equal(error.code, 555);
	assert_false(
	    smtp_rcpt_parse(SL("TO:<a@b.org> NOTIFY=NEVER"), 0, false, *state, &r, &error));
	assert_false(smtp_rcpt_parse(SL("TO:<r\xc3\xa9@b.org>"), ALL | SMTP_STRICT_UTF8, false,
				     *state, &r, &error));
	assert_int_equal(error.code, 553);
	assert_true(smtp_rcpt_parse(SL("TO:<r\xc3\xa9@b.org>"), ALL | SMTP_STRICT_UTF8, true,
				    *state, &r, &error));
}

static void bdat_has_a_size_and_may_be_last(void **state)
{
	uint64_t size;
	bool last;

	(void)state;
	assert_true(smtp_bdat_parse(SL("1000"), &size, &last));
	assert_true(size == 1000 && !last);
	assert_true(smtp_bdat_parse(SL("0 last"), &size, &last));
	assert_true(size == 0 && last);
	assert_false(smtp_bdat_parse(SL(""), &size, &last));
	assert_false(smtp_bdat_parse(SL("x"), &size, &last));
	assert_false(smtp_bdat_parse(SL("1 LAST x"), &size, &last));
	assert_false(smtp_bdat_parse(SL("1 MORE"), &size, &last));
	assert_false(smtp_bdat_parse(SL("18446744073709551616"), &size, &last));
}

/* out: NULL means that the data does not end in `in`. */
static const struct {
	const char *in, *out, *rest;
	bool bare_cr, bare_lf;
} data[] = {
    {".\r\n", "", "", false, false},
    {"a\r\n.\r\nQUIT\r\n", "a\r\n", "QUIT\r\n", false, false},
    {"..\r\n...\r\n.a\r\n.\r\n", ".\r\n..\r\na\r\n", "", false, false},
    {"a.\r\nb\r\n.\r\n", "a.\r\nb\r\n", "", false, false},
    {"\r\n\r\n.\r\n", "\r\n\r\n", "", false, false},
    /* none of these may end the data */
    {"a\n.\n", NULL, NULL, false, true},
    {"a\n.\r\n", NULL, NULL, false, true},
    {"a\r\n.\n", NULL, NULL, false, true},
    {"a\r\n.\r", NULL, NULL, false, false},
    {"a\r.\r\n", NULL, NULL, true, false},
    {"a\r.\r", NULL, NULL, true, false},
    {"a\r\n.\r\r\n", NULL, NULL, true, false},
    {"a\r\r\n.\r\r\n", NULL, NULL, true, false},
    {"a\n\r.\r\n", NULL, NULL, true, true},
    {"a\r\n.\0\r\n", NULL, NULL, false, false},
    {".\n", NULL, NULL, false, true},
    {"\n.\r\n", NULL, NULL, false, true},
    /* and this is what they are in the message */
    {"a\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "", false, true},
    {"a\n.\r\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "", false, true},
    {"a\r\n.\nMAIL\r\n.\r\n", "a\r\n.\r\nMAIL\r\n", "", false, true},
    {"a\r\n.\rMAIL\r\n.\r\n", "a\r\n MAIL\r\n", "", true, false},
    {"a\r.\r\nMAIL\r\n.\r\n", "a .\r\nMAIL\r\n", "", true, false},
    {"a\r\n.\r\r\nMAIL\r\n.\r\n", "a\r\n \r\nMAIL\r\n", "", true, false},
    {"a\n..b\n.c\r\n.\r\n", "a\r\n.b\r\n.c\r\n", "", false, true},
    {"a\rb\r\r\n.\r\n", "a b \r\n", "", true, false},
    {"a\n\n\r\n.\r\n", "a\r\n\r\n\r\n", "", false, true},
};

static bool read_in_two(struct slice in, size_t cut, enum data_bare mode, struct buffer *out,
			struct data_reader *r, struct slice *rest)
{
	struct slice first = slice_sub(in, 0, cut);

	buffer_reset(out);
	data_reader_init(r, mode);
	if (data_reader_feed(r, &first, out)) {
		*rest = slice_from(in, cut - first.n);
		return true;
	}
	assert_int_equal(first.n, 0);
	*rest = slice_from(in, cut);
	return data_reader_feed(r, rest, out);
}

static void data_ends_only_at_crlf_dot_crlf(void **state)
{
	struct data_reader r;
	struct buffer out;

	(void)state;
	buffer_init(&out, 10000);
	for (size_t i = 0; i < COUNT(data); i++) {
		/* The one with a NUL inside is longer than strlen says. */
		struct slice in = slice_str(data[i].in), rest;

		if (in.n == 4 && in.p[3] == '.')
			in.n = 7;
		for (size_t cut = 0; cut <= in.n; cut++) {
			bool ended = read_in_two(in, cut, DATA_BARE_NORMALIZE, &out, &r, &rest);

			if (ended != (data[i].out != NULL))
				fail_msg("case %zu, cut %zu: ended %d", i, cut, ended);
			assert_int_equal(r.bare_cr, data[i].bare_cr);
			assert_int_equal(r.bare_lf, data[i].bare_lf);
			assert_int_equal(r.written, out.len);
			assert_int_equal(r.taken, in.n - rest.n);
			if (!ended)
				continue;
			if (!slice_eq(buffer_slice(&out), slice_str(data[i].out)))
				fail_msg("case %zu, cut %zu", i, cut);
			assert_true(slice_eq(rest, slice_str(data[i].rest)));
		}
	}
	buffer_free(&out);
}

static void stray_line_ends_can_be_replaced(void **state)
{
	struct slice in = SL("a\nb\rc\n.\r\nd\r\n.\r\n"), rest;
	struct data_reader r;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	for (size_t cut = 0; cut <= in.n; cut++) {
		assert_true(read_in_two(in, cut, DATA_BARE_REPLACE, &out, &r, &rest));
		assert_slice(buffer_slice(&out), "a b c .\r\nd\r\n");
	}
	buffer_free(&out);
}

static void what_the_writer_writes_the_reader_reads(void **state)
{
	static const char alphabet[] = {'\r', '\n', '.', 'a'};
	struct buffer wire, canon, back;
	struct data_reader r;

	(void)state;
	buffer_init(&wire, 1000);
	buffer_init(&canon, 1000);
	buffer_init(&back, 1000);
	/* Every text of up to 7 bytes over the alphabet that matters. */
	for (unsigned n = 0; n <= 7; n++)
		for (unsigned code = 0; code < 1u << (2 * n); code++) {
			char text[8];
			struct content_canon c;
			struct data_writer w;
			struct slice rest;

			for (unsigned k = 0; k < n; k++)
				text[k] = alphabet[code >> (2 * k) & 3];
			buffer_reset(&wire);
			buffer_reset(&canon);
			content_canon_init(&c);
			content_canon_feed(&c, slice(text, n), &canon);
			content_canon_end(&c, &canon);
			data_writer_init(&w, 0);
			data_writer_feed(&w, slice(text, n / 2), &wire);
			data_writer_feed(&w, slice(text + n / 2, n - n / 2), &wire);
			data_writer_end(&w, &wire);
			assert_true(read_in_two(buffer_slice(&wire), wire.len / 2,
						DATA_BARE_NORMALIZE, &back, &r, &rest));
			assert_int_equal(rest.n, 0);
			assert_false(r.bare_cr || r.bare_lf);
			assert_true(slice_eq(buffer_slice(&back), buffer_slice(&canon)));
		}
	buffer_free(&wire);
	buffer_free(&canon);
	buffer_free(&back);
}

static void long_lines_are_broken(void **state)
{
	struct data_writer w;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	data_writer_init(&w, 4);
	data_writer_feed(&w, SL("abcd\r\nabcde.f.ghi\r\n.abcd"), &out);
	data_writer_end(&w, &out);
	assert_slice(buffer_slice(&out),
		     "abcd\r\nabcd\r\n e.f\r\n .gh\r\n i\r\n..abc\r\n d\r\n.\r\n");
	buffer_free(&out);
}

static void chunks_make_one_message(void **state)
{
	struct slice in = SL("a\r\n.\r\nb\r\ncNOOP");
	struct bdat_reader r;
	struct buffer out;

	(void)state;
	buffer_init(&out, 1000);
	bdat_reader_init(&r);
	bdat_reader_chunk(&r, 2, false);
	assert_true(bdat_reader_feed(&r, &in, &out));
	bdat_reader_chunk(&r, 0, false);
	assert_true(bdat_reader_feed(&r, &in, &out));
	bdat_reader_chunk(&r, 8, true);
	assert_true(bdat_reader_feed(&r, &in, &out));
	assert_slice(in, "NOOP");
	assert_slice(buffer_slice(&out), "a\r\n.\r\nb\r\nc\r\n");
	assert_false(r.canon.bare_cr);
	buffer_free(&out);
}

static struct slice format(struct buffer *out, unsigned code, const char *status, struct slice text,
			   bool utf8)
{
	struct smtp_reply reply = smtp_reply(code, status, text);

	buffer_reset(out);
	assert_true(smtp_reply_format(out, &reply, utf8));
	return buffer_slice(out);
}

static void replies_are_written_safely(void **state)
{
	struct buffer out;
	struct slice s;
	char text[3000];

	(void)state;
	buffer_init(&out, 100000);
	assert_slice(format(&out, 250, "2.1.0", SL("Ok"), false), "250 2.1.0 Ok\r\n");
	assert_slice(format(&out, 250, NULL, SL("host\nSIZE\nDSN"), false),
		     "250-host\r\n250-SIZE\r\n250 DSN\r\n");
	assert_slice(format(&out, 550, "5.1.1", SL("a\r\nb"), false),
		     "550-5.1.1 a\r\n550 5.1.1 b\r\n");
	assert_slice(format(&out, 354, "2.0.0", SL("Go"), false), "354 Go\r\n");
	assert_slice(format(&out, 550, "4.1.1", SL("x"), false), "550 x\r\n");
	assert_slice(format(&out, 550, "5.1.1\r\n", SL("x"), false), "550 x\r\n");
	assert_slice(format(&out, 250, "2.0.0", SL(""), false), "250 2.0.0\r\n");
	assert_slice(format(&out, 250, NULL, SL(""), false), "250 \r\n");
	assert_slice(format(&out, 550, NULL, SL("a\r250 ok\0\x1b\x7f\xc3\xa9\t."), false),
		     "550 a?250 ok????? .\r\n");
	assert_slice(format(&out, 550, NULL, SL("\xc3\xa9"), true), "550 \xc3\xa9\r\n");
	assert_slice(format(&out, 550, NULL, SL("\xc3"), true), "550 ?\r\n");
	assert_slice(format(&out, 99, NULL, SL("x"), false), "451 x\r\n");
	memset(text, 'x', sizeof(text));
	s = format(&out, 550, "5.1.1", slice(text, sizeof(text)), false);
	for (ssize_t lf; s.n > 0; s = slice_from(s, (size_t)lf + 1)) {
		lf = slice_find(s, '\n');
		assert_true(lf > 0 && lf < REPLY_LINE_MAX);
		assert_true(slice_starts(s, slice_eq(slice_from(s, (size_t)lf + 1), SL(""))
						? SL("550 5.1.1 x")
						: SL("550-5.1.1 x")));
	}
	buffer_free(&out);
}

static void reply_text_of_tables_is_split(void **state)
{
	struct smtp_reply r;

	(void)state;
	assert_true(smtp_reply_split(SL("550 5.7.1 go away"), &r));
	assert_int_equal(r.code, 550);
	assert_slice(r.status, "5.7.1");
	assert_slice(r.text, "go away");
	assert_true(smtp_reply_split(SL("450"), &r));
	assert_true(slice_is_null(r.status) && r.text.n == 0);
	assert_true(smtp_reply_split(SL("550 4.7.1 x"), &r));
	assert_true(slice_is_null(r.status));
	assert_slice(r.text, "4.7.1 x");
	assert_false(smtp_reply_split(SL("5501 x"), &r));
	assert_false(smtp_reply_split(SL("REJECT"), &r));
	assert_false(smtp_reply_split(SL("600 x"), &r));
}

static void replies_are_read(void **state)
{
	static const char *const bad[] = {"",	   "25",    "2x0 a",  "250x",
					  "999 a", "150 a", "-250 a", "+25 ok"};
	struct reply_parser p;
	struct buffer text;
	struct smtp_reply r;

	(void)state;
	buffer_init(&text, 100);
	reply_parser_begin(&p, &text, 3);
	assert_int_equal(reply_parser_line(&p, SL("550-5.1.1 no such"), &r), REPLY_MORE);
	assert_int_equal(reply_parser_line(&p, SL("550-5.1.1"), &r), REPLY_MORE);
	assert_int_equal(reply_parser_line(&p, SL("550 5.1.1 us\0er\r"), &r), REPLY_DONE);
	assert_int_equal(r.code, 550);
	assert_slice(r.status, "5.1.1");
	assert_slice(r.text, "no such\n\nus?er");
	assert_int_equal(smtp_reply_result(&r), RES_PERM);
	reply_parser_begin(&p, &text, 3);
	assert_int_equal(reply_parser_line(&p, SL("250-2.0.0 a"), &r), REPLY_MORE);
	assert_int_equal(reply_parser_line(&p, SL("450 b"), &r), REPLY_DONE);
	assert_int_equal(r.code, 450);
	assert_true(slice_is_null(r.status));
	reply_parser_begin(&p, &text, 3);
	assert_int_equal(reply_parser_line(&p, SL("250"), &r), REPLY_DONE);
	assert_slice(r.text, "");
	reply_parser_begin(&p, &text, 2);
	assert_int_equal(reply_parser_line(&p, SL("250-a"), &r), REPLY_MORE);
	assert_int_equal(reply_parser_line(&p, SL("250-b"), &r), REPLY_MORE);
	assert_int_equal(reply_parser_line(&p, SL("250 c"), &r), REPLY_BAD);
	for (size_t i = 0; i < COUNT(bad); i++) {
		reply_parser_begin(&p, &text, 0);
		if (reply_parser_line(&p, slice_str(bad[i]), &r) != REPLY_BAD)
			fail_msg("taken: %s", bad[i]);
	}
	buffer_free(&text);
}

static void ehlo_is_composed_and_read(void **state)
{
	struct ehlo offer = {.flags =
				 EHLO_SIZE | EHLO_PIPELINING | EHLO_DSN | EHLO_AUTH | EHLO_CHUNKING,
			     .size_limit = 1000,
			     .name = SL("mx.example.com"),
			     .mechs = SL("PLAIN LOGIN")};
	struct smtp_reply reply = ehlo_compose(*state, &offer, EHLO_DSN, true);
	struct slice bad;
	struct ehlo got;
	unsigned mask;

	assert_slice(reply.text, "mx.example.com\nPIPELINING\nSIZE 1000\nAUTH PLAIN LOGIN\n"
				 "AUTH=PLAIN LOGIN\nCHUNKING");
	ehlo_parse(&reply, EHLO_CHUNKING, *state, &got);
	assert_int_equal(got.flags, EHLO_SIZE | EHLO_PIPELINING | EHLO_AUTH);
	assert_slice(got.name, "mx.example.com");
	assert_slice(got.mechs, "PLAIN LOGIN");
	assert_true(got.has_size_limit && got.size_limit == 1000);
	reply.text = SL("size 5\nsize x\n\n  auth=login\nAUTH plain\nX-WHAT 1\n8bitmime extra");
	ehlo_parse(&reply, 0, *state, &got);
	assert_int_equal(got.flags, EHLO_SIZE | EHLO_AUTH | EHLO_8BITMIME);
	assert_false(got.has_size_limit);
	assert_true(ehlo_discard_parse(SL("silent-discard, dsn Etrn"), &mask, &bad));
	assert_int_equal(mask, EHLO_SILENT_DISCARD | EHLO_DSN | EHLO_ETRN);
	assert_false(ehlo_discard_parse(SL("dsn, bogus"), &mask, &bad));
	assert_slice(bad, "bogus");
	assert_int_equal(mask, EHLO_DSN);
}

static void status_codes_have_meanings(void **state)
{
	struct enhanced_status s;
	struct slice rest;

	(void)state;
	assert_true(enhanced_parse(SL("5.1.10 x"), &s, &rest));
	assert_true(s.class == 5 && s.subject == 1 && s.detail == 10);
	assert_slice(rest, "x");
	assert_string_equal(enhanced_meaning(&s), "Recipient address has null MX");
	assert_int_equal(enhanced_result(&s), RES_PERM);
	assert_false(enhanced_parse(SL("3.1.1"), &s, &rest));
	assert_false(enhanced_parse(SL("5.1"), &s, &rest));
	assert_false(enhanced_parse(SL("5.1.1000"), &s, &rest));
	assert_false(enhanced_parse(SL("5.1.1x"), &s, &rest));
	assert_false(enhanced_parse(SL("5..1"), &s, &rest));
	assert_int_equal(reply_meaning(452)->result, RES_TEMP);
	assert_null(reply_meaning(299));
	for (size_t i = 0; i < reply_table_size; i++)
		if (reply_table[i].status)
			assert_true(enhanced_parse(slice_str(reply_table[i].status), &s, &rest) &&
				    enhanced_meaning(&s) != NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_have_a_verb_and_arguments),
	    cmocka_unit_test(mail_parameters_are_read),
	    cmocka_unit_test(bad_mail_commands_get_the_right_reply),
	    cmocka_unit_test(a_size_beyond_numbers_is_the_largest),
	    cmocka_unit_test(rcpt_parameters_are_read),
	    cmocka_unit_test(bdat_has_a_size_and_may_be_last),
	    cmocka_unit_test(data_ends_only_at_crlf_dot_crlf),
	    cmocka_unit_test(stray_line_ends_can_be_replaced),
	    cmocka_unit_test(what_the_writer_writes_the_reader_reads),
	    cmocka_unit_test(long_lines_are_broken),
	    cmocka_unit_test(chunks_make_one_message),
	    cmocka_unit_test(replies_are_written_safely),
	    cmocka_unit_test(reply_text_of_tables_is_split),
	    cmocka_unit_test(replies_are_read),
	    cmocka_unit_test(ehlo_is_composed_and_read),
	    cmocka_unit_test(status_codes_have_meanings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
