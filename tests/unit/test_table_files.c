/* SPDX-License-Identifier: ISC */
/* Tables and the files behind them: cdb, who may replace a file, and that each type sees its file change. */
#include "unit.h"

#include "os/file.h"
#include "os/process.h"
#include "table/cdb_write.h"
#include "table/lmdb_write.h"
#include "table/new_file.h"
#include "table/table.h"
#include "table/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_table_files.XXXXXX");
	*state = w;
	return mkdtemp(w->dir) == NULL ? -1 : 0;
}

static unsigned count_files(const struct world *w, bool remove)
{
	struct os_dir *dir = os_dir_open(AT_FDCWD, w->dir);
	const char *entry;
	unsigned count = 0;
	char name[512];

	while (os_dir_next(dir, &entry) == 1) {
		count++;
		snprintf(name, sizeof(name), "%s/%s", w->dir, entry);
		if (remove)
			unlink(name);
	}
	os_dir_close(&dir);
	return count;
}

static int teardown(void **state)
{
	struct world *w = *state;

	table_set_destroy(&w->set);
	arena_destroy(&w->arena);
	chmod(w->dir, 0700);
	count_files(w, true);
	rmdir(w->dir);
	test_free(w);
	return 0;
}

static const char *path_of(struct world *w, const char *name)
{
	return arena_printf(w->arena, "%s/%s", w->dir, name).p;
}

/* write_file - beside, then renamed. */
static void write_file(struct world *w, const char *name, struct slice text)
{
	const char *fresh = path_of(w, "fresh");
	int fd = os_openat(AT_FDCWD, fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(os_write_full(fd, text.p, text.n), 0);
	assert_int_equal(os_close(fd), 0);
	assert_int_equal(rename(fresh, path_of(w, name)), 0);
}

static struct table *open_table(struct world *w, const char *type, const char *name)
{
	return table_open(w->set, arena_printf(w->arena, "%s:%s/%s", type, w->dir, name), TABLE_FOLD);
}

static void expect(struct world *w, struct table *table, const char *key, const char *wanted)
{
	struct slice value;
	enum table_result result = table_lookup(table, slice_str(key), w->arena, &value);

	if (result == TABLE_TEMP)
		print_message("%.*s\n", SL_ARG(value));
	assert_int_equal(result, wanted != NULL ? TABLE_FOUND : TABLE_MISSING);
	if (wanted != NULL && !slice_eq(value, slice_str(wanted)))
		fail_msg("%s: \"%.*s\", not \"%s\"", key, SL_ARG(value), wanted);
}

static bool is_temporary(struct world *w, struct table *table, const char *key)
{
	struct slice value;

	return table_lookup(table, slice_str(key), w->arena, &value) == TABLE_TEMP && value.n > 0;
}

/* ---- cdb */

static bool build_cdb(struct world *w, const char *name, unsigned count, const char *value)
{
	struct cdb_writer *writer = cdb_build(path_of(w, name), 0640);
	char key[32];

	if (cdb_writer_error(writer) != NULL) {
		print_message("%s\n", cdb_writer_error(writer));
		cdb_abort(&writer);
		return false;
	}
	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key%u", i);
		assert_true(cdb_add(writer, slice_str(key), slice_str(value)));
	}
	assert_true(cdb_finish(writer));
	cdb_abort(&writer);
	assert_null(writer);
	return true;
}

static void test_cdb(void **state)
{
	struct world *w = *state;
	struct slice key, value;
	struct table *table;
	size_t cursor = 0, count = 0;
	struct stat st;

	if (!build_cdb(w, "t.cdb", 3000, "a value"))
		skip();
	assert_int_equal(stat(path_of(w, "t.cdb"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	table = open_table(w, "cdb", "t");
	expect(w, table, "KEY0", "a value");
	expect(w, table, "key2999", "a value");
	expect(w, table, "key3000", NULL);
	expect(w, table, "", NULL);
	while (table_next(table, &cursor, w->arena, &key, &value) == TABLE_FOUND)
		count++;
	assert_int_equal(count, 3000);
	assert_int_equal(count_files(w, false), 1);
}

/* probe - a changed file, asked and listed: any answer is good, as long as there is one. */
static bool probe(struct world *w, struct slice image)
{
	struct table_set *set = table_set_create(NULL);
	struct slice key, value;
	struct table *table;
	size_t cursor = 0, count = 0;
	bool usable;

	write_file(w, "bad.cdb", image);
	table = table_open(set, arena_printf(w->arena, "cdb:%s/bad", w->dir), 0);
	usable = slice_is_null(table_error(table));
	for (unsigned i = 0; i < 20; i++) {
		key = arena_printf(w->arena, "key%u", i);
		if (table_lookup(table, key, w->arena, &value) == TABLE_TEMP)
			assert_true(value.n > 0);
	}
	while (table_next(table, &cursor, w->arena, &key, &value) == TABLE_FOUND)
		assert_true(++count <= image.n);
	table_set_destroy(&set);
	return usable;
}

static void test_cdb_damage(void **state)
{
	struct world *w = *state;
	struct slice image;
	uint64_t seed = 1;
	char *bytes;
	ssize_t n;
	int fd;

	if (!build_cdb(w, "t.cdb", 20, "a value"))
		skip();
	fd = os_openat(AT_FDCWD, path_of(w, "t.cdb"), O_RDONLY, 0);
	bytes = arena_alloc(w->arena, 65536);
	n = os_pread_full(fd, bytes, 65536, 0);
	os_close(fd);
	image = slice(bytes, (size_t)n);
	assert_true(probe(w, image));
	assert_false(probe(w, SL("")));
	assert_false(probe(w, SL("key value\n")));
	assert_false(probe(w, slice_sub(image, 0, 2047)));
	for (size_t cut = 1; cut < image.n - 2048; cut += 7)
		probe(w, slice_sub(image, 0, image.n - cut));
	for (unsigned i = 0; i < 500; i++) {
		size_t at;
		char old;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		at = (seed >> 20) % image.n;
		old = bytes[at];
		bytes[at] = (char)(seed >> 56);
		probe(w, image);
		bytes[at] = old;
	}
}

/* ---- what takes another's place */

static void test_nothing_stays_of_what_is_given_up(void **state)
{
	struct world *w = *state;
	struct lmdb_writer *lmdb;
	struct cdb_writer *cdb;
	struct new_file file;

	lmdb = lmdb_build(path_of(w, "a.lmdb"), 0644);
	assert_null(lmdb_writer_error(lmdb));
	assert_int_equal(lmdb_put(lmdb, SL("k"), SL("v"), true), LMDB_CHANGED);
	lmdb_abort(&lmdb);
	cdb = cdb_build(path_of(w, "a.cdb"), 0644);
	cdb_abort(&cdb);
	assert_true(new_file_create(path_of(w, "a"), 0600, &file));
	new_file_end(&file);
	assert_int_equal(count_files(w, false), 0);
	assert_false(new_file_create("/nowhere/at/all", 0600, &file));
	assert_int_equal(errno, ENOENT);
}

static void test_the_old_one_gives_its_mode(void **state)
{
	struct world *w = *state;
	const char *what;
	struct new_file file;
	struct stat st;

	write_file(w, "old", SL("old"));
	assert_int_equal(chmod(path_of(w, "old"), 0604), 0);
	assert_int_equal(symlink("old", path_of(w, "link")), 0);
	assert_true(new_file_create(path_of(w, "link"), 0600, &file));
	assert_int_equal(os_write_full(file.fd, "new", 3), 0);
	assert_int_equal(stat(path_of(w, "old"), &st), 0);
	assert_int_equal(st.st_size, 3);
	assert_true(new_file_place(&file, &what));
	new_file_end(&file);
	assert_int_equal(lstat(path_of(w, "link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat(path_of(w, "old"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0604);
	assert_int_equal(count_files(w, false), 2);
}

/* ---- who could put another file there */

static void test_doubt(void **state)
{
	struct world *w = *state;
	const char *path = path_of(w, "t");
	struct slice doubt;
	struct stat st;

	write_file(w, "t", SL("a 1\n"));
	assert_int_equal(stat(path, &st), 0);
	assert_true(slice_is_null(trust_doubt(path, &st, w->arena)));
	open_table(w, "texthash", "t");
	assert_int_equal(w->warnings, 0);
	/* anybody may */
	assert_int_equal(chmod(w->dir, 0777), 0);
	doubt = trust_doubt(path, &st, w->arena);
	assert_true(slice_search(doubt, slice_str(w->dir)) >= 0);
	open_table(w, "regexp", "t");
	assert_true(w->warnings > 0);
	assert_int_equal(symlink(path, path_of(w, "link")), 0);
	assert_false(slice_is_null(trust_doubt(path_of(w, "link"), &st, w->arena)));
	/* anybody may, but not others' files */
	assert_int_equal(chmod(w->dir, 01777), 0);
	assert_true(slice_is_null(trust_doubt(path, &st, w->arena)));
	/* the directory's owner may */
	assert_int_equal(chmod(w->dir, 0755), 0);
	st.st_uid++;
	if (os_euid() != 0)
		assert_false(slice_is_null(trust_doubt(path, &st, w->arena)));
	if (os_euid() == 0) {
		assert_int_equal(chown(w->dir, 12345, 12345), 0);
		assert_true(slice_search(trust_doubt(path, &st, w->arena), SL("12345")) >= 0);
		st.st_uid = 12345;
		assert_true(slice_is_null(trust_doubt(path, &st, w->arena)));
		assert_int_equal(chown(w->dir, 0, 0), 0);
	}
}

/* ---- what is in the name */

static void test_small_tables(void **state)
{
	struct world *w = *state;
	struct table *table = table_open(w->set, SL("randmap:{a, b b {c d}}"), 0);
	unsigned a = 0, b = 0, c = 0;
	struct slice value;

	for (unsigned i = 0; i < 4000; i++) {
		assert_int_equal(table_lookup(table, SL("any"), w->arena, &value), TABLE_FOUND);
		a += slice_eq(value, SL("a"));
		b += slice_eq(value, SL("b"));
		c += slice_eq(value, SL("{c d}"));
	}
	assert_int_equal(a + b + c, 4000);
	assert_true(a > 700 && a < 1300 && b > 1600 && b < 2400);
	assert_true(is_temporary(w, table_open(w->set, SL("randmap:{}"), 0), "x"));
	assert_true(is_temporary(w, table_open(w->set, SL("static:"), 0), "x"));
	assert_true(is_temporary(w, table_open(w->set, SL("static:{x"), 0), "x"));
	setenv("TEST_TABLE", "here", 1);
	expect(w, table_open(w->set, SL("environ:x"), 0), "TEST_TABLE", "here");
	expect(w, table_open(w->set, SL("internal:x"), 0), "any", NULL);
}

static void test_debug(void **state)
{
	struct world *w = *state;
	struct table *table = table_open(w->set, SL("debug:debug:pcre:{{/^A$/i upper}}"), TABLE_FOLD);

	assert_false(table_has_literal_keys(table));
	assert_true(table_has_literal_keys(table_open(w->set, SL("debug:inline:{a=b}"), 0)));
	expect(w, table, "A", "upper");
	assert_int_equal(w->warnings, 2);
	expect(w, table, "a", NULL);
	assert_int_equal(w->warnings, 4);
	assert_true(is_temporary(w, table_open(w->set, SL("debug:fail:x"), 0), "a"));
	assert_true(is_temporary(w, table_open(w->set, SL("debug:"), 0), "a"));
	assert_true(is_temporary(w, table_open(w->set, SL("debug:nothing"), 0), "a"));
}

static void test_values_in_files(void **state)
{
	struct world *w = *state;
	struct slice spec = arena_printf(w->arena, "inline:{{a=%s/one, %s/two}}", w->dir, w->dir);
	struct table *table;

	write_file(w, "one", SL("\0\xff\xfe"));
	write_file(w, "two", SL("x"));
	table = table_open(w->set, spec, TABLE_FILES);
	expect(w, table, "a", "AP/+Cng=");
	unlink(path_of(w, "two"));
	table = table_open(w->set, arena_printf(w->arena, "static:%s/two", w->dir), TABLE_FILES);
	assert_true(is_temporary(w, table, "a"));
}

/* ---- changes */

static void build_lmdb(struct world *w, const char *value)
{
	struct lmdb_writer *writer = lmdb_build(path_of(w, "l.lmdb"), 0644);

	assert_int_equal(lmdb_put(writer, SL("k"), slice_str(value), true), LMDB_CHANGED);
	assert_true(lmdb_finish(writer));
	lmdb_abort(&writer);
}

static void write_all(struct world *w, const char *value)
{
	write_file(w, "t", arena_printf(w->arena, "k %s\n", value));
	write_file(w, "p", arena_printf(w->arena, "/k/ %s\n", value));
	write_file(w, "c", arena_printf(w->arena, "192.0.2.1 %s\n", value));
	build_lmdb(w, value);
}

static void test_each_type_sees_its_file_change(void **state)
{
	static const char *const types[][2] = {{"texthash", "t"}, {"regexp", "p"}, {"pcre", "p"}, {"cidr", "c"},
					       {"lmdb", "l"},	  {"hash", "l"},   {"btree", "l"}};
	struct world *w = *state;
	size_t count = sizeof(types) / sizeof(types[0]);
	struct table *tables[sizeof(types) / sizeof(types[0])], *cdb = NULL, *both, *late;

	late = table_open(w->set, arena_printf(w->arena, "unionmap:{texthash:%s/late, static:x}", w->dir), 0);
	both = table_open(w->set, arena_printf(w->arena, "pipemap:{texthash:%s/t, inline:{1=one, 2=two}}", w->dir), 0);
	assert_true(is_temporary(w, late, "k"));
	assert_true(is_temporary(w, both, "k"));
	write_all(w, "1");
	if (build_cdb(w, "b.cdb", 1, "1"))
		cdb = open_table(w, "cdb", "b");
	for (size_t i = 0; i < count; i++) {
		tables[i] = open_table(w, types[i][0], types[i][1]);
		expect(w, tables[i], i == 3 ? "192.0.2.1" : "k", "1");
	}
	assert_false(table_set_changed(w->set));
	expect(w, both, "k", "one");
	write_all(w, "2");
	write_file(w, "late", SL("k here\n"));
	if (cdb != NULL)
		build_cdb(w, "b.cdb", 1, "2");
	assert_false(table_set_changed(w->set));
	for (size_t i = 0; i < count; i++)
		expect(w, tables[i], i == 3 ? "192.0.2.1" : "k", "2");
	if (cdb != NULL)
		expect(w, cdb, "key0", "2");
	expect(w, both, "k", "two");
	expect(w, late, "k", "here,x");
	/* what cannot open files ends when idle, whichever of them it was */
	table_set_seal(w->set);
	assert_false(table_set_changed(w->set));
	write_file(w, "c", SL("192.0.2.1 3\n"));
	assert_true(table_set_changed(w->set));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_cdb),
	    TEST(test_cdb_damage),
	    TEST(test_nothing_stays_of_what_is_given_up),
	    TEST(test_the_old_one_gives_its_mode),
	    TEST(test_doubt),
	    TEST(test_small_tables),
	    TEST(test_debug),
	    TEST(test_values_in_files),
	    TEST(test_each_type_sees_its_file_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
