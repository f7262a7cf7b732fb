/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "os/file.h"
#include "table/alias_line.h"
#include "table/lmdb_read.h"
#include "table/lmdb_write.h"
#include "table/match_list.h"
#include "table/source.h"
#include "table/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct world {
	struct arena *arena;
	struct table_set *set;
	unsigned warnings;
	char dir[64];
};

static void count_warning(void *data, struct slice text)
{
	struct world *w = data;

	(void)text;
	w->warnings++;
}

static int setup(void **state)
{
	struct world *w = test_calloc(1, sizeof(*w));
	struct table_config config = {.warn = count_warning, .data = w};

	w->arena = arena_create();
	w->set = table_set_create(&config);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_table.XXXXXX");
	if (mkdtemp(w->dir) == NULL)
		return -1;
	*state = w;
	return 0;
}

static void remove_all(const char *path)
{
	struct os_dir *dir = os_dir_open(AT_FDCWD, path);
	char name[512];
	const char *entry;

	while (dir != NULL && os_dir_next(dir, &entry) == 1) {
		snprintf(name, sizeof(name), "%s/%s", path, entry);
		unlink(name);
	}
	os_dir_close(&dir);
	rmdir(path);
}

static int teardown(void **state)
{
	struct world *w = *state;

	table_set_destroy(&w->set);
	arena_destroy(&w->arena);
	remove_all(w->dir);
	test_free(w);
	return 0;
}

/* write_file - content to DIR/name (beside, then renamed); returns "type:DIR/name". */
static struct slice write_file(struct world *w, const char *type, const char *name,
			       struct slice text)
{
	struct slice path = arena_printf(w->arena, "%s/%s", w->dir, name);
	struct slice fresh = arena_printf(w->arena, "%s/%s.tmp", w->dir, name);
	int fd = os_openat(AT_FDCWD, fresh.p, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(os_write_full(fd, text.p, text.n), 0);
	assert_int_equal(os_close(fd), 0);
	assert_int_equal(rename(fresh.p, path.p), 0);
	return arena_printf(w->arena, "%s:%.*s", type, SL_ARG(path));
}

static struct table *text_table(struct world *w, const char *type, const char *name,
				const char *text)
{
	return table_open(w->set, write_file(w, type, name, slice_str(text)), TABLE_FOLD);
}

static struct slice found(struct world *w, struct table *table, const char *key)
{
	struct slice value;
	enum table_result result = table_lookup(table, slice_str(key), w->arena, &value);

	if (result == TABLE_TEMP)
		print_message("%.*s\n", SL_ARG(value));
	assert_int_equal(result, TABLE_FOUND);
	return value;
}

static void missing(struct world *w, struct table *table, const char *key)
{
	struct slice value;

	assert_int_equal(table_lookup(table, slice_str(key), w->arena, &value), TABLE_MISSING);
	assert_true(slice_is_null(value));
}

static void temporary(struct world *w, struct table *table, const char *key, const char *why)
{
	struct slice value;

	assert_int_equal(table_lookup(table, slice_str(key), w->arena, &value), TABLE_TEMP);
	if (slice_search(value, slice_str(why)) < 0)
		fail_msg("\"%.*s\" does not say \"%s\"", SL_ARG(value), why);
}

static void test_source_lines(void **state)
{
	struct world *w = *state;
	struct source source;
	struct slice line;

	source_init(&source, SL("  early\n# c\n\na b \r\n\tc\n  # within\n d\nlast"));
	assert_int_equal(source_next(&source, w->arena, &line), SOURCE_INDENTED);
	assert_int_equal(source_next(&source, w->arena, &line), SOURCE_LINE);
	assert_int_equal(source.first, 4);
	assert_slice(line, "a b \r\tc d");
	assert_int_equal(source_next(&source, w->arena, &line), SOURCE_LINE);
	assert_slice(line, "last");
	assert_int_equal(source.first, 8);
	assert_int_equal(source_next(&source, w->arena, &line), SOURCE_END);
}

static void test_source_split(void **state)
{
	struct slice key, value, rest = SL("a, b:{c, d} ,{e} f"), word;

	(void)state;
	assert_int_equal(source_split(SL("\"a \\\" b\"c  v w"), &key, &value), SPLIT_OK);
	assert_slice(key, "\"a \\\" b\"c");
	assert_slice(value, "v w");
	assert_int_equal(source_split(SL("\"a b"), &key, &value), SPLIT_UNBALANCED);
	assert_int_equal(source_split(SL("a"), &key, &value), SPLIT_NO_VALUE);
	assert_true(source_word(&rest, &word));
	assert_slice(word, "a");
	assert_true(source_word(&rest, &word));
	assert_slice(word, "b:{c, d}");
	assert_true(source_word(&rest, &word));
	assert_slice(word, "{e}");
	assert_true(source_word(&rest, &word));
	assert_false(source_word(&rest, &word));
	assert_false(source_braced(SL("{a} {b}"), &word));
	assert_false(source_braced(SL("{a"), &word));
	assert_true(source_braced(SL(" { a } "), &word));
	assert_slice(word, "a");
}

static void test_literal_types(void **state)
{
	struct world *w = *state;
	struct table *t = text_table(w, "texthash", "t", "Foo bar  baz\nnovalue\n\"a b\" c\n");

	assert_slice(found(w, t, "FOO"), "bar  baz");
	assert_slice(found(w, t, "\"A b\""), "c");
	missing(w, t, "novalue");
	missing(w, t, "");
	assert_int_equal(w->warnings, 1);

	t = table_open(w->set, SL("inline:{a=1, {b = two words}, a=2}"), TABLE_FOLD);
	assert_slice(found(w, t, "A"), "2");
	assert_slice(found(w, t, "b"), "two words");
	t = table_open(w->set, SL("inline:{a}"), TABLE_FOLD);
	temporary(w, t, "a", "need key=value");

	t = table_open(w->set, SL("static:{ all of you }"), TABLE_FOLD);
	assert_slice(found(w, t, "x"), "all of you");
	t = table_open(w->set, SL("fail:x"), TABLE_FOLD);
	temporary(w, t, "x", "fail:x");
	t = table_open(w->set, SL("unionmap:{static:a, inline:{x=b}}"), TABLE_FOLD);
	assert_slice(found(w, t, "x"), "a,b");
	assert_slice(found(w, t, "y"), "a");
	t = table_open(w->set, SL("pipemap:{inline:{x=b}, inline:{b=c}}"), TABLE_FOLD);
	assert_slice(found(w, t, "x"), "c");
	missing(w, t, "b");
}

static void test_bad_specs(void **state)
{
	struct world *w = *state;

	temporary(w, table_open(w->set, SL("nocolon"), 0), "x", "type:name");
	temporary(w, table_open(w->set, SL("nosuch:x"), 0), "x", "nosuch");
	temporary(w, table_open(w->set, SL("texthash:/nowhere/t"), 0), "x", "texthash:/nowhere/t");
	temporary(w, table_open(w->set, SL("hash:/nowhere/t"), 0), "x", "/nowhere/t.lmdb");
	temporary(w, table_open(w->set, SL("texthash:/dev/null"), 0), "x", "regular");
	temporary(w, table_open(w->set, SL("unix:shadow.byname"), 0), "x", "passwd.byname");
	temporary(w, table_open(w->set, SL("unionmap:{fail:y}"), 0), "x", "fail:y");
	/* a duplicate key spoils a texthash table */
	temporary(w, text_table(w, "texthash", "d", "a 1\nA 2\n"), "a", "duplicate");
	/* and opened again it is the same object, with no second warning */
	assert_ptr_equal(table_open(w->set, SL("nosuch:x"), 0),
			 table_open(w->set, SL("nosuch:x"), 0));
}

static void test_unix(void **state)
{
	struct world *w = *state;
	struct table_config config = {.may_block = true};
	struct table_set *asking = table_set_create(&config);
	struct slice snapshot, live;

	snapshot = found(w, table_open(w->set, SL("proxy:unix:passwd.byname"), TABLE_FOLD), "root");
	live = found(w, table_open(asking, SL("unix:passwd.byname"), TABLE_FOLD), "Root");
	assert_true(slice_eq(snapshot, live));
	assert_true(slice_starts(live, SL("root:x:0:0:")));
	missing(w, table_open(asking, SL("unix:passwd.byname"), 0), "no-such-user");
	missing(w, table_open(w->set, SL("unix:passwd.byname"), 0), "no-such-user");
	found(w, table_open(w->set, SL("unix:group.byname"), 0), "root");
	table_set_destroy(&asking);
}

static void check_patterns(struct world *w, struct table *t)
{
	assert_slice(found(w, t, "ABBBC"), "x BBB y$z");
	assert_slice(found(w, t, "q-12"), "twelve");
	assert_slice(found(w, t, "q-13"), "other q");
	assert_slice(found(w, t, "a/b"), "slash");
	assert_slice(found(w, t, "Case"), "exact");
	missing(w, t, "case");
	assert_slice(found(w, t, "zzz"), "no vowels");
	missing(w, t, "aeiou");
}

static const char patterns[] = "/^a(b+)c$/ x ${1} y$$z\n"
			       "if /^q-/\n"
			       "/12$/ twelve\n"
			       "!/12$/ other q\n"
			       "endif\n"
			       "/bad(/ skipped\n"
			       "/x/ $7 skipped\n"
			       "/a\\/b/ slash\n"
			       "~^Case$~i exact\n"
			       "!/[aeiou]/ no vowels\n";

static void test_patterns(void **state)
{
	struct world *w = *state;

	check_patterns(w, text_table(w, "regexp", "r", patterns));
	assert_int_equal(w->warnings, 2);
	check_patterns(w, text_table(w, "pcre", "p", patterns));
	assert_int_equal(w->warnings, 4);
	assert_false(table_has_literal_keys(text_table(w, "pcre", "p", patterns)));
}

static void test_pattern_without_substitution(void **state)
{
	struct world *w = *state;
	struct slice spec = write_file(w, "pcre", "p", SL("/^(a)/ $1\n/^a/ plain\n"));

	assert_slice(found(w, table_open(w->set, spec, TABLE_NO_SUBST), "a"), "plain");
	assert_slice(found(w, table_open(w->set, spec, 0), "a"), "a");
}

/* A pattern that would run for ages is stopped, and is no answer. */
static void test_pcre_limits(void **state)
{
	struct world *w = *state;
	struct table *t = text_table(w, "pcre", "slow", "/^(a+)+$/ x\n");
	struct slice value, key = arena_dup(w->arena, SL("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));

	assert_int_equal(table_lookup(t, key, w->arena, &value), TABLE_TEMP);
}

static void test_cidr(void **state)
{
	struct world *w = *state;
	struct table *t = text_table(w, "cidr", "c",
				     "10.0.0.0/8 ten\n10.0.0.1/8 bad\nif 192.168.1.0/24\n"
				     "192.168.1.1 one\n!192.168.1.2 rest\nendif\n"
				     "[2001:db8::]/32 six\n!172.16.0.0/12 not\n");

	assert_slice(found(w, t, "10.1.2.3"), "ten");
	assert_slice(found(w, t, "192.168.1.1"), "one");
	assert_slice(found(w, t, "192.168.1.3"), "rest");
	assert_slice(found(w, t, "192.168.1.2"), "not");
	assert_slice(found(w, t, "2001:DB8::1"), "six");
	missing(w, t, "2001:db9::1");
	missing(w, t, "172.16.0.1");
	missing(w, t, "no address");
	assert_int_equal(w->warnings, 1);
}

static void test_list(void **state)
{
	struct world *w = *state;
	struct table_list *list =
	    table_list_create(w->set, SL("inline:{a=1 b=}, pcre:{{/c/ 3}} fail:end"), TABLE_FOLD);
	struct slice value;

	assert_int_equal(table_list_lookup(list, SL("A"), false, w->arena, &value), TABLE_FOUND);
	assert_slice(value, "1");
	assert_int_equal(table_list_lookup(list, SL("b"), false, w->arena, &value), TABLE_TEMP);
	assert_int_equal(table_list_lookup(list, SL("c"), false, w->arena, &value), TABLE_FOUND);
	/* parts of addresses are no business of patterns */
	assert_int_equal(table_list_lookup(list, SL("c"), true, w->arena, &value), TABLE_TEMP);
	assert_false(slice_is_null(table_list_error(list)));
	assert_true(table_list_empty(table_list_create(w->set, SL(" , "), 0)));
}

static enum table_result host_in(struct world *w, struct match_list *list, const char *name)
{
	return match_list_host(list, slice_str(name), w->arena, NULL);
}

static void test_match_list_names(void **state)
{
	struct world *w = *state;
	struct slice file = slice_from(write_file(w, "", "f", SL("In.File # no comment here\n")), 1);
	struct slice value = arena_printf(w->arena, "!not.A.example a.example .b.example %.*s",
					  SL_ARG(file));
	struct match_list *plain = match_list_create(w->set, value, 0);
	struct match_list *parents = match_list_create(w->set, value, MATCH_PARENT);

	assert_int_equal(host_in(w, plain, "A.EXAMPLE"), TABLE_FOUND);
	assert_int_equal(host_in(w, plain, "x.a.example"), TABLE_MISSING);
	assert_int_equal(host_in(w, parents, "x.a.example"), TABLE_FOUND);
	assert_int_equal(host_in(w, parents, "xa.example"), TABLE_MISSING);
	assert_int_equal(host_in(w, parents, "deep.not.a.example"), TABLE_MISSING);
	assert_int_equal(host_in(w, plain, "x.b.example"), TABLE_FOUND);
	assert_int_equal(host_in(w, plain, "b.example"), TABLE_MISSING);
	assert_int_equal(host_in(w, plain, "in.file"), TABLE_FOUND);
	assert_int_equal(match_list_string(plain, SL("x.b.example"), w->arena, NULL), TABLE_MISSING);
	assert_int_equal(match_list_parent_flag(SL("a,relay_domains"), SL("relay_domains")),
			 MATCH_PARENT);
	assert_int_equal(match_list_parent_flag(SL("a,relay_domains"), SL("relay")), 0);
}

static enum table_result client_in(struct world *w, const char *value, const char *address)
{
	struct match_list *list = match_list_create(w->set, slice_str(value), MATCH_PARENT);
	struct slice reason;

	return match_list_address(list, SL("mx.some.example"), slice_str(address), w->arena,
				  &reason);
}

static void test_match_list_clients(void **state)
{
	struct world *w = *state;

	assert_int_equal(client_in(w, "10.0.0.0/8", "10.1.1.1"), TABLE_FOUND);
	assert_int_equal(client_in(w, "!10.1.0.0/16, 10.0.0.0/8", "10.1.1.1"), TABLE_MISSING);
	assert_int_equal(client_in(w, "[2001:db8::]/32", "2001:db8::7"), TABLE_FOUND);
	assert_int_equal(client_in(w, "127.0.0.1 some.example", "192.0.2.1"), TABLE_FOUND);
	assert_int_equal(client_in(w, "cidr:{{192.0.2.0/24 x}}", "192.0.2.1"), TABLE_FOUND);
	assert_int_equal(client_in(w, "10.0.0.1/8", "192.0.2.1"), TABLE_TEMP);
	assert_int_equal(client_in(w, "192.0.2.1 10.0.0.1/8", "192.0.2.1"), TABLE_FOUND);
	assert_int_equal(client_in(w, "/nowhere/file", "192.0.2.1"), TABLE_TEMP);
	assert_int_equal(client_in(w, "hash:/nowhere/t", "192.0.2.1"), TABLE_TEMP);
	assert_int_equal(client_in(w, "", "192.0.2.1"), TABLE_MISSING);
}

static void test_alias_lines(void **state)
{
	struct world *w = *state;
	struct slice name, value;

	assert_int_equal(alias_line_parse(SL("Root: a,b   , \"|/bin/x y\"; (c) d"), w->arena, &name,
					  &value),
			 ALIAS_OK);
	assert_slice(name, "Root");
	assert_slice(value, "a, b, \"|/bin/x y\";(c) d");
	assert_int_equal(alias_line_parse(SL("\"a \\\"b\": :include:/x"), w->arena, &name, &value),
			 ALIAS_OK);
	assert_slice(name, "a \"b");
	assert_slice(value, ":include:/x");
	assert_int_equal(alias_line_parse(SL("a@b: c"), w->arena, &name, &value), ALIAS_NOT_LOCAL);
	assert_int_equal(alias_line_parse(SL("a b"), w->arena, &name, &value), ALIAS_NO_PAIR);
	assert_int_equal(alias_line_parse(SL("a:"), w->arena, &name, &value), ALIAS_NO_PAIR);
	assert_int_equal(alias_line_parse(SL(": a"), w->arena, &name, &value), ALIAS_NO_PAIR);
}

/* ---- lmdb */

static const char *lmdb_path(struct world *w)
{
	return arena_printf(w->arena, "%s/m.lmdb", w->dir).p;
}

static struct table *lmdb_table(struct world *w)
{
	return table_open(w->set, arena_printf(w->arena, "hash:%s/m", w->dir), TABLE_FOLD);
}

/* numbered - "key000017\0" and its value, some of which are long enough for pages of their own. */
static void numbered(struct world *w, unsigned i, struct slice *key, struct slice *value)
{
	char *big = arena_alloc(w->arena, 9001);

	memset(big, 'v', 9000);
	*key = arena_printf(w->arena, "key%06u", i);
	key->n++;
	*value = i % 97 == 0 ? slice(big, 9001) : arena_printf(w->arena, "value %u", i);
	if (i % 97 != 0)
		value->n++;
}

static void build_numbered(struct world *w, unsigned count)
{
	struct lmdb_writer *writer = lmdb_build(lmdb_path(w), 0640);
	struct slice key, value;

	for (unsigned i = 0; i < count; i++) {
		numbered(w, i * 7919 % count, &key, &value);
		assert_int_equal(lmdb_put(writer, key, value, false), LMDB_CHANGED);
		assert_int_equal(lmdb_put(writer, key, SL("again"), false), LMDB_UNCHANGED);
	}
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
}

static void test_lmdb_build(void **state)
{
	struct world *w = *state;
	struct table *t;
	struct slice key = SL_NULL, value, wanted_key, wanted_value;
	size_t cursor = 0;
	struct stat st;

	/* more than the first map holds, with values that have pages of their own */
	build_numbered(w, 30000);
	assert_int_equal(stat(lmdb_path(w), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	t = lmdb_table(w);
	assert_slice(found(w, t, "KEY000017"), "value 17");
	assert_int_equal(found(w, t, "key000097").n, 9000);
	missing(w, t, "key030000");
	missing(w, t, "");
	missing(w, t, "key");
	for (unsigned i = 0; i < 30000; i++) {
		numbered(w, i, &wanted_key, &wanted_value);
		assert_int_equal(table_next(t, &cursor, w->arena, &key, &value), TABLE_FOUND);
		assert_int_equal(key.n + 1, wanted_key.n);
		assert_memory_equal(key.p, wanted_key.p, key.n);
		assert_int_equal(value.n + 1, wanted_value.n);
	}
	assert_int_equal(table_next(t, &cursor, w->arena, &key, &value), TABLE_MISSING);
}

static void test_lmdb_update(void **state)
{
	struct world *w = *state;
	struct lmdb_writer *writer;
	struct table *t;

	build_numbered(w, 1000);
	t = lmdb_table(w);
	writer = lmdb_update(lmdb_path(w), 0644, false);
	assert_int_equal(lmdb_put(writer, SL("key000001\0"), SL("new\0"), true), LMDB_CHANGED);
	assert_int_equal(lmdb_put(writer, SL("bare"), SL("no nul"), true), LMDB_CHANGED);
	assert_int_equal(lmdb_delete(writer, SL("key000002\0")), LMDB_CHANGED);
	assert_int_equal(lmdb_delete(writer, SL("key000002\0")), LMDB_UNCHANGED);
	/* not yet seen, then seen, through the table that was open all the time */
	assert_slice(found(w, t, "key000001"), "value 1");
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
	assert_slice(found(w, t, "key000001"), "new");
	assert_slice(found(w, t, "bare"), "no nul");
	missing(w, t, "key000002");
	assert_false(table_set_changed(w->set));
	writer = lmdb_update(lmdb_path(w), 0644, false);
	lmdb_delete(writer, SL("key000001\0"));
	lmdb_abort(&writer);
	assert_slice(found(w, t, "key000001"), "new");
}

/* In order, and packed: the same entries as build_numbered's in much less room. */
static void test_lmdb_append(void **state)
{
	struct world *w = *state;
	struct lmdb_writer *writer;
	struct slice key, value;
	struct stat st, packed;
	struct table *t;

	build_numbered(w, 30000);
	assert_int_equal(stat(lmdb_path(w), &st), 0);
	writer = lmdb_build(lmdb_path(w), 0640);
	for (unsigned i = 0; i < 30000; i++) {
		numbered(w, i, &key, &value);
		assert_int_equal(lmdb_append(writer, key, value), LMDB_CHANGED);
	}
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
	assert_int_equal(stat(lmdb_path(w), &packed), 0);
	assert_true(packed.st_size < st.st_size);
	t = lmdb_table(w);
	for (unsigned i = 0; i < 30000; i++) {
		numbered(w, i, &key, &value);
		assert_int_equal(found(w, t, key.p).n, value.n - 1);
	}
	writer = lmdb_build(lmdb_path(w), 0640);
	assert_int_equal(lmdb_append(writer, SL("b"), SL("1")), LMDB_CHANGED);
	assert_int_equal(lmdb_append(writer, SL("a"), SL("2")), LMDB_FAILED);
	assert_non_null(lmdb_writer_error(writer));
	lmdb_abort(&writer);
	assert_slice(found(w, t, "key000001"), "value 1");
}

static void change_one(struct world *w, const char *value)
{
	struct lmdb_writer *writer = lmdb_update(lmdb_path(w), 0644, false);

	assert_int_equal(lmdb_put(writer, SL("key000001\0"), slice_str(value), true), LMDB_CHANGED);
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
}

static void test_lmdb_hold(void **state)
{
	struct world *w = *state;
	struct table *t;

	build_numbered(w, 5000);
	t = lmdb_table(w);
	table_hold(t);
	assert_slice(found(w, t, "key000001"), "value 1");
	assert_slice(found(w, t, "key000002"), "value 2");
	assert_true(table_release(t));
	table_hold(t);
	assert_slice(found(w, t, "key000001"), "value 1");
	change_one(w, "new");
	assert_false(table_release(t));
	assert_slice(found(w, t, "key000001"), "new");
	/* changed between two holds: seen, and the pages kept of before are not used */
	change_one(w, "newer");
	table_hold(t);
	assert_slice(found(w, t, "key000001"), "newer");
	assert_slice(found(w, t, "key004999"), "value 4999");
	assert_true(table_release(t));
	change_one(w, "third");
	change_one(w, "fourth");
	assert_slice(found(w, t, "key000001"), "fourth");
}

static void test_lmdb_keys(void **state)
{
	struct world *w = *state;
	char raw[600];
	struct lmdb_writer *writer = lmdb_build(lmdb_path(w), 0644);
	struct slice value;
	struct table *t;

	memset(raw, 0xff, sizeof(raw));
	assert_int_equal(lmdb_put(writer, slice(raw, 511), SL(""), false), LMDB_CHANGED);
	assert_int_equal(lmdb_put(writer, SL("a\0b\nc"), SL("odd"), false), LMDB_CHANGED);
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
	t = lmdb_table(w);
	for (size_t n = 0; n <= sizeof(raw); n++)
		assert_int_equal(table_lookup(t, slice(raw, n), w->arena, &value),
				 n == 511 ? TABLE_FOUND : TABLE_MISSING);
	assert_int_equal(table_lookup(t, SL("a\0b\nc"), w->arena, &value), TABLE_FOUND);
	assert_slice(value, "odd");
	writer = lmdb_build(lmdb_path(w), 0644);
	assert_int_equal(lmdb_put(writer, slice(raw, 512), SL("x"), false), LMDB_FAILED);
	assert_non_null(lmdb_writer_error(writer));
	assert_false(lmdb_finish(writer));
	lmdb_abort(&writer);
	assert_int_equal(table_lookup(t, SL("a\0b\nc"), w->arena, &value), TABLE_FOUND);
}

static struct slice read_all(struct world *w, const char *path)
{
	int fd = os_openat(AT_FDCWD, path, O_RDONLY, 0);
	struct stat st;
	char *text;

	assert_true(fd >= 0 && os_fstat(fd, &st) == 0);
	text = arena_alloc(w->arena, (size_t)st.st_size);
	assert_int_equal(os_read_full(fd, text, (size_t)st.st_size), st.st_size);
	os_close(fd);
	return slice(text, (size_t)st.st_size);
}

/* probe - look keys up in a file image; whatever is wrong with it, an answer comes. */
static unsigned probe(struct world *w, struct slice image)
{
	struct arena *arena = arena_create();
	struct table_set *set = table_set_create(NULL);
	struct table *t = table_open(set, write_file(w, "lmdb", "bad.lmdb", image), TABLE_FOLD);
	struct slice key = SL_NULL, value;
	size_t cursor = 0;
	unsigned temporary_answers = 0;

	for (unsigned i = 0; i < 200; i += 13) {
		key = arena_printf(arena, "key%06u", i);
		temporary_answers += table_lookup(t, key, arena, &value) == TABLE_TEMP;
	}
	for (unsigned i = 0; i < 300; i++) {
		enum table_result result = table_next(t, &cursor, arena, &key, &value);

		temporary_answers += result == TABLE_TEMP;
		if (result != TABLE_FOUND)
			break;
	}
	table_set_destroy(&set);
	arena_destroy(&arena);
	return temporary_answers;
}

static void test_lmdb_damage(void **state)
{
	struct world *w = *state;
	struct slice image, bad;
	uint64_t seed = 1;

	build_numbered(w, 200);
	image = read_all(w, lmdb_path(w));
	assert_int_equal(probe(w, image), 0);
	assert_true(probe(w, SL("")) > 0);
	assert_true(probe(w, SL("key value\n")) > 0);
	for (size_t n = 0; n < image.n; n += 509)
		assert_true(probe(w, slice_sub(image, 0, n)) > 0);
	for (unsigned i = 0; i < 400; i++) {
		char *bytes;

		bad = arena_dup(w->arena, image);
		bytes = (char *)(uintptr_t)bad.p;
		for (unsigned j = 0; j < 4; j++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			bytes[(seed >> 20) % bad.n] = (char)(seed >> 56);
		}
		probe(w, bad);
		if (i % 50 == 49)
			arena_reset(w->arena), image = read_all(w, lmdb_path(w));
	}
}

static void test_lmdb_writer_refuses(void **state)
{
	struct world *w = *state;
	struct lmdb_writer *writer;

	write_file(w, "", "m.lmdb", SL("this is not a database at all, but it is long enough"));
	writer = lmdb_update(lmdb_path(w), 0644, false);
	assert_non_null(lmdb_writer_error(writer));
	assert_int_equal(lmdb_put(writer, SL("a"), SL("b"), true), LMDB_FAILED);
	lmdb_abort(&writer);
	writer = lmdb_build("/nowhere/at/all.lmdb", 0644);
	assert_non_null(lmdb_writer_error(writer));
	lmdb_abort(&writer);
	unlink(lmdb_path(w));
	writer = lmdb_update(lmdb_path(w), 0644, false);
	assert_non_null(lmdb_writer_error(writer));
	lmdb_abort(&writer);
}

/* ---- changes under way */

static void test_change_is_read(void **state)
{
	struct world *w = *state;
	struct table *text = text_table(w, "texthash", "t", "a 1\n");
	struct table *late = table_open(w->set, arena_printf(w->arena, "texthash:%s/late", w->dir), 0);
	struct table *lmdb;

	build_numbered(w, 10);
	lmdb = lmdb_table(w);
	assert_false(table_set_changed(w->set));
	write_file(w, "", "t", SL("a 2\n"));
	write_file(w, "", "late", SL("a here\n"));
	build_numbered(w, 20);
	assert_slice(found(w, text, "a"), "1");
	missing(w, lmdb, "key000015");
	assert_false(table_set_changed(w->set));
	assert_slice(found(w, text, "a"), "2");
	assert_slice(found(w, late, "a"), "here");
	assert_slice(found(w, lmdb, "key000015"), "value 15");
	/* a file that is gone for a moment does not take the table with it */
	unlink(arena_printf(w->arena, "%s/t", w->dir).p);
	assert_false(table_set_changed(w->set));
	assert_slice(found(w, text, "a"), "2");
}

static void test_change_when_sealed(void **state)
{
	struct world *w = *state;
	struct table *text = text_table(w, "texthash", "t", "a 1\n");

	table_set_seal(w->set);
	assert_false(table_set_changed(w->set));
	write_file(w, "", "t", SL("a 2\n"));
	assert_true(table_set_changed(w->set));
	assert_slice(found(w, text, "a"), "1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_source_lines),
	    TEST(test_source_split),
	    TEST(test_literal_types),
	    TEST(test_bad_specs),
	    TEST(test_unix),
	    TEST(test_patterns),
	    TEST(test_pattern_without_substitution),
	    TEST(test_pcre_limits),
	    TEST(test_cidr),
	    TEST(test_list),
	    TEST(test_match_list_names),
	    TEST(test_match_list_clients),
	    TEST(test_alias_lines),
	    TEST(test_lmdb_build),
	    TEST(test_lmdb_update),
	    TEST(test_lmdb_append),
	    TEST(test_lmdb_hold),
	    TEST(test_lmdb_keys),
	    TEST(test_lmdb_damage),
	    TEST(test_lmdb_writer_refuses),
	    TEST(test_change_is_read),
	    TEST(test_change_when_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
