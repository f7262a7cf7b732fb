/* SPDX-License-Identifier: ISC */
/* What is expected here was seen with Debian's Postfix 3.7: postmap -q of a pgsql: table. */
#include "unit.h"

#include "blocking/common/ldap_quote.h"
#include "blocking/common/query.h"
#include "blocking/common/server.h"
#include "blocking/common/wait.h"
#include "os/clock.h"

#include <poll.h>
#include <unistd.h>

static int setup(void **state)
{
	*state = arena_create();
	return 0;
}

static int teardown(void **state)
{
	struct arena *arena = *state;

	arena_destroy(&arena);
	return 0;
}

/* sql_quote - single quotes doubled; a key with a bell cannot be said. */
static bool sql_quote(void *context, struct slice part, struct buffer *out)
{
	(void)context;
	for (size_t i = 0; i < part.n; i++) {
		if (part.p[i] == '\a')
			return false;
		buffer_append_byte(out, part.p[i]);
		if (part.p[i] == '\'')
			buffer_append_byte(out, '\'');
	}
	return true;
}

/* expand - the query for a key; the absent slice when it is suppressed. */
static struct slice expand(struct arena *arena, const char *template, const char *key)
{
	struct lookup_text text;
	struct buffer out;
	struct slice result = SL_NULL;
	enum result rc;

	lookup_text_split(slice_str(key), &text);
	buffer_init(&out, 1000);
	rc = template_query(slice_str(template), &text, sql_quote, NULL, &out);
	if (rc == RES_OK)
		result = arena_dup(arena, buffer_slice(&out));
	assert_int_equal(rc == RES_OK, template_fits_query(slice_str(template), &text) &&
					   strchr(key, '\a') == NULL);
	buffer_free(&out);
	return result;
}

#define EXPAND(template, key, expected) assert_slice(expand(*state, template, key), expected)
#define SUPPRESSED(template, key) assert_true(slice_is_null(expand(*state, template, key)))

static void test_letters(void **state)
{
	EXPAND("k = '%s'", "o'hara@x", "k = 'o''hara@x'");
	EXPAND("%u|%U|%d|%D|%S|100%%", "a@b", "a|a|b|b|a@b|100%");
	EXPAND("%u", "bare", "bare");
	EXPAND("%u", "a@", "a");
	EXPAND("%u", "a@b@c", "a@b");
	EXPAND("%u", "\"a@b\"@c", "\"a@b\"");
	SUPPRESSED("%u", "@b");
	SUPPRESSED("%u", "@");
	EXPAND("%d", "@b", "b");
	EXPAND("%d", "a@b@c", "c");
	EXPAND("%d", "a@b.", "b.");
	SUPPRESSED("%d", "a@");
	SUPPRESSED("%d", "bare");
	SUPPRESSED("%s", "");
	SUPPRESSED("%s", "ring\a");
	EXPAND("no letter", "", "no letter");
	EXPAND("", "a", "");
}

static void test_labels(void **state)
{
	EXPAND("%3-%2-%1", "a@x.y.z", "x-y-z");
	EXPAND("%3-%2-%1", "@x.y.z", "x-y-z");
	EXPAND("%3-%2-%1", "a@v.x.y.z", "x-y-z");
	EXPAND("%3-%2-%1", "a@x.y.z.", "x-y-z");
	EXPAND("%2", "a@x..z", "x");
	EXPAND("%2", "a@.x.z", "x");
	EXPAND("%2", "a@x.z..", "x");
	EXPAND("%2", "a@[1.2.3.4]", "3");
	EXPAND("%9", "u@9.8.7.6.5.4.3.2.1", "9");
	SUPPRESSED("%9", "u@8.7.6.5.4.3.2.1");
	SUPPRESSED("%3", "a@x..z");
	SUPPRESSED("%1", "x.y.z");
	SUPPRESSED("%1", "a@...");
	SUPPRESSED("%2", "a@[IPv6:::1]");
}

static void test_check(void **state)
{
	struct slice bad;

	(void)state;
	assert_true(template_check(SL("%%%s%u%d%S%U%D%1%2%3%4%5%6%7%8%9"), &bad));
	assert_true(template_check(SL(""), &bad));
	assert_false(template_check(SL("a%x"), &bad));
	assert_slice(bad, "%x");
	assert_false(template_check(SL("%s%0"), &bad));
	assert_slice(bad, "%0");
	assert_false(template_check(SL("%%%"), &bad));
	assert_slice(bad, "%");
	assert_false(template_check(SL("%\0"), &bad));
}

static void test_too_long(void **state)
{
	struct lookup_text text;
	struct buffer out;

	(void)state;
	lookup_text_split(SL("0123456789"), &text);
	buffer_init(&out, 15);
	assert_int_equal(template_query(SL("%s%s"), &text, sql_quote, NULL, &out), RES_TEMP);
	buffer_free(&out);
	buffer_init(&out, 15);
	assert_int_equal(template_query(SL("0123456789ABCDEF"), &text, sql_quote, NULL, &out),
			 RES_TEMP);
	buffer_free(&out);
}

/* answer - the values, each ended by a ';', through the format. */
static enum module_result answer(struct arena *arena, const char *format, const char *key,
				 const char *values, size_t limit, struct slice *value)
{
	struct lookup_text text;
	struct answer a;
	struct slice rest = slice_str(values);
	ssize_t end;

	lookup_text_split(slice_str(key), &text);
	if (!template_fits_result(slice_str(format), &text))
		return MODULE_MISSING;
	answer_begin(&a, &text, slice_str(format), limit);
	while ((end = slice_find(rest, ';')) >= 0 &&
	       answer_add(&a, slice_sub(rest, 0, (size_t)end)))
		rest = slice_from(rest, (size_t)end + 1);
	return answer_end(&a, arena, value);
}

#define ANSWER(format, key, values, expected)                                                 \
	do {                                                                                  \
		struct slice got;                                                             \
		assert_int_equal(answer(*state, format, key, values, 0, &got), MODULE_FOUND); \
		assert_slice(got, expected);                                                  \
	} while (0)
#define NO_ANSWER(format, key, values)                                                          \
	do {                                                                                    \
		struct slice got;                                                               \
		assert_int_equal(answer(*state, format, key, values, 0, &got), MODULE_MISSING); \
	} while (0)

static void test_answers(void **state)
{
	ANSWER("%s", "k", "a@x;b@y;c;d;", "a@x,b@y,c,d");
	ANSWER("<%u>", "k", "a@x;b@y;c;d;", "<a>,<b>,<c>,<d>");
	ANSWER("<%d>", "k", "a@x;b@y;c;d;", "<x>,<y>");
	ANSWER("x", "k", "a@x;;c;", "x,x");
	ANSWER("%S-%U-%D-%1-%s%%", "one@ex.org", "1@x.y;", "one@ex.org-one-ex.org-org-1@x.y%");
	ANSWER("%s%d", "k", "@b;", "@bb");
	ANSWER("%u", "k", "a@;", "a");
	ANSWER("%s", "k", "@;", "@");
	ANSWER("%s", "k", ";z;", "z");
	NO_ANSWER("%s", "k", ";;");
	NO_ANSWER("%s", "k", "");
	NO_ANSWER("%d", "k", "z;a@;");
	NO_ANSWER("%u", "k", "@b;");
	NO_ANSWER("%D", "k", "z;");
	NO_ANSWER("%3%s", "k@a.b", "z;");
}

static void test_answer_limits(void **state)
{
	struct arena *arena = *state;
	struct slice value, large = arena_printf(arena, "%0700000d", 1);
	struct lookup_text text;
	struct answer a;

	assert_int_equal(answer(arena, "%s", "k", "a;b;", 2, &value), MODULE_FOUND);
	assert_int_equal(answer(arena, "%s", "k", "a;b;c;", 2, &value), MODULE_TEMP);
	assert_true(slice_search(value, SL("expansion_limit")) >= 0);
	/* what is left out does not count */
	assert_int_equal(answer(arena, "%d", "k", "a@x;b;;", 1, &value), MODULE_FOUND);
	lookup_text_split(SL("k"), &text);
	answer_begin(&a, &text, SL("%s"), 0);
	assert_true(answer_add(&a, large));
	assert_false(answer_add(&a, large));
	assert_false(answer_add(&a, SL("small")));
	assert_int_equal(answer_end(&a, arena, &value), MODULE_TEMP);
}

/* configured - a query of these lines; NULL and the problem when they are refused. */
static struct query *configured(struct arena *arena, const char *lines, bool functions,
				struct slice *problem)
{
	struct query *query = ARENA_NEW(arena, struct query);
	struct client_config *config;

	assert_true(client_config_parse(slice_str(lines), SL("t.cf"), arena, &config, problem));
	query_read_sql(query, config, arena, functions);
	*problem = client_config_problem(config);
	if (slice_is_null(*problem))
		return query;
	query_close(query);
	return NULL;
}

static void assert_refused(struct arena *arena, const char *lines, const char *word)
{
	struct slice problem;

	assert_null(configured(arena, lines, true, &problem));
	if (slice_search(problem, slice_str(word)) < 0)
		fail_msg("\"%.*s\" does not name %s", SL_ARG(problem), word);
}

static void test_sql_parameters(void **state)
{
	struct slice problem;
	struct query *query;

	query = configured(*state, "query = a '%s'\nselect_function = f\nexpansion_limit = 3\n",
			   true, &problem);
	assert_slice(query->template, "a '%s'");
	assert_slice(query->format, "%s");
	assert_int_equal(query->limit, 3);
	query = configured(*state, "select_function = f\ntable = t\n", true, &problem);
	assert_slice(query->template, "SELECT f('%s')");
	query = configured(*state,
			   "table = t\nselect_field = v\nwhere_field = k\nselect_function = f\n"
			   "additional_conditions = and x\n",
			   false, &problem);
	assert_slice(query->template, "SELECT v FROM t WHERE k = '%s' and x");
	assert_refused(*state, "table = t\n", "select_field");
	assert_refused(*state, "query = %x\n", "%x");
	assert_refused(*state, "query = %s\nresult_format = %\n", "result_format");
	assert_refused(*state, "query = %s\nresult_format =\n", "result_format");
	assert_refused(*state, "query = %s\nexpansion_limit = -1\n", "expansion_limit");
}

/* test_nothing_unused - what has no effect beside `query` is not called misspelled. */
static void test_nothing_unused(void **state)
{
	struct client_config *config;
	struct query query;
	struct slice why, name;
	size_t cursor = 0;
	unsigned line;

	assert_true(client_config_parse(SL("table = t\nselect_field = v\nwhere_field = k\n"
					   "additional_conditions = x\nselect_function = f\n"
					   "query = '%s'\nqueri = y\n"),
					SL("t.cf"), *state, &config, &why));
	query_read_sql(&query, config, *state, true);
	assert_true(client_config_unused(config, &cursor, &name, &line));
	assert_slice(name, "queri");
	assert_false(client_config_unused(config, &cursor, &name, &line));
	query_close(&query);
}

static void test_domain(void **state)
{
	struct slice problem;
	struct query *query =
	    configured(*state, "query = %s\ndomain = ex.org, inline:{Z.org=}\n", true, &problem);

	assert_true(query_applies(query, SL("a@ex.org")));
	assert_true(query_applies(query, SL("a@EX.org")));
	assert_false(query_applies(query, SL("@ex.org")));
	assert_false(query_applies(query, SL("ex.org")));
	assert_false(query_applies(query, SL("a")));
	assert_false(query_applies(query, SL("")));
	assert_false(query_applies(query, SL("a@sub.ex.org")));
	assert_false(query_applies(query, SL("a@other")));
	query_close(query);
}

static void test_domain_unknown(void **state)
{
	struct slice problem, why;
	struct lookup_text text;
	struct query *query =
	    configured(*state, "query = %u\ndomain = ex.org, fail:mend\n", true, &problem);

	assert_int_equal(query_admit(query, SL("a@ex.org"), *state, &text, &why), MODULE_FOUND);
	assert_slice(text.local, "a");
	assert_int_equal(query_admit(query, SL("@ex.org"), *state, &text, &why), MODULE_MISSING);
	assert_int_equal(query_admit(query, SL("a@other"), *state, &text, &why), MODULE_TEMP);
	assert_true(slice_search(why, SL("fail:mend")) >= 0);
	assert_true(query_applies(query, SL("a@other")));
	query_close(query);
}

static void test_ldap_quotes(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 60);
	assert_true(ldap_quote_filter(NULL, SL("a*(b)\\\0 \xc3\xbc,"), &out));
	assert_slice(buffer_slice(&out), "a\\2a\\28b\\29\\5c\\00 \xc3\xbc,");
	buffer_reset(&out);
	assert_true(ldap_quote_dn(NULL, SL(" a b,+\"\\<>;=#\0\xc3\xbc "), &out));
	assert_slice(buffer_slice(&out),
		     "\\20a b\\2c\\2b\\22\\5c\\3c\\3e\\3b\\3d\\23\\00\xc3\xbc\\20");
	buffer_reset(&out);
	assert_false(ldap_quote_filter(NULL, SL("********************************"), &out));
	buffer_reset(&out);
	assert_false(ldap_quote_dn(NULL, SL(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"), &out));
	buffer_free(&out);
}

static void test_servers(void **state)
{
	struct server server;

	assert_true(server_parse(SL("unix:/a:1"), 5, *state, &server));
	assert_true(server.local && server.port == 0);
	assert_slice(server.name, "/a:1");
	assert_true(server_parse(SL("db.example"), 5, *state, &server));
	assert_true(!server.local && server.port == 5);
	assert_slice(server.name, "db.example");
	assert_true(server_parse(SL("inet:db.example:65535"), 5, *state, &server));
	assert_int_equal(server.port, 65535);
	assert_slice(server.name, "db.example");
	assert_true(server_parse(SL("[2001:db8::1]:7"), 5, *state, &server));
	assert_int_equal(server.port, 7);
	assert_slice(server.name, "2001:db8::1");
	assert_true(server_parse(SL("[::1]"), 5, *state, &server));
	assert_int_equal(server.port, 5);
	assert_true(server_parse(SL("inet:::1"), 5, *state, &server));
	assert_slice(server.name, "::1");
	assert_false(server_parse(SL("db:"), 5, *state, &server));
	assert_false(server_parse(SL("db:0"), 5, *state, &server));
	assert_false(server_parse(SL("db:65536"), 5, *state, &server));
	assert_false(server_parse(SL("db:x"), 5, *state, &server));
	assert_false(server_parse(SL("[::1]7"), 5, *state, &server));
	assert_false(server_parse(SL(":7"), 5, *state, &server));
	assert_false(server_parse(SL("unix:"), 5, *state, &server));
	assert_false(server_parse(SL("inet:"), 5, *state, &server));
	assert_false(server_parse(SL("a\0b"), 5, *state, &server));
}

static void test_server_order(void **state)
{
	const struct slice list[] = {SL("a:1"), SL("unix:/x"), SL("b:2"), SL("unix:/y"), SL("c")};
	unsigned first[2] = {0}, last[3] = {0};
	const uint16_t *ports = server_ports(list, 5, 9, *state);

	for (int i = 0; i < 300; i++) {
		struct slice *order = server_order(list, 5, *state);

		assert_true(slice_starts(order[0], SL("unix:")) &&
			    slice_starts(order[1], SL("unix:")));
		first[order[0].p[6] - 'x']++;
		last[order[4].p[0] - 'a']++;
	}
	assert_true(first[0] > 0 && first[1] > 0 && first[0] + first[1] == 300);
	assert_true(last[0] > 0 && last[1] > 0 && last[2] > 0);
	assert_true(ports[0] == 1 && ports[1] == 2 && ports[2] == 9 && ports[3] == 0);
}

static void test_wait(void **state)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(wait_fd(ends[0], POLLIN, os_now() + 1000), 0);
	assert_int_equal(wait_fd(ends[1], POLLOUT, os_now() + OS_SECOND), POLLOUT);
	assert_int_equal(wait_fd(ends[1], POLLOUT, os_now() - 1), 0);
	assert_int_equal(wait_fd(-1, POLLIN, os_now() + OS_SECOND), 0);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(wait_budget(os_now() - 1, OS_SECOND), 0);
	assert_int_equal(wait_budget(os_now() + 2500 * OS_MILLISECOND, OS_SECOND), 3);
	assert_slice(reason_line(*state, "FATAL:  no\n\tsuch \007role.\n"), "FATAL: no such ?role");
	assert_slice(reason_line(*state, ""), "no reason was given");
	assert_slice(reason_line(*state, "kein Schl\xc3\xbcssel"), "kein Schl\xc3\xbcssel");
	assert_slice(reason_line(*state, "kein Schl\xfcssel"), "kein Schl?ssel");
	assert_int_equal(reason_line(*state, arena_printf(*state, "%0499d\xc3\xbc", 1).p).n, 499);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_letters),	   cmocka_unit_test(test_labels),
	    cmocka_unit_test(test_check),	   cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_answers),	   cmocka_unit_test(test_answer_limits),
	    cmocka_unit_test(test_sql_parameters), cmocka_unit_test(test_nothing_unused),
	    cmocka_unit_test(test_domain),	   cmocka_unit_test(test_domain_unknown),
	    cmocka_unit_test(test_ldap_quotes),	   cmocka_unit_test(test_servers),
	    cmocka_unit_test(test_server_order),   cmocka_unit_test(test_wait),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
