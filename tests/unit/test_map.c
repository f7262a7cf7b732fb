/* SPDX-License-Identifier: ISC */
/* What postmap and postalias read and sort, in pieces that do not fit into memory at once. */
#include "unit.h"

#include "base/buffer.h"
#include "commands/map_sort.h"
#include "commands/map_source.h"
#include "commands/map_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ENTRIES 20000u

void map_fatal(const char *format, ...)
{
	fail_msg("%s", format);
	abort();
}

/* entry_key - some share their first eight bytes, some are beginnings of others, every tenth comes twice. */
static struct slice entry_key(unsigned i, char text[64])
{
	unsigned n = i * 7919 % ENTRIES;

	if (n % 10 == 1)
		n--;
	return slice(text, (size_t)snprintf(text, 64, n % 3 == 0 ? "key%u" : "key-of-the-same-kind-%05u", n));
}

static void add_all(struct map_sort *sort)
{
	char text[64], value[64];

	for (unsigned i = 0; i < ENTRIES; i++) {
		size_t n = (size_t)snprintf(value, sizeof(value), "%u", i);

		map_sort_add(sort, entry_key(i, text), slice(value, i % 50 == 0 ? 0 : n), i % 2 == 1);
	}
}

/* check_sorted - all of them, by key and then by number, each with what belongs to it. */
static void check_sorted(size_t memory)
{
	char near[] = "/tmp/test_map.XXXXXX", text[64], expected[64];
	int fd = mkstemp(near);
	struct map_sort *sort = map_sort_create(near, memory);
	struct map_entry entry;
	struct buffer last;
	uint32_t last_number = 0;
	size_t count = 0;

	assert_true(fd >= 0);
	buffer_init(&last, 1000);
	add_all(sort);
	for (; map_sort_next(sort, &entry); count++) {
		int order = slice_cmp(buffer_slice(&last), entry.key);

		assert_true(count == 0 || order < 0 || (order == 0 && last_number < entry.number));
		assert_true(slice_eq(entry.key, entry_key(entry.number, text)));
		snprintf(expected, sizeof(expected), "%u", entry.number);
		assert_true(slice_eq(entry.value, entry.number % 50 == 0 ? SL("") : slice_str(expected)));
		assert_int_equal(entry.replaces, entry.number % 2 == 1);
		buffer_reset(&last);
		buffer_append(&last, entry.key);
		last_number = entry.number;
	}
	assert_int_equal(count, ENTRIES);
	assert_false(map_sort_next(sort, &entry));
	buffer_free(&last);
	map_sort_destroy(&sort);
	assert_null(sort);
	close(fd);
	unlink(near);
}

static void test_sort(void **state)
{
	(void)state;
	check_sorted(SIZE_MAX);
	check_sorted((size_t)100 << 10); /* a dozen runs */
	check_sorted(3000);		 /* hundreds */
}

static void test_sort_of_little(void **state)
{
	struct map_sort *sort = map_sort_create("/nowhere/x", 1000);
	struct map_entry entry;

	(void)state;
	assert_false(map_sort_next(sort, &entry));
	map_sort_destroy(&sort);
	sort = map_sort_create("/nowhere/x", 1000);
	map_sort_add(sort, SL("a\0b"), SL("1"), false);
	map_sort_add(sort, SL("a"), SL("2"), false);
	map_sort_add(sort, SL("a\0"), SL("3"), false);
	map_sort_add(sort, SL("\xff"), SL("4"), false);
	assert_true(map_sort_next(sort, &entry));
	assert_slice(entry.value, "2");
	assert_true(map_sort_next(sort, &entry));
	assert_slice(entry.value, "3");
	assert_true(map_sort_next(sort, &entry));
	assert_slice(entry.value, "1");
	assert_true(map_sort_next(sort, &entry));
	assert_slice(entry.value, "4");
	map_sort_destroy(&sort);
}

/* source_text - lines, continuations, comments and empty lines, 5 MB of them, and a value of 3 MB. */
static void source_text(struct buffer *text)
{
	char line[128];

	buffer_init(text, (size_t)16 << 20);
	buffer_append(text, SL("  indented\n# comment\n"));
	for (unsigned i = 0; text->len < (size_t)5 << 20; i++) {
		snprintf(line, sizeof(line), "key%u value %u%s", i, i,
			 i % 7 == 0	? "\n\n# within\n more\n\t\tof it\n"
			 : i % 11 == 0 ? "\r\n"
				       : "\n");
		buffer_append(text, slice_str(line));
	}
	buffer_append(text, SL("long "));
	for (unsigned i = 0; i < 3 << 20; i++)
		buffer_append_byte(text, 'x');
	buffer_append(text, SL("\n more\n#"));
	for (unsigned i = 0; i < 3 << 20; i++)
		buffer_append_byte(text, 'c');
	buffer_append(text, SL("\n\nlast line"));
}

static void test_source(void **state)
{
	struct arena *arena = arena_create();
	struct map_source pieces;
	struct source whole;
	struct slice line, wanted;
	struct buffer text;
	enum source_line kind;
	int fd = memfd_create("source", 0);
	size_t count = 0;

	(void)state;
	source_text(&text);
	assert_int_equal(write(fd, text.data, text.len), text.len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	source_init(&whole, buffer_slice(&text));
	map_source_open(&pieces, "source", fd);
	do {
		kind = source_next(&whole, arena, &wanted);
		assert_int_equal(map_source_next(&pieces, arena, &line), kind);
		if (kind == SOURCE_END)
			break;
		assert_true(slice_eq(line, wanted));
		assert_int_equal(pieces.source.first, whole.first);
		arena_reset(arena);
		count++;
	} while (true);
	assert_true(count > 100000);
	map_source_close(&pieces);
	buffer_free(&text);
	close(fd);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sort),
	    cmocka_unit_test(test_sort_of_little),
	    cmocka_unit_test(test_source),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
