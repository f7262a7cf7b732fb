/* SPDX-License-Identifier: ISC */
/*
 * Sources of tables. The first byte chooses the type; the rest is its source, and up to the first
 * line end the key as well. regexp is left out: the C library's compiler is not fit for hostile
 * patterns, and patterns are the administrator's.
 */
#include "base/check.h"
#include "os/file.h"
#include "table/alias_line.h"
#include "table/match_list.h"
#include "table/needle.h"
#include "table/source.h"
#include "table/table.h"

#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_lines(struct slice text, struct arena *arena)
{
	struct source source;
	struct slice line, key, value;
	unsigned last = 0;

	source_init(&source, text);
	while (source_next(&source, arena, &line) != SOURCE_END) {
		CHECK(source.first > last && line.n > 0);
		last = source.first;
		if (source_split(line, &key, &value) == SPLIT_OK)
			CHECK(key.n > 0 && value.n > 0 && key.n + value.n < line.n);
		if (alias_line_parse(line, arena, &key, &value) == ALIAS_OK)
			CHECK(value.n > 0);
	}
}

static void try_table(const char *type, struct slice text, struct arena *arena)
{
	struct table_set *set = table_set_create(NULL);
	int fd = memfd_create("fuzz", 0);
	struct slice value, key = slice_sub(text, 0, (size_t)slice_find(text, '\n'));
	struct table *table;

	CHECK(fd >= 0 && os_pwrite_full(fd, text.p, text.n, 0) == 0);
	table = table_open(set, arena_printf(arena, "%s:/proc/self/fd/%d", type, fd), TABLE_FOLD);
	for (size_t i = 0; i < 4; i++)
		if (table_lookup(table, slice_from(key, i), arena, &value) != TABLE_MISSING)
			CHECK(!slice_is_null(value));
	os_close(fd);
	table_set_destroy(&set);
}

/* try_spec - tables that are all in their name; files and servers are not the matter here. */
static void try_spec(const char *type, struct slice text, struct arena *arena)
{
	struct slice key = slice_sub(text, 0, (size_t)slice_find(text, '\n')), next, value;
	struct table_set *set = table_set_create(NULL);
	size_t cursor = 0, count = 0;
	struct table *table;

	if (slice_find(text, '/') >= 0 || slice_search(text, SL("unix:")) >= 0)
		text = SL("{a=b}");
	table = table_open(set, arena_printf(arena, "%s:%.*s", type, SL_ARG(text)), TABLE_FOLD);
	for (size_t i = 0; i < 4; i++)
		if (table_lookup(table, slice_from(key, i), arena, &value) != TABLE_MISSING)
			CHECK(!slice_is_null(value));
	while (table_next(table, &cursor, arena, &next, &value) == TABLE_FOUND)
		CHECK(++count <= text.n);
	table_set_destroy(&set);
}

/* try_needle - a pattern that compiles rules out nothing that it matches: itself, when it is all letters. */
static void try_needle(struct slice text)
{
	struct slice pattern = slice_sub(text, 0, (size_t)slice_find(text, '\n'));
	struct needle posix = needle_of(pattern, NEEDLE_POSIX), perl = needle_of(pattern, NEEDLE_PERL);
	struct needle_key pairs;
	bool letters = true;

	CHECK(posix.count <= NEEDLE_PAIRS && perl.count <= NEEDLE_PAIRS);
	needle_key_read(pattern, &pairs);
	for (size_t i = 0; i < pattern.n; i++)
		letters = letters && ascii_isalnum(pattern.p[i]);
	CHECK(!letters || (!needle_missing(&posix, &pairs) && !needle_missing(&perl, &pairs)));
}

static void try_names(struct slice text, struct arena *arena)
{
	struct table_set *set = table_set_create(NULL);
	struct slice rest = text, word, reason;
	struct match_list *list;

	/* files and tables of this machine are not the matter here */
	if (slice_find(text, ':') < 0 && slice_find(text, '/') < 0) {
		list = match_list_create(set, text, MATCH_PARENT);
		while (slice_next(&rest, " \n,", &word)) {
			match_list_host(list, word, arena, &reason);
			match_list_address(list, SL("a.b.c"), word, arena, &reason);
		}
	}
	table_set_destroy(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct arena *arena = arena_create();
	struct slice text = slice(data, n);

	if (n > 1 && n < 8192) {
		text = slice_from(text, 1);
		switch (data[0] % 10) {
		case 0:
			try_lines(text, arena);
			break;
		case 1:
			try_table("texthash", text, arena);
			break;
		case 2:
			try_table("pcre", text, arena);
			break;
		case 3:
			try_table("cidr", text, arena);
			break;
		case 4:
			try_names(text, arena);
			break;
		case 5:
			try_spec("inline", text, arena);
			break;
		case 6:
			try_spec("randmap", text, arena);
			break;
		case 7:
			try_spec("unionmap", text, arena);
			break;
		case 8:
			try_spec("pipemap", text, arena);
			break;
		default:
			try_needle(text);
		}
	}
	arena_destroy(&arena);
	return 0;
}
