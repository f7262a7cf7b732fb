/* SPDX-License-Identifier: ISC */
/* Settings: from the text of main.cf to members, and what bad text gets. */
#include "unit.h"

#include "config/directory.h"
#include "config/master_cf.h"
#include "config/parameter.h"

#include <stdio.h>
#include <stdlib.h>
#include "config/settings.h"
#include "os/file.h"

struct loaded {
	struct arena *arena;
	struct config_problems problems;
	struct settings *settings;
	enum result rc;
};

static struct loaded load_with(const char *text, const struct slice *overrides, size_t count)
{
	struct loaded l = {.arena = arena_create()};

	config_problems_init(&l.problems, l.arena);
	l.rc = settings_parse(slice_str(text), "/cf", overrides, count, &l.problems, &l.settings);
	return l;
}

static struct loaded load(const char *text)
{
	return load_with(text, NULL, 0);
}

static void unload(struct loaded *l)
{
	settings_destroy(&l->settings);
	arena_destroy(&l->arena);
}

/* expect_problem - the n-th problem reads so. */
static void expect_problem(struct loaded *l, size_t n, const char *text)
{
	assert_true(n < l->problems.count);
	assert_string_equal(config_problem_text(l->arena, &l->problems.items[n]).p, text);
}

static void every_default_is_right(void **state)
{
	struct loaded l = load("compatibility_level = 3.6\n");

	(void)state;
	for (size_t i = 0; i < l.problems.count; i++)
		print_error("%s\n", config_problem_text(l.arena, &l.problems.items[i]).p);
	assert_int_equal(l.problems.count, 0);
	assert_int_equal(l.rc, RES_OK);
	assert_int_equal(l.settings->message_size_limit, 10240000);
	assert_int_equal(l.settings->smtpd_timeout, INT64_C(300) * 1000000);
	assert_int_equal(l.settings->bounce_queue_lifetime, INT64_C(5) * 86400 * 1000000);
	assert_true(l.settings->append_at_myorigin);
	assert_false(l.settings->append_dot_mydomain);
	assert_slice(l.settings->syslog_name, "postfix");
	assert_slice(l.settings->config_directory, "/cf");
	assert_slice(l.settings->relay_domains, "");
	unload(&l);
	l = load("");
	assert_int_equal(l.rc, RES_OK);
	assert_true(l.settings->append_dot_mydomain);
	unload(&l);
}

static void table_is_sorted_and_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < parameter_count; i++) {
		struct slice name = parameter_slice(parameters[i].name);

		assert_int_equal(name.p[name.n], 0);
		assert_ptr_equal(parameter_find(name), &parameters[i]);
		if (i > 0)
			assert_true(slice_cmp(parameter_slice(parameters[i - 1].name), name) < 0);
	}
	assert_null(parameter_find(SL("nosuch")));
}

static void values_reach_members(void **state)
{
	struct loaded l = load("myhostname = mx.example.org\n"
			       "mynetworks = 127.0.0.0/8\n"
			       "# a comment in between\n"
			       "\n"
			       "   [::1]/128\n"
			       "queue_run_delay = 1m30s\n"
			       "delay_warning_time = 4\n"
			       "biff = NO\n"
			       "message_size_limit=20\n"
			       "smtpd_expansion_filter = $%\n"
			       "own = x\n"
			       "relayhost = [$own.$mydomain]\n");

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	assert_slice(l.settings->mydomain, "example.org");
	assert_slice(l.settings->myorigin, "mx.example.org");
	assert_slice(l.settings->mynetworks, "127.0.0.0/8   [::1]/128");
	assert_int_equal(l.settings->queue_run_delay, INT64_C(90) * 1000000);
	assert_int_equal(l.settings->delay_warning_time, INT64_C(4) * 3600 * 1000000);
	assert_false(l.settings->biff);
	assert_int_equal(l.settings->message_size_limit, 20);
	assert_slice(l.settings->smtpd_expansion_filter, "$%");
	assert_slice(l.settings->relayhost, "[x.example.org]");
	assert_true(settings_has(l.settings, SL("own")));
	assert_false(settings_has(l.settings, SL("myorigin")));
	unload(&l);
}

static void everything_wrong_at_once(void **state)
{
	struct loaded l = load("biff = true\n"
			       "queue_run_delay = 1x\n"
			       "no equals sign\n"
			       "message_size_limit = 10M\n"
			       "hopcount_limit =\n"
			       "  0\n"
			       "smtpd_tls_security_level = must\n"
			       "relayhost = ${myhostname\n"
			       "notify_classes = bounce, everything\n"
			       "relay_destination_concurrency_limit = many\n"
			       "maximal_queue_lifetime = 101d\n"
			       "= x\n"
			       "myorigin = $mydomain$\n");
	static const char *const want[] = {
	    "/cf/main.cf, line 3: missing '=' after attribute name: \"no equals sign\" (allowed: "
	    "name "
	    "= value)",
	    "/cf/main.cf, line 12: missing attribute name: \"= x\" (allowed: name = value)",
	    "/cf/main.cf, line 1: biff: bad boolean value \"true\": yes or no is allowed",
	    "/cf/main.cf, line 2: queue_run_delay: bad time \"1x\": numbers with the units s m h d "
	    "w "
	    "are allowed, such as 30s or 1h30m",
	    "/cf/main.cf, line 4: message_size_limit: bad size \"10M\": digits only are allowed "
	    "(bytes), 0 or more",
	    "/cf/main.cf, line 5: hopcount_limit: bad number \"0\": 1 or more is allowed",
	    "/cf/main.cf, line 7: smtpd_tls_security_level: bad value \"must\": one of these is "
	    "allowed: none may encrypt",
	    "/cf/main.cf, line 8: relayhost: \"${myhostname\" is not closed",
	    "/cf/main.cf, line 9: notify_classes: bad word \"everything\": these are allowed: "
	    "2bounce "
	    "bounce data delay policy protocol resource software",
	    "/cf/main.cf, line 10: relay_destination_concurrency_limit: bad number \"many\": 0 or "
	    "more is allowed",
	    "/cf/main.cf, line 11: maximal_queue_lifetime: bad time \"101d\": 0s to 8640000s is "
	    "allowed",
	    "/cf/main.cf, line 13: myorigin: a parameter name is missing behind the $ in \"$\" "
	    "(write "
	    "$$ for a dollar sign)",
	};

	(void)state;
	assert_int_equal(l.rc, RES_PERM);
	assert_null(l.settings);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		expect_problem(&l, i, want[i]);
	assert_int_equal(l.problems.count, sizeof(want) / sizeof(want[0]));
	unload(&l);
}

static void later_entry_wins_with_a_warning(void **state)
{
	struct loaded l = load("relayhost = a\nmyorigin = x\nrelayhost = b\n");

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	assert_slice(l.settings->relayhost, "b");
	expect_problem(&l, 0, "/cf/main.cf, line 3: overriding earlier entry: relayhost=a");
	assert_false(l.problems.items[0].fatal);
	unload(&l);
}

static void overrides_win(void **state)
{
	struct slice overrides[] = {SL("relayhost=c"), SL("{ myorigin = d e }"), SL("biff=no"),
				    SL("own=$relayhost")};
	struct slice wrong[] = {SL("relayhost"), SL("biff=1")};
	struct loaded l = load_with("relayhost = a\n", overrides, 4);
	struct slice value;

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	assert_slice(l.settings->relayhost, "c");
	assert_slice(l.settings->myorigin, "d e");
	assert_false(l.settings->biff);
	assert_true(settings_get(l.settings, SL("own"), l.arena, &value));
	assert_slice(value, "c");
	unload(&l);
	l = load_with("", wrong, 2);
	assert_int_equal(l.rc, RES_PERM);
	expect_problem(
	    &l, 0,
	    "-o: missing '=' after attribute name: \"relayhost\" (allowed: name=value, { "
	    "name = value })");
	expect_problem(&l, 1, "biff: bad boolean value \"1\": yes or no is allowed");
	unload(&l);
}

static void transports_fall_back(void **state)
{
	struct loaded l = load("default_destination_concurrency_limit = 7\n"
			       "slow_destination_concurrency_limit = 1\n"
			       "slow_destination_rate_delay = 2m\n"
			       "slow_recipient_limit = 9\n");
	struct slice value;

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	assert_int_equal(
	    settings_transport_int(l.settings, SL("relay"), "destination_concurrency_limit"), 7);
	assert_int_equal(
	    settings_transport_int(l.settings, SL("local"), "destination_concurrency_limit"), 2);
	assert_int_equal(
	    settings_transport_int(l.settings, SL("slow"), "destination_concurrency_limit"), 1);
	assert_int_equal(settings_transport_int(l.settings, SL("slow"), "recipient_limit"), 9);
	assert_int_equal(
	    settings_transport_int(l.settings, SL("slow"), "destination_recipient_limit"), 50);
	assert_int_equal(settings_transport_time(l.settings, SL("slow"), "destination_rate_delay"),
			 INT64_C(120) * 1000000);
	assert_true(settings_get(l.settings, SL("x_destination_recipient_limit"), l.arena, &value));
	assert_slice(value, "50");
	assert_false(settings_get(l.settings, SL("nosuch"), l.arena, &value));
	unload(&l);
}

static void a_default_that_refers_to_nonsense(void **state)
{
	struct loaded l = load("stress = 1\nfallback = x\n");

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	assert_int_equal(l.settings->smtpd_timeout, INT64_C(10) * 1000000);
	unload(&l);
	l = load("myhostname = $myorigin\n");
	assert_int_equal(l.rc, RES_PERM);
	expect_problem(
	    &l, 0,
	    "/cf/main.cf, line 1: myhostname: parameters refer to each other in a circle, "
	    "or deeper than 100: $myorigin");
	unload(&l);
}

static void words_of_lists(void **state)
{
	struct slice rest = SL(" a,b\t{ c d } , check { x {y} } {open");
	struct slice word;

	(void)state;
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "a");
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "b");
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "c d");
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "check");
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "x {y}");
	assert_true(settings_next_word(&rest, &word));
	assert_slice(word, "{open");
	assert_false(settings_next_word(&rest, &word));
}

static void what_is_installed_loads(void **state)
{
	const char *top = getenv("srcdir");
	struct loaded l = {.arena = arena_create()};
	struct slice dir = arena_printf(l.arena, "%s/conf", top ? top : "..");
	struct master_cf master;

	(void)state;
	config_problems_init(&l.problems, l.arena);
	assert_int_equal(settings_load(dir.p, NULL, 0, &l.problems, &l.settings), RES_OK);
	assert_int_equal(master_cf_load(dir.p, l.settings, l.arena, &l.problems, &master), RES_OK);
	assert_int_equal(l.problems.count, 0);
	assert_false(l.settings->append_dot_mydomain);
	assert_slice(l.settings->inet_interfaces, "loopback-only");
	assert_non_null(master_cf_find(&master, SL("smtp"), SERVICE_INET));
	assert_non_null(master_cf_find(&master, SL("smtp"), SERVICE_UNIX));
	assert_non_null(master_cf_find(&master, SL("postlog"), SERVICE_UNIX_DGRAM));
	/* The value is for the daemon to expand: it knows its service's name. */
	assert_slice(master_cf_find(&master, SL("relay"), SERVICE_UNIX)->args[1],
		     "syslog_name=postfix/$service_name");
	unload(&l);
}

static void a_file_that_is_not_there(void **state)
{
	struct loaded l = {.arena = arena_create()};

	(void)state;
	config_problems_init(&l.problems, l.arena);
	assert_int_equal(settings_load("/nonexistent", NULL, 0, &l.problems, &l.settings),
			 RES_TEMP);
	assert_null(l.settings);
	expect_problem(&l, 0, "/nonexistent/main.cf: open: No such file or directory");
	unload(&l);
}

static void directories(void **state)
{
	struct loaded l = {.arena = arena_create()};
	const char *dir;

	(void)state;
	config_problems_init(&l.problems, l.arena);
	assert_int_equal(config_directory_for(NULL, NULL, true, &l.problems, &dir), RES_OK);
	assert_string_equal(dir, CONFIG_DIRECTORY);
	assert_int_equal(config_directory_for(NULL, "/env", false, &l.problems, &dir), RES_OK);
	assert_string_equal(dir, "/env");
	assert_int_equal(config_directory_for("/opt", "/env", false, &l.problems, &dir), RES_OK);
	assert_string_equal(dir, "/opt");
	assert_int_equal(config_directory_for("/nonexistent", NULL, true, &l.problems, &dir),
			 RES_PERM);
	assert_int_equal(config_directory_for(NULL, "/nonexistent", true, &l.problems, &dir),
			 RES_PERM);
	assert_int_equal(l.problems.fatal, 2);
	unload(&l);
}

static void put_file(const char *path, const char *text)
{
	int fd = os_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(os_write_full(fd, text, strlen(text)), 0);
	assert_int_equal(os_close(fd), 0);
}

static void only_listed_directories(void **state)
{
	char dir[] = "/tmp/test_config.XXXXXX";
	char file[sizeof(dir) + sizeof("/main.cf")];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/main.cf", dir);
	put_file(file, "base = /etc/postrider\n"
		       "alternate_config_directories = ${base}-a, /opt/b\n"
		       "multi_instance_directories = /srv/m\n");
	assert_true(config_directory_listed(dir, "/etc/postrider-a"));
	assert_true(config_directory_listed(dir, "/opt/b"));
	assert_true(config_directory_listed(dir, "/srv/m"));
	assert_false(config_directory_listed(dir, "/opt/b/"));
	assert_false(config_directory_listed(dir, "/opt/b/../c"));
	assert_false(config_directory_listed(dir, "/opt"));
	assert_false(config_directory_listed(dir, ""));
	put_file(file, "alternate_config_directories = /opt/b\nbiff = true\n");
	assert_false(config_directory_listed(dir, "/opt/b"));
	assert_int_equal(os_unlinkat(AT_FDCWD, file, 0), 0);
	assert_false(config_directory_listed(dir, "/opt/b"));
	assert_int_equal(os_unlinkat(AT_FDCWD, dir, AT_REMOVEDIR), 0);
}

static void a_nul_is_refused(void **state)
{
	struct loaded l = {.arena = arena_create()};

	(void)state;
	config_problems_init(&l.problems, l.arena);
	assert_int_equal(settings_parse(SL("relayhost = a\0b\nmyorigin = x\n"), "/cf", NULL, 0,
					&l.problems, &l.settings),
			 RES_PERM);
	assert_int_equal(l.problems.fatal, 1);
	assert_int_equal(l.problems.items[0].line, 1);
	unload(&l);
}

/* Each kind of member: the types of the table and those of the struct are the same. */
static void members_have_their_types(void **state)
{
	struct loaded l = load("");

	(void)state;
	for (size_t i = 0; i < parameter_count; i++) {
		const struct parameter *p = &parameters[i];
		const char *member = (const char *)l.settings + p->offset;
		struct slice text;

		if (p->template || p->type < PARAM_STRING)
			continue;
		memcpy(&text, member, sizeof(text));
		assert_non_null(text.p);
		assert_int_equal(text.p[text.n], 0);
	}
	unload(&l);
}

/* What the generator has made of the defaults that depend on nothing is what the parser would. */
static void fixed_defaults_are_those_of_the_parser(void **state)
{
	struct arena *arena = arena_create();
	size_t count = 0;

	(void)state;
	for (size_t i = 0; i < parameter_count; i++) {
		const struct parameter *p = &parameters[i];
		struct slice initial = parameter_slice(p->initial);
		union {
			char bytes[32];
			struct slice text;
		} fixed = {{0}}, parsed = {{0}};

		if (!p->fixed)
			continue;
		count++;
		parameter_store_fixed(p, &fixed);
		assert_null(parameter_store(p, slice_trim(initial), arena, &parsed));
		if (p->type < PARAM_STRING)
			assert_memory_equal(&fixed, &parsed, sizeof(fixed));
		else
			assert_true(slice_eq(fixed.text, parsed.text));
	}
	assert_true(count > parameter_count / 2);
	arena_destroy(&arena);
}

static void bad_networks_are_told_with_their_line(void **state)
{
	static const struct {
		const char *value, *bad;
	} bad[] = {{"127.0.0.0/8 10.0.0.1/8", "10.0.0.1/8"}, {"192.168.0.0/33", "192.168.0.0/33"},
		   {"10.0.0", "10.0.0"},	{"!10.1.2.3.4", "10.1.2.3.4"},
		   {"[::1]/129", "[::1]/129"},	{"2001:db8::1/32", "2001:db8::1/32"},
		   {"[10.0.0.0/8", "[10.0.0.0/8"}, {"mail.test/24", "mail.test/24"}};
	struct loaded l = load("mynetworks = 127.0.0.0/8 !10.1.0.0/16, 10.0.0.0/8 [::1]/128 ::1 [2001:db8::]/32\n"
			       " 2001:db8::/32 host.test .test /etc/no/such/file cidr:/x/y ![fe80::]/64\n"
			       " inline:{1.2.3=4} hash:/a/b static:all\n");

	(void)state;
	assert_int_equal(l.rc, RES_OK);
	unload(&l);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char text_cf[200];
		struct slice text;

		snprintf(text_cf, sizeof(text_cf), "biff = no\nmynetworks = %s\n", bad[i].value);
		l = load(text_cf);
		assert_int_equal(l.rc, RES_PERM);
		text = config_problem_text(l.arena, &l.problems.items[0]);
		assert_true(slice_starts(text, arena_printf(l.arena, "/cf/main.cf, line 2: mynetworks: bad network \"%s\": ",
							    bad[i].bad)));
		assert_true(slice_search(text, SL("ADDRESS/BITS, [IPv6]/BITS, a host name")) > 0);
		unload(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bad_networks_are_told_with_their_line),
	    cmocka_unit_test(every_default_is_right),
	    cmocka_unit_test(table_is_sorted_and_found),
	    cmocka_unit_test(values_reach_members),
	    cmocka_unit_test(everything_wrong_at_once),
	    cmocka_unit_test(later_entry_wins_with_a_warning),
	    cmocka_unit_test(overrides_win),
	    cmocka_unit_test(transports_fall_back),
	    cmocka_unit_test(a_default_that_refers_to_nonsense),
	    cmocka_unit_test(words_of_lists),
	    cmocka_unit_test(what_is_installed_loads),
	    cmocka_unit_test(a_file_that_is_not_there),
	    cmocka_unit_test(directories),
	    cmocka_unit_test(only_listed_directories),
	    cmocka_unit_test(a_nul_is_refused),
	    cmocka_unit_test(members_have_their_types),
	    cmocka_unit_test(fixed_defaults_are_those_of_the_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
