/* SPDX-License-Identifier: ISC */
/* What a table's configuration says, from a file and from main.cf, and what bad text gets. */
#include "unit.h"

#include "blocking/common/client_config.h"
#include "config/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct client_config *parse(struct arena *arena, const char *text)
{
	struct client_config *config;
	struct slice why = SL_NULL;

	assert_true(client_config_parse(slice_str(text), SL("/cf/table.cf"), arena, &config, &why));
	assert_true(slice_is_null(why));
	return config;
}

static void values(void **state)
{
	struct arena *arena = arena_create();
	struct client_config *c = parse(arena, "# who\n"
					       "hosts = one two,three\n"
					       "query = select x\n"
					       "  from t where k = '%s'\n"
					       "\n"
					       "empty =\n"
					       "dollar = $mydomain\n"
					       "limit = 7\n"
					       "tls = Yes\n"
					       "pause = 1m30s\n"
					       "bare = 2\n");
	const struct slice *words;
	size_t count;

	(void)state;
	assert_slice(client_config_text(c, "query", NULL), "select x  from t where k = '%s'");
	assert_slice(client_config_text(c, "empty", "other"), "");
	assert_slice(client_config_text(c, "absent", "other"), "other");
	assert_true(slice_is_null(client_config_text(c, "absent", NULL)));
	assert_slice(client_config_text(c, "dollar", NULL), "$mydomain");
	assert_int_equal(client_config_number(c, "limit", 1, 0, INT_MAX), 7);
	assert_int_equal(client_config_number(c, "absent", 1, 0, INT_MAX), 1);
	assert_true(client_config_bool(c, "tls", false));
	assert_int_equal(client_config_time(c, "pause", 1, 's'), INT64_C(90000000));
	assert_int_equal(client_config_time(c, "bare", 1, 'm'), INT64_C(120000000));
	words = client_config_words(c, "hosts", NULL, &count);
	assert_int_equal(count, 3);
	assert_slice(words[2], "three");
	words = client_config_words(c, "absent", "a b", &count);
	assert_int_equal(count, 2);
	assert_slice(words[1], "b");
	assert_true(client_config_has(c, "empty"));
	assert_false(client_config_has(c, "absent"));
	assert_slice(client_config_path(c), "/cf/table.cf");
	assert_true(slice_is_null(client_config_problem(c)));
	arena_destroy(&arena);
}

static void problems(void **state)
{
	struct arena *arena = arena_create();
	struct client_config *c =
	    parse(arena, "limit = many\ntls = true\nport = 70000\npause = 5y\n");

	(void)state;
	assert_int_equal(client_config_number(c, "limit", 3, 0, INT_MAX), 3);
	assert_slice(client_config_problem(c),
		     "/cf/table.cf, line 1: limit = many: bad number: 0 or more is allowed");
	c = parse(arena, "limit = 1\ntls = true\n");
	assert_false(client_config_bool(c, "tls", false));
	assert_slice(client_config_problem(c),
		     "/cf/table.cf, line 2: tls = true: yes or no is allowed");
	c = parse(arena, "port = 70000\n");
	assert_int_equal(client_config_number(c, "port", 11, 1, 65535), 11);
	assert_slice(client_config_problem(c),
		     "/cf/table.cf, line 1: port = 70000: bad number: 1 to 65535 is allowed");
	/* the first problem stays */
	client_config_reject(c, "query", "must be given");
	assert_slice(client_config_problem(c),
		     "/cf/table.cf, line 1: port = 70000: bad number: 1 to 65535 is allowed");
	c = parse(arena, "pause = 5y\n");
	assert_int_equal(client_config_time(c, "pause", 9, 's'), 9);
	assert_slice(client_config_problem(c),
		     "/cf/table.cf, line 1: pause = 5y: a time such as 5, 10s or 1m30s is allowed");
	c = parse(arena, "");
	client_config_reject(c, "query", "must be given");
	assert_slice(client_config_problem(c), "/cf/table.cf: query: must be given");
	arena_destroy(&arena);
}

static void bad_lines(void **state)
{
	struct arena *arena = arena_create();
	struct client_config *config;
	struct slice why;

	(void)state;
	assert_false(client_config_parse(SL("hosts = a\nquery select\n"), SL("/cf/x"), arena,
					 &config, &why));
	assert_slice(why, "/cf/x, line 2: missing '=' after attribute name: \"query select\" "
			  "(allowed: name = value)");
	assert_false(client_config_parse(SL("a = b\0c\n"), SL("/cf/x"), arena, &config, &why));
	assert_null(config);
	arena_destroy(&arena);
}

static void names_that_nobody_asked_for(void **state)
{
	struct arena *arena = arena_create();
	struct client_config *c = parse(arena, "hosts = a\nhsots = b\nquery = q\nlmit = 2\n");
	struct slice name;
	size_t cursor = 0, count;
	unsigned line;

	(void)state;
	(void)client_config_words(c, "hosts", NULL, &count);
	(void)client_config_text(c, "query", NULL);
	assert_true(client_config_unused(c, &cursor, &name, &line));
	assert_slice(name, "hsots");
	assert_int_equal(line, 2);
	assert_true(client_config_unused(c, &cursor, &name, &line));
	assert_slice(name, "lmit");
	assert_false(client_config_unused(c, &cursor, &name, &line));
	arena_destroy(&arena);
}

static void from_a_file(void **state)
{
	char path[] = "/tmp/client_config.XXXXXX";
	struct arena *arena = arena_create();
	struct client_config *config;
	struct slice why;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "timeout = 3\n", 12), 12);
	close(fd);
	assert_true(client_config_open(NULL, slice_str(path), arena, &config, &why));
	assert_int_equal(client_config_number(config, "timeout", 1, 1, 9), 3);
	unlink(path);
	assert_false(client_config_open(NULL, slice_str(path), arena, &config, &why));
	assert_true(slice_starts(why, SL("open /tmp/client_config.")));
	assert_true(slice_ends(why, SL(": No such file or directory")));
	assert_false(client_config_open(NULL, SL("/tmp"), arena, &config, &why));
	assert_slice(why, "/tmp is not a regular file");
	assert_false(client_config_open(NULL, SL("name"), arena, &config, &why));
	arena_destroy(&arena);
}

static void from_main_cf(void **state)
{
	struct arena *arena = arena_create();
	struct config_problems all;
	struct settings *settings;
	struct client_config *config;
	struct slice why;

	(void)state;
	config_problems_init(&all, arena);
	assert_int_equal(settings_parse(SL("compatibility_level = 3.6\n"
					   "mydomain = example.org\n"
					   "people_server_host = ldap.$mydomain\n"
					   "people_timeout = soon\n"),
					"/cf", NULL, 0, &all, &settings),
			 RES_OK);
	assert_true(client_config_open(settings, SL("people"), arena, &config, &why));
	assert_slice(client_config_text(config, "server_host", "localhost"), "ldap.example.org");
	assert_true(client_config_has(config, "timeout"));
	assert_false(client_config_has(config, "server_port"));
	assert_int_equal(client_config_number(config, "server_port", 389, 1, 65535), 389);
	assert_int_equal(client_config_number(config, "timeout", 10, 0, INT_MAX), 10);
	assert_slice(client_config_problem(config),
		     "main.cf: people_timeout = soon: bad number: 0 or more is allowed");
	assert_slice(client_config_source(config), "main.cf parameters people_*");
	assert_true(slice_is_null(client_config_path(config)));
	settings_destroy(&settings);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values),	   cmocka_unit_test(problems),
	    cmocka_unit_test(bad_lines),   cmocka_unit_test(names_that_nobody_asked_for),
	    cmocka_unit_test(from_a_file), cmocka_unit_test(from_main_cf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
