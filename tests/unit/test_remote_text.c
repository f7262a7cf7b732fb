/* SPDX-License-Identifier: ISC */
/* What is said to the servers of tcp:, socketmap: and memcache: tables, and what their replies
 * mean; catalog. */
#include "unit.h"

#include "blocking/proxymap/catalog.h"
#include "blocking/proxymap/memcache_text.h"
#include "blocking/proxymap/socketmap_text.h"
#include "blocking/proxymap/tcp_text.h"
#include "table/remote.h"

static void expect_buffer(struct buffer *b, struct slice text)
{
	assert_int_equal(b->len, text.n);
	assert_memory_equal(b->data, text.p, text.n);
	buffer_free(b);
}

static void tcp_requests(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b, 1000);
	assert_true(tcp_request(SL("user@example.org"), &b));
	expect_buffer(&b, SL("get user@example.org\n"));
	assert_true(tcp_request(SL("a b%\n\0\377"), &b));
	expect_buffer(&b, SL("get a%20b%25%0A%00%FF\n"));
	buffer_init(&b, 8);
	assert_false(tcp_request(SL("too long"), &b));
	buffer_free(&b);
}

static enum module_result tcp(const char *line, struct arena *arena, struct slice *value)
{
	*value = SL_NULL;
	return tcp_reply(slice_str(line), arena, value);
}

static void tcp_replies(void **state)
{
	struct arena *arena = arena_create();
	struct slice v;

	(void)state;
	assert_int_equal(tcp("200 a%20b%2c%2C", arena, &v), MODULE_FOUND);
	assert_slice(v, "a b,,");
	assert_int_equal(tcp("200 plain text\r", arena, &v), MODULE_FOUND);
	assert_slice(v, "plain text");
	assert_int_equal(tcp("200 ", arena, &v), MODULE_FOUND);
	assert_slice(v, "");
	assert_int_equal(tcp("500 not%20found", arena, &v), MODULE_MISSING);
	assert_true(slice_is_null(v));
	assert_int_equal(tcp("500", arena, &v), MODULE_MISSING);
	assert_int_equal(tcp("400 try%20later", arena, &v), MODULE_TEMP);
	assert_slice(v, "try later");
	assert_int_equal(tcp("200", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("2000 x", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("300 x", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("OK x", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("200 %", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("200 %4", arena, &v), MODULE_LOST);
	assert_int_equal(tcp("200 %4g", arena, &v), MODULE_LOST);
	arena_destroy(&arena);
}

static void netstrings(void **state)
{
	struct slice payload;
	size_t size;

	(void)state;
	assert_int_equal(netstring_read(SL("5:hello,rest"), 100, &payload, &size), NETSTRING_WHOLE);
	assert_slice(payload, "hello");
	assert_int_equal(size, 8);
	assert_int_equal(netstring_read(SL("0:,"), 100, &payload, &size), NETSTRING_WHOLE);
	assert_slice(payload, "");
	assert_int_equal(netstring_read(SL(""), 100, &payload, &size), NETSTRING_MORE);
	assert_int_equal(netstring_read(SL("1"), 100, &payload, &size), NETSTRING_MORE);
	assert_int_equal(netstring_read(SL("5:hell"), 100, &payload, &size), NETSTRING_MORE);
	assert_int_equal(netstring_read(SL("5:hello"), 100, &payload, &size), NETSTRING_MORE);
	assert_int_equal(netstring_read(SL("5:hello;"), 100, &payload, &size), NETSTRING_BAD);
	assert_int_equal(netstring_read(SL(":,"), 100, &payload, &size), NETSTRING_BAD);
	assert_int_equal(netstring_read(SL("05:hello,"), 100, &payload, &size), NETSTRING_BAD);
	assert_int_equal(netstring_read(SL("x"), 100, &payload, &size), NETSTRING_BAD);
	assert_int_equal(netstring_read(SL("101:"), 100, &payload, &size), NETSTRING_BAD);
	assert_int_equal(netstring_read(SL("99999999999999999999"), SIZE_MAX, &payload, &size),
			 NETSTRING_BAD);
}

static void socketmaps(void **state)
{
	struct buffer b;
	struct slice v = SL_NULL;

	(void)state;
	buffer_init(&b, 1000);
	assert_true(socketmap_request(SL("aliases"), SL("who am i"), &b));
	expect_buffer(&b, SL("16:aliases who am i,"));
	assert_int_equal(socketmap_reply(SL("OK some data"), &v), MODULE_FOUND);
	assert_slice(v, "some data");
	assert_int_equal(socketmap_reply(SL("OK "), &v), MODULE_FOUND);
	assert_slice(v, "");
	assert_int_equal(socketmap_reply(SL("NOTFOUND "), &v), MODULE_MISSING);
	assert_int_equal(socketmap_reply(SL("NOTFOUND"), &v), MODULE_MISSING);
	assert_int_equal(socketmap_reply(SL("TEMP why"), &v), MODULE_TEMP);
	assert_slice(v, "why");
	assert_int_equal(socketmap_reply(SL("TIMEOUT slow"), &v), MODULE_TEMP);
	assert_int_equal(socketmap_reply(SL("PERM bad"), &v), MODULE_TEMP);
	assert_int_equal(socketmap_reply(SL("OK"), &v), MODULE_LOST);
	assert_int_equal(socketmap_reply(SL("ok x"), &v), MODULE_LOST);
	assert_int_equal(socketmap_reply(SL(""), &v), MODULE_LOST);
}

static void memcaches(void **state)
{
	struct buffer b;
	size_t size;

	(void)state;
	buffer_init(&b, 1000);
	assert_true(memcache_get(SL("k"), &b));
	expect_buffer(&b, SL("get k\r\n"));
	assert_true(memcache_set(SL("k"), 3, 3600, SL("a\r\nb"), &b));
	expect_buffer(&b, SL("set k 3 3600 4\r\na\r\nb\r\n"));
	assert_int_equal(memcache_line(SL("VALUE k 0 12"), SL("k"), &size), MEMCACHE_VALUE);
	assert_int_equal(size, 12);
	assert_int_equal(memcache_line(SL("VALUE k 0 12 77"), SL("k"), &size), MEMCACHE_VALUE);
	/* an answer to somebody else's question */
	assert_int_equal(memcache_line(SL("VALUE l 0 12"), SL("k"), &size), MEMCACHE_GARBAGE);
	assert_int_equal(memcache_line(SL("VALUE k 0"), SL("k"), &size), MEMCACHE_GARBAGE);
	assert_int_equal(memcache_line(SL("VALUE k 0 x"), SL("k"), &size), MEMCACHE_GARBAGE);
	assert_int_equal(memcache_line(SL("VALUE k 0 99999999999999999999"), SL("k"), &size),
			 MEMCACHE_GARBAGE);
	assert_int_equal(memcache_line(SL("END"), SL("k"), &size), MEMCACHE_END);
	assert_int_equal(memcache_line(SL("STORED"), SL("k"), &size), MEMCACHE_STORED);
	assert_int_equal(memcache_line(SL("NOT_STORED"), SL("k"), &size), MEMCACHE_REFUSED);
	assert_int_equal(memcache_line(SL("SERVER_ERROR out of memory"), SL("k"), &size),
			 MEMCACHE_REFUSED);
	assert_int_equal(memcache_line(SL("220 smtp"), SL("k"), &size), MEMCACHE_GARBAGE);
	assert_int_equal(memcache_line(SL(""), SL("k"), &size), MEMCACHE_GARBAGE);
}

static void memcache_keys(void **state)
{
	char longest[MEMCACHE_KEY_MAX + 1];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(memcache_key_valid(slice(longest, MEMCACHE_KEY_MAX)));
	assert_false(memcache_key_valid(slice(longest, MEMCACHE_KEY_MAX + 1)));
	assert_true(memcache_key_valid(SL("j\303\274rgen@example.org")));
	assert_false(memcache_key_valid(SL("a b")));
	assert_false(memcache_key_valid(SL("a\r\ndelete k")));
	assert_false(memcache_key_valid(SL("a\0b")));
	assert_false(memcache_key_valid(SL("")));
}

static void specs(void **state)
{
	struct slice table;

	(void)state;
	assert_true(table_remote_spec(SL("proxy:ldap:/etc/ldap.cf"), &table));
	assert_slice(table, "ldap:/etc/ldap.cf");
	assert_true(table_remote_spec(SL("!tcp:localhost:10"), &table));
	assert_slice(table, "tcp:localhost:10");
	assert_false(table_remote_spec(SL("proxy:lmdb:/etc/aliases"), &table));
	assert_false(table_remote_spec(SL("/etc/ldap.cf"), &table));
	assert_false(table_remote_spec(SL("ldap"), &table));
	assert_false(table_remote_spec(SL("ldaps:x"), &table));
}

static void gather(void *arg, struct slice table)
{
	struct buffer *all = arg;

	buffer_append(all, table);
	buffer_append_byte(all, '|');
}

static void a_value_is_searched_for_tables(void **state)
{
	struct buffer all;

	(void)state;
	buffer_init(&all, 1000);
	catalog_scan(
	    SL("hash:/etc/a, proxy:ldap:/etc/l.cf\n tcp:[::1]:7, pipemap:{mysql:/m.cf, lmdb:/x}"),
	    gather, &all);
	expect_buffer(&all, SL("ldap:/etc/l.cf|tcp:[::1]:7|mysql:/m.cf|"));
	catalog_scan(SL("permit_mynetworks, { check_client_access {pgsql:/p.cf} }, check_x "
			"sqlite:/s.cf, reject"),
		     gather, &all);
	expect_buffer(&all, SL("pgsql:/p.cf|sqlite:/s.cf|"));
	catalog_scan(SL("!memcache:/m.cf, ldap, ldap.example.org:389, inet:redis:1"), gather, &all);
	expect_buffer(&all, SL("memcache:/m.cf|"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tcp_requests), cmocka_unit_test(tcp_replies),
	    cmocka_unit_test(netstrings),   cmocka_unit_test(socketmaps),
	    cmocka_unit_test(memcaches),    cmocka_unit_test(memcache_keys),
	    cmocka_unit_test(specs),	    cmocka_unit_test(a_value_is_searched_for_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
