/* SPDX-License-Identifier: ISC */
/* test_smtp_client - the pure parts of the SMTP client. */
#include "unit.h"

#include "smtp/downgrade.h"
#include "smtp/failure.h"
#include "smtp/nexthop.h"
#include "smtp/policy.h"
#include "smtp/target.h"

static void destinations_have_hosts_and_ports(void **state)
{
	static const struct {
		const char *text;
		bool lmtp;
		const char *path, *host, *port;
		bool mx;
	} cases[] = {
	    {"example.com", false, NULL, "example.com", "smtp", true},
	    {"example.com.", false, NULL, "example.com", "smtp", true},
	    {"example.com:587", false, NULL, "example.com", "587", true},
	    {"[mx.example.com]", false, NULL, "mx.example.com", "smtp", false},
	    {"[mx.example.com]:submission", false, NULL, "mx.example.com", "submission", false},
	    {"[192.0.2.1]:2525", false, NULL, "192.0.2.1", "2525", false},
	    {"[ipv6:2001:db8::1]:26", false, NULL, "ipv6:2001:db8::1", "26", false},
	    {"[2001:db8::1]", false, NULL, "2001:db8::1", "smtp", false},
	    {"unix:private/lmtp", true, "private/lmtp", NULL, NULL, false},
	    {"inet:store.example.com:24", true, NULL, "store.example.com", "24", false},
	    {"inet:[::1]:24", true, NULL, "::1", "24", false},
	    {"store.example.com", true, NULL, "store.example.com", "smtp", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nexthop hop;
		const char *why;

		assert_true(nexthop_parse(slice_str(cases[i].text), cases[i].lmtp, SL("smtp"), &hop, &why));
		assert_int_equal(hop.mx, cases[i].mx);
		assert_true(slice_eq(hop.path, slice_str(cases[i].path)));
		assert_true(slice_eq(hop.host, slice_str(cases[i].host)));
		assert_true(slice_eq(hop.port, slice_str(cases[i].port)));
	}
}

static void what_is_no_destination_is_refused(void **state)
{
	static const char *const bad[] = {"",	   ":25",     "[]",	    "[host",	  "[host]x",
					  "host:", "host:1:2", "[host]:", "[host]:1:2", "2001:db8::1"};
	struct nexthop hop;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(nexthop_parse(slice_str(bad[i]), false, SL("25"), &hop, &why));
	assert_false(nexthop_parse(SL("unix:"), true, SL("24"), &hop, &why));
	/* a socket is none of SMTP's destinations */
	assert_false(nexthop_parse(SL("unix:a:b"), false, SL("25"), &hop, &why));
}

static void ports_have_names(void **state)
{
	struct slice known = SL("lmtp=24, smtp=25, smtps=submissions=465, submission=587");

	(void)state;
	assert_int_equal(nexthop_port(SL("smtp"), known), 25);
	assert_int_equal(nexthop_port(SL("smtps"), known), 465);
	assert_int_equal(nexthop_port(SL("submissions"), known), 465);
	assert_int_equal(nexthop_port(SL("2525"), known), 2525);
	assert_int_equal(nexthop_port(SL("65536"), known), 0);
	assert_int_equal(nexthop_port(SL("nntp"), known), 0);
	assert_int_equal(nexthop_port(SL("25"), SL("25")), 25);
}

/* ---- order */

static struct target at(const char *addr, unsigned preference, uint32_t chance)
{
	struct target t = {.host = slice_str(addr), .preference = preference, .chance = chance};

	assert_true(ip_parse(slice_str(addr), &t.addr));
	return t;
}

static void expect_order(const struct target *items, size_t count, const char *const *want)
{
	for (size_t i = 0; i < count; i++)
		assert_string_equal(items[i].host.p, want[i]);
}

static void preference_decides_before_family_and_chance(void **state)
{
	struct dns_families any = {.ipv4 = true, .ipv6 = true, .prefer = DNS_PREFER_ANY};
	struct dns_families six = {.ipv4 = true, .ipv6 = true, .prefer = DNS_PREFER_IPV6};
	struct target items[] = {at("192.0.2.3", 20, 1), at("192.0.2.1", 10, 5),
				 at("2001:db8::1", 10, 7), at("192.0.2.2", 10, 2),
				 at("2001:db8::2", 20, 9)};

	(void)state;
	targets_sort(items, 5, &any);
	expect_order(items, 5, (const char *const[]){"192.0.2.2", "192.0.2.1", "2001:db8::1", "192.0.2.3",
						     "2001:db8::2"});
	targets_sort(items, 5, &six);
	expect_order(items, 5, (const char *const[]){"2001:db8::1", "192.0.2.2", "192.0.2.1",
						     "2001:db8::2", "192.0.2.3"});
}

static void no_family_pushes_the_other_out(void **state)
{
	struct target items[8];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		items[i] = at(i < 6 ? "192.0.2.1" : "2001:db8::1", i, i);
	n = targets_limit(items, 8, 5, false);
	assert_int_equal(n, 5);
	assert_int_equal(items[4].addr.bits, 32);
	n = targets_limit(items, 8, 5, true);
	assert_int_equal(n, 5);
	assert_int_equal(items[2].addr.bits, 32);
	assert_int_equal(items[3].addr.bits, 128);
	assert_int_equal(items[4].addr.bits, 128);
	assert_int_equal(targets_limit(items, 3, 5, true), 3);
	assert_int_equal(targets_limit(items, 3, 0, true), 3);
	/* all of one family: none is held back for the other */
	for (unsigned i = 0; i < 8; i++)
		items[i] = at("2001:db8::1", i, i);
	assert_int_equal(targets_limit(items, 8, 5, true), 5);
}

static void mail_goes_to_better_hosts_only(void **state)
{
	struct ip_addr mine = {0};
	struct own_addresses own = {&mine, 1};
	struct target items[] = {at("192.0.2.1", 10, 0), at("192.0.2.2", 20, 0), at("192.0.2.9", 20, 0),
				 at("192.0.2.3", 30, 0)};

	(void)state;
	assert_true(ip_parse(SL("192.0.2.9"), &mine));
	assert_int_equal(targets_before_self(items, 4, &own), 1);
	assert_string_equal(items[0].host.p, "192.0.2.1");
	items[0] = at("192.0.2.9", 10, 0);
	assert_int_equal(targets_before_self(items, 1, &own), 0);
	items[0] = at("192.0.2.1", 10, 0);
	assert_int_equal(targets_before_self(items, 1, &own), 1);
}

/* ---- failures */

static void failures_speak_as_postfix_does(void **state)
{
	struct arena *arena = arena_create();
	struct smtp_reply reply = smtp_reply(550, "5.1.1", SL("No such\nuser here"));
	struct failure f = failure_reply(arena, SL("mx.test[192.0.2.1]"), SL("mx.test"), &reply,
					 "RCPT TO command");

	(void)state;
	assert_int_equal(f.result, RES_PERM);
	assert_slice(f.dsn, "5.1.1");
	assert_slice(f.text, "host mx.test[192.0.2.1] said: 550-5.1.1 No such 550 5.1.1 user here "
			     "(in reply to RCPT TO command)");
	assert_slice(f.mta, "smtp; 550-5.1.1 No such 550 5.1.1 user here");
	assert_slice(f.remote, "mx.test");
	reply = smtp_reply(451, NULL, SL(""));
	f = failure_reply(arena, SL("h[a]"), SL("h"), &reply, "DATA command");
	assert_int_equal(f.result, RES_TEMP);
	assert_slice(f.dsn, "4.0.0");
	assert_slice(f.text, "host h[a] said: 451 (in reply to DATA command)");
	reply = smtp_reply(354, NULL, SL("what"));
	f = failure_reply(arena, SL("h[a]"), SL("h"), &reply, "MAIL FROM command");
	assert_slice(f.dsn, "5.5.0");
	assert_int_equal(f.result, RES_PERM);
	reply = smtp_reply(554, "5.7.1", SL("go away"));
	f = failure_refused(arena, SL("h[a]"), SL("h"), &reply);
	assert_slice(f.text, "host h[a] refused to talk to me: 554 5.7.1 go away");
	failure_soften(arena, &f);
	assert_slice(f.dsn, "4.7.1");
	assert_int_equal(f.result, RES_TEMP);
	arena_destroy(&arena);
}

/* ---- TLS policies */

static void policies_name_levels_and_attributes(void **state)
{
	struct arena *arena = arena_create();
	struct client_conf conf = {.tls_level = TLS_LEVEL_MAY,
				   .tls_verify_names = SL("hostname"),
				   .tls_secure_names = SL("nexthop, dot-nexthop")};
	struct table_set *set = table_set_create(NULL);
	struct table_list *maps = table_list_create(
	    set,
	    SL("inline:{ { a.test = encrypt }, { .b.test = secure match=mx.b.test:.b.test }, "
	       "{ [c.test]:587 = none }, { bad.test = encrypt protocols=TLSv1 } }"),
	    TABLE_FOLD);
	struct tls_policy p;
	struct failure f;

	(void)state;
	assert_int_equal(policy_find(&conf, maps, SL("other.test"), arena, &p, &f), RES_OK);
	assert_int_equal(p.level, TLS_LEVEL_MAY);
	assert_int_equal(policy_find(&conf, maps, SL("A.test:26"), arena, &p, &f), RES_OK);
	assert_int_equal(p.level, TLS_LEVEL_ENCRYPT);
	assert_int_equal(policy_find(&conf, maps, SL("x.y.b.test"), arena, &p, &f), RES_OK);
	assert_int_equal(p.level, TLS_LEVEL_SECURE);
	assert_slice(p.names, "mx.b.test:.b.test");
	assert_int_equal(policy_find(&conf, maps, SL("[c.test]:587"), arena, &p, &f), RES_OK);
	assert_int_equal(p.level, TLS_LEVEL_NONE);
	assert_int_equal(policy_find(&conf, maps, SL("[c.test]"), arena, &p, &f), RES_OK);
	assert_int_equal(p.level, TLS_LEVEL_MAY);
	/* what is not understood is not taken for less */
	assert_int_equal(policy_find(&conf, maps, SL("bad.test"), arena, &p, &f), RES_TEMP);
	assert_slice(f.dsn, "4.7.5");
	table_set_destroy(&set);
	arena_destroy(&arena);
}

/* ---- 8-bit content to a 7-bit server */

/* convert - in pieces of `step` bytes; the result is the arena's. */
static struct slice convert(struct arena *arena, struct slice in, size_t step)
{
	struct downgrade *d = downgrade_create();
	struct buffer out;
	struct slice result;

	buffer_init(&out, 1 << 20);
	for (size_t i = 0; i < in.n; i += step)
		downgrade_feed(d, slice_sub(in, i, i + step), &out);
	downgrade_end(d, &out);
	downgrade_destroy(&d);
	result = arena_dup(arena, buffer_slice(&out));
	buffer_free(&out);
	return result;
}

#define CONVERTS(in, want)                                            \
	do {                                                          \
		for (size_t step = 1; step < 5000; step = step * 3 + 1) \
			assert_slice(convert(arena, SL(in), step), want); \
	} while (0)

static void eight_bit_parts_become_quoted_printable(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	CONVERTS("Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
		 "\r\ncaf\xc3\xa9 = 1 \r\n.\r\nend\t\r\n",
		 "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
		 "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
		 "caf=C3=A9 =3D 1=20\r\n.\r\nend=09\r\n");
	/* undeclared: not ours to reinterpret */
	CONVERTS("Subject: x\r\n\r\ncaf\xc3\xa9\r\n", "Subject: x\r\n\r\ncaf\xc3\xa9\r\n");
	CONVERTS("", "");
	CONVERTS("no header\xe9\r\n", "no header\xe9\r\n");
	arena_destroy(&arena);
}

static void enclosed_parts_are_converted_each_for_itself(void **state)
{
	struct arena *arena = arena_create();

	(void)state;
	CONVERTS("Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		 "preamble \xe9\r\n--a b\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n\xe9\r\n"
		 "--a b \r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
		 "--a b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
		 "Subject: inner\r\nContent-Transfer-Encoding: binary\r\n\r\n=\xe9\r\n"
		 "--a b--\r\nepilogue =\r\n",
		 "Content-Type: multipart/mixed;\r\n boundary=\"a b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
		 "preamble \xe9\r\n--a b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E9\r\n"
		 "--a b \r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
		 "--a b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
		 "Subject: inner\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=3D=E9\r\n"
		 "--a b--\r\nepilogue =\r\n");
	arena_destroy(&arena);
}

static void encoded_lines_are_short(void **state)
{
	struct arena *arena = arena_create();
	char body[10000];
	struct slice in, out;

	(void)state;
	memset(body, '\xe9', sizeof(body));
	in = arena_printf(arena, "Content-Transfer-Encoding: 8bit\r\n\r\n%.*s\r\n", (int)sizeof(body), body);
	out = convert(arena, in, 777);
	out = slice_from(out, strlen("Content-Transfer-Encoding: quoted-printable\r\n\r\n"));
	assert_true(out.n > 3 * sizeof(body));
	while (out.n > 0) {
		ssize_t lf = slice_find(out, '\n');

		assert_true(lf > 0 && lf <= 77);
		out = slice_from(out, (size_t)lf + 1);
	}
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(destinations_have_hosts_and_ports),
	    cmocka_unit_test(what_is_no_destination_is_refused),
	    cmocka_unit_test(ports_have_names),
	    cmocka_unit_test(preference_decides_before_family_and_chance),
	    cmocka_unit_test(no_family_pushes_the_other_out),
	    cmocka_unit_test(mail_goes_to_better_hosts_only),
	    cmocka_unit_test(failures_speak_as_postfix_does),
	    cmocka_unit_test(policies_name_levels_and_attributes),
	    cmocka_unit_test(eight_bit_parts_become_quoted_printable),
	    cmocka_unit_test(enclosed_parts_are_converted_each_for_itself),
	    cmocka_unit_test(encoded_lines_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
