/* SPDX-License-Identifier: ISC */
/* Which names are used, which are misspelled, which have no effect. */
#include "base/buffer.h"
#include "config/database.h"
#include "config/environment.h"
#include "config/parameter.h"
#include "config/usage.h"
#include "tests/unit/unit.h"

#include <stdlib.h>

struct world {
	struct arena *arena;
	struct config_problems problems;
	struct main_cf main;
	struct master_cf master;
	struct config_values values;
	struct usage usage;
};

static struct world make(const char *main, const char *master)
{
	struct world w = {.arena = arena_create()};

	config_problems_init(&w.problems, w.arena);
	main_cf_parse(slice_str(main), SL("/cf/main.cf"), w.arena, &w.problems, &w.main);
	assert_int_equal(master_cf_parse(slice_str(master), SL("/cf/master.cf"), NULL, w.arena,
					 &w.problems, &w.master),
			 RES_OK);
	values_init(&w.values, w.arena, &w.main, "/cf", NULL, 0, &w.problems);
	return w;
}

/* said - all problems, a line each, and the world is gone. */
static void said(struct world *w, const char *want)
{
	struct buffer all;

	buffer_init(&all, 10000);
	for (size_t i = 0; i < w->problems.count; i++)
		buffer_printf(&all, "%s\n", config_problem_text(w->arena, &w->problems.items[i]).p);
	assert_string_equal(arena_dup(w->arena, buffer_slice(&all)).p, want);
	buffer_free(&all);
	usage_free(&w->usage);
	values_free(&w->values);
	arena_destroy(&w->arena);
}

static void undefined_and_unused(const char *main, const char *master, const char *want)
{
	struct world w = make(main, master);

	usage_find(&w.values, w.main.file, &w.master, w.arena, &w.problems, &w.usage);
	usage_unused(&w.usage, &w.problems);
	said(&w, want);
}

static void names_lead_to_names(void **state)
{
	(void)state;
	undefined_and_unused("myorigin = $a\na = ${b?$c}\nb = 1\nd = 2\n", "",
			     "/cf/main.cf, line 2: undefined parameter: c\n"
			     "/cf/main.cf, line 4: unused parameter: d=2\n");
	/* what is for the program itself refers to nothing */
	undefined_and_unused("mailbox_command = x $USER\nmyorigin = $$x\n", "", "");
	undefined_and_unused("slow_destination_rate_delay = 1s\nslow_time_limit = 3s\n", "", "");
}

static void classes_and_services(void **state)
{
	(void)state;
	undefined_and_unused("smtpd_restriction_classes = a b\na = reject\n", "",
			     "/cf/main.cf: undefined parameter: b\n");
	undefined_and_unused("mua = reject\n",
			     "s inet n - n - - smtpd -o smtpd_client_restrictions=$mua\n"
			     "t inet n - n - - smtpd -o x=1 -o myhostname=$x -o y=2\n"
			     "u inet n - n - - smtpd -o x=1\n",
			     "/cf/master.cf, line 2: unused parameter: y=2\n"
			     "/cf/master.cf, line 3: unused parameter: x=1\n");
}

static void databases(void **state)
{
	struct slice text = SL("proxy:mysql:m, ldap:/f { pgsql:p,hash:/x } ldap://h sqlite:");
	struct database_table t;

	(void)state;
	assert_true(database_next(&text, &t));
	assert_slice(t.type, "mysql");
	assert_slice(t.name, "m");
	assert_false(database_in_file(&t));
	assert_true(database_next(&text, &t));
	assert_slice(t.name, "/f");
	assert_true(database_in_file(&t));
	assert_true(database_next(&text, &t));
	assert_slice(t.type, "pgsql");
	assert_false(database_next(&text, &t));
	undefined_and_unused("virtual_alias_maps = ldap:l\nl_bind = no\nl_bund = no\n", "",
			     "/cf/main.cf, line 3: unused parameter: l_bund=no\n");
	undefined_and_unused(
	    "virtual_alias_maps = mysql:/nonexistent/x\n", "",
	    "open \"mysql\" configuration \"/nonexistent/x\": No such file or directory\n");
}

static void misspelled(void **state)
{
	(void)state;
	assert_slice(parameter_nearest(SL("relayhots")), "relayhost");
	assert_slice(parameter_nearest(SL("myhostnam")), "myhostname");
	assert_slice(parameter_nearest(SL("smtpd_recipient_restriction")),
		     "smtpd_recipient_restrictions");
	assert_true(slice_is_null(parameter_nearest(SL("x"))));
	assert_true(slice_is_null(parameter_nearest(SL("completely_different_thing"))));
}

static void restrictions(void **state)
{
	struct world w = make(
	    "smtpd_restriction_classes = mine\n"
	    "mine = permit_mynetworks, rejct\n"
	    "smtpd_client_restrictions = check_client_access { inline:{a=OK} }, mine, lmdb:/x\n"
	    "smtpd_helo_restrictions = reject_rbl_client\n"
	    "smtpd_sender_restrictions = sleep 5, $nothing permit_mynetwork\n"
	    "smtpd_data_restrictions = ${x\n",
	    "");

	(void)state;
	usage_find(&w.values, w.main.file, &w.master, w.arena, NULL, &w.usage);
	usage_restrictions(&w.usage, &w.problems);
	said(&w,
	     "/cf/main.cf, line 2: mine: unknown restriction \"rejct\" (allowed: those of "
	     "postconf(5), names in "
	     "smtpd_restriction_classes, type:table)\n"
	     "/cf/main.cf, line 4: smtpd_helo_restrictions: reject_rbl_client needs an argument\n"
	     "/cf/main.cf, line 5: smtpd_sender_restrictions: unknown restriction "
	     "\"permit_mynetwork\" (allowed: "
	     "those of postconf(5), names in smtpd_restriction_classes, type:table)\n");
}

static void environments(void **state)
{
	struct arena *arena = arena_create();
	struct slice list = SL("HOME=/x, NOSUCH_NAME {GREETING = hello  you } =x EMPTY= SHLVL=1");
	struct slice name, value;
	struct buffer all;

	(void)state;
	assert_int_equal(environment_count(list), 6);
	buffer_init(&all, 1000);
	while (environment_next(&list, arena, &name, &value))
		buffer_printf(&all, "%s=%s;", name.p, value.p);
	assert_slice(buffer_slice(&all), "HOME=/x;GREETING=hello  you;EMPTY=;SHLVL=1;");
	environment_override(SL("TEST_OVERRIDE={x}, {TEST_OVERRIDE2 = a b} PATH"), arena);
	assert_string_equal(getenv("TEST_OVERRIDE"), "{x}");
	assert_string_equal(getenv("TEST_OVERRIDE2"), "a b");
	buffer_free(&all);
	arena_destroy(&arena);
}

static void without_effect(void **state)
{
	struct world w =
	    make("relayhost = x\nconnection_cache_ttl_limit = 3s\nsmtp_use_tls = yes\n",
		 "a unix - - n - - smtp -o tlsproxy_watchdog_timeout=1s\n");

	(void)state;
	usage_find(&w.values, w.main.file, &w.master, w.arena, NULL, &w.usage);
	usage_without_effect(&w.usage, &w.problems);
	assert_int_equal(w.problems.count, 2);
	assert_slice(w.problems.items[0].parameter, "connection_cache_ttl_limit");
	assert_int_equal(w.problems.items[0].line, 2);
	assert_true(slice_starts(w.problems.items[0].text, SL("has no effect, by design: ")));
	assert_slice(w.problems.items[1].parameter, "tlsproxy_watchdog_timeout");
	w.problems.count = 0;
	usage_deprecated(&w.usage, &w.problems);
	said(
	    &w,
	    "/cf/main.cf, line 3: support for parameter \"smtp_use_tls\" will be removed; instead, "
	    "specify \"smtp_tls_security_level\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_lead_to_names), cmocka_unit_test(classes_and_services),
	    cmocka_unit_test(databases),	   cmocka_unit_test(misspelled),
	    cmocka_unit_test(without_effect),	   cmocka_unit_test(restrictions),
	    cmocka_unit_test(environments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
