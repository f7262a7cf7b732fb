/* SPDX-License-Identifier: ISC */
/* Logical lines, the `$` language and master.cf. What Postfix 3.7 says to the same text is the
 * measure. */
#include "unit.h"

#include "base/buffer.h"
#include "config/expand.h"
#include "config/host.h"
#include "config/level.h"
#include "config/main_cf.h"
#include "config/master_cf.h"

/* ---- logical lines */

static void lines_are_joined(void **state)
{
	static const char text[] = "# first\n\na = b\n  # inside\n\n\tc\n# behind\nd = e";
	struct arena *arena = arena_create();
	struct logical_line line;
	struct line_reader reader;

	(void)state;
	line_reader_init(&reader, SL("# first\n\na = b\n  # inside\n\n\tc\n# behind\nd = e"));
	assert_true(line_reader_next(&reader, arena, &line));
	assert_slice(line.text, "a = b\tc");
	assert_int_equal(line.first, 3);
	assert_memory_equal(text + line.begin, "a = b\n", 6);
	assert_memory_equal(text + line.end, "# behind", 8);
	assert_true(line_reader_next(&reader, arena, &line));
	assert_slice(line.text, "d = e");
	assert_int_equal(line.first, 8);
	assert_false(line_reader_next(&reader, arena, &line));
	arena_destroy(&arena);
}

/* ---- expansion */

static struct slice test_lookup(void *context, struct slice name)
{
	static const struct {
		const char *name, *value;
	} values[] = {
	    {"v", "val"}, {"empty", ""}, {"ref", "$empty"}, {"level", "3.6"},
	    {"x", "$y"},  {"y", "$x"},	 {"nest", "<$v>"},  {"bad", "a$"},
	};

	(void)context;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (slice_eq(name, slice_str(values[i].name)))
			return slice_str(values[i].value);
	return SL_NULL;
}

static const struct {
	const char *text;
	const char *want; /* NULL: an error */
} golden[] = {
    {"plain", "plain"},
    {"$v", "val"},
    {"${v}", "val"},
    {"$(v)", "val"},
    {"${ v }", "val"},
    {"$v.w$v-w", "val.wval-w"},
    {"$$v", "$v"},
    {"$nosuch.x", ".x"},
    {"$nest", "<val>"},
    {"${v?yes}", "yes"},
    {"${v? yes }", " yes "},
    {"${v?{ yes }}", " yes "},
    {"${empty?{x}: y }", " y "},
    {"${empty?yes}", ""},
    {"${ref?yes}", "yes"},
    {"${ref:no}", ""},
    {"${empty:no}", "no"},
    {"${empty:{no}}", "no"},
    {"${v ? {x} : {y}}", "x"},
    {"${empty?{x}:{y}}", "y"},
    {"${empty?{x}:y}", "y"},
    {"$(v?{a})", "a"},
    {"${v?a{b}c}", "a{b}c"},
    {"${v?a}b}", "ab}"},
    {"${v?${empty:{q}}}", "q"},
    {"${empty?$bad}", ""},
    {"${{a} == {a}}", "true"},
    {"${{a} == {b}}", ""},
    {"${{a}=={a}?{t}:{f}}", "t"},
    {"${{a} == {a} ? t}", " t"},
    {"${{a} != {b} : {t}}", ""},
    {"${{10} < {9} ? {t} : {f}}", "f"},
    {"${{10} < {9a} ? {t} : {f}}", "t"},
    {"${{010} == {10} ? {t} : {f}}", "t"},
    {"${{ a } == {a} ? {t}:{f}}", "f"},
    {"${{$v} == {val} ? {$v$v}:{}}", "valval"},
    {"${{2} <level {3.1} ? {t}:{f}}", "t"},
    {"${{3.10} >level {3.9.1} ? {t}:{f}}", "t"},
    {"${{$level} <level {3.6} ? {t}:{f}}", "f"},
    {"${{3.6} >=level {3.6.0} ? {t}:{f}}", "t"},
    {"${{3} ==level {3.0} ? {t}:{f}}", "t"},
    {"${{3} !=level {3.1} ? {t}:{f}}", "t"},
    {"${{3} <=level {2.9} ? {t}:{f}}", "f"},
    {"x$", NULL},
    {"x$-y", NULL},
    {"${v", NULL},
    {"${}", NULL},
    {"$()", NULL},
    {"${v-x}", NULL},
    {"${empty:{x}:{y}}", NULL},
    {"${v?{x}{y}}", NULL},
    {"${v?{x}", NULL},
    {"${{a} ~ {b} ? {t}}", NULL},
    {"${{a} == b ? {t}}", NULL},
    {"${{a}", NULL},
    {"${{x} >level {3} ? {t}:{f}}", NULL},
    {"$x", NULL},
    {"$bad", NULL},
};

static void expansions(void **state)
{
	struct expansion how = {.lookup = test_lookup};

	(void)state;
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		struct arena *arena = arena_create();
		struct slice out = SL("untouched");
		const char *wrong = expand_text(&how, slice_str(golden[i].text), arena, &out);
		bool as_wanted = golden[i].want ? !wrong && slice_eq(out, slice_str(golden[i].want))
						: wrong != NULL && slice_eq(out, SL("untouched"));

		if (!as_wanted)
			print_error("%s: %.*s (%s)\n", golden[i].text, SL_ARG(out),
				    wrong ? wrong : "no error");
		assert_true(as_wanted);
		arena_destroy(&arena);
	}
}

static void values_taken_as_they_are(void **state)
{
	struct expansion how = {.lookup = test_lookup, .once = true};
	struct arena *arena = arena_create();
	struct slice out;

	(void)state;
	assert_null(expand_text(&how, SL("$bad ${x}"), arena, &out));
	assert_slice(out, "a$ $y");
	arena_destroy(&arena);
}

/* doubling - a is $b$b, b is $c$c ...: 2^25 times what *context has for z, were there no limit. */
static struct slice doubling(void *context, struct slice name)
{
	static const char texts[] = "$b$b$c$c$d$d$e$e$f$f$g$g$h$h$i$i$j$j$k$k$l$l$m$m$n$n"
				    "$o$o$p$p$q$q$r$r$s$s$t$t$u$u$v$v$w$w$x$x$y$y$z$z";

	if (name.p[0] == 'z')
		return slice_str(context);
	return slice(texts + (size_t)4 * (size_t)(name.p[0] - 'a'), 4);
}

static void sizes_are_limited(void **state)
{
	struct expansion how = {.lookup = doubling, .context = (char[]){"0123456789"}};
	struct arena *arena = arena_create();
	char deep[2000];
	struct slice out;

	(void)state;
	assert_non_null(expand_text(&how, SL("$a"), arena, &out));
	how.context = (char[]){""};
	assert_non_null(expand_text(&how, SL("$a"), arena, &out));
	assert_null(expand_text(&how, SL("$p"), arena, &out));
	assert_slice(out, "");
	how.lookup = test_lookup;
	for (size_t i = 0; i + 4 < sizeof(deep); i += 4)
		memcpy(deep + i, "${v?", 4);
	memset(deep + sizeof(deep) - 4, '}', 4);
	assert_non_null(expand_text(&how, slice(deep, sizeof(deep)), arena, &out));
	arena_destroy(&arena);
}

static void levels(void **state)
{
	int64_t a;
	int64_t b;

	(void)state;
	assert_true(compatibility_level_parse(SL("3.6"), &a));
	assert_true(compatibility_level_parse(SL("3.10"), &b));
	assert_true(a < b);
	assert_true(compatibility_level_parse(SL("3.6.0"), &b));
	assert_int_equal(a, b);
	assert_false(compatibility_level_parse(SL(""), &a));
	assert_false(compatibility_level_parse(SL("3."), &a));
	assert_false(compatibility_level_parse(SL("1.2.3.4"), &a));
	assert_false(compatibility_level_parse(SL("x"), &a));
}

/* ---- defaults from the machine */

static void networks_by_style(void **state)
{
	struct arena *arena = arena_create();
	struct os_interface all[4] = {{.prefix = 8, .loopback = true},
				      {.prefix = 22},
				      {.prefix = 128, .loopback = true},
				      {.prefix = 64}};

	(void)state;
	assert_true(ip_parse(SL("127.0.0.1"), &all[0].addr));
	assert_true(ip_parse(SL("192.0.2.17"), &all[1].addr));
	assert_true(ip_parse(SL("::1"), &all[2].addr));
	assert_true(ip_parse(SL("2001:db8::5"), &all[3].addr));
	assert_slice(host_default_networks(arena, all, 4, SL("host"), SL("all"), SL("all")),
		     "127.0.0.1/32 192.0.2.17/32 [::1]/128 [2001:db8::5]/128");
	assert_slice(host_default_networks(arena, all, 4, SL("subnet"), SL("all"), SL("all")),
		     "127.0.0.0/8 192.0.0.0/22 [::1]/128 [2001:db8::]/64");
	assert_slice(host_default_networks(arena, all, 4, SL("class"), SL("all"), SL("ipv4")),
		     "127.0.0.0/8 192.0.2.0/24");
	assert_slice(
	    host_default_networks(arena, all, 4, SL("host"), SL("loopback-only"), SL("all")),
	    "127.0.0.1/32 [::1]/128");
	assert_slice(
	    host_default_networks(arena, all, 4, SL("host"), SL("192.0.2.17, [::1]"), SL("all")),
	    "192.0.2.17/32 [::1]/128");
	assert_slice(host_default_name(arena, SL("mx"), SL("example.org")), "mx.example.org");
	assert_slice(host_default_name(arena, SL("mx.a.b"), SL("example.org")), "mx.a.b");
	assert_slice(host_default_domain(SL("mx.a.b")), "a.b");
	assert_slice(host_default_domain(SL("mx")), "localdomain");
	arena_destroy(&arena);
}

/* ---- master.cf */

struct parsed {
	struct arena *arena;
	struct config_problems problems;
	struct settings *settings;
	struct master_cf cf;
	enum result rc;
};

static struct parsed parse(const char *main_cf, const char *text)
{
	struct parsed p = {.arena = arena_create()};

	config_problems_init(&p.problems, p.arena);
	assert_int_equal(
	    settings_parse(slice_str(main_cf), "/cf", NULL, 0, &p.problems, &p.settings), RES_OK);
	p.rc = master_cf_parse(slice_str(text), SL("/cf/master.cf"), p.settings, p.arena,
			       &p.problems, &p.cf);
	return p;
}

static void forget(struct parsed *p)
{
	settings_destroy(&p->settings);
	arena_destroy(&p->arena);
}

static void services(void **state)
{
	struct parsed p = parse("compatibility_level = 3.6\ndefault_process_limit = 42\n",
				"# services\n"
				"smtp inet n - y - - smtpd\n"
				"  -o a=b -o { c = d  e } -v\n"
				"[::1]:2525 inet n n - - 7 smtpd\n"
				"127.0.0.1:submission inet n - n - 0 smtpd\n"
				"pickup unix n - y 60? 1 pickup {x y} z\n"
				"postlog unix-dgram n - n - 1 postlogd\n");
	const struct master_service *s = p.cf.services;

	(void)state;
	assert_int_equal(p.rc, RES_OK);
	assert_int_equal(p.cf.count, 5);
	assert_int_equal(s[0].type, SERVICE_INET);
	assert_true(slice_is_null(s[0].host));
	assert_slice(s[0].port, "smtp");
	assert_false(s[0].private);
	assert_true(s[0].unprivileged);
	assert_true(s[0].chroot);
	assert_int_equal(s[0].wakeup, 0);
	assert_true(s[0].process_limit_default);
	assert_int_equal(s[0].process_limit, 42);
	assert_slice(s[0].command, "smtpd");
	assert_int_equal(s[0].arg_count, 5);
	assert_slice(s[0].args[0], "-o");
	assert_slice(s[0].args[1], "a=b");
	assert_slice(s[0].args[3], "c=d  e");
	assert_slice(s[0].args[4], "-v");
	assert_slice(s[1].host, "::1");
	assert_slice(s[1].port, "2525");
	assert_false(s[1].unprivileged);
	assert_false(s[1].chroot);
	assert_int_equal(s[1].process_limit, 7);
	assert_slice(s[2].host, "127.0.0.1");
	assert_slice(s[2].port, "submission");
	assert_int_equal(s[2].process_limit, 0);
	assert_false(s[2].process_limit_default);
	assert_int_equal(s[3].wakeup, 60);
	assert_true(s[3].wakeup_if_used);
	assert_slice(s[3].args[0], "x y");
	assert_slice(s[3].args[1], "z");
	assert_int_equal(s[4].type, SERVICE_UNIX_DGRAM);
	assert_int_equal(s[4].line, 7);
	assert_ptr_equal(master_cf_find(&p.cf, SL("pickup"), SERVICE_UNIX), &s[3]);
	assert_null(master_cf_find(&p.cf, SL("smtp"), SERVICE_UNIX));
	forget(&p);
	/* `-` in the chroot column meant yes before compatibility level 1. */
	p = parse("", "smtp inet n - - - - smtpd\n");
	assert_true(p.cf.services[0].chroot);
	forget(&p);
}

static void wrong_lines(void **state)
{
	static const struct {
		const char *line, *want;
	} wrong[] = {
	    {"smtp inet n - y - -",
	     "bad field count in \"smtp inet n - y - -\" (allowed: service type "
	     "private unprivileged chroot wakeup process_limit command "
	     "[arguments])"},
	    {"smtp ine n - y - - smtpd",
	     "invalid type field \"ine\" in \"smtp ine n - y - - smtpd\" (allowed: inet unix "
	     "unix-dgram fifo pass)"},
	    {"smtp inet q - y - - smtpd",
	     "invalid private field \"q\" in \"smtp inet q - y - - smtpd\" (allowed: y n -)"},
	    {"smtp inet n - y x - smtpd",
	     "invalid wakeup field \"x\" in \"smtp inet n - y x - smtpd\" "
	     "(allowed: seconds, seconds?, -)"},
	    {"smtp inet n - y - x smtpd",
	     "invalid process_limit field \"x\" in \"smtp inet n - y - x "
	     "smtpd\" (allowed: a number, 0 for no limit, -)"},
	    {"::x:25 inet n - y - - smtpd",
	     "invalid service field \"::x:25\" in \"::x:25 inet n - y - "
	     "- smtpd\" (allowed: port, host:port, [ipv6]:port)"},
	    {"65536 inet n - y - - smtpd",
	     "invalid service field \"65536\" in \"65536 inet n - y - - smtpd\" (allowed: port, "
	     "host:port, [ipv6]:port; port 1 to 65535 or a name)"},
	    {"a/b unix n - y - - x", "invalid service field \"a/b\" in \"a/b unix n - y - - x\" "
				     "(allowed: a file name without a slash)"},
	    {"a unix n - y - - /bin/sh",
	     "a: bad command \"/bin/sh\" (allowed: the name of a program "
	     "in daemon_directory)"},
	    {"a unix n - y - - x -o y",
	     "a: bad argument \"y\" of -o (allowed: name=value, { name = "
	     "value })"},
	    {"a unix n - y - - x -o", "a: -o without name=value behind it"},
	    {"a unix n - y - - x {y", "a } is missing in \"{y\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct parsed p = parse("", wrong[i].line);
		struct slice want =
		    arena_printf(p.arena, "/cf/master.cf, line 1: %s", wrong[i].want);

		assert_int_equal(p.rc, RES_PERM);
		assert_int_equal(p.cf.count, 0);
		assert_true(p.problems.count >= 1);
		assert_string_equal(config_problem_text(p.arena, &p.problems.items[0]).p, want.p);
		forget(&p);
	}
}

static void one_bad_line_spares_the_others(void **state)
{
	struct parsed p =
	    parse("", "a unix n - y - - x\nb unix\na unix n - y - - z\nc unix - - - - - y\n");

	(void)state;
	assert_int_equal(p.rc, RES_PERM);
	assert_int_equal(p.problems.fatal, 1);
	assert_string_equal(config_problem_text(p.arena, &p.problems.items[1]).p,
			    "/cf/master.cf, line 3: duplicate service \"a unix\": this line counts, and "
			    "line 1 does not");
	assert_int_equal(p.cf.count, 2);
	assert_slice(p.cf.services[0].command, "z");
	assert_slice(p.cf.services[1].name, "c");
	forget(&p);
}

/* Postfix skips such a line with a warning; the rest of the file counts. */
static void a_line_that_continues_nothing(void **state)
{
	struct arena *arena = arena_create();
	struct config_problems problems;
	struct main_cf cf;

	(void)state;
	config_problems_init(&problems, arena);
	main_cf_parse(SL("  a = b\nc = d"), SL("/cf/main.cf"), arena, &problems, &cf);
	assert_int_equal(problems.fatal, 0);
	assert_string_equal(config_problem_text(arena, &problems.items[0]).p,
			    "/cf/main.cf, line 1: logical line must not start with whitespace: \"  a = b\"");
	assert_int_equal(cf.count, 1);
	assert_slice(cf.entries[0].value, "d");
	arena_destroy(&arena);
}

/* White space at the end goes, a carriage return too; a line may be as long as its file. */
static void line_ends_and_long_lines(void **state)
{
	struct arena *arena = arena_create();
	struct config_problems problems;
	struct buffer text;
	struct main_cf cf;

	(void)state;
	config_problems_init(&problems, arena);
	buffer_init(&text, (size_t)16 << 20);
	buffer_append(&text, SL("a = b\r\nc =\r\n d\r\nlong = x"));
	for (int i = 0; i < 600000; i++)
		buffer_append(&text, SL("\n continued"));
	main_cf_parse(buffer_slice(&text), SL("f"), arena, &problems, &cf);
	assert_int_equal(problems.count, 0);
	assert_int_equal(cf.count, 3);
	assert_slice(cf.entries[0].value, "b");
	assert_slice(cf.entries[1].value, "d");
	assert_int_equal(cf.entries[2].value.n, 1 + 600000 * sizeof("continued"));
	buffer_free(&text);
	arena_destroy(&arena);
}

static void an_ipv6_address_needs_no_brackets(void **state)
{
	struct parsed p = parse("", "::1:25 inet n - y - - smtpd\n");

	(void)state;
	assert_int_equal(p.rc, RES_OK);
	assert_slice(p.cf.services[0].host, "::1");
	assert_slice(p.cf.services[0].port, "25");
	forget(&p);
}

/* What an -o sets is found in all its forms, and not behind the first word that is no option. */
static void overrides_are_found(void **state)
{
	struct parsed p = parse("", "a unix - - n - - x -v -o b=1 -o { c = 2 3 } -vo d=4 -oe=5 argv=y -o f=6\n");
	struct slice name, value;
	struct buffer all;
	size_t at = 0;

	(void)state;
	assert_int_equal(p.rc, RES_OK);
	buffer_init(&all, 1000);
	while (master_service_override(&p.cf.services[0], &at, &name, &value))
		buffer_printf(&all, "%.*s=%.*s;", SL_ARG(name), SL_ARG(value));
	assert_slice(buffer_slice(&all), "b=1;c=2 3;d=4;e=5;");
	assert_slice(p.cf.services[0].args[p.cf.services[0].arg_count - 1], "f=6");
	buffer_free(&all);
	forget(&p);
	p = parse("", "a unix - - n - - x argv=y -o out\n");
	assert_int_equal(p.rc, RES_OK);
	forget(&p);
	p = parse("", "a unix - - n - - x -vo out\n");
	assert_int_equal(p.rc, RES_PERM);
	forget(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_are_joined),
	    cmocka_unit_test(expansions),
	    cmocka_unit_test(values_taken_as_they_are),
	    cmocka_unit_test(sizes_are_limited),
	    cmocka_unit_test(levels),
	    cmocka_unit_test(networks_by_style),
	    cmocka_unit_test(services),
	    cmocka_unit_test(wrong_lines),
	    cmocka_unit_test(one_bad_line_spares_the_others),
	    cmocka_unit_test(a_line_that_continues_nothing),
	    cmocka_unit_test(line_ends_and_long_lines),
	    cmocka_unit_test(an_ipv6_address_needs_no_brackets),
	    cmocka_unit_test(overrides_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
