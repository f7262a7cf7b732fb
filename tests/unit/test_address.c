/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "address/address.h"
#include "address/domain.h"
#include "address/idna.h"
#include "address/utf8.h"
#include "address/list.h"
#include "address/path.h"

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

static void assert_text(struct slice got, const char *want, const char *input)
{
	if (!slice_eq(got, slice_str(want)))
		fail_msg("for \"%s\": got \"%.*s\", want \"%s\"", input, SL_ARG(got), want);
}

static void quoting_is_undone_by_unquoting(void **state)
{
	static const struct {
		const char *internal, *external;
	} cases[] = {
	    {"", ""},
	    {"user@example.com", "user@example.com"},
	    {"postmaster", "postmaster"},
	    {"first.last+x@example.com", "first.last+x@example.com"},
	    {"!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"},
	    {"two words@example.com", "\"two words\"@example.com"},
	    {"a@b@example.com", "\"a@b\"@example.com"},
	    {"quo\"te@example.com", "\"quo\\\"te\"@example.com"},
	    {"back\\slash@example.com", "\"back\\\\slash\"@example.com"},
	    {".dot@example.com", "\".dot\"@example.com"},
	    {"dot.@example.com", "\"dot.\"@example.com"},
	    {"d..t@example.com", "\"d..t\"@example.com"},
	    {"@example.com", "\"\"@example.com"},
	    {"a,b@[IPv6:::1]", "\"a,b\"@[IPv6:::1]"},
	    {"r\xc3\xa9my@example.com", "r\xc3\xa9my@example.com"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice external = address_quote(*state, slice_str(cases[i].internal));

		assert_text(external, cases[i].external, cases[i].internal);
		assert_text(address_unquote(*state, external), cases[i].internal,
			    cases[i].external);
	}
	/* No header or command can be broken out of. */
	assert_slice(address_quote(*state, SL("a\r\nRCPT@x.org")), "\"a??RCPT\"@x.org");
	assert_slice(address_quote(*state, SL("a@x\r\nBcc: y")), "a@x??Bcc: y");
	assert_slice(address_unquote(*state, SL("\"open@x")), "open@x");
	assert_slice(address_unquote(*state, SL("\"a\\")), "a\\");
}

static void addresses_split_at_the_last_at(void **state)
{
	struct address_parts parts = address_split(SL("a@b@c.org"));

	(void)state;
	assert_slice(parts.local, "a@b");
	assert_slice(parts.domain, "c.org");
	parts = address_split(SL("alone"));
	assert_slice(parts.local, "alone");
	assert_true(slice_is_null(parts.domain));
	parts = address_split_external(SL("\"a@b\""));
	assert_true(slice_is_null(parts.domain));
	parts = address_split_external(SL("\"a@\\\"b\"@c.org"));
	assert_slice(parts.local, "\"a@\\\"b\"");
	assert_slice(parts.domain, "c.org");
	parts = address_split(SL("user@"));
	assert_false(slice_is_null(parts.domain));
}

static void extensions_split_as_in_postfix(void **state)
{
	static const struct {
		const char *local, *delimiters, *user, *extension;
	} cases[] = {
	    {"user+ext", "+", "user", "ext"},
	    {"user+a-b", "+-", "user", "a-b"},
	    {"user-a+b", "+-", "user", "a+b"},
	    {"user+", "+", "user", ""},
	    {"+ext", "+", NULL, NULL},
	    {"user", "+", NULL, NULL},
	    {"user+ext", "", NULL, NULL},
	    {"PostMaster", "m", NULL, NULL},
	    {"mailer-daemon", "-", NULL, NULL},
	    {"double-bounce", "-", NULL, NULL},
	    {"owner-list", "-", NULL, NULL},
	    {"list-request", "-", NULL, NULL},
	    {"-request", "-", NULL, NULL},
	    {"owner-list", "+", NULL, NULL},
	    {"owner+list", "+", "owner", "list"},
	    {"list-request", "q", "list-re", "uest"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct slice user, extension;
		bool split = address_split_extension(slice_str(cases[i].local),
						     slice_str(cases[i].delimiters), true,
						     SL("double-bounce"), &user, &extension);

		assert_int_equal(split, cases[i].user != NULL);
		if (split) {
			assert_text(user, cases[i].user, cases[i].local);
			assert_text(extension, cases[i].extension, cases[i].local);
		}
	}
}

/* address: what is expected, or NULL for an error; strict: NULL means as in tolerant mode, "!" an
 * error. */
static const struct {
	const char *text, *address, *strict, *rest;
} paths[] = {
    {"<user@example.com>", "user@example.com", NULL, ""},
    {"<>", "", NULL, ""},
    {"<> SIZE=1", "", NULL, " SIZE=1"},
    {" <user@example.com>  BODY=7BIT", "user@example.com", NULL, "  BODY=7BIT"},
    {"<postmaster>", "postmaster", NULL, ""},
    {"<@a.org,@b.org:user@example.com>", "user@example.com", NULL, ""},
    {"<@a.org:user@example.com> X", "user@example.com", NULL, " X"},
    {"<\"two words\"@example.com>", "two words@example.com", NULL, ""},
    {"<\"a>b\"@example.com> S", "a>b@example.com", NULL, " S"},
    {"<\"a@b\"@example.com>", "a@b@example.com", NULL, ""},
    {"<\"q\\\"q\"@example.com>", "q\"q@example.com", NULL, ""},
    {"<user@[192.0.2.1]>", "user@[192.0.2.1]", NULL, ""},
    {"<user@[IPv6:2001:db8::1]>", "user@[IPv6:2001:db8::1]", NULL, ""},
    {"<user@[2001:db8::1]>", NULL, NULL, NULL},
    {"<user@[IPv6:192.0.2.1]>", NULL, NULL, NULL},
    {"<user@[999.0.2.1]>", NULL, NULL, NULL},
    {"<user@192.0.2.1>", NULL, NULL, NULL},
    {"<user@example..com>", NULL, NULL, NULL},
    {"<user@-example.com>", NULL, NULL, NULL},
    {"<user@>", NULL, NULL, NULL},
    {"<@example.com>", NULL, NULL, NULL},
    {"<user@example.com", NULL, NULL, NULL},
    {"<user@example.com>SIZE=1", NULL, NULL, NULL},
    {"<a@b.org><c@d.org>", NULL, NULL, NULL},
    {"<a@b.org, c@d.org>", NULL, NULL, NULL},
    {"<a@b.org c@d.org>", NULL, NULL, NULL},
    {"<us\ter@example.com>", NULL, NULL, NULL},
    {"<\"us\ter\"@example.com>", NULL, NULL, NULL},
    {"<(nothing)>", NULL, NULL, NULL},
    {"<r\xc3\xa9my@example.com>", NULL, NULL, NULL},
    {"user@example.com", "user@example.com", "!", ""},
    {"user@example.com SIZE=1", "user@example.com", "!", " SIZE=1"},
    {"< user@example.com >", "user@example.com", "!", ""},
    {"< >", "", "!", ""},
    {"<user @ example.com>", "user@example.com", "!", ""},
    {"<user@example.com (comment)> X", "user@example.com", "!", " X"},
    {"<(a (nested) one) user@example.com>", "user@example.com", "!", ""},
    {"<Some One <user@example.com>>", "user@example.com", "!", ""},
    {"<user@example.com.>", "user@example.com", "!", ""},
    {"<d..t@example.com>", "d..t@example.com", "!", ""},
    {"<a@b@example.com>", "a@b@example.com", "!", ""},
    {"<a\\@b@example.com>", "a@b@example.com", "!", ""},
};

static void paths_are_read_as_a_server_reads_them(void **state)
{
	for (size_t i = 0; i < 2 * COUNT(paths); i++) {
		bool strict = i >= COUNT(paths);
		size_t k = i % COUNT(paths);
		const char *want = strict && paths[k].strict ? NULL : paths[k].address;
		struct smtp_path path;
		struct slice rest;
		enum path_error error = path_parse(slice_str(paths[k].text),
						   strict ? PATH_STRICT : 0, *state, &path, &rest);

		if ((error == PATH_OK) != (want != NULL))
			fail_msg("%s (strict %d): error %d", paths[k].text, strict, (int)error);
		if (!want)
			continue;
		assert_text(path.address, want, paths[k].text);
		assert_text(rest, paths[k].rest, paths[k].text);
		assert_true(slice_eq(path.external, address_quote(*state, path.address)));
		assert_int_equal(path_check(path.address, strict ? PATH_STRICT : 0), PATH_OK);
	}
}

static enum path_error parse_flags(struct arena *arena, struct slice text, unsigned flags,
				   struct smtp_path *path)
{
	struct slice rest;

	return path_parse(text, flags, arena, path, &rest);
}

static void paths_know_utf8_limits_and_numeric_domains(void **state)
{
	struct smtp_path path;
	char text[1200];

	assert_int_equal(parse_flags(*state, SL(""), 0, &path), PATH_MISSING);
	assert_int_equal(parse_flags(*state, SL("   "), PATH_STRICT, &path), PATH_MISSING);
	assert_int_equal(parse_flags(*state, SL("<r\xc3\xa9@x.org>"), 0, &path), PATH_NEEDS_UTF8);
	assert_int_equal(parse_flags(*state, SL("<r\xc3\xa9@x.org>"), PATH_UTF8, &path), PATH_OK);
	assert_true(path.utf8);
	assert_int_equal(parse_flags(*state, SL("<u@b\xc3\xbc.org>"), PATH_UTF8, &path), PATH_OK);
	assert_int_equal(parse_flags(*state, SL("<r\xc3@x.org>"), PATH_UTF8, &path), PATH_SYNTAX);
	assert_int_equal(parse_flags(*state, SL("<u@192.0.2.1>"), PATH_NUMERIC, &path), PATH_OK);
	assert_slice(path.address, "u@[192.0.2.1]");
	assert_int_equal(parse_flags(*state, SL("<@r.org:u@x.org>"), 0, &path), PATH_OK);
	assert_true(path.routed);
	assert_slice(path.raw, "<@r.org:u@x.org>");
	snprintf(text, sizeof(text), "<%0600d@x.org>", 0);
	assert_int_equal(parse_flags(*state, slice_str(text), 0, &path), PATH_TOO_LONG);
	snprintf(text, sizeof(text), "<u@%0300d.org>", 0);
	assert_int_equal(parse_flags(*state, slice_str(text), 0, &path), PATH_TOO_LONG);
	assert_int_equal(parse_flags(*state, SL("<a\0b@x.org>"), 0, &path), PATH_SYNTAX);
}

static void domains_have_a_syntax(void **state)
{
	static const struct {
		const char *name;
		bool valid, fqdn;
	} cases[] = {
	    {"example.com", true, true},      {"localhost", true, false},
	    {"example.com.", false, true},    {"a_b.example", true, true},
	    {"1.2.3.4", false, false},	      {"123", false, false},
	    {"1.example", true, true},	      {"-a.org", false, false},
	    {"a-.org", false, false},	      {"a..org", false, false},
	    {".org", false, false},	      {"", false, false},
	    {"a b.org", false, false},	      {"a\n.org", false, false},
	    {"xn--bcher-kva.de", true, true}, {"b\xc3\xbc.de", false, true},
	    {"b\xc3.de", false, false},
	};
	char label[80];
	struct ip_addr ip;
	char text[IP_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (domain_valid(slice_str(cases[i].name)) != cases[i].valid)
			fail_msg("domain_valid(%s)", cases[i].name);
		if (domain_is_fqdn(slice_str(cases[i].name)) != cases[i].fqdn)
			fail_msg("domain_is_fqdn(%s)", cases[i].name);
	}
	snprintf(label, sizeof(label), "%063d.a", 0);
	assert_true(domain_valid(slice_str(label)));
	snprintf(label, sizeof(label), "%064d.a", 0);
	assert_false(domain_valid(slice_str(label)));
	assert_false(domain_valid_utf8(slice_str(label)));
	assert_true(domain_has_parent(SL("a.Example.COM"), SL("example.com")));
	assert_false(domain_has_parent(SL("example.com"), SL("example.com")));
	assert_false(domain_has_parent(SL("badexample.com"), SL("example.com")));
	assert_slice(domain_parent(SL("a.b.c")), "b.c");
	assert_true(domain_parse_literal(SL("[ipv6:2001:DB8::1]"), &ip));
	assert_slice(domain_format_literal(&ip, text), "[IPv6:2001:db8::1]");
	assert_true(domain_parse_literal(SL("[192.0.2.1]"), &ip));
	assert_slice(domain_format_literal(&ip, text), "[192.0.2.1]");
	assert_false(domain_parse_literal(SL("[]"), &ip));
	assert_false(domain_parse_literal(SL("[IPv6:]"), &ip));
}

static void names_convert_between_label_forms(void **state)
{
	struct slice out;

	assert_true(idna_to_ascii(*state,
				  SL("b\xc3\xbc"
				     "cher.de"),
				  &out));
	assert_slice(out, "xn--bcher-kva.de");
	assert_true(idna_to_utf8(*state, SL("xn--bcher-kva.de"), &out));
	assert_slice(out, "b\xc3\xbc"
			  "cher.de");
	assert_true(idna_to_ascii(*state, SL("fa\xc3\x9f.de"), &out));
	assert_slice(out, "xn--fa-hia.de");
	assert_true(idna_to_ascii(*state, SL("Plain.example"), &out));
	assert_slice(out, "Plain.example");
	assert_false(idna_to_ascii(*state, SL("b\xc3.de"), &out));
	assert_false(idna_to_ascii(*state, SL("b\xc3\xbc\0.de"), &out));
	assert_false(idna_to_utf8(*state, SL("xn--\x80.de"), &out));
	assert_true(utf8_valid(SL("\xf4\x8f\xbf\xbf")));
	assert_false(utf8_valid(SL("\xf4\x90\x80\x80")));
	assert_false(utf8_valid(SL("\xc0\x80")));
	assert_false(utf8_valid(SL("\xe0\x80\x80")));
	assert_false(utf8_valid(SL("\xed\xa0\x80")));
	assert_false(utf8_valid(SL("\xe2\x82")));
}

/* want: addresses separated by "|". */
static const struct {
	const char *body, *want;
	bool malformed;
} lists[] = {
    {"user@example.com", "user@example.com", false},
    {" a@x.org, b@y.org,c@z.org", "a@x.org|b@y.org|c@z.org", false},
    {"A One <a@x.org>, \"Two, B\" <b@y.org>", "a@x.org|b@y.org", false},
    {"John Q. Public <j@x.org>", "j@x.org", false},
    {"a@x.org (Comment, with <marks>)", "a@x.org", false},
    {"(one (two \\) ) three) a @ x . org", "a@x.org", false},
    {"Friends: a@x.org, B <b@y.org>;, c@z.org", "a@x.org|b@y.org|c@z.org", false},
    {"undisclosed-recipients:;", "", false},
    {"<>", "", false},
    {"", "", false},
    {",,a@x.org,,", "a@x.org", false},
    {"<@r.org,@s.org:a@x.org>", "a@x.org", false},
    {"\"a b\"@x.org", "a b@x.org", false},
    {"\"a\\\"b\"@x.org", "a\"b@x.org", false},
    {"user@[IPv6:2001:db8::1], b@y.org", "user@[IPv6:2001:db8::1]|b@y.org", false},
    {"a@x.org b@y.org", "a@x.org|b@y.org", false},
    {"alice bob", "alice|bob", false},
    {"a@x.org,\r\n\tb@y.org,\n c@z.org\r\n", "a@x.org|b@y.org|c@z.org", false},
    {"\"open <a@x.org>", "open <a@x.org>", true},
    {"<a@x.org", "a@x.org", true},
    {"a@x.org (open", "a@x.org", true},
    {"<a b@x.org>", "a b@x.org", true},
    {"a@x.org> , b@y.org", "a@x.org|b@y.org", true},
    {"\"Name\" <a@x.org> (c) , b", "a@x.org|b", false},
    {"r\xc3\xa9my <r\xc3\xa9my@x.org>", "r\xc3\xa9my@x.org", false},
    {"pete(his account)@silly.test(his host)", "pete@silly.test", false},
    {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
     "mary@example.net|jdoe@test.example", false},
};

static void lists_give_every_address(void **state)
{
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct slice got = SL("");
		struct address_list list;

		address_list_parse(*state, slice_str(lists[i].body), 0, &list);
		for (size_t k = 0; k < list.count; k++)
			got = arena_printf(*state, "%.*s%s%.*s", SL_ARG(got), k > 0 ? "|" : "",
					   SL_ARG(list.items[k].address));
		assert_text(got, lists[i].want, lists[i].body);
		if (list.malformed != lists[i].malformed)
			fail_msg("malformed %d: %s", list.malformed, lists[i].body);
		/* Unchanged means the same bytes, at the same place. */
		assert_ptr_equal(address_list_render(*state, &list).p, list.body.p);
		for (size_t k = 0; k < list.count; k++)
			list.items[k].replacement = list.items[k].address;
		address_list_parse(*state, address_list_render(*state, &list), 0, &list);
		for (size_t k = 0, at = 0; k < list.count; k++) {
			struct slice one = list.items[k].address;

			if (!lists[i].malformed)
				assert_text(slice_sub(got, at, at + one.n), arena_str(*state, one),
					    lists[i].body);
			at += one.n + 1;
		}
	}
}

static void rewriting_replaces_only_what_it_must(void **state)
{
	struct slice body = SL(" (x) \"Doe, J\"\r\n\t<@r.org:j@old.org> (c), Team: k@old.org;");
	struct address_list list;

	address_list_parse(*state, body, 0, &list);
	assert_int_equal(list.count, 2);
	assert_slice(list.items[0].name, "\"Doe, J\"");
	assert_true(list.items[0].angle);
	assert_false(list.items[0].in_group);
	assert_true(list.items[1].in_group);
	assert_true(slice_is_null(list.items[1].name));
	list.items[0].replacement = SL("j doe@new.org");
	assert_slice(address_list_render(*state, &list),
		     " (x) \"Doe, J\"\r\n\t<\"j doe\"@new.org> (c), Team: k@old.org;");
	list.items[0].replacement = SL_NULL;
	list.items[1].replacement = SL("k@new.org");
	assert_slice(address_list_render(*state, &list),
		     " (x) \"Doe, J\"\r\n\t<@r.org:j@old.org> (c), Team: k@new.org;");
	address_list_parse(*state, SL("a,b,c,d"), 3, &list);
	assert_int_equal(list.count, 3);
	assert_true(list.truncated);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quoting_is_undone_by_unquoting),
	    cmocka_unit_test(addresses_split_at_the_last_at),
	    cmocka_unit_test(extensions_split_as_in_postfix),
	    cmocka_unit_test(paths_are_read_as_a_server_reads_them),
	    cmocka_unit_test(paths_know_utf8_limits_and_numeric_domains),
	    cmocka_unit_test(domains_have_a_syntax),
	    cmocka_unit_test(names_convert_between_label_forms),
	    cmocka_unit_test(lists_give_every_address),
	    cmocka_unit_test(rewriting_replaces_only_what_it_must),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
