/* SPDX-License-Identifier: ISC */
#include "unit.h"

#include "table/fold.h"

#include <string.h>

static void check(const char *key, const char *wanted)
{
	struct arena *arena = arena_create();
	struct slice got = fold_key(arena, slice_str(key));

	if (!slice_eq(got, slice_str(wanted)))
		fail_msg("\"%s\" became \"%.*s\", not \"%s\"", key, SL_ARG(got), wanted);
	arena_destroy(&arena);
}

static void test_letters(void **state)
{
	(void)state;
	check("", "");
	check("User@Example.COM", "user@example.com");
	check("\u00c9TIENNE", "\u00e9tienne");
	check("stra\u00dfe", "strasse");
	check("STRA\u1e9eE", "strasse");
	check("\u0130", "i\u0307");
	check("\u03a3\u03a3\u03c2", "\u03c3\u03c3\u03c3");
	check("\u0414\u041e\u041c", "\u0434\u043e\u043c");
	check("\u0390", "\u03b9\u0308\u0301");
	check("\u212a\u2160\uff21", "k\u2170\uff41");
	check("\U00010400\U0001e921", "\U00010428\U0001e943");
	check("\u13a0\uab70", "\u13a0\u13a0");
	check("\u4e2d\u6587 \U0001f600", "\u4e2d\u6587 \U0001f600");
	check("\u0100\u0101\u0102", "\u0101\u0101\u0103");
}

/* What is not UTF-8 has only its A to Z changed. */
static void test_other_bytes(void **state)
{
	(void)state;
	check("A\xff\xc3\x89", "a\xff\xc3\x89");
	check("A\xc3", "a\xc3");
	check("A\xed\xa0\x80\xc3\x89", "a\xed\xa0\x80\xc3\x89");
	check("A\xc0\x80", "a\xc0\x80");
	check("A\xf4\x90\x80\x80", "a\xf4\x90\x80\x80");
}

/* Folding what is folded changes nothing, and nothing grows beyond its bound. */
static void test_all_characters(void **state)
{
	struct arena *arena = arena_create();
	unsigned changed = 0;

	(void)state;
	for (uint32_t c = 1; c < 0x20000; c++) {
		char text[8];
		size_t n = 0;
		struct slice once, twice;

		if (c < 0x80) {
			text[n++] = (char)c;
		} else {
			if (c >= 0x10000)
				text[n++] = (char)(0xf0 | c >> 18);
			if (c >= 0x800)
				text[n++] = (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 63) : 0xe0 | c >> 12);
			text[n++] = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6);
			text[n++] = (char)(0x80 | (c & 63));
		}
		once = fold_key(arena, slice(text, n));
		twice = fold_key(arena, once);
		assert_true(slice_eq(once, twice));
		assert_true(once.n <= 3 * n);
		changed += !slice_eq(once, slice(text, n));
		arena_reset(arena);
	}
	assert_int_equal(changed, 26 + 1400 + 104);
	arena_destroy(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_letters),
	    cmocka_unit_test(test_other_bytes),
	    cmocka_unit_test(test_all_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
